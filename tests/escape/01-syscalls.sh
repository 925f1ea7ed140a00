#!/usr/bin/env bash
# System calls that go around the jail's network. More of them: e2e/06-deny.sh (families), e2e/02-tty.sh (TIOCSTI).
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

cat >calls.py <<'END'
"""calls.py NAME...: makes each call, prints "NAME ok" or "NAME ERRNO"."""
import ctypes, errno, os, socket, struct, sys
arm = os.uname().machine == "aarch64"
libc = ctypes.CDLL(None, use_errno=True)
numbers = {  # x86-64, arm64
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "socket": (41, 198), "socketpair": (53, 199)}
def call(name, *arguments):
    arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    r = libc.syscall(ctypes.c_long(numbers[name][arm]), *arguments)
    return "ok" if r >= 0 else errno.errorcode[ctypes.get_errno()]
handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128), 136)
mount_id = ctypes.c_int()
attr = struct.pack("IIQ", 1, 128, 0) + bytes(8) * 3 + struct.pack("Q", 1 | 1 << 5 | 1 << 6) + bytes(80)
program = struct.pack("IIQQ", 1, 2, 0, 0)
attempts = {
    "add_key": lambda: call("add_key", b"user", b"cijail-test", b"secret", 6, -3),
    "request_key": lambda: call("request_key", b"user", b"cijail-test", None, -3),
    "dns_resolver": lambda: call("request_key", b"dns_resolver", b"secret.attacker.test", b"", -3),
    "keyctl": lambda: call("keyctl", 0, -3, 1),
    "bpf": lambda: call("bpf", 0, ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1) + bytes(100)), 72),
    "perf_event_open": lambda: call("perf_event_open", ctypes.create_string_buffer(attr, 128), 0, -1, -1, 0),
    "userfaultfd": lambda: call("userfaultfd", 1),
    "name_to_handle_at": lambda: call("name_to_handle_at", -100, b"/", handle, ctypes.byref(mount_id), 0),
    "open_by_handle_at": lambda: call("open_by_handle_at", -100, handle, 0x200000),
    "kexec_load": lambda: call("kexec_load", 0, 0, None, 0), "kexec_file_load": lambda: call("kexec_file_load", -1, -1, 0, b"", 4),
    "init_module": lambda: call("init_module", b"", 0, b""), "finit_module": lambda: call("finit_module", -1, b"", 0),
    "delete_module": lambda: call("delete_module", b"cijail-none", 0),
    "io_uring_setup": lambda: call("io_uring_setup", 4, ctypes.create_string_buffer(200)),
    "io_uring_enter": lambda: call("io_uring_enter", 0, 0, 0, 0, None, 0),
    "io_uring_register": lambda: call("io_uring_register", -1, 13, None, 0)}
high = 7 << 32
for family in (40, 17, 38, 31, 29, 30, 42, 43, 21, 41, 44, 34):  # vsock packet alg bluetooth can tipc qipcrtr smc rds kcm xdp ieee802154
    for kind in (1, 2, 3, 5):
        name = f"family-{family}-{kind}"
        attempts[name] = lambda f=family, k=kind: call("socket", f, k, 0)
        attempts[name + "-high"] = lambda f=family, k=kind: call("socket", high | f, high | k | 0o2000000, high)
        attempts[name + "-pair"] = lambda f=family, k=kind: call("socketpair", high | f, k, 0, ctypes.create_string_buffer(8))
attempts["internet-packet"] = lambda: call("socket", 2, 10, 0x0300)  # SOCK_PACKET: the kernel makes it AF_PACKET
attempts["internet-packet-high"] = lambda: call("socket", high | 2, high | 10 | 0o2000000, 0x0300)
attempts["protocol-smc"] = lambda: call("socket", 2, 1, 256)
attempts["protocol-smc6"] = lambda: call("socket", high | 10, 1, high | 256)
for name, kind in ("dgram", 2), ("raw", 3):
    for flags in (0, 0o2000000, 0o4000, high):
        attempts[f"unix-{name}-{flags:x}"] = lambda k=kind, f=flags: call("socket", high | 1, k | f, 0)
        attempts[f"unix-{name}-pair-{flags:x}"] = lambda k=kind, f=flags: call("socketpair", 1, k | f, 0, ctypes.create_string_buffer(8))
