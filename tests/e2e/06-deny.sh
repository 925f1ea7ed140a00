#!/usr/bin/env bash
# What is not DNS and not the proxy: rejected at once and logged; and what else the jail must not reach.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
# Ports of URLs are another matter: 11-transparent.sh.
connect() { run cijail -e https://registry.example:8443/ -- python3 "$T_LIB/connect.py" "$@"; }
soon='[0-9]{1,3}' # in milliseconds; a timeout would be seconds
[[ -z ${T_SLOW:-} ]] || soon='[0-9]{1,4}'

t_case 'a TCP connect to an address fails with ENETUNREACH, at once, and is logged'
for target in '198.51.100.66 443' '198.51.100.10 443' '198.51.100.10 80' '203.0.113.5 22' '10.1.2.3 5432' \
    '169.254.169.254 80' '192.0.2.10 80' '192.0.2.1 80' '192.0.0.1 22' '192.0.0.1 443'; do
    wire_start
    # shellcheck disable=SC2086
    connect tcp $target
    wire_stop
    t_match "$out" "^ENETUNREACH $soon\$"
    t_match "$err" "deny connect ${target/ /:}\$"
    t_denials 1
    t_eq "$WIRE" ''
done

t_case 'over IPv6 as well'
for target in 2001:db8:10::66 2001:db8:10::10 2001:db8:0:2::10 fd00::1; do
    wire_start
    connect tcp $target 443
    wire_stop
    t_match "$out" "^ENETUNREACH $soon\$"
    t_match "$err" "deny connect \\[$target\\]:443\$"
    t_eq "$WIRE" ''
done

t_case 'the twin: without a jail, the same addresses answer'
for target in '198.51.100.66 443' '198.51.100.10 80' '2001:db8:10::66 443'; do
    # shellcheck disable=SC2086
    run python3 "$T_LIB/connect.py" tcp $target
    t_match "$out" '^connected'
done

t_case 'UDP'
for target in '198.51.100.10 443' '203.0.113.5 53' '203.0.113.5 123' '2001:db8:10::10 443'; do
    for kind in udp udpto; do
        wire_start
        # shellcheck disable=SC2086
        connect $kind $target
        wire_stop
        t_match "$out" '^(ENETUNREACH|EHOSTUNREACH|EACCES|ECONNREFUSED) [0-9]{1,3}$'
        t_match "$err" 'deny connect'
        t_eq "$WIRE" ''
    done
done

t_case 'multicast and broadcast'
for target in '224.0.0.251 5353' '255.255.255.255 67' '192.0.0.7 9' 'ff02::fb 5353'; do
    wire_start
    # shellcheck disable=SC2086
    connect udp $target
    wire_stop
    t_no_match "$out" '^answer'
    t_eq "$WIRE" ''
done

t_case 'ICMP and raw IP'
wire_start
for kind in ping raw; do
    for target in 198.51.100.10 2001:db8:10::10; do
        connect $kind $target 0
        t_no_match "$out" '^(answer|timeout)'
    done
done
wire_stop
t_no_match "$WIRE" 'ICMP'

t_case 'the gateway itself: nothing but DNS and the proxy, no answer to a ping'
for port in 1 22 80 443 3127 8080 65535; do
    connect tcp 192.0.0.1 $port
    t_match "$out" '^ENETUNREACH'
done
for port in 53 3128; do
    connect tcp 192.0.0.1 $port
    t_match "$out" '^connected'
done

t_case 'without any endpoint too'
run cijail -- python3 "$T_LIB/connect.py" tcp 198.51.100.66 443
t_match "$out" "^ENETUNREACH $soon\$"
t_denials 1

t_case 'a thousand rejects in a row are all at once'
cat >many.py <<'END'
import errno, socket, time
start, bad = time.monotonic(), 0
for i in range(1000):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, b"\x05" + b"\0" * 15)
    try:
        s.connect(("198.51.100.66", 1000 + i))
        bad += 1
    except OSError as e:
        bad += e.errno != errno.ENETUNREACH
    s.close()
