#!/usr/bin/env bash
# Answers that are not as they should be, but that clients take: they come through, made what they should be; those of which
# nobody can know what they mean do not.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
make_leaf IP:192.0.2.10
port=8700

start_server() { # [TLS]; $server, $url
    port=$((port + 1))
    rm -f served
    python3 "$T_LIB/odd-server.py" 192.0.2.10 $port ${1:+leaf.pem leaf.key} >served 2>server.err </dev/null &
    server=$!
    until_true grep -qs ready served || t_fail "no server: $(cat server.err)"
    url=http${1:+s}://192.0.2.10:$port
}
stop_server() { # $served: "CONNECTION PATH," of each request
    kill $server
    wait $server 2>/dev/null
    served=$(tail -n +2 served | tr '\n' ',')
}
in_jail() { run cijail -v -e "$url/" -- "$@"; }

# Of one client: $out has the heads and bodies.
get() { # PATH...
    in_jail sh -c 'url=$1; shift; for path; do curl -sS -i $OPTIONS "$url/$path" | tr -d "\r"; done' sh "$url" "$@"
}
OPTIONS=--raw
export OPTIONS

# The answer is "ok", as it should be, but the server's connection is not used again.
once() {
    start_server
    get "$1" ok
    stop_server
    t_count 2 "$out" '^HTTP/1\.1 200 OK$'
    t_count 2 "$out" '^ok$'
    t_eq "$served" "1 $1,2 ok,"
}
refused() { # PATH REASON
    start_server
    get "$1" ok
    stop_server
    t_count 1 "$out" '^HTTP/1\.1 502 '
    t_count 1 "$out" '^HTTP/1\.1 200 OK$'
    t_match "$err" " allow - GET $url/$1: .*$2"
    t_eq "$served" "1 $1,2 ok,"
}
broken() { # PATH REASON: of an answer that had begun
    start_server
    in_jail curl -sS "$url/$1"
    stop_server
    t_assert "curl is content with $1" test "$status" -ne 0
    t_match "$err" " allow 200 GET $url/$1: .*$2"
}

t_case 'a field that goes on in another line is one line; the connection is not used again'
for path in fold fold-twice lf lf-some; do
    once $path
    t_count 1 "$out" "^X-Odd: a +b\$"
done
t_case 'but not the status line, a name, or what says where the answer ends'
refused fold-first 'folded'
refused fold-name 'colon'
refused fold-length 'a field that says where it ends is folded'
refused fold-coding 'a field that says where it ends is folded'
refused cr 'bare CR'
refused cr-end 'bare CR'

t_case 'lines of chunks and of trailers that end in a bare LF'
OPTIONS=''
once chunk-lf
once chunk-ext-lf
once trailer-lf
t_count 1 "$out" '^X-Trailer: a b$'
broken chunk-cr 'no CRLF where one must be'
broken trailer-cr 'no CRLF where one must be'

t_case 'Content-Length beside chunks goes no further'
for path in both both-less; do
    once $path
    t_count 1 "$out" '^Transfer-Encoding: chunked$'
    t_count 1 "$out" '^Content-Length: 3$' # of the other answer
done
refused both-unlike 'both Content-Length and Transfer-Encoding'
refused both-odd 'not a plain decimal number'
refused both-gzip 'not exactly chunked'

t_case 'a length that is a list of the same number'
for path in list list-twice; do
    start_server
    get $path ok
    stop_server
    t_count 2 "$out" '^ok$'
    t_count 2 "$out" '^Content-Length: 3$'
    t_eq "$served" "1 $path,1 ok,"
done
refused list-unlike 'not a plain decimal number'
refused list-empty 'not a plain decimal number'

t_case 'many interim answers, but not for ever'
start_server
get interim
stop_server
t_count 1000 "$out" '^HTTP/1\.1 100 Continue$'
t_count 1 "$out" '^ok$'
for path in interim-many interim-long; do
    start_server
    in_jail curl -sS -o /dev/null -w '%{http_code}' "$url/$path"
    stop_server
    t_eq "$out" 502
    t_match "$err" 'too many interim responses'
done

# What a client says of an answer: the body, and its exit status.
cat >get.py <<'END'
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1]).read().decode())
except Exception as e:
    print(type(e).__name__)
END
say() { # COMMAND...: $out, $status
    SSL_CERT_FILE=$T_NET/ca.pem run "$@"
    said="$out $status"
}
t_case 'an answer that ends with the connection, over TLS: in the jail as outside, whatever the end'
start_server tls
for path in close-end close-fin close-reset length-fin chunked-fin ok; do
    for client in 'curl -sS --http1.1' 'curl -sS --http1.0' 'python3 get.py'; do
        [[ $client != *1.0 || $path != chunked-fin ]] || continue # no chunks in HTTP/1.0: a reset stands for them
        # shellcheck disable=SC2086 # words
        say $client "$url/$path"
        outside=$said
        # shellcheck disable=SC2086 # words
        in_jail $client "$url/$path"
        t_eq "$path, $client: $out $status" "$path, $client: $outside"
        [[ $path != close-fin ]] || t_match "$err" "allow 200 GET $url/$path: .*without close_notify"
    done
