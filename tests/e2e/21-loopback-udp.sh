#!/usr/bin/env bash
# UDP to the host's loopback in the jail: 127.0.0.1:PORT, [::1]:PORT, networks of 127.0.0.0/8.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dial=$T_LIB/connect.py

# server.py NAME ADDRESS PORT [MODE]: touches NAME.ready; sends back each datagram, and writes its length to NAME.log.
# MODE sink: sends nothing. MODE one: connects to the first client. MODE v6only: IPV6_V6ONLY.
cat >server.py <<'END'
import socket, sys
name, address, port, mode = sys.argv[1], sys.argv[2], int(sys.argv[3]), (sys.argv + [""])[4]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
if s.family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, mode == "v6only")
s.bind((address, port))
log, first = open(name + ".log", "a"), True
open(name + ".ready", "w").close()
while True:
    data, peer = s.recvfrom(65536)
    if mode == "one" and first:
        s.connect(peer)
    first = False
    log.write("%d\n" % len(data))
    log.flush()
    if mode != "sink":
        s.send(data) if mode == "one" else s.sendto(data, peer)
END
servers=()
serve() { # NAME ADDRESS PORT [MODE]
    local i
    python3 server.py "$@" >/dev/null 2>"$1.err" </dev/null &
    servers+=($!)
    for ((i = 0; i < 200; i++)); do [[ -e $1.ready ]] && return; sleep 0.05; done
    t_fail "server $1: $(cat "$1.err")"
}
serve four 127.0.0.1 7001
serve six ::1 7002
serve two 127.0.0.2 7003
serve any 0.0.0.0 7004
serve dual :: 7005
serve only :: 7006 v6only

t_case 'a UDP port of the host'\''s loopback, at the same address; logged with -v, once a flow'
run cijail -v -e 127.0.0.1:7001 -- python3 "$T_LIB/udp.py" 127.0.0.1 7001 5 5 5
t_count 3 "$out" '^5 True$'
t_match "$err" ' cijail: allow connect 127\.0\.0\.1:7001$'
t_match "$err" ' cijail: 1 allowed, 0 denied$'
run cijail -v -e '[::1]:7002' -- python3 "$T_LIB/udp.py" ::1 7002 5 5 5
t_count 3 "$out" '^5 True$'
t_match "$err" ' cijail: allow connect \[::1\]:7002$'
t_match "$err" ' cijail: 1 allowed, 0 denied$'

t_case 'the log in JSON'
run cijail -v --log-format json -e 127.0.0.1:7001 -- python3 "$T_LIB/udp.py" 127.0.0.1 7001 5
run python3 -c 'import json, sys
o = json.loads(sys.argv[1]); print(*[o.get(k) for k in ("decision", "kind", "address", "port", "protocol", "endpoint")])' "$err"
t_eq "$out" 'allow connect 127.0.0.1 7001 udp 127.0.0.1:7001'

t_case 'the twins: no endpoint, another port, another address, the other family, --allow-loopback, a dry run'
for words in 'registry.example' '127.0.0.1:7002' '127.0.0.2:7001' '[::1]:7001'; do
    run cijail -e "$words" -- python3 "$dial" udp 127.0.0.1 7001
    t_match "$out" '^ECONNREFUSED'
done
for words in 'registry.example' '127.0.0.1:7002' '[::1]:7001'; do
    run cijail -e "$words" -- python3 "$dial" udp ::1 7002
    t_match "$out" '^ECONNREFUSED'
done
run cijail --allow-loopback -- python3 "$dial" udp 127.0.0.1 7001 # that is TCP alone
t_match "$out" '^ECONNREFUSED'
run cijail --dry-run -- python3 "$dial" udp 127.0.0.1 7001
t_match "$out" '^ECONNREFUSED'
run cijail --dry-run -e 127.0.0.1:7001 -- python3 "$dial" udp 127.0.0.1 7001
t_match "$out" '^answer'

t_case 'at that address alone: not at the jail'\''s other addresses'
run cijail -e 127.0.0.1:7004 -- sh -c "for a in 127.0.0.1 127.0.0.2 192.0.0.2; do python3 $dial udp \$a 7004; done"
t_match "$out" '^answer'
t_count 2 "$out" '^ECONNREFUSED'

