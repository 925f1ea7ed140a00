#!/usr/bin/env bash
# Connections to servers: what a server has not done is asked for once more, and what it may have done is not; those that
# are begun early; those that requests share.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
make_leaf IP:192.0.2.10
port=8443

start_server() { # PROTOCOL "WHAT..."; $server, $port
    port=$((port + 1))
    rm -f served # that of the server before
    # shellcheck disable=SC2086 # words
    python3 "$T_LIB/retry-server.py" 192.0.2.10 $port leaf.pem leaf.key "$1" $2 >served 2>server.err </dev/null &
    server=$!
    until_true grep -qs ready served || t_fail "no server: $(cat server.err)"
}
stop_server() { # $served: "CONNECTION WHAT," of each request; $connected: how many connections there were
    kill $server
    wait $server 2>/dev/null
    served=$(tail -n +2 served | cut -d ' ' -f 1-2 | tr '\n' ',')
    connected=$(grep -c connected server.err)
}

# requests PROTOCOL "WHAT..." "METHOD...": these requests, one after the other, of one jail to a server that does that to
# them (retry-server.py); $out: their statuses, $served: what the server saw: CONNECTION WHAT.
requests() {
    start_server "$1" "$2"
    run cijail -v -e "https://192.0.2.10:$port/" -- sh -c "for method in $3; do
        case \$method in POST) body='${body:--d body}' ;; *) body= ;; esac
        curl -s -o /dev/null -w '%{http_code} ' ${version:---http1.1} -X \$method \$body https://192.0.2.10:$port/; done"
    stop_server
    out=${out% }
}

for what in close reset; do
    t_case "HTTP/1.1: a kept connection that turns out to be dead, by $what"
    requests http/1.1 "ok $what ok" 'GET GET'
    t_eq "$out" '200 200'
    t_eq "$served" "1 ok,1 $what,2 ok,"
    requests http/1.1 "ok $what ok" 'GET OPTIONS'
    t_eq "$out" '200 200'
    t_eq "$served" "1 ok,1 $what,2 ok,"
    t_case "HTTP/1.1: no second POST, by $what"
    requests http/1.1 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 502 200'
    t_eq "$served" "1 ok,1 $what,2 ok,"
    requests http/1.1 "ok ok ok" 'GET POST GET' # the twin
    t_eq "$out" '200 200 200'
    t_eq "$served" "1 ok,1 ok,1 ok,"
    t_case "HTTP/1.1: not for ever, by $what"
    requests http/1.1 "ok $what $what" 'GET GET'
    t_eq "$out" '200 502'
    t_eq "$served" "1 ok,1 $what,2 $what,"
    requests http/1.1 "$what" 'POST GET' # (a GET may have had a connection that was begun early, and kept)
    t_eq "$out" '502 200'
    t_eq "$served" "1 $what,2 ok,"
done

t_case 'HTTP/2: what the server has not processed, it says, is asked for again, whatever it is'
for method in GET POST; do
    for what in goaway refuse; do
        requests h2 "ok $what ok" "GET $method"
        t_eq "$out" '200 200'
        t_match "$served" "^1 ok,1 $what,[12] ok,$"
        requests h2 "$what ok" "$method" # of a new connection, too
        t_eq "$out" 200
        t_match "$served" "^1 $what,[12] ok,$"
    done
done

t_case 'HTTP/2: a body that is longer than what is kept of it is not sent again; one that fits is, chunked or not'
head -c 8000 /dev/zero | tr '\0' a >fits
head -c 200000 /dev/zero | tr '\0' a >long
for what in goaway refuse; do
    body='--data-binary @fits' requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 200 200'
    body='-H Transfer-Encoding:chunked --data-binary @fits' requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 200 200'
    t_eq "$(tail -n +2 served | cut -d ' ' -f 3 | tr '\n' ,)" '0,8000,8000,0,'
    body='--data-binary @long' requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 502 200'
    t_match "$served" "^1 ok,1 $what,[12] ok,$"
done

t_case 'HTTP/2: as often as it says so, but not for ever'
for what in goaway refuse; do
    requests h2 "ok $what $what $what $what ok" 'GET POST GET'
    t_eq "$out" '200 200 200'
    requests h2 "ok $(printf "$what %.0s" {1..33}) ok" 'GET GET GET'
    t_eq "$out" '200 502 200'
    t_eq "$(tr , '\n' <<<"$served" | grep -c " $what")" 33
    t_match "$err" 'allow - GET .* gave no response: the request was refused'
done

t_case 'HTTP/2: a request for which the server wants HTTP/1.1 gets that, whatever the client speaks'
for what in http1 http1-all; do
    for method in GET POST; do
        for version in --http1.1 --http2; do
            version=$version requests h2,http/1.1 "ok $what ok ok" "GET $method GET"
            t_eq "$out" '200 200 200'
            t_match "$served" "^1 ok,1 $what,2 ok,[123] ok,$"
        done
    done
    requests h2 "ok $what $what" 'GET GET' # the twin: it has only HTTP/2
    t_eq "$out" '200 502'
