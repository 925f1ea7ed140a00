# Unit tests and fuzz targets stand in the local.mk of what they test; here is what they share.
if FUZZERS
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/standalone.c
endif
# The table of clients in README.md, from what the last run of tests/clients has seen.
CLIENTS_TABLE = $(top_srcdir)/tests/clients/table.py
clients-table:
	python3 $(CLIENTS_TABLE) $(top_srcdir)/README.md $(top_builddir)/tests/clients/*.tsv

.PHONY: clients-table

AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; export srcdir;

# All of tests/ is distributed, but for what a build in this folder, or Python, has left in it.
dist-hook:
	cd '$(srcdir)' && tar -cf - --exclude='*.o' --exclude='*.log' --exclude='*.trs' --exclude=.deps \
	  --exclude=.dirstamp --exclude=__pycache__ --exclude=tests/bin $(check_PROGRAMS:%=--exclude=%) \
	  $(CLEANFILES:%=--exclude=%) tests | (cd '$(abs_builddir)' && cd '$(distdir)' && tar -xof - --skip-old-files)
