#!/usr/bin/env bash
# build.sh: a build outside, in the jail, in bwrap, and watched in the way of the original cijail (notify.c).
. "$(dirname "$0")/lib.sh"
in_bench free "$@"
writes=100000 watched_writes=5000 # of one byte each: a watched one takes hundreds of times as long
sources=$PWD/sources
"$BENCH_SRC/workload.sh" make "$sources"

build() { # HOW WRITES COMMAND...: "HOW PART MICROSECONDS" for each part; of writes for a million of them
    local how=$1 count=$2 part us
    "${@:3}" sh "$BENCH_SRC/workload.sh" "$sources" "$count" >parts || die "$how: the build failed"
    while read -r part us; do
        [[ $part != writes ]] || us=$((us * (1000000 / count)))
        echo "$how $part $us"
    done <parts >>build.results
}

"$BENCH_SRC/workload.sh" "$sources" 1000 >/dev/null # what is read from a disk is in memory afterwards
build_in() { # HOW
    case $1 in
        outside) build "$1" $writes env ;;
        cijail) build "$1" $writes cijail -q -- ;;
        cijail-url) build "$1" $writes cijail -q -e https://registry.example/ -- ;;
        bwrap) build "$1" $writes bwrap --unshare-all --dev-bind / / ;;
        notify) build "$1" $watched_writes "$BUILD/bench/notify" ;;
    esac
}
ways=(outside cijail cijail-url bwrap notify)
for ((run = 0; run < RUNS; run++)); do
    for ((i = 0; i < ${#ways[@]}; i++)); do # another one is first each time: what follows upon the last way may be slow
        build_in "${ways[(run + i) % ${#ways[@]}]}"
    done
done
{
    echo '### A build'
    echo
    echo "${SOURCES:-200} files of C: milliseconds, and the share of the time outside. Writes: a million of one byte each."
    table_note
    "$BENCH_SRC/table.py" build build.results
} >"$BENCH_OUT/build.md"
