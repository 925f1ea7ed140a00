#!/usr/bin/env bash
# Clients that know nothing of proxies: held to the same URLs, by SNI and Host, whatever address they dial.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://registry.example/pkg/ https://files.example/public/ http://registry.example/pkg/
    https://registry.example:8443/ https://*.wild.example/pkg/'
# shellcheck disable=SC2086 # words
direct() { run cijail "${options[@]}" -- $unset_proxies "$@"; }
options=()
json() { options=(--log-format json); }

t_case 'curl without the proxy variables: https, http, both families'
for family in -4 -6; do
    for url in https://registry.example/pkg/lodash http://registry.example/pkg/lodash; do
        direct curl -sS $family -w '%{remote_ip}' $url
        t_status 0
        if [[ $family == -4 ]]; then t_eq "$out" $'a package\n198.51.100.10'; else t_eq "$out" $'a package\n2001:db8:10::10'; fi
        t_denials 0
    done
done

t_case 'other ports, and wildcard hosts'
direct curl -sS https://registry.example:8443/echo
t_eq "$out" 'GET https://registry.example:8443/echo'
direct curl -sS https://a.wild.example/pkg/lodash
t_eq "$out" 'a package'

t_case 'the path is judged as ever'
served=$(wc -l <"$T_NET/nginx/access.log")
direct curl -s -w '%{http_code}' https://registry.example/private/
t_match "$out" '403$'
t_match "$out" 'https://registry\.example/private/'
t_count 1 "$err" ' cijail: deny - GET https://registry\.example/private/$'
t_denials 1
t_eq "$(wc -l <"$T_NET/nginx/access.log")" "$served" # a connection may have been begun, but nothing was asked
wire_start
direct curl -s -w '%{http_code}' http://registry.example/private/
wire_stop
t_no_match "$WIRE" 'Flags \[S\]'
t_match "$out" '403$'
t_count 1 "$err" ' cijail: deny - GET http://registry\.example/private/$'

t_case 'requests of intercepted clients are in the log as all others'
options=(-v)
direct curl -sS https://registry.example/pkg/lodash
t_count 1 "$err" ' cijail: allow 200 GET https://registry\.example/pkg/lodash$'
t_no_match "$err" '(deny|CONNECT)'
options=()

t_case 'wget, Python, Node, git'
direct wget -q -O - https://registry.example/pkg/lodash
t_eq "$out" 'a package'
direct wget -q -O - http://registry.example/pkg/lodash
t_eq "$out" 'a package'
direct python3 -c 'import http.client, ssl
c = http.client.HTTPSConnection("registry.example", context=ssl.create_default_context())
c.request("GET", "/pkg/lodash")
print(c.getresponse().read().decode(), end="")'
t_eq "$out" 'a package'
cat >get.js <<'END'
require("https").get("https://registry.example/pkg/lodash", r => r.pipe(process.stdout))
    .on("error", e => { console.log(e.code); process.exit(1); });
END
direct env -u NODE_USE_ENV_PROXY node get.js
t_eq "$out" 'a package'
export HOME=$T_TMP GIT_CONFIG_NOSYSTEM=1
CIJAIL_ENDPOINTS='https://git.example/git/' direct git clone -q https://git.example/git/project.git direct
t_status 0
t_eq "$(cat direct/README 2>&1)" 'hello from git'

t_case 'the address that is dialled does not matter: the name is resolved anew'
wire_start
direct curl -sS --connect-to ::203.0.113.77:443 https://registry.example/pkg/lodash
wire_stop
t_eq "$out" 'a package'
t_match "$WIRE" '> (198\.51\.100\.10|2001:db8:10::10)\.443: Flags \[S\]'
t_no_match "$WIRE" '203\.0\.113\.77'
direct curl -sS --connect-to '::[2001:db8:bad::1]:443' https://registry.example/pkg/lodash
t_eq "$out" 'a package'
direct curl -sS --connect-to ::198.51.100.66:80 http://registry.example/echo
t_match "$out" 'not allowed'
direct curl -sS --connect-to ::192.0.0.1:443 https://registry.example/pkg/lodash
t_eq "$out" 'a package'