for kind in (1, 5):
    attempts[f"unix-{kind}"] = lambda k=kind: call("socket", 1, k, 0)
    attempts[f"unix-pair-{kind}"] = lambda k=kind: call("socketpair", 1, k, 0, ctypes.create_string_buffer(8))
for prefix in sys.argv[1:]:
    for name, attempt in attempts.items():
        if name == prefix or prefix.endswith("-") and name.startswith(prefix):
            print(name, attempt())
END
calls() { run cijail -- python3 calls.py "$@"; }

t_case 'the keyring, which is the host user'\''s too, and its upcalls that resolve names'
keys='add_key request_key dns_resolver keyctl'
# shellcheck disable=SC2086 # words
run python3 calls.py $keys
t_match "$out" '^add_key (ok|EDQUOT)$' # the twin: outside it is there
t_match "$out" '^keyctl ok$'
wire_start
# shellcheck disable=SC2086
calls $keys
wire_stop
t_count 4 "$out" '^[a-z_]+ ENOSYS$'
t_eq "$WIRE" ''
# shellcheck disable=SC2086
run cijail -- unshare -Ur python3 calls.py $keys
t_count 4 "$out" '^[a-z_]+ ENOSYS$'

t_case 'bpf, perf, userfaultfd, handles, modules, kexec; in a user namespace of the jail too'
kernel='bpf perf_event_open userfaultfd name_to_handle_at open_by_handle_at kexec_load kexec_file_load init_module
    finit_module delete_module'
# shellcheck disable=SC2086
run python3 calls.py userfaultfd perf_event_open
t_match "$out" '^userfaultfd ok$'
for nested in '' 'unshare -Ur'; do
    # shellcheck disable=SC2086
    run cijail -- $nested python3 calls.py $kernel
    t_count 9 "$out" '^[a-z_]+ EPERM$'
    t_match "$out" '^name_to_handle_at (ok|EOPNOTSUPP|EOVERFLOW)$'
done

t_case 'io_uring answers ENOSYS, in each of its calls'
calls io_uring_setup io_uring_enter io_uring_register
t_count 3 "$out" '^io_uring_[a-z]+ ENOSYS$'

t_case 'families: all of them, whatever stands in the upper halves of the arguments'
calls family-
t_count 144 "$out" '^family-[0-9a-z-]+ EAFNOSUPPORT$'
t_no_match "$out" ' ok$'
calls protocol-smc protocol-smc6
t_count 2 "$out" '^protocol-smc6? EPROTONOSUPPORT$'
run unshare -Urn python3 calls.py internet-packet
t_match "$out" '^internet-packet ok$' # the twin
run cijail -- unshare -Urn python3 calls.py internet-packet internet-packet-
t_count 2 "$out" '^internet-packet(-high)? EAFNOSUPPORT$'

t_case 'datagram sockets of AF_UNIX and pairs of them; streams and seqpackets are free'
calls unix-dgram- unix-raw-
t_count 16 "$out" ' (EPROTONOSUPPORT|EINVAL)$'
t_no_match "$out" ' ok$'
calls unix-1 unix-5 unix-pair-1 unix-pair-5
t_count 4 "$out" ' ok$'

t_case 'calls of another architecture: ENOSYS'
cat >foreign.py <<'END'
import ctypes, errno, mmap, os, signal
libc = ctypes.CDLL(None, use_errno=True)
def x32():
    for number in 41, 53, 42, 425, 39:  # socket, socketpair, connect, io_uring_setup, getpid
        r = libc.syscall(ctypes.c_long(0x40000000 | number), ctypes.c_long(40), ctypes.c_long(1), ctypes.c_long(0))
        print("x32", number, errno.errorcode[ctypes.get_errno()] if r < 0 else "ok", flush=True)
