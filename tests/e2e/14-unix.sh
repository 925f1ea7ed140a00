#!/usr/bin/env bash
# Unix sockets: those of the host by path and by abstract name, those of the jail, and connect(2) as it is outside;
# [netlink].
# timeout: 400
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dial=$T_LIB/connect.py

# server.py NAME ADDRESS [TYPE]: ADDRESS a path or @abstract. Touches NAME.ready. Each connection gets "NAME UID GID",
# the ids of the peer, and then what it sends, back; a line in NAME.log.
cat >server.py <<'END'
import os, socket, struct, sys, threading
name, address, kind = sys.argv[1], sys.argv[2], (sys.argv + ["STREAM"])[3]
s = socket.socket(socket.AF_UNIX, getattr(socket, "SOCK_" + kind))
if not address.startswith("@") and os.path.lexists(address):
    os.unlink(address)
s.bind("\0" + address[1:] if address.startswith("@") else address)
if not address.startswith("@"):
    os.chmod(address, 0o777)
s.listen(4096)
log = open(name + ".log", "a")
def serve(c):
    with c:
        pid, uid, gid = struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        log.write("connection\n")
        log.flush()
        c.sendall(b"%s %d %d\n" % (name.encode(), uid, gid))
        while data := c.recv(65536):
            c.sendall(data)
open(name + ".ready", "w").close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
END
# say.py ADDRESS [TEXT]
cat >say.py <<'END'
import errno, os, socket, sys
try:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect("\0" + sys.argv[1][1:] if sys.argv[1].startswith("@") else sys.argv[1])
    s.sendall((sys.argv + [""])[2].encode())
    s.shutdown(socket.SHUT_WR)
    print(s.makefile().read(), end="", flush=True)
except OSError as e:
    print(errno.errorcode.get(e.errno, e), flush=True)
END
servers=()
serve() { # NAME ADDRESS [TYPE]
    local i
    rm -f "$1.ready"
    python3 server.py "$@" >/dev/null 2>"$1.err" </dev/null &
    servers+=($!)
    for ((i = 0; i < 200; i++)); do [[ -e $1.ready ]] && return; sleep 0.05; done
    t_fail "server $1: $(cat "$1.err")"
}
connections() { grep -c . "$1.log"; }
D=$T_TMP/d
mkdir "$D"
chmod 755 "$T_TMP" "$D"
serve allowed "$D/allowed"
serve other "$D/other"
serve abstract @cijail-abstract
serve hidden @cijail-hidden
serve packets @cijail-packets SEQPACKET
me="$(id -u) $(id -g)"

t_case 'a path of the host that is named works, and is logged with -v'
run cijail -v -e "$D/allowed" -- python3 say.py "$D/allowed" hello
t_eq "$out" "allowed $me"$'\nhello'
t_match "$err" " cijail: allow unix $D/allowed\$"
t_match "$err" ' cijail: 1 allowed, 0 denied$'
run cijail -v --log-format json -e "$D/allowed" -- python3 say.py "$D/allowed"
run python3 -c 'import json, sys; o = json.loads(sys.argv[1]); print(o["decision"], o["kind"], o["path"], o["endpoint"])' "$err"
t_eq "$out" "allow unix $D/allowed $D/allowed"

t_case 'the twins: not named, or another that is named: ENETUNREACH and a line'
for word in registry.example "$D/allowed"; do
    before=$(connections other)
    run cijail -e "$word" -- python3 say.py "$D/other"
    t_eq "$out" ENETUNREACH
    t_match "$err" " cijail: deny unix $D/other\$"
    t_eq "$(connections other)" "$before"
done
run cijail --fail-on-deny -- python3 say.py "$D/other"
t_status 98

