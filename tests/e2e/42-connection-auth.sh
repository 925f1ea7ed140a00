#!/usr/bin/env bash
# Servers that know their client by the connection (NTLM; Negotiate, RFC 4559): such a connection is of one client alone.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

cat >server.py <<'END'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = 0  # of the connection: 1: has been sent a challenge, 2: known
    def do_GET(self):
        said = self.headers.get("Authorization", "")
        status, challenge = (200 if self.state == 2 else 401), "NTLM"
        if said == "NTLM 1":
            self.state, status, challenge = 1, 401, "NTLM 2"
        elif said == "NTLM 3":
            status = 200 if self.state == 1 else 401
            self.state = 2 if self.state == 1 else 0
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("192.0.2.10", 8099), Handler)
open("ready", "w").close()
server.serve_forever()
END
cat >client.py <<'END'
import http.client, os, sys, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["http_proxy"])
def client():
    return http.client.HTTPConnection(proxy.hostname, proxy.port)
def get(c, said=None):
    c.request("GET", "http://192.0.2.10:8099/", headers={"Authorization": said} if said else {})
    r = c.getresponse()
    r.read()
    return r.status
plain, a, b = client(), client(), client()
print(get(plain))
print(get(a, "NTLM 1"), get(b, "NTLM 1"))  # in turn: each goes on where it began
print(get(a, "NTLM 3"), get(b, "NTLM 3"))
print(get(a), get(b), get(a))              # known by the connection
print(get(plain), get(client()))           # and nobody else is
a.close()
print(get(client()))
END
python3 server.py >server.log 2>&1 </dev/null &
until_true test -e ready || t_fail "no server: $(cat server.log)"

t_case 'handshakes of several clients do not get mixed up, and nobody is taken for somebody else'
run cijail -e http://192.0.2.10:8099/ -- python3 client.py
t_eq "$out" $'401\n401 401\n200 200\n200 200 200\n401 401\n401'
kill %1
t_done