def i386(number):
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # push rbx; mov eax, edi; mov ebx, esi; mov ecx, edx; xor edx, edx; int 0x80; pop rbx; ret
    code.write(b"\x53\x89\xf8\x89\xf3\x89\xd1\x31\xd2\xcd\x80\x5b\xc3")
    f = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    r = f(number, 40, 1)
    return "ok" if r >= 0 else errno.errorcode[-r]
x32()
for number in 20, 359, 360, 362, 102, 425:  # getpid, socket, socketpair, connect, socketcall, io_uring_setup
    pid = os.fork()
    if pid == 0:
        print("i386", number, i386(number), flush=True)
        os._exit(0)
    if os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
        print("i386", number, "ENOSYS")  # the kernel has no such calls
END
if [[ $(uname -m) == x86_64 ]]; then
    run cijail -- python3 foreign.py
    t_count 11 "$out" ' ENOSYS$'
    t_count 11 "$out" '^(x32|i386) '
else
    t_true true
fi

t_case 'nested user, mount and network namespaces work, with the mount interfaces of old and new'
cat >mounts.py <<'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    r = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(number))
    return r
fs = call(430, b"tmpfs", 1)                           # fsopen
call(431, fs, 6, None, None, 0)                       # fsconfig: create
m = call(432, fs, 1, 0)                               # fsmount
call(429, m, b"", -100, b"/mnt", 4)                   # move_mount
open("/mnt/file", "w").write("here")
t = call(428, -100, b"/mnt", 1)                       # open_tree: clone
call(442, t, b"", 0x1000, ctypes.create_string_buffer(b"\1" + bytes(31), 32), 32)  # mount_setattr: read-only
call(429, t, b"", -100, b"/opt", 4)
print(open("/opt/file").read())
try: open("/opt/other", "w"); print("written")
except OSError as e: print(e.errno)
END
run cijail -- unshare -Urm python3 mounts.py
t_eq "$out" $'here\n30'
run cijail -- unshare -Urmpf sh -c 'mount -t tmpfs none /mnt && touch /mnt/x && ls /mnt && id -u'
t_eq "$out" $'x\n0'
run cijail -- unshare -Urn sh -c 'ip link set lo up && ip link add d0 type veth peer name d1 && ip -o link | wc -l'
t_eq "$out" 3

t_case 'bubblewrap in the jail, and the jail holds in it'
box='bwrap --bind / / --dev /dev --unshare-user --unshare-ipc --unshare-uts --die-with-parent'
# shellcheck disable=SC2086
{
    run cijail -e https://registry.example/pkg/ -- $box curl -sS https://registry.example/pkg/lodash
    t_eq "$out" 'a package'
    run cijail -- $box --unshare-net sh -c 'ip -o link | wc -l'
    t_eq "$out" 1
    run cijail -- $box python3 calls.py keyctl bpf unix-dgram-0 family-40-1
    t_eq "$out" $'keyctl ENOSYS\nbpf EPERM\nunix-dgram-0 EPROTONOSUPPORT\nfamily-40-1 EAFNOSUPPORT'
    run cijail -- $box python3 "$T_LIB/connect.py" unix /run/docker.sock 0
    t_no_match "$out" connected
    run cijail -- $box python3 "$T_LIB/connect.py" tcp 198.51.100.66 443
    t_match "$out" '^ENETUNREACH'
}
if ((EUID)); then # root's jail has no procfs of its own to give
    run cijail -- bwrap --ro-bind / / --proc /proc --dev /dev --unshare-pid --unshare-user sh -c 'ls /proc | grep -c "^[0-9]"'
    t_assert "processes: $out" test "$out" -le 4
fi

t_case 'a filter of the command'\''s own comes on top'
run cijail -- python3 "$T_LIB/deny-syscall.py" "$([[ $(uname -m) == x86_64 ]] && echo 83 || echo 34)" 1 \
    python3 calls.py keyctl userfaultfd
t_eq "$out" $'keyctl ENOSYS\nuserfaultfd EPERM'

t_done
