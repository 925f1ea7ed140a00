#!/usr/bin/env bash
# Unix sockets by path whose file or whose network namespace is unlike others: bound by nobody any more, bound in a
# namespace inside of the jail or beside it, on an overlayfs of several file systems, with numbers of inodes that agree
# in 32 bits, held in unusual ways.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

# server.py ADDRESS: touches ADDRESS.ready; each connection gets "hello", and is a line in ADDRESS.log.
cat >server.py <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
log = open(sys.argv[1] + ".log", "a")
open(sys.argv[1] + ".ready", "w").close()
while True:
    c = s.accept()[0]
    log.write("connection\n")
    log.flush()
    c.sendall(b"hello\n")
    c.close()
END
# say.py ADDRESS...
cat >say.py <<'END'
import errno, socket, sys
for path in sys.argv[1:]:
    try:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(path)
        print(s.makefile().readline(), end="", flush=True)
    except OSError as e:
        print(errno.errorcode.get(e.errno, e), flush=True)
END
cat >wait.sh <<'END'
for i in $(seq 500); do [ -e "$1" ] && exit 0; sleep 0.02; done
exit 1
END
servers=()
serve() { # ADDRESS [COMMAND...]: COMMAND runs the server
    "${@:2}" python3 server.py "$1" >/dev/null 2>"$1.err" </dev/null &
    servers+=($!)
    sh wait.sh "$1.ready" || t_fail "server $1: $(cat "$1.err")"
}
stale() { python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1"; }

t_case 'a socket that nobody is bound to any more refuses, as outside'
serve "$T_TMP/other"
stale "$T_TMP/stale"
python3 -c 'import os, stat, sys; os.mknod(sys.argv[1], 0o777 | stat.S_IFSOCK)' "$T_TMP/made"
run python3 say.py "$T_TMP/stale" "$T_TMP/made"
outside=$out
t_eq "$out" $'ECONNREFUSED\nECONNREFUSED'
run cijail --fail-on-deny -- python3 say.py "$T_TMP/stale" "$T_TMP/made"
t_status 0
t_eq "$out" "$outside"
t_denials 0
run cijail --fail-on-deny -- python3 -c '
import errno, socket
s = socket.socket(socket.AF_UNIX); s.bind("own"); s.listen(); s.close()
try: socket.socket(socket.AF_UNIX).connect("own")
except OSError as e: print(errno.errorcode[e.errno])'
t_status 0
t_eq "$out" ECONNREFUSED
run cijail -- python3 say.py "$T_TMP/other" # the twin
t_eq "$out" ENETUNREACH
t_denials 1
t_false test -s other.log
run cijail -e "$T_TMP/stale" -- python3 say.py "$T_TMP/stale"
t_eq "$out" ECONNREFUSED

t_case 'a socket of a network namespace inside of the jail is the jail'\''s, with any number of them'
cat >nested.sh <<'END'
for i in 1 2 3; do
    unshare -rn python3 server.py "$PWD/nested$i" >/dev/null 2>&1 </dev/null &
    sh wait.sh nested$i.ready || exit 1
done
unshare -rn unshare -rn python3 server.py "$PWD/deep" >/dev/null 2>&1 </dev/null &
sh wait.sh deep.ready || exit 1
python3 say.py nested1 nested2 nested3 deep
unshare -rn python3 say.py nested1 deep
python3 server.py "$PWD/flat" >/dev/null 2>&1 </dev/null &
sh wait.sh flat.ready || exit 1
unshare -rn python3 say.py flat
unshare -rn python3 say.py "$1"
END
run cijail -- sh nested.sh "$T_TMP/other"
t_status 0
t_eq "$out" "$(printf 'hello\n%.0s' {1..7})"$'\nENETUNREACH'
t_denials 1
t_false test -s other.log

t_case 'a socket of another network namespace beside the jail is the host'\''s'
serve "$T_TMP/beside" unshare -rn
run cijail -- python3 say.py "$T_TMP/beside"
t_eq "$out" ENETUNREACH
t_denials 1
t_false test -s beside.log
run cijail -e "$T_TMP/beside" -- python3 say.py "$T_TMP/beside"
t_eq "$out" hello

t_case 'on an overlayfs of several file systems, stat(2)'\''s device is not the socket'\''s'
cat >overlay.sh <<'END'
mkdir -p lower upper merged
mount -t tmpfs lower lower && mount -t tmpfs upper upper || exit 1
mkdir lower/d upper/up upper/work
echo lower >lower/d/file
mount -t overlay -o lowerdir=lower,upperdir=upper/up,workdir=upper/work,userxattr,xino=off overlay merged || exit 1
cp server.py say.py wait.sh merged/ && cd merged || exit 1
for name in allowed other; do
    python3 server.py "$PWD/d/$name" >/dev/null 2>&1 </dev/null &
    sh wait.sh d/$name.ready || exit 1
done
python3 -c 'import os
s = os.stat("d/other"); m = os.stat("."); print("devices differ:", s.st_dev != m.st_dev)'
cijail -q -e "$PWD/d/allowed" -- sh -c '
    python3 server.py "$PWD/d/own" >/dev/null 2>&1 </dev/null &
    sh wait.sh d/own.ready && python3 say.py d/own d/allowed d/other
    unshare -rm python3 say.py d/own d/allowed d/other'
END
overlay_works() {
    unshare -rm sh -c 'mount -t tmpfs t "$0" && cd "$0" && mkdir l u w m &&
        mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr o m' "$T_TMP/d"
}
mkdir d
if need 'overlayfs in user namespaces' overlay_works; then
    run unshare -rm --kill-child --fork sh overlay.sh
    t_status 0
    t_eq "$out" $'devices differ: True\nhello\nhello\nENETUNREACH\nhello\nhello\nENETUNREACH'
fi

# numbers.py FOLDER: a file system (FUSE) in which sockets can be made, and all inodes' numbers agree in their lower 32
# bits. Those of btrfs's subvolumes agree in all.
cat >numbers.py <<'END'
import ctypes, errno, os, struct, sys, time
ROOT, LOOKUP, FORGET, GETATTR, SETATTR, MKNOD, INIT, FORGET_SOME = 1, 1, 2, 3, 4, 8, 26, 42
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open("/dev/fuse", os.O_RDWR)
options = "fd=%d,rootmode=40000,user_id=%d,group_id=%d" % (fuse, os.getuid(), os.getgid())
if libc.mount(b"numbers", sys.argv[1].encode(), b"fuse", 0, options.encode()) < 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
nodes, names, now = {ROOT: 0o40755}, {}, int(time.time())
def attributes(node):
    return struct.pack("<6Q10I", node << 32 | 77, 0, 0, now, now, now, 0, 0, 0, nodes[node], 1,
                       os.getuid(), os.getgid(), 0, 4096, 0)
def entry(node):
    return struct.pack("<4Q2I", node, 1, 60, 60, 0, 0) + attributes(node)
while True:
    request = os.read(fuse, 200000)
    length, call, unique, node = struct.unpack_from("<IIQQ", request)
    rest, error, reply = request[40:length], 0, b""
    if call in (FORGET, FORGET_SOME):
        continue
    if call == INIT:
        reply = struct.pack("<4I2H2I2H7I", 7, 31, 65536, 0, 12, 10, 65536, 1, 1, 0, *[0] * 7)
    elif call == LOOKUP:
        name = rest.rstrip(b"\0")
        error, reply = (0, entry(names[name])) if name in names else (errno.ENOENT, b"")
    elif call == MKNOD:
        name = rest[16:].rstrip(b"\0")
        names[name] = len(nodes) + 1
        nodes[names[name]] = struct.unpack_from("<I", rest)[0]
        reply = entry(names[name])
    elif call in (GETATTR, SETATTR):
        reply = struct.pack("<Q2I", 60, 0, 0) + attributes(node)
    else:
        error = errno.ENOSYS
    os.write(fuse, struct.pack("<IiQ", 16 + len(reply), -error, unique) + reply)
END
cat >name.py <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
open(sys.argv[2], "w").close()
while True:
    s.accept()[0].sendall(sys.argv[2].encode() + b"\n")
END
if ((EUID == 0)) || [[ -w /dev/fuse ]]; then # udev lets everyone have it
    t_case 'a socket whose inode has the number of one of the jail'\''s, in 32 bits, is not the jail'\''s'
    mkdir numbers
    cat >numbers.sh <<'END'
python3 numbers.py numbers &
for i in $(seq 500); do mountpoint -q numbers && break; sleep 0.02; done
unshare -rn python3 name.py numbers/third third >/dev/null 2>&1 </dev/null &
sh wait.sh third || exit 1
cijail -q -- sh -c '
    python3 name.py numbers/jails jails >/dev/null 2>&1 </dev/null &
    sh wait.sh jails || exit 1
    stat -c %i numbers/third numbers/jails | while read -r number; do echo $((number & 0xffffffff)); done
    python3 say.py numbers/third numbers/jails'
cijail -q -e "$PWD/numbers/third" -- python3 say.py numbers/third
END
    run unshare -rm --kill-child --fork --pid --mount-proc sh numbers.sh
    t_status 0
    t_eq "$out" $'77\n77\nENETUNREACH\njails\nthird'
fi

t_case 'a listener of the jail is that, whoever there holds it: not dumpable, one thread alone, passed on, in a message'
cat >held.py <<'END'
import ctypes, os, socket, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def check(r):
    if r < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
def listener():
    s = socket.socket(socket.AF_UNIX)
    s.bind(sys.argv[1])
    s.listen(64)
    return s
def serve(s):
    s.accept()[0].sendall(b"hello\n")
def say():
    r = subprocess.run([sys.executable, "say.py", sys.argv[1]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(r.stdout.decode() or "nothing", end="", flush=True)
    os._exit(0)
how = sys.argv[2]
if how == "not-dumpable":
    s = listener()
    check(libc.prctl(4, 0, 0, 0, 0))
    threading.Thread(target=serve, args=(s,)).start()
elif how == "thread": # with descriptors of its own
    ready = threading.Event()
    def alone():
        check(libc.unshare(0x400)) # CLONE_FILES
        s = listener()
        ready.set()
        serve(s)
    threading.Thread(target=alone).start()
    ready.wait()
elif how == "passed-on": # to a process that goes into another network
    s = listener()
    if os.fork() == 0:
        check(libc.unshare(0x50000000)) # CLONE_NEWUSER | CLONE_NEWNET
        serve(s)
        os._exit(0)
    s.close()
    time.sleep(0.2)
elif how == "message": # that nobody takes for some time
    a, b = socket.socketpair()
    s = listener()
    socket.send_fds(a, [b"x"], [s.fileno()])
    s.close()
    def later():
        time.sleep(0.1)
        serve(socket.socket(fileno=socket.recv_fds(b, 1, 1)[1][0]))
    threading.Thread(target=later).start()
say()
END
hows=(not-dumpable passed-on message)
python3 -c 'import ctypes, os, threading
def try_it(): os._exit(ctypes.CDLL(None).syscall(434, threading.get_native_id(), 0x80) < 0) # PIDFD_THREAD, Linux 6.9
threading.Thread(target=try_it).start()' && hows+=(thread)
for how in "${hows[@]}"; do
    run cijail --fail-on-deny -- python3 held.py "$T_TMP/held-$how" $how
    t_status 0
    t_eq "$how: $out" "$how: hello"
    t_denials 0
done

t_case 'one of the host'\''s that the jail holds, too, stays the host'\''s'
cat >inherit.py <<'END'
import socket, subprocess, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
s.settimeout(0.1)
r = subprocess.run(["cijail", "-q", *sys.argv[2:], "--", sys.executable, "use.py", sys.argv[1]], stdin=s.fileno(),
                   stdout=subprocess.PIPE)
print(r.stdout.decode(), end="")
try:
    s.accept()
    print("somebody came")
except TimeoutError:
    print("nobody came")
END
cat >use.py <<'END'
import errno, os, socket, sys
print(socket.socket(fileno=os.dup(0)).getsockname())
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except OSError as e:
    print(errno.errorcode[e.errno])
END
run python3 inherit.py "$T_TMP/inherited"
t_eq "$out" "$T_TMP/inherited"$'\nENETUNREACH\nnobody came'
run python3 inherit.py "$T_TMP/inherited2" -e "$T_TMP/inherited2"
t_eq "$out" "$T_TMP/inherited2"$'\nsomebody came'

kill "${servers[@]}" 2>/dev/null
t_done
