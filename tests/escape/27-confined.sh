#!/usr/bin/env bash
# What the processes on the host keep: a supervisor and a gate that were taken over (compromised_host.c), from inside.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
real=$CIJAIL

# A folder with the programs side by side, as the supervisor looks for the proxies.
mkdir -p there/src files
for program in dnsproxy/cijail-dnsproxy httpproxy/cijail-httpproxy; do
    mkdir -p "there/${program%/*}"
    cp "$BUILD/$program" "there/$program"
done
cp "$BUILD/tests/escape/compromised-cijail" there/src/cijail
taken_over=$T_TMP/there/src/cijail
export COMPROMISED_FILES=$T_TMP/files
prepare() {
    rm -rf files/*
    echo 'the secret' >files/secret
    echo victim >files/victim
    echo victim >files/victim2
}
attacks_of() { grep -oE "^compromised: $1: [a-z0-9-]+: .*" <<<"$err"; }

t_case 'the switch is not in the program that is installed'
t_false grep -qi compromised "$real"
t_true grep -qi compromised "$taken_over"

t_case 'the twin: outside of cijail the attacks work'
prepare
run "$taken_over" twin
t_status 0
worked='read-secret read-by-path-descriptor read-folder read-own-memory write truncate create mkdir symlink mknod unlink
    execve fork clone3 kill pidfd process-vm-readv process-vm-writev socket-inet socket-inet6 unshare-user ptrace-traceme'
((EUID)) || worked+=' read-shadow read-environment setns'
for name in $worked; do
    t_match "$err" "^compromised: twin: $name: worked\$"
done

t_case 'the supervisor: files, processes, namespaces are refused; the request is answered'
need Landlock python3 -c '
import ctypes, sys
sys.exit(ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1) < 1)' && {
    prepare
    echo '198.51.100.10 by-hosts-file.example' >>"$T_NET/home/_etc_hosts"
    python3 "$T_LIB/unix.py" serve "$T_TMP/socket" socket.ready >/dev/null 2>&1 </dev/null &
    until_true test -e socket.ready
    cat >job.sh <<'END2'
curl -s -o /dev/null -w '%{http_code}\n' https://registry.example/pkg/lodash
curl -s -o /dev/null -w '%{http_code}\n' http://by-hosts-file.example/pkg/lodash
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
print("connected")' "$1"
echo the command writes >files/written
END2
    # By a pipe: the gate can write to no file, standard error among them.
    run bash -c '"$@" 2>&1 >job.out | cat >&2; status=${PIPESTATUS[0]}; cat job.out; exit $status' - \
        "$taken_over" -e https://registry.example/ -e http://by-hosts-file.example/ -e "$T_TMP/socket" -- bash job.sh "$T_TMP/socket"
    t_status 0
    t_count 26 "$(attacks_of supervisor)" ': refused (EACCES|EPERM|ENOENT|ENOSYS|EAFNOSUPPORT)$'
    t_eq "$(attacks_of supervisor | grep -v ': refused E')" ''
    t_eq "$(cat files/secret files/victim files/victim2)" $'the secret\nvictim\nvictim'
    t_eq "$(ls files)" $'secret\nvictim\nvictim2\nwritten'
    t_eq "$(sed -n 1p <<<"$out")" 200 # by the DNS, and then by a file: nsswitch's modules, in threads
    t_eq "$(sed -n 2p <<<"$out")" 200
    t_match "$out" '^connected$'
}

t_case 'the gate: no socket of the internet, nothing is executed or written; it makes the connection'
t_count 20 "$(attacks_of gate)" ': refused (EACCES|EPERM|ENOSYS|EAFNOSUPPORT)$'
t_eq "$(attacks_of gate | grep -v ': refused E')" ''

t_case 'the gate ends: the jail ends with it'
$real -- sh -c 'echo x >up; sleep 60' >gate.out 2>gate.err </dev/null &
supervisor=$!
until_true test -s up
kill -KILL "$(pgrep -P $supervisor -x cijail-gate)"
wait $supervisor
t_eq $? 125
t_true grep -q "the gate for the jail's connections ended unexpectedly" gate.err
t_false alive 'sleep 60$'

t_case 'the gate and the proxies are stopped: the jail ends all the same'
for victim in cijail-gate cijail-dnsproxy cijail-httpproxy; do
    rm -f up go
    # What has not been asked has not been started.
    $real -e https://registry.example/ -- sh -c 'getent hosts registry.example; echo x >up; until [ -e go ]; do sleep 0.05; done; exit 7' >stop.out 2>stop.err </dev/null &
    supervisor=$!
    until_true test -s up
    kill -STOP "$(pgrep -x "${victim:0:15}")"
    touch go
    wait $supervisor
    t_eq $? 7
    [[ $victim == cijail-gate ]] || t_true grep -q "$victim did not end in time: what it had to report is not in the log" stop.err
    t_false pgrep -x "${victim:0:15}"
done

t_case 'without Landlock: the request is answered, seccomp holds'
for inject in ENOSYS EOPNOTSUPP EPERM; do
    T_LIMIT=90 run strace -f -qq -o /dev/null -e trace=landlock_create_ruleset -e inject=landlock_create_ruleset:error=$inject \
        "$taken_over" -v -e https://registry.example/ -- curl -s -o /dev/null -w '%{http_code}\n' https://registry.example/pkg/lodash
    t_status 0
    t_match "$out" '^200$'
    t_match "$err" 'no Landlock is to be had'
    for name in write truncate create mkdir symlink mknod unlink execve fork clone3 kill tgkill pidfd process-vm-writev setns; do
        t_match "$err" "^compromised: supervisor: $name: refused "
    done
done

t_done
