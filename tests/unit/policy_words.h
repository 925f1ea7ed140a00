/* policy_words.h: the tests of test_policy_words.c, for the group in test_policy.c. */
#ifndef CIJAIL_POLICY_WORDS_H
#define CIJAIL_POLICY_WORDS_H

void test_words_url(void **state);
void test_words_methods(void **state);
void test_words_name(void **state);
void test_words_address(void **state);
void test_words_unix(void **state);
void test_words_refused(void **state);
void test_words_bytes(void **state);
void test_words_bounds(void **state);

#endif
