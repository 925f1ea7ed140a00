#!/usr/bin/env bash
# What is upstream fails: DNS servers that are dead or slow, servers that reset in every stage of the TLS handshake. The
# client gets an error, the jail goes on, nothing waits for ever.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

t_case 'a server that resets or closes after each byte of its TLS handshake: 502, and no wait'
python3 "$T_SRC/tests/escape/resets.py" server "$T_NET/good.pem" "$T_NET/good.key" 1 >resets.out 2>&1 </dev/null &
server=$!
for ((i = 0; i < 500; i++)); do grep -qs ready resets.out && break; sleep 0.02; done
cat >fetch.sh <<'END'
python3 "$1" client 192.0.0.1 3128 resets.out
curl -s -w '%{http_code}\n' https://registry.example/pkg/lodash
END
T_LIMIT=200 run cijail -e https://192.0.2.10:8443/ -e https://registry.example/ -- bash fetch.sh "$T_SRC/tests/escape/resets.py"
t_status 0
for how in reset closed; do t_match "$(cat resets.out)" "^$how [0-9]{3,}\$"; done
asked=$(awk '/^(reset|closed) / { n += $2 + 1 } END { print n }' resets.out)
t_true test "$(awk '/^status 502 / { print $3 }' <<<"$out")" -ge "$((asked - 50))" # the flight's length differs by some bytes
t_count 1 "$out" '^status '
t_true test "$(awk '/^longest / { print $2 }' <<<"$out")" -lt 5000
t_match "$(tail -n 1 <<<"$out")" '^200$' # the twin: the proxy goes on
wait $server

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
