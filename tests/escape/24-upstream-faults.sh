#!/usr/bin/env bash
# What is upstream fails: DNS servers that are dead or slow, servers that reset in every stage of the TLS handshake. The
# client gets an error, the jail goes on, nothing waits for ever.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

t_case 'a server that resets at each stage of the TLS handshake: 502, at once'
python3 "$T_SRC/tests/escape/resets.py" "$T_NET/good.pem" "$T_NET/good.key" >resets.out 2>&1 </dev/null &
server=$!
for ((i = 0; i < 500; i++)); do grep -qs ready resets.out && break; sleep 0.02; done
cat >fetch.sh <<'END'
for ((i = 0; i < 60; i++)); do
    curl -s -o /dev/null -w '%{http_code}\n' -m 20 --proxy-insecure -k https://192.0.2.10:8443/
done
curl -s -w '%{http_code}\n' https://registry.example/pkg/lodash
END
T_LIMIT=120 run cijail -v -e https://192.0.2.10:8443/ -e https://registry.example/ -- bash fetch.sh
t_status 0
t_count 60 "$out" '^502$'
t_match "$(tail -n 1 <<<"$out")" '^200$' # the twin: the proxy goes on
t_count 0 "$err" 'allow 200 GET https://192'
t_match "$(cat resets.out)" '^whole [0-9]+$'
kill $server
wait $server 2>/dev/null

# The host's resolver goes by its configuration: how long it waits, too.
resolv=$T_NET/home/_etc_resolv.conf
configure() { cat >"$resolv"; }
t_case 'DNS servers that are dead: an error after the time that the host has for them'
t_true test -w "$resolv"
cat >lookups.sh <<'END'
dig +tries=1 +time=20 registry.example
curl -s -o /dev/null -w '%{http_code}\n' -m 30 https://registry.example/pkg/lodash
echo over
END
configure <<<$'nameserver 203.0.113.250\noptions timeout:1 attempts:1'
run cijail -e https://registry.example/ -- bash lookups.sh
t_status 0
t_match "$out" 'status: SERVFAIL'
t_match "$out" '^502$'
t_match "$out" '^over$'
t_under 20000

t_case 'the first is dead, the second answers'
configure <<<$'nameserver 203.0.113.250\nnameserver 192.0.2.53\noptions timeout:1 attempts:1'
run cijail -e https://registry.example/ -- bash lookups.sh
t_match "$out" 'status: NOERROR'
t_match "$out" '^200$'

t_case 'none at all'
configure </dev/null
run cijail -e https://registry.example/ -- bash lookups.sh
t_no_match "$out" 'status: NOERROR'
t_match "$out" '^502$'
t_match "$out" '^over$'
t_under 30000

t_done
