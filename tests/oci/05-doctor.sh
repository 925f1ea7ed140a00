#!/usr/bin/env bash
# cijailctl doctor, and jails, inside of containers of podman's: with podman's own settings; with a seccomp profile that
# refuses namespaces, as Docker's does; and with what doctor says to start it with then.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/oci.sh"
in_real_network_with_podman
need_podman

# The image has cijail as if installed, and a resolv.conf, which a container without a network does not get.
mkdir -p root/opt/{bin,libexec/cijail}
cp "$CIJAIL" "$CTL" root/opt/bin/
cp "$BUILD/dnsproxy/cijail-dnsproxy" "$BUILD/httpproxy/cijail-httpproxy" root/opt/libexec/cijail/
echo 'nameserver 192.0.2.53' >root/etc/resolv.conf
inside() { run podman run --network=none "${options[@]}" "${box[@]}" "$@"; }

# As in Docker's: unshare(2), mount(2) and setns(2) of none, clone(2) without the flags of namespaces, no clone3(2).
cat >strict.json <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
 {"names": ["unshare", "mount", "setns"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
 {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
  "args": [{"index": 0, "value": 268435456, "valueTwo": 268435456, "op": "SCMP_CMP_MASKED_EQ"}]},
 {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}
END

t_case 'as podman starts them, all of it is there'
for user in 0 1000; do
    options=(--user "$user")
    inside /opt/bin/cijailctl doctor
    t_status 0
    t_match "$out" '^cijail works here$'
    t_no_match "$out" 'LACKING|not tried'
done

t_case 'and jails there let out what the policy names'
script='cd "$(mktemp -d)" && echo text >file && for port in 8001 8002; do
    python3 -m http.server -b 127.0.0.1 $port >/dev/null 2>&1 &
    until curl -s -o /dev/null http://127.0.0.1:$port/; do sleep 0.1; done
done
exec /opt/bin/cijail -e 127.0.0.1:8001 -- sh -c "for port in 8001 8002; do curl -sS -m 5 http://127.0.0.1:\$port/file; done
    curl -sS -m 5 --noproxy \"*\" http://192.0.2.1/file"'
for user in 0 1000; do
    options=(--user "$user")
    inside sh -c "$script"
    t_status 7
    t_eq "$out" text
    t_match "$err" 'cijail: deny connect 192\.0\.2\.1:80'
done

t_case 'a profile that refuses namespaces: what lacks, and what to start it with'
options=(--security-opt seccomp="$T_TMP/strict.json")
inside /opt/bin/cijailctl doctor
t_status 1
t_match "$out" '^LACKING +user-namespace '
t_match "$out" 'podman container: start it with --security-opt seccomp=unconfined, or'
t_match "$out" '^not tried +veth '
t_match "$out" '^cijail does not work here yet$'
inside /opt/bin/cijail -- true
t_status 125
t_match "$err" 'podman container: start it with --security-opt seccomp=unconfined, or'

t_case 'so started, it works'
options=(--security-opt seccomp=unconfined)
inside /opt/bin/cijailctl doctor
t_status 0
t_no_match "$out" 'LACKING|not tried'

t_case 'with --security-opt unmask=ALL a jail has a /proc of its own'
processes='sleep 77 & exec /opt/bin/cijail -- sh -c "grep -als sleep.7[7] /proc/[0-9]*/cmdline | wc -l"'
for options in '' '--security-opt unmask=ALL'; do
    # shellcheck disable=SC2086 # two words, or none
    run podman run --network=none $options "${box[@]}" sh -c "$processes"
    if [[ $options ]]; then t_eq "$out" 0; else t_eq "$out" 1; fi
done
t_done
