#!/usr/bin/env bash
# Unix sockets of the host. More: e2e/14-unix.sh (links, memory and descriptors that change while they are judged, lent
# names, chroots, addresses of another family), e2e/06-deny.sh (what is covered).
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

cat >reach.py <<'END'
"""reach.py PATH...: connects in each way, prints "PATH WAY RESULT" of those that were reached, then "end"."""
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, way, f):
    try: f(); print(what, way, "reached")
    except OSError: pass
def connect(address, kind):
    s = socket.socket(socket.AF_UNIX, kind); s.settimeout(5); s.connect(address); return s
for path in sys.argv[1:]:
    if path.startswith("@"):
        for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET: attempt(path, kind, lambda: connect("\0" + path[1:], kind))
        continue
    for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET: attempt(path, kind, lambda: connect(path, kind))
    folder, name = os.path.split(path)
    def relative(): os.chdir(folder); connect(name, socket.SOCK_STREAM)
    def by_fd(flags):
        fd = os.open(path, os.O_PATH); connect(f"/proc/{flags}/fd/{fd}", socket.SOCK_STREAM)
    def by_handle():  # below what is covered
        h, m = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128)), ctypes.c_int()
        arm = os.uname().machine == "aarch64"
        if libc.syscall(264 if arm else 303, -100, path.encode(), h, ctypes.byref(m), 0): raise OSError
        fd = libc.syscall(265 if arm else 304, os.open("/", os.O_RDONLY), h, os.O_PATH)
        if fd < 0: raise OSError
        connect(f"/proc/self/fd/{fd}", socket.SOCK_STREAM)
    for way, f in ("relative", relative), ("fd", lambda: by_fd("self")), ("fd of pid", lambda: by_fd(os.getpid())), ("handle", by_handle), \
            ("root", lambda: connect("/proc/self/root" + path, socket.SOCK_STREAM)), ("init's root", lambda: connect("/proc/1/root" + path, socket.SOCK_STREAM)), \
            ("hard link", lambda: (os.link(path, "linked"), connect("linked", socket.SOCK_STREAM))), \
            ("non-blocking", lambda: connect(path, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)):
        attempt(path, way, f)
print("end")
END
H=$T_TMP/home R=$T_TMP/runtime
install -d -m 700 "$H/.gnupg" "$R/gnupg" "$R/podman" "$R/systemd" "$T_TMP/x11"
paths=("$T_TMP/ssh-agent.1" "$H/.gnupg/S.gpg-agent" "$H/.gnupg/S.dirmngr" "$R/gnupg/S.gpg-agent.ssh" "$R/bus" "$R/podman/podman.sock"
    "$R/systemd/private" "$R/wayland-0" "$T_TMP/x11/X0" "$R/keyring.ssh" "$R/pulse.native")
python3 "$T_SRC/tests/net/sockets.py" "${paths[@]}" >sockets.out 2>&1 </dev/null &
python3 -c '
import os, socket, time
s = [socket.socket(socket.AF_UNIX) for _ in range(3)]
for x, name in zip(s, ("/tmp/.X11-unix/X0", "/tmp/dbus-test", "/containerd-shim/test")): x.bind("\0" + name); x.listen()
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind("notify"); os.chmod("notify", 0o777)
open("abstract.ready", "w").close()
d.settimeout(250)
try: open("notified", "wb").write(d.recv(1000))
except OSError: pass' >/dev/null 2>&1 </dev/null &
for ((i = 0; i < 200; i++)); do grep -qs ready sockets.out && [[ -e abstract.ready ]] && break; sleep 0.02; done
all=("${paths[@]}" @/tmp/.X11-unix/X0 @/tmp/dbus-test @/containerd-shim/test)
system=(/run/docker.sock /run/dbus/system_bus_socket /run/systemd/resolve/io.systemd.Resolve)

t_case 'agents, buses, displays and engines: in no way, of no kind; each is a line of the log'
run python3 reach.py "${all[@]}" "${system[@]}"
for path in "${all[@]}" "${system[@]}"; do t_match "$out" "^$path (1|SocketKind.SOCK_STREAM) reached\$"; done # the twins
rm -f linked
run cijail -- python3 reach.py "${all[@]}" "${system[@]}"
t_eq "$out" end
for path in "${paths[@]}"; do t_match "$err" " cijail: deny unix $path( |\$)"; done
# shellcheck disable=SC2086
for nested in 'unshare -Ur' 'unshare -Urm' 'unshare -Urn' 'bwrap --bind / / --dev /dev --unshare-user'; do
    run cijail -q -- $nested python3 reach.py "${paths[@]}" "${system[@]}"
    t_eq "$out" end
done
run cijail -v -e "$R/bus" -- python3 reach.py "${paths[@]}"
t_no_match "$(grep -v "^$R/bus " <<<"$out")" reached
t_match "$out" "^$R/bus .*reached\$"

