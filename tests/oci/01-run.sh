#!/usr/bin/env bash
# Containers of podman in jails: what starts, what is refused, what comes out. The machine's own network; all traffic
# is on the loopback.
# timeout: 900
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/oci.sh"
in_real_network_with_podman
two_servers

need_podman
run podman run --network=none "${box[@]}" ip -o link
t_eq "$(grep -c . <<<"$out")" 1

t_case 'what the policy names is reached, nothing else; the log is on standard error'
jailed --endpoint "127.0.0.1:$allowed" --verbose -- sh -c "$get$allowed; $get$denied; exit 7"
t_status 7
t_eq "$out" allowed
t_match "$err" "cijail: allow connect 127\.0\.0\.1:$allowed"
jailed --endpoint "127.0.0.1:$denied" -- sh -c "$get$denied"
t_eq "$out" denied
t_nothing_left

t_case 'what is refused by the rules, and in the log'
jailed --endpoint "127.0.0.1:$allowed" -- sh -c "$get$allowed; curl -sS -m 5 --noproxy '*' http://192.0.2.1/"
t_status 7
t_eq "$out" allowed
t_count 1 "$err" ' cijail: deny connect 192\.0\.2\.1:80'

t_case 'without endpoints there is no network, but for its own loopback'
jailed -- sh -c "$get$allowed"
t_status 7
jailed -- sh -c "python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 & sleep 1; $get""8000/usr/ >/dev/null"
t_status 0

t_case 'exit statuses: of the command, of podman, of --dry-run and --fail-on-deny'
jailed -- false
t_status 1
jailed -- no-such-command
t_status 127
jailed --dry-run -- true
t_status 99
jailed --fail-on-deny -- true
t_status 0
jailed --fail-on-deny -- sh -c 'curl -s -m 5 --noproxy "*" http://192.0.2.1/; true'
t_status 98

t_case 'logs, summaries and what is learned go to files'
jailed --endpoint "127.0.0.1:$allowed" --log log --log-format json --verbose --summary summary.md --learn learned -- \
    sh -c "$get$allowed"
t_status 0
t_eq "$err" ''
t_match "$(cat log)" '"decision":"allow".*"kind":"connect"'
t_match "$(cat summary.md)" "127\.0\.0\.1"
t_match "$(cat learned)" "127\.0\.0\.1:$allowed"

t_case 'a policy that has an error, or a file that is missing, starts nothing'
jailed --endpoint 'https://' -- touch /tmp/started
t_status 125
jailed -p ./missing -- touch /tmp/started
t_status 125
t_false test -e root/tmp/started
jailed -p npm -- touch /tmp/started # a preset
t_true test -e root/tmp/started
t_nothing_left

t_case 'a hook that is missing is an error, and starts nothing'
mkdir -p lone/bin
cp "$CTL" lone/bin/
rm -f root/tmp/started
if [[ ! -e /usr/local/libexec/cijail && ! -e /usr/libexec/cijail ]]; then
    run lone/bin/cijailctl podman run "${box[@]}" touch /tmp/started
    t_status 125
    t_match "$err" 'cijail-oci-hook was not found'
fi
t_false test -e root/tmp/started

t_case 'a hook that fails when the container is there ends its start'
mkdir -p broken/oci
cp "$HOOK" broken/oci/
HOOK=$T_TMP/broken/oci/cijail-oci-hook hooks broken.d -e "127.0.0.1:$allowed"
for proxy in dnsproxy httpproxy; do
    mkdir -p broken/$proxy
    printf '#!/bin/sh\nexit 3\n' >broken/$proxy/cijail-$proxy
    chmod 755 broken/$proxy/cijail-$proxy
done
run podman --hooks-dir "$T_TMP/broken.d" run --network=none --cap-drop=NET_RAW "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" 'cijail-(dns|http)proxy'
t_false test -e root/tmp/started
t_nothing_left
hooks whole.d -e "127.0.0.1:$allowed"
by_hand=(podman --hooks-dir "$T_TMP/whole.d" run --network=none --cap-drop=NET_RAW)
run "${by_hand[@]}" "${box[@]}" sh -c "touch /tmp/started; $get$allowed"
t_status 0
t_eq "$out" allowed
t_true test -e root/tmp/started

t_case 'other networks than its own are refused'
rm -f root/tmp/started
for network in host slirp4netns ns:/proc/self/ns/net; do
    run podman --hooks-dir "$T_TMP/whole.d" run --network=$network --cap-drop=NET_RAW "${box[@]}" touch /tmp/started
    t_true test "$status" -ge 125
    run "$CTL" podman run --network=$network "${box[@]}" touch /tmp/started
    t_true test "$status" -ge 125
