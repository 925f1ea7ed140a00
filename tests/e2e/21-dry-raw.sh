#!/usr/bin/env bash
# A dry run and what is neither HTTP nor DNS: every connection passes, is logged, and is learned.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
H4=192.0.2.10 H6=2001:db8:0:2::10
python3 "$T_LIB/raw-server.py" $H4 $H6 >server.log 2>server.err </dev/null &
for ((i = 0; i < 200; i++)); do [[ -e server.ready ]] && break; sleep 0.05; done
[[ -e server.ready ]] || t_fail "server: $(cat server.err)"
words() { grep -oE '^[^ #]+' "$1"; }

t_case 'TCP to any address and port, over both families; the twins are denied'
for address in $H4 $H6; do
    where="\\[?${address//./\\.}\\]?:7001"
    run cijail --dry-run -- python3 "$T_LIB/connect.py" tcp $address 7001
    t_status 99
    t_match "$out" '^connected'
    t_match "$err" " cijail: DRYRUN deny connect $where\$"
    t_no_match "$err" 'cijail: deny'
    run cijail -- python3 "$T_LIB/connect.py" tcp $address 7001
    t_match "$out" '^ENETUNREACH'
    t_match "$err" " cijail: deny connect $where\$"
done
run cijail --dry-run -v -e "$H4:7001" -- python3 "$T_LIB/connect.py" tcp $H4 7001
t_match "$err" " cijail: DRYRUN allow connect ${H4//./\\.}:7001\$"

t_case 'a closed port is refused'
run cijail --dry-run -- python3 "$T_LIB/connect.py" tcp $H4 7999
t_match "$out" '^ECONNREFUSED'

t_case 'UDP'
run cijail --dry-run -- python3 "$T_LIB/connect.py" udp $H4 7999
t_match "$err" " cijail: DRYRUN deny connect ${H4//./\\.}:7999\$"

t_case 'it is learned, and the same run under it is denied nothing'
job="for a in $H4 $H6; do python3 $T_LIB/connect.py tcp \$a 7001; done; python3 $T_LIB/connect.py udp $H4 7999; curl -sf https://registry.example/pkg/lodash"
run cijail --dry-run --learn ./learned -- sh -c "$job"
t_status 99
t_eq "$(words learned)" "GET,HEAD:https://registry.example/pkg/lodash
$H4:7001
$H4:7999
[$H6]:7001"
run cijail --fail-on-deny -p ./learned -- sh -c "$job"
t_status 0
t_denials 0
t_count 2 "$out" '^connected'
run cijail -p ./learned -- python3 "$T_LIB/connect.py" tcp $H4 7002
t_match "$err" " cijail: deny connect ${H4//./\\.}:7002\$"

t_case 'what was connected to by a name is learned as NAME:PORT'
job="python3 $T_LIB/connect.py tcp git.example 7000; python3 $T_LIB/connect.py tcp registry.example 8443"
run cijail --dry-run --learn ./names -- sh -c "$job"
first=$out
t_match "$(words names)" '^git\.example:7000$'
t_no_match "$(words names)" '^git\.example$'
run cijail --fail-on-deny -p ./names -- sh -c "$job; true"
t_status 0
t_denials 0

t_case 'a client with roots of its own needs NAME:443: learned, and then it works'
job="curl -sS --cacert $T_NET/ca.pem https://registry.example/echo"
run cijail --dry-run --learn ./pinned -- sh -c "$job"
t_status 99
t_eq "$(words pinned)" registry.example:443
run cijail --fail-on-deny -p ./pinned -- sh -c "$job"
t_status 0
t_eq "$out" 'GET https://registry.example/echo'
t_denials 0

t_case 'the loopback of the host is not reached, nor are services of the gateway'
run cijail --dry-run -- python3 "$T_LIB/connect.py" tcp 192.0.0.1 22
t_match "$err" ' cijail: deny connect 192\.0\.0\.1:22$'

t_done
