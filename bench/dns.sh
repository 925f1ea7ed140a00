#!/usr/bin/env bash
# dns.sh: queries through a forwarder. nsd answers, dnsperf asks.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
in_bench pinned "$@"
client_network
server=192.0.2.53
many=${NAMES:-300000}
declare -A address=([direct]=$server [dnsmasq]=203.0.113.129 [unbound]=203.0.113.129 [cijail]=192.0.0.1)
declare -A port=([direct]=53 [dnsmasq]=5301 [unbound]=5302 [cijail]=53)

# --- the forwarders; with cache as they come, and without ---
udp_listening() { ss -Hlun "sport = :$1" | grep -q .; }
start_forwarder() { # PEER COMMAND...
    local peer=$1
    shift
    taskset -c "$PROXY_CPU" "$@" >"$peer.log" 2>&1 </dev/null &
    peer_pid["$peer"]=$!
    until_true udp_listening "${port[$peer]}"
}

dnsmasq_conf() { # CACHE-SIZE
    start_forwarder dnsmasq dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --no-hosts --no-resolv \
        --server=$server --port=5301 --listen-address=203.0.113.129 --bind-interfaces --cache-size="$1" \
        --dns-forward-max=1000 --address=/attacker.test/ --log-facility=- --pid-file="$PWD/dnsmasq.pid"
}

unbound_conf() { # yes|no: no cache
    cat >unbound.conf <<END
server:
    num-threads: 1
    interface: 203.0.113.129@5302
    access-control: 203.0.113.0/24 allow
    username: ""
    chroot: ""
    directory: "$PWD"
    pidfile: "$PWD/unbound.pid"
    use-syslog: no
    module-config: "iterator"
    do-not-query-localhost: no
    local-zone: "attacker.test." always_refuse
    outgoing-range: 4096
    num-queries-per-thread: 2048
    so-rcvbuf: 1m
forward-zone:
    name: "."
    forward-addr: $server
    forward-no-cache: $1
END
    start_forwarder unbound unbound -d -c unbound.conf
}

stop_forwarders() {
    kill "${peer_pid[dnsmasq]}" "${peer_pid[unbound]}"
    wait "${peer_pid[dnsmasq]}" "${peer_pid[unbound]}" || :
}

# --- the client: in the jail it waits for orders behind two pipes, as dnsperf by itself ends after each run ---
cat >dnsperf.sh <<'END'
while read -r arguments; do
    dnsperf $arguments </dev/null >dnsperf.out 2>&1
    echo done
done
END
start_jail() {
    printf '%s\n' '*.wild.example' >policy
    for ((i = 0; i < 20; i++)); do echo "host$i.example"; done >>policy
    client_of cijail taskset -c "$PROXY_CPU" cijail -q -p ./policy -- taskset -c "$CLIENT_CPU" sh dnsperf.sh
    peer_pid["cijail"]=$client_pid
}

perf() { # PEER ARGUMENT...: dnsperf's report to dnsperf.out
    local peer=$1
    shift
    set -- -s "${address[$peer]}" -p "${port[$peer]}" "$@"
    if [[ $peer == cijail ]]; then
        tell cijail "$*"
        client_says cijail
    elif [[ $peer == direct ]]; then
        dnsperf "$@" </dev/null >dnsperf.out 2>&1
    else
        in_client dnsperf "$@" </dev/null >dnsperf.out 2>&1
    fi
}

upstream_packets() { internet awk '/^Udp: [0-9]/ { print $2 }' /proc/net/snmp; }

said() { sed -n "s/^ *$1: *//p" dnsperf.out | awk '{ print $1 }'; }

# ask RESULTS PEER NAMES ARGUMENT...: "PEER ANSWERS LOST RATE LATENCY-US CPU-US UPSTREAM-PACKETS" to RESULTS.results
ask() {
    local results=$1 peer=$2 names=$3 cpu=0 pids=() upstream
    shift 3
    mapfile -t pids < <(processes "$peer" "${peer_pid[$peer]:-0}")
    upstream=$(upstream_packets)
    cpu=$(cpu_us "${pids[@]}")
    perf "$peer" -d "$names" "$@"
    cpu=$(($(cpu_us "${pids[@]}") - cpu))
    upstream=$(($(upstream_packets) - upstream))
    echo "$peer $(said 'Queries completed') $(said 'Queries lost') $(said 'Queries per second')" \
        "$(said 'Average Latency (s)') $cpu $upstream" >>"$results.results"
}

