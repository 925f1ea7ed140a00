noinst_LIBRARIES += dnsproxy/libdnsproxy.a
dnsproxy_libdnsproxy_a_SOURCES = \
	dnsproxy/dnsproxy.c dnsproxy/dnsproxy.h dnsproxy/calls.h dnsproxy/serve.c dnsproxy/server.c \
	dnsproxy/query.c dnsproxy/query.h dnsproxy/answer.c dnsproxy/answer.h dnsproxy/upstream.c \
	dnsproxy/udp.c dnsproxy/tcp.c dnsproxy/log.c dnsproxy/fold.c dnsproxy/fold.h dnsproxy/hash.h dnsproxy/rate.h \
	dnsproxy/cache.c dnsproxy/cache.h dnsproxy/svcb.c dnsproxy/svcb.h dnsproxy/reverse.c dnsproxy/reverse.h \
	dnsproxy/nflog.c dnsproxy/nflog.h dnsproxy/reject.c dnsproxy/reject.h \
	dnsproxy/held.c dnsproxy/held.h dnsproxy/packet.c dnsproxy/packet.h dnsproxy/lookup.c \
	dnsproxy/secure.c dnsproxy/secure_connection.c dnsproxy/secure.h dnsproxy/frames.c dnsproxy/frames.h
dnsproxy_libdnsproxy_a_CFLAGS = $(AM_CFLAGS) $(LDNS_CFLAGS) $(EVENT_CFLAGS) $(NFT_CFLAGS)

DNSPROXY_LIBS = dnsproxy/libdnsproxy.a $(COMMON_LIBS) $(LDNS_LIBS) $(EVENT_LIBS) $(NFT_LIBS) \
	$(SSL_LIBS)

pkglibexec_PROGRAMS += dnsproxy/cijail-dnsproxy
dnsproxy_cijail_dnsproxy_SOURCES = dnsproxy/main.c
dnsproxy_cijail_dnsproxy_LDADD = $(DNSPROXY_LIBS)

if HAVE_CMOCKA
DNSPROXY_UNIT_TESTS = \
	tests/unit/test_msg tests/unit/test_channel tests/unit/test_query tests/unit/test_answer \
	tests/unit/test_fold tests/unit/test_nflog tests/unit/test_dns_cache tests/unit/test_frames \
	tests/unit/test_dns_upstream tests/unit/test_secure
check_PROGRAMS += $(DNSPROXY_UNIT_TESTS)
TESTS += $(DNSPROXY_UNIT_TESTS)
tests_unit_test_msg_SOURCES = tests/unit/test_msg.c
tests_unit_test_msg_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_msg_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_channel_SOURCES = tests/unit/test_channel.c
tests_unit_test_channel_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_channel_LDADD = $(COMMON_LIBS) $(EVENT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_query_SOURCES = tests/unit/test_query.c
tests_unit_test_query_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_query_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_answer_SOURCES = tests/unit/test_answer.c
tests_unit_test_answer_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_answer_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_dns_cache_SOURCES = tests/unit/test_dns_cache.c
tests_unit_test_dns_cache_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dns_cache_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_frames_SOURCES = tests/unit/test_frames.c
tests_unit_test_frames_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_frames_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_dns_upstream_SOURCES = tests/unit/test_dns_upstream.c
tests_unit_test_dns_upstream_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dns_upstream_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_secure_SOURCES = tests/unit/test_secure.c
tests_unit_test_secure_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_secure_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_fold_SOURCES = tests/unit/test_fold.c
tests_unit_test_fold_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fold_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_nflog_SOURCES = tests/unit/test_nflog.c
tests_unit_test_nflog_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_nflog_LDADD = $(DNSPROXY_LIBS) $(CMOCKA_LIBS)
endif

DNSPROXY_FUZZ_TARGETS = \
	tests/fuzz/fuzz_msg tests/fuzz/fuzz_dns_query tests/fuzz/fuzz_dns_reply tests/fuzz/fuzz_nflog \
	tests/fuzz/fuzz_dns_frames
check_PROGRAMS += $(DNSPROXY_FUZZ_TARGETS)
if !FUZZERS
TESTS += $(DNSPROXY_FUZZ_TARGETS)
endif
# The seeds of fuzz_msg: checked here, written anew by its --write.
check_PROGRAMS += tests/fuzz/msg_corpus
TESTS += tests/fuzz/msg_corpus
tests_fuzz_msg_corpus_SOURCES = tests/fuzz/msg_corpus.c
tests_fuzz_msg_corpus_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_msg_SOURCES = tests/fuzz/fuzz_msg.c $(FUZZ_MAIN)
tests_fuzz_fuzz_msg_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_msg_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_dns_query_SOURCES = tests/fuzz/fuzz_dns_query.c $(FUZZ_MAIN)
tests_fuzz_fuzz_dns_query_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_dns_query_LDADD = $(DNSPROXY_LIBS)
tests_fuzz_fuzz_dns_reply_SOURCES = tests/fuzz/fuzz_dns_reply.c $(FUZZ_MAIN)
tests_fuzz_fuzz_dns_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_dns_reply_LDADD = $(DNSPROXY_LIBS)
tests_fuzz_fuzz_dns_frames_SOURCES = tests/fuzz/fuzz_dns_frames.c $(FUZZ_MAIN)
tests_fuzz_fuzz_dns_frames_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_dns_frames_LDADD = $(DNSPROXY_LIBS)
tests_fuzz_fuzz_nflog_SOURCES = tests/fuzz/fuzz_nflog.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nflog_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_nflog_LDADD = $(DNSPROXY_LIBS)

EXTRA_DIST += \
	tests/fuzz/corpus/msg tests/fuzz/corpus/dns_query tests/fuzz/corpus/dns_reply tests/fuzz/corpus/nflog \
	tests/fuzz/corpus/dns_frames tests/fuzz/dns_frames.dict \
	tests/fuzz/msg.dict tests/fuzz/dns_query.dict tests/fuzz/dns_reply.dict tests/fuzz/nflog.dict
