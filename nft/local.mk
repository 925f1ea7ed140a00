noinst_LIBRARIES += nft/libnft.a
nft_libnft_a_SOURCES = \
	nft/ruleset.c nft/ruleset_policy.c nft/ruleset.h nft/rule.c nft/rule.h nft/set.c nft/set.h \
	nft/transaction.c nft/transaction.h
nft_libnft_a_CFLAGS = $(AM_CFLAGS) $(NFT_CFLAGS)
EXTRA_DIST += nft/cijail.nft

# The networks and the rules are tested together: two namespaces, and what passes between them.
NETNS_SOURCES = \
	src/netns.c src/netns.h src/netns_socket.c src/netns_intercept.c src/netns_nl.h \
	src/netns_ready.c src/netns_ready.h src/netns_sysctl.c src/netns_sysctl.h
TWONETS_SOURCES = tests/unit/twonets.c tests/unit/twonets.h

if HAVE_CMOCKA
NET_TESTS = \
	tests/unit/test_isolate tests/unit/test_netns tests/unit/test_ruleset \
	tests/unit/test_rules_traffic tests/unit/test_intercept
check_PROGRAMS += $(NET_TESTS)
TESTS += $(NET_TESTS)

tests_unit_test_isolate_SOURCES = tests/unit/test_isolate.c $(FILTER_BUILD)
tests_unit_test_isolate_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SECCOMP_CFLAGS)
tests_unit_test_isolate_LDADD = $(COMMON_LIBS) $(SECCOMP_LIBS) $(CMOCKA_LIBS)

tests_unit_test_netns_SOURCES = tests/unit/test_netns.c $(TWONETS_SOURCES) $(NETNS_SOURCES)
tests_unit_test_netns_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(NL_CFLAGS) $(NFT_CFLAGS)
tests_unit_test_netns_LDADD = $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)

tests_unit_test_ruleset_SOURCES = tests/unit/test_ruleset.c $(TWONETS_SOURCES) $(NETNS_SOURCES)
tests_unit_test_ruleset_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(NL_CFLAGS) $(NFT_CFLAGS)
tests_unit_test_ruleset_LDADD = \
	nft/libnft.a $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)

tests_unit_test_rules_traffic_SOURCES = \
	tests/unit/test_rules_traffic.c $(TWONETS_SOURCES) $(NETNS_SOURCES)
tests_unit_test_rules_traffic_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(NL_CFLAGS) $(NFT_CFLAGS)
tests_unit_test_rules_traffic_LDADD = \
	nft/libnft.a $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)

tests_unit_test_intercept_SOURCES = \
	tests/unit/test_intercept.c $(TWONETS_SOURCES) $(NETNS_SOURCES)
tests_unit_test_intercept_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(NL_CFLAGS) $(NFT_CFLAGS)
tests_unit_test_intercept_LDADD = \
	nft/libnft.a $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
endif
