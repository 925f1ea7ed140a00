#!/usr/bin/env bash
# HTTP/2 towards the client and towards the server: the same judge, log and answers as for HTTP/1.1. registry.example
# and files.example speak it on port 8443, nobody on port 443.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
export T_SERVERS=grpc
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://registry.example/ https://registry.example:8443/ https://origin.example/
    https://files.example/public/ https://files.example:8443/public/ https://origin.example:9443/test.Echo/
    https://ws.example:8443/ws/'
versions='%{http_version} %{http_code}\n'

t_case 'a client gets HTTP/2 if it wants, whatever the server speaks'
for port in 443 8443; do
    for version in 1.1 2; do
        run cijail -v -- curl -sS "--http$version" -w "$versions" "https://registry.example:$port/pkg/lodash"
        t_status 0
        t_eq "$out" "a package
$version 200"
        t_match "$err" ' cijail: allow 200 GET https://registry\.example(:8443)?/pkg/lodash$'
        t_denials 0
    done
done

t_case 'the server is spoken to in its own version'
count() { grep -c "\"GET /pkg/lodash HTTP/$1\"" "$T_NET/nginx/access.log" || true; }
for version in 1.1 2; do
    before=$(count 2.0)
    run cijail -- curl -sS "--http$version" https://registry.example:8443/pkg/lodash
    t_eq "$(count 2.0)" $((before + 1))
    before=$(count 1.1)
    run cijail -- curl -sS "--http$version" https://registry.example/pkg/lodash
    t_eq "$(count 1.1)" $((before + 1))
done

t_case 'bodies both ways, of every framing'
head -c 3000000 /dev/urandom >big
sum=$(sha256sum <big | cut -c 1-64)
for type in 'Transfer-Encoding: chunked' 'X-Nothing: 1'; do
    run cijail -- curl -sS --http2 -H "$type" --data-binary @big https://origin.example/upload
    t_match "$out" "^POST 3000000 $sum"
done
run cijail -- curl -sS --http2 -T big https://registry.example:8443/upload/big-h2
t_status 0
for port in 443 8443; do
    run cijail -- sh -c "curl -sS --http2 https://registry.example:$port/upload/big-h2 | sha256sum"
    t_match "$out" "^$sum"
done
run cijail -- sh -c 'curl -sS --http2 https://origin.example/chunked?100000 | wc -c; curl -sS --http2 https://origin.example/drip?20 | wc -l'
t_eq "$out" $'100000\n20'

t_case 'no body where there is none'
for port in 443 8443; do
    run cijail -- curl -sSI --http2 "https://registry.example:$port/pkg/lodash"
    t_match "$out" '^HTTP/2 200'
    t_match "$out" '^content-length: 10'
done
run cijail -- curl -sS --http2 -w "$versions" https://origin.example/nocontent
t_eq "$out" '2 204'
run cijail -- curl -sSI --http2 https://registry.example:8443/pkg/lodash
tag=$(sed -n 's/^etag: \("[^"]*"\).*/\1/p' <<<"$out")
run cijail -- curl -sS --http2 -w '%{http_code}' -H "If-None-Match: $tag" https://registry.example:8443/pkg/lodash
t_eq "$out" 304

t_case 'interim answers'
run cijail -- curl -sSi --http2 https://origin.example/hints
t_match "$out" '^HTTP/2 103'
t_match "$out" '^HTTP/2 200'
run cijail -- curl -sS --http2 -H 'Expect: 100-continue' --data-binary @big https://origin.example/continue
t_match "$out" "^POST 3000000 $sum"

t_case 'a broken answer is broken for the client'
run cijail -- curl -sS --http2 https://origin.example/truncated
t_match "$status" '^(18|92)$'
run cijail -- curl -sS --http2 -w '%{http_code}' -o /dev/null https://origin.example/reset
t_eq "$out" 502
run cijail -- curl -sS --http2 -w '%{http_code}' -o /dev/null --data-binary @big https://origin.example/early413
t_eq "$out" 413

t_case 'denied streams beside allowed ones, on one connection'
run cijail -v -- nghttp -v --no-dep https://files.example:8443/public/file.txt \
    https://files.example:8443/private/file.txt 'https://files.example:8443/public/../private/file.txt?2' \
    https://files.example:8443/public/file.txt?3
t_count 2 "$out" ':status: 200'
t_count 2 "$out" ':status: 403'
t_count 2 "$out" 'a public file'
t_no_match "$out" 'a private file'
t_count 2 "$out" '^  GET https://files\.example:8443/private/file\.txt'
t_count 2 "$err" ' cijail: allow 200 GET https://files\.example:8443/public/file\.txt'
t_count 2 "$err" ' cijail: deny - GET https://files\.example:8443/private/file\.txt'

cat >grpc-client.py <<'CLIENT'
import os, time
import grpc

with open(os.environ["SSL_CERT_FILE"], "rb") as file:
    credentials = grpc.ssl_channel_credentials(file.read())
channel = grpc.secure_channel("origin.example:9443", credentials)
unary = channel.unary_unary("/test.Echo/Unary")
answer, call = unary.with_call(b"hello", metadata=[("say", "a word")], timeout=20)
print("unary", answer, sorted((key, value) for key, value in call.trailing_metadata()))
big = os.urandom(3000000)
print("large", unary(big, timeout=20) == big)
try:
    channel.unary_unary("/test.Echo/Fail")(b"too much", timeout=20)
except grpc.RpcError as error:
    print("error", error.code().name, error.details())
stream = channel.stream_stream("/test.Echo/Stream")
answers = stream((b"%d" % i for i in range(2000)), timeout=60)
print("stream", [int(answer) for answer in answers] == list(range(2000)))


