#!/usr/bin/env bash
# --limit-upload: what a jail may send in all, by whatever way; past it all is cut, and logged.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
head -c 100000 /dev/zero | tr '\0' x >big
head -c 1000 /dev/zero | tr '\0' x >small
reason='the jail has sent all that --limit-upload allows'
limit() { local size=$1; shift; run cijail --limit-upload "$size" "$@"; }

# sink.py ADDRESS PORT: greets; sink.log has how much came in each connection, and in each datagram.
cat >sink.py <<'END'
import socket, sys, threading
address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
log = open("sink.log", "a", buffering=1)
s, u = socket.socket(family), socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((address, port)), u.bind((address, port))
s.listen(100)
def serve(c):
    n = 0
    try:
        c.sendall(b"hello\n")
        while data := c.recv(65536):
            n += len(data)
        c.sendall(b"%d\n" % n)
    except OSError:
        pass
    log.write("%d\n" % n)
def datagrams():
    while True:
        data, peer = u.recvfrom(65536)
        log.write("%d\n" % len(data))
        u.sendto(data, peer)
threading.Thread(target=datagrams, daemon=True).start()
open("sink.ready", "w").close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
END
sink() { # ADDRESS PORT
    rm -f sink.ready
    : >sink.log
    python3 sink.py "$@" </dev/null >sink.err 2>&1 &
    sink=$!
    until_true test -e sink.ready || t_fail "sink: $(cat sink.err)"
}
no_sink() { kill "$sink" && wait "$sink" 2>/dev/null; }
# push.py ADDRESS PORT BYTES: sends so much, ends its side, prints what comes.
cat >push.py <<'END'
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
    s.sendall(b"x" * int(sys.argv[3]))
    s.shutdown(socket.SHUT_WR)
    while data := s.recv(65536):
        print(data.decode(), end="", flush=True)
except OSError as e:
    print(type(e).__name__)
END

t_case 'an upload within the limit, whole; and one beyond it, cut and logged'
export CIJAIL_ENDPOINTS='http://files.example/upload/ https://files.example/upload/ https://files.example:8443/upload/'
for url in http://files.example/upload/ https://files.example/upload/ https://files.example:8443/upload/; do
    name=$RANDOM
    limit 101K -- curl -sS -m 20 -T big "$url$name"
    t_status 0
    t_denials 0
    t_eq "$(cmp big "$T_NET/www/upload/$name" && echo same)" same
    name=$RANDOM$RANDOM
    limit 50K --fail-on-deny -- sh -c "curl -sS -m 20 -H Expect: -T big '$url$name' || true"
    t_status 98
    t_match "$out" "$reason"
    t_match "$err" "deny - PUT $url$name"
    t_denials 1
    t_false test -e "$T_NET/www/upload/$name"
done

t_case 'a body that is chunked'
limit 50K -- sh -c 'curl -sS -m 20 -H "Transfer-Encoding: chunked" -H Expect: -T - http://files.example/upload/chunked <big'
t_match "$err" 'deny - PUT http://files\.example/upload/chunked'
t_false test -e "$T_NET/www/upload/chunked"

t_case 'JSON has the reason'
limit 50K --log-format json -- curl -sS -m 20 -H Expect: -T big http://files.example/upload/json
t_match "$err" "\"decision\":\"deny\",.*\"kind\":\"request\".*\"reason\":\"$reason\""
# What the server got, with the head just the limit, and not what was to be sent.
sent=$(sed -n 's/.*"bytes_sent":\([0-9]*\).*/\1/p' <<<"$err")
t_assert "$sent bytes were sent" test "$sent" -gt 50000 -a "$sent" -lt 51200

