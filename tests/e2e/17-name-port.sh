#!/usr/bin/env bash
# NAME:PORT: whatever is said to that port of what NAME resolves to, TLS for NAME alone; by CONNECT and directly.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
unset_proxies='env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY -u all_proxy'
options=()
jail() { run cijail "${options[@]}" -- "$@"; }
# shellcheck disable=SC2086 # words
direct() { run cijail "${options[@]}" -- $unset_proxies "$@"; }
json() { options=(--log-format json "$@"); }
web4=198.51.100.10 web6=2001:db8:10::10 git4=198.51.100.20 git6=2001:db8:10::20

# talk.py HOST PORT [TEXT]: resolves and connects at once, sends TEXT, ends its side, and prints all that comes.
cat >talk.py <<'END'
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    s = socket.create_connection((host, port), 10)
except OSError as e:
    import errno
    print(errno.errorcode.get(e.errno, e))
    sys.exit(3)
s.sendall((sys.argv[3] if len(sys.argv) > 3 else "").encode())
s.shutdown(socket.SHUT_WR)
while data := s.recv(65536):
    print(data.decode(), end="")
END
# tls.py CAFILE HOST PORT SNI: "ok ISSUER" or "refused: REASON"; SNI "-": none
cat >tls.py <<'END'
import socket, ssl, sys
ca, host, port, sni = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.check_hostname = sni != "-"
s = socket.create_connection((host, int(port)), 10)
try:
    s = context.wrap_socket(s, server_hostname=None if sni == "-" else sni)
except (ssl.SSLError, ConnectionError) as e:
    print("refused:", getattr(e, "reason", None) or type(e).__name__)
    sys.exit(3)
print("ok", dict(x[0] for x in s.getpeercert()["issuer"])["commonName"])
END

t_case 'a client with roots of its own sees the real certificate, by CONNECT'
export CIJAIL_ENDPOINTS='registry.example:443 v4only.example:443 v6only.example:443 *.wild.example:443 git.example:7000 git.example:22 refused.example:7000'
for host in registry.example v4only.example v6only.example; do
    jail curl -sS --cacert "$T_NET/ca.pem" https://$host/echo
    t_status 0
    t_eq "$out" "GET https://$host/echo"
    t_denials 0
done
json -v
jail curl -sS --cacert "$T_NET/ca.pem" https://registry.example/echo
t_match "$err" '"decision":"allow","dry_run":false,"kind":"connect","address":"[0-9a-f.:]*","port":443,"protocol":"tcp","name":"registry\.example","endpoint":"registry\.example:443"'
options=()

t_case 'a client with roots of its own sees the real certificate, directly'
for address in 4 6; do
    options=(-v)
    direct curl -sS -$address --cacert "$T_NET/ca.pem" https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
    t_count 1 "$err" ' cijail: allow connect \[?[0-9a-f.:]*\]?:443$'
    t_denials 0
    options=()
done
direct python3 tls.py "$T_NET/ca.pem" registry.example 443 registry.example
t_eq "$out" 'ok cijail test CA'

t_case 'a wildcard'
direct curl -sS --cacert "$T_NET/ca.pem" https://a.wild.example/echo
t_eq "$out" 'GET https://a.wild.example/echo'
jail curl -sS --cacert "$T_NET/ca.pem" https://b.wild.example/echo
t_eq "$out" 'GET https://b.wild.example/echo'
jail curl -sS --cacert "$T_NET/ca.pem" https://wild.example/echo
t_status 56
t_count 1 "$err" ' cijail: deny - CONNECT wild\.example:443$'

