#!/usr/bin/env bash
# What a machine may lack: exit 125, the cause, and what to do; never a command outside of a jail.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

refused() { # the last run must have failed with 125 and words for $1, and must not have run the command
    t_status 125
    t_match "$err" '^cijail: '
    t_match "$err" "$1"
    t_false test -e ran
    t_under 10000
}

with_proxies() { # FOLDER COMMAND: a cijail there, whose proxies are scripts of one command
    local proxy
    mkdir -p "$1/src"
    cp "$CIJAIL" "$1/src/cijail"
    for proxy in dnsproxy httpproxy; do
        mkdir -p "$1/$proxy"
        printf '#!/bin/sh\n%s\n' "$2" >"$1/$proxy/cijail-$proxy"
        chmod +x "$1/$proxy/cijail-$proxy"
    done
}

t_case 'the twin: here it works'
run cijail -- touch works
t_status 0
t_true test -e works

t_case 'a working directory that was deleted, or that the user may not enter'
mkdir gone
run sh -c 'cd gone && rmdir ../gone && exec cijail -- touch ../ran'
refused 'cannot enter the working directory: No such file or directory; start cijail in one that still exists, such as / \(cd /\)$'
if ((EUID == 0)); then # one of another user's
    mkdir -m 700 closed
    run sh -c 'cd closed && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" -- touch ran' "$CIJAIL"
    refused "cannot enter the working directory $T_TMP/closed in the jail: Permission denied; start cijail in one that this user may enter, such as / \\(cd /\\)\$"
fi

t_case 'no user namespaces (user.max_user_namespaces=0)'
run unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec cijail -- touch ran'
refused '[Uu]ser namespace'
t_match "$err" '(max_user_namespaces|sysctl)'

t_case 'no network namespaces (user.max_net_namespaces=0)'
run unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_net_namespaces && exec cijail -- touch ran'
refused 'namespace'

t_case 'few user namespaces: enough for the first, not for the command'"'"'s'
run unshare --user --map-root-user sh -c 'echo 1 >/proc/sys/user/max_user_namespaces && exec cijail -- touch ran'
refused '[Nn]amespace'

if [[ $(uname -m) == x86_64 ]]; then
    unshare_call=272 clone=56 clone3=435 mount=165 socket=41 setns=308
else
    unshare_call=97 clone=220 clone3=435 mount=40 socket=198 setns=268
fi
deny() { run python3 "$T_LIB/deny-syscall.py" "$@"; }

t_case 'a container engine'\''s seccomp filter: no unshare, clone without namespaces'
deny "$unshare_call,$clone:0&0x7E020000,$setns" 1 cijail -- touch ran
refused '([Nn]amespace|seccomp)'
t_match "$err" '(seccomp|docker|Docker|podman|container)'

t_case 'the same with clone3 answering ENOSYS, as Docker has it'
deny "$clone3" 38 cijail -- touch works3
t_status 0
t_true test -e works3

t_case 'no mount'
deny "$mount" 1 cijail -- touch ran
refused 'mount'

t_case 'no nf_tables (netfilter'\''s netlink family is missing)'
deny "$socket:2:12" 93 cijail -- touch ran
refused '(nf_tables|netfilter|nftables|nfnetlink)'

t_case 'no netlink at all'
deny "$socket:0:16" 97 cijail -- touch ran
refused '[Nn]etlink|link|network'

t_case 'in a chroot there are no user namespaces, which root is told'
mkdir -p chroot
in_mounts=(unshare --mount)
((EUID == 0)) || in_mounts+=(--user --map-root-user)
cat >root.sh <<'END'
mount -t tmpfs none chroot
for path in /*; do
    if [ -L "$path" ]; then cp -P "$path" chroot/; elif [ -d "$path" ]; then mkdir "chroot$path" && mount --rbind "$path" "chroot$path"; fi
done
exec "$@"
END
run "${in_mounts[@]}" sh root.sh chroot chroot "$CIJAIL" -- touch "$T_TMP/ran"
t_status 125
t_true test ! -e ran
((EUID)) || t_match "$err" 'In a chroot\(2\) there are no user namespaces'
run "${in_mounts[@]}" sh root.sh "$CIJAIL" -- touch "$T_TMP/ran"
t_true test -e ran
rm -f ran

t_case 'a proxy that is missing'
mkdir lonely
cp "$CIJAIL" lonely/cijail
in_mounts=(unshare --mount)
((EUID == 0)) || in_mounts+=(--user --map-current-user --keep-caps)
installed='for folder in /usr/libexec/cijail /usr/local/libexec/cijail; do [ ! -d $folder ] || mount -t tmpfs none $folder; done'
run "${in_mounts[@]}" sh -c "$installed; exec lonely/cijail -- touch ran"
refused 'cijail-(dns|http)proxy'

t_case 'a proxy that dies at its start'
with_proxies broken 'exit 3'
run broken/src/cijail -e https://registry.example/ -- touch ran
refused 'proxy'

t_case 'a proxy that dies when it is first needed: no network, and the command goes on'
run broken/src/cijail -- sh -c 'dig +tries=1 +time=1 registry.example; curl -sS -m 5 http://192.0.0.1:3128/; echo on; exit 7'
t_status 7
t_match "$out" '^on$'
t_no_match "$out" status:
t_match "$err" "cijail-dnsproxy ended with status 3; the jail's network has ended, the command goes on without it"
t_under 5000

t_case 'nothing is started before it is needed, and what comes first is not lost'
cat >lazy.sh <<'END'
for step in nothing 'dig +tries=1 registry.example' 'curl -s -m 10 http://registry.example/'; do
    test "$step" = nothing || $step >>lazy.out
    touch up
    while test -e up; do sleep 0.02; done
done
END
cijail -- sh lazy.sh </dev/null 2>lazy.err &
for running in '' cijail-dnsproxy "cijail-dnsproxy cijail-httpprox"; do
    for ((i = 0; i < 1000; i++)); do [[ -e up ]] && break; sleep 0.02; done
    t_eq "$(cat /proc/[0-9]*/comm 2>/dev/null | grep -E '^cijail-(dns|http)' | sort | paste -sd ' ')" "$running"
    rm -f up
