# Unit tests and fuzz targets stand in the local.mk of what they test; here is what they share.
if FUZZERS
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/standalone.c
endif
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; export srcdir;
