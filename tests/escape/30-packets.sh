#!/usr/bin/env bash
# One layer without the others: the network alone, against someone who has come past the command's seccomp filter and
# user namespace, and has all capabilities over the jail's network: any packet, address, route and rule of that.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export T_LIB T_SRC
policy=(-e https://registry.example/ -e 192.0.2.53:53)
mkfifo down

cat >job.sh <<'END'
echo $$ >pid.tmp
mv pid.tmp pid
read -r _ <down
exit 7
END
jail_start() {
    rm -f pid
    cijail "${policy[@]}" -- sh -c "sh job.sh; $1" >job.out 2>job.err </dev/null &
    jail=$!
    until_true test -s pid || t_fail 'no jail'
    # its process, as it is numbered here
    inside=$(for p in /proc/[0-9]*; do grep -q "^NSpid:.*[[:space:]]$(cat pid)\$" "$p/status" 2>/dev/null &&
        grep -q job.sh "$p/cmdline" && echo "${p#/proc/}"; done)
    t_match "$inside" '^[0-9]+$'
}
jail_end() {
    echo go >down
    wait $jail
    status=$? out=$(cat job.out) err=$(cat job.err) last=jail # shellcheck disable=SC2034
}
allowed='curl -sS -m 20 https://registry.example/pkg/lodash; dig +short +tries=1 +time=10 @192.0.2.53 registry.example A'

mac=02:63:69:6a:61:6c # both ends' (src/netns.c)
t_case 'packets of every kind onto the link: none leaves, and the build goes on'
jail_start "$allowed"
wire_start
run python3 "$T_LIB/enter.py" "$inside" python3 "$T_SRC/tests/escape/packets.py" jail0 $mac $mac
frames=$out
wire_stop
t_status 0
t_match "$frames" '^sent [0-9]{4}$'
t_eq "$(grep -v '^sent' <<<"$frames")" ''
t_eq "$WIRE" ''
jail_end
t_match "$out" '^a package$'
t_match "$out" '^198\.51\.100\.10$'

t_case 'the twin: all of them come to the other end of a link'
export mac
cat >link.sh <<'END'
ip link set lo up
ip link add jail0 type veth peer name there && ip link set jail0 up && ip link set there up
python3 "$T_SRC/tests/escape/packets.py" jail0 $mac $mac
cat /sys/class/net/there/statistics/rx_packets
END
run unshare -rnm sh -c 'mount -t sysfs sysfs /sys; exec bash link.sh'
number=$(awk '$1 == "sent" { print $2 }' <<<"$out")
t_true test "$(tail -n 1 <<<"$out")" -ge "$number"
t_eq "$(awk '$1 == "sent" { print $2 }' <<<"$frames")" "$number"

t_case 'without rules, with routes and addresses of its choice: nothing leaves but by the proxies'
cat >change.sh <<'END'
ip link set jail0 mtu 9000
ip address add 198.51.100.99/24 dev jail0
ip -6 address add 2001:db8:10::99/64 dev jail0 nodad
nft flush ruleset || echo 'rules left'
sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1 2>/dev/null
for source in 198.51.100.99 192.0.0.2 192.0.2.10; do
    ip address replace $source/32 dev jail0 2>/dev/null
    ip route replace 198.51.100.66 via 192.0.0.1 dev jail0 onlink src $source || echo 'no route'
    for port in 22 80 999; do
        echo "tcp $(timeout 1 python3 "$T_LIB/connect.py" tcp 198.51.100.66 $port)"
        echo "udp $(timeout 1 python3 "$T_LIB/connect.py" udp 198.51.100.66 $port)"
    done
done
echo "tcp6 $(timeout 1 python3 "$T_LIB/connect.py" tcp 2001:db8:10::66 80)"
echo "via proxy $(curl -s -o /dev/null -m 10 -w '%{http_connect}' -x http://192.0.0.1:3128 https://evil.example/)"
END
jail_start "$allowed"
wire_start
run python3 "$T_LIB/enter.py" "$inside" bash change.sh
changed=$out
wire_stop
t_status 0
t_eq "$err" ''
t_count 19 "$changed" '^(tcp|udp|tcp6) '
t_no_match "$changed" '(connected|answer)'
t_no_match "$changed" '^(rules left|no route)'
t_match "$changed" '^via proxy 403$'
t_no_match "$WIRE" '(198\.51\.100|2001:db8:10::)'
t_no_match "$WIRE" '(evil|ICMP)'
jail_end
run python3 "$T_LIB/connect.py" tcp 198.51.100.66 80
t_match "$out" '^connected' # the twin

t_done
