#!/usr/bin/env bash
# The original's own tests of what the command must not read (/dev/mem, also by a symbolic link, and the supervisor's
# memory) and of capabilities.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

t_case '/dev/mem cannot be read, by its name or by a link to it'
run cijail /bin/sh -c 'exec head -n1 /dev/mem'
t_status 1
t_eq "$(wc -c <"$T_TMP/out")" 0
run cijail /bin/sh -c '
    set -e
    tmpdir=$(mktemp -d)
    ln -s /dev/mem $tmpdir/mem
    exec head -n1 $tmpdir/mem'
t_status 1
t_eq "$(wc -c <"$T_TMP/out")" 0

t_case 'nor the other devices and files of memory, nor can the devices be made'
for path in /dev/mem /dev/kmem /dev/port /proc/kcore /proc/1/mem; do
    run cijail head -c 16 $path
    t_status 1
    t_eq "$(wc -c <"$T_TMP/out")" 0
done
run cijail sh -c 'mknod mem c 1 1 && head -c 1 mem'
t_assert 'mknod succeeded' test "$status" != 0
run cijail sh -c 'head -c 16 /dev/zero | wc -c; head -c 16 /proc/self/maps | wc -c' # the twin
t_eq "${out//$'\n'/ }" '16 16'

# memory.py PID: is one byte of its memory read, and one written? Where: what its maps say, or where this
# program itself has some.
cat >memory.py <<'END2'
import errno, os, re, sys
def attempt(flags, address, act):
    try:
        fd = os.open(f"/proc/{sys.argv[1]}/mem", flags)
        os.lseek(fd, address, os.SEEK_SET)
        return "done" if len(act(fd)) == 1 else "short"
    except OSError as e:
        return errno.errorcode[e.errno]
try:
    maps = open(f"/proc/{sys.argv[1]}/maps").read()
except OSError as e:
    maps = open("/proc/self/maps").read()
address = int(re.search(r"^([0-9a-f]+)-\S+ rw", maps, re.M).group(1), 16)
byte = []
print(attempt(os.O_RDONLY, address, lambda fd: byte.append(os.read(fd, 1)) or byte[0]),
      attempt(os.O_RDWR, address, lambda fd: byte[0:os.write(fd, byte[0] if byte else b"x")]))
END2

t_case 'the memory of every process that is cijail, as seen from inside: neither read nor written'
run cijail sh -c '
    for status in /proc/[0-9]*/status; do
        pid=${status#/proc/} pid=${pid%/status}
        grep -q "^Name:.*cijail" $status && echo $pid $(python3 memory.py $pid)
    done'
t_match "$out" '^[0-9]+ E(ACCES|PERM) E(ACCES|PERM)$'
t_no_match "$out" 'done|short'

t_case "the supervisor's and the proxies' memory, by their ids outside: there are no such processes"
mkfifo hold ids
cijail sh -c 'echo >ids; read x <hold; for pid in $(cat pids); do python3 memory.py $pid; kill -0 $pid; done' \
    >"$T_TMP/seen" 2>&1 &
supervisor=$!
read -r _ <ids
pgrep -P "$supervisor" >children
{ echo "$supervisor"; cat children; } >pids
t_assert 'the supervisor has no children' test -s children
echo go >hold
wait "$supervisor"
t_no_match "$(cat "$T_TMP/seen")" 'done|short'
t_match "$(cat "$T_TMP/seen")" 'ENOENT'

t_case "the twin: a process of one's own can be read and written, in the jail as well"
run cijail sh -c 'sleep 20 & sleep 0.2; python3 memory.py $!; kill $!'
inside=$out
run sh -c 'sleep 20 & sleep 0.2; python3 memory.py $!; kill $!'
t_eq "$inside" "$out"

t_case 'ptrace and process_vm_readv of cijail are refused'
cat >trace.py <<'END2'
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
pid, text = int(sys.argv[1]), ctypes.create_string_buffer(16)
here = Vector(ctypes.addressof(text), 16)
there = Vector(0x1000, 16)  # where nothing is: EFAULT from who would have been let in
results = []
for call in (lambda: libc.ptrace(0x4206, pid, None, None),  # PTRACE_SEIZE
             lambda: libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)):
    ctypes.set_errno(0)
    results.append(errno.errorcode[ctypes.get_errno()] if call() < 0 else "done")
print(*results)
END2
run cijail python3 trace.py 1
t_match "$out" '^E(PERM|ACCES|NOSYS) E(PERM|ACCES|NOSYS)$'
run cijail sh -c 'sleep 20 & python3 trace.py $!; kill $!'
inside=$out
run sh -c 'sleep 20 & python3 trace.py $!; kill $!'
t_eq "$inside" "$out"

# The original drops CAP_SYS_PTRACE, which it needs, before the command. Here an ordinary user has no capability, and
# root those of a user namespace that owns nothing of the host: each is tried.
t_case 'capabilities: none for a user; for root those over the jail alone'
run cijail grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status
if ((EUID)); then
    t_count 4 "$out" '[[:space:]]0+$'
else
    t_count 2 "$out" '^Cap(Inh|Amb):[[:space:]]0+$'
fi
run cijail readlink /proc/self/ns/user
t_assert 'the user namespace is that of the host' test "$out" != "$(readlink /proc/self/ns/user)"
cat >over-host.py <<'END2'
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
class Time(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]
def failing(name, *arguments):
    ctypes.set_errno(0)
    r = getattr(libc, name)(*arguments)
    print(name, errno.errorcode[ctypes.get_errno()] if r < 0 else "done")
now = Time()
libc.clock_gettime(0, ctypes.byref(now))
failing("clock_settime", 0, ctypes.byref(now))                      # CAP_SYS_TIME
failing("sethostname", os.uname().nodename.encode(), len(os.uname().nodename))  # CAP_SYS_ADMIN over its namespace
failing("swapoff", b"/nonexistent")                                 # CAP_SYS_ADMIN
failing("acct", None)                                               # CAP_SYS_PACCT
failing("delete_module", b"cijail_no_such_module", 0)               # CAP_SYS_MODULE
failing("ioperm", 0x80, 1, 1)                                       # CAP_SYS_RAWIO
failing("setpriority", 0, 0, -20)                                   # CAP_SYS_NICE
failing("klogctl", 8, None, 1)                                      # CAP_SYSLOG
END2
run cijail python3 over-host.py
for call in clock_settime sethostname swapoff acct delete_module ioperm klogctl; do
    t_match "$out" "^$call E(PERM|NOSYS|ACCES)\$"
done
t_no_match "$out" 'done|EINVAL|ENOENT'
run cijail sh -c 'ip link set lo down; ip address add 203.0.113.9/24 dev lo; ip route add 198.51.100.0/24 via 192.0.0.1
    nsenter --net=/proc/1/ns/net true && echo entered'
t_no_match "$out" entered
t_match "$err" 'not permitted|denied'
run cijail sh -c 'ip -o address show dev lo'
t_no_match "$out" '203\.0\.113\.9'

t_done
