#!/usr/bin/env bash
# The host's processes, devices, kernel knobs and automounters. More: e2e/06-deny.sh (ptrace, /proc/1), e2e/01-basic.sh
# (a killed supervisor ends the jail).
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

t_case 'memory, descriptors and signals of init, of the supervisor and of the proxies'
cat >processes.py <<'END'
import ctypes, errno, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
arm = os.uname().machine == "aarch64"
class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(8)
local = iovec(ctypes.addressof(buffer), 8)
def call(x86, arm64, *arguments):
    r = libc.syscall(ctypes.c_long(arm64 if arm else x86), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return f"ok {r}" if r >= 0 else errno.errorcode[ctypes.get_errno()]
def kill(pid):
    try: os.kill(pid, 0); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
def opened(path):
    try: return f"ok {len(open(path, 'rb').read(1))}"
    except OSError as e: return errno.errorcode[e.errno]
while not os.path.exists("pids"): time.sleep(0.02)
for pid in [1] * (len(sys.argv) == 1) + [int(p) for p in open("pids").read().split()]:
    who = "init" if pid == 1 else "other"
    remote = iovec(ctypes.addressof(buffer), 8)
    print(who, "writev", call(311, 271, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0))
    print(who, "readv", call(310, 270, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0))
    print(who, "ptrace", call(101, 117, 16, pid, 0, 0))
    print(who, "seize", call(101, 117, 0x4206, pid, 0, 0))
    fd = libc.syscall(434, pid, 0)
    print(who, "getfd", call(438, 438, fd, 0, 0))
    print(who, "setns", call(308, 268, fd, 0x40000000))
    print(who, "mem", opened(f"/proc/{pid}/mem"))
    print(who, "kcmp", call(312, 272, os.getpid(), pid, 2, 0, 0))
    if pid != 1: print(who, "kill", kill(pid))
END
cijail -- sh -c 'curl -s registry.example; dig +tries=1 registry.example; exec python3 processes.py' >processes.out 2>&1 </dev/null &
supervisor=$!
for ((i = 0; i < 200; i++)); do [[ $(pgrep -cx "cijail-(httpprox|dnsproxy)") == 2 && $(pgrep -cf processes.py) -ge 2 ]] && break; sleep 0.05; done
{ echo $supervisor; pgrep -x cijail-httpprox; pgrep -x cijail-dnsproxy; } >pids.new
t_eq "$(wc -l <pids.new)" 3
mv pids.new pids
wait $supervisor
out=$(cat processes.out)
t_count 8 "$out" '^init [a-z]+ (EPERM|EACCES|EBADF)$'
t_count 27 "$out" '^other [a-z]+ (EPERM|EACCES|EBADF|ESRCH|ENOENT|EINVAL)$'
t_no_match "$out" ' ok'
sleep 60 & # the twin, with a process of one's own
echo $! >pids
run python3 processes.py twin
t_match "$out" '^other kill ok$'
kill -9 "$(cat pids)"
wait 2>/dev/null

t_case 'a proxy that is killed ends the jail'\''s network: nothing goes past it, and the log says so'
cat >orphaned.sh <<'END'
curl -sS https://registry.example/pkg/lodash; dig +short +tries=1 registry.example
touch before.done
while [ ! -e killed ]; do sleep 0.02; done
curl -sS -m 5 https://registry.example/pkg/lodash && echo reached
curl -sS -m 5 --noproxy '*' https://registry.example/pkg/lodash && echo reached
python3 "$T_LIB/connect.py" tcp 198.51.100.10 443
dig +short +tries=1 +time=2 registry.example
echo end
END
for proxy in httpproxy dnsproxy; do
    rm -f before.done killed
    T_LIB=$T_LIB cijail -e https://registry.example/ -- sh orphaned.sh >orphaned.out 2>orphaned.err </dev/null &
    pid=$!
    for ((i = 0; i < 400; i++)); do [[ -e before.done ]] && break; sleep 0.02; done
    name=cijail-$proxy # the kernel keeps 15 characters of it
    kill -9 "$(pgrep -x "${name:0:15}")"
    for ((i = 0; i < 200; i++)); do grep -q 'network has ended' orphaned.err && break; sleep 0.02; done
    wire_start
    touch killed
    wait $pid
    wire_stop
    out=$(cat orphaned.out) err=$(cat orphaned.err)
    t_match "$out" '^a package$'
    t_count 1 "$out" '^198\.51\.100\.10$'
    t_match "$out" '^end$'
    t_no_match "$out" '^(reached|connected)'
    t_match "$err" "$name was killed by signal 9 .*the jail's network has ended"
    t_eq "$WIRE" ''
done

t_case 'memory and ports of the machine, its kernel'\''s log'
# shellcheck disable=SC2016
run cijail -- sh -c 'for f in /dev/mem /dev/port /dev/kmem /proc/kcore /dev/nvram; do head -c 1 $f >/dev/null 2>&1 && echo "$f read"; done
    echo forged >/dev/kmsg && echo "kmsg written"; dd if=/dev/kmsg bs=8192 count=1 iflag=nonblock 2>/dev/null | wc -c; true'
t_eq "$out" 0

# A /dev of the test's own, with files in the place of devices.
cat >devices.sh <<'END'
devices="vhost-vsock vsock vhost-net vmci vboxguest vboxuser uinput uhid vhci hfi1_0 infiniband/uverbs0"
mkdir -p dev/infiniband
for d in $devices; do echo device >dev/$d; done
for d in null zero full random urandom tty; do : >dev/$d && mount --bind /dev/$d dev/$d; done
ln -sf /proc/self/fd dev/fd
mount --rbind dev /dev
cat $(for d in $devices; do echo /dev/$d; done) | sort | uniq -c
setpriv --inh-caps=-all --ambient-caps=-all cijail -- sh -c 'echo inside; ls -A /dev/infiniband; cat /dev/v* /dev/u[hi]* /dev/h* /dev/infiniband/* 2>/dev/null;
    for d in vhost-vsock vhost-net uinput; do python3 -c "open(\"/dev/$d\", \"r+\")" && echo opened; done; echo x >/dev/null && echo null'
END
t_case 'devices that are ways to the hypervisor, to other machines, to keyboards'
run unshare --user --map-current-user --keep-caps --mount bash devices.sh
t_eq "$out" $'     11 device\ninside\nnull'

t_case 'knobs of /proc, as root too: all that is of no process is read-only'
cat >knobs.py <<'END'
import os
for top, folders, files in os.walk("/proc"):
    if top == "/proc":
        folders[:] = [d for d in folders if not d.isdigit() and not os.path.islink("/proc/" + d)]
    for name in files:
        path = os.path.join(top, name)
        try:
            if os.path.islink(path) or not os.stat(path).st_mode & 0o222: continue
            os.close(os.open(path, os.O_WRONLY))
            print("writable", path)
        except OSError: pass
print("done")
END
run cijail -- python3 knobs.py
t_match "$out" '^done$'
if ((EUID)); then
    # Those can be opened by anybody; writing gives a notice, or asks for a capability.
    t_no_match "$(grep -vE '/proc/(pressure/|sys/kernel/ns_last_pid)' <<<"$out")" writable
else
    t_no_match "$out" writable
    run python3 knobs.py
    t_match "$out" '^writable /proc/sys/' # the twin
    run cijail -- sh -c 'mount -o remount,rw,bind /proc/sys; umount /proc/sys; unshare -Urm mount -o remount,rw,bind /proc/sys;
        unshare -Urm umount /proc/sys; unshare -Urmpf mount -t proc proc /proc && echo mounted; sysctl -w kernel.printk="4 4 1 7" && echo written'
    t_eq "$out" ''
fi

# The daemon writes down what it is asked for, and answers that it is not there.
cat >automount.py <<'END'
import ctypes, fcntl, os, struct, sys
place, asked = sys.argv[1:3]
r, w = os.pipe()
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={w},pgrp={os.getpgrp()},minproto=5,maxproto=5,indirect".encode()
if libc.mount(b"-hosts", place.encode(), b"autofs", 0, options):
    sys.exit(os.strerror(ctypes.get_errno()))
os.close(w)
if len(sys.argv) > 3:  # something that has been mounted already
    os.mkdir(place + "/mounted")
    libc.mount(b"tmpfs", (place + "/mounted").encode(), b"tmpfs", 0, None)
    open(place + "/mounted/file", "w").write("kept\n")
root = os.open(place, os.O_RDONLY)
open(asked, "w").close()
while True:
    packet = os.read(r, 300)
    kind, token, dev, ino, uid, gid, pid, tgid, n = struct.unpack("=4xI I I Q I I I I I", packet[:44])
    with open(asked, "a") as f: f.write(packet[44:44 + n].decode() + "\n")
    fcntl.ioctl(root, 0x9361, token)  # AUTOFS_IOC_FAIL
END
if ((EUID == 0)); then
    t_case 'an automounter that takes names for hosts (/net): not asked by the jail'
    mkdir net
    setsid python3 automount.py "$T_TMP/net" "$T_TMP/asked" mounted >automount.out 2>&1 </dev/null &
    daemon=$!
    for ((i = 0; i < 200; i++)); do [[ -e asked ]] && break; sleep 0.02; done
    T_LIMIT=10 run cat net/twin.example/file
    t_match "$(cat asked automount.out)" '^twin\.example$'
    T_LIMIT=10 run cijail -- sh -c 'cat net/secret.attacker.test/file; ls -A net; cat net/mounted/file; touch net/x;
        unshare -Urm sh -c "umount net; cat net/secret2.attacker.test/file"'
    t_eq "$out" $'mounted\nkept'
    t_eq "$(cat asked)" twin.example
    umount net/mounted
    umount -l net
    kill $daemon 2>/dev/null
fi

t_done