t_case 'no datagram gets to the host: NOTIFY_SOCKET, syslog, journald, a pair as a way around'
cat >notify.py <<'END'
import array, errno, os, socket
for make in lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0], \
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_RAW), lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0], \
        lambda: socket.socketpair()[0], lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET):
    for path in "notify", "/dev/log", "/run/systemd/journal/socket", "/run/systemd/notify":
        try:
            s = make(); s.sendto(b"stolen", path); print("sent", path)
        except OSError as e: pass
        try:
            s = make(); s.sendmsg([b"stolen"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))], 0, path); print("sent", path)
        except OSError as e: pass
print("end")
END
run cijail -- sh -c 'python3 notify.py; systemd-notify --ready 2>/dev/null; logger stolen 2>/dev/null; true'
t_false test -s notified
run python3 notify.py
for ((i = 0; i < 100; i++)); do [[ -s notified ]] && break; sleep 0.02; done
t_eq "$(cat notified)" stolen # the twin

t_case 'races: the socket'\''s folder and the socket itself are exchanged while connect(2) is judged'
cat >race.py <<'END'
import ctypes, os, socket, sys, threading, time
kind, bad = sys.argv[1:3]
libc = ctypes.CDLL(None, use_errno=True)
for d in "race-a", "race-b": os.makedirs(d, exist_ok=True)
listener = socket.socket(socket.AF_UNIX); listener.bind("race-a/s"); listener.listen(4096)
os.symlink(bad, "race-b/s")
stop = False
def accept():
    while True:
        try: listener.accept()[0].close()
        except OSError: return
def exchange(a, b): libc.syscall(276 if os.uname().machine == "aarch64" else 316, -100, a, -100, b, 2)  # renameat2 RENAME_EXCHANGE
def flip():
    while not stop:
        if kind == "folder": exchange(b"race-a", b"race-b")
        elif kind == "name": exchange(b"race-a/s", b"race-b/s")
        else:  # the working directory
            for d in "race-a", "race-b": os.chdir(os.path.join(top, d))
top = os.getcwd()
for f in accept, flip: threading.Thread(target=f, daemon=True).start()
path = "s" if kind == "directory" else "race-a/s"
end, n = time.time() + 1.5, {}
while time.time() < end:
    s = socket.socket(socket.AF_UNIX)
    try: s.connect(path); r = "free"
    except OSError as e: r = "denied"
    n[r] = n.get(r, 0) + 1
    s.close()
stop = True
print("free", n.get("free", 0) > 20, "denied", n.get("denied", 0) > 20)
END
cat >count.py <<'END'
import socket, sys, threading
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(4096)
open("count.ready", "w").close()
while True:
    s.accept()
    open("counted", "a").write("reached\n")
END
python3 count.py "$T_TMP/counting" >/dev/null 2>&1 </dev/null &
for ((i = 0; i < 200; i++)); do [[ -e count.ready ]] && break; sleep 0.02; done
: >counted
for kind in folder name directory; do
    rm -rf race-a race-b
    run cijail -q -- python3 race.py $kind "$T_TMP/counting"
    t_eq "$out" 'free True denied True'
    t_eq "$(cat counted)" ''
done
run python3 reach.py "$T_TMP/counting"
t_match "$out" reached
t_match "$(cat counted)" reached # the twin

t_case 'a socket of the host'\''s network that somebody passed in cannot be connected'
cat >give.py <<'END'
import os, socket, time
while True:
    try: c = socket.socket(socket.AF_UNIX); c.connect("take"); break
    except OSError: time.sleep(0.02)
s = [socket.socket(f, k) for f, k in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_STREAM),
    (socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_DGRAM))]
socket.send_fds(c, [b"x"], [x.fileno() for x in s])
c.recv(1)
END
cat >take.py <<'END'
import errno, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind("take"); s.listen()
fds = socket.recv_fds(s.accept()[0], 10, 10)[1]
for fd, address in zip(fds, (("198.51.100.66", 443), ("198.51.100.66", 443), ("2001:db8:10::66", 443), sys.argv[1], "notify")):
    try: socket.socket(fileno=fd).connect(address); print("connected")
    except OSError as e: print(errno.errorcode[e.errno])
END
python3 give.py >/dev/null 2>&1 </dev/null &
wire_start
run cijail -- python3 take.py "$T_TMP/counting"
wire_stop
t_count 5 "$out" '^ENETUNREACH$'
t_eq "$WIRE" ''
rm -f take
python3 give.py >/dev/null 2>&1 </dev/null &
run python3 take.py "$T_TMP/counting"
t_count 4 "$out" '^connected$' # the twin; nobody is at "notify" any more

# shellcheck disable=SC2046
kill $(jobs -p) 2>/dev/null
t_done
