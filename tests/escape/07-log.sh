#!/usr/bin/env bash
# What the jail writes into the log: names, URLs, methods, paths and SNIs that would be lines, colours or broken JSON.
# More: e2e/07-log.sh.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
stamp='^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} [0-9]{4}\] cijail: '

cat >inject.py <<'END'
import os, socket, ssl, struct
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["http_proxy"])
forged = b"\n[Sun Apr 04 17:28:22 2027] cijail: allow 200 GET https://forged.example/"
evil = [forged, b"\r\n" + forged, b"\x1b[2J\x1b[31mred", b"\x1b]0;title\x07", b"\x1b]52;c;c3RvbGVu\x07", b"\x9b31m", b"\xe2\x80\xae", b"\xff\xfe\xc0\x80", b"\xed\xa0\x80",
        b"\x7f\x08\x08\x08", b"\\x1b[31m", b"\"},{\"decision\":\"allow", b"\\\",\"decision\":\"allow\",\"x\":\"", b"\\u000a", b"%s%n%1000000d", b"</script>", b"\xc2\x85", b"\t\v\f", b"a\0b"]
def http(*heads):
    for head in heads:
        try:
            s = socket.create_connection((proxy.hostname, proxy.port), 5); s.sendall(head); s.shutdown(socket.SHUT_WR); s.settimeout(1); s.recv(1000)
        except OSError: pass
def label(text): return bytes([len(text)]) + text
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(0.1)
for text in evil:
    http(b"GET http://evil.example/" + text + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"GET http://evil" + text + b".example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
         text + b" http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"GET http://evil.example/ HTTP/1.1\r\nHost: " + text + b"\r\n\r\n",
         b"CONNECT " + text + b":443 HTTP/1.1\r\nHost: x\r\n\r\n", b"CONNECT evil.example:" + text + b" HTTP/1.1\r\nHost: x\r\n\r\n", text)
    u.sendto(b"\0\7\1\0\0\1\0\0\0\0\0\0" + label(text[:63]) + label(b"evil") + b"\0\0\1\0\1", (proxy.hostname, 53))
    try: u.recv(1000)
    except OSError: pass
    for prefix in b"/tmp/", b"", b"/run/":  # paths of sockets, of such that are there as well
        path = (prefix + text.replace(b"\0", b"")).replace(b"/forged", b"")[:100].rstrip(b"/")
        try: socket.socket(socket.AF_UNIX).connect(path)
        except (OSError, ValueError): pass
    # an SNI of such bytes, in a ClientHello
    name = struct.pack(">BH", 0, len(text)) + text
    extension = struct.pack(">HHH", 0, len(name) + 2, len(name)) + name
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack(">H", len(extension)) + extension
    hello = b"\1" + struct.pack(">I", len(body))[1:] + body
    try:
        s = socket.create_connection(("203.0.113.77", 443), 5); s.sendall(b"\x16\3\1" + struct.pack(">H", len(hello)) + hello); s.shutdown(socket.SHUT_WR); s.settimeout(1); s.recv(100)
    except OSError: pass
print("end")
END
# Sockets of the host with such names.
python3 -c '
import os, socket, time
s = []
for name in b"\n[Sun Apr 04 17:28:22 2027] cijail: allow unix x", b"\x1b[31mred", b"\xff\xfe\xc0\x80", b"\"}, {\"a", b"\xe2\x80\xae":
    x = socket.socket(socket.AF_UNIX); x.bind(b"/tmp/" + name); x.listen(); s.append(x)
open("named", "w").close()
time.sleep(100)' >/dev/null 2>&1 </dev/null &
server=$!
for ((i = 0; i < 200; i++)); do [[ -e named ]] && break; sleep 0.02; done
cat >paths.py <<'END'
import os, socket
for name in os.listdir(b"/tmp"):
    try: socket.socket(socket.AF_UNIX).connect(b"/tmp/" + name)
    except OSError: pass
END

for format in text json; do
    for verbose in '' -v; do
        [[ $format$verbose != json ]] || continue # -v has these lines too
        t_case "every byte is escaped, every line is one of cijail's: $format${verbose:+, verbose}"
        # shellcheck disable=SC2086
        run cijail $verbose --log-format $format -e https://registry.example/pkg/ -- sh -c 'python3 inject.py; python3 paths.py'
        t_status 0
        t_eq "$out" end
        t_true test "$(tr -d '\12\40-\176' <"$T_TMP/err" | wc -c)" = 0
        if [[ $format == text ]]; then
            t_eq "$(grep -vcE "$stamp" <<<"$err")" 0
            t_count 0 "$err" "${stamp}allow |^\\[Sun Apr 04 17"
            t_match "$err" 'deny unix /tmp/\\x1b\[31mred'
            t_match "$err" 'deny unix /tmp/\\xff\\xfe\\xc0\\x80'
            t_match "$err" 'deny resolve \\x5c027.*\.evil A'
        else
            cp "$T_TMP/err" lines
            run python3 -c 'import json, sys
objects = [json.loads(l) for l in open(sys.argv[1], "rb").read().decode("ascii").splitlines()]
print(len(objects) > 50, {o["decision"] for o in objects}, {o["kind"] for o in objects} >= {"request", "resolve", "unix"})' lines
            t_eq "$out" "True {'deny'} True"
        fi
    done
done
kill $server

t_done
