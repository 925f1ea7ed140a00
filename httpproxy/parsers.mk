# The HTTP/1 reader and writer; its unit tests and fuzz targets.
HTTP_PARSER_SOURCES = \
	httpproxy/head.h httpproxy/head_internal.h httpproxy/head_field.c httpproxy/head_request.c \
	httpproxy/head_response.c httpproxy/head_mend.c httpproxy/head_trailer.c httpproxy/head_upgrade.c httpproxy/head_write.c \
	httpproxy/head_phrase.c httpproxy/chunk.c \
	httpproxy/client_hello.c httpproxy/client_hello.h

if HAVE_CMOCKA
HTTP_PARSER_TESTS = tests/unit/test_head_request tests/unit/test_head_url tests/unit/test_head_response \
	tests/unit/test_head_write tests/unit/test_chunk tests/unit/test_client_hello
check_PROGRAMS += $(HTTP_PARSER_TESTS)
TESTS += $(HTTP_PARSER_TESTS)
tests_unit_test_head_request_SOURCES = tests/unit/test_head_request.c tests/unit/request_cases.h
tests_unit_test_head_request_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_head_request_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_head_url_SOURCES = tests/unit/test_head_url.c tests/unit/request_cases.h
tests_unit_test_head_url_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_head_url_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_head_response_SOURCES = tests/unit/test_head_response.c
tests_unit_test_head_response_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_head_response_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_head_write_SOURCES = tests/unit/test_head_write.c
tests_unit_test_head_write_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_head_write_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_chunk_SOURCES = tests/unit/test_chunk.c
tests_unit_test_chunk_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_chunk_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_client_hello_SOURCES = tests/unit/test_client_hello.c
tests_unit_test_client_hello_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SSL_CFLAGS)
tests_unit_test_client_hello_LDADD = $(HTTPPROXY_LIBS) $(CMOCKA_LIBS)
endif

HTTP_PARSER_FUZZERS = tests/fuzz/fuzz_request tests/fuzz/fuzz_response tests/fuzz/fuzz_chunk \
	tests/fuzz/fuzz_client_hello
check_PROGRAMS += $(HTTP_PARSER_FUZZERS)
if !FUZZERS
TESTS += $(HTTP_PARSER_FUZZERS)
endif
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_request_LDADD = $(HTTPPROXY_LIBS)
tests_fuzz_fuzz_response_SOURCES = tests/fuzz/fuzz_response.c $(FUZZ_MAIN)
tests_fuzz_fuzz_response_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_response_LDADD = $(HTTPPROXY_LIBS)
tests_fuzz_fuzz_chunk_SOURCES = tests/fuzz/fuzz_chunk.c $(FUZZ_MAIN)
tests_fuzz_fuzz_chunk_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_chunk_LDADD = $(HTTPPROXY_LIBS)
tests_fuzz_fuzz_client_hello_SOURCES = tests/fuzz/fuzz_client_hello.c $(FUZZ_MAIN)
tests_fuzz_fuzz_client_hello_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_client_hello_LDADD = $(HTTPPROXY_LIBS)

EXTRA_DIST += \
	tests/fuzz/corpus/request tests/fuzz/corpus/response tests/fuzz/corpus/chunk \
	tests/fuzz/corpus/client_hello tests/fuzz/client_hello.dict tests/fuzz/request.dict tests/fuzz/response.dict tests/fuzz/chunk.dict
