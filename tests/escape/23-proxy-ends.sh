#!/usr/bin/env bash
# A proxy that is killed or crashes while the command runs ends the jail's network: closed, at once, with a message.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export T_LIB
policy=(-e https://registry.example/ -e https://origin.example/ -e 192.0.2.53:53)

# What works through the proxies, and what never does: lines of "NAME RESULT MILLISECONDS".
cat >probe.sh <<'END'
connect() { echo "$1 $(python3 "$T_LIB/connect.py" "${@:2}")"; }
timed() {
    local start=${EPOCHREALTIME/./}
    "${@:2}" >/dev/null 2>&1 && result=worked || result=failed
    echo "$1 $result $(((${EPOCHREALTIME/./} - start) / 1000))"
}
url=https://registry.example/pkg/lodash
timed https curl -sf -m 20 $url
timed transparent curl -sf -m 20 --noproxy '*' --resolve registry.example:443:198.51.100.10 $url
timed transparent6 curl -sf -m 20 --noproxy '*' --resolve 'registry.example:443:[2001:db8:10::10]' $url
timed dns dig +tries=1 +time=10 registry.example
timed dns-tcp dig +tcp +tries=1 +time=10 registry.example
timed dns-server dig +tries=1 +time=10 @192.0.2.53 registry.example
timed getent getent hosts registry.example
connect proxy tcp 192.0.0.1 3128
connect url-port tcp 198.51.100.10 443
connect url-port6 tcp 2001:db8:10::10 443
connect other-port tcp 198.51.100.66 22
connect other-port6 tcp 2001:db8:10::66 22
connect udp udp 198.51.100.66 123
connect ping ping 198.51.100.10 0
END
probes=14

cat >job.sh <<'END'
bash probe.sh >before
curl -s -o /dev/null -m 60 'https://origin.example/slow?60' & # a connection that waits for its answer
curl -s -o /dev/null https://registry.example/pkg/lodash
echo ready >up
read -r _ <down
begin=${EPOCHREALTIME/./}
wait
echo "waiting $(((${EPOCHREALTIME/./} - begin) / 1000))" >waiting
bash probe.sh >after
exit 7
END
mkfifo up down

for proxy in cijail-dnsproxy cijail-httpproxy; do
    for signal in 'KILL 9 (Killed)' 'SEGV 11 (Segmentation fault)'; do
        t_case "$proxy ends by SIG${signal%% *}: no network, no hang, and a message"
        rm -f before after waiting
        cijail "${policy[@]}" -- bash job.sh >job.out 2>job.err </dev/null &
        jail=$!
        t_true timeout 60 cat up >ready
        for works in https transparent transparent6 dns dns-tcp dns-server getent; do
            t_match "$(cat before)" "^$works worked "
        done
        wire_start
        kill -"${signal%% *}" "$(pgrep -x "${proxy:0:15}")"
        for ((i = 0; i < 500; i++)); do
            grep -q 'has ended' job.err && break
            sleep 0.01
        done
        echo go >down
        wait $jail
        status=$? out=$(cat after) err=$(cat job.err) last=after
        wire_stop
        t_status 7
        t_true grep -qF "$proxy was killed by signal ${signal#* }; the jail's network has ended, the command goes on without it" job.err
        t_count $probes "$out" ' [0-9]+$'
        t_no_match "$out" ' (worked|connected|answer|timeout) '
        t_eq "$(awk '$3 >= 5000' after)" ''
        t_true test "$(awk '{ print $2 }' waiting)" -lt 5000
        t_eq "$WIRE" ''
    done
done

t_done
