# Proxies that turn on their jail, for tests/escape/20-compromised.sh: the real objects, and one call wrapped by the
# linker. They are never installed.
ESCAPE_BUILT = tests/escape/compromised-dnsproxy tests/escape/compromised-httpproxy \
	tests/escape/compromised-cijail
check_PROGRAMS += $(ESCAPE_BUILT)
COMPROMISED_FILES = \
	tests/escape/compromised.c tests/escape/compromised.h tests/escape/compromised_calls.c \
	tests/escape/compromised_channel.c
WRAP_DISPATCH = $(AM_LDFLAGS) -Wl,--wrap=event_base_dispatch

tests_escape_compromised_dnsproxy_SOURCES = $(COMPROMISED_FILES)
tests_escape_compromised_dnsproxy_CPPFLAGS = $(AM_CPPFLAGS) -DCOMPROMISED_DNSPROXY
tests_escape_compromised_dnsproxy_LDFLAGS = $(WRAP_DISPATCH)
tests_escape_compromised_dnsproxy_LDADD = $(DNSPROXY_LIBS)
tests_escape_compromised_httpproxy_SOURCES = $(COMPROMISED_FILES)
tests_escape_compromised_httpproxy_CPPFLAGS = $(AM_CPPFLAGS) -DCOMPROMISED_HTTPPROXY
tests_escape_compromised_httpproxy_LDFLAGS = $(WRAP_DISPATCH)
tests_escape_compromised_httpproxy_LDADD = $(HTTPPROXY_LIBS)

# The processes on the host, likewise, for 27-confined.sh.
tests_escape_compromised_cijail_SOURCES = tests/escape/compromised_host.c
tests_escape_compromised_cijail_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=dialer_dial -Wl,--wrap=unix_judge_connect
tests_escape_compromised_cijail_LDADD = src/libcijail.a nft/libnft.a $(PRESET_LIBS) $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS)

# Of no program: what tests/escape/29-no-memory.sh has loaded before the programs as they are.
NO_MEMORY_BUILT = tests/escape/no_memory.so
EXTRA_DIST += tests/escape/no_memory.c
CLEANFILES += $(NO_MEMORY_BUILT)
$(NO_MEMORY_BUILT): tests/escape/no_memory.c
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(CC) $(CPPFLAGS) -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -O2 -fPIC -shared \
		-o $@ $(top_srcdir)/tests/escape/no_memory.c

escape-programs: $(ESCAPE_BUILT) $(NO_MEMORY_BUILT)
.PHONY: escape-programs
