#!/usr/bin/env bash
# bodies.sh: large bodies through TLS on both sides.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
in_bench pinned "$@"
all_peers

for ((run = 0; run < RUNS; run++)); do
    for peer in nginx-direct nginx-proxy haproxy squid mitmproxy cijail; do
        order $peer 100m fetch 1 3 /100m
    done
    for peer in nginx-direct nginx-proxy haproxy squid cijail; do
        order $peer 1g fetch 1 1 /1g
    done
done
{
    echo '### Large bodies'
    echo
    echo 'One connection. First: three bodies of 100 MiB each time.'
    table_note pinned
    "$BENCH_SRC/table.py" bytes 100m.results
    printf '\nOne body of 1 GiB:\n\n'
    "$BENCH_SRC/table.py" bytes 1g.results
} >"$BENCH_OUT/bodies.md"
