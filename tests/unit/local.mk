# What every process needs: names, URLs, the policy, errors and the small things.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_util tests/unit/test_name tests/unit/test_url tests/unit/test_policy
TESTS += tests/unit/test_util tests/unit/test_name tests/unit/test_url tests/unit/test_policy
tests_unit_test_util_SOURCES = tests/unit/test_util.c
tests_unit_test_util_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_util_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_name_SOURCES = tests/unit/test_name.c
tests_unit_test_name_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_name_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_url_SOURCES = tests/unit/test_url.c
tests_unit_test_url_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_url_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c tests/unit/test_policy_words.c \
	tests/unit/policy_words.h
tests_unit_test_policy_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_policy_errors
TESTS += tests/unit/test_policy_errors
check_PROGRAMS += tests/unit/test_policy_index
TESTS += tests/unit/test_policy_index
tests_unit_test_policy_index_SOURCES = tests/unit/test_policy_index.c
tests_unit_test_policy_index_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_policy_errors_SOURCES = tests/unit/test_policy_errors.c tests/unit/error_strings.c \
	tests/unit/error_strings.h
tests_unit_test_policy_errors_LDADD = src/libcijail.a $(PRESET_LIBS) $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_url tests/fuzz/fuzz_policy
tests_fuzz_fuzz_url_SOURCES = tests/fuzz/fuzz_url.c $(FUZZ_MAIN)
tests_fuzz_fuzz_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_url_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_policy_SOURCES = tests/fuzz/fuzz_policy.c $(FUZZ_MAIN)
tests_fuzz_fuzz_policy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_policy_LDADD = $(COMMON_LIBS)
if !FUZZERS
TESTS += tests/fuzz/fuzz_url tests/fuzz/fuzz_policy
endif

EXTRA_DIST += tests/fuzz/url.dict tests/fuzz/policy.dict tests/fuzz/corpus/url tests/fuzz/corpus/policy
