#!/usr/bin/env bash
# The command exchanges a proxy's program before it is started: what runs then has no way out either (proxy_lock.c).
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

mkdir -p tree/{src,dnsproxy,httpproxy}
cp "$CIJAIL" tree/src/
# One line an attempt, to standard error: the program's standard output is nobody's.
cat >hostile.py <<'END_PY'
#!/usr/bin/python3 -ISB
import ctypes, os, platform, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"
PTRACE, SETNS, PIDFD_OPEN, IO_URING = (101, 308, 434, 425) if x86 else (117, 268, 434, 425)
lines = []
def attempt(name, call):
    try:
        r = call()
        lines.append(f"{name}: worked" if r is None or r >= 0 else f"{name}: {os.strerror(ctypes.get_errno())}")
    except OSError as e:
        lines.append(f"{name}: {os.strerror(e.errno)}")
def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
def listening():
    address = (ctypes.c_ubyte * 16)(2, 0, 1, 187, 198, 51, 100, 66)
    return max(libc.connect(fd, address, 16) for fd in range(3, 20))
attempt("unix", lambda: socket.socket(socket.AF_UNIX) and None)
attempt("inet", lambda: socket.socket(socket.AF_INET) and None)
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) and None)
attempt("pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) and None)
attempt("connect", listening)
attempt("fork", fork)
attempt("kill", lambda: os.kill(os.getppid() or 1, 0))
attempt("pidfd", lambda: libc.syscall(PIDFD_OPEN, os.getpid(), 0))
attempt("traceme", lambda: libc.syscall(PTRACE, 0, 0, 0, 0))
attempt("uring", lambda: libc.syscall(IO_URING, 1, ctypes.create_string_buffer(256)))
attempt("mknod", lambda: os.mknod("fifo-of-it", 0o010600))
if len(sys.argv) == 1: # not by the twin, which root may be
    attempt("uncover", lambda: libc.umount2(b"/proc", 2))
os.write(2, "".join(f"hostile {line}\n" for line in lines).encode())
END_PY
chmod +x hostile.py

t_case 'the twin: outside, the same program makes sockets and processes'
run ./hostile.py twin
for what in unix inet netlink pair fork kill pidfd traceme; do
    t_match "$err" "^hostile $what: worked"
done
rm -f fifo-of-it

right() { # PROXY: the program that belongs there
    cp "$BUILD/$1/cijail-$1" "tree/$1/.right" && mv "tree/$1/.right" "tree/$1/cijail-$1"
}
t_case 'the twin: it is the exchanged program that is started, and the right one works'
right dnsproxy
right httpproxy
run tree/src/cijail -e registry.example -- dig +tries=1 +time=5 +short registry.example
t_eq "$out" 198.51.100.10

exchanged() { # PROXY: the last run had it exchanged
    t_match "$err" "cijail-$1 ended with status [0-9]+; the jail's network has ended"
    t_count 12 "$err" '^hostile '
    t_no_match "$err" '^hostile [a-z]+: worked'
    for what in unix inet netlink pair connect fork kill pidfd traceme uring mknod; do
        t_match "$err" "^hostile $what: Operation not permitted"
    done
    t_match "$err" '^hostile uncover: (Invalid argument|Operation not permitted)'
}

t_case 'cijail-dnsproxy'
run tree/src/cijail -e registry.example -- sh -c \
    'rm tree/dnsproxy/cijail-dnsproxy; cp hostile.py tree/dnsproxy/cijail-dnsproxy; dig +tries=1 +time=5 registry.example'
exchanged dnsproxy

t_case 'cijail-httpproxy'
run tree/src/cijail -e http://registry.example/ -- sh -c \
    'rm tree/httpproxy/cijail-httpproxy; cp hostile.py tree/httpproxy/cijail-httpproxy; curl -s -m 10 http://registry.example/'
exchanged httpproxy

t_case 'one that closes its descriptors before it ends, and a command that ends at once: how the proxy ended is told'
for first in 3 4; do # with the channel, and without it
    { cat hostile.py; echo "import time
end = time.monotonic() + 0.1
os.closerange($first, 64)
while time.monotonic() < end: pass
os._exit(7)"; } >late-$first.py
    chmod +x late-$first.py
done
for late in dnsproxy-3 httpproxy-3 dnsproxy-4 httpproxy-4; do
    proxy=${late%-*}
    right dnsproxy
    right httpproxy
    run tree/src/cijail -e http://registry.example/ -- sh -c "rm tree/$proxy/cijail-$proxy; cp late-${late#*-}.py tree/$proxy/cijail-$proxy
        if [ $proxy = httpproxy ]; then curl -s -m 10 http://registry.example/; else dig +tries=1 +time=5 registry.example; fi"
    exchanged $proxy
    t_match "$err" "cijail-$proxy ended with status 7"
done

t_case 'where there is a CA, httpproxy is locked before the command begins: nothing is left to be exchanged'
right httpproxy
run tree/src/cijail -e https://registry.example/ -- sh -c \
    'rm tree/httpproxy/cijail-httpproxy; cp hostile.py tree/httpproxy/cijail-httpproxy; curl -s -m 10 https://registry.example/pkg/lodash'
t_eq "$out" 'a package'
t_no_match "$err" hostile

t_done
