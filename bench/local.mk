# What `make bench` runs; nothing of it is built before, nor installed. See bench/README.md.
BENCH_BUILT = bench/client bench/launch bench/notify
EXTRA_PROGRAMS = $(BENCH_BUILT)
CLEANFILES += $(BENCH_BUILT)
EXTRA_DIST += bench/README.md bench/run bench/lib.sh bench/peers.sh bench/table.py bench/refresh.py bench/kept.sh bench/new.sh \
	bench/bodies.sh bench/tunnel.sh bench/far.sh bench/delay.py bench/memory.sh bench/launch.sh bench/build.sh bench/workload.sh bench/npm.sh \
	bench/dns.sh

bench_client_SOURCES = bench/client.c
bench_client_LDADD = $(SSL_LIBS)
bench_launch_SOURCES = bench/launch.c
bench_notify_SOURCES = bench/notify.c
bench_notify_LDADD = $(SECCOMP_LIBS)

bench: all $(BENCH_BUILT)
	BUILD='$(abs_top_builddir)' '$(abs_top_srcdir)/bench/run' $(BENCH)

.PHONY: bench