done
podman run -d --name other --network=none "${box[@]}" sleep 60 >/dev/null
run podman --hooks-dir "$T_TMP/whole.d" run --network=container:other --cap-drop=NET_RAW "${box[@]}" touch /tmp/started
t_status 126
podman rm -f -t 0 other >/dev/null
t_false test -e root/tmp/started

t_case 'capabilities that open the jail are refused, others are not'
for cap in NET_ADMIN SYS_ADMIN SYS_PTRACE SYS_MODULE ALL; do
    run "$CTL" podman run --cap-add=$cap "${box[@]}" touch /tmp/started
    t_true test "$status" -ge 125
done
run podman --hooks-dir "$T_TMP/whole.d" run --network=none --cap-add=NET_RAW "${box[@]}" touch /tmp/started
t_status 126
run "$CTL" podman run --privileged "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" 'cijail-oci-hook: the container would have CAP_'
run "$CTL" podman run --cap-add=DAC_READ_SEARCH "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" 'cijail-oci-hook: the container would have CAP_DAC_READ_SEARCH'
run "$CTL" podman run --pid=host "${box[@]}" touch /tmp/started
t_status 126
t_false test -e root/tmp/started
run "$CTL" podman run --cap-add=IPC_LOCK "${box[@]}" grep CapEff /proc/self/status
t_status 0
t_nothing_left

t_case 'sockets of the host, and the folders where they are, are not mounted; other files are'
serve_unix "$T_TMP/socket" server
mkdir -p files && echo text >files/file
for mount in "$T_TMP/socket:/socket" /run:/mnt /var/run:/mnt /:/mnt "$XDG_RUNTIME_DIR:/mnt" /tmp:/mnt /proc:/mnt; do
    run "$CTL" podman run -v "$mount" "${box[@]}" touch /tmp/started
    t_status 126
    t_match "$err" 'cijail-oci-hook: the mount of .* is refused'
done
for mount in /run:/mnt:O "$XDG_RUNTIME_DIR:/mnt:O"; do
    run "$CTL" podman run -v "$mount" "${box[@]}" touch /tmp/started
    t_true test "$status" -ge 125
done
run "$CTL" podman run --rm --rootfs "$T_TMP" /bin/true # the runtime directory is in it
t_status 126
t_match "$err" 'cijail-oci-hook: the mount of .* at / is refused'
t_false test -e root/tmp/started
for options in ro O; do
    run "$CTL" podman run -v "$T_TMP/files:/mnt:$options" "${box[@]}" cat /mnt/file
    t_eq "$out" text
done
kill %2 2>/dev/null

t_case 'kinds of socket that are not of a network namespace cannot be made'
cat >root/tmp/families.py <<'END'
import errno, socket
for family in (1, 2, 10, 16, 17, 29, 30, 31, 38, 40, 42, 44):
    try:
        socket.socket(family, socket.SOCK_RAW if family in (16, 17, 29, 31) else socket.SOCK_STREAM, 0)
        print(family, "ok")
    except OSError as e:
        print(family, errno.errorcode[e.errno])
END
cat >>root/tmp/families.py <<'END'
for family, protocol in (2, 256), (10, 256), (2, 262), (16, 12), (16, 9), (16, 15), (16, 4):
    try:
        socket.socket(family, socket.SOCK_STREAM if family != 16 else socket.SOCK_RAW, protocol)
        print(family, protocol, "done")
    except OSError as e:
        print(family, protocol, errno.errorcode[e.errno])
END
for profile in '' --security-opt=seccomp=unconfined; do
    # shellcheck disable=SC2086 # none, or one
    run "$CTL" podman run $profile "${box[@]}" python3 /tmp/families.py
    t_eq "$(grep ok <<<"$out" | tr '\n' ' ')" '1 ok 2 ok 10 ok 16 ok '
    t_no_match "$out" '^(2|10) 256 done|^16 (9|15|4) done'
    t_match "$out" '^16 12 done$'
    t_count 19 "$out" ' (ok|done|E[A-Z]+)$'
done

t_case 'a network that can be reached is not narrowed: names, TCP both ways, netlink'
jailed -- sh -c 'ip route get 192.0.2.1 | head -n 1; cat /etc/resolv.conf; env'
t_match "$out" 'via 192\.0\.0\.1 dev jail0'
t_match "$out" '^nameserver 192\.0\.0\.1$'
t_match "$out" '^https_proxy=http://192\.0\.0\.1:3128$'
t_no_match "$out" '^(all_proxy|ALL_PROXY)='

t_done
