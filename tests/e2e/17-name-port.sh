#!/usr/bin/env bash
# NAME:PORT: whatever is said to that port of what NAME resolves to, TLS for NAME alone; by CONNECT and directly.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
options=()
jail() { run cijail "${options[@]}" -- "$@"; }
# shellcheck disable=SC2086 # words
direct() { run cijail "${options[@]}" -- $unset_proxies "$@"; }
json() { options=(--log-format json "$@"); }
web4=198.51.100.10 git4=198.51.100.20 git6=2001:db8:10::20


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
direct python3 $T_LIB/tls.py "$T_NET/ca.pem" registry.example 443 registry.example
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
direct python3 $T_LIB/tls.py "$T_NET/ca.pem" registry.example 443 other.example
t_eq "$out" 'refused: TLSV1_UNRECOGNIZED_NAME'
t_match "$err" '"decision":"deny","dry_run":false,"kind":"connect","address":"[0-9a-f.:]*","port":443,"protocol":"tcp","name":"other\.example","reason":"SNI other\.example: no NAME:PORT endpoint'
direct python3 $T_LIB/tls.py "$T_NET/ca.pem" registry.example 443 -
t_eq "$out" 'refused: TLSV1_UNRECOGNIZED_NAME'
t_match "$err" '"kind":"connect".*"reason":"TLS without SNI'
options=()
direct python3 $T_LIB/tls.py "$T_NET/ca.pem" registry.example 443 registry.example # the twin
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
    direct sh -c "getent ahosts git.example >/dev/null; python3 $T_LIB/say.py $address 7000 'some words'"
    t_eq "$out" $'hello\nsome words'
    t_denials 0
done
direct python3 $T_LIB/say.py git.example 7000
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
direct python3 $T_LIB/say.py refused.example 7000
t_eq "$out" ECONNREFUSED
t_denials 0
jail curl -sS --proxytunnel --proxy "$PROXY" http://refused.example:7000/
t_match "$err" '502'

t_case 'addresses that no allowed name has resolved to, and other ports: ENETUNREACH'
wire_start
for address in $git4 $git6; do
    direct python3 $T_LIB/say.py $address 7000 # not looked up
    t_eq "$out" ENETUNREACH
    t_count 1 "$err" " cijail: deny connect \\[?$address\\]?:7000\$"
done
wire_stop
t_eq "$WIRE" ''
direct sh -c "getent ahosts git.example >/dev/null; python3 $T_LIB/say.py $git4 443; python3 $T_LIB/say.py $git4 7001; python3 $T_LIB/say.py $web4 7000"
t_eq "$out" $'ENETUNREACH\nENETUNREACH\nENETUNREACH'
t_denials 3
direct sh -c "getent ahosts other.example; python3 $T_LIB/say.py $web4 443"
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

t_done
