#!/usr/bin/env bash
# Protocol upgrades: a judged request becomes a tunnel, and nothing else does.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://ws.example:8443/ws/ http://ws.example:8080/ws/ https://ws4.example:8443/ws/
    https://ws6.example:8443/ws/ http://ws4.example:8080/ws/ http://ws6.example:8080/ws/
    https://origin.example/upgrade http://origin.example/upgrade http://origin.example/head http://origin.example/switch
    http://registry.example/pkg/'
direct=(env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY)
talk() { run cijail "${options[@]}" -- python3 "$T_LIB/talk.py" "$@"; }
options=()
ask() { # TARGET HOST PROTOCOLS [MORE]: a step of talk.py, a request that offers them, and bytes right behind it
    echo "send:GET $1 HTTP/1.1\r\nHost: $2\r\nConnection: Upgrade\r\nUpgrade: $3\r\n\r\n${4-}"
}

# client.py HOW URL: a real client. HOW: "connect" (by the proxy's CONNECT) or "direct" (it knows of no proxy).
cat >client.py <<'END'
import asyncio, hashlib, os, random, socket, sys
from urllib.parse import urlsplit
import websockets

async def dial(how, url, **more):
    parts = urlsplit(url)
    if how == "connect":
        proxy = urlsplit(os.environ["http_proxy"])
        sock = socket.create_connection((proxy.hostname, proxy.port), 20)
        sock.sendall(f"CONNECT {parts.netloc} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        if b" 200 " not in answer:
            sys.exit(f"CONNECT: {answer}")
        more["sock"] = sock
        if parts.scheme == "wss":
            more["server_hostname"] = parts.hostname
    return await websockets.connect(url, max_size=None, ping_interval=None, **more)

async def main(how, url):
    try:
        ws = await dial(how, url + "echo", subprotocols=["chat"])
    except websockets.InvalidStatusCode as e:
        print("status", e.status_code)
        return
    print("subprotocol", ws.subprotocol)
    good = 0
    for i in range(300):
        message = f"message {i} " + "x" * random.randrange(0, 3000)
        await ws.send(message)
        good += await ws.recv() == message
    print("echoed", good)
    await asyncio.gather(*(ws.send(str(i)) for i in range(200)))
    print("in order", [await ws.recv() for i in range(200)] == [str(i) for i in range(200)])
    await asyncio.wait_for(await ws.ping(), 20)
    print("pong")
    await ws.close(1000, "done")
    print("closed", ws.close_code)
    big = os.urandom(10_000_000)
    ws = await dial(how, url + "echo", compression=None)
    send = asyncio.create_task(ws.send(big))
    print("big", await ws.recv() == big)
    await send
    await ws.close()
    ws = await dial(how, url + "sum", compression=None)
    await ws.send(big)
    print("sum", await ws.recv() == f"{len(big)} {hashlib.sha256(big).hexdigest()}")
    await ws.close()
    ws = await dial(how, url + "close")
    await ws.send("a reason")
    try:
        await ws.recv()
    except websockets.ConnectionClosed as e:
        print("server closed", e.rcvd.code, e.rcvd.reason)

asyncio.run(main(*sys.argv[1:]))
END
expected='subprotocol chat
echoed 300
in order True
pong
closed 1000
big True
sum True
server closed 4001 a reason'

t_case 'WebSocket through CONNECT: with TLS and without, servers of both families'
for url in wss://ws6.example:8443/ws/ ws://ws4.example:8080/ws/; do
    run cijail -- python3 client.py connect $url
    t_eq "$out" "$expected"
    t_denials 0
done

t_case 'WebSocket of a client that knows of no proxy, in both families'
for url in wss://ws4.example:8443/ws/ ws://ws6.example:8080/ws/; do
    run cijail -- "${direct[@]}" python3 client.py direct $url
    t_eq "$out" "$expected"
    t_denials 0
done

t_case 'the log has a line at the end of each tunnel, with the bytes of both directions'
run cijail -v -- python3 client.py connect wss://ws.example:8443/ws/
t_eq "$out" "$expected"
t_count 2 "$err" ' cijail: allow 101 GET https://ws\.example:8443/ws/echo$'
t_count 1 "$err" ' cijail: allow 101 GET https://ws\.example:8443/ws/close$'
run cijail -v --log-format json -- python3 client.py connect wss://ws.example:8443/ws/
t_match "$(grep '"url":"https://ws.example:8443/ws/sum"' <<<"$err")" '"status":101,"bytes_sent":100000[0-9]{2},"bytes_received":[0-9]{2}[,}]'

t_case 'a URL that the policy does not have is 403, and is not asked for'
wire_start
for how in connect direct; do
    for url in wss://ws4.example:8443/other/ ws://ws6.example:8080/other/; do
        run cijail -- python3 client.py $how $url
        t_eq "$out" 'status 403'
        t_count 1 "$err" ' cijail: deny - GET http.*/other/echo$'
        t_denials 1
    done
done
wire_stop
t_no_match "$WIRE" '\.8080: Flags \[S\]'
for methods in GET,HEAD: GET:; do # an upgrade is an upload
    CIJAIL_ENDPOINTS="${methods}https://ws.example:8443/ws/" run cijail -- python3 client.py connect wss://ws.example:8443/ws/
    t_eq "$out" 'status 403'
    t_count 1 "$err" ' cijail: deny - GET https://ws\.example:8443/ws/'
done
CIJAIL_ENDPOINTS='GET,POST:https://ws.example:8443/ws/' run cijail -- python3 client.py connect wss://ws.example:8443/ws/
t_eq "$out" "$expected"
CIJAIL_ENDPOINTS='POST:https://ws.example:8443/ws/' run cijail -- python3 client.py connect wss://ws.example:8443/ws/
t_eq "$out" 'status 403'

t_case 'a server that does not switch: its answer'
CIJAIL_ENDPOINTS='https://ws.example:8443/' run cijail -- python3 client.py connect wss://ws.example:8443/nowhere/
t_eq "$out" 'status 404'
t_denials 0

t_case 'curl, and Node'"'"'s http with its upgrade event'
run cijail -- curl -sS -i --http1.1 -m 20 -H 'Connection: Upgrade' -H 'Upgrade: x' http://origin.example/upgrade-half?x
t_match "$out" '^HTTP/1.1 101 Go'
t_match "$out" '^Upgrade: x'
cat >client.js <<'END'
const url = process.argv[2], key = Buffer.from("0123456789abcdef").toString("base64");
const request = require(url.split(":")[0]).get(url, {headers: {Connection: "Upgrade", Upgrade: "websocket",
    "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}});
request.on("response", r => { console.log("status", r.statusCode); request.destroy(); });
request.on("upgrade", (response, socket) => {
    const hash = require("crypto").createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    console.log("accepted", response.headers["sec-websocket-accept"] === hash.digest("base64"));
    socket.write(Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from("hello")]));
    socket.once("data", d => {
        console.log("echo", d.subarray(2).toString());
        socket.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
    });
    socket.on("end", () => { console.log("end"); socket.end(); });
});
END
for url in https://ws.example:8443/ws/ http://ws.example:8080/ws/; do
    run cijail -- "${direct[@]}" node client.js ${url}echo
    t_eq "$out" $'accepted true\necho hello\nend'
    t_denials 0
done
run cijail -- "${direct[@]}" node client.js http://ws.example:8080/other
t_eq "$out" 'status 403'
t_status 0

# The ways to the proxy: options of talk.py, and what the targets begin with.
ways=('|http://origin.example' '-s origin.example:443|' '-c origin.example:80|' '-d origin.example:80|'
    '-ds origin.example:443|')

t_case 'half-close: the client ends first, and still gets all'
sum=$(printf %s 'some bytes' | sha256sum | cut -d ' ' -f 1)
for way in "${ways[@]}"; do
    # shellcheck disable=SC2086 # words
    talk ${way%|*} "$(ask "${way#*|}/upgrade?x" origin.example x)" head 'send:some bytes' half rest
    t_match "$out" '^HTTP/1.1 101 Switching Protocols$'
    t_match "$out" '^Upgrade: x$'
    t_match "$out" "^hellosome bytesend 10 $sum\$"
    t_match "$out" '^<closed>$'
    t_no_match "$out" 'close_notify'
done

t_case 'half-close: the server ends first, and still gets all'
before=$(grep -c '^half 5$' "$T_NET/origin.out")
run cijail -- "${direct[@]}" python3 -c 'import socket
s = socket.create_connection(("origin.example", 80), 20)
s.sendall(b"GET /upgrade-half?x HTTP/1.1\r\nHost: origin.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
data = b""
while more := s.recv(1000):
    data += more
print(data[-3:])
s.sendall(b"after")
s.close()'
t_eq "$out" "b'bye'"
for ((i = 0; i < 200; i++)); do
    (($(grep -c '^half 5$' "$T_NET/origin.out") > before)) && break
    sleep 0.05
done
t_eq "$(grep -c '^half 5$' "$T_NET/origin.out")" $((before + 1))

t_case 'a 101 that comes in pieces, with bytes of the new protocol right behind it'
for way in "${ways[@]}"; do
    # shellcheck disable=SC2086 # words
    talk ${way%|*} "$(ask "${way#*|}/upgrade-pieces?x" origin.example x)" head half rest
    t_match "$out" '^HTTP/1.1 101 '
    t_match "$out" '^helloend 0 '
done

t_case 'bytes sent before the 101 are the new protocol'"'"'s, in order, and no request'
evil='GET http://origin.example/private HTTP/1.1\r\nHost: origin.example\r\n\r\n'
length=$(($(printf %b "$evil" | wc -c) + 6)) # with "second"
options=(-v)
for way in "${ways[@]}"; do
    # shellcheck disable=SC2086 # words
    talk ${way%|*} "$(ask "${way#*|}/upgrade-late?0.5" origin.example x "$evil")" head 'send:second' half rest
    t_match "$out" '^helloGET http://origin.example/private HTTP/1.1$'
    t_match "$out" "^secondend $length "
    t_denials 0
    t_count 1 "$err" ' allow 101 GET '
done

t_case 'or, if the server answers anything else, they are the next request, and judged'
for way in "${ways[@]}"; do
    target=${way#*|}
    # shellcheck disable=SC2086 # words
    talk ${way%|*} "$(ask "$target/upgrade-refused?0.5" origin.example x \
        "GET $target/private HTTP/1.1\r\nHost: origin.example\r\n\r\n")" response response
    t_match "$out" '^HTTP/1.1 426 '
    t_match "$out" 'HTTP/1.1 403 '
    t_no_match "$out" 'HTTP/1.1 101'
    t_denials 1
done
talk "$(ask http://origin.example/upgrade-refused?0.2 origin.example x '\x81\x85\x00\x00\x00\x00garbage\r\n\r\n')" response rest
t_match "$out" '^HTTP/1.1 426 '
t_match "$out" 'HTTP/1.1 400 '
options=()

t_case 'h2c is not offered to the server, and no answer switches to it'
preface='PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
run cijail -- curl -sS -w '%{http_code}' --http2 http://origin.example/head
t_match "$out" '200$'
t_no_match "$out" '([Uu]pgrade|HTTP2-Settings|h2c)'
talk "send:GET http://origin.example/head HTTP/1.1\r\nHost: origin.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: foo/1 , h2c,,TLS/1.2, bar\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" response
t_match "$out" '^Upgrade: foo/1, bar$'
t_match "$out" '^Connection: upgrade$'
t_no_match "$out" '(h2c|TLS|Settings)'
for protocols in h2c 'h2c, x' TLS/1.2 HTTP/2.0; do
    for way in "${ways[@]}"; do
        # shellcheck disable=SC2086 # words
        talk ${way%|*} "$(ask "${way#*|}/upgrade?${protocols%%,*}" origin.example "$protocols" "$preface")" head
        t_match "$out" '^HTTP/1.1 502 '
        t_no_match "$out" '^hello'
    done
done

t_case 'a switch that was not asked for, or to what was not offered, is 502'
talk 'send:GET http://origin.example/switch HTTP/1.1\r\nHost: origin.example\r\n\r\n' response
t_match "$out" '^HTTP/1.1 502 '
t_match "$out" 'without being asked'
talk 'send:GET http://origin.example/upgrade?x HTTP/1.1\r\nHost: origin.example\r\nUpgrade: x\r\n\r\n' response
t_match "$out" '^HTTP/1.1 502 '
for answered in y x,y x/2 websocket; do
    talk "$(ask "http://origin.example/upgrade?$answered" origin.example x)" response
    t_match "$out" '^HTTP/1.1 502 '
    t_match "$out" 'not offered'
    t_no_match "$out" 'hello'
done
talk "$(ask http://origin.example/upgrade?X origin.example 'w, x')" head half rest
t_match "$out" '^HTTP/1.1 101 '

t_case 'offers that cannot be read, and bodies whose end is not known beforehand, are 400'
wire_start
while IFS= read -r fields; do
    talk "send:POST http://origin.example/upgrade?x HTTP/1.1\r\nHost: origin.example\r\nConnection: upgrade\r\n$fields\r\n\r\n" rest
    t_match "$out" '^HTTP/1.1 400 '
    t_denials 1
done <<'END'
Upgrade: a b
Upgrade: x/
Upgrade: x/1/2
Upgrade: "x"
Upgrade: x\r\nTransfer-Encoding: chunked
Upgrade: x\r\nContent-Length: 65537
END
wire_stop
t_no_match "$WIRE" 'Flags \[S\]'
talk 'send:POST http://origin.example/upgrade?x HTTP/1.1\r\nHost: origin.example\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n' head half rest
t_match "$out" '^HTTP/1.1 101 '

t_case 'who does not read holds back who writes, and nothing is lost'
cat >slow.py <<'END'
import os, socket
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["http_proxy"])
s = socket.create_connection((proxy.hostname, proxy.port), 20)
s.sendall(b"GET http://origin.example/upgrade?x HTTP/1.1\r\nHost: origin.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
s.settimeout(2)
sent = 0
try:  # the server sends all of it back, and nobody reads that
    while sent < 200_000_000:
        sent += s.send(b"z" * 65536)
except socket.timeout:
    pass
print("held back", sent < 200_000_000)
s.settimeout(20)
s.shutdown(socket.SHUT_WR)
count, tail = 0, b""
while data := s.recv(65536):
    count += len(data)
    tail = (tail + data)[-100:]
print("all", f"end {sent} ".encode() in tail and count > sent)
END
run cijail -- python3 slow.py
t_eq "$out" $'held back True\nall True'

t_done