print("bad", bad, "fast", time.monotonic() - start < 10)
END
run cijail -- python3 many.py
t_eq "$out" 'bad 0 fast True'

t_case 'the jail'\''s own loopback is free'
run cijail -- python3 -c '
import socket
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "127.1.2.3")):
    server = socket.create_server((address, 0), family=family)
    client = socket.create_connection(server.getsockname()[:2])
    server.accept()[0].sendall(b"hello")
    print(client.recv(5))
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    a = socket.socket(family, socket.SOCK_DGRAM); a.bind((address, 0))
    b = socket.socket(family, socket.SOCK_DGRAM); b.sendto(b"hello", a.getsockname()); print(a.recv(5))'
t_count 5 "$out" "b'hello'"

cat >server.py <<'END'
import os, socket, sys, time
a = socket.create_server(("127.0.0.1", 7777))
b = socket.create_server(("::1", 7777), family=socket.AF_INET6)
c = socket.create_server(("192.0.2.10", 7777))
d = socket.socket(socket.AF_UNIX); d.bind("\0cijail-test-abstract"); d.listen()
open("server.ready", "w").close()
time.sleep(300)
END
python3 server.py &
server=$!
for ((i = 0; i < 200; i++)); do [[ -e server.ready ]] && break; sleep 0.05; done

t_case 'the host'\''s loopback, its own addresses and its abstract unix sockets are not reachable'
for what in 'tcp 127.0.0.1 7777' 'tcp ::1 7777' 'tcp 192.0.2.10 7777' 'unix @cijail-test-abstract 0'; do
    # shellcheck disable=SC2086
    run python3 "$T_LIB/connect.py" $what
    t_match "$out" '^connected'
    # shellcheck disable=SC2086
    connect $what
    t_match "$out" '^(ECONNREFUSED|ENETUNREACH|EACCES|EPERM) [0-9]{1,3}$'
done
kill $server
wait $server 2>/dev/null

t_case '/proc shows only the jail'
run cijail -- sh -c 'ls /proc | grep -c "^[0-9]"; ps ax -o args='
t_assert "processes: $out" test "$(head -n 1 <<<"$out")" -le 8
t_no_match "$out" '(nginx|nsd|origin\.py|cijail-dnsproxy|cijail-httpproxy)'

t_case 'the processes of cijail cannot be read, traced or signalled'
cat >outer.py <<'END'
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
os.kill
print("ptrace", libc.ptrace(16, 1, 0, 0), errno.errorcode.get(ctypes.get_errno()))
for path in ("/proc/1/mem", "/proc/1/environ", "/proc/1/root", "/proc/1/fd/0", "/proc/1/fd/3", "/proc/1/ns/net"):
    try:
        os.readlink(path) if path.endswith(("root", "net", "0", "3")) else open(path, "rb").read(1)
        print(path, "read")
    except OSError as e:
        print(path, errno.errorcode[e.errno])
try:
    os.kill(1, 9)
    os.kill(1, 15)
except OSError as e:
    print("kill", errno.errorcode[e.errno])
print("alive")
END
run cijail -- python3 outer.py
t_match "$out" '^ptrace -1 EPERM'
t_no_match "$out" ' read$'
t_match "$out" '^alive$'
t_status 0

t_case 'no capability over the jail'\''s network, and none at all as a user'
run cijail -- cat /proc/self/status
if ((EUID)); then
    t_match "$out" '^CapEff:.0000000000000000$'
    t_match "$out" '^CapPrm:.0000000000000000$'
    t_match "$out" '^CapAmb:.0000000000000000$'
fi
t_match "$out" '^Uid:.'"$EUID"
t_match "$out" '^Seccomp:.2$'
for command in 'ip link set jail0 down' 'ip link set lo down' 'ip route add 203.0.113.0/24 via 192.0.0.1' \
    'ip address add 192.0.2.99/24 dev jail0' 'ip route del default' 'ip link add d type dummy' 'nft list ruleset' \
    'nft flush ruleset' 'nft add table inet x' 'sysctl -w net.ipv4.ip_forward=1' 'mount -t tmpfs none /mnt' \
    'umount /etc/resolv.conf' 'umount -l /proc' 'hostname x' 'nsenter --net=/proc/1/ns/net true' \
    'nsenter -t 1 -a true' 'tcpdump -c 1 -i jail0' 'ip netns add x'; do
    # shellcheck disable=SC2086
    run cijail -- $command
    t_assert "$command succeeded" test "$status" != 0
