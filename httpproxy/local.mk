include $(top_srcdir)/httpproxy/parsers.mk

noinst_LIBRARIES += httpproxy/libhttpproxy.a
httpproxy_libhttpproxy_a_SOURCES = $(HTTP_PARSER_SOURCES) \
	httpproxy/limits.h httpproxy/calls.h httpproxy/proxy.c httpproxy/proxy.h httpproxy/life.c httpproxy/listen.c \
	httpproxy/session.c httpproxy/session.h httpproxy/request.c httpproxy/connect.c \
	httpproxy/transparent.c httpproxy/raw.c httpproxy/raw.h \
	httpproxy/exchange.c httpproxy/exchange.h httpproxy/response.c httpproxy/upgrade.c \
	httpproxy/pipeline.c httpproxy/pipeline.h httpproxy/opening.c httpproxy/opening.h httpproxy/upstream.c httpproxy/upstream_tls.c httpproxy/upstream.h \
	httpproxy/via.c httpproxy/via_bridge.c httpproxy/via.h \
	httpproxy/stream.c httpproxy/stream.h httpproxy/buf.c httpproxy/buf.h \
	httpproxy/body.c httpproxy/body.h httpproxy/cache.c httpproxy/cache.h \
	httpproxy/ca.c httpproxy/ca.h httpproxy/mitm.c httpproxy/mitm.h \
	httpproxy/h2.h httpproxy/h2_fields.c httpproxy/h2_fields.h httpproxy/h2_budget.c \
	httpproxy/h2_conn.c httpproxy/h2_stream.c httpproxy/h2_client.c httpproxy/h2_upstream.c \
	httpproxy/reply.c httpproxy/reply.h httpproxy/log.c httpproxy/log.h httpproxy/secret.c httpproxy/secret.h
httpproxy_libhttpproxy_a_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS) $(SECCOMP_CFLAGS) $(NGHTTP2_CFLAGS)

HTTPPROXY_LIBS = httpproxy/libhttpproxy.a $(COMMON_LIBS) $(SSL_LIBS) $(EVENT_LIBS) \
	$(NGHTTP2_LIBS)

pkglibexec_PROGRAMS += httpproxy/cijail-httpproxy
httpproxy_cijail_httpproxy_SOURCES = httpproxy/main.c
httpproxy_cijail_httpproxy_LDADD = $(HTTPPROXY_LIBS)

HTTPPROXY_TESTS = tests/unit/test_ca tests/unit/test_reply tests/unit/test_cache tests/unit/test_body \
	tests/unit/test_session tests/unit/test_tunnel tests/unit/test_opening tests/unit/test_transparent \
	tests/unit/test_upgrade tests/unit/test_raw tests/unit/test_h2_fields tests/unit/test_h2_window \
	tests/unit/test_secret
if HAVE_CMOCKA
check_PROGRAMS += $(HTTPPROXY_TESTS)
TESTS += $(HTTPPROXY_TESTS)
tests_unit_test_secret_SOURCES = tests/unit/test_secret.c
tests_unit_test_secret_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_secret_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_h2_window_SOURCES = tests/unit/test_h2_window.c
tests_unit_test_h2_window_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_h2_window_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_h2_fields_SOURCES = tests/unit/test_h2_fields.c
tests_unit_test_h2_fields_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_h2_fields_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_ca_SOURCES = tests/unit/test_ca.c
tests_unit_test_ca_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS)
tests_unit_test_ca_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_reply_SOURCES = tests/unit/test_reply.c
tests_unit_test_reply_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_reply_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_cache_SOURCES = tests/unit/test_cache.c
tests_unit_test_cache_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cache_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_body_SOURCES = tests/unit/test_body.c
tests_unit_test_body_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_body_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_SOURCES = tests/unit/test_session.c tests/unit/proxy_fixture.c \
	tests/unit/proxy_fixture.h
tests_unit_test_session_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_session_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tunnel_SOURCES = tests/unit/test_tunnel.c tests/unit/proxy_fixture.c \
	tests/unit/proxy_fixture.h
tests_unit_test_tunnel_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_tunnel_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_opening_SOURCES = tests/unit/test_opening.c tests/unit/proxy_fixture.c \
	tests/unit/proxy_fixture.h
tests_unit_test_opening_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_opening_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_transparent_SOURCES = tests/unit/test_transparent.c tests/unit/proxy_fixture.c \
	tests/unit/proxy_fixture.h
tests_unit_test_transparent_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_transparent_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_upgrade_SOURCES = tests/unit/test_upgrade.c tests/unit/proxy_fixture.c \
	tests/unit/proxy_fixture.h
tests_unit_test_upgrade_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_upgrade_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_raw_SOURCES = tests/unit/test_raw.c tests/unit/proxy_fixture.c \
	tests/unit/proxy_fixture.h
tests_unit_test_raw_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_raw_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_h2 tests/fuzz/fuzz_secret
if !FUZZERS
TESTS += tests/fuzz/fuzz_h2 tests/fuzz/fuzz_secret
endif
tests_fuzz_fuzz_secret_SOURCES = tests/fuzz/fuzz_secret.c $(FUZZ_MAIN)
tests_fuzz_fuzz_secret_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_secret_LDADD = $(HTTPPROXY_LIBS)
tests_fuzz_fuzz_h2_SOURCES = tests/fuzz/fuzz_h2.c $(FUZZ_MAIN)
tests_fuzz_fuzz_h2_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS) $(EVENT_CFLAGS) $(NGHTTP2_CFLAGS)
tests_fuzz_fuzz_h2_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_h2_LDADD = $(HTTPPROXY_LIBS)

EXTRA_DIST += tests/fuzz/corpus/h2 tests/fuzz/h2.dict tests/fuzz/corpus/secret tests/fuzz/secret.dict
