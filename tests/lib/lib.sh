# lib.sh: what the end-to-end tests are written with. A test file:
#
#     . "$(dirname "$0")/../lib/lib.sh"
#     in_test_internet "$@"             # if it needs one
#     t_case "a name not allowed is REFUSED"
#     run cijail dig nope.example       # sets status, out, err, ms
#     t_status 0
#     t_match "$out" 'status: REFUSED'
#     t_done
#
# Each case is one line of output, "ok - NAME" or "not ok - NAME", with the reasons before it as "# " lines; t_done
# prints "1..CASES", without which the runner takes the file for one that broke off. A case that asserts nothing fails.
# A case for which need found no kernel feature is "skip - NAME", and fails if CIJAIL_MUST_WORK is set.
# shellcheck shell=bash disable=SC2034 # variables for the test files
set -u
export LC_ALL=C TZ=UTC
T_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
T_SRC=$(cd "$T_LIB/../.." && pwd)
export BUILD=${BUILD:-$T_SRC/build}
export CIJAIL=${CIJAIL:-$BUILD/src/cijail}
export PATH=${CIJAIL%/*}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
GATEWAY=192.0.0.1
PROXY=http://$GATEWAY:3128
unset_proxies='env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY -u all_proxy'

t_name='' t_bad=0 t_asserted=0 t_cases=0 t_lacks=''
status=0 out='' err='' ms=0 matches=0 matched=''

[[ -x $CIJAIL ]] || { echo "Bail out! $CIJAIL is missing: build it, or set BUILD or CIJAIL"; exit 1; }

# The file goes on inside a test internet of its own (tests/net/up), in a new folder, $T_TMP.
in_test_internet() {
    [[ -n ${T_NET:-} ]] || exec "$T_SRC/tests/net/up" bash "$0" "$@"
    T_TMP=$(mktemp -d)
    cd "$T_TMP" || exit
}

# The file works in the machine's own network; its folder is removed at the end.
in_real_network() {
    T_TMP=$(mktemp -d)
    trap 'rm -rf "$T_TMP"' EXIT
    trap 'exit 143' TERM INT HUP
    cd "$T_TMP" || exit
}

# A misspelt assertion is one that cannot fail. The handler runs in a shell of its own (bash(1)).
command_not_found_handle() {
    echo "$1: command not found" >&2
    kill -USR1 $$
    return 127
}
trap 't_fail "a command of the test is not there"' USR1

t_case() {
    t_end
    t_name=$1 t_bad=0 t_asserted=0 t_lacks='' last=
}

t_end() {
    [[ -n $t_name ]] || return 0
    t_reports
    ((t_asserted)) || [[ -n $t_lacks ]] || t_fail 'the case asserted nothing'
    if ((t_bad)); then
        echo "not ok - $t_name"
    elif [[ -n $t_lacks ]]; then
        echo "skip - $t_name: this machine lacks $t_lacks"
    else
        echo "ok - $t_name"
    fi
    t_cases=$((t_cases + 1))
    t_name=
}

# What a sanitizer or valgrind has reported since the last case, in whatever process of cijail (tests/lib/reports.c,
# tests/lib/under-valgrind), fails this one.
t_reports() {
    local text
    [[ -n ${T_REPORTS:-} ]] || return 0
    [[ -w $T_REPORTS ]] || t_fail "$T_REPORTS is missing: no report would be seen"
    text=$(dd if="$T_REPORTS" iflag=nonblock bs=64k 2>/dev/null)
    [[ -n $text ]] || return 0
    last=
    t_fail 'a report of the sanitizers, or of valgrind'
    head -n 60 <<<"$text" | cut -c 1-300 | sed 's/^/#   report: /'
}

t_done() {
    t_end
    echo "1..$t_cases"
}

t_show() { # NAME TEXT: at most 25 lines
    [[ -n $2 ]] || return 0
    head -n 25 <<<"$2" | cut -c 1-400 | sed "s/^/#   $1: /"
}

t_fail() {
    local i
    echo "# $t_name: ${1//$'\n'/$'\n'#   }"
    for ((i = 1; i < ${#BASH_LINENO[@]} - 1; i++)); do
        [[ ${BASH_SOURCE[i]} == */lib.sh ]] || break
    done
    echo "#   at ${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
    if [[ -n ${last:-} ]]; then
        echo "#   ran: $last"
        echo "#   status $status after $ms ms"
        t_show stdout "$out"
        t_show stderr "$err"
        last=
    fi
    t_bad=1
}

