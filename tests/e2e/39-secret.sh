#!/usr/bin/env bash
# --secret: the value of a variable stays out of the jail; servers that may have it get it all the same. What a server
# saw is in the content of its answer (origin.example/head, registry.example/credentials), where nothing is replaced.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
VALUE='ghp_9x/Sikrit+Value=7'
export TOKEN=$VALUE
value_re='ghp_9x/Sikrit[+]Value=7'
export CIJAIL_ENDPOINTS='https://origin.example/ https://registry.example/ https://registry.example:8443/
    http://registry.example/ https://files.example/public/'
secret() { run cijail --secret TOKEN=origin.example,registry.example,registry.example:8443 "$@"; }
in_jail='^cijail[a-z2-7]{34}$'
saw=https://registry.example/credentials

t_case 'the variable holds a placeholder, a new one each time'
secret -- sh -c 'echo "$TOKEN"'
t_status 0
t_match "$out" "$in_jail"
first=$out
secret -- sh -c 'echo "$TOKEN"'
t_match "$out" "$in_jail"
t_assert 'the same placeholder again' test "$out" != "$first"

t_case 'a host that may have it gets it, in the forms that clients use, over HTTP/1.1 and HTTP/2'
for url in $saw https://registry.example:8443/credentials; do
    for version in 1.1 2; do
        secret -- sh -c "curl -sS --http$version -H \"Authorization: Bearer \$TOKEN\" $url
            curl -sS --http$version -H \"authorization: token \$TOKEN\" $url
            curl -sS --http$version -H \"PRIVATE-TOKEN: \$TOKEN\" $url
            curl -sS --http$version -u \"user:\$TOKEN\" $url
            curl -sS --http$version -u \"\$TOKEN:\" $url"
        t_status 0
        t_eq "$out" "GET Bearer $VALUE||
GET token $VALUE||
GET |$VALUE|
GET Basic $(printf %s "user:$VALUE" | base64)||
GET Basic $(printf %s "$VALUE:" | base64)||"
        t_denials 0
    done
done

t_case 'programs that are intercepted, and connections that are kept'
cat >kept.py <<'PY'
import http.client, os, ssl
c = http.client.HTTPSConnection("registry.example", context=ssl.create_default_context())
for i in range(3):
    c.request("GET", "/credentials", headers={"Authorization": "Bearer " + os.environ["TOKEN"]} if i != 1 else {})
    print(c.getresponse().read().decode().strip())
PY
for how in '' "$unset_proxies"; do
    # shellcheck disable=SC2086 # words
    secret -- $how python3 kept.py
    t_eq "$out" "GET Bearer $VALUE||
GET ||
GET Bearer $VALUE||"
done

t_case 'git'
# shellcheck disable=SC2016 # of the jail
secret -- sh -c 'GIT_CURL_VERBOSE=0 git -c http.extraHeader="Authorization: Bearer $TOKEN" ls-remote https://origin.example/git/project.git'
t_status 0
t_match "$out" 'refs/heads/'
t_denials 0

t_case 'an upgrade'
# shellcheck disable=SC2016 # of the jail
secret -- sh -c 'curl -sS -m 5 --http1.1 -i -N -H "Authorization: Bearer $TOKEN" -H "Connection: Upgrade" -H "Upgrade: x" https://origin.example/upgrade?x </dev/null || true'
t_match "$out" '^HTTP/1.1 101'

t_case 'a host that may not have it gets neither: 403, with the reason in the log'
# shellcheck disable=SC2016 # of the jail
secret --fail-on-deny -- sh -c 'curl -sS -H "Authorization: Bearer $TOKEN" https://files.example/public/file.txt; curl -sS -u "a:$TOKEN" https://files.example/public/file.txt; curl -sS https://files.example/public/file.txt'
t_status 98
t_count 2 "$out" 'holds the placeholder of the secret TOKEN: --secret does not name this host'
t_count 1 "$out" '^a public file'
t_match "$err" 'deny - GET https://files\.example/public/file\.txt: the field [Aa]uthorization holds the placeholder'
t_no_match "$out$err" "$value_re"

