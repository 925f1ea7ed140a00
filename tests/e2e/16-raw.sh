#!/usr/bin/env bash
# Raw endpoints: ADDRESS:PORT, [ADDRESS6]:PORT, ADDRESS/LEN:PORT, [ADDRESS6]/LEN:PORT, TCP.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dial=$T_LIB/connect.py
serve_raw

# say.py ADDRESS PORT [BYTES]: sends, ends its side, prints what comes: text, or the number of bytes if it is long.
cat >say.py <<'END'
import errno, socket, sys, threading
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
    n = int((sys.argv + ["0"])[3])
    def send():
        try:
            s.sendall(b"\1" * n)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    threading.Thread(target=send).start()
    got = []
    while data := s.recv(65536):
        got.append(data)
    got = b"".join(got)
    print(got.decode() if len(got) < 100 else len(got), end="")
except OSError as e:
    print(errno.errorcode.get(e.errno, e))
END
bracketed() { if [[ $1 == *:* ]]; then echo "[$1]"; else echo "$1"; fi; }

t_case 'each form, allowed and logged with -v'
for target in "$H4:7001 $H4" "[$H6]:7001 $H6" "192.0.2.0/24:7001 $H4" "[2001:db8::]/32:7001 $H6" \
    "[2001:db8::/32]:7001 $H6" "0.0.0.0/0:7001 $H4" "[::]/0:7001 $H6"; do
    read -r word address <<<"$target"
    run cijail -v -e "$word" -- python3 say.py "$address" 7001 5
    t_match "$out" '^hello$'
    t_match "$out" '^5 [0-9]+$'
    t_match "$err" " cijail: allow connect \\[?${address//./\\.}\\]?:7001\$"
    t_match "$err" ' cijail: 1 allowed, 0 denied$'
done
run cijail -e "$H4:7001" -- python3 say.py $H4 7001
t_no_match "$err" 'allow connect'

t_case 'the twins: another port, another address, another network, the other family; logged'
for target in "$H4:7002 $H4" "192.0.2.11:7001 $H4" "198.51.100.0/24:7001 $H4" "[::]/0:7001 $H4" "[$H6]:7002 $H6" \
    "[2001:db8:0:2::11]:7001 $H6" "[2001:db8:1::]/48:7001 $H6" "0.0.0.0/0:7001 $H6"; do
    read -r word address <<<"$target"
    run cijail -e "$word" -- python3 "$dial" tcp "$address" 7001
    t_match "$out" '^ENETUNREACH [0-9]{1,3}$'
    t_match "$err" " cijail: deny connect \\[?${address//./\\.}\\]?:7001\$"
    t_denials 1
done
run python3 "$dial" tcp $H4 7001
t_match "$out" '^connected'

t_case 'a denied connection reaches nothing'
wire_start
run cijail -e 198.51.100.10:7001 -- python3 "$dial" tcp 198.51.100.11 7001
wire_stop
t_match "$out" '^ENETUNREACH'
t_eq "$WIRE" ''

t_case 'the host'\''s loopback is not meant by a network around it'
run cijail -e 0.0.0.0/0:7001 -e '[::]/0:7001' -- sh -c "for a in 127.0.0.1 ::1 0.0.0.0; do python3 $dial tcp \$a 7001; done"
t_count 3 "$out" '^ECONNREFUSED'

t_case 'a closed port is refused, at once, blocking or not'
cat >nonblocking.py <<'END'
import errno, select, socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.setblocking(False)
print(errno.errorcode[s.connect_ex((sys.argv[1], int(sys.argv[2])))])
select.select([], [s], [], 10)
e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
print(errno.errorcode.get(e, e))
END
for address in $H4 $H6; do
    word=$(bracketed $address)
    run cijail -e "$word:7006" -- python3 "$dial" tcp "$address" 7006
    t_match "$out" '^ECONNREFUSED [0-9]{1,3}$'
    t_denials 0
    run cijail -e "$word:7006" -- python3 nonblocking.py "$address" 7006
    t_eq "$out" $'EINPROGRESS\nECONNREFUSED'
    run cijail -e "$word:7001" -- python3 nonblocking.py "$address" 7001
    t_eq "$out" $'EINPROGRESS\n0'
    run cijail -e "$word:7001" -- python3 nonblocking.py "$address" 7002
    t_eq "$out" $'EINPROGRESS\nENETUNREACH'
    run cijail -e "$word:7006" -- sh -c "for i in 1 2 3 4 5 6 7 8 9 10; do python3 $dial tcp $address 7006; done"
    t_count 10 "$out" '^ECONNREFUSED [0-9]{1,3}$'
done

t_case 'a host that is not there is unreachable, as it is outside'
for address in 192.0.2.99 2001:db8:0:2::99; do
    run python3 "$dial" tcp $address 7001
    outside=${out% *}
    run cijail -e "$(bracketed $address):7001" -- python3 "$dial" tcp $address 7001
    t_eq "${out% *}" "$outside"
    t_denials 0
done

t_case 'a silent host is silent'
cat >patient.py <<'END'
import socket, sys, time
t = time.time()
try:
    socket.create_connection((sys.argv[1], 7004), 2.5)
    print("connected")
except TimeoutError:
    print("timeout", time.time() - t > 2.4)
END
for address in $H4 $H6; do
    run python3 patient.py $address
    t_eq "$out" 'timeout True'
    run cijail -e "$(bracketed $address):7004" -- python3 patient.py $address
    t_eq "$out" 'timeout True'
    t_denials 0