# raw.py ADDRESS PORT SNI TEXT: TLS with that SNI ("-": none), then TEXT; prints the answer, or the alert's name.
cat >raw.py <<'END'
import socket, ssl, sys
address, port, sni, text = sys.argv[1:5]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE if sni == "-" else ssl.CERT_REQUIRED
s = socket.create_connection((address, int(port)), 10)
try:
    s = context.wrap_socket(s, server_hostname=None if sni == "-" else sni)
except (ssl.SSLError, ConnectionError) as e:
    print("refused:", getattr(e, "reason", None) or type(e).__name__)
    sys.exit(3)
s.sendall(text.encode().decode("unicode_escape").encode())
answer = b""
while True:
    data = s.recv(65536)
    answer += data
    if not data or b"\r\n\r\n" in answer and len(answer) > answer.index(b"\r\n\r\n") + 8:
        break
print(answer.decode())
END
get='GET /pkg/lodash HTTP/1.1\r\nHost: registry.example\r\n\r\n'

t_case 'a raw TLS socket, with the SNI of an endpoint'
for address in 198.51.100.10 198.51.100.66 2001:db8:10::10 203.0.113.77; do
    direct python3 raw.py $address 443 registry.example "$get"
    t_match "$out" '^HTTP/1.1 200'
    t_match "$out" '^a package'
done

t_case 'no SNI, or one that is not in the policy: refused with an alert, nothing leaves, the log says why'
json
wire_start
for sni in - attacker.test registry.example.attacker.test wild.example other.example; do
    direct python3 raw.py 198.51.100.10 443 $sni "$get"
    t_status 3
    t_eq "$out" 'refused: TLSV1_UNRECOGNIZED_NAME'
    t_denials 0 # text
    if [[ $sni == - ]]; then
        t_match "$err" '"decision":"deny".*"method":"CONNECT","url":"198\.51\.100\.10:443".*"reason":"TLS without SNI'
    else
        t_match "$err" "\"decision\":\"deny\".*\"url\":\"$sni:443\".*\"reason\":\"no https endpoint has this host and port"
    fi
done
direct python3 raw.py 2001:db8:10::10 443 - "$get"
t_match "$err" '"url":"\[2001:db8:10::10\]:443"'
wire_stop
t_eq "$WIRE" ''
options=()
direct openssl s_client -brief -noservername -connect 198.51.100.10:443
t_match "$err" 'unrecognized name'
t_no_match "$err" 'CONNECTION ESTABLISHED'
t_count 1 "$err" ' cijail: deny - CONNECT 198\.51\.100\.10:443$'
direct openssl s_client -brief -servername registry.example -connect 198.51.100.10:443 # the twin
t_match "$err" 'Verification: OK'

t_case 'the SNI of one port is nothing at another'
direct python3 raw.py 198.51.100.10 8443 files.example "$get"
t_status 3
direct python3 raw.py 198.51.100.10 8443 registry.example 'GET /pkg/lodash HTTP/1.1\r\nHost: registry.example:8443\r\n\r\n'
t_match "$out" '^HTTP/1.1 200'

t_case 'a Host unlike the SNI is 400'
served=$(wc -l <"$T_NET/nginx/access.log")
direct python3 raw.py 198.51.100.10 443 registry.example 'GET /public/file.txt HTTP/1.1\r\nHost: files.example\r\n\r\n'
t_match "$out" '^HTTP/1.1 400'
t_no_match "$out" 'a public file'
t_eq "$(wc -l <"$T_NET/nginx/access.log")" "$served"
direct python3 raw.py 198.51.100.10 443 files.example 'GET /public/file.txt HTTP/1.1\r\nHost: files.example\r\n\r\n'
t_match "$out" '^HTTP/1.1 200'
direct python3 raw.py 198.51.100.10 443 registry.example 'CONNECT files.example:443 HTTP/1.1\r\nHost: files.example\r\n\r\n'
t_match "$out" '^HTTP/1.1 400'