t_case 'http does not get it; nor a field that is not named'
# shellcheck disable=SC2016 # of the jail
secret -- sh -c 'curl -sS -H "Authorization: Bearer $TOKEN" http://registry.example/credentials; curl -sS -H "X-Key: $TOKEN" '$saw
t_count 1 "$out" 'it is sent by https alone'
t_count 1 "$out" 'it is not put into this field'
t_denials 2
run cijail --secret TOKEN:X-Key=registry.example -- sh -c "curl -sS -H \"X-Key: \$TOKEN\" $saw; curl -sS -H \"Authorization: Bearer \$TOKEN\" $saw"
t_match "$out" "^GET \|\|$value_re$"
t_count 1 "$out" 'it is not put into this field'

t_case 'a path'
run cijail --secret TOKEN=https://registry.example/credentials -- sh -c "curl -sS -H \"Authorization: Bearer \$TOKEN\" $saw; curl -sS -o no -w '%{http_code}\n' -H \"Authorization: Bearer \$TOKEN\" https://registry.example/echo"
t_eq "$out" "GET Bearer $VALUE||
403"

t_case 'neither URL nor content'
# shellcheck disable=SC2016 # of the jail
secret -- sh -c 'curl -sS "https://registry.example/echo?$TOKEN"; curl -sS --data "$TOKEN" https://origin.example/raw'
t_count 2 "$out" 'cijail[a-z2-7]{34}'
t_no_match "$out" "$value_re"

t_case 'an answer that repeats it in its fields has the placeholder; TRACE is refused'
for version in 1.1 2; do
    # shellcheck disable=SC2016 # of the jail
    secret -- sh -c "curl -sSi --http$version -H \"Authorization: Bearer \$TOKEN\" https://origin.example/reflect; curl -sSi --http$version -u \"me:\$TOKEN\" https://origin.example/reflect; curl -sS -X TRACE -H \"Authorization: Bearer \$TOKEN\" https://origin.example/head"
    t_count 2 "$out" '^reflected'
    t_count 2 "$out" '^[Xx]-[Oo]ther: plain'
    t_match "$out" '^[Xx]-[Ss]ent: Bearer cijail[a-z2-7]{34}'
    t_match "$out" '^[Ll]ocation: /\?token=cijail[a-z2-7]{34}'
    t_match "$out" '^[Xx]-[Ee]ncoded: cijail[a-z2-7]{34}'
    t_match "$out" 'the answer to TRACE repeats'
    t_assert 'the value is there' test "${out/"$VALUE"/}" = "$out"
    t_no_match "$out" "$(printf %s "me:$VALUE" | base64)"
done

t_case 'it is nowhere in the jail: environment, processes, log, report'
cat >look.sh <<'SH'
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n'
env
for url in https://registry.example/echo http://registry.example/credentials https://files.example/public/file.txt; do
    curl -sS -o no -H "Authorization: Bearer $TOKEN" "$url"
done
SH
secret -v --log log.json --log-format json --summary report.html --learn learned -- sh look.sh
t_match "$out" '^TOKEN=cijail[a-z2-7]{34}$'
for text in "$out" "$err" "$(cat log.json)" "$(cat report.html)" "$(cat learned)"; do
    t_assert 'the value is there' test "${text/"$VALUE"/}" = "$text"
    t_assert 'a part of it is there' test "${text/Sikrit/}" = "$text"
done
t_match "$(cat log.json)" '"decision":"deny".*"reason":"the field [Aa]uthorization holds the placeholder of the secret TOKEN'

t_case 'outside, cijail itself has it in no environment and on no command line'
cijail --secret TOKEN=origin.example -- sh -c 'touch begun; while [ ! -e seen ]; do sleep 0.05; done' </dev/null >cijail.out 2>&1 &
pid=$!
until_true test -e begun
found=$(for p in "$pid" $(pgrep -P "$pid"); do cat "/proc/$p/environ" "/proc/$p/cmdline"; done 2>/dev/null | tr '\0' '\n' | grep -cF "$VALUE")
touch seen
wait "$pid"
t_eq "$? $found" '0 0'
t_eq "$(cat cijail.out)" ''