# run COMMAND...: standard output to $out, error to $err, exit status to $status, duration to $ms. Its input is empty,
# or the file $T_STDIN. After $T_LIMIT seconds (60) it is ended, and the case has failed. T_SLOW is by how much cijail is
# slower than it is when it is installed (1): under valgrind, say. All bounds on waiting grow by it.
run() {
    local start=${EPOCHREALTIME/./} limit=$((${T_LIMIT:-60} * ${T_SLOW:-1}))
    last="$*"
    timeout -k 5 $limit "$@" <"${T_STDIN:-/dev/null}" >"$T_TMP/out" 2>"$T_TMP/err"
    status=$?
    ms=$(((${EPOCHREALTIME/./} - start) / 1000))
    # A sanitizer says this where /proc is another PID namespace's, as it is for the proxies when they start.
    [[ -z ${T_REPORTS:-} ]] || sed -i '/^==[0-9]*==WARNING: reading executable name failed/d' "$T_TMP/err"
    t_read out "$T_TMP/out"
    t_read err "$T_TMP/err"
    ((ms < limit * 1000)) || t_fail "it did not end within $limit s"
}

# Here and in matching bash does all itself: what time tests take goes to starting processes, mostly.
t_read() { # NAME FILE: the variable is what the file holds, without NULs and without newlines at its end
    local text
    if IFS= read -r -d '' text <"$2"; then
        text=$(tr -d '\0' <"$2")
    else
        while [[ $text == *$'\n' ]]; do text=${text%$'\n'}; done
    fi
    printf -v "$1" %s "$text"
}

