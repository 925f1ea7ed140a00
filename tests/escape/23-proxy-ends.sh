#!/usr/bin/env bash
# A proxy that is killed or crashes while the command runs ends the jail's network: closed, at once, with a message.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export T_LIB
policy=(-e https://registry.example/ -e https://origin.example/ -e 192.0.2.53:53 -e 203.0.113.250:7777 -e 198.51.100.10:80)

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
python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
open("local.port", "w").write(str(s.getsockname()[1]))
c, _ = s.accept()
c.sendall(c.recv(1))' &
local=$!
until [[ -s local.port ]]; do sleep 0.05; done
curl -s -o /dev/null -m 60 'https://origin.example/slow?60' & # a connection that waits for its answer
(: <>/dev/tcp/203.0.113.250/7777) 2>/dev/null & # a connect(2) under way: nobody answers there
exec 5<>/dev/tcp/198.51.100.10/80               # a relayed connection that waits
cat <&5 >/dev/null 2>&1 &
exec 6<>/dev/tcp/127.0.0.1/$(cat local.port) # the jail's own
curl -s -o /dev/null https://registry.example/pkg/lodash
cat /proc/net/tcp >sockets # 02: SYN_SENT
echo ready >up
read -r _ <down
begin=${EPOCHREALTIME/./}
wait $(jobs -p | grep -vx $local)
echo "waiting $(((${EPOCHREALTIME/./} - begin) / 1000))" >waiting
echo x >&6 # the loopback goes on
read -r -n 1 -t 20 answer <&6 && echo "loopback $answer" >>waiting
bash probe.sh >after
exit 7
END
mkfifo up down

for proxy in cijail-dnsproxy cijail-httpproxy; do
    for signal in 'KILL 9 (Killed)' 'SEGV 11 (Segmentation fault)'; do
        t_case "$proxy ends by SIG${signal%% *}: no network, no hang, and a message"
        rm -f before after waiting local.port
        cijail "${policy[@]}" -- bash job.sh >job.out 2>job.err </dev/null &
        jail=$!
        t_true timeout 60 cat up >ready
        for works in https transparent transparent6 dns dns-tcp dns-server getent; do
            t_match "$(cat before)" "^$works worked "
        done
        kill -"${signal%% *}" "$(pgrep -x "${proxy:0:15}")"
        for ((i = 0; i < 500; i++)); do
            grep -q 'has ended' job.err && break
            sleep 0.01
        done
        wire_start # until here the held connection's SYN is repeated outside
        echo go >down
        wait $jail
        status=$? out=$(cat after) err=$(cat job.err) last=after
        wire_stop
        t_status 7
        t_true grep -qF "$proxy was killed by signal ${signal#* }; the jail's network has ended, the command goes on without it" job.err
        t_count $probes "$out" ' [0-9]+$'
        t_no_match "$out" ' (worked|connected|answer|timeout) '
        t_eq "$(awk '$3 >= 5000' after)" ''
        t_true grep -q ' FA7100CB:1E61 02 ' sockets
        t_true test "$(awk '/^waiting/ { print $2 }' waiting)" -lt 5000
        t_match "$(cat waiting)" '^loopback x'
        t_eq "$WIRE" ''
    done
done

# The supervisor lets a proxy go when the other's channel has closed: the keeper may find both ended.
zombies() { ps -o stat= --ppid "$keeper" | grep -c '^Z'; }
both_ended() { [[ $(zombies) == 2 ]]; }
for proxy in cijail-dnsproxy cijail-httpproxy; do
    t_case "$proxy is killed, and the keeper sees it only after the other has ended: the message is the same"
    rm -f up2 go
    cijail -e https://registry.example/ -- sh -c 'getent hosts registry.example; curl -s https://registry.example/pkg/lodash; echo x >up2
        until [ -e go ]; do sleep 0.05; done; exit 7' >job.out 2>job.err </dev/null &
    jail=$!
    t_true until_true test -s up2
    keeper=$(pgrep -P $jail -x cijail)
    kill -STOP "$keeper"
    kill -KILL "$(pgrep -x "${proxy:0:15}")"
    until_true both_ended
    t_eq "$(zombies)" 2
    kill -CONT "$keeper"
    t_true until_true grep -q 'network has ended' job.err
    touch go
    wait $jail
    t_eq $? 7
    t_match "$(cat job.err)" "$proxy was killed by signal 9 .*the jail's network has ended, the command goes on without it"
done

t_done
