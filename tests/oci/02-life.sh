#!/usr/bin/env bash
# How jails of containers begin and end: ids, images, exec, several at once, and what is killed.
# timeout: 900
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/oci.sh"
in_real_network_with_podman
two_servers
need_podman

# background NAME CIJAIL-OPTION...: a container that sleeps; $init and $conmon are its processes.
background() {
    local name=$1
    shift
    rm -f "$name".pid "$name".conmon
    run "$CTL" podman run "$@" -d --name "$name" --pidfile "$T_TMP/$name.pid" --conmon-pidfile "$T_TMP/$name.conmon" \
        -v /usr:/usr:ro --rootfs "$T_TMP/root" sleep 300
    t_status 0
    init=$(cat "$name.pid") conmon=$(cat "$name.conmon")
}
hooks plain.d
mkdir no.d # the hook may be installed
id_of() { podman inspect --format '{{index .Config.Annotations "cijail.id"}}' "$1"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
no_link() { ! podman exec "$1" ip -o link 2>/dev/null | grep -q jail0; }

t_case 'a container in the background keeps its jail, and nobody waits for it'
run timeout 60 bash -c "\"\$@\" 2>&1 | cat" bash "$CTL" podman run --endpoint "127.0.0.1:$allowed" -d --name one \
    -v /usr:/usr:ro --rootfs "$T_TMP/root" sleep 300
t_status 0
run podman exec one sh -c "$get$allowed"
t_eq "$out" allowed
t_true test "$(jails)" -gt 0

t_case 'podman exec: the same network, resolver and proxy'
run podman exec one sh -c "$get$denied"
t_status 7
run podman exec one sh -c 'env; cat /etc/resolv.conf'
t_match "$out" '^http_proxy=http://192\.0\.0\.1:3128$'
t_match "$out" '^nameserver 192\.0\.0\.1$'
t_no_match "$out" '^(all_proxy|ALL_PROXY)='

t_case 'an id is for one start'
id=$(id_of one)
t_match "$id" '^[0-9a-f]{32}$'
run podman --hooks-dir "$T_TMP/plain.d" run --network=none --cap-drop=NET_RAW --annotation cijail.id="$id" "${box[@]}" \
    touch /tmp/started
t_status 126
for other in 0123456789abcdef0123456789abcdef .. ../../etc "$id/.." ''; do
    run podman --hooks-dir "$T_TMP/plain.d" run --network=none --cap-drop=NET_RAW --annotation cijail.id="$other" \
        "${box[@]}" touch /tmp/started
    t_status 126
done
run podman --hooks-dir "$T_TMP/plain.d" run --network=none --cap-drop=NET_RAW "${box[@]}" touch /tmp/started
t_status 126
t_false test -e root/tmp/started

t_case 'a restart has no policy any more: the hook refuses it, and without the hook there is no network'
run podman stop -t 0 one
t_nothing_left
run podman --hooks-dir "$T_TMP/plain.d" start one
t_true test "$status" -ge 125
run podman --hooks-dir "$T_TMP/no.d" start one
t_status 0
run podman exec one sh -c "ip -o link; $get$allowed"
t_status 7
t_no_match "$out" 'jail0|allowed'
podman rm -f -t 0 one >/dev/null
t_nothing_left

t_case 'conmon is killed: the jail is the same, and ends with the container'
background one --endpoint "127.0.0.1:$allowed"
kill -9 "$conmon"
until_true gone "$conmon"
run nsenter -t "$init" --preserve-credentials -U -m -n sh -c "$get$allowed; $get$denied"
((EUID == 0)) && run nsenter -t "$init" -m -n sh -c "$get$allowed; $get$denied"
t_eq "$out" allowed
t_true test "$(jails)" -gt 0
kill -9 "$init"
until_true gone "$init"
t_nothing_left
podman rm -f -t 0 one >/dev/null 2>&1

t_case 'each process of the jail is killed: the container has no network then'
for process in supervisor keeper envoy cijail-dnsproxy cijail-httpproxy; do
    background one --endpoint "127.0.0.1:$allowed" --endpoint http://origin.example/
    run podman exec one sh -c "$get$allowed"
    t_eq "$out" allowed
    supervisor=$(pgrep -o -f "cijail-oci-hook createRuntime $T_TMP/")
    case $process in
        supervisor) victim=$supervisor ;;
        keeper) victim=$(pgrep -P "$supervisor" -f createRuntime | head -n 1) ;;
        envoy) victim=$(pgrep -P "$supervisor" cijail-envoy) ;;
        *) victim=$(pgrep -P "$(pgrep -P "$supervisor" -f createRuntime | head -n 1)" -f "^$process") ;;
    esac
    t_match "$victim" '^[0-9]+$'
    kill -9 "$victim"
    until_true no_link one
    run podman exec one sh -c "ip -o link; $get$allowed"
    t_no_match "$out" jail0
    if [[ $process != cijail-* ]]; then # a port of the host's loopback is the supervisor's
        t_status 7
        t_no_match "$out" allowed
    fi
    podman rm -f -t 0 one >/dev/null
    t_nothing_left
done

t_case 'two at once have a policy each'
background one --endpoint "127.0.0.1:$allowed"
background two --endpoint "127.0.0.1:$denied"
run podman exec one sh -c "$get$allowed; $get$denied"
t_eq "$out" allowed
run podman exec two sh -c "$get$allowed; $get$denied"
t_eq "$out" denied
podman rm -f -t 0 one >/dev/null
run podman exec two sh -c "$get$denied"
t_eq "$out" denied
podman rm -f -t 0 two >/dev/null
t_nothing_left

t_case 'annotations and labels of an image change nothing'
mkdir -p image/bin
cp /bin/busybox image/bin/
ln -s busybox image/bin/sh
tar -C image -cf image.tar .
podman import image.tar plain >/dev/null 2>&1
printf 'FROM localhost/plain\nLABEL cijail.id=0123456789abcdef0123456789abcdef\n' >Containerfile
run podman build --annotation cijail.id=0123456789abcdef0123456789abcdef --annotation cijail.policy=0.0.0.0/0:1-65535 \
    -t marked -f Containerfile .
t_status 0
run "$CTL" podman run --rm localhost/marked /bin/busybox ip link
t_status 0
t_match "$out" jail0
run "$CTL" podman run --rm localhost/plain /bin/busybox ip link
t_match "$out" jail0
run podman --hooks-dir "$T_TMP/plain.d" run --rm --network=none --cap-drop=NET_RAW localhost/marked /bin/busybox ip link
t_status 126
t_nothing_left

t_case 'user namespaces of the container'
if ((EUID)); then userns=--userns=keep-id; else userns='--uidmap=0:100000:1000 --gidmap=0:100000:1000'; fi
chmod -R a+rX root
# shellcheck disable=SC2086 # several words
run "$CTL" podman run --endpoint "127.0.0.1:$allowed" $userns "${box[@]}" sh -c "$get$allowed; $get$denied; cat /proc/self/uid_map"
t_match "$out" "^allowed"
t_no_match "$out" denied
((EUID)) && t_match "$out" " +$EUID +0 +1$"
t_nothing_left

t_case 'pods share a network, and are refused'
run podman pod create --infra-image localhost/plain --infra-command '/bin/busybox sleep 100' --network=none --name pod
if need 'podman pods' test "$status" = 0; then
    run podman --hooks-dir "$T_TMP/plain.d" run --pod pod --cap-drop=NET_RAW "${box[@]}" touch /tmp/started
    t_true test "$status" -ge 125
    t_false test -e root/tmp/started
fi
podman pod rm -f -t 0 pod >/dev/null 2>&1

t_done
