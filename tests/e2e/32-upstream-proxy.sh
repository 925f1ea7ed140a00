#!/usr/bin/env bash
# The proxy of the caller's network (http_proxy, https_proxy, no_proxy): squid, with credentials that the jail never sees.
# timeout: 900
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
. "$T_LIB/squid.sh"
# Says words to HOST PORT, directly or by CONNECT, and waits for them to come back before it ends: squid ends a tunnel
# as soon as one side has.
cat >words.py <<'END'
import socket, sys
s = socket.create_connection(("192.0.0.1", 3128) if sys.argv[3:] else (sys.argv[1], int(sys.argv[2])), 30)
if sys.argv[3:]:
    s.sendall(f"CONNECT {sys.argv[1]}:{sys.argv[2]} HTTP/1.1\r\nHost: {sys.argv[1]}:{sys.argv[2]}\r\n\r\n".encode())
s.sendall(b"words")
got = b""
while not got.endswith(b"words") and (data := s.recv(4096)):
    got += data
print(got.split(b"\r\n\r\n")[-1].decode())
END
squid_start
plain=http://$SQUID_USER@proxy.example:3128
tls=https://$SQUID_USER@proxy.example:3129
none=
through() { # PROXY COMMAND...: the caller has this proxy
    run env http_proxy="$1" https_proxy="$1" no_proxy="$none" cijail "${@:2}"
}
# shellcheck disable=SC2086 # words
direct() { through "$1" -v -- $unset_proxies "${@:2}"; }
export CIJAIL_ENDPOINTS='https://registry.example/ http://registry.example/ https://files.example/ http://files.example/
    https://dead.example/ http://outside.example/ outside.example:7000 git.example:7000 git.example:22 198.51.100.20:7000
    POST:https://origin.example/ files.example:8443'

# A proxy that takes connections and is silent: what becomes of them is asked at the end of this file.
cat >silent.py <<'END'
import socket
s = socket.create_server(("192.0.2.10", 3132))
print("ready", flush=True)
held = []
while True:
    held.append(s.accept())
