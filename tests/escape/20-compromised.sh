#!/usr/bin/env bash
# A proxy that was taken over by what it parsed (compromised.c): every way out of it, from inside the process, in a
# jail as any other, after its lock-down.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
programs=$BUILD/tests/escape

t_case 'the switch is not in the programs that are installed'
for program in src/cijail dnsproxy/cijail-dnsproxy httpproxy/cijail-httpproxy; do
    t_false grep -qi compromised "$BUILD/$program"
done
t_true grep -qi compromised "$programs/compromised-dnsproxy"

t_case 'each attack is refused by the kernel or by the supervisor, and ends the network; what is allowed works'
wire_start
T_LIMIT=280 run python3 "$T_SRC/tests/escape/compromised.py" "$CIJAIL" "$BUILD" "$programs"
wire_stop
attacks=$("$programs/compromised-dnsproxy" list | wc -l)
t_true test "$attacks" -ge 100
t_count $((2 * attacks)) "$out" '^ok '
t_eq "$(grep -v '^ok ' <<<"$out")" ''
t_eq "$err" ''

t_case 'nothing of it was on the wire but lookups of the names of the policy'
t_match "$WIRE" 'registry\.example'
t_no_match "$WIRE" 'attacker|:10::66|198\.51\.100\.66|127\.0\.0\.1|169\.254'

t_case 'the twin: without the lock-down the same calls work'
for name in socket-unix socket-inet socket-inet6 socket-netlink socketpair open-root open-passwd open-proc-mem \
    open-create open-old stat readlink access mkdir chdir memfd dup fork vfork clone3 ptrace-traceme kill-init \
    tgkill tkill mmap-exec mprotect-exec unshare-user personality shmget dumpable; do
    run unshare -Ur --fork --pid --mount-proc "$programs/compromised-dnsproxy" twin "$name"
    t_match "$err" ": worked [0-9]+\$"
done
for name in execve execveat; do # and then it is /bin/true
    run "$programs/compromised-dnsproxy" twin "$name"
    t_match "$err" ': tries$'
    t_no_match "$err" 'refused'
    t_status 0
done

t_done
