# lib.sh: what the tables are measured with. A table is a script NAME.sh that goes on inside of a test internet of its
# own (tests/net/up), and writes itself, in Markdown, to the file $BENCH_OUT/NAME.md.
#
#     . "$(dirname "$0")/lib.sh"
#     in_bench pinned "$@"       # or: in_bench free "$@", if nothing is bound to a core
#
# Pinned: what is measured runs on the core $PROXY_CPU, all the rest on the core $CLIENT_CPU.
# shellcheck shell=bash disable=SC2034 # variables for the tables
set -eu
export LC_ALL=C TZ=UTC
BENCH_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export BUILD=${BUILD:-$BENCH_SRC/../build}
BUILD=$(cd "$BUILD" && pwd)
export CIJAIL=${CIJAIL:-$BUILD/src/cijail}
export PATH=${CIJAIL%/*}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export RUNS=${RUNS:-5} SECONDS_EACH=${SECONDS_EACH:-2} BENCH_OUT=${BENCH_OUT:-/tmp}
read -r -a bench_cpus <<<"$(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)))')"
export PROXY_CPU=${PROXY_CPU:-${bench_cpus[0]}} CLIENT_CPU=${CLIENT_CPU:-${bench_cpus[-1]}}
NAME=$(basename "$0" .sh)

die() { echo "bench/$NAME: $*" >&2; exit 1; }
say() { echo "bench/$NAME: $*" >&2; }
internet() { nsenter --net=/proc/1/ns/net -- "$@"; }

in_bench() { # pinned|free ARGUMENT...: the script goes on inside of a test internet; its folder is $T_NET/bench
    local how=$1
    shift
    if [[ -z ${T_NET:-} ]]; then
        export T_NO_WIRE=1 T_KEEP=$BENCH_OUT
        if [[ $how == free ]]; then exec "$BENCH_SRC/../tests/net/up" bash "$0" "$@"; fi
        exec taskset -c "$CLIENT_CPU" "$BENCH_SRC/../tests/net/up" bash "$0" "$@"
    fi
    mkdir -p "$T_NET/bench"
    cd "$T_NET/bench"
}

until_true() { # COMMAND...: waits until it succeeds, for some twenty seconds
    local i
    for ((i = 0; i < 400; i++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    die "in vain: $*: $(tail -n 3 ./*.log 2>/dev/null)"
}

# --- processes ---

tree() { # PID...: they and all their descendants
    local pid
    for pid in "$@"; do
        echo "$pid"
        # shellcheck disable=SC2046 # one word for each child
        tree $(cat "/proc/$pid/task/"*/children 2>/dev/null || :)
    done
}

# The processes of the peer that was started as PID. Of cijail: all of them but for the command and what it started.
processes() { # PEER PID
    local pid comm
    for pid in $(tree "$2"); do
        comm=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        [[ $1 != cijail* || $comm == cijail* ]] || continue
        echo "$pid"
    done
}

cpu_us() { # PID...: the processor time that they have used, in microseconds
    local pid line total=0
    for pid in "$@"; do
        read -r line <"/proc/$pid/stat" || continue
        # shellcheck disable=SC2086 # words
        set -- ${line##*) }
        total=$((total + ${12} + ${13}))
    done 2>/dev/null
    echo $((total * 1000000 / $(getconf CLK_TCK)))
}

memory_kib() { # PID...: what they have in memory, shared pages divided among those who share them
    local pid
    for pid in "$@"; do cat "/proc/$pid/smaps_rollup" 2>/dev/null || :; done | awk '/^Pss:/ { n += $2 } END { print n + 0 }'
}

# --- tables ---

table_note() { # what the lead of each table says of how it was measured
    printf 'Medians of %s runs in turn' "$RUNS"
    [[ ${1:-} != pinned ]] || printf '; what is measured on one core, client and origin on another'
    printf '. %s, %s cores, Linux %s, load %s before, %s.\n\n' \
        "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)" "$(nproc --all)" "$(uname -r)" \
        "${BENCH_LOAD:-unknown}" "$(date -u +%Y-%m-%d)"
}