END
python3 silent.py >silent.out &
silent=$!
until_true grep -qs ready silent.out || t_fail 'no silent proxy'
cat >wait.sh <<'END'
(curl -sS -m 200 -w '%{http_code}\n' https://registry.example/echo; echo ended) >request &
(nc -w 200 git.example 7000 </dev/null; echo ended) >raw &
curl -sS -m 20 http://registry.example/echo
wait
cat request raw
END
declare -A waiting
for kind in http https; do
    env http_proxy= https_proxy=$kind://proxy.example:3132 cijail -v -- bash -c "mkdir $kind; cd $kind; . ../wait.sh" \
        >waiting.$kind 2>waiting.$kind.err </dev/null &
    waiting[$kind]=$!
done

for proxy in "$plain" "$tls"; do
    kind=${proxy%%:*}

    t_case "https by CONNECT, http by URL, raw TCP by CONNECT: $kind proxy"
    through "$proxy" -v -- curl -sS https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
    t_match "$err" 'cijail: allow 200 GET https://registry.example/echo$'
    squid_saw 'CONNECT registry.example:443'
    t_match "$seen" 'TCP_TUNNEL/200 CONNECT registry\.example:443$'
    through "$proxy" -v -- sh -c 'curl -sS http://registry.example/echo http://registry.example/echo?2'
    t_eq "$out" $'GET http://registry.example/echo\nGET http://registry.example/echo?2'
    squid_saw 'echo\?2'
    t_count 2 "$seen" '/200 GET http://registry.example/echo'
    through "$proxy" -v -- python3 words.py git.example 7000 connect
    t_eq "$out" $'hello\nwords'
    t_match "$err" 'cijail: allow connect git\.example:7000$'
    squid_saw 'CONNECT git.example:7000'
    t_match "$seen" 'TCP_TUNNEL/200 CONNECT git\.example:7000$'

    t_case "clients that know of no proxy: $kind proxy"
    direct "$proxy" curl -sS https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
    direct "$proxy" curl -sS http://registry.example/echo
    t_eq "$out" 'GET http://registry.example/echo'
    squid_saw 'GET http'
    t_count 1 "$seen" '/200 CONNECT registry\.example:443$'
    t_count 1 "$seen" '/200 GET http://registry\.example/echo$'
    CIJAIL_ENDPOINTS=git.example:7000 direct "$proxy" python3 words.py git.example 7000
    t_eq "$out" $'hello\nwords'
    t_match "$err" 'cijail: allow connect git\.example:7000$'
    squid_saw 'CONNECT git.example:7000'
    t_match "$seen" 'TCP_TUNNEL/200 CONNECT git\.example:7000$'
    direct "$proxy" python3 words.py 198.51.100.20 7000
    t_eq "$out" $'hello\nwords'
    t_match "$err" 'cijail: allow connect 198\.51\.100\.20:7000$'
    squid_saw 'CONNECT 198.51.100.20'
    t_match "$seen" 'TCP_TUNNEL/200 CONNECT 198\.51\.100\.20:7000$'
    direct "$proxy" python3 $T_LIB/tls.py "$T_NET/ca.pem" files.example 8443 files.example # not squid's to allow
    t_match "$err" 'does not allow files\.example:8443 \(403\)'

    t_case "HTTP/2 towards the server: $kind proxy"
    before=$(grep -c '"GET /echo[^"]* HTTP/2.0"' "$T_NET/nginx/access.log")
    CIJAIL_ENDPOINTS=https://registry.example:8443/ through "$proxy" -- \
        curl -sS --http2 'https://registry.example:8443/echo?[1-3]'
    t_count 3 "$out" '^GET https://registry\.example:8443/echo'
    squid_saw 'CONNECT registry.example:8443'
    t_count 1 "$seen" 'TCP_TUNNEL/200 CONNECT registry\.example:8443$'
    t_eq "$(grep -c '"GET /echo[^"]* HTTP/2.0"' "$T_NET/nginx/access.log")" $((before + 3))
    CIJAIL_ENDPOINTS=https://registry.example:8443/pkg/ through "$proxy" -v -- \
        curl -sS --http2 -w '%{http_version} %{http_code}' https://registry.example:8443/echo
    t_match "$out" '2 403$'
    # A connection may have been begun early, at most one, if there was the time; no request is made on it.
    through "$proxy" -- curl -sS -o /dev/null http://registry.example/echo?denied
    squid_saw 'echo\?denied'
    [[ $(grep -c ' CONNECT ' <<<"$seen") -le 1 ]] || t_fail "more than one connection: $seen"
    t_eq "$(grep -c '"GET /echo[^"]* HTTP/2.0"' "$T_NET/nginx/access.log")" $((before + 3))

    t_case "ssh, whose server speaks first: $kind proxy"
    echo "get $T_NET/ca.pem got.pem" >batch
    rm -f got.pem
    direct "$proxy" sftp -q -b batch -i $T_NET/ssh/client -o UserKnownHostsFile=$T_NET/ssh/known_hosts -o BatchMode=yes \
        "$(id -un)@git.example"
    t_status 0
    t_true cmp "$T_NET/ca.pem" got.pem

    t_case "names that this host cannot resolve: $kind proxy"
    through "$proxy" -- curl -sS http://outside.example:80/ -o /dev/null -w '%{http_code}'
    t_match "$out" '^[0-9]+$'
    through "$proxy" -- python3 words.py outside.example 7000 connect
    t_eq "$out" $'hello\nwords'

    t_case "bodies of a length, both ways: $kind proxy"
    head -c 3000000 /dev/urandom >"$T_NET/www/large"
    through "$proxy" -- sh -c 'curl -sS https://registry.example/large | sha256sum; curl -sS http://registry.example/large | sha256sum'
    sum=$(sha256sum <"$T_NET/www/large")
    t_eq "$out" "$sum"$'\n'"$sum"
    through "$proxy" -- curl -sS -T "$T_NET/www/large" http://registry.example/upload/large
    t_true cmp "$T_NET/www/large" "$T_NET/www/upload/large"
    rm -f "$T_NET/www/upload/large"
done

t_case 'the policy is asked before the proxy is'
: >"$SQUID_LOG"
through "$plain" -- curl -sS https://other.example/
t_status 56
through "$plain" -- sh -c "printf words | nc -N -w 5 -X connect -x ${PROXY#http://} git.example 7001"
t_no_match "$out" words
direct "$plain" python3 $T_LIB/say.py 198.51.100.20 7001
t_eq "$out" ENETUNREACH
direct "$plain" curl -sS --connect-timeout 5 -x http://192.0.2.10:3128 http://registry.example/echo # squid itself
t_status 7
through "$plain" -- sh -c 'curl -sS --noproxy "*" --max-time 5 http://proxy.example:3128/; curl -sS --noproxy "*" --max-time 5 http://192.0.2.10:3128/'
t_no_match "$out" '[Ss]quid'
through "$plain" -- curl -sS https://registry.example/echo # the twin
squid_saw 'CONNECT registry.example:443'
t_match "$seen" 'TCP_TUNNEL/200 CONNECT registry\.example:443$'
t_no_match "$seen" 'other|7001'

t_case 'no_proxy: hosts, domains, addresses and networks go directly'
for none in registry.example .example example,nowhere '*' 'nowhere, *.example' registry.example:443; do
    through "$plain" -- curl -sS https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
done
for none in 198.51.100.20 198.51.100.0/24 198.51.100.20:7000; do
    direct "$plain" python3 $T_LIB/say.py 198.51.100.20 7000 'an address'
    t_eq "$out" $'hello\nan address'
done
t_eq "$(cat "$SQUID_LOG")" ''
for none in try.example registry.example:80 egistry.example 198.51.100.10; do # the twin
    through "$plain" -- curl -sS https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
    squid_saw 'CONNECT registry.example:443'
    t_count 1 "$seen" 'CONNECT registry\.example:443$'
done
none=

t_case 'the variables are those of curl: lower case first, HTTP_PROXY not at all, all_proxy for the rest'
run env HTTP_PROXY="$plain" cijail -- curl -sS http://registry.example/echo
t_eq "$out" 'GET http://registry.example/echo'
run env https_proxy= HTTPS_PROXY= cijail -- curl -sS https://registry.example/echo
t_eq "$out" 'GET https://registry.example/echo'
t_eq "$(cat "$SQUID_LOG")" ''
run env HTTPS_PROXY="$plain" cijail -- curl -sS https://registry.example/echo
t_eq "$out" 'GET https://registry.example/echo'
squid_saw 'CONNECT registry.example:443'
run env ALL_PROXY="$plain" cijail -- curl -sS https://registry.example/echo
t_eq "$out" 'GET https://registry.example/echo'
squid_saw 'CONNECT registry.example:443'
t_match "$seen" 'TCP_TUNNEL/200 CONNECT registry\.example:443$'

t_case 'what the proxy refuses is told, with the reason'
wrong=http://ci:wrong@proxy.example:3128
for proxy in "$wrong" "${wrong/ci:wrong@/}" "https://ci:wrong@proxy.example:3129"; do
    through "$proxy" -v -- curl -sS -w '%{http_code}' https://registry.example/echo
    t_match "$out" '502$'
    t_match "$err" 'cijail: allow - (CONNECT|GET) .*wants other credentials'
    through "$proxy" -- curl -sS -w '%{http_code}' http://registry.example/echo
    t_match "$out" '502$'
    t_match "$out" 'credentials'
    through "$proxy" -v -- sh -c "nc -N -w 5 -X connect -x ${PROXY#http://} git.example 7000 </dev/null"
    t_match "$err" 'CONNECT git\.example:7000: this host.s proxy wants other credentials'
done
through "$plain" -- curl -sS https://files.example/
t_match "$out" 'does not allow files\.example:443 \(403\)'
through "$plain" -- curl -sS -w '%{http_code}' http://files.example/
t_match "$out" '403$'
through "$plain" -- curl -sS https://dead.example/
t_match "$out" 'cannot connect to dead\.example:443 \(50[34]\)'

t_case 'a proxy that is not there, answers nonsense, nothing, or too much'
through http://proxy.example:9 -- curl -sS https://registry.example/
t_match "$out" 'cannot connect to this host.s proxy proxy\.example port 9: Connection refused'
through http://no-proxy.example:9 -- curl -sS -w '%{http_code}' http://registry.example/
t_match "$out" 'cannot resolve this host.s proxy no-proxy\.example'
t_match "$out" '502$'
cat >odd.py <<'END'
import socket, sys, threading
s = socket.create_server(("192.0.2.10", 0))
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    c.recv(65536)
    c.sendall(eval(sys.argv[1]))
    c.close()
END
odd() { # ANSWER REGEX
    python3 odd.py "$1" >odd.port &
    until_true test -s odd.port
    through "http://192.0.2.10:$(cat odd.port)" -- curl -sS https://registry.example/echo
    kill $!
    wait $! 2>/dev/null
    : >odd.port
    t_match "$out" "$2"
}
odd 'b""' 'ended the connection without an answer'
odd 'b"HTTP/1.1 200"' 'ended the connection without an answer'
odd 'b"220 mail.example ESMTP\r\n\r\n"' 'is malformed'
odd 'b"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n"' 'is malformed'
odd 'b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000' 'is too long'
odd 'b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"' 'cannot connect to registry\.example:443 \(302\)'
odd 'b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 407 No\r\n\r\n"' 'wants other credentials'

t_case 'a TLS proxy is verified'
through "https://$SQUID_USER@192.0.2.10:3129" -- curl -sS https://registry.example/echo # not in its certificate
t_match "$out" 'TLS with this host.s proxy failed: (IP address|hostname) mismatch'
SSL_CERT_FILE=$T_NET/otherca.pem through "$tls" -- curl -sS https://registry.example/echo
t_match "$out" 'TLS with this host.s proxy failed: '
CIJAIL_ENDPOINTS='git.example:7000' through "$tls" -- python3 words.py git.example 7000 connect
t_eq "$out" $'hello\nwords' # the twin, without an https endpoint

t_case 'with a TLS proxy that speaks HTTP/2, too, HTTP/1.1 is spoken'
make_leaf DNS:proxy.example
cat >two.py <<'END'
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("leaf.pem", "leaf.key")
context.set_alpn_protocols(["h2", "http/1.1"])
s = socket.create_server(("192.0.2.10", 0))
print(s.getsockname()[1], flush=True)
while True:
    c = context.wrap_socket(s.accept()[0], server_side=True)
    print(c.selected_alpn_protocol(), c.recv(4096).split(b"\r\n")[0].decode(), flush=True)
    c.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    c.close()
END
python3 two.py >two.log &
two=$!
until_true test -s two.log
through "https://proxy.example:$(sed -n 1p two.log)" -- curl -sS https://registry.example/echo
t_match "$out" 'does not allow registry\.example:443 \(403\)'
t_eq "$(sed 1d two.log | sort -u)" 'http/1.1 CONNECT registry.example:443 HTTP/1.1'
kill $two
wait $two 2>/dev/null

t_case 'the credentials are nowhere in the jail, its log, or an answer'
cat >search.sh <<'END'
env
cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\0' '\n'
for url in https://registry.example/echo http://registry.example/echo https://files.example/ http://files.example/ \
    https://dead.example/ http://outside.example/none; do
    curl -sSi "$url"
done
curl -sSi -X TRACE -H 'Max-Forwards: 0' http://registry.example/
curl -sSi -X OPTIONS --request-target '*' http://registry.example/
END
for proxy in "$plain" "$tls"; do
    through "$proxy" -v -- sh search.sh
    t_match "$out" '^http_proxy=http://192\.0\.0\.1:3128$'
    t_match "$out" 'GET http://registry\.example/echo'
    for secret in s3cret 'ci%20job' 'ci job' "$SQUID_TOKEN" "${SQUID_TOKEN%%[=+/]*}" proxy-auth Proxy-Auth; do
        t_assert "$secret is in the jail" t_has_not "$out$err" "$secret"
    done
done
through "${plain/s3cret/wr0ng}" -v -- sh search.sh
t_assert 'a wrong password is in the jail' t_has_not "$out$err" wr0ng
through "socks5://$SQUID_USER@proxy.example" -- true
t_status 125
t_match "$err" 'https?_proxy names a proxy of the kind socks5'
t_no_match "$err" 's3cret'
through "ftp://$SQUID_USER@proxy.example" -- true
t_status 125
t_match "$err" 'https?_proxy does not begin with http:// or https://'
t_no_match "$err" 's3cret'
CIJAIL_ENDPOINTS='' through socks5://proxy.example -- true # nothing is connected to
t_status 0

t_case 'the processes of cijail do not show them either'
through "$plain" -- sh -c 'echo there >ready; sleep 5' &
shown=$!
until_true test -e ready
for pid in $(pgrep -f 'cijail -- sh -c echo there') $(pgrep -x cijail-httpprox) $(pgrep -x cijail-dnsproxy); do
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -a s3cret | grep -v '^env ' >>shown
    echo x >>looked
done
wait $shown
t_true test -s looked
t_eq "$(grep -c s3cret shown)" 0

t_case 'a dry run goes by the proxy too, and learns names'
: >"$SQUID_LOG"
CIJAIL_ENDPOINTS='' through "$plain" --dry-run --learn learned -- sh -c \
    "curl -sS https://registry.example/echo; $unset_proxies python3 words.py git.example 7000; printf x | nc -N -X connect -x ${PROXY#http://} git.example 22 | head -c 4"
t_status 99
t_match "$out" 'GET https://registry\.example/echo'
t_match "$out" '^words$'
squid_saw git.example:22
t_count 1 "$seen" 'CONNECT registry\.example:443$'
t_match "$(cat learned)" '^git\.example:7000'

t_case 'a proxy that is silent: an answer after a minute and a half, by TLS too, and all else goes on meanwhile'
for kind in http https; do
    wait "${waiting[$kind]}"
    out=$(cat waiting.$kind) err=$(cat waiting.$kind.err)
    t_count 2 "$out" "^cijail: this host's proxy did not answer in time\$|^504\$"
    t_count 2 "$out" '^ended$'
    t_match "$out" '^GET http://registry\.example/echo$'
    t_match "$err" "cijail: allow - GET https://registry\.example/echo: this host's proxy did not answer in time\$"
    t_match "$err" "cijail: allow - CONNECT (git\.example|198\.51\.100\.20):7000: this host's proxy did not answer in time\$"
done
kill $silent
wait $silent 2>/dev/null

squid_stop
t_done
