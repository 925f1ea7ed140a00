#!/usr/bin/env bash
# memory.sh: what a proxy has in memory when nobody is connected, and what each idle connection adds.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
in_bench pinned "$@"
all_peers
many=500

# hold PEER: "PEER AT-START PROXY-AT-START KIB-FOR-EACH-CONNECTION", once; the second: cijail's HTTP proxy by itself
hold() {
    local peer=$1 pids pid first before after
    pids=$(processes "$peer" "${peer_pid[$peer]}")
    # shellcheck disable=SC2086 # words
    first=$(memory_kib $pids)
    for pid in $pids; do
        if [[ $peer != cijail || $(<"/proc/$pid/comm") == cijail-http* ]]; then before=$(memory_kib "$pid"); fi
    done
    before_all=$first
    tell "$peer" "idle $many 0 /1k"
    client_says "$peer"
    tell "$peer" go
    client_says "$peer"
    sleep 3 # idle
    # shellcheck disable=SC2046 # words
    after=$(memory_kib $(processes "$peer" "${peer_pid[$peer]}"))
    echo "$peer $first ${before:-0} $(((after - before_all) * 10 / many))"
}

for peer in nginx-direct nginx-proxy haproxy squid mitmproxy cijail; do hold $peer; done >memory.results
{
    echo '### Memory'
    echo
    echo "Kilobytes, shared pages divided among those who share them; each connection: of $many that have had one request"
    echo 'each and have been idle for three seconds. Once, since nothing here depends on time.'
    table_note
    echo '| | before the first connection | of this the HTTP proxy | for each idle connection |'
    echo '|---|---|---|---|'
    awk '{ printf "| %s | %s | %s | %.1f |\n", $1, $2, $1 == "cijail" ? $3 : "", $4 / 10 }' memory.results
} >"$BENCH_OUT/memory.md"
