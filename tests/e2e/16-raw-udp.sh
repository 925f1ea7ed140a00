#!/usr/bin/env bash
# Raw endpoints: ADDRESS:PORT, [ADDRESS6]:PORT, ADDRESS/LEN:PORT, [ADDRESS6]/LEN:PORT, UDP.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dial=$T_LIB/connect.py
serve_raw

bracketed() { if [[ $1 == *:* ]]; then echo "[$1]"; else echo "$1"; fi; }

t_case 'UDP: each form, allowed and logged with -v, once a flow'
for target in "$H4:7001 $H4" "[$H6]:7001 $H6" "192.0.2.0/24:7001 $H4" "[2001:db8::]/32:7001 $H6" "0.0.0.0/0:7001 $H4"; do
    read -r word address <<<"$target"
    run cijail -v -e "$word" -- python3 "$T_LIB/udp.py" "$address" 7001 5 5 5
    t_count 3 "$out" '^5 True$'
    t_match "$err" " cijail: allow connect \\[?${address//./\\.}\\]?:7001\$"
    t_match "$err" ' cijail: 1 allowed, 0 denied$'
done
run cijail -v --log-format json -e "192.0.2.0/24:7001" -- python3 "$T_LIB/udp.py" $H4 7001 5
run python3 -c 'import json, sys
o = json.loads(sys.argv[1]); print(*[o.get(k) for k in ("decision", "kind", "address", "port", "protocol", "endpoint")])' "$err"
t_eq "$out" "allow connect $H4 7001 udp 192.0.2.0/24:7001"

t_case 'UDP: the twins: another port, another address, another network, the other family; logged'
for target in "$H4:7002 $H4 ENETUNREACH" "192.0.2.11:7001 $H4 ENETUNREACH" "198.51.100.0/24:7001 $H4 ENETUNREACH" \
    "[::]/0:7001 $H4 ENETUNREACH" "[$H6]:7002 $H6 EACCES" "[2001:db8:1::]/48:7001 $H6 EACCES" "0.0.0.0/0:7001 $H6 EACCES"; do
    read -r word address errno <<<"$target"
    run cijail -e "$word" -- python3 "$dial" udp "$address" 7001
    t_match "$out" "^$errno [0-9]{1,3}\$"
    t_match "$err" " cijail: deny connect \\[?${address//./\\.}\\]?:7001\$"
    t_denials 1
    run cijail -e "$word" -- python3 "$dial" udpto "$address" 7001
    t_match "$out" "^$errno [0-9]{1,3}\$"
done
wire_start
run cijail -e 198.51.100.10:7001 -- python3 "$dial" udp 198.51.100.11 7001
wire_stop
t_match "$out" '^ENETUNREACH'
t_eq "$WIRE" ''

t_case 'UDP: datagrams of any size, the empty one and the greatest'
for address in $H4 $H6; do
    run cijail -e "$(bracketed $address):7001" -- python3 "$T_LIB/udp.py" $address 7001 0 1 1472 1473 8192 60000 65507 0
    t_count 8 "$out" ' True$'
done

t_case 'UDP: a closed port is refused'
for address in $H4 $H6; do
    run cijail -e "$(bracketed $address):7006" -- python3 "$T_LIB/udp.py" $address 7006 5 5
    t_count 2 "$out" '^5 ECONNREFUSED$'
    t_denials 0
done

t_case 'UDP: flows are apart: one socket to two ports and addresses, two sockets to one'
run cijail -e "$H4:7001 $H4:7005" -- python3 -c "
import socket
a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
for s in a, b: s.settimeout(10)
for round in range(3):
    for s, name in (a, b'a'), (b, b'b'):
        for port in 7001, 7005: s.sendto(name + b'%d' % port, ('$H4', port))
    for s in a, b:
        print(sorted((d, p) for d, p in (s.recvfrom(100) for i in range(2))))"
t_count 3 "$out" "^\\[\\(b'a7001', \\('$H4', 7001\\)\\), \\(b'a7005', \\('$H4', 7005\\)\\)\\]\$"
t_count 3 "$out" "^\\[\\(b'b7001', \\('$H4', 7001\\)\\), \\(b'b7005', \\('$H4', 7005\\)\\)\\]\$"

all_there() { [[ $(wc -l <server.log) == "$1" ]]; }
t_case 'UDP: what a command sends before it ends, arrives'
: >server.log
run cijail -e $H4:7002 -- python3 -c "import os, socket
s = socket.socket(type=socket.SOCK_DGRAM)
for i in range(200): s.sendto(b'x' * (i + 1), ('$H4', 7002))
os._exit(0)"
until_true all_there 200
t_eq "$(tr -d '\0' <server.log | sort -n | xargs)" "$(seq 200 | xargs)"

# The flow's own socket is made, and has the second ten, when the command ends; the supervisor gets it later.
t_case 'UDP: what a command sends before it ends, arrives, also where the socket of the flow does so late'
: >server.log
run env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq -o /dev/null -e trace=connect \
    -e inject=connect:delay_exit=400000 cijail -e $H4:7002 -- python3 -c "import os, socket, time
s = socket.socket(type=socket.SOCK_DGRAM)
for i in range(10): s.sendto(b'x' * (i + 1), ('$H4', 7002))
time.sleep(0.6)
for i in range(10, 20): s.sendto(b'x' * (i + 1), ('$H4', 7002))
os._exit(0)"
t_status 0
until_true all_there 20
t_eq "$(tr -d '\0' <server.log | sort -n | xargs)" "$(seq 20 | xargs)"

t_case 'UDP: 3000 flows, of which no more than 1024 are kept'
many_flows $H4:7001 $H4
t_eq "$out" $'3000\nb\'again\''
t_true test "$flow_sockets" -lt 1124
t_true test "$flow_sockets" -gt 200

t_case 'UDP: in a jail in a jail'
run cijail -e $H4:7001 -e "[$H6]:7001" -- "$CIJAIL" -e $H4:7001 -e "[$H6]:7001" -- sh -c "python3 $T_LIB/udp.py $H4 7001 5 60000; python3 $T_LIB/udp.py $H6 7001 5 60000"
t_count 4 "$out" ' True$'
run cijail -e $H4:7001 -- "$CIJAIL" -e $H4:7002 -- python3 "$dial" udp $H4 7001
t_match "$out" '^ENETUNREACH'
run cijail -e $H4:7006 -- "$CIJAIL" -e $H4:7006 -- python3 "$dial" udp $H4 7006
t_match "$out" '^ECONNREFUSED'

kill "$server"
t_done