t_case 'a jail in a jail sees the placeholder alone, and is served'
secret -- sh -c "cijail -e 'https://registry.example/' -- sh -c 'echo \$TOKEN; curl -sS -H \"Authorization: Bearer \$TOKEN\" $saw'"
t_match "$out" "$in_jail"
t_match "$out" "^GET Bearer $value_re"
secret -- sh -c "cijail -e 'https://registry.example/' --secret TOKEN=registry.example -- sh -c 'echo \$TOKEN; curl -sS -H \"Authorization: Bearer \$TOKEN\" $saw'; echo \$TOKEN"
t_count 2 "$out" "$in_jail"
t_eq "$(grep -E "$in_jail" <<<"$out" | sort -u | wc -l)" 2
t_match "$out" "^GET Bearer $value_re"

t_case 'two secrets, and two options for one'
export OTHER='another secret'
run cijail --secret TOKEN=registry.example/credentials --secret TOKEN:X-Key=registry.example --secret OTHER=registry.example -- sh -c "curl -sS -H \"Authorization: Bearer \$TOKEN\" -H \"X-Key: \$TOKEN\" -H \"Private-Token: \$OTHER\" $saw"
t_eq "$out" "GET Bearer $VALUE|$OTHER|$VALUE"
unset OTHER

t_case 'a dry run: hosts that are named, and no others'
run cijail --dry-run --secret TOKEN=registry.example -- sh -c "curl -sS -H \"Authorization: Bearer \$TOKEN\" $saw; curl -sS -H \"Authorization: Bearer \$TOKEN\" https://origin.example/head; curl -sS -H \"Authorization: Bearer \$TOKEN\" http://registry.example/credentials"
t_status 99
t_match "$out" "^GET Bearer $value_re"
t_match "$out" '^[Aa]uthorization: Bearer cijail[a-z2-7]{34}'
t_match "$out" '^GET Bearer cijail[a-z2-7]{34}\|'
t_match "$err" 'DRYRUN deny - GET https://origin\.example/head: the field [Aa]uthorization holds the placeholder'

t_case 'what cannot be: nothing is run'
try() { run cijail "${@:2}" -- touch ran; t_status 125; t_match "$err" "^cijail: --secret .*$1"; }
try 'not set, or empty' --secret NO_SUCH_VARIABLE=registry.example
export EMPTY='' SHORT=1234567 LINES2=$'a value\nof two lines' SPACE=' a value'
try 'not set, or empty' --secret EMPTY=registry.example
try 'shorter than 8' --secret SHORT=registry.example
try 'a control character' --secret LINES2=registry.example
try 'begins or ends with a space' --secret SPACE=registry.example
try 'no https endpoint of the policy has elsewhere\.example:443' --secret TOKEN=elsewhere.example
try 'a pattern' --secret 'TOKEN=*.example'
try 'https alone' --secret TOKEN=http://registry.example/
export COPY="x${TOKEN}x"
try 'the variable COPY holds the value too' --secret TOKEN=registry.example
unset COPY
run cijail --secret TOKEN=registry.example -- touch ran "$TOKEN"
t_status 125
t_match "$err" 'an argument of the command holds the value'
t_assert 'the value is there' test "${err/"$VALUE"/}" = "$err"
t_false test -e ran
run "$BUILD/ctl/cijailctl" podman run --secret TOKEN=registry.example -e TOKEN image true
t_status 125
t_match "$err" 'NAME=HOST is not for containers'

t_case 'heads that become too long'
# shellcheck disable=SC2016 # of the jail
LONG=$(printf 'v%.0s' {1..4000})
export LONG
run cijail --secret LONG=registry.example -- sh -c "curl -sS -o no -w '%{http_code}\n' \$(for i in \$(seq 20); do printf ' -H X-Api-Key:%s' \"\$LONG\"; done) $saw; curl -sS -H \"Authorization: Bearer \$LONG\" $saw"
t_match "$out" '^431$'
t_match "$out" '^GET Bearer v{4000}\|'
t_done
