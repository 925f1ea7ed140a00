#!/usr/bin/env bash
# cijailctl doctor: what is broken is found, by its name, with what mends it; and what works is not called broken.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
ctl=$BUILD/ctl/cijailctl

lacks() { # CHECK MEND: the last run has found that this is lacking, and what mends it; and no jail works
    t_status 1
    t_match "$out" "^LACKING +$1 "
    t_match "$out" "$2"
    t_match "$out" '^LACKING +jail '
    t_match "$out" '^cijail does not work here yet$'
}

t_case 'the twin: here it works, and so does a jail'
run "$ctl" doctor
t_status 0
t_eq "$err" ''
t_no_match "$out" 'LACKING|not tried'
t_match "$out" '^cijail works here$'
checks=$(grep -cE '^(ok|note) ' <<<"$out")
t_true test "$checks" = 20
run cijail -- true
t_status 0
run "$ctl" doctor --json
t_status 0
t_eq "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["ready"], len(d["checks"]), {c["state"] for c in d["checks"]} - {"ok", "note"})' <<<"$out")" \
    'True 20 set()'

t_case 'nothing is left behind'
before=$(t_state)
run "$ctl" doctor
t_same_state "$before"
t_false grep -q jail0 /proc/net/dev

t_case 'user namespaces are switched off'
run unshare --user --map-root-user sh -c "echo 0 >/proc/sys/user/max_user_namespaces && exec '$ctl' doctor"
lacks user-namespace 'sudo sysctl -w user\.max_user_namespaces=65536'
t_match "$out" '^not tried +veth '
run unshare --user --map-root-user sh -c "echo 0 >/proc/sys/user/max_user_namespaces && exec '$ctl' doctor --json"
t_status 1
t_eq "$(python3 -c 'import json, sys
for c in json.load(sys.stdin)["checks"]:
    if c["check"] == "user-namespace":
        print(c["state"], c["mend"])' <<<"$out")" 'lacking sudo sysctl -w user.max_user_namespaces=65536'

t_case 'no network namespaces; few user namespaces'
run unshare --user --map-root-user sh -c "echo 0 >/proc/sys/user/max_net_namespaces && exec '$ctl' doctor"
lacks network-namespace user.max_net_namespaces
t_match "$out" '^ok +user-namespace '
run unshare --user --map-root-user sh -c "echo 1 >/proc/sys/user/max_user_namespaces && exec '$ctl' doctor"
lacks nested-namespace user.max_user_namespaces
t_match "$out" '^ok +user-namespace '

if [[ $(uname -m) == x86_64 ]]; then
    unshare_call=272 clone=56 mount=165 socket=41 setns=308 seccomp=317
else
    unshare_call=97 clone=220 mount=40 socket=198 setns=268 seccomp=277
fi
landlock=444
deny() { run python3 "$T_LIB/deny-syscall.py" "$@"; }

t_case 'a container engine'\''s seccomp filter'
deny "$unshare_call,$clone:0&0x7E020000,$setns" 1 "$ctl" doctor
lacks user-namespace 'seccomp=unconfined'

t_case 'no mount'
deny "$mount" 1 "$ctl" doctor
lacks mounts 'mount'
t_match "$out" '^ok +veth '
t_match "$out" '^ok +seccomp '

t_case 'no nf_tables, no unix_diag, no netlink'
deny "$socket:2:12" 93 "$ctl" doctor
lacks nf_tables 'modprobe'
t_match "$out" '^LACKING +nfnetlink_log '
t_match "$out" '^ok +veth '
deny "$socket:2:4" 93 "$ctl" doctor
lacks unix_diag 'modprobe unix_diag'
t_match "$out" '^ok +nf_tables '
deny "$socket:0:16" 97 "$ctl" doctor
lacks network-namespace '.'

t_case 'no notification of system calls'
deny "$seccomp:1&8" 22 "$ctl" doctor
lacks seccomp 'CONFIG_SECCOMP_FILTER'
t_match "$out" '^ok +mounts '

t_case 'what cijail does without is a note'
deny "$landlock" 38 "$ctl" doctor
t_status 0
t_match "$out" '^note +landlock '
t_match "$out" 'lsm='
t_match "$out" '^cijail works here$'

t_case 'no roots, no proxies, no resolv.conf'
SSL_CERT_FILE=/nonexistent run "$ctl" doctor
t_status 1
t_match "$out" '^LACKING +ca-certificates '
t_match "$out" '^ok +jail ' # which has no https endpoint
SSL_CERT_FILE=/etc/passwd run "$ctl" doctor
t_status 1
t_match "$out" '^LACKING +ca-certificates '
t_match "$out" '/etc/passwd holds no certificate .* unset'
CURL_CA_BUNDLE=/etc/passwd run "$ctl" doctor # beside the system's
t_status 0
t_match "$out" '^note +ca-certificates '
t_no_match "$out" 'apt-get install'
mkdir -p alone/src alone/ctl
cp "$CIJAIL" alone/src/ && cp "$ctl" alone/ctl/
flags=(--mount)
((EUID == 0)) || flags+=(--user --map-current-user --keep-caps)
installed='for folder in /usr/libexec/cijail /usr/local/libexec/cijail; do [ ! -d $folder ] || mount -t tmpfs none $folder; done'
run unshare "${flags[@]}" sh -c "$installed; exec alone/ctl/cijailctl doctor"
lacks programs 'installed whole'
rm alone/src/cijail
run alone/ctl/cijailctl doctor
t_status 1
t_match "$out" '^LACKING +programs '
t_match "$out" '^not tried +jail '
run unshare "${flags[@]}" sh -c "mount -t tmpfs none /etc && exec '$ctl' doctor"
lacks 'resolv\.conf' 'No such file'
t_match "$out" '^LACKING +ca-certificates '

t_case 'where it is started does not matter'
mkdir closed
for mode in 000 700; do
    chmod "$mode" closed
    cd closed 2>/dev/null || { chmod 700 closed && cd closed && chmod "$mode" .; }
    run "$ctl" doctor
    t_status 0
    t_match "$out" '^ok +jail '
    cd .. || cd "$T_TMP"
done
if ((EUID == 0)) && id nobody >/dev/null 2>&1; then # a folder of another user's
    cd closed
    run setpriv --reuid=65534 --regid=65534 --clear-groups -- "$ctl" doctor
    t_no_match "$out$err" 'cannot enter'
    cd "$T_TMP"
fi

t_case 'in a jail'
run cijail -- "$ctl" doctor
t_status 0
t_match "$out" '^cijail works here$'

t_case 'the command line'
run "$ctl" doctor --nope
t_status 2
t_match "$err" '^usage: cijailctl doctor'
t_done