t_case 'heads count: a URL, a header, many requests'
export CIJAIL_ENDPOINTS=http://registry.example/
long=$(printf 'a%.0s' {1..3000})
limit 2K -- curl -sS -m 20 "http://registry.example/echo?$long"
t_match "$out" "$reason"
t_match "$err" 'deny - GET http://registry\.example/echo\?aaaa'
limit 4K -- curl -sS -m 20 "http://registry.example/echo?$long" -o /dev/null -w '%{http_code}'
t_eq "$out" 200
limit 2K -- curl -sS -m 20 -H "X-Data: $long" http://registry.example/echo
t_match "$out" "$reason"
limit 2K -- sh -c 'for i in $(seq 100); do curl -s -m 20 -o /dev/null -w "%{http_code}\n" http://registry.example/pkg/lodash; done'
passed=$(grep -c '^200$' <<<"$out")
t_assert "$passed of 100 requests passed" test "$passed" -ge 5 -a "$passed" -le 40
t_eq "$(sort -u <<<"$out" | paste -sd ' ')" '200 403'

t_case 'what comes down does not count'
limit 2K -e http://registry.example/big -- sh -c 'curl -sS -m 60 http://registry.example/big | wc -c'
t_eq "$out" 209715200
t_denials 0

t_case 'raw TCP: to the byte, and both ends see a reset'
export CIJAIL_ENDPOINTS=
H4=192.0.2.10 H6=2001:db8:0:2::10
for address in $H4 $H6; do
    sink "$address" 7100
    word=$address:7100
    [[ $address == *:* ]] && word="[$address]:7100"
    limit 100000 -e "$word" -- python3 push.py "$address" 7100 100000
    t_match "$out" '^100000$'
    t_denials 0
    limit 99999 -e "$word" -- python3 push.py "$address" 7100 100000
    t_match "$out" 'Error'
    t_match "$err" "deny connect \[?$address\]?:7100"
    t_denials 1
    limit 1M -e "$word" -- python3 push.py "$address" 7100 50000000
    t_match "$out" 'Error'
    until_true eval '(($(wc -l <sink.log) == 3))'
    t_eq "$(sed -n 1p sink.log)" 100000
    most=$(sed -n 2p sink.log)
    t_assert "$most bytes" test "$most" -le 99999
    most=$(sed -n 3p sink.log)
    t_assert "$most bytes" test "$most" -le 1048576
    no_sink
done

t_case 'the count is one for all: requests and raw connections'
sink $H4 7100
limit 3K -e "$H4:7100" -e http://files.example/upload/ -- sh -c "
    curl -s -m 20 -o /dev/null -w '%{http_code}\n' -H Expect: -T small http://files.example/upload/one
    python3 push.py $H4 7100 1000
    curl -s -m 20 -o /dev/null -w '%{http_code}\n' -H Expect: -T small http://files.example/upload/two
    python3 push.py $H4 7100 1000"
t_match "$(paste -sd ' ' <<<"$out")" '^201 hello 1000 403 (hello )?[A-Za-z]*Error$'
t_match "$err" 'deny - PUT http://files\.example/upload/two'
t_match "$err" "deny connect $H4:7100"

t_case 'datagrams'
cat >datagrams.py <<'END'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], int(sys.argv[2])))
s.settimeout(3)
for i in range(5):
    s.send(b"x" * 400)
    try:
        print(len(s.recv(1000)), flush=True)
    except OSError as e:
        print(type(e).__name__, flush=True)
        break
END
limit 1000 -e "$H4:7100" -- python3 datagrams.py $H4 7100
t_eq "$(paste -sd ' ' <<<"$out")" '400 400 TimeoutError'
t_match "$err" "deny connect $H4:7100"
limit 2000 -e "$H4:7100" -- python3 datagrams.py $H4 7100
t_eq "$(paste -sd ' ' <<<"$out")" '400 400 400 400 400'
t_denials 0
no_sink