done
t_case 'by HTTP/2 what may be half an answer does not look whole'
in_jail curl -sS --http2 "$url/close-end"
t_eq "$out $status" 'ok 0'
for path in close-fin close-reset length-fin chunked-fin; do
    in_jail curl -sS --http2 "$url/$path"
    t_assert "curl is content with $path" test "$status" -ne 0
done
stop_server

t_case "what this host's proxy answers to CONNECT"
cat >parent.py <<'END'
import socket, sys, threading
ANSWERS = {
    "lf": b"HTTP/1.1 200 OK\nX-Odd: a\n\n",
    "fold": b"HTTP/1.1 200 OK\r\nX-Odd: a\r\n b\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n\n",
    "cr": b"HTTP/1.1 200 OK\r\nX-Odd: a\rX-More: b\r\n\r\n",
    "fold-first": b"HTTP/1.1 200 OK\r\n X-Odd: a\r\n\r\n",
}
def copy(source, to):
    while data := source.recv(65536):
        to.sendall(data)
    to.shutdown(socket.SHUT_WR)
def serve(client):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    host, port = head.split()[1].decode().split(":")
    server = socket.create_connection((host, int(port)))
    client.sendall(ANSWERS[sys.argv[1]])
    threading.Thread(target=copy, args=(server, client), daemon=True).start()
    copy(client, server)
listener = socket.create_server(("192.0.2.10", int(sys.argv[2])))
open("parent." + sys.argv[1], "w").close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END
start_server tls
for what in lf fold interim cr fold-first; do
    port=$((port + 1))
    python3 parent.py $what $port 2>parent.err >/dev/null </dev/null &
    parent=$!
    until_true test -e parent.$what || t_fail "no proxy: $(cat parent.err)"
    https_proxy=http://192.0.2.10:$port in_jail curl -sS "$url/ok"
    case $what in
    cr | fold-first) t_match "$out" "the answer of this host's proxy is malformed" ;;
    *) t_eq "$out" ok ;;
    esac
    kill $parent
    wait $parent 2>/dev/null
done
stop_server

t_case 'a server that refuses before it has the body, and takes that for the next request, does not get it'
cat >refuse.py <<'END'
import socket, sys, threading
def serve(s):
    lines = s.makefile("rb")
    while request := lines.readline():
        fields = {}
        while line := lines.readline().strip():
            name, _, value = line.partition(b": ")
            fields[name.lower()] = value
        path = request.split()[1].decode()
        if path == "/a/wants":
            s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if path != "/a/refuses": # /a/silent does not know the field
            lines.read(int(fields.get(b"content-length", 0)))
        print(path, flush=True)
        s.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % (b"403 Forbidden" if path == "/a/refuses" else b"200 OK"))
listener = socket.create_server(("192.0.2.10", int(sys.argv[1])))
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END
cat >hasty.py <<'END'
import socket, sys, time
from urllib.parse import urlsplit
url = urlsplit(sys.argv[1])
body = f"GET /b HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n"
s = socket.create_connection((url.hostname, url.port))
s.sendall(f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
lines = s.makefile()
while (line := lines.readline()).startswith("HTTP/1.1 100"):
    lines.readline()
print(line.split()[1])
time.sleep(0.3) # for what must not come
END
port=$((port + 1))
python3 refuse.py $port >refused 2>server.err </dev/null &
server=$!
until_true grep -qs ready refused || t_fail "no server: $(cat server.err)"
url=http://192.0.2.10:$port
seen=1
hasty() { # PATH [COMMAND...]: $out: the status, and what the server took for a request
    run "${@:2}" python3 hasty.py "$url$1"
    out="$out $(tail -n +$((seen + 1)) refused | tr '\n' ,)"
    seen=$(wc -l <refused)
}
hasty /a/refuses # outside
t_eq "$out" '403 /a/refuses,/b,'
hasty /a/refuses cijail -e "$url/a/" -- $unset_proxies
t_eq "$out" '403 /a/refuses,'
for path in wants silent; do
    hasty /a/$path cijail -e "$url/a/" -- $unset_proxies
    t_eq "$out" "200 /a/$path,"
    t_under 5000
done
kill $server
wait $server 2>/dev/null

t_case 'a secret in a trailer, and in a field that goes on in another line'
export TOKEN='ghp_9x/Sikrit+Value=7'
start_server tls
for version in 1.1 2; do
    for path in secret-trailer secret-head; do
        in_jail curl -sS -i --http$version "$url/$path" # the twin: who has no secrets
        t_match "$out" '^[Xx]-(Trailer|trailer|Odd|odd): is ghp_9x/Sikrit[+]Value=7'
        run cijail -e "$url/" --secret "TOKEN=192.0.2.10:$port" -- curl -sS -i --http$version "$url/$path"
        t_status 0
        t_match "$out" '^[Xx]-(Trailer|trailer|Odd|odd): is cijail[a-z2-7]{34}'
        t_no_match "$out" 'Sikrit'
        t_match "$out" '^ok'
    done
done
stop_server
t_done