t_case 'relative paths, symbolic links, descriptors: the socket counts, not how it is called'
ln -s d/allowed link
ln -s "$D/allowed" absolute
ln -s "$D" folder
ln -s d/other bad
ln -s "$D/other" worse
for path in d/allowed ./d/../d/allowed link absolute folder/allowed "$T_TMP/link" /proc/self/root"$D"/allowed \
    "/proc/self/cwd/d/allowed"; do
    [[ $path != /proc/* ]] || continue # see below
    run cijail -e "$D/allowed" -- python3 say.py "$path"
    t_eq "$out" "allowed $me"
done
for path in d/other ./d/../d/other bad worse folder/other "$T_TMP/bad"; do
    run cijail -e "$D/allowed" -- python3 say.py "$path"
    t_eq "$out" ENETUNREACH
done
cat >own_fd.py <<'END'
import errno, os, socket, sys
d = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
p = [os.open(os.path.join(sys.argv[1], n), os.O_PATH) for n in ("allowed", "other")]
for path in f"/proc/self/fd/{d}/allowed", f"/proc/self/fd/{d}/other", f"/proc/self/fd/{p[0]}", f"/proc/self/fd/{p[1]}", f"/proc/self/fd/99":
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        print("connected")
    except OSError as e:
        print(errno.errorcode[e.errno])
END
run cijail -e "$D/allowed" -- python3 own_fd.py "$D"
t_eq "$(tr '\n' ' ' <<<"$out")" 'connected ENETUNREACH connected ENETUNREACH ENOENT '
run cijail -e "$T_TMP/link" -- python3 say.py "$D/allowed" # the policy may go by a link as well
t_eq "$out" "allowed $me"

t_case 'errors of a path are those outside'
cat >errors.py <<'END'
import errno, os, socket
open("file", "w").close()
if not os.path.exists("locked"):
    os.makedirs("locked/in")
    os.chmod("locked", 0)
for path in "nothing", "file", "file/x", "d", "locked/in/x", "x" * 108, "", "loop":
    for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET:
        try:
            socket.socket(socket.AF_UNIX, kind).connect(path)
            print("connected")
        except OSError as e:
            print(path[:8], kind, errno.errorcode.get(e.errno, e))
for fd in os.open("/dev/null", os.O_RDONLY), 99:
    try:
        socket.socket(fileno=os.dup(fd) if fd != 99 else fd, family=socket.AF_UNIX, type=socket.SOCK_STREAM).connect("d/allowed")
    except OSError as e:
        print(errno.errorcode.get(e.errno, e))
END
ln -s loop loop
run python3 errors.py
outside=$out
run cijail -- python3 errors.py
t_eq "$out" "$outside"
chmod 755 locked

t_case 'sockets of the jail are free, by path and by abstract name'
cat >own.py <<'END'
import os, socket, struct, threading
for address in "own.sock", os.getcwd() + "/own2.sock", "\0own":
    for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET:
        s = socket.socket(socket.AF_UNIX, kind); s.bind(address); s.listen()
        c = socket.socket(socket.AF_UNIX, kind); c.connect(address)
        a = s.accept()[0]; c.sendall(b"x"); assert a.recv(1) == b"x"
        pid, uid, gid = struct.unpack("3i", a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        assert (uid, gid) == (os.getuid(), os.getgid())
        print("ok")
        s.close()
        if address[0] != "\0": os.unlink(address)
END
run cijail --fail-on-deny -- python3 own.py
t_status 0
t_count 6 "$out" ok

t_case 'a socket that is bound and does not listen yet refuses'
run cijail --fail-on-deny -- python3 -c '
import errno, socket
s = socket.socket(socket.AF_UNIX); s.bind("early")
try: socket.socket(socket.AF_UNIX).connect("early")
except OSError as e: print(errno.errorcode[e.errno])
s.listen(); socket.socket(socket.AF_UNIX).connect("early"); print("connected")'
t_status 0
t_eq "$out" $'ECONNREFUSED\nconnected'

t_case 'the name of an allowed socket cannot be lent to another'
for trick in 'mv d/other d/allowed' 'rm d/allowed; ln d/other d/allowed' 'rm d/allowed; ln -s other d/allowed' \
    'mv d e; mkdir d; mv e/other d/allowed'; do
    before=$(connections other)
    run cijail -e "$D/allowed" -- sh -c "$trick; python3 say.py '$D/allowed'"
    t_eq "$out" ENETUNREACH
    t_eq "$(connections other)" "$before"
    kill "${servers[@]:0:2}"
    wait "${servers[@]:0:2}" 2>/dev/null
    rm -rf e
    servers=("${servers[@]:2}")
    serve allowed "$D/allowed"
    serve other "$D/other"
    servers=("${servers[@]: -2}" "${servers[@]:0:${#servers[@]}-2}")
done

t_case 'a service that is started anew, or later, is still the one that is named'
cat >again.py <<'END'
import os, subprocess, sys, time
def say(path):
    return subprocess.run([sys.executable, "say.py", path], stdout=subprocess.PIPE).stdout.decode().split()[0]
print(say("d/again"))
open("again.asked", "w").close()
for i in range(400):
    if os.path.exists("again.done"): break
    time.sleep(0.02)
print(say("d/again"), say("d/late"))
END
serve again "$D/again"
again=${servers[-1]}
(
    until [[ -e again.asked ]]; do sleep 0.02; done
    kill "$again"
    rm -f again.ready
    python3 server.py again "$D/again" &
    echo $! >again.pid
    python3 server.py late "$D/late" &
    echo $! >>again.pid
    until [[ -e again.ready && -e late.ready ]]; do sleep 0.02; done
    touch again.done
) >/dev/null 2>&1 </dev/null &
run cijail -e "$D/again $D/late" -- python3 again.py
t_eq "$out" $'again\nagain late'
# shellcheck disable=SC2046
kill $(cat again.pid)

t_case 'no race: the link, the memory or the descriptor changes while connect(2) is judged'
cat >race.py <<'END'
import ctypes, os, socket, struct, sys, threading, time
kind, good, bad = sys.argv[1:4]
libc = ctypes.CDLL(None, use_errno=True)
listener = socket.socket(socket.AF_UNIX); listener.bind(good); listener.listen(4096)
stop = False
def accept():
    while True:
        try: listener.accept()[0].close()
        except OSError: return
threading.Thread(target=accept, daemon=True).start()
address = ctypes.create_string_buffer(110)
def fill(path):
    ctypes.memmove(address, struct.pack("H", socket.AF_UNIX) + path.encode().ljust(108, b"\0"), 110)
spare = socket.socket(socket.AF_INET)
def flip():
    i = 0
    while not stop:
        i += 1
        if kind == "link":
            os.symlink((good, bad)[i % 2], "race.new")
            os.rename("race.new", "race")
        elif kind == "memory":
            fill((good, bad)[i % 2])
fill("race" if kind == "link" else good)
if kind == "link":
    os.symlink(good, "race")
threading.Thread(target=flip, daemon=True).start()
end, n = time.time() + 4, {}
while time.time() < end:
    s = socket.socket(socket.AF_UNIX)
    r = libc.connect(s.fileno(), address, 110)
    n[r] = n.get(r, 0) + 1
    s.close()
stop = True
print("free", n.get(0, 0) > 50, "denied", n.get(-1, 0) > 50)
END
for kind in link memory; do
    before=$(connections other)
    rm -f race good
    run cijail -q -- python3 race.py $kind "$T_TMP/good" "$D/other"
    t_eq "$out" 'free True denied True'
    t_eq "$(connections other)" "$before"
done
cat >race_fd.py <<'END'
import ctypes, os, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
pair = socket.socket(socket.AF_INET), socket.socket(socket.AF_UNIX)
target = os.dup(pair[0].fileno())
stop = False
def flip():
    while not stop:
        for s in pair: os.dup2(s.fileno(), target)
threading.Thread(target=flip, daemon=True).start()
un = struct.pack("H", socket.AF_UNIX) + sys.argv[1].encode().ljust(108, b"\0")
end, n = time.time() + 3, {}
while time.time() < end:
    r = libc.connect(target, un, 110)
    n[r] = n.get(r, 0) + 1
stop = True
print(n.get(0, 0))
END
before=$(connections other)
run cijail -q -- python3 race_fd.py "$D/other"
t_eq "$out" 0
t_eq "$(connections other)" "$before"

t_case 'in a chroot, a path is that root'\''s'
mkdir -p root/d
cat >chroot.py <<'END'
import ctypes, errno, os, socket, sys
def attempt(path):
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(path); print("connected")
    except OSError as e: print(errno.errorcode[e.errno])
own = socket.socket(socket.AF_UNIX); own.bind("root/d/other"); own.listen()
os.symlink("/d/other", "root/link")
os.symlink("/link", "root/d/twice")
os.symlink("../../../link", "root/d/up")
os.symlink("/nothing", "root/d/nothing")
if os.getuid():
    ctypes.CDLL(None).unshare(0x10000000)
os.chroot("root"); os.chdir("/")
for path in "/d/other", "d/other", "/link", "/../../d/other", sys.argv[1], "out": attempt(path)
d = os.open("d", os.O_RDONLY)
for path in "link", "./d//twice", "../../d/other", "d/up", f"/proc/self/fd/{d}/twice", f"/proc/self/fd/{d}/../link": attempt(path)
os.chdir("d")
for path in "../link", "twice", "../../../d/../link", "up": attempt(path)
for path in "nothing", "other/", "other/.", "twice/": attempt(path)
END
ln -s "$D/other" root/out
run cijail --fail-on-deny -- python3 chroot.py "$D/other"
t_status 0
t_eq "$(tr '\n' ' ' <<<"$out")" "$(printf 'connected %.0s' {1..4})ENOENT ENOENT $(printf 'connected %.0s' {1..10}
    )ENOENT ENOTDIR ENOTDIR ENOTDIR "

t_case 'datagram sockets stay refused, and addresses that are none'
cat >bad.py <<'END'
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(s, address, n=None):
    r = libc.connect(s.fileno(), address, len(address) if n is None else n)
    print(r and errno.errorcode[ctypes.get_errno()])
path = sys.argv[1].encode()
call(socket.socket(socket.AF_UNIX), struct.pack("H", socket.AF_INET) + path)
call(socket.socket(socket.AF_UNIX), struct.pack("H", socket.AF_UNSPEC) + path)
call(socket.socket(socket.AF_UNIX), struct.pack("H", socket.AF_UNIX))
call(socket.socket(socket.AF_UNIX), struct.pack("H", socket.AF_UNIX) + b"x" * 200)
call(socket.socket(socket.AF_UNIX), b"")
call(socket.socket(socket.AF_INET), struct.pack("H", socket.AF_UNIX) + path)
call(socket.socket(socket.AF_UNIX), struct.pack("H", socket.AF_UNIX) + path, 1 << 31)
call(socket.socket(socket.AF_UNIX), struct.pack("H", socket.AF_UNIX) + path, 0xffffffff)
END
run python3 bad.py "$D/other"
outside=$out
run cijail -- python3 bad.py "$D/other"
t_eq "$out" "$outside"

# blocking.py SERVER-ADDRESS|own: connects to a full backlog, in each way; prints what came of it.
cat >blocking.py <<'END'
import ctypes, errno, os, signal, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
path = sys.argv[1]
if path == "own":
    path = "full"
    if os.path.lexists(path): os.unlink(path)
    listener = socket.socket(socket.AF_UNIX); listener.bind(path); listener.listen(0)
    drain = listener.accept
else:
    def drain():
        open("drain", "w").close()
un = struct.pack("H", socket.AF_UNIX) + path.encode().ljust(108, b"\0")
def connect(s):
    start = time.monotonic()
    r = libc.connect(s.fileno(), un, 110)
    return (r and errno.errorcode[ctypes.get_errno()]), time.monotonic() - start
def new(blocking=True):
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(blocking)
    return s
keep = []
while True: # fill the backlog
    s = new(False); keep.append(s)
    r, took = connect(s)
    if r: break
print("non-blocking", r)
signal.signal(signal.SIGALRM, lambda *a: None)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.4)
s = new(); r, took = connect(s)
print("interrupted", r, 0.3 < took < 5)
s.settimeout(0.3)
s.setblocking(True)
s2 = new(); s2.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 300000))
r, took = connect(s2)
print("timed out", r, 0.2 < took < 5)
signal.siginterrupt(signal.SIGALRM, False)
for i in range(20): # signals that restart the call, then room
    signal.setitimer(signal.ITIMER_REAL, 0.07, 0.013)
    t = threading.Timer(0.2, drain); t.start()
    s3 = new(); r, took = connect(s3); keep.append(s3)
    signal.setitimer(signal.ITIMER_REAL, 0)
    t.join()
    if r or i == 19 or path != "full": print("restarted", r, took > 0.15)
    if r: break
    if path != "full": break
END
t_case 'connect(2) to a full backlog: blocking, non-blocking, interrupted, restarted, as outside'
run python3 blocking.py own
outside=$out
t_eq "$out" $'non-blocking EAGAIN\ninterrupted EINTR True\ntimed out EAGAIN True\nrestarted 0 True'
run cijail -- python3 blocking.py own
t_status 0
t_eq "$out" "$outside"
cat >full.py <<'END' # a server of the host that accepts once "drain" is there
import os, socket, time
s = socket.socket(socket.AF_UNIX); s.bind("d/full"); s.listen(0)
while True:
    time.sleep(0.01)
    if os.path.exists("drain"):
        os.unlink("drain"); keep = s.accept()
END
python3 full.py >/dev/null 2>&1 </dev/null &
servers+=($!)
until [[ -S $D/full ]]; do sleep 0.02; done
run cijail -e "$D/full" -- python3 blocking.py "$D/full"
t_eq "$out" "$outside"

t_case 'thousands of connects at once, in threads'
cat >crowd.py <<'END'
import resource, socket, sys, threading
n, path = int(sys.argv[1]), sys.argv[2]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
if path == "own":
    path = "crowd"
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(64)
    def accept():
        while True: s.accept()[0].close()
    threading.Thread(target=accept, daemon=True).start()
threading.stack_size(131072)
gate, good = threading.Event(), []
def one():
    gate.wait()
    c = socket.socket(socket.AF_UNIX)
    try:
        c.connect(path); good.append(1)
    except OSError as e: print(e)
    c.close()
threads = [threading.Thread(target=one) for i in range(n)]
for t in threads: t.start()
gate.set()
for t in threads: t.join()
print(len(good))
END
run cijail -- python3 crowd.py 3000 own
t_eq "$out" 3000
run cijail -e "$D/allowed" -- python3 crowd.py 3000 "$D/allowed"
t_eq "$out" 3000

t_case 'killed callers leave no thread behind'
cat >killed.py <<'END'
import os, signal, socket, threading, time
s = socket.socket(socket.AF_UNIX); s.bind("killed"); s.listen(0)
children = []
for i in range(60):
    pid = os.fork()
    if pid == 0:
        threads = [threading.Thread(target=lambda: socket.socket(socket.AF_UNIX).connect("killed")) for i in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        os._exit(0)
    children.append(pid)
time.sleep(1)
open("killed.waiting", "w").close()
while not os.path.exists("killed.counted"): time.sleep(0.02)
for pid in children: os.kill(pid, signal.SIGKILL)
for pid in children: os.waitpid(pid, 0)
time.sleep(1)
open("killed.dead", "w").close()
while not os.path.exists("killed.done"): time.sleep(0.02)
c = socket.socket(socket.AF_UNIX); s.accept()
c.connect("killed"); print("alive")
END
cijail -- python3 killed.py >killed.out 2>&1 </dev/null &
supervisor=$!
until [[ -e killed.waiting ]]; do sleep 0.05; done
gate=$(pgrep -P $supervisor -x cijail-gate)
t_true test "$(find /proc/$gate/task -mindepth 1 -maxdepth 1 | wc -l)" -gt 100
touch killed.counted
until [[ -e killed.dead ]]; do sleep 0.05; done
t_true test "$(find /proc/$gate/task -mindepth 1 -maxdepth 1 | wc -l)" -le 10
t_true test "$(find /proc/$gate/fd -mindepth 1 -maxdepth 1 | wc -l)" -le 40
touch killed.done
wait $supervisor
t_eq "$(cat killed.out)" alive

t_case 'a thread with descriptors of its own'
cat >unshared.py <<'END'
import ctypes, os, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
s = socket.socket(socket.AF_UNIX); s.bind("unshared"); s.listen()
def thread():
    libc.unshare(0x400) # CLONE_FILES
    c = socket.socket(socket.AF_UNIX)
    os.dup2(c.fileno(), 77)
    d = socket.socket(fileno=77)
    d.connect("unshared"); print("connected")
t = threading.Thread(target=thread); t.start(); t.join()
END
run cijail -- python3 unshared.py
case $(uname -r) in
5.* | 6.[0-8].*) t_true true ;; # no pidfd of a thread
*) t_eq "$out" connected ;;
esac

t_case 'an abstract socket of the host that is named is bridged'
run cijail -v -e @cijail-abstract -- python3 say.py @cijail-abstract hello
t_eq "$out" "abstract $me"$'\nhello'
t_match "$err" ' cijail: allow unix @cijail-abstract$'
run cijail -e @cijail-abstract -- python3 say.py @cijail-hidden
t_eq "$out" ECONNREFUSED
run cijail -- python3 say.py @cijail-abstract
t_eq "$out" ECONNREFUSED
run cijail --allow-loopback -- python3 say.py @cijail-abstract
t_eq "$out" ECONNREFUSED
run cijail -e @nothing -- python3 say.py @nothing
t_eq "$out" ECONNREFUSED

t_case 'an abstract socket of sequenced packets is bridged record by record'
cat >packets.py <<'END'
import errno, socket
try:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect("\0cijail-packets")
    print(s.recv(100).decode(), end="")
    records = [b"a", b"bc" * 30000, b"d" * 7]
    for r in records: s.send(r)
    print([s.recv(70000) for r in records] == records)
    s.shutdown(socket.SHUT_WR)
    print(s.recv(100))
except OSError as e: print(errno.errorcode[e.errno])
END
run cijail -v -e @cijail-packets -- python3 packets.py
t_eq "$out" "packets $me"$'\nTrue\nb\'\''
t_match "$err" ' cijail: allow unix @cijail-packets$'
run cijail -e @cijail-abstract -- python3 packets.py
t_eq "$out" ECONNREFUSED
run cijail -e @cijail-packets -- python3 say.py @cijail-packets # of another type
t_eq "$out" ECONNREFUSED
serve both1 @cijail-both
serve both2 @cijail-both SEQPACKET
run cijail -e @cijail-both -- sh -c "python3 say.py @cijail-both; sed s/cijail-packets/cijail-both/ packets.py | python3 - | head -n 1"
t_eq "$out" "both1 $me"$'\n'"both2 $me"

t_case 'descriptors do not pass through the bridge'
cat >take.py <<'END'
import socket
s = socket.socket(socket.AF_UNIX); s.bind("\0cijail-take"); s.listen()
open("take.ready", "w").close()
c = s.accept()[0]
data, fds, flags, address = socket.recv_fds(c, 100, 4)
open("take.got", "w").write("%r %d" % (data, len(fds)))
END
python3 take.py >/dev/null 2>&1 </dev/null &
until [[ -e take.ready ]]; do sleep 0.02; done
run cijail -e @cijail-take -- python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect("\0cijail-take"); socket.send_fds(s, [b"x"], [0, 1]); s.recv(1)'
for ((i = 0; i < 100; i++)); do [[ -s take.got ]] && break; sleep 0.02; done
t_eq "$(cat take.got)" "b'x' 0"

if ((EUID == 0)); then
    t_case 'a process of another uid in a root'\''s jail is that uid to every socket, and has its permissions'
    other='setpriv --reuid 12345 --regid 23456 --clear-groups --'
    chmod 755 "$T_TMP"
    # shellcheck disable=SC2086
    {
        run cijail -e "$D/allowed" -- $other python3 say.py "$D/allowed"
        t_eq "$out" 'allowed 12345 23456'
        run cijail -e @cijail-abstract -- $other python3 say.py @cijail-abstract
        t_eq "$out" 'abstract 12345 23456'
        chmod 700 "$D"
        run cijail -e "$D/allowed" -- $other python3 say.py "$D/allowed"
        t_eq "$out" EACCES
        run cijail -e "$D/allowed" -- python3 say.py "$D/allowed"
        t_eq "$out" 'allowed 0 0'
        chown 12345 "$D"
        run cijail -e "$D/allowed" -- setpriv --inh-caps=-all --bounding-set=-all python3 say.py "$D/allowed"
        t_eq "$out" EACCES # root without capabilities
        chown 0:5555 "$D"
        chmod 750 "$D"
        run cijail -e "$D/allowed" -- setpriv --reuid 12345 --regid 23456 --groups 5555 python3 say.py "$D/allowed"
        t_eq "$out" 'allowed 12345 23456' # by a supplementary group
        run cijail -e "$D/allowed" -- sh -c "for i in 1 2 3 4 5; do $other python3 say.py $D/allowed; python3 say.py $D/allowed; done"
        t_count 5 "$out" EACCES
        t_count 5 "$out" 'allowed 0 0'
        chown 0:0 "$D"
        chmod 755 "$D"
        run cijail -- $other python3 own.py
        t_match "$out$err" 'ok|Permission'
    }
    run cijail -- sh -c 'mkdir -m 777 open && cd open && setpriv --reuid 12345 --regid 23456 --clear-groups -- python3 ../own.py'
    t_count 6 "$out" ok
fi

t_case '[netlink]'
cat >netlink.py <<'END'
import errno, socket
for protocol in range(23):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol); print(protocol, "ok")
    except OSError as e: print(protocol, errno.errorcode[e.errno])
for family in 16, 17, 40:
    try:
        socket.socket(family, socket.SOCK_DGRAM, 4); print("family", family, "ok")
    except OSError as e: print("family", family, errno.errorcode[e.errno])
END
run python3 netlink.py
outside=$(grep -E '^[0-9]+ ok' <<<"$out")
run cijail -e '[netlink]' -- python3 netlink.py
t_eq "$(grep -E '^[0-9]+ ok' <<<"$out")" "$outside"
t_match "$out" '^4 ok$'
t_match "$out" '^family 16 ok$'
t_no_match "$out" '^family (17|40) ok$'
run cijail -- python3 netlink.py
t_eq "$(grep -E ' ok$' <<<"$out")" "$(grep -E '^(0|12) ok$' <<<"$outside")"

kill "${servers[@]}" 2>/dev/null
t_done
