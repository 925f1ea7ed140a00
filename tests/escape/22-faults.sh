#!/usr/bin/env bash
# Faults: what fails while a jail is set up ends in an error or in a jail, never in a run with the network open, never in
# a hang, and leaves nothing behind. FAULTS=all: every call, not the first of each kind alone.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
before=$(t_state)

t_case 'the twin: without a jail the address answers'
run python3 "$T_LIB/connect.py" tcp 198.51.100.66 80
t_match "$out" '^connected'

t_case 'each system call of the set-up fails'
T_LIMIT=${FAULTS:+3600}
T_LIMIT=${T_LIMIT:-250} run python3 "$T_SRC/tests/escape/faults.py" "$CIJAIL" ${FAULTS:+all}
t_status 0
t_eq "$err" ''
t_true test "$(grep -c '^ok: refused' <<<"$out")" -ge 20
t_true test "$(grep -c '^ok' <<<"$out")" -ge 60
t_eq "$(grep '^not ok' <<<"$out")" ''
t_same_state "$before"

policy=(-e https://registry.example/ -e https://refused.example/ -e http://dead.example/)
fetch='curl -s -o /dev/null -w "%{http_code}\n" -m 20'

t_case 'few descriptors: an error, or a jail'
for n in 4 6 8 10 12 14 16 20 24 32 48 64; do
    rm -f ran
    run bash -c "ulimit -n $n; exec cijail -e https://registry.example/ -- sh -c 'touch ran; exit 7'"
    t_true test "$status" = 7 -a -e ran -o "$status" = 125 -a -n "$err" -a ! -e ran -o "$status" = 127
    t_under 10000
done
t_same_state "$before"

t_case 'few processes and little memory: an error, or a jail'
for limit in '-v 20000' '-v 60000' '-v 200000' '-f 0' '-s 64' '-l 0'; do
    rm -f ran
    run bash -c "ulimit $limit; exec cijail -e https://registry.example/ -- sh -c 'touch ran; exit 7'"
    t_true test "$status" != 0
    t_assert "status $status without a word" test "$status" = 7 -o -n "$err" -o "$status" = 139 -o "$status" = 153
    t_under 10000
done
t_same_state "$before"

t_case 'a log that cannot be written to: said, and 125 when the command has ended'
run cijail -v --log /dev/full "${policy[@]}" -- sh -c "$fetch https://registry.example/pkg/lodash; exit 7"
t_status 125
t_match "$out" '^200$'
t_match "$err" '^cijail: cannot write the log /dev/full: No space left on device; it is not complete$'
t_count 1 "$err" .
for level in '' -v -q; do # with -q nothing is to be written
    # shellcheck disable=SC2086
    run cijail $level --fail-on-deny --log /dev/full -- sh -c 'curl -s https://secret.attacker.test/; true'
    t_eq "$level $status" "$level $([[ $level == -q ]] && echo 98 || echo 125)"
done
t_under 10000

t_case 'a disk that is full: the log and what was learned'
mkdir full
cat >full.sh <<'END'
mount -t tmpfs -o size=64k full full || exit 99
echo 'https://old.example/' >full/learned
head -c 1000000 /dev/zero >full/fill 2>/dev/null
cijail -v --log full/log --learn full/learned "$@" -- curl -s -o /dev/null -w '%{http_code}\n' https://registry.example/pkg/lodash
echo "status $?"
cat full/learned
ls -A full | tr '\n' ' '
END
run unshare -rm bash full.sh "${policy[@]}"
t_match "$out" '^200$'
t_match "$out" '^status 125$' # what was learned is not there
t_match "$out" '^https://old.example/$'
t_match "$out" '^fill learned log $'
t_match "$err" 'cannot write the log full/log: No space left on device'
t_match "$err" '--learn: cannot write full/learned: No space left on device'
t_count 2 "$err" .

t_case "the command's process dies before it executes the command: an error"
for rule in 436:2\&4 436:2\&8; do # close_range(2) with CLOSE_RANGE_CLOEXEC; the twin: with a flag that there is not
    rm -f ran
    run python3 "$T_LIB/deny-syscall.py" "$rule" kill cijail -- sh -c 'touch ran; exit 7'
    if [[ $rule == *4 ]]; then
        t_status 125
        t_match "$err" "^cijail: .*the command's process was killed by signal 31 \(Bad system call\) during set-up"
        t_false test -e ran
    else
        t_status 7
    fi
done
t_same_state "$before"

# As soon as it is there, in the midst of the set-up.
child_of() { # SUPERVISOR VICTIM
    case $2 in
    supervisor) echo "$1" ;;
    keeper) pgrep -P "$1" -x cijail | head -n 1 ;;
    gate) pgrep -P "$1" -x cijail-gate ;;
    init) pgrep -P "$(pgrep -P "$1" -x cijail | head -n 1)" -x cijail | head -n 1 ;;
    *) pgrep -x "${2:0:15}" ;;
    esac 2>/dev/null
}
t_case 'each process is killed while the jail is set up: an error, nothing left'
for victim in supervisor keeper gate init cijail-dnsproxy cijail-httpproxy; do
    rm -f after
    # What starts dnsproxy is a query.
    cijail "${policy[@]}" -- sh -c "getent hosts registry.example; $fetch https://registry.example/pkg/lodash >after; sleep 30" >kill.out 2>kill.err </dev/null &
    job=$!
    for ((i = 0; i < 2000; i++)); do pid=$(child_of $job $victim) && [[ -n $pid ]] && break; done
    begin=${EPOCHREALTIME/./}
    kill -KILL "$pid"
    [[ $victim != cijail-* ]] || { until_true test -s kill.err && kill $job 2>/dev/null; }
    wait $job
    status=$? ms=$(((${EPOCHREALTIME/./} - begin) / 1000)) err=$(cat kill.err) out=$(cat kill.out) last="kill $victim"
    t_true test $status = 125 -o $status = 137 -a $victim = supervisor -o $status = 143
    t_true test -n "$err" -o $victim = supervisor
    t_same_state "$before"