done
body='--data-binary @long' requests h2,http/1.1 "ok http1 ok" 'GET POST GET'
t_eq "$out" '200 502 200'
t_match "$err" 'allow - POST .* HTTP/1\.1 is wanted for the request'

t_case 'HTTP/2: trailers of a refused request do not go to HTTP/1.1, where they could be taken for fields of the head'
cat >trailers.py <<'END'
import os, socket, ssl, sys
from urllib.parse import urlsplit

host, port, trailer = sys.argv[1:]
proxy = urlsplit(os.environ["https_proxy"])
s = socket.create_connection((proxy.hostname, proxy.port))
s.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
s.recv(4096)
s = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]).wrap_socket(s, server_hostname=host)
s.sendall(f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{trailer}\r\n".encode())
print(s.makefile("rb").readline().decode().split()[1])
END
for trailer in '' $'X-Real-IP: 192.0.2.1\r\n'; do
    for protocol in h2 h2,http/1.1; do
        what=refuse
        [[ $protocol == h2 ]] || what=http1
        start_server $protocol $what
        run cijail -v -e "https://192.0.2.10:$port/" -- python3 trailers.py 192.0.2.10 $port "$trailer"
        stop_server
        if [[ -n $trailer && $what == http1 ]]; then
            t_eq "$out $served" '502 1 http1,'
            t_match "$err" 'has changed to HTTP/1.1, which takes no trailers'
        else
            t_eq "$out" 200
        fi
    done
done

t_case 'HTTP/2: what it may have processed is not sent twice, unless that does no harm'
for what in processed broken close reset; do
    failed=502
    [[ $what != broken ]] || failed=000 # passed on, see below
    requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" "200 $failed 200"
    t_match "$served" "^1 ok,1 $what,[12] ok,$"
    requests h2 "ok $what ok" 'GET GET'
    t_eq "$out" '200 200'
    t_match "$served" "^1 ok,1 $what,[12] ok,$"
done

t_case 'HTTP/2: the code of a reset reaches a client that speaks it: gRPC makes its status of that'
for what in 'broken 2' 'cancel 8' 'half 8'; do
    start_server h2 "ok ${what% *} ok"
    run cijail -v -e "https://192.0.2.10:$port/" -- sh -c "for body in a b c; do
        curl -sS --http2 -o /dev/null -w '%{http_code} ' -d \$body https://192.0.2.10:$port/; done"
    stop_server
    t_match "$out" '^200 [02]00 200 $'
    t_match "$err" "was not closed cleanly: [A-Z_]+ \(err ${what#* }\)"
    t_match "$err" ' cijail: allow (-|200) POST .*: .*Connection reset by peer'
    t_match "$served" "^1 ok,1 ${what% *},1 ok,$"
done
t_case 'a connection is begun while the client is at its handshake, and serves its request'
for protocol in http/1.1 h2; do
    start_server $protocol ''
    run cijail -e "https://192.0.2.10:$port/ok/" -- curl -s -o /dev/null -w '%{http_code}' https://192.0.2.10:$port/ok/
    stop_server
    t_eq "$out $served $connected" '200 1 ok, 1'
    start_server $protocol '' # nothing is said on it that was not allowed
    run cijail -e "https://192.0.2.10:$port/ok/" -- curl -s -o /dev/null -w '%{http_code}' https://192.0.2.10:$port/evil
    stop_server
    t_eq "$out $served $connected" '403  1'
    t_denials 1
    start_server $protocol '' # nor is there any for a port that the policy does not have
    run cijail -e 'https://192.0.2.10:1/' -- curl -sk -o /dev/null -w '%{http_code}' https://192.0.2.10:$port/ok/
    stop_server
    t_eq "$out $served $connected" '000  0'
done

t_case 'parallel first requests over HTTP/2 share one connection'
start_server h2 ''
urls=''
for i in {1..20}; do urls+=" https://192.0.2.10:$port/$i"; done
# shellcheck disable=SC2086 # words
run cijail -e "https://192.0.2.10:$port/" -- curl -s -Z --http2 -w '%{http_code}\n' $urls
stop_server
t_count 20 "$out" '^200$'
t_eq "$(grep -c ' ok ' served) $connected" '20 1'
t_case 'a request on a connection that they share does not wait behind all of an upload'
port=$((port + 1))
mkfifo go
head -c 40000000 /dev/zero >upload
python3 "$T_LIB/late-reader.py" 192.0.2.10 $port leaf.pem leaf.key >late 2>late.err <>go &
server=$!
until_true grep -qs ready late || t_fail "no server: $(cat late.err)"
# The request is under way before the server reads on, as far as a second can tell: if not, this passes all the same.
run cijail -q -e "https://192.0.2.10:$port/" -- sh -c "curl -s --http2 -T upload https://192.0.2.10:$port/up >/dev/null & up=\$!
    until grep -q stopped late; do sleep .1; done
    sleep 1; curl -s --http2 https://192.0.2.10:$port/ & get=\$!
    sleep 1; echo >go; wait \$get; kill \$up"
kill $server 2>/dev/null
wait $server 2>/dev/null
t_eq "$out" ok
between=$(sed -n 's/^between //p' late)
t_true test "${between:-2000000}" -lt 1500000

t_case 'and all of them learn why there is none'
port=$((port + 1)) urls=''
for i in {1..20}; do urls+=" https://192.0.2.10:$port/$i"; done
# shellcheck disable=SC2086 # words
run cijail -v -e "https://192.0.2.10:$port/" -- curl -s -Z --http2 -w '%{http_code}\n' $urls
t_count 20 "$out" '^502$'
t_count 20 "$out" 'Connection refused'
t_count 20 "$err" ' cijail: allow - GET https://192\.0\.2\.10:[0-9]+/[0-9]+: .*Connection refused'
t_case 'TLS 1.2: a server that renegotiates, to ask for a certificate, say'
mkfifo commands
openssl s_server -accept 192.0.2.10:8555 -tls1_2 -cert leaf.pem -key leaf.key <commands >s_server.log 2>&1 &
server=$!
exec 9>commands
until_true grep -q ACCEPT s_server.log
{
    until_true grep -q 'GET /' s_server.log
    echo r >&9
    until_true grep -q 'Read BLOCK\|SSL_do_handshake' s_server.log
    sleep 0.5
    printf 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n' >&9
} &
run cijail -e https://192.0.2.10:8555/ -- curl -sS --http1.1 -w '%{http_code}' https://192.0.2.10:8555/
t_eq "$out" $'ok\n200'
kill $server
exec 9>&-
wait

t_case 'TLS 1.3: a server that asks for a certificate after the handshake, and is content with none'
cat >asks.py <<'END'
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("leaf.pem", "leaf.key")
context.load_verify_locations("leaf.pem")
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.verify_mode = ssl.CERT_OPTIONAL
context.post_handshake_auth = True
listener = socket.create_server(("192.0.2.10", 8557))
open("asks.ready", "w").close()
while True:
    try:
        s = context.wrap_socket(listener.accept()[0], server_side=True)
        if s.recv(1000):
            try:
                s.verify_client_post_handshake()
                status = "200 OK"
            except ssl.SSLError:  # of a client that has not said that it can be asked; as Apache does
                status = "403 Forbidden"
            s.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            s.recv(1000)
        s.close()
    except OSError:
        pass
END
python3 asks.py >asks.log 2>&1 </dev/null &
server=$!
until_true test -e asks.ready
for how in --http1.1 --http2; do
    run cijail -e https://192.0.2.10:8557/ -- curl -sS $how -w '%{http_code}' https://192.0.2.10:8557/
    t_eq "$out" 200
done
kill $server
wait

t_case 'an answer that comes before a TLS server ends the connection, in the middle of an upload, is passed on'
cat >early.py <<'END'
import socket, ssl, time
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("leaf.pem", "leaf.key")
listener = socket.create_server(("192.0.2.10", 8556))
open("early.ready", "w").close()
while True:
    try:
        s = context.wrap_socket(listener.accept()[0], server_side=True)
        if s.recv(1000):
            s.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            time.sleep(0.05)
        s.close()  # a reset, since there is more to be read
    except OSError:
        pass
END
python3 early.py >/dev/null 2>&1 </dev/null &
server=$!
until_true test -e early.ready
head -c 5000000 /dev/zero >upload
run cijail -e https://192.0.2.10:8556/ -- sh -c 'for i in 1 2 3 4 5 6 7 8; do
    curl -s -o /dev/null -w "%{http_code} " --http1.1 -H Expect: --data-binary @upload https://192.0.2.10:8556/; done'
t_eq "$out" '413 413 413 413 413 413 413 413 '
kill $server
wait
t_case 'a status that has a meaning of its own, and a length that is given twice alike'
cat >odd.py <<'END'
import socket
listener = socket.create_server(("192.0.2.10", 8557))
open("odd.ready", "w").close()
while True:
    s = listener.accept()[0]
    s.recv(1000)
    s.sendall(b"HTTP/1.1 999 Odd\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\nodd")
    s.close()
END
python3 odd.py >/dev/null 2>&1 </dev/null &
server=$!
until_true test -e odd.ready
run cijail -v -e http://192.0.2.10:8557/ -- curl -s -i http://192.0.2.10:8557/
t_match "$out" '^HTTP/1\.1 999 Odd'
t_match "$out" '^odd$'
t_count 1 "$out" '^[Cc]ontent-[Ll]ength: 3'
t_match "$err" ' allow 999 GET '
kill $server
wait
t_done