t_case 'another SNI, or none, is refused by an alert, and is in the log with its name'
json
direct python3 tls.py "$T_NET/ca.pem" registry.example 443 other.example
t_eq "$out" 'refused: TLSV1_UNRECOGNIZED_NAME'
t_match "$err" '"decision":"deny","dry_run":false,"kind":"connect","address":"[0-9a-f.:]*","port":443,"protocol":"tcp","name":"other\.example","reason":"SNI other\.example: no NAME:PORT endpoint'
direct python3 tls.py "$T_NET/ca.pem" registry.example 443 -
t_eq "$out" 'refused: TLSV1_UNRECOGNIZED_NAME'
t_match "$err" '"kind":"connect".*"reason":"TLS without SNI'
options=()
direct python3 tls.py "$T_NET/ca.pem" registry.example 443 registry.example # the twin
t_eq "$out" 'ok cijail test CA'
for sni in other.example a.wild.example; do
    jail openssl s_client -brief -proxy ${PROXY#http://} -connect registry.example:443 -servername $sni
    t_match "$err" 'unrecognized name'
    t_no_match "$err" 'CONNECTION ESTABLISHED'
    t_count 1 "$err" ' cijail: deny connect \[?[0-9a-f.:]*\]?:443$'
done
jail openssl s_client -brief -proxy ${PROXY#http://} -connect registry.example:443 -noservername
t_match "$err" 'unrecognized name'
for version in -tls1_2 -tls1_3; do
    jail openssl s_client -brief $version -proxy ${PROXY#http://} -connect git.example:22 -servername registry.example
    t_match "$err" 'unrecognized name'
done
for version in -tls1_2 ''; do # the twin
    jail openssl s_client -brief $version -proxy ${PROXY#http://} -connect registry.example:443 \
        -servername REGISTRY.example -CAfile "$T_NET/ca.pem" -verify_return_error
    t_match "$err" 'Verification: OK'
done

t_case 'ssh, whose server speaks first: directly, and by CONNECT'
echo "get $T_NET/ca.pem got.pem" >batch
sftp="sftp -q -b batch -i $T_NET/ssh/client -o UserKnownHostsFile=$T_NET/ssh/known_hosts -o BatchMode=yes"
for family in -4 -6; do
    rm -f got.pem
    direct $sftp $family "$(id -un)@git.example"
    t_status 0
    t_true cmp "$T_NET/ca.pem" got.pem
    t_denials 0
done
rm -f got.pem
jail $sftp -o "ProxyCommand=nc -X connect -x ${PROXY#http://} %h %p" "$(id -un)@git.example"
t_status 0
t_true cmp "$T_NET/ca.pem" got.pem
CIJAIL_ENDPOINTS='git.example:23' direct $sftp "$(id -un)@git.example"
t_status 255
t_match "$err" ' cijail: deny connect \[?[0-9a-f.:]*\]?:22$'

t_case 'a protocol of no kind: both ways, half-close, both families'
for address in $git4 $git6; do
    direct sh -c "getent ahosts git.example >/dev/null; python3 talk.py $address 7000 'some words'"
    t_eq "$out" $'hello\nsome words'
    t_denials 0
done
direct python3 talk.py git.example 7000
t_eq "$out" hello
jail sh -c "printf 'through the proxy' | nc -N -X connect -x ${PROXY#http://} git.example 7000"
t_eq "$out" $'hello\nthrough the proxy'
# An address by CONNECT, learned and not.
jail sh -c "getent ahosts git.example >/dev/null; printf 'by address' | nc -N -X connect -x ${PROXY#http://} $git4 7000"
t_eq "$out" $'hello\nby address'
wire_start
jail sh -c "printf 'by address' | nc -N -X connect -x ${PROXY#http://} $git4 7000"
wire_stop
t_no_match "$out" hello
t_count 1 "$err" " cijail: deny - CONNECT $git4:7000\$"
t_eq "$WIRE" ''

t_case 'a closed port is ECONNREFUSED, as it is outside'
direct python3 talk.py refused.example 7000
t_eq "$out" ECONNREFUSED
t_denials 0
t_under 5000
jail curl -sS --proxytunnel --proxy "$PROXY" http://refused.example:7000/
t_match "$err" '502'

t_case 'addresses that no allowed name has resolved to, and other ports: ENETUNREACH'
wire_start
for address in $git4 $git6; do
    direct python3 talk.py $address 7000 # not looked up
    t_eq "$out" ENETUNREACH
    t_count 1 "$err" " cijail: deny connect \\[?$address\\]?:7000\$"
    t_under 4000
done
wire_stop
t_eq "$WIRE" ''
direct sh -c "getent ahosts git.example >/dev/null; python3 talk.py $git4 443; python3 talk.py $git4 7001; python3 talk.py $web4 7000"
t_eq "$out" $'ENETUNREACH\nENETUNREACH\nENETUNREACH'
t_denials 3
direct sh -c "getent ahosts other.example; python3 talk.py $web4 443"
t_eq "$out" ENETUNREACH
t_count 1 "$err" ' cijail: deny resolve other\.example A$'

t_case 'UDP'
for address in $git4 $git6; do
    direct sh -c "getent ahosts git.example >/dev/null; python3 $T_LIB/connect.py udp $address 7000"
    t_match "$out" '^answer'
    t_denials 0
    direct python3 "$T_LIB/connect.py" udp $address 7000
    t_no_match "$out" answer
    t_count 1 "$err" " cijail: deny connect \\[?$address\\]?:7000\$"
done

t_case 'names that resolve to local addresses (DNS rebinding)'
CIJAIL_ENDPOINTS='rebind-loopback.example:7000 rebind-metadata.example:7000 rebind-private.example:7000
    rebind-mixed.example:443 rebind-mapped.example:7000'
wire_start
for pair in loopback=127.0.0.1 metadata=169.254.169.254 private=10.0.0.1; do
    name=rebind-${pair%=*}.example address=${pair#*=}
    direct sh -c "getent ahosts $name; python3 talk.py $address 7000"
    t_match "$out" '^(ENETUNREACH|ECONNREFUSED)$' # the jail's own loopback refuses
    t_no_match "$out" hello
    t_match "$err" " cijail: deny resolve $name A$"
    jail curl -sS --proxytunnel --proxy "$PROXY" http://$name:7000/
    t_match "$err" '403'
    t_match "$err" " cijail: deny - CONNECT $name:7000\$"
done
wire_stop
t_no_match "$WIRE" 'Flags \[S\]'
for how in jail direct; do # the public address of the same answer is fine
    $how curl -sS -4 --cacert "$T_NET/ca.pem" https://rebind-mixed.example/echo
    t_eq "$out" 'GET https://rebind-mixed.example/echo'
done

t_case 'a port that URLs have too'
CIJAIL_ENDPOINTS='https://files.example/public/ registry.example:443 git.example:80 http://files.example/public/ git.example:7000'
for how in jail direct; do
    $how curl -sS --cacert "$T_NET/ca.pem" https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
    $how curl -sS https://files.example/public/file.txt # the jail's CA
    t_eq "$out" 'a public file'
    $how curl -sS --cacert "$T_NET/ca.pem" https://files.example/public/file.txt
    t_match "$err" 'certificate'
    $how curl -s -o /dev/null -w '%{http_code}' https://files.example/echo
    t_eq "$out" 403
    $how curl -sS https://other.example/echo
    t_true test "$status" -ne 0
    $how curl -sS http://git.example/count
    t_match "$out" '^[0-9]+ 1$'
    $how curl -sS http://files.example/public/file.txt
    t_eq "$out" 'a public file'
done
direct sh -c "getent ahosts registry.example >/dev/null; python3 tls.py $T_NET/ca.pem $web4 443 registry.example"
t_eq "$out" 'ok cijail test CA'
direct python3 tls.py "$T_NET/ca.pem" $web4 443 registry.example # never looked up
t_match "$out" '^refused'
t_count 1 "$err" " cijail: deny connect $web4:443\$"

t_case 'if both kinds of endpoints have a name and port, it is not opened up'
CIJAIL_ENDPOINTS='https://registry.example/pkg/ registry.example:443'
for how in jail direct; do
    $how curl -sS --cacert "$T_NET/ca.pem" https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
done

t_case 'plain http, by a client that sends it to the proxy'
CIJAIL_ENDPOINTS='registry.example:80 198.51.100.11:80'
options=(-v)
jail curl -sS http://registry.example/echo
t_eq "$out" 'GET http://registry.example/echo'
t_count 1 "$err" ' cijail: allow 200 GET http://registry\.example/echo$'
options=()
jail curl -s -o /dev/null -w '%{http_code}' http://files.example/echo
t_eq "$out" 403

t_case 'no CA where there is nothing to be opened up'
CIJAIL_ENDPOINTS='registry.example:443' jail sh -c 'cmp /etc/ssl/certs/ca-certificates.crt '"$T_NET/ca.pem"'; env | grep -c SSL_CERT_FILE'
t_eq "$out" 0

t_case 'who connects right after the lookup gets through, 200 times'
cat >storm.py <<'END'
import concurrent.futures, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
def one(i):
    name = f"n{i}.wild.example"
    try:
        with socket.create_connection((name, 443), 20) as s, context.wrap_socket(s, server_hostname=name):
            return "ok"
    except OSError as e:
        return str(e)
with concurrent.futures.ThreadPoolExecutor(20) as pool:
    results = list(pool.map(one, range(200)))
print(results.count("ok"), *set(r for r in results if r != "ok"))
END
for endpoints in '*.wild.example:443' '*.wild.example:443 https://files.example/'; do
    CIJAIL_ENDPOINTS=$endpoints direct python3 storm.py "$T_NET/ca.pem"
    t_eq "$out" 200
    t_denials 0
done
cat >again.py <<'END'
import socket
for i in range(200):
    with socket.create_connection(("git.example", 7000), 10) as s:
        assert s.recv(6) == b"hello\n"
print("ok")
END
CIJAIL_ENDPOINTS=git.example:7000 direct python3 again.py
t_eq "$out" ok

t_case 'a big transfer, both ways at once'
cat >big.py <<'END'
import hashlib, os, socket, sys, threading
block, count = os.urandom(1 << 20), 64
if sys.argv[1] == "proxy":
    s = socket.create_connection(("192.0.0.1", 3128), 10)
    s.sendall(b"CONNECT git.example:7000 HTTP/1.1\r\nHost: git.example:7000\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
    assert head.startswith(b"HTTP/1.1 200 "), head
else:
    s = socket.create_connection(("git.example", 7000), 10)
def send():
    for i in range(count):
        s.sendall(block)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
s.settimeout(30)
want, got, n = hashlib.sha256(b"hello\n"), hashlib.sha256(), 0
for i in range(count):
    want.update(block)
while data := s.recv(1 << 20):
    got.update(data)
    n += len(data)
print(n, got.digest() == want.digest())
END
export CIJAIL_ENDPOINTS=git.example:7000
for how in direct proxy; do
    direct python3 big.py $how
    t_eq "$out" '67108870 True'
done

t_case 'what the command says last still arrives'
cat >last.py <<'END'
import socket, sys
s = socket.create_connection(("git.example", 7000), 10)
s.recv(6)
s.shutdown(socket.SHUT_RD)
s.sendall(b"x" * int(sys.argv[1]))
END
has_got() {
    local i
    for ((i = 0; i < 500; i++)); do
        grep -q "^got $1\$" "$T_NET/plain.out" && return
        sleep 0.01
    done
    return 1
}
for n in 1 100001; do
    direct python3 last.py $n
    t_status 0
    t_denials 0
    t_true has_got $n
done

t_case 'a jail in a jail'
CIJAIL_ENDPOINTS=
run cijail -e 'git.example:7000 registry.example:443' -- cijail -e git.example:7000 -- $unset_proxies python3 talk.py git.example 7000 nested
t_eq "$out" $'hello\nnested'
run cijail -e 'git.example:7000 registry.example:443' -- cijail -e registry.example:443 -- curl -sS --cacert "$T_NET/ca.pem" https://registry.example/echo
t_eq "$out" 'GET https://registry.example/echo'
run cijail -e registry.example:443 -- cijail -e git.example:7000 -- $unset_proxies python3 talk.py git.example 7000 nested
t_no_match "$out" hello
run cijail -e git.example:7000 -- cijail -e registry.example:443 -- $unset_proxies python3 talk.py git.example 7000 nested
t_no_match "$out" hello

t_case 'NAME:53 is no way around the judgement of names'
run cijail -e ns.example:53 -- true
t_status 125
t_match "$err" "-e:1: 'ns\.example:53': a DNS server is named by its address.*; expected ADDRESS:53$"

t_done
