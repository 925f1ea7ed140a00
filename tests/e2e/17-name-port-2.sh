#!/usr/bin/env bash
# NAME:PORT beside other endpoints, under load, nested; names that resolve to local addresses.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
options=()
jail() { run cijail "${options[@]}" -- "$@"; }
# shellcheck disable=SC2086 # words
direct() { run cijail "${options[@]}" -- $unset_proxies "$@"; }
web4=198.51.100.10
export CIJAIL_ENDPOINTS=

t_case 'names that resolve to local addresses (DNS rebinding)'
CIJAIL_ENDPOINTS='rebind-loopback.example:7000 rebind-metadata.example:7000 rebind-private.example:7000
    rebind-mixed.example:443 rebind-mapped.example:7000'
wire_start
for pair in loopback=127.0.0.1 metadata=169.254.169.254 private=10.0.0.1; do
    name=rebind-${pair%=*}.example address=${pair#*=}
    direct sh -c "getent ahosts $name; python3 $T_LIB/say.py $address 7000"
    t_match "$out" '^(ENETUNREACH|ECONNREFUSED)$' # the jail's own loopback refuses
    t_no_match "$out" hello
    t_match "$err" " cijail: deny resolve $name A$"
    jail curl -sS --proxytunnel --proxy "$PROXY" http://$name:7000/
    t_match "$err" '403'
    t_match "$err" " cijail: deny - CONNECT $name:7000: $name resolves to $address, a local or private address"
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
direct sh -c "getent ahosts registry.example >/dev/null; python3 $T_LIB/tls.py $T_NET/ca.pem $web4 443 registry.example"
t_eq "$out" 'ok cijail test CA'
direct python3 $T_LIB/tls.py "$T_NET/ca.pem" $web4 443 registry.example # never looked up
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
block, count = b"b" + os.urandom((1 << 20) - 1), 64  # to a "q" nothing comes back (plain.py)
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
s.sendall(b"q" * int(sys.argv[1])) # nothing comes back: what is unread at the end would make a reset of it
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
run cijail -e 'git.example:7000 registry.example:443' -- cijail -e git.example:7000 -- $unset_proxies python3 $T_LIB/say.py git.example 7000 nested
t_eq "$out" $'hello\nnested'
run cijail -e 'git.example:7000 registry.example:443' -- cijail -e registry.example:443 -- curl -sS --cacert "$T_NET/ca.pem" https://registry.example/echo
t_eq "$out" 'GET https://registry.example/echo'
run cijail -e registry.example:443 -- cijail -e git.example:7000 -- $unset_proxies python3 $T_LIB/say.py git.example 7000 nested
t_no_match "$out" hello
run cijail -e git.example:7000 -- cijail -e registry.example:443 -- $unset_proxies python3 $T_LIB/say.py git.example 7000 nested
t_no_match "$out" hello

t_case 'NAME:53 is no way around the judgement of names'
run cijail -e ns.example:53 -- true
t_status 125
t_match "$err" "-e:1: 'ns\.example:53': a DNS server is named by its address, .*; expected ADDRESS:53"

t_case 'a name of hosts(5), for which the resolver of the jail asks nobody'
if [[ -w /etc/hosts ]]; then
    cp /etc/hosts hosts.kept
    echo '198.51.100.10 web.hosted.test' | cat hosts.kept - >/etc/hosts
    for name in web.hosted.test '*.hosted.test'; do
        CIJAIL_ENDPOINTS="$name:80" direct curl -s -o /dev/null -w '%{http_code}' http://web.hosted.test/
        t_match "$out" '^[1-5][0-9][0-9]$'
        t_denials 0
    done
    CIJAIL_ENDPOINTS='other.hosted.test:80 web.hosted.test:443' direct curl -s http://web.hosted.test/
    t_match "$err" ' cijail: deny connect 198\.51\.100\.10:80$'
    # One that is written there while the jail runs.
    CIJAIL_ENDPOINTS=later.hosted.test:80 direct sh -c 'curl -s http://later.hosted.test/; touch asked; until [ -e written ]; do sleep 0.05; done
        sleep 1.1; curl -s -o /dev/null -w "%{http_code}" http://later.hosted.test/' &
    jail=$!
    until_true test -e asked
    echo '198.51.100.10 later.hosted.test' | cat hosts.kept - >/etc/hosts
    touch written
    wait $jail
    t_match "$(<"$T_TMP/out")" '^[1-5][0-9][0-9]$'
    cat hosts.kept >/etc/hosts
fi

t_done