done

t_case 'each process of a jail is killed: no hang, nothing left, no network'
for victim in supervisor gate keeper init cijail-dnsproxy cijail-httpproxy; do
    rm -f ready after
    setsid -w cijail "${policy[@]}" -- sh -c "getent hosts registry.example; echo x >ready; while [ ! -e go ]; do sleep 0.05; done; $fetch https://registry.example/pkg/lodash >after" >kill.out 2>kill.err </dev/null &
    job=$!
    for ((i = 0; i < 1000; i++)); do [[ -s ready ]] && break; sleep 0.02; done
    # The processes named cijail, by age: the supervisor, the keeper, init.
    mapfile -t pids < <(pgrep -x cijail)
    case $victim in
    supervisor) pid=${pids[0]} ;;
    gate) pid=$(pgrep -x cijail-gate) ;;
    keeper) pid=${pids[1]} ;;
    init) pid=${pids[2]} ;;
    *) pid=$(pgrep -x "${victim:0:15}") ;;
    esac
    begin=${EPOCHREALTIME/./}
    kill -KILL "$pid"
    sleep 0.3
    touch go
    wait $job
    status=$? ms=$(((${EPOCHREALTIME/./} - begin) / 1000)) err=$(cat kill.err) out=$(cat kill.out) last="kill $victim"
    t_under 5300
    t_no_match "$(cat after 2>/dev/null)" '200'
    case $victim in
    supervisor) t_status 137 ;;
    gate) t_status 125 && t_match "$err" 'the gate .* ended unexpectedly' ;;
    keeper) t_status 125 && t_match "$err" 'the keeper of the jail.s network ended' ;;
    init) t_status 125 && t_match "$err" 'the jail.s init ended unexpectedly' ;;
    *) t_match "$err" "$victim was killed by signal 9 .*; the jail's network has ended" ;;
    esac
    rm -f go
    t_same_state "$before"
done

t_done
