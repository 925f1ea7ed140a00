#!/usr/bin/env bash
# far.sh: downloads from a server that is 100 ms away, there and back (delay.py), outside and in a jail.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
in_bench free "$@"
mkdir -p www/small
truncate -s 20M www/20m
for ((i = 1; i <= 20; i++)); do truncate -s 50K "www/small/$i"; done
chmod -R go+rX "$T_NET"
nginx_conf origin "server { listen $ORIGIN:8444 ssl http2 backlog=8192; } server { listen $ORIGIN:8445 backlog=8192; }"
internet nginx -p "$PWD/origin/" -c "$PWD/origin/conf" </dev/null
internet python3 "$BENCH_SRC/delay.py" $ORIGIN 8450 8444 0.05 </dev/null >delay.log 2>&1 &
internet python3 "$BENCH_SRC/delay.py" $ORIGIN 8451 8445 0.05 </dev/null >delay-http.log 2>&1 &
trap 'kill %1 %2' EXIT
until_true internet curl -sfk "https://$ORIGIN:8450/small/1"
until_true internet curl -sf "http://$ORIGIN:8451/small/1"
url=https://registry.example:8450
mapfile -t sixty < <(printf '/small/%s\n' {1..20}{,,})

fetch() { # HOW COMMAND...: "HOW PART MICROSECONDS" of each part
    local how=$1 version start
    for version in 1.1 2; do
        start=${EPOCHREALTIME/./}
        "${@:2}" curl -sSf --http$version -o /dev/null $url/20m || die "$how: no 20m by HTTP/$version"
        echo "$how $version-20m $((${EPOCHREALTIME/./} - start))" >>far.results
        start=${EPOCHREALTIME/./}
        "${@:2}" curl -sSf --http$version -o /dev/null "$url/small/[1-20]" || die "$how: no small ones by HTTP/$version"
        echo "$how $version-small $((${EPOCHREALTIME/./} - start))" >>far.results
    done
    start=${EPOCHREALTIME/./}
    "${@:2}" python3 "$BENCH_SRC/../tests/lib/pipeline-client.py" http://registry.example:8451 "${sixty[@]}" >answers
    [[ $(grep -c '^200 ' answers) == 60 ]] || die "$how: no pipeline: $(cat answers)"
    echo "$how pipelined $((${EPOCHREALTIME/./} - start))" >>far.results
}

for ((run = 0; run < RUNS; run++)); do
    fetch outside env
    fetch cijail-url cijail -q -e $url/ -e http://registry.example:8451/ --
    fetch cijail-raw cijail -q -e registry.example:8450 -e registry.example:8451 --
done
{
    echo '### A server far away'
    echo
    echo 'A round trip of 100 ms: 20 MB, and 20 files of 50 KB one after the other, by HTTP/1.1 and HTTP/2; with the start of curl and,'
    echo 'where there is one, of the jail; and 60 such files by plain HTTP, all asked for at once over one connection, as apt does:'
    echo 'milliseconds, and the share of the time outside. No packet goes far, so TCP has no slow'
    echo 'start outside; the windows of HTTP/2, which cijail speaks to the server in each case, begin narrow all the same.'
    table_note
    "$BENCH_SRC/table.py" build far.results
} >"$BENCH_OUT/far.md"
