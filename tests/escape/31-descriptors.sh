#!/usr/bin/env bash
# Descriptors run out in a process of a jail that is running: what cannot be had is an error, or waits for as long as such
# a thing may take; nothing is let out that is denied; and once there are some again, all works as before.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export T_LIB

policy=(-e https://registry.example/ -e https://origin.example/ -e 192.0.2.53:53 -e 198.51.100.10:80 -e "$T_TMP/allowed")
serve_unix "$T_TMP/allowed" allowed
serve_unix "$T_TMP/denied" denied
before=$(t_state)

# Many of each at once: what worked, what is denied and came through all the same.
cat >burst.sh <<'END'
many() { # NAME COUNT COMMAND...
    local name=$1 count=$2 i
    shift 2
    for ((i = 0; i < count; i++)); do
        { "$@" >/dev/null 2>&1 && echo "$name worked" || echo "$name failed"; } &
    done
}
says_hello() { timeout 20 python3 "$T_LIB/unix.py" say "$1" | grep -q hello; }
relay() { # a SYN that is not taken is sent again
    timeout 25 bash -c 'exec 5<>/dev/tcp/198.51.100.10/80 && printf "HEAD / HTTP/1.0\r\n\r\n" >&5 && head -c 4 <&5' | grep -q HTTP
}
{
    many https 20 curl -sf -m 20 https://registry.example/pkg/lodash
    many transparent 5 curl -sf -m 20 --noproxy '*' --resolve registry.example:443:198.51.100.10 https://registry.example/pkg/lodash
    many dns 16 dig +tries=1 +time=10 registry.example
    many server 4 dig +tcp +tries=1 +time=10 @192.0.2.53 registry.example
    many raw 12 relay
    many unix 8 says_hello "$PWD/allowed"
    many evil-url 2 curl -sf -m 20 https://evil.example/
    many evil-tcp 2 timeout 20 bash -c '</dev/tcp/198.51.100.66/80'
    many evil-unix 2 says_hello "$PWD/denied"
    wait
} >"$1.tmp"
sort "$1.tmp" | uniq -c | awk '{ print $2, $3, $1 }' >"$1"
END
cat >job.sh <<'END'
bash burst.sh first
read -r _ <down
bash burst.sh scarce
read -r _ <down
bash burst.sh last
exit 7
END
mkfifo down
works() { # FILE
    local name
    t_match "$(cat "$1")" '^evil-url failed 2$'
    t_match "$(cat "$1")" '^evil-tcp failed 2$'
    t_match "$(cat "$1")" '^evil-unix failed 2$'
    [[ -n ${2:-} ]] || for name in https transparent dns server raw unix; do t_no_match "$(cat "$1")" "^$name failed"; done
}

declare -A few=([supervisor]=36 [gate]=8 [cijail-dnsproxy]=14 [cijail-httpproxy]=18) # some more than it has at rest
for victim in supervisor gate cijail-dnsproxy cijail-httpproxy; do
    t_case "$victim has none left: nothing hangs, and then all works again"
    rm -f first scarce last
    cijail "${policy[@]}" -- bash job.sh >job.out 2>job.err </dev/null &
    jail=$!
    t_true until_true test -s first
    case $victim in
    supervisor) pid=$jail ;;
    gate) pid=$(pgrep -x cijail-gate) ;;
    *) pid=$(pgrep -x "${victim:0:15}") ;;
    esac
    limits=$(prlimit --pid "$pid" --nofile -o SOFT,HARD --noheadings | awk '{ print $1 ":" $2 }')
    t_true prlimit --pid "$pid" --nofile="${few[$victim]}:${limits#*:}"
    wire_start
    echo go >down
    t_true timeout 60 bash -c 'until [[ -s scarce ]]; do sleep 0.1; done'
    wire_stop
    t_no_match "$WIRE" '198\.51\.100\.66'
    t_true prlimit --pid "$pid" --nofile="$limits"
    echo go >down
    wait $jail
    status=$? out=$(cat job.out scarce) err=$(cat job.err) last=$victim
    t_status 7
    works first
    works scarce few
    t_match "$(cat scarce)" ' failed'
    works last
    last=
done
t_case 'nothing is left behind'
t_same_state "$before"

t_done
