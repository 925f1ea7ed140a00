#!/usr/bin/env bash
# The command in the jail is the command: its exit code, streams, ids, environment, signals; and what cijail says
# when it cannot run it.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

t_case 'cijail COMMAND and cijail -- COMMAND'
run cijail true
t_status 0
t_eq "$out$err" ''
run cijail -- true
t_status 0
run cijail -- false
t_status 1

t_case 'the first word that is no option begins the command'
run cijail -e registry.example printf '%s ' -e -v --log
t_status 0
t_eq "$out" '-e -v --log '

t_case "exit codes are the command's own"
for code in 0 1 2 98 99 124 125 126 127 128 255; do
    run cijail sh -c "exit $code"
    t_status "$code"
done

t_case '128+N if a signal ended the command'
for signal in 1 2 6 9 11 13 15; do
    run cijail sh -c "ulimit -c 0; kill -$signal \$\$; sleep 5"
    t_status $((128 + signal))
done

t_case 'signal dispositions and the mask are the caller'\''s'
run cijail grep -E 'Sig(Blk|Ign)' /proc/self/status
inside=$out
run grep -E 'Sig(Blk|Ign)' /proc/self/status
t_eq "$inside" "$out"

t_case '127: not found'
run cijail -- /nonexistent/command
t_status 127
t_match "$err" 'cijail: .*/nonexistent/command.*(No such file|not found)'
run cijail -- nosuchcommand-anywhere
t_status 127
t_match "$err" 'nosuchcommand-anywhere'

t_case '126: cannot be executed'
echo 'no program' >plain
run cijail -- ./plain
t_status 126
t_match "$err" 'plain'
run cijail -- "$T_TMP"
t_status 126

t_case '125: an unknown option'
run cijail --no-such-option true
t_status 125
t_match "$err" '^cijail: .*--no-such-option'
run cijail -e
t_status 125
t_match "$err" 'argument'

t_case '125: no command'
run cijail
t_status 125
t_match "$err" '^cijail: .*command'

t_case '--help and --version'
run cijail --help
t_status 0
t_match "$out" 'usage: cijail'
t_match "$out" '--fail-on-deny'
t_assert 'it fits a terminal of 80 columns and 24 lines' test "$(fold -w 79 <<<"$out" | wc -l)" -le 24
run cijail --version
t_status 0
t_match "$out" '^cijail [0-9]+\.[0-9]+'
for option in --help --version; do
    run sh -c "'$CIJAIL' $option >/dev/full"
    t_status 125
    t_match "$err" '^cijail: cannot write to standard output: No space left on device$'
done

t_case 'a bad word is named with its source and line, and nothing is run'
run cijail -e 'https://user@registry.example/' -- touch ran
t_status 125
t_match "$err" "^cijail: -e:1: 'https://user@registry.example/'"
CIJAIL_ENDPOINTS=$'registry.example\nhttps://h.example:99999/' run cijail -- touch ran
t_status 125
t_match "$err" "CIJAIL_ENDPOINTS:2: 'https://h.example:99999/'"
printf '# a comment\nregistry.example # another\n\n  bad..name\n' >bad.policy
run cijail -p ./bad.policy -- touch ran
t_status 125
t_match "$err" "\\./bad\\.policy:4: 'bad\\.\\.name'"
t_false test -e ran

t_case 'a policy file that is not there, and a preset that is not'
run cijail -p ./missing.policy -- touch ran
t_status 125
t_match "$err" 'missing\.policy'
run cijail -p nosuchpreset -- touch ran
t_status 125
t_match "$err" 'nosuchpreset'
t_false test -e ran

t_case 'what cannot be enforced is refused, never ignored'
for endpoint in registry.example:53 127.0.0.1:53 '[::ffff:127.0.0.1]:80'; do
    run cijail -e "$endpoint" -- touch ran
    t_status 125
    t_assert "the word $endpoint is not in the message" grep -qF -e "$endpoint" <<<"$err"
done
for option in --summary=./f --summary=github; do
    run env -u GITHUB_STEP_SUMMARY cijail "$option" -- touch ran
    t_status 125
    t_assert "the option $option is not in the message" grep -qF -e "${option%%=*}" <<<"$err"
done
CIJAIL_DRY_RUN=yes run cijail -- touch ran
t_status 125
CIJAIL_ALLOW_LOOPBACK=yes run cijail -- touch ran
t_status 125
t_false test -e ran
CIJAIL_DRY_RUN=0 CIJAIL_ALLOW_LOOPBACK=0 run cijail -- touch ran
t_status 0
t_true test -e ran

t_case 'CIJAIL_ENDPOINTS, every -e and every -p add up'
printf 'https://files.example/public/ # one\n' >one.policy
printf 'https://origin.example/\n' >two.policy
CIJAIL_ENDPOINTS=$'https://registry.example/ # comment\n other.example' \
    run cijail -e text.example -e 'alias.example v4only.example' -p ./one.policy -p ./two.policy -- sh -c '
    for u in https://registry.example/echo https://files.example/public/file.txt https://origin.example/head \
        https://files.example/private/file.txt; do
        curl -s -o /dev/null -w "%{http_code} " $u
    done
    for n in other text alias v4only missing; do
        dig $n.example | sed -n "s/.*status: \([A-Z]*\),.*/\1/p"
    done'
t_eq "${out//$'\n'/ }" '200 200 200 403 NOERROR NOERROR NOERROR NOERROR REFUSED'