# matching TEXT REGEX: $matches is how many lines match, as grep -E has it, $matched the first of them.
matching() {
    local rest=$1$'\n' line
    matches=0 matched=
    if ((${#1} < 8192)); then
        while [[ -n $rest ]]; do
            line=${rest%%$'\n'*} rest=${rest#*$'\n'}
            [[ $line =~ $2 ]]
            case $? in
            0) ((matches++)) || matched=$line ;;
            1) ;;
            *) matches=-1 && break ;; # what only grep takes for an expression
            esac
        done
        ((matches < 0)) || return 0
    fi
    matched=$(grep -m 1 -E -e "$2" <<<"$1")
    matches=$(grep -cE -e "$2" <<<"$1")
    [[ -n $matches ]] || t_fail "not an expression: $2"
}

t_assert() { # TEXT COMMAND...: COMMAND must succeed
    local text=$1
    shift
    t_asserted=$((t_asserted + 1))
    "$@" || t_fail "$text"
}

t_has() { matching "$@" && ((matches > 0)); }
t_has_not() { matching "$@" && ((matches == 0)); }
t_is() { [[ $1 == "$2" ]]; }

t_status() { t_assert "exit status is $status, expected $1" t_is "$status" "$1"; }
t_eq() { t_assert "'${1:0:300}' is not '${2:0:300}'" t_is "$1" "$2"; }
t_match() { t_assert "no line matches /$2/ in '${1:0:300}'" t_has "$1" "$2"; }
t_no_match() { # the text of the assertion is made before it is
    matching "$1" "$2"
    t_assert "a line matches /$2/: '$matched'" t_is "$matches" 0
}
t_true() { t_assert "failed: $*" "$@"; }
t_false() {
    t_asserted=$((t_asserted + 1))
    ! "$@" || t_fail "succeeded: $*"
}
t_under() { t_assert "took $ms ms, expected under $1 ms, times ${T_SLOW:-1}" test "$ms" -lt $(($1 * ${T_SLOW:-1})); }
t_count() { # N TEXT REGEX: exactly N lines match
    matching "$2" "$3"
    t_assert "$matches lines match /$3/, expected $1" t_is "$matches" "$1"
}

# need FEATURE COMMAND...: does COMMAND succeed, that is, has this machine's kernel the feature that the rest of the case
# needs? If not, the case is reported as skipped; with CIJAIL_MUST_WORK, as in CI, it has failed.
need() {
    "${@:2}" >/dev/null 2>&1 </dev/null && return 0
    if [[ -n ${CIJAIL_MUST_WORK:-} ]]; then
        t_fail "this machine lacks $1, and CIJAIL_MUST_WORK is set"
    else
        t_lacks=$1
    fi
    return 1
}

# until_true COMMAND...: waits until COMMAND succeeds, for some ten seconds; else the case has failed.
until_true() {
    local i
    for ((i = 0; i < 200 * ${T_SLOW:-1}; i++)); do
        "$@" && return
        sleep 0.05
    done
    t_fail "waited in vain until: $*"
    return 1
}

serve_unix() { # ADDRESS NAME: a unix socket of the host (unix.py)
    python3 "$T_LIB/unix.py" serve "$1" "$2.ready" >/dev/null 2>&1 </dev/null &
    until_true test -e "$2.ready" || t_fail "no server at $1"
}

# make_leaf SAN: leaf.pem and leaf.key, a certificate of the test internet's CA for that subjectAltName.
make_leaf() {
    openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
    openssl req -new -key leaf.key -subj '/CN=leaf' | openssl x509 -req -CA "$T_NET/ca.pem" -CAkey "$T_NET/ca.key" -days 2 \
        -set_serial 77 -extfile <(echo "subjectAltName=$1") -out leaf.pem 2>/dev/null
}

# Servers at the test internet's raw addresses, $H4 and $H6 (raw-server.py); $server is the process.
serve_raw() {
    H4=192.0.2.10 H6=2001:db8:0:2::10
    python3 "$T_LIB/raw-server.py" $H4 $H6 >server.log 2>server.err </dev/null &
    server=$!
    until_true test -e server.ready || t_fail "server: $(cat server.err)"
}

# many_flows ENDPOINT ADDRESS: as run, of flows.py; $flow_sockets: how many connected UDP sockets there are outside of
# the jail when all flows have been begun.
many_flows() {
    local counter
    rm -f flows.there flows.counted
    (
        for ((i = 0; i < 1200; i++)); do [[ -e flows.there ]] && break; sleep 0.05; done
        awk 'FNR > 1 && $3 !~ /:0000$/' /proc/net/udp /proc/net/udp6 | wc -l >flows.counted.tmp
        mv flows.counted.tmp flows.counted
    ) >/dev/null 2>&1 </dev/null &
    counter=$!
    run bash -c "ulimit -n 16384; exec cijail -e $1 -- python3 $T_LIB/flows.py $2"
    flow_sockets=$(cat flows.counted)
    wait "$counter"
}

alive() { pgrep -f "$1" >/dev/null; } # a process whose command line matches

# How often cijail's log on standard error denies.
t_denials() { t_count "$1" "$err" ' cijail: deny '; }

# Everything that crossed the test internet's link between wire_start and wire_stop, into $WIRE: DNS packets, UDP,
# ICMP, and first packets of TCP connections. Marks are lookups of a name of their own, so that nothing depends on
# how late tcpdump writes.
wire_mark() {
    local i
    wire_number=$((${wire_number:-0} + 1))
    dig +tries=1 +time=2 "mark-$$-$wire_number.test" @192.0.2.53 >/dev/null
    for ((i = 0; i < 500; i++)); do
        grep -q "mark-$$-$wire_number.test" "$T_NET/wire.log" && return
        sleep 0.01
    done
    t_fail 'tcpdump sees nothing'
}
wire_start() { # the first mark's answer comes behind those that were late for what ran before
    wire_mark
    wire_mark
}
wire_stop() { # the marks' own questions and answers, told by their ids, are left out
    wire_mark
    WIRE=$(awk -v from="mark-$$-$((wire_number - 1)).test" -v to="mark-$$-$wire_number.test" '
        index($0, " A? " from) { on = 1; id[$6 + 0] = 1; next }
        index($0, " A? " to) { exit }
        on && ($6 + 0) in id && /NXDomain/ { delete id[$6 + 0]; next }
        on' "$T_NET/wire.log")
}

# What a run of cijail could leave behind on the machine: processes, files, mounts and namespaces.
t_state() {
    local processes
    processes=$(ps ax -o args=) # with none of the programs beside it that sort this out
    grep -vE '^\[?(ps|sort|bash|grep|/bin/bash|sed|readlink|xargs|find)|^nsd' <<<"$processes" | sort
    # A squid that ends takes away what it had in /dev/shm.
    find /tmp /var/tmp /run /dev/shm -xdev ! -path "/tmp/.net*" ! -path "$T_TMP*" ! -path '/dev/shm/*_*.shm' 2>/dev/null | sort
    wc -l </proc/self/mountinfo
    readlink /proc/[0-9]*/ns/* 2>/dev/null | grep -E '^(net|user|mnt|ipc|uts|pid):' | sort -u | wc -l
}
t_same_state() { # STATE: it is as it was, after some seconds at most
    local i now
    for ((i = 0; i < 200; i++)); do
        now=$(t_state)
        [[ $now == "$1" ]] && break
        sleep 0.02
    done
    t_assert "it is another state: $(diff <(echo "$1") <(echo "$now"))" t_is "$now" "$1"
}
