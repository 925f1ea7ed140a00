#!/usr/bin/env bash
# --upstream: names by the servers that the command line names, over UDP and TCP, or over TLS (RFC 7858, RFC 8310), and by
# no other. nsd speaks TLS at 192.0.2.53, 2001:db8:53::53 and 203.0.113.5; its certificate is for dns.example and the first
# two. Servers that misbehave: tests/lib/dot-server.py.
# timeout: 600
# shellcheck disable=SC2086 # words
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dig_status() { sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$1"; }
dns='dig +timeout=15 +tries=1'

# dot ADDRESS MODE [CERTIFICATE]: such a server of the test's host; what it says goes into dot.log. $dot: its process.
dot() {
    local name=${3:-dns}
    python3 "$T_LIB/dot-server.py" "$1" "$2" "$T_NET/$name.pem" "$T_NET/$name.key" >>dot.log 2>>dot.err </dev/null &
    dot=$!
    until_true grep -q "ready $1" dot.log || t_fail "server $1: $(cat dot.err)"
}
dot_stop() {
    local pid
    for pid in $(jobs -p); do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    : >dot.log
}
: >dot.log
# The host's own servers, which must not be asked: in the end, whoever asks them has an answer.
leaks() { grep -E '\.53( >|:) ' <<<"$WIRE"; }

t_case 'ADDRESS: that server is asked, in the place of the one of resolv.conf'
wire_start
run cijail --upstream 203.0.113.5 -e registry.example -- dig +short registry.example
wire_stop
t_eq "$out" 198.51.100.10
t_match "$WIRE" '> 203\.0\.113\.5\.53: .* A\? registry\.example'
t_no_match "$WIRE" '> 192\.0\.2\.53\.53: .*registry'
wire_start
run cijail -e registry.example -- dig +short registry.example
wire_stop
t_eq "$out" 198.51.100.10
t_match "$WIRE" '> 192\.0\.2\.53\.53: .* A\? registry\.example'

t_case 'IPv6, with a port, over TCP; the second server, if the first is not there'
for server in 2001:db8:53::53 '[2001:db8:53::53]' '[2001:db8:53::53]:53' 203.0.113.5:53; do
    run cijail --upstream "$server" -e many.example -- dig +short many.example
    t_count 100 "$out" '^198\.51\.100\.'
done
run cijail --upstream 127.0.0.9 --upstream 203.0.113.5 -e registry.example -- $dns +short registry.example
t_eq "$out" 198.51.100.10
t_count 1 "$err" 'cannot be asked'
t_count 1 "$err" '^cijail: the DNS server 127\.0\.0\.9 cannot be asked: Connection refused$'
run cijail --upstream 127.0.0.9:5353 -v -e registry.example -- sh -c "$dns registry.example; $dns +tcp registry.example"
t_eq "$(dig_status "$out")" $'SERVFAIL\nSERVFAIL'
t_count 1 "$err" '^cijail: the DNS server 127\.0\.0\.9:5353 cannot be asked: Connection refused$'
t_match "$err" 'allow resolve registry\.example A: no DNS server answers'
run cijail --upstream 127.0.0.9 -v --log-format json -e registry.example -- $dns registry.example
t_match "$err" '"name":"registry.example","type":"A","endpoint":"registry.example","reason":"no DNS server answers"}$'
run cijail --upstream 203.0.113.5 -v -e registry.example -- $dns +short registry.example
t_match "$err" 'allow resolve registry\.example A$'
t_no_match "$err" 'cannot be asked|answers'

t_case 'a server that is silent is said when it was so three times; one that the jail names is not'
python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.9", 5353)); open("bound", "w"); time.sleep(60)' &
until_true test -e bound
run cijail --upstream 127.0.0.9:5353 -v -e registry.example -- sh -c "$dns registry.example & $dns registry.example AAAA & wait"
t_eq "$(dig_status "$out")" $'SERVFAIL\nSERVFAIL'
t_count 1 "$err" '^cijail: the DNS server 127\.0\.0\.9:5353 cannot be asked: it does not answer$'
run cijail --upstream 127.0.0.9:5353 -v -e registry.example -- dig +timeout=1 +tries=1 registry.example
t_no_match "$err" 'cannot be asked'
t_match "$err" 'allow resolve registry\.example A: no answer before the end$'
kill %1
run cijail -v -e 'registry.example 192.0.2.54:53' -- $dns @192.0.2.54 registry.example
t_no_match "$err" 'cannot be asked'
t_match "$err" 'allow resolve registry\.example A: no DNS server answers'

# What is dialled for the jail is resolved by the same servers.
for upstream in 203.0.113.5 tls://203.0.113.5#dns.example; do
    t_case "hosts of URLs and of NAME:PORT are resolved by $upstream, too"
    export CIJAIL_ENDPOINTS='https://registry.example/ http://registry.example/ git.example:7000 rebind-mixed.example:7000'
    wire_start
    run cijail --upstream "$upstream" -- curl -sS https://registry.example/echo http://registry.example/echo
    t_eq "$out" $'GET https://registry.example/echo\nGET http://registry.example/echo'
    run cijail --upstream "$upstream" -- $unset_proxies curl -sS https://registry.example/echo
    t_eq "$out" 'GET https://registry.example/echo'
    run cijail --upstream "$upstream" -- bash -c 'exec 3<>/dev/tcp/git.example/7000; read -r line <&3; echo "$line"'
    t_eq "$out" hello
    wire_stop
    t_no_match "$WIRE" '> 192\.0\.2\.53\.53: .*(registry|git)'
    t_match "$WIRE" '> 203\.0\.113\.5\.(53|853): '
    run cijail --upstream "$upstream" -e https://missing.example/ -- curl -sS https://missing.example/
    t_match "$out$err" '502|cannot resolve missing\.example'
    run cijail --upstream "$upstream" -- curl -sS https://files.example/
    t_match "$out$err" 403
    # The proxy of the caller's network, which no policy names: it is found, and nothing listens there.
    run env https_proxy=http://files.example:9 cijail --upstream "$upstream" -- curl -sS https://registry.example/
    t_match "$out$err" "cannot connect to this host's proxy files\.example"
    unset CIJAIL_ENDPOINTS
done

t_case 'tls://: the certificate is for the address, or for #NAME; IPv6; a port; nothing goes to port 53'
for server in 192.0.2.53 192.0.2.53:853 192.0.2.53#dns.example 192.0.2.53#DNS.example. 203.0.113.5#dns.example \
    2001:db8:53::53 '[2001:db8:53::53]:853' '[2001:db8:53::53]#dns.example'; do
    wire_start
    run cijail --upstream "tls://$server" -v -e '*.example' -- sh -c 'dig +short registry.example; dig +short big.example TXT
        dig missing.example; getent ahostsv4 files.example; dig secret.attacker.test'
    wire_stop
    t_match "$out" '^198\.51\.100\.10$'
    t_count 40 "$out" xxxx
    t_match "$out" 'status: NXDOMAIN'
    t_match "$out" '^198\.51\.100\.10 .*files\.example'
    t_match "$out" 'status: REFUSED'
    t_match "$err" 'cijail: allow resolve registry\.example A$'
    t_match "$err" 'cijail: deny resolve secret\.attacker\.test A$'
    t_eq "$(leaks)" ''
    t_count 1 "$WIRE" '\.853: Flags \[S\]'
done

t_case 'nobody on the way reads the question, or how long it is'
dot 127.0.0.1 relay
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- dig +short registry.example
t_eq "$out" 198.51.100.10
t_true test -s relayed
t_false grep -qa registry relayed
rm relayed
dot_stop
dot 127.0.0.1 good
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- sh -c 'dig +short a.example; dig +short a-longer-name-than-the-other.example'
t_count 2 "$out" '^198\.51\.100\.1$'
t_count 2 "$(<dot.log)" '^asked .* 128$'
t_count 1 "$(<dot.log)" '^handshake new dns\.example'
dot_stop

# No answer, one line that says why, and no question to anybody else.
refused() { # WHAT REASON UPSTREAM
    t_case "$1: no answer, and a reason"
    wire_start
    run cijail --upstream "$3" -e registry.example -e https://registry.example/ -- sh -c "$dns registry.example & $dns registry.example AAAA & curl -sS https://registry.example/; wait"
    wire_stop
    t_count 2 "$out" 'status: SERVFAIL'
    t_no_match "$out" '^registry\.example\..*IN.A'
    t_match "$out$err" '502|cannot resolve registry\.example'
    t_count 1 "$err" "^cijail: the DNS server .* cannot be asked by TLS: .*$2"
    t_no_match "$WIRE" registry
    t_eq "$(leaks)" ''
}
refused 'a certificate for another address' 'IP address mismatch' tls://203.0.113.5
refused 'a certificate for another name' 'hostname mismatch' tls://192.0.2.53#other.example
refused 'a name below that of the certificate' 'hostname mismatch' tls://192.0.2.53#a.dns.example
refused 'nobody listens' 'Connection refused' tls://127.0.0.9
refused 'nobody listens at that port' 'Connection refused' tls://192.0.2.53:854
dot 127.0.0.1 good dnsbad
refused 'a CA that nobody trusts' 'unable to get local issuer certificate' tls://127.0.0.1#dns.example
dot_stop
dot 127.0.0.1 good expired
refused 'a certificate that has expired' 'certificate has expired' tls://127.0.0.1#expired.example
dot_stop
for row in 'plain;DNS without TLS;.' 'hang;no handshake;the handshake was not done in time' 'silent;no answers;it does not answer' \
    'end;the end in the place of an answer;ended the connection without an answer' 'cut;the end in the middle of an answer;ended the connection without an answer' \
    'short;a message that is none;a message that is none'; do
    IFS=';' read -r mode what why <<<"$row"
    dot 127.0.0.1 "$mode"
    refused "$what" "$why" tls://127.0.0.1#dns.example
    dot_stop
done

t_case 'the twin: the same server, good'
dot 127.0.0.1 good
run cijail --upstream tls://127.0.0.1#dns.example -e registry.example -- dig +short registry.example
t_eq "$out" 198.51.100.1
dot_stop

t_case 'answers are judged as others: private addresses are withheld, another question is not believed'
dot 127.0.0.1 private
run cijail --upstream tls://127.0.0.1#dns.example -e a.example -- dig +short a.example
t_eq "$out" ''
t_match "$err" 'cijail: deny resolve a\.example A$'
run cijail --upstream tls://127.0.0.1#dns.example -e 'http://a.example/' -- curl -sS http://a.example/
t_match "$out" 'withheld|rebinding'
dot_stop
dot 127.0.0.1 other
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- sh -c 'dig +short a.example; dig +short b.example'
t_count 2 "$out" '^198\.51\.100\.1$'
dot_stop

for mode in - hang silent servfail refused end plain; do
    t_case "failover over TLS: the first server is $mode, the second answers"
    [[ $mode == - ]] || dot 127.0.0.1 "$mode"
    dot 127.0.0.2 good
    run cijail --upstream tls://127.0.0.1#dns.example --upstream tls://127.0.0.2#dns.example -e a.example -- $dns +short a.example
    t_eq "$out" 198.51.100.1
    dot_stop
done

t_case 'questions are pipelined on one connection, and answered in any order (RFC 7766, 6.2.1.1)'
dot 127.0.0.1 reversed
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- sh -c "$dns +short a.example & $dns +short b.example & wait"
t_count 2 "$out" '^198\.51\.100\.1$'
t_count 1 "$(<dot.log)" '^handshake'
dot_stop

t_case 'a connection that the server ends is made anew, and its session resumed'
dot 127.0.0.1 once
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- sh -c 'for i in 1 2 3; do dig +short $i.example; sleep 0.1; done'
t_count 3 "$out" '^198\.51\.100\.1$'
t_count 1 "$(<dot.log)" '^handshake new'
t_count 2 "$(<dot.log)" '^handshake resumed'
t_no_match "$err" 'cannot be asked'
dot_stop

t_case 'a server that dies: SERVFAIL, or what was known (RFC 8767); when it is back it is asked again'
dot 127.0.0.1 brief
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- sh -c "dig +short a.example; touch seen; until [ -e dead ]; do sleep 0.1; done; sleep 1.2
    $dns +noall +answer a.example; $dns b.example; touch told; until [ -e back ]; do sleep 0.1; done; $dns c.example" &
jail=$!
until_true test -e seen
kill $dot
touch dead
until_true test -e told
dot 127.0.0.1 good
touch back
wait $jail
out=$(<"$T_TMP/out")
t_match "$out" $'^a\\.example\\.\t+30\tIN\tA\t198\\.51\\.100\\.1'
t_eq "$(dig_status "$out")" $'SERVFAIL\nNOERROR'
t_match "$out" $'^c\\.example\\..*198\\.51\\.100\\.1'
t_count 1 "$(<"$T_TMP/err")" 'cannot be asked by TLS'
dot_stop

t_case 'the cache, RFC 8020 and hosts(5) hold over TLS'
dot 127.0.0.1 nxdomain
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- sh -c 'dig missing.example; dig a.missing.example'
t_count 2 "$out" 'status: NXDOMAIN'
dot_stop
dot 127.0.0.1 good
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- sh -c 'dig +short a.example; dig +short a.example; dig +short A.example'
t_count 3 "$out" '^198\.51\.100\.1$'
t_count 1 "$(<dot.log)" '^asked'
if [[ -w /etc/hosts ]]; then
    cp /etc/hosts hosts.kept
    echo '198.51.100.10 b.example' | cat hosts.kept - >/etc/hosts
    run cijail --upstream tls://127.0.0.1#dns.example -e 'b.example http://b.example/' -- sh -c 'dig +short b.example; curl -sS -o /dev/null -w "%{http_code}" http://b.example/'
    cat hosts.kept >/etc/hosts
    t_match "$out" '^198\.51\.100\.10$'
    t_no_match "$(<dot.log)" 'asked b\.example'
fi

t_case 'a hundred names at once, over one connection'
: >dot.log
cat >many.py <<'END'
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for i in range(100):
    name = b"n%02d" % i
    s.sendto(struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + bytes([len(name)]) + name + b"\7example\0\0\1\0\1", ("192.0.0.1", 53))
print(len({m[:2] for m in (s.recv(4096) for _ in range(100)) if m[3] & 15 == 0 and m[7] == 1}))
END
run cijail --upstream tls://127.0.0.1#dns.example -e '*.example' -- python3 many.py
t_eq "$out" 100
t_count 100 "$(<dot.log)" '^asked'
t_count 1 "$(<dot.log)" '^handshake'

# proxies_after COMMAND: how many dnsproxies there are when a jail has done it, into $proxies.
proxies_after() {
    run cijail --upstream tls://127.0.0.1#dns.example -e a.example -- sh -c "$1; touch waiting; until [ -e counted ]; do sleep 0.05; done" &
    local jail=$!
    until_true test -e waiting
    proxies=$(pgrep -c cijail-dnsproxy)
    touch counted
    wait $jail
    rm waiting counted
}
t_case 'what is not asked for is not started: no connection, no dnsproxy'
: >dot.log
proxies_after true
t_eq "$proxies" 0
t_no_match "$(<dot.log)" handshake
proxies_after 'dig a.example'
t_eq "$proxies" 1
t_match "$(<dot.log)" handshake
dot_stop

t_case 'options that cannot be meant are errors'
run cijail --upstream dns.example -- true
t_status 125
t_match "$err" "^cijail: --upstream 'dns\.example': expected ADDRESS"
run cijail --upstream tls://192.0.2.53 --upstream 192.0.2.53 -- true
t_status 125
t_match "$err" 'exclude each other'
t_done
