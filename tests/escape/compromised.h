/* compromised.h: a proxy whose parser has been taken over, as far as the tests go. */
#ifndef CIJAIL_COMPROMISED_H
#define CIJAIL_COMPROMISED_H

#include <stddef.h>

/* An attack. Returns what the system call did: negative is -errno, the rest has worked. */
struct attack {
    const char *name;
    long (*run)(void);
};

/* compromised_calls.c, compromised_channel.c. Each ends in an entry without a name. */
extern const struct attack attack_calls[];
extern const struct attack attack_channel[];

/* A line on stderr, written by write(2) alone. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