# plain.py ADDRESS PORT TEXT
cat >plain.py <<'END'
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
s.sendall(sys.argv[3].encode().decode("unicode_escape").encode())
s.settimeout(3)
answer = b""
try:
    while b"\r\n\r\n" not in answer or len(answer) < answer.index(b"\r\n\r\n") + 8:
        data = s.recv(65536)
        if not data:
            break
        answer += data
except (socket.timeout, ConnectionError):
    pass
print(answer.decode())
END

t_case 'plain HTTP goes by Host'
for address in 198.51.100.10 198.51.100.66 2001:db8:10::66 203.0.113.77; do
    direct python3 plain.py $address 80 "$get"
    t_match "$out" '^HTTP/1.1 200'
    t_match "$out" '^a package'
done
direct python3 plain.py 198.51.100.10 80 'GET http://registry.example/pkg/lodash HTTP/1.1\r\nHost: registry.example\r\n\r\n'
t_match "$out" '^a package'
wire_start
direct python3 plain.py 198.51.100.10 80 'GET /pkg/lodash HTTP/1.1\r\nHost: attacker.test\r\n\r\n'
t_match "$out" '^HTTP/1.1 403'
t_count 1 "$err" ' cijail: deny - GET http://attacker\.test/pkg/lodash$'
for text in 'GET /pkg/lodash HTTP/1.0\r\n\r\n' 'GET /pkg/lodash HTTP/1.1\r\nHost: registry.example:8080\r\n\r\n' \
    'GET http://registry.example/pkg/lodash HTTP/1.1\r\nHost: files.example\r\n\r\n' \
    'CONNECT registry.example:443 HTTP/1.1\r\nHost: registry.example:443\r\n\r\n' \
    'GET https://registry.example/pkg/lodash HTTP/1.1\r\nHost: registry.example\r\n\r\n'; do
    direct python3 plain.py 198.51.100.10 80 "$text"
    t_match "$out" '^HTTP/1.1 400'
    t_denials 1
done
wire_stop
t_eq "$WIRE" ''

t_case 'what is neither TLS nor allowed HTTP is refused'
wire_start
for text in 'SSH-2.0-OpenSSH_9\r\n' 'GET /pkg/lodash HTTP/1.1\r\nHost: registry.example\r\n\r\n'; do
    direct python3 plain.py 198.51.100.10 443 "$text"
    t_match "$out" '^HTTP/1.1 400'
    t_count 1 "$err" ' cijail: deny - CONNECT 198\.51\.100\.10:443$'
done
CIJAIL_ENDPOINTS=http://registry.example/ direct python3 raw.py 198.51.100.10 80 registry.example "$get"
t_match "$out" '^refused:'
t_count 1 "$err" ' cijail: deny - CONNECT 198\.51\.100\.10:80$'
wire_stop
t_eq "$WIRE" ''

t_case 'hosts that are addresses: clients send no SNI then'
CIJAIL_ENDPOINTS='https://198.51.100.10/pkg/ https://[2001:db8:10::10]/pkg/ http://198.51.100.10/pkg/'
for url in https://198.51.100.10 'https://[2001:db8:10::10]' http://198.51.100.10; do
    direct curl -sS -g "$url/pkg/lodash"
    t_eq "$out" 'a package'
    direct curl -s -g -o /dev/null -w '%{http_code}' "$url/private/"
    t_eq "$out" 403
done
direct curl -sS https://198.51.100.11/pkg/lodash
t_count 1 "$err" ' cijail: deny - CONNECT 198\.51\.100\.11:443$'

t_case 'ports without an endpoint are rejected as ever, at once'
CIJAIL_ENDPOINTS='https://registry.example/pkg/'
for port in 80 8443 3129 22; do
    direct python3 "$T_LIB/connect.py" tcp 198.51.100.10 $port
    t_match "$out" '^ENETUNREACH'
    t_count 1 "$err" " cijail: deny connect 198\\.51\\.100\\.10:$port\$"
    t_under 4000
done
direct python3 "$T_LIB/connect.py" tcp 192.0.0.1 3129
t_match "$out" '^ENETUNREACH'
direct python3 "$T_LIB/connect.py" udp 198.51.100.10 443
t_match "$out" '^ENETUNREACH'
direct python3 "$T_LIB/connect.py" tcp 198.51.100.10 443
t_match "$out" '^connected'