done

t_case 'both directions to their ends: 50 MiB, half-closed'
for address in $H4 $H6; do
    run python3 say.py "$address" 7001 52428800
    outside=$out
    t_match "$outside" '^52428800 '
    run cijail -e "$(bracketed $address):7001" -- python3 say.py "$address" 7001 52428800
    t_eq "$out" "$outside"
    run cijail -e "$(bracketed $address):7002" -- python3 say.py "$address" 7002
    t_eq "$out" 52428800
done

t_case 'a reset is passed on, in both directions'
run cijail -e $H4:7003 -- python3 say.py $H4 7003 1
t_eq "$out" ECONNRESET
: >server.log
run cijail -e $H4:7001 -- python3 -c "
import socket, struct, time
s = socket.create_connection(('$H4', 7001)); s.recv(6); time.sleep(0.3)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close(); time.sleep(0.3)"
t_status 0
t_eq "$(tr -d '\0' <server.log)" ConnectionResetError

t_case 'what a command sends before it ends, arrives'
for i in 1 2 3; do
    : >server.log
    run cijail -e $H4:7001 -- python3 -c "import os, socket
s = socket.create_connection(('$H4', 7001)); s.recv(6); s.sendall(b'x' * 300000); os._exit(0)"
    t_status 0
    for ((k = 0; k < 40; k++)); do [[ -s server.log ]] && break; sleep 0.05; done
    t_eq "$(tr -d '\0' <server.log)" 300000
done

t_case '500 connections at once, and 2000 one after the other'
cat >many.py <<'END'
import select, socket, sys
address, n = sys.argv[1], int(sys.argv[2])
sockets = [socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) for i in range(n)]
for s in sockets:
    s.setblocking(False)
    s.connect_ex((address, 7005))
for i, s in enumerate(sockets):
    s.settimeout(30)
    p = select.poll()
    p.register(s, select.POLLOUT)
    p.poll(30000)
    s.sendall(b"%d" % i)
good = sum(s.recv(100) == b"%d" % i for i, s in enumerate(sockets))
for i in range(int(sys.argv[3])):
    with socket.create_connection((address, 7005), 30) as s:
        s.sendall(b"%d" % i)
        good += s.recv(100) == b"%d" % i
print(good)
END
run cijail -e $H4:7005 -- python3 many.py $H4 500 2000
t_eq "$out" 2500
run cijail -e "[$H6]:7005" -- python3 many.py $H6 500 0
t_eq "$out" 500
t_denials 0

t_case 'a port that URL endpoints have too: the raw endpoint'\''s address as it is, all others by their URL'
run cijail -v -e 'https://registry.example/ http://registry.example/' -e "$H4:443 $H4:80" -- sh -c "
fetch() { curl -s --noproxy '*' -o /dev/null -w '%{http_code}\n' \$1 || echo failed; }
fetch https://registry.example/
fetch http://registry.example/
python3 $dial tcp $H4 443
fetch http://other.example/
fetch https://other.example/"
t_count 2 "$out" '^[2-4]0[0-9]$' # the server's own
t_match "$out" '^ECONNREFUSED'
t_count 2 "$out" '^failed'

t_case 'the log in JSON'
run cijail -v --log-format json -e "192.0.2.0/24:7001" -- python3 say.py $H4 7001
run python3 -c 'import json, sys
o = json.loads(sys.argv[1]); print(*[o.get(k) for k in ("decision", "kind", "address", "port", "protocol", "endpoint")])' "$err"
t_eq "$out" "allow connect $H4 7001 tcp 192.0.2.0/24:7001"

t_case 'an idle connection does not hold up the end of the jail for long'
run cijail -e $H4:7005 -- sh -c "sleep 100 & exec python3 -c 'import socket; socket.create_connection((\"$H4\", 7005))'"
t_status 0
t_under 5000

t_case 'in a jail in a jail: both must allow it'
run cijail -e $H4:7001 -e "[$H6]:7001" -- "$CIJAIL" -e $H4:7001 -e "[$H6]:7001" -- sh -c "python3 say.py $H4 7001 5; python3 say.py $H6 7001 5"
t_count 2 "$out" '^hello$'
t_count 2 "$out" '^5 [0-9]+$'
run cijail -e $H4:7001 -- "$CIJAIL" -e $H4:7002 -- python3 "$dial" tcp $H4 7001
t_match "$out" '^ENETUNREACH'
run cijail -e $H4:7002 -- "$CIJAIL" -e $H4:7001 -- python3 "$dial" tcp $H4 7001
t_match "$out" '^ENETUNREACH'
run cijail -e $H4:7006 -- "$CIJAIL" -e $H4:7006 -- python3 "$dial" tcp $H4 7006
t_match "$out" '^ECONNREFUSED'

t_case 'the connection outside has keepalive: a server that is gone is noticed, and a NAT on the way keeps it'
run cijail -e "$H4:7001" -- bash -c "exec 3<>/dev/tcp/$H4/7001; touch there; until [ -e seen ]; do sleep 0.05; done" &
jail=$!
until_true test -e there
ss -Htno state established dst "$H4" dport = :7001 >seen.tmp
mv seen.tmp seen
wait $jail
t_match "$(<seen)" 'timer:\(keepalive'

kill "$server"
t_done
