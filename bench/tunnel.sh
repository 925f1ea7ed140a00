#!/usr/bin/env bash
# tunnel.sh: what a relay of bytes that nobody looks into carries.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
in_bench pinned "$@"
client_network
start_origin
start_nginx_direct
start_haproxy
start_squid
start_tinyproxy
echo "$PLAIN" >policy

# Without a proxy the client is on the host and the origin in the internet: one veth pair between them.
client_of direct "$BUILD/bench/client" -p $ORIGIN 8081 $PLAIN
client_for direct-2 -p $HERE 8081 $PLAIN
client_for haproxy-tunnel -p $HERE 8448 $PLAIN
client_for squid-tunnel -x -p $HERE 3129 $PLAIN
client_for tinyproxy -x -p $HERE 8888 $PLAIN
peer_pid["haproxy-tunnel"]=${peer_pid[haproxy]}
peer_pid["squid-tunnel"]=${peer_pid[squid]}
# A jail may connect to the addresses that it looked the name up for, as long as the answer is valid.
cat >looks-up.sh <<END
getent ahosts registry.example
while sleep 20; do getent ahosts registry.example; done >/dev/null 2>&1 </dev/null &
END
client_of cijail-tunnel taskset -c "$PROXY_CPU" cijail -q -p ./policy -- \
    sh -c ". ./looks-up.sh >/dev/null; exec taskset -c $CLIENT_CPU '$BUILD/bench/client' -p $ORIGIN 8081 $PLAIN"
peer_pid["cijail-tunnel"]=$client_pid
client_in_jail cijail-connect ./policy -x -p 192.0.0.1 3128 $PLAIN

for ((run = 0; run < RUNS; run++)); do
    for peer in direct direct-2 haproxy-tunnel squid-tunnel tinyproxy cijail-connect cijail-tunnel; do
        order $peer tunnel fetch 1 2 "/${BODY:-1g}"
    done
done
{
    echo '### Tunnels'
    echo
    echo "One connection, two bodies of ${BODY:-1g} each time, by plain HTTP that no proxy looks into."
    table_note pinned
    "$BENCH_SRC/table.py" bytes tunnel.results cijail-tunnel
} >"$BENCH_OUT/tunnel.md"