t_case 'other addresses of 127.0.0.0/8, and networks of it'
for word in 127.0.0.2:7003 127.0.0.0/8:7003 127.0.0.0/30:7003; do
    run cijail -e $word -- python3 "$T_LIB/udp.py" 127.0.0.2 7003 5
    t_eq "$out" '5 True'
done
for word in 127.0.1.0/24:7003 127.0.0.0/8:7001; do
    run cijail -e $word -- python3 "$T_LIB/udp.py" 127.0.0.2 7003 5
    t_eq "$out" '5 ECONNREFUSED'
done

t_case 'what is bound to the wildcard address is at the loopback too'
for target in '127.0.0.1:7004 127.0.0.1 7004' '127.0.0.1:7005 127.0.0.1 7005' \
    '[::1]:7005 ::1 7005' '[::1]:7006 ::1 7006'; do
    read -r word address port <<<"$target"
    run cijail -e "$word" -- python3 "$T_LIB/udp.py" "$address" "$port" 5
    t_eq "$out" '5 True'
done
# It gets what is sent to 127.0.0.9, but answers from 127.0.0.1, here as outside.
run cijail -e 127.0.0.9:7004 -- python3 -c 'import socket
socket.socket(type=socket.SOCK_DGRAM).sendto(b"x" * 909, ("127.0.0.9", 7004))'
for ((i = 0; i < 200; i++)); do grep -qx 909 any.log && break; sleep 0.05; done
t_true grep -qx 909 any.log
run cijail -e 127.0.0.1:7006 -- timeout 5 python3 "$T_LIB/udp.py" 127.0.0.1 7006 5 # this one is IPv6 alone
t_no_match "$out" True

t_case 'datagrams of any size, the empty one and the greatest'
run cijail -e 127.0.0.1:7001 -e '[::1]:7002' -- sh -c 'for t in "127.0.0.1 7001" "::1 7002"; do
    python3 "$1" $t 0 1 1472 8192 60000 65507 0
done' sh "$T_LIB/udp.py"
t_count 14 "$out" ' True$'

t_case 'clients are apart: two at once, with one port at two addresses; two ports from one socket'
run cijail -e '127.0.0.1:7001 127.0.0.1:7004' -- python3 -c "
import socket
a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
a.bind(('127.0.0.1', 9000)); b.bind(('127.0.0.2', 9000))
for s in a, b: s.settimeout(10)
for round in range(3):
    for s, name in (a, b'a'), (b, b'b'):
        for port in 7001, 7004: s.sendto(name + b'%d' % port, ('127.0.0.1', port))
    for s in a, b:
        print(sorted((d, p) for d, p in (s.recvfrom(100) for i in range(2))))"
t_count 3 "$out" "^\\[\\(b'a7001', \\('127.0.0.1', 7001\\)\\), \\(b'a7004', \\('127.0.0.1', 7004\\)\\)\\]\$"
t_count 3 "$out" "^\\[\\(b'b7001', \\('127.0.0.1', 7001\\)\\), \\(b'b7004', \\('127.0.0.1', 7004\\)\\)\\]\$"

t_case 'what is there later is there soon, and is refused once the host'\''s is gone'
cat >watch.py <<'END'
import errno, os, socket, sys, time
def state():
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        s.connect(("127.0.0.1", 7010))
        try:
            s.send(b"x")
            return "answer" if s.recv(10) == b"x" else "other"
        except OSError as e:
            return errno.errorcode.get(e.errno, "timeout")
def wait(wanted, since):
    while not os.path.exists(since):
        time.sleep(0.01)
    start = time.time()
    while state() != wanted and time.time() - start < 20:
        time.sleep(0.02)
    print(state())
print(state())
open("later.begun", "w").close()
wait("answer", "later.ready")
open("later.there", "w").close()
wait("ECONNREFUSED", "later.gone")
s = socket.socket(type=socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 7010)) # free again
END
(
    for ((i = 0; i < 1200; i++)); do [[ -e later.begun ]] && break; sleep 0.05; done
    python3 server.py later 127.0.0.1 7010 &
    for ((i = 0; i < 1200; i++)); do [[ -e later.there ]] && break; sleep 0.05; done
    kill $!
    wait $!
    touch later.gone
) >/dev/null 2>&1 </dev/null &
later=$!
run cijail -e 127.0.0.1:7010 -- python3 watch.py
t_status 0
t_eq "$out" $'ECONNREFUSED\nanswer\nECONNREFUSED'
touch later.begun later.there
wait $later

