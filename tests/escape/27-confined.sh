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
t_count 21 "$(attacks_of gate)" ': refused (EACCES|EPERM|ENOSYS|EAFNOSUPPORT)$'
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

t_case 'init or the keeper is stopped: the jail ends all the same, with the status of the command'
gone() { ! kill -0 "$1" 2>/dev/null; }
long_job() { # cijail in the background, with a command that ends with 7 once there is a file "go"; finds its processes
    rm -f up go
    $real -e https://registry.example/ -- sh -c 'echo x >up; until [ -e go ]; do sleep 0.05; done; exit 7' >stop.out 2>stop.err </dev/null &
    supervisor=$!
    until_true test -s up
    keeper=$(pgrep -P $supervisor -x cijail)
    init=$(pgrep -P "$keeper" -x cijail)
}
long_job_ends() { # STATUS
    touch go
    t_true until_true gone $supervisor
    gone $supervisor || kill -KILL $supervisor
    wait $supervisor
    t_eq $? "$1"
}
for victim in init keeper; do
    long_job
    kill -STOP "${!victim}"
    long_job_ends 7
    t_true until_true gone "$init"
done
t_true grep -q 'did not end in time' stop.err # it was never started, and the keeper could not say so

t_case 'init hangs: the jail ends all the same, with a message'
cat >hold.py <<'END'
"""hold.py PID: stops it by ptrace(2), which SIGCONT does not undo."""
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
SEIZE, INTERRUPT = 0x4206, 0x4207
for request in SEIZE, INTERRUPT:
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(int(sys.argv[1])), None, None) < 0:
        sys.exit(f"ptrace: {ctypes.get_errno()}")
open("held", "w").close()
time.sleep(60)
END
long_job
if ((EUID)); then # init cannot be traced by a user
    t_false python3 hold.py "$init" 2>hold.err
    long_job_ends 7
else
    python3 hold.py "$init" >/dev/null 2>hold.err </dev/null &
    holder=$!
    until_true test -e held
    long_job_ends 125
    kill $holder
    wait $holder 2>/dev/null
    t_true until_true gone "$init"
    t_true grep -q "the command has ended, and the jail's init does not say how: it is stopped, or hangs" stop.err
fi

t_case 'sixteen layers of Landlock around: there is no room for one more, which -v says'
cat >layers.py <<'END'
"""layers.py NUMBER COMMAND...: executes it below so many layers of Landlock, which hold abstract sockets alone."""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
attr = struct.pack("QQQ", 0, 0, 1)  # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
libc.prctl(38, 1, 0, 0, 0)
for _ in range(int(sys.argv[1])):
    fd = libc.syscall(444, attr, len(attr), 0)
    if fd < 0 or libc.syscall(446, fd, 0) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    os.close(fd)
if sys.argv[2:]:
    os.execvp(sys.argv[2], sys.argv[2:])
END
need 'sixteen layers of Landlock (ABI 6)' python3 layers.py 16 && {
    fetch='curl -s -o /dev/null -w %{http_code}\n https://registry.example/pkg/lodash'
    # shellcheck disable=SC2086 # words
    run python3 layers.py 15 "$real" -v -e https://registry.example/ -- $fetch
    t_status 0
    t_match "$out" '^200$'
    t_no_match "$err" 'Landlock'
    # shellcheck disable=SC2086
    run python3 layers.py 16 "$taken_over" -v -e https://registry.example/ -- $fetch
    t_status 0
    t_match "$out" '^200$'
    t_match "$err" 'no Landlock is to be had'
    for name in write truncate create mkdir unlink execve kill pidfd setns; do
        t_match "$err" "^compromised: supervisor: $name: refused "
    done
    run python3 layers.py 17
    t_match "$err" 'Argument list too long' # the twin: the kernel's own word
}

t_case 'jails in jails: as many as user namespaces allow, then an error in words'
deep() { # NUMBER
    local i words=()
    for ((i = 0; i < $1; i++)); do words+=("$real" -q --); done
    run "${words[@]}" echo there
}
deep 3
t_status 0
t_eq "$out" there
deep 20
t_status 125
t_eq "$out" ''
t_match "$err" '^cijail: cannot make .*nesting ends at 32 levels'
t_under 20000

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