done
wait
run cijail -- bash -c 'echo x >/dev/udp/198.51.100.66/99' # and is the last
t_match "$err" 'deny connect 198\.51\.100\.66:99'
run cijail -- dig +tries=1 +time=5 registry.example
t_match "$out" REFUSED
run cijail -e registry.example -- dig +tries=1 +time=5 +short registry.example
t_eq "$out" 198.51.100.10
run cijail -e http://registry.example/ -- curl -s -m 10 http://registry.example/pkg/lodash
t_eq "$out" 'a package'
run cijail -e 198.51.100.10:80 -- curl -s -m 10 --noproxy '*' --connect-to ::198.51.100.10: http://registry.example/pkg/lodash
t_eq "$out" 'a package'

# What the end of init and the last word of the supervisor tell the keeper comes in any order. These would never end.
t_case 'nor at the end of a jail'
with_proxies endless 'exec sleep 60'
T_LIMIT=120 run bash -c 'seq 300 | xargs -P 20 -I {} endless/src/cijail -q -- true'
t_status 0
t_eq "$err" ''
run endless/src/cijail -q -- dig +tries=1 +time=1 registry.example # the twin: one that is started is waited for
t_match "$err" 'cijail-dnsproxy did not end in time'

t_case 'the proxies are not to be started by hand'
for proxy in dnsproxy httpproxy; do
    run "$BUILD/$proxy/cijail-$proxy"
    t_assert "cijail-$proxy ran" test "$status" != 0
    t_match "$err" "cijail-$proxy"
    t_under 5000
done

t_case 'roots that cannot be read: no https then, but the rest'
SSL_CERT_FILE=/nonexistent run cijail -e https://registry.example/ -- touch ran
refused 'SSL_CERT_FILE'
SSL_CERT_FILE=/nonexistent run cijail -e http://registry.example/ -- curl -s http://registry.example/pkg/lodash
t_eq "$out" 'a package'

t_case 'standard streams that are closed'
run bash -c 'cijail true <&-'
t_status 0
run bash -c 'cijail true >&-'
t_status 0
run bash -c 'cijail true 2>&-'
t_status 0

t_case 'a current directory that is gone'
mkdir gone && cd gone && rmdir ../gone
run cijail -- true
t_match "$status" '^(0|125)$'
cd "$T_TMP"

t_case 'few descriptors'
run bash -c 'ulimit -n 64; cijail -e https://registry.example/ -- curl -s https://registry.example/pkg/lodash'
t_eq "$out" 'a package'
run bash -c 'ulimit -n 8; cijail -- touch ran; s=$?; exit $s'
t_true test "$status" = 125 -o "$status" = 0

t_case 'more descriptors under way in sockets than the limit (ETOOMANYREFS): waited for, then an error with the reason'
cat >in-flight.py <<'END'
# in-flight.py SECONDS COMMAND...: a hundred descriptors that are sent and not received, for so long; then their end.
import array, socket, subprocess, sys, time
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
for _ in range(10):
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 10))])
command = subprocess.Popen(sys.argv[2:])
try:
    command.wait(float(sys.argv[1]))
except subprocess.TimeoutExpired:
    b.close()
    a.close()
sys.exit(command.wait())
END
limited='ulimit -n 64; exec "$@"'
fetch=(cijail -e https://registry.example/ -- curl -s https://registry.example/pkg/lodash)
run python3 in-flight.py 60 bash -c "$limited" - "${fetch[@]}"
t_status 125
t_match "$err" '^cijail: cannot pass a descriptor between cijail.s processes: .*ulimit -n'
run python3 in-flight.py 0.5 bash -c "$limited" - "${fetch[@]}"
t_status 0
t_eq "$out" 'a package'

t_case 'little memory to lock, and no core'
run bash -c 'ulimit -l 64; ulimit -c 0; ulimit -s 1024; cijail -- echo fine'
t_eq "$out" fine

t_done
