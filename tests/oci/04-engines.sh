#!/usr/bin/env bash
# The hook for engines that have no precreate (CRI-O): the stage createRuntime by itself, pods, a policy for each
# namespace.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/oci.sh"
in_real_network_with_podman
two_servers
need_podman
STAGE=createRuntime
hooked() { run podman --hooks-dir "$T_TMP/$1" run --network=none --cap-drop=NET_RAW "${@:2}"; }
infra=(-d --name infra -v /usr:/usr:ro --rootfs "$T_TMP/root" sleep 100)

t_case 'createRuntime by itself: what the policy names and nothing else'
hooks policy.d -e "127.0.0.1:$allowed" --log "$T_TMP/log"
hooked policy.d "${box[@]}" sh -c "$get$allowed; $get$denied; curl -sS -m 5 http://192.0.2.1/"
t_eq "$out" allowed
t_match "$(cat log)" ' cijail: deny connect 192\.0\.2\.1:80'
t_nothing_left

t_case 'it refuses what precreate refuses, and what it cannot do'
run podman --hooks-dir "$T_TMP/policy.d" run --network=none --cap-add=NET_ADMIN "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" 'the container would have CAP_NET_'
run podman --hooks-dir "$T_TMP/policy.d" run --network=host --cap-drop=NET_RAW "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" "host's network"
hooks https.d -e https://registry.example/
hooked https.d "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" 'need the stage precreate'
hooks none.d
hooked none.d "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" 'needs a policy'
t_false test -e root/tmp/started
t_nothing_left

t_case 'a policy for each namespace, by an annotation'
mkdir policies
echo "127.0.0.1:$allowed" >policies/one.policy
echo "127.0.0.1:$denied" >policies/two.policy
cp policies/one.policy outside.policy
hooks spaces.d --policies "space=$T_TMP/policies"
hooked spaces.d --annotation space=one "${box[@]}" sh -c "$get$allowed; $get$denied"
t_eq "$out" allowed
hooked spaces.d --annotation space=two "${box[@]}" sh -c "$get$allowed; $get$denied"
t_eq "$out" denied
for name in three ../outside '' One one.policy; do
    hooked spaces.d --annotation space="$name" "${box[@]}" touch /tmp/started
    t_true test "$status" -ge 125
done
hooked spaces.d "${box[@]}" touch /tmp/started
t_status 126
t_false test -e root/tmp/started
STAGE=precreate hooks wrong.d --policies "space=$T_TMP/policies"
hooked wrong.d --annotation space=one "${box[@]}" touch /tmp/started
t_status 126
t_nothing_left

t_case 'a pod: its first container has the jail, the others share it'
hooks pod.d --pod -e "127.0.0.1:$allowed"
hooked pod.d "${infra[@]}"
t_status 0
run podman run --network=container:infra "${box[@]}" sh -c "$get$allowed; $get$denied"
t_eq "$out" allowed
run podman --hooks-dir "$T_TMP/pod.d" run --network=container:infra --cap-drop=NET_RAW "${box[@]}" touch /tmp/started
t_status 126
t_match "$err" 'has the link jail0'
podman rm -f -t 0 infra >/dev/null
t_nothing_left
run podman run "${infra[@]:0:3}" --network=none "${infra[@]:3}"
run podman --hooks-dir "$T_TMP/pod.d" run --network=container:infra --cap-drop=NET_RAW "${box[@]}" sh -c "$get$allowed; $get$denied"
t_eq "$out" allowed # its network was made before
podman rm -f -t 0 infra >/dev/null
t_false test -e root/tmp/started
t_nothing_left

t_done