t_case 'directory, ids, groups and umask are the caller'\''s'
mkdir -p 'a folder' && cd 'a folder'
umask 027
run cijail sh -c 'pwd; id -u; id -g; id -G; umask; hostname'
inside=$out
run sh -c 'pwd; id -u; id -g; id -G; umask; hostname'
t_eq "$inside" "$out"
umask 022
cd ..

t_case 'files that the command makes are the caller'\''s'
run cijail sh -c 'echo text >made; stat -c %u:%g made'
t_eq "$out" "$(id -u):$(id -g)"
t_eq "$(cat made)" text
t_eq "$(stat -c %u:%g made)" "$(id -u):$(id -g)"

t_case 'the environment passes through'
AN_ODD_ONE=$'two\nlines' run cijail sh -c 'printf %s "$AN_ODD_ONE"; printf :%s "$HOME"'
t_eq "$out" $'two\nlines:'"${HOME:-}"
run cijail sh -c 'echo "$http_proxy $https_proxy $HTTP_PROXY $HTTPS_PROXY; $no_proxy $NO_PROXY; $NODE_USE_ENV_PROXY"'
t_eq "$out" "$PROXY $PROXY $PROXY $PROXY; localhost,127.0.0.0/8,::1 localhost,127.0.0.0/8,::1; 1"

t_case 'standard input, output and error'
seq 100000 >numbers
T_STDIN=numbers run cijail sh -c 'cat; echo to stderr >&2'
t_eq "$(md5sum <"$T_TMP/out")" "$(md5sum <numbers)"
t_eq "$err" 'to stderr'

t_case 'a closed output is SIGPIPE for the command, as ever'
run bash -c 'set -o pipefail; cijail yes | head -n 1'
t_eq "$out" y
t_status 141

t_case 'descriptors that the caller had open are closed'
exec 7<numbers 8>"$T_TMP/out8"
run cijail sh -c 'ls /proc/self/fd'
exec 7<&- 8>&-
t_eq "${out//$'\n'/ }" '0 1 2 3'

t_case 'SIGTERM to cijail reaches the command, which may handle it'
cat >wait.sh <<'END'
trap 'echo caught; exit 7' TERM USR1 HUP
echo started >started.$1
while :; do sleep 0.05; done
END
for signal in TERM USR1 HUP; do
    rm -f started.*
    cijail sh wait.sh $signal >"$T_TMP/caught" &
    pid=$!
    for ((i = 0; i < 200; i++)); do [[ -e started.$signal ]] && break; sleep 0.05; done
    kill -$signal $pid
    wait $pid
    t_eq "$?" 7
    t_eq "$(cat "$T_TMP/caught")" caught
done

t_case 'a command that does not handle SIGTERM ends with 143'
cijail sleep 30 &
pid=$!
sleep 0.5
kill -TERM $pid
wait $pid
t_eq "$?" 143

t_case 'nothing outlives the command'
run cijail sh -c 'setsid sleep 4711 >/dev/null 2>&1 </dev/null & (setsid sh -c "trap \"\" TERM HUP INT; sleep 4712; :" &) ; sleep 0.2; pgrep -cx sleep'
t_status 0
t_match "$out" '^[23]$'
t_under 5000
sleep 0.1
t_false alive 'sleep 471[12]'

t_case 'nothing outlives cijail itself, even if it is killed'
cijail sh -c 'setsid sleep 4713 & echo started >started.kill; sleep 4714' >/dev/null 2>&1 </dev/null &
pid=$!
for ((i = 0; i < 200; i++)); do [[ -e started.kill ]] && break; sleep 0.05; done
t_true alive 'sleep 471[34]'
{ kill -KILL $pid && wait $pid; } 2>/dev/null
for ((i = 0; i < 100; i++)); do alive 'sleep 471[34]|cijail-(dns|http)proxy' || break; sleep 0.05; done
t_false alive 'sleep 471[34]|cijail-(dns|http)proxy'

t_case 'orphans are reaped'
run cijail sh -c 'for i in 1 2 3 4 5; do (sleep 0.05 & ) ; done; sleep 0.5; ps ax -o stat= | grep -c Z'
t_eq "$out" 0

t_case 'a jail in a jail reaches what both allow, and is no way out of either'
cat >nested.sh <<'END'
for url in registry.example/pkg/lodash registry.example/other files.example/public/file.txt; do
    curl -s -o /dev/null -w '%{http_connect} %{http_code}\n' "https://$url"
done
exit 9
END
run cijail -e https://registry.example/pkg/ -- cijail -e 'https://registry.example/ https://files.example/' -- sh nested.sh
t_status 9
t_eq "$out" $'200 200\n200 403\n200 502' # the outer one: not this URL, not even this name
t_match "$err" ' cijail: deny - GET https://registry.example/other$'
t_match "$err" ' cijail: deny resolve files.example A$'
run cijail -e 'https://registry.example/ https://files.example/' -- cijail -e https://registry.example/pkg/ -- sh nested.sh
t_status 9
t_eq "$out" $'200 200\n200 403\n403 000' # the inner one
t_match "$err" ' cijail: deny - CONNECT files.example:443$'
run cijail -e 'https://registry.example/ https://files.example/' -- cijail -e 'https://registry.example/ https://files.example/' -- sh nested.sh
t_status 9
t_no_match "$out" ' (403|502|000)$'
t_match "$out" '^200 200$'
t_denials 0
run cijail -e https://registry.example/pkg/ -- sh -c 'cijail true && curl -s https://registry.example/pkg/lodash'
t_eq "$out" 'a package'

t_done
