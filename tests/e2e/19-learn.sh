#!/usr/bin/env bash
# --learn FILE: a minimal policy of what a run used; under it the same run is denied nothing.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
chmod 755 "$T_TMP"
cp "$T_LIB/unix.py" .
serve_unix "$T_TMP/sock" sock
serve_unix @cijail-learn abstract
words() { grep -oE '^[^ #]+' "$1"; } # the policy without comments
python3 -m http.server --bind 127.0.0.1 18080 >/dev/null 2>&1 </dev/null &
for ((i = 0; i < 100; i++)); do curl -s -o /dev/null http://127.0.0.1:18080/ && break; sleep 0.05; done

# A job that does a bit of everything.
cat >job.sh <<END
set -e
rm -rf cloned
git clone -q https://git.example/git/project.git cloned
curl -sf https://registry.example/pkg/lodash
for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null "https://files.example/deep/folder/file\$i?token=\$i"; done
curl -sf --noproxy '*' http://files.example/public/file.txt
curl -sf -o /dev/null -T job.sh https://files.example/upload/one
dig +short registry.example
dig +short only.wild.example AAAA >/dev/null
dig +short registry.example @203.0.113.5
dig +tcp +short registry.example @2001:db8:53::53
python3 unix.py say $T_TMP/sock
cd cloned && python3 ../unix.py say ../sock
python3 ../unix.py say @cijail-learn
END

t_case 'a dry run of a job is learned'
run cijail --dry-run --learn ./learned -- sh job.sh
t_status 99
job_out=$out
t_match "$job_out" 'a package'
t_count 3 "$job_out" '^hello$'
policy=$(cat learned)
t_match "$policy" '^# Learned by cijail [0-9.]+, 20[0-9-]{8} [0-9:]{8} UTC, in a dry run of:$'
t_match "$policy" '^#   sh job\.sh$'
t_eq "$(stat -c %a learned)" 600
t_eq "$(ls -A | grep -c cijail-learn)" 0

t_case 'it is minimal: URLs are folded to folders, counts and dates are comments'
t_match "$policy" '^GET,HEAD:https://files\.example/deep/folder/ +# 8 requests, 20[0-9-]{8} [0-9:]{8}'
t_match "$policy" '^GET,HEAD:https://registry\.example/pkg/lodash +# 1 request, '
t_match "$policy" '^GET,HEAD:http://files\.example/public/file\.txt +# 1 request, '
t_match "$policy" '^PUT:https://files\.example/upload/one +# 1 request, '
t_match "$policy" '^203\.0\.113\.5:53 +# [0-9]+ connections?, '
t_match "$policy" '^\[2001:db8:53::53\]:53 +# [0-9]+ connections?, '
t_match "$policy" '^only\.wild\.example +# 1 lookup, '
t_match "$policy" "^$T_TMP/sock +# 2 connections, "
t_match "$policy" '^@cijail-learn +# 1 connection, '
t_count 1 "$(words learned)" '^only\.wild\.example$'
t_no_match "$(words learned)" '^(registry|files|git)\.example$' # the URLs allow to resolve these
t_no_match "$policy" token
t_true test "$(words learned | wc -l)" -le 14

t_case 'the job runs under it, and nothing is denied'
run cijail --fail-on-deny -v -p ./learned -- sh job.sh
t_status 0
t_denials 0
t_eq "$out" "$job_out"
run cijail --dry-run -p ./learned -- sh job.sh
t_status 99
t_match "$(tail -n 1 <<<"$err")" 'dry run: [0-9]+ allowed, 0 denied$'

t_case 'and nothing else is allowed'
for url in https://registry.example/pkg/other https://registry.example/ https://files.example/deep/ \
    http://files.example/deep/folder/file1 https://other.example/ https://secret.attacker.test/; do
    run cijail --fail-on-deny -p ./learned -- sh -c "curl -s -o /dev/null $url; true"
    t_status 98
done
run cijail -p ./learned -- curl -s -o /dev/null -T job.sh https://files.example/deep/folder/file1
t_match "$err" 'deny - PUT https://files\.example/deep/folder/file1$'
run cijail -p ./learned -- dig +short other.example @203.0.113.5
t_match "$err" 'deny resolve other\.example A$'
run cijail -p ./learned -- dig +short registry.example @192.0.2.53
t_match "$err" 'deny connect 192\.0\.2\.53:53$'

t_case 'learned from a run under a policy: what it used of it; what was denied are comments'
run cijail --learn ./narrow -e 'https://registry.example/ unused.example /run/unused.sock' -- sh -c "
    curl -s https://registry.example/pkg/lodash; curl -s -o /dev/null https://evil.attacker.test/x
    curl -s -o /dev/null http://registry.example/plain; dig +short secret.attacker.test >/dev/null; python3 unix.py say $T_TMP/sock
    python3 $T_LIB/connect.py udp 198.51.100.66 999"
