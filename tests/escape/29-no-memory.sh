#!/usr/bin/env bash
# Out of memory: allocations fail in each process of a jail, and in cijailctl. An error or normal work, never an open
# network, a hang, or something left behind. FAULTS=all: many more of the allocations.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

t_case 'the twin: without a jail the address answers'
run python3 "$T_LIB/connect.py" tcp 198.51.100.66 80
t_match "$out" '^connected'

t_case 'the Nth allocation fails, or all from the Nth on'
if ! grep -q __asan_init "$CIJAIL" || need 'a build without an allocator of its own' false; then
    before=$(t_state)
    T_LIMIT=${FAULTS:+3600}
    T_LIMIT=${T_LIMIT:-250} run python3 "$T_SRC/tests/escape/no_memory.py" "$BUILD" ${FAULTS:+all}
    t_status 0
    t_eq "$err" ''
    t_eq "$(grep '^not ok' <<<"$out")" ''
    for victim in supervisor keeper jail dnsproxy httpproxy report; do
        t_match "$out" "^$victim makes [1-9][0-9]* allocations"
        # dnsproxy starts when it is asked for; then the command goes on without a network
        t_match "$out" "^ok: ((refused|ended|crashed): $victim-[0-9]+-on, some failed|ran: $victim-[0-9]+-on, some failed.* ended with status 125)"
    done
    t_match "$out" '^ok: ran: httpproxy-[0-9]+-once, some failed'
    t_true test "$(grep -c '^ok.*some failed' <<<"$out")" -ge 100
    t_same_state "$before"
fi

t_done