fresh_names() { # SUFFIX: names that nobody asked for before, to the file names
    fresh=$((${fresh:-0} + 1))
    awk -v run=$fresh -v many="$many" -v suffix="$1" 'BEGIN { for (i = 0; i < many; i++) printf "r%d-%d.%s A\n", run, i, suffix }' >names
}

table() { # RESULTS
    echo '| | queries/s | cijail'\''s of it | processor, µs a query | cijail'\''s of it | packets to upstream a query | latency, µs (over nsd itself) | lost |'
    echo '|---|---|---|---|---|---|---|---|'
    python3 - "$1.results" <<'END'
import statistics, sys
peers = {}
for line in open(sys.argv[1]):
    peer, *numbers = line.split()
    peers.setdefault(peer, []).append([float(n) for n in numbers])
median = lambda peer, of: statistics.median(of(n) for n in peers[peer])
rate = {p: median(p, lambda n: n[2]) for p in peers}
cpu = {p: median(p, lambda n: n[4] / max(n[0], 1)) for p in peers}
latency = {p: median(p, lambda n: n[3] * 1e6) for p in peers}
added = lambda p: f" (+{latency[p] - latency['direct']:.0f})" if "direct" in peers and p != "direct" else ""
ratio = lambda mine, other: f"{mine / other:.2f}" if other else "-"
for p in peers:
    print(f"| {'**cijail**' if p == 'cijail' else 'no forwarder: nsd itself' if p == 'direct' else p} | {rate[p]:,.0f} | "
          f"{ratio(rate['cijail'], rate[p])} | {cpu[p]:.2f} | {ratio(cpu['cijail'], cpu[p])} | "
          f"{median(p, lambda n: n[5] / max(n[0], 1)):.2f} | {latency[p]:.0f}{added(p)} | "
          f"{median(p, lambda n: n[1]):.0f} |")
END
}

load=(-l "$SECONDS_EACH" -q 100 -c 4 -t 2)
start_jail
echo 'host0.example A' >first # it starts dnsproxy, whose processor time counts from here on
perf cijail -d first -n 1

dnsmasq_conf 0
unbound_conf yes
for ((run = 0; run < RUNS; run++)); do
    for peer in direct dnsmasq unbound cijail; do
        fresh_names wild.example
        ask miss $peer names "${load[@]}" -n 1
    done
done
for ((run = 0; run < RUNS; run++)); do
    for peer in direct dnsmasq unbound cijail; do
        fresh_names wild.example
        ask low $peer names -l "$SECONDS_EACH" -q 1 -c 1 -Q 500 -t 2 -n 1
    done
done
stop_forwarders

dnsmasq_conf 10000
unbound_conf no
awk 'BEGIN { for (i = 0; i < 1000; i++) printf "kept-%d.wild.example A\n", i }' >hot
for peer in dnsmasq unbound cijail; do perf $peer -d hot -n 1 -q 20; done
for ((run = 0; run < RUNS; run++)); do
    for peer in dnsmasq unbound cijail; do ask hit $peer hot "${load[@]}"; done
done
for ((run = 0; run < RUNS; run++)); do
    for peer in dnsmasq unbound cijail; do
        fresh_names attacker.test
        ask denied $peer names "${load[@]}" -n 1
    done
done
stop_forwarders
mapfile -t pids < <(processes cijail "${peer_pid[cijail]}")
memory=$(memory_kib "${pids[@]}")

{
    echo '### DNS'
    echo
    echo "dnsperf, 4 clients, at most 100 questions at once, $SECONDS_EACH s each time; nsd answers. Names that nobody asked"
    echo 'for before, the caches of dnsmasq and unbound off:'
    table_note pinned
    table miss
    printf '\nThe same, one question at a time, 500 a second: what a forwarder adds to the latency.\n\n'
    table low
    printf '\nA thousand names, again and again, with the caches on:\n\n'
    table hit
    printf '\nNames that the policy denies, cijail with a log of them; a name that the others do not have (`address`), or refuse\n'
    printf '(`local-zone`). After all this the processes of cijail have %d KiB in memory.\n\n' "$memory"
    table denied
} >"$BENCH_OUT/dns.md"