# One message at a time: each must have come before the next one is sent.
def dialogue():
    for i in range(100):
        while len(heard) < i:
            time.sleep(0.001)
        yield b"%d" % i


heard = []
for answer in stream(dialogue(), timeout=60):
    heard.append(answer)
print("dialogue", len(heard))
print("count", sum(len(answer) for answer in channel.unary_stream("/test.Echo/Count")(b"5000", timeout=60)))
try:
    channel.unary_unary("/test.Other/Unary")(b"", timeout=20)
except grpc.RpcError as error:
    print("denied", error.code().name)
CLIENT

t_case 'gRPC: unary, streams, trailers and errors'
run cijail -v -- python3 grpc-client.py
t_status 0
t_eq "$out" "unary b'hello' [('n', '5'), ('said', 'a word')]
large True
error RESOURCE_EXHAUSTED too much
stream True
dialogue 100
count 5000000
denied PERMISSION_DENIED"
t_count 1 "$err" ' cijail: deny - POST https://origin\.example:9443/test\.Other/Unary'
t_match "$err" ' cijail: allow 200 POST https://origin\.example:9443/test\.Echo/Unary'

cat >dying-server.py <<'SERVER'
import socket, ssl, struct, sys
sys.path.append(sys.argv[1])
from h2frames import SETTINGS, WINDOW, frame
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("leaf.pem", "leaf.key")
context.set_alpn_protocols(["h2"])
listener = socket.create_server(("192.0.2.10", 9444))
open("dying.ready", "w").close()
while True:
    sock = context.wrap_socket(listener.accept()[0], server_side=True)
    sock.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 24)) + frame(WINDOW, 0, 0, struct.pack(">I", 1 << 24)))
    got = 0
    while got < 400000 and (data := sock.recv(65536)):
        got += len(data)
    sock.close()
SERVER
cat >grpc-upload.py <<'CLIENT'
import os, sys
import grpc

with open(os.environ["SSL_CERT_FILE"], "rb") as file:
    channel = grpc.secure_channel("192.0.2.10:9444", grpc.ssl_channel_credentials(file.read()))
call = channel.stream_unary(sys.argv[1]).future((bytes(1000) for _ in range(6000)), timeout=10)
try:
    call.result(timeout=15)
except grpc.RpcError as error:
    print(error.code().name)
except grpc.FutureTimeoutError:
    print("hangs")
sys.stdout.flush()
os._exit(0)
CLIENT

t_case 'gRPC: an upload that is answered before its end: a server that dies, a denial'
make_leaf IP:192.0.2.10
python3 dying-server.py "$T_LIB" >dying.log 2>&1 </dev/null &
server=$!
until_true test -e dying.ready || t_fail "no server: $(cat dying.log)"
run cijail -e https://192.0.2.10:9444/test.Echo/ -- python3 grpc-upload.py /test.Echo/Upload
t_eq "$out" UNAVAILABLE
t_match "$err" ' cijail: 1 allowed, 0 denied'
run cijail -e https://192.0.2.10:9444/test.Echo/ -- python3 grpc-upload.py /test.Other/Upload
t_eq "$out" PERMISSION_DENIED
t_denials 1
kill $server

cat >ws.js <<'CLIENT'
const http2 = require('http2');
const [url, path] = process.argv.slice(2);
const client = http2.connect(url);
client.on('error', error => { console.log('connection', error.message); process.exit(1); });
client.on('remoteSettings', settings => {
    console.log('connect protocol', settings.enableConnectProtocol);
    const stream = client.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': path,
        'sec-websocket-version': '13', 'sec-websocket-protocol': 'chat' }, { endStream: false });
    let got = Buffer.alloc(0);
    stream.on('response', headers => {
        console.log('status', headers[':status'], headers['sec-websocket-protocol']);
        if (headers[':status'] !== 200) { stream.resume(); stream.on('end', () => client.close()); return; }
        const mask = Buffer.from([1, 2, 3, 4]), text = Buffer.from('hello over h2');
        stream.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, text.map((b, i) => b ^ mask[i % 4])]));
    });
    stream.on('data', data => {
        got = Buffer.concat([got, data]);
        if (got.length >= 15) { console.log(got.subarray(2).toString()); stream.end(); client.close(); }
    });
    stream.on('error', error => console.log('stream', error.code));
});
client.on('close', () => process.exit(0));
CLIENT

t_case 'WebSocket by extended CONNECT; judged like any request'
run cijail -v -- node ws.js https://ws.example:8443 /ws/echo
t_eq "$out" $'connect protocol true\nstatus 200 chat\nhello over h2'
t_match "$err" ' cijail: allow 101 GET https://ws\.example:8443/ws/echo'
run cijail -v -- node ws.js https://ws.example:8443 /other
t_match "$out" '^status 403'
t_match "$err" ' cijail: deny - GET https://ws\.example:8443/other'
CIJAIL_ENDPOINTS='GET,HEAD:https://ws.example:8443/' run cijail -v -- node ws.js https://ws.example:8443 /ws/echo
t_match "$out" '^status 403'
run cijail -- node ws.js https://registry.example /pkg/lodash # no WebSocket there
t_eq "$out" $'connect protocol true\nstatus 501 undefined'
t_status 0 # the stream ends though the client's side of it has not

t_case 'lists of methods'
CIJAIL_ENDPOINTS='GET:https://registry.example:8443/'
run cijail -v -- curl -sS --http2 -o /dev/null -w '%{http_code} ' https://registry.example:8443/pkg/lodash \
    --next -sS --http2 -o /dev/null -w '%{http_code} ' -T big https://registry.example:8443/upload/no \
    --next -sS --http2 -o /dev/null -w '%{http_code}' -X GET -d body https://registry.example:8443/pkg/lodash
t_eq "$out" '200 403 403'
t_denials 2

t_done