t_case 'without URL endpoints nothing is intercepted'
CIJAIL_ENDPOINTS='registry.example' direct python3 "$T_LIB/connect.py" tcp 198.51.100.10 443
t_match "$out" '^ENETUNREACH'

t_case 'TLS in the jail is no weaker, and each host has a certificate of its own'
CIJAIL_ENDPOINTS='https://registry.example/ https://files.example/ https://a.wild.example/'
for host in registry.example files.example a.wild.example; do
    direct openssl s_client -brief -servername $host -verify_hostname $host -verify_return_error -connect 203.0.113.77:443
    t_match "$err" 'TLSv1\.3'
    t_match "$err" 'Verification: OK'
done
direct openssl s_client -brief -servername files.example -verify_hostname registry.example -verify_return_error -connect 203.0.113.77:443
t_no_match "$err" 'Verification: OK'

t_case 'broken ClientHellos end at once'
cat >hellos.py <<'END'
import os, socket
pieces = [b"\x16", b"\x16\x03\x01", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x16\x03\x01\xff\xff" + os.urandom(70000),
          b"\x16\x03\x01\x02\x00" + os.urandom(512), b"\x16\x03\x01\x00\x00", bytes(100), b"\x80\x2e\x01\x03\x01" + bytes(44)]
for piece in pieces:
    s = socket.create_connection(("203.0.113.77", 443), 10)
    try:
        s.sendall(piece)
        s.shutdown(socket.SHUT_WR)
        s.settimeout(5)
        while s.recv(65536):
            pass
    except ConnectionError:
        pass
    s.close()
print("done")
END
direct sh -c 'python3 hellos.py && curl -sS https://registry.example/pkg/lodash'
t_eq "$out" $'done\na package'

t_case 'nested jails: three deep, each with its policy; the outer ones intercept'
CIJAIL_ENDPOINTS=
run cijail -e https://registry.example/pkg/ -- cijail -e https://registry.example/pkg/ -- curl -sS https://registry.example/pkg/lodash
t_status 0
t_match "$out" '^a package$'
# LeakSanitizer, in a build with it, cannot look at the innermost one.
run env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" \
    cijail -e https://registry.example/pkg/ -- cijail -e https://registry.example/pkg/ -- cijail -e https://registry.example/pkg/ -- \
    curl -sS https://registry.example/pkg/lodash
t_status 0
t_match "$out" '^a package$'
run cijail -e https://registry.example/ -- cijail -e https://registry.example/pkg/ -- curl -s -w '%{http_code}' https://registry.example/echo
t_match "$out" '403$'
run cijail -e https://registry.example/pkg/ -- cijail -e https://registry.example/ -- curl -s -w '%{http_code}' https://registry.example/echo
t_match "$out" '403$'
run cijail -e https://registry.example/ -- cijail -e https://files.example/ -- curl -s -w '%{http_code}' https://files.example/echo
t_no_match "$out" '200$'
run cijail -e http://registry.example/pkg/ -- cijail -e http://registry.example/pkg/ -- curl -sS http://registry.example/pkg/lodash
t_eq "$out" 'a package'

t_case '1,000 direct connections at once, none refused'
CIJAIL_ENDPOINTS='https://registry.example/ http://registry.example/'
cat >storm.py <<'END'
import asyncio, ssl, sys
async def one(context):
    r, w = await asyncio.open_connection("203.0.113.77", 443 if context else 80, ssl=context,
                                         server_hostname="registry.example" if context else None)
    w.write(b"GET /echo HTTP/1.1\r\nHost: registry.example\r\nConnection: close\r\n\r\n")
    return (await r.read()).startswith(b"HTTP/1.1 200")
async def main():
    for context in None, ssl.create_default_context():
        results = await asyncio.gather(*(one(context) for _ in range(1000)), return_exceptions=True)
        print(sum(r is True for r in results), "ok")
asyncio.run(main())
END
ulimit -n "$(ulimit -Hn)"
T_LIMIT=120 direct python3 storm.py
t_eq "$out" $'1000 ok\n1000 ok'
t_denials 0

t_done