t_case 'tunnels of CONNECT, and those that are intercepted'
for how in '' "$unset_proxies"; do
    # shellcheck disable=SC2086 # words
    limit 200K -e files.example:443 -- $how curl -sS -m 20 --cacert "$T_NET/ca.pem" -H Expect: -T big https://files.example/upload/tunnel
    t_status 0
    t_denials 0
    # shellcheck disable=SC2086
    limit 50K -e files.example:443 -- $how curl -sS -m 20 --cacert "$T_NET/ca.pem" -H Expect: -T big https://files.example/upload/tunnel2
    t_assert 'curl succeeded' test "$status" != 0
    t_match "$err" 'deny connect \[?[0-9a-f.:]*\]?:443'
    t_false test -e "$T_NET/www/upload/tunnel2"
done

t_case 'ports of the host'\''s loopback, and not those of the jail'\''s own'
sink 127.0.0.1 7100
limit 5000 -e 127.0.0.1:7100 -- python3 push.py 127.0.0.1 7100 5000
t_match "$out" '^5000$'
limit 5000 -e 127.0.0.1:7100 -- python3 push.py 127.0.0.1 7100 5001
t_match "$out" 'Error'
t_match "$err" 'deny connect 127\.0\.0\.1:7100'
limit 5000 -- python3 -c 'import socket
a, b = socket.socket(), socket.socket(); a.bind(("127.0.0.1", 7)); a.listen(); b.connect(("127.0.0.1", 7))
c = a.accept()[0]; b.sendall(b"x" * 9000); print(len(c.recv(9000, socket.MSG_WAITALL)))'
t_eq "$out" 9000
no_sink

t_case 'abstract sockets of the host: streams, and records'
cat >abstract.py <<'END'
"""abstract.py serve TYPE | TYPE NUMBER: a server that writes how much came; sends so many times 1000 bytes, prints how often."""
import socket, sys
kind = getattr(socket, "SOCK_" + sys.argv[-1 if sys.argv[1] == "serve" else 1])
s = socket.socket(socket.AF_UNIX, kind)
if sys.argv[1] == "serve":
    s.bind("\0cijail-limit"), s.listen()
    open("abstract.ready", "w").close()
    while True:
        c, n = s.accept()[0], 0
        try:
            while data := c.recv(65536):
                n += len(data)
        except OSError:
            pass
        c.close()
        print(n, flush=True)
s.connect("\0cijail-limit")
try:
    for n in range(int(sys.argv[2])):
        s.sendall(b"x" * 1000)
    s.shutdown(socket.SHUT_WR)
    print("end" if s.recv(1) == b"" else "more")
except OSError as e:
    print(type(e).__name__)
END
for kind in STREAM SEQPACKET; do
    rm -f abstract.ready
    python3 abstract.py serve $kind >abstract.log 2>&1 </dev/null &
    server=$!
    until_true test -e abstract.ready
    limit 5000 -e @cijail-limit -- python3 abstract.py $kind 5
    t_eq "$out" end
    t_denials 0
    limit 5000 -e @cijail-limit -- python3 abstract.py $kind 500
    t_match "$err" 'deny unix @cijail-limit'
    t_denials 1
    until_true eval '(($(wc -l <abstract.log) == 2))'
    t_eq "$(sed -n 1p abstract.log)" 5000
    most=$(sed -n 2p abstract.log)
    t_assert "$most bytes" test "${most:-9999}" -le 5000
    kill $server && wait $server 2>/dev/null
done

t_case 'in a dry run it is not in force; the command line'
export CIJAIL_ENDPOINTS=http://files.example/upload/
limit 1K --dry-run -- curl -sS -m 20 -T big http://files.example/upload/dry
t_status 99
t_eq "$(cmp big "$T_NET/www/upload/dry" && echo same)" same
for size in 0 -1 '' 1.5M 1KB K 99999999999999999999 20000000T '1 K'; do
    limit "$size" -- touch ran
    t_status 125
    t_match "$err" "^cijail: --limit-upload '.*'; expected a number of bytes"
done
t_false test -e ran
t_done