t_eq "$(words narrow)" 'GET,HEAD:https://registry.example/pkg/lodash'
policy=$(cat narrow)
t_match "$policy" '^# https://evil\.attacker\.test/ +# 1 time, '
t_match "$policy" '^# GET,HEAD:http://registry\.example/plain +# 1 request, '
t_match "$policy" '^# secret\.attacker\.test +# [0-9]+ times?, '
t_match "$policy" "^# $T_TMP/sock +# 1 time, "
t_match "$policy" '^# 198\.51\.100\.66:999 +# [0-9]+ times?, '
run cijail --fail-on-deny -p ./narrow -- curl -s https://registry.example/pkg/lodash
t_status 0

t_case 'ports of the loopback, and [netlink], stay'
run cijail --learn ./loopback --allow-loopback -e '[netlink]' -- curl -s -m 5 -o /dev/null http://127.0.0.1:18080/job.sh
t_status 0
t_eq "$(words loopback)" '127.0.0.1:18080
[netlink]'
run cijail -p ./loopback -- curl -s -m 5 http://127.0.0.1:18080/unix.py
t_match "$out" 'import errno'

t_case 'nothing that the jail chose is more than a word or a comment'
cat >hostile.py <<'END'
import os, socket
from urllib.parse import urlsplit
p = urlsplit(os.environ["http_proxy"])
for head in (b"GET http://registry.example/a%0ahttps://evil.test/ HTTP/1.1\r\nHost: registry.example\r\n\r\n",
             b"GET http://registry.example/#https://evil.test/ HTTP/1.1\r\nHost: registry.example\r\n\r\n",
             b"G\x1bT http://registry.example/x HTTP/1.1\r\nHost: registry.example\r\n\r\n",
             b"GET http://registry.example/\xff HTTP/1.1\r\nHost: registry.example\r\n\r\n",
             b"CONNECT a\nhttps://evil.test/:443 HTTP/1.1\r\nHost: x\r\n\r\n",
             b"X" * 30 + b" http://registry.example/long HTTP/1.1\r\nHost: registry.example\r\n\r\n"):
    s = socket.create_connection((p.hostname, p.port), 5)
    s.sendall(head)
    s.recv(1000)
    s.close()
name = b"\n[netlink]\n"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.sendto(b"\0\7\1\0\0\1\0\0\0\0\0\0" + bytes([len(name)]) + name + b"\4evil\0\0\1\0\1", (p.hostname, 53))
s.recv(1000)
END
for how in '' --dry-run; do
    # shellcheck disable=SC2086
    run cijail $how --learn ./hostile -- env $'A=\n[netlink]' python3 hostile.py $'arg\n[netlink]' $'\e[31m'
    t_false grep -E '^(\[|https?://evil)' hostile
    t_true test "$(tr -d '\11\12\40-\176' <hostile | wc -c)" = 0
    run cijail -p ./hostile -- true
    t_status 0
done

t_case 'FILE: replaced as a whole; a pipe is written to; errors come before the command'
echo old >old
ln -s old link
run cijail --learn ./link -- true
t_status 0
t_true test -L link
t_match "$(cat old)" '^# Learned by cijail'
run cijail --learn /dev/stdout -- true
t_match "$out" '^# Learned by cijail'
for file in /nonexistent/file . ''; do
    run cijail --learn "$file" -- touch ran
    t_status 125
    t_match "$err" 'learn: '
    t_false test -e ran
done
echo old >kept
run cijail --learn ./kept -- /nonexistent
t_status 127
t_eq "$(cat kept)" old

t_case 'a signal ends the run, not what was learned'
run timeout -s TERM $((3 * ${T_SLOW:-1})) cijail --learn ./signal -e https://registry.example/ -- sh -c 'curl -s https://registry.example/pkg/lodash; sleep 60'
t_eq "$(words signal)" 'GET,HEAD:https://registry.example/pkg/lodash'

t_case 'a thousand packages at the root of a registry, and some thousand files of another: few lines'
run cijail --dry-run -q --learn ./many -- python3 -c '
import http.client, os
from urllib.parse import urlsplit
p = urlsplit(os.environ["http_proxy"])
c = http.client.HTTPConnection(p.hostname, p.port)
for i in range(1000):
    for url in "http://registry.example/%dpkg" % i, "http://files.example/%d/%d/file%d" % (i % 2, i % 50, i):
        c.request("GET", url)
        c.getresponse().read()'
t_status 99
t_eq "$(words many)" 'GET,HEAD:http://files.example/0/
GET,HEAD:http://files.example/1/
GET,HEAD:http://registry.example/'
t_match "$(cat many)" 'registry\.example/ +# 1000 requests, '

t_done
