#!/usr/bin/env bash
# new.sh: requests on connections of their own: connect, CONNECT, full handshake, a request, close.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
in_bench pinned "$@"
all_peers

for ((run = 0; run < RUNS; run++)); do
    for peer in nginx-direct nginx-proxy haproxy haproxy-fresh squid mitmproxy cijail; do
        order $peer new new 20 "$SECONDS_EACH" /1k
    done
done
{
    echo '### New connections'
    echo
    echo "20 at a time: connect, CONNECT where there is one, a full handshake, one request of 1 KiB, close;"
    echo "$SECONDS_EACH s each time. Who opens no connection to the origin for each client's is spared the other handshake:"
    echo 'compare what has a like number of them.'
    table_note pinned
    "$BENCH_SRC/table.py" requests new.results
} >"$BENCH_OUT/new.md"