done
run cijail -- ip address show jail0
t_status 0
t_match "$out" '192\.0\.0\.2/29'

t_case 'a user namespace made in the jail gives no more'
run cijail -- unshare -Urn sh -c 'ip link set lo up; ip link add v type veth peer name w; ip -o link; python3 '"$T_LIB"'/connect.py tcp 198.51.100.66 443'
t_no_match "$out" '^connected'
run cijail -- unshare -Ur sh -c 'ip link set jail0 down; nft list ruleset; umount /etc/resolv.conf; cat /etc/resolv.conf; python3 '"$T_LIB"'/connect.py tcp 198.51.100.66 443'
t_no_match "$out" '^connected'

t_case 'kernel knobs are read-only, as root too'
for file in /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/vm/drop_caches /proc/sysrq-trigger \
    /proc/sys/net/ipv4/ip_forward /sys/kernel/uevent_helper /proc/sys/kernel/modprobe /sys/kernel/mm/ksm/run; do
    [[ -e $file ]] || continue
    run cijail -- sh -c "cat $file 2>/dev/null | head -c 100 >value; cat value >$file"
    t_assert "$file was written" test "$status" != 0
done

t_case 'socket families, datagrams of AF_UNIX and io_uring are refused; what builds use is not'
cat >families.py <<'END'
import ctypes, errno, os, socket
def attempt(name, f):
    try:
        f()
        print(name, "ok")
    except OSError as e:
        print(name, errno.errorcode.get(e.errno, e))
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
for family in (3, 4, 5, 9, 15, 17, 20, 21, 26, 29, 30, 31, 32, 33, 34, 36, 37, 38, 39, 40, 41, 43, 44, 45, 46):
    attempt(f"family-{family}", lambda: call(41, family, socket.SOCK_DGRAM, 0) if os.uname().machine == "x86_64" else socket.socket(family, socket.SOCK_DGRAM))
attempt("unix-dgram", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
attempt("unix-dgram-pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
attempt("unix-stream", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
attempt("unix-stream-pair", lambda: socket.socketpair())
attempt("unix-seqpacket-pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
attempt("netlink-route", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
for protocol in (1, 2, 4, 9, 12, 15, 16):
    attempt(f"netlink-{protocol}", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
attempt("io_uring", lambda: call(425, 4, ctypes.create_string_buffer(200)))
END
run cijail -- python3 families.py
t_match "$out" '^unix-stream ok'
t_match "$out" '^unix-stream-pair ok'
t_match "$out" '^netlink-route ok'
for refused in unix-dgram unix-dgram-pair netlink-2 netlink-4 netlink-9 netlink-15 netlink-16; do
    t_no_match "$out" "^$refused ok"
done

t_no_match "$out" '^family-[0-9]+ ok'
t_match "$out" '^io_uring ENOSYS'

t_case 'systemd, D-Bus and the like are covered'
for path in /run/dbus/system_bus_socket /run/systemd/resolve/io.systemd.Resolve; do
    run python3 "$T_LIB/connect.py" unix $path 0
    t_match "$out" '^connected'
    connect unix $path 0
    t_match "$out" '^[A-Z]+ [0-9]{1,3}$'
done

t_case 'the container engine is denied, and it is in the log; the twin names it'
connect unix /run/docker.sock 0
t_match "$out" "^ENETUNREACH $soon\$"
t_count 1 "$err" '^\[[^]]+\] cijail: deny unix /run/docker\.sock$'
run cijail -e /run/docker.sock -- python3 "$T_LIB/connect.py" unix /run/docker.sock 0
t_match "$out" '^connected'

t_done
