#!/usr/bin/env bash
# kept.sh: requests on connections that are kept.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
in_bench pinned "$@"
all_peers

for ((run = 0; run < RUNS; run++)); do
    for peer in nginx-direct nginx-proxy haproxy squid mitmproxy cijail; do
        order $peer kept kept 50 "$SECONDS_EACH" /1k
    done
done
{
    echo '### Kept connections'
    echo
    echo "50 connections, 1 KiB bodies, $SECONDS_EACH s each time."
    table_note pinned
    "$BENCH_SRC/table.py" requests kept.results
} >"$BENCH_OUT/kept.md"