t_case 'a port that a server of the jail has taken stays that server'\''s, also if it would share it'
cat >own.py <<'END'
import os, socket, sys, time
s = socket.socket(type=socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind((sys.argv[1], 7011))
open("own.begun", "w").close()
while not os.path.exists("own.ready"):
    time.sleep(0.02)
time.sleep(1.5)
c = socket.socket(type=socket.SOCK_DGRAM)
c.settimeout(5)
c.connect(("127.0.0.1", 7011))
c.send(b"x")
s.settimeout(5)
s.sendto(b"mine", s.recvfrom(10)[1])
print(c.recv(10))
END
for address in 127.0.0.1 0.0.0.0; do
    rm -f own.begun own.ready
    (for ((i = 0; i < 1200; i++)); do [[ -e own.begun ]] && break; sleep 0.05; done
    exec timeout 20 python3 server.py own 127.0.0.1 7011) >/dev/null 2>&1 </dev/null &
    own=$!
    run cijail -e 127.0.0.1:7011 -- python3 own.py $address
    t_eq "$out" "b'mine'"
    run python3 "$T_LIB/udp.py" 127.0.0.1 7011 5
    t_eq "$out" '5 True'
    kill $own
    wait $own
done

t_case 'a port of the host'\''s cannot be taken by the jail; all others can, and those of no server'
run cijail -e '127.0.0.1:7001 127.0.0.1:7012' -- python3 -c '
import errno, socket
for port in 7001, 7012:
    for address in "127.0.0.1", "0.0.0.0", "127.0.0.3":
        s = socket.socket(type=socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port)); s.close(); print(address, port, "free")
        except OSError as e:
            print(address, port, errno.errorcode[e.errno])'
t_match "$out" '^127\.0\.0\.1 7001 EADDRINUSE$'
t_match "$out" '^0\.0\.0\.0 7001 EADDRINUSE$'
t_match "$out" '^127\.0\.0\.3 7001 free$'
t_count 3 "$out" '7012 free$'

t_case 'a server that connects its socket to one client keeps that client'
serve one 127.0.0.1 7013 one
run cijail -e 127.0.0.1:7013 -- python3 -c '
import socket, time
a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
for s in a, b: s.connect(("127.0.0.1", 7013)); s.settimeout(10)
a.send(b"1"); print(a.recv(10))
b.settimeout(0.3)
for i in range(4):
    time.sleep(0.4)
    try: b.send(b"x"); print(b.recv(10))
    except OSError: print("nothing")
    a.send(b"a"); print(a.recv(10))'
t_count 4 "$out" "^b'a'\$"
t_count 4 "$out" '^nothing$'

t_case 'what a command sends before it ends, arrives'
serve sink 127.0.0.1 7014 sink
run cijail -e 127.0.0.1:7014 -- python3 -c "import os, socket
s = socket.socket(type=socket.SOCK_DGRAM)
for i in range(60): s.sendto(b'x' * (i + 1), ('127.0.0.1', 7014))
os._exit(0)"
for ((k = 0; k < 40; k++)); do [[ $(wc -l <sink.log) == 60 ]] && break; sleep 0.05; done
t_eq "$(sort -n sink.log | xargs)" "$(seq 60 | xargs)"

t_case '3000 flows, of which no more than 1024 are kept'
many_flows 127.0.0.1:7001 127.0.0.1
t_eq "$out" $'3000\nb\'again\''
t_true test "$flow_sockets" -lt 1124
t_true test "$flow_sockets" -gt 200

t_case 'in a jail in a jail'
run cijail -e '127.0.0.1:7001 [::1]:7002' -- "$CIJAIL" -e '127.0.0.1:7001 [::1]:7002' -- sh -c \
    'python3 "$1" 127.0.0.1 7001 5 60000; python3 "$1" ::1 7002 5 60000' sh "$T_LIB/udp.py"
t_count 4 "$out" ' True$'
run cijail -e 127.0.0.1:7004 -- "$CIJAIL" -e 127.0.0.1:7001 -- python3 "$T_LIB/udp.py" 127.0.0.1 7001 5
t_eq "$out" '5 ECONNREFUSED'

kill "${servers[@]}"
t_done
