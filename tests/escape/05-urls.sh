#!/usr/bin/env bash
# Forms of URLs and requests that are read in two ways. More: e2e/04-http.sh, e2e/11-transparent.sh.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

# talks.py: each line of standard input is "NAME<TAB>BYTES", the bytes with Python's escapes; "TLS " before them: inside of
# a tunnel to registry.example. Sends them on a connection of their own and prints "NAME: STATUS..." of all answers.
cat >talks.py <<'END'
import os, re, socket, ssl, sys, threading
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["http_proxy"])
context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
results = {}
def talk(name, data):
    answer = b""
    try:
        s = socket.create_connection((proxy.hostname, proxy.port), 20)
        if data.startswith(b"TLS "):
            data = data[4:]
            s.sendall(b"CONNECT registry.example:443 HTTP/1.1\r\nHost: registry.example:443\r\n\r\n")
            if b" 200 " not in s.recv(4096): return
            s = context.wrap_socket(s, server_hostname="registry.example")
        s.sendall(data)
        s.settimeout(1.5)
        while piece := s.recv(65536): answer += piece
        results[name] = "closed "
    except socket.timeout: results[name] = "open "
    except OSError as e: results[name] = f"{type(e).__name__} "
    finally:
        results[name] = results.get(name, "") + " ".join(re.findall(r"HTTP/1\.[01] ([0-9]{3})", answer.decode("latin-1"))) + \
            ("".join(" secret" for _ in range(answer.count(b"a private file"))))
threads = []
for line in sys.stdin.buffer:
    name, data = line.rstrip(b"\n").split(b"\t", 1)
    threads.append(threading.Thread(target=talk, args=(name.decode(), data.decode().encode().decode("unicode_escape").encode("latin-1"))))
for t in threads: t.start()
for t in threads: t.join()
for name in results: print(f"{name}: {results[name]}")
END
talks() { T_STDIN=$T_TMP/lines run cijail -- python3 talks.py; }

export CIJAIL_ENDPOINTS='http://files.example/public/ GET:https://registry.example/pkg/'
t_case 'targets: the allowed prefix is text of the canonical form, and nothing of a form that can be read twice passes'
{
    for target in http://files.example/private/file.txt http://files.example//private/file.txt http://files.example/public/../private/file.txt \
        http://files.example/public/%2e%2e/private/file.txt http://files.example/public/%2E./private/file.txt http://files.example/public/.%2e/private/file.txt \
        http://files.example/public/x/../../private/file.txt 'http://files.example/public/..;/private/file.txt' 'http://files.example/public/..\\private/file.txt' \
        'http://files.example/public\\..\\private/file.txt' http://files.example/public/%5c../private/file.txt http://files.example/public/..%00/private/file.txt \
        http://files.example/public%00/../private/file.txt http://files.example/public/%252e%252e/private/file.txt http://files.example/public/%c0%ae%c0%ae/private/file.txt \
        http://files.example/public/%u002e%u002e/private/file.txt http://files.example/PUBLIC/file.txt http://files.example/public http://files.example/public? \
        http://files.example/./public/../private/file.txt 'http://files.example/private/file.txt?/public/' 'http://files.example/private/file.txt#/public/' \
        'http://files.example/private/file.txt;/../public/' http://files.example/%70rivate/file.txt; do
        printf '%s\tGET %s HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n\n' "$target" "$target"
    done
} >lines
talks
t_eq "$(grep -c . <<<"$out")" "$(grep -c . lines)"
t_no_match "$out" 'secret'
t_assert "passed: $(grep -vE ': [a-z]+ 4[0-9][0-9]$' <<<"$out")" t_has_not "$(grep -vE '(%252e|%u002e|%c0%ae).*: [a-z]+ (4[0-9][0-9])$|: [a-z]+ 4[0-9][0-9]$' <<<"$out")" .
printf 'twin\tGET http://FILES.example:80/x/../%%70ublic/./file.txt HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n\n' >lines
talks
t_eq "$out" 'twin: open 200'

t_case 'authorities: user information, ports, addresses in odd clothes, look-alikes, zones'
{
    for authority in files.example@attacker.test attacker.test@files.example files.example:80@attacker.test files.example%40attacker.test 'files.example\\@attacker.test' \
        'files.example#@attacker.test' 'files.example?@attacker.test' files.example:443 files.example:8443 files.example:080 files.example:0 files.example:65616 \
        files.example:-1 files.example:+80 files.example:80:80 'files.example: 80' files.example:0x50 files.example:８０ .files.example files..example files.example.. \
        files.example%2eattacker.test files.example%00.attacker.test 'files.example\\x00.attacker.test' 'files.example\\t.attacker.test' files。example.attacker.test \
        ｆiles.example.attacker.test xn--fies-w5a.example files.exampIe files-example files.example.attacker.test 0xc6336442 0306.063.0144.0102 \
        3325256770 198.51.25666 0xc6.0x33.0x64.0x42 198.51.100.066 '[::ffff:198.51.100.66]' '[::ffff:c633:6442]' '[64:ff9b::c633:6442]' '[2001:db8:10::66]' \
        '[2001:db8:10::66%25eth0]' '[fe80::1%25jail0]' '[::1]' '[::]' 127.0.0.1 127.1 0 0.0.0.0 2130706433 0177.0.0.1 localhost 169.254.169.254 192.0.0.1 192.0.0.1:3128 \
        168.63.129.16 '[fd00:ec2::254]' '[::ffff:169.254.169.254]' ''; do
        printf 'GET %s\tGET http://%s/public/file.txt HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n\n' "$authority" "$authority" "$authority"
        printf 'CONNECT %s\tCONNECT %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n\n' "$authority" "$authority" "$authority"
        printf 'CONNECT %s:443\tCONNECT %s:443 HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n\n' "$authority" "$authority"
    done
} >lines
wire_start
talks
wire_stop
t_eq "$(grep -c . <<<"$out")" "$(grep -c . lines)"
passed=$(grep -vE ': [A-Za-z]+ 4[0-9][0-9]( 4[0-9][0-9])*$' <<<"$out")
t_eq "${passed/GET files.example:080: open 200/}" '' # a port in decimal, with a zero before it, is that port
t_no_match "$WIRE" '(attacker|198\.51\.100\.66|2001:db8:10::66|169\.254|168\.63|xn--)'

t_case 'Host fields: two, another, none, lists, in odd places'
{
    i=0
    for fields in 'Host: files.example\r\nHost: attacker.test' 'Host: attacker.test\r\nHost: files.example' 'Host: files.example\r\nHost: files.example' \
        'Host: files.example, attacker.test' 'Host: attacker.test' 'Host : files.example' ' Host: files.example' 'Host: files.example\r\n Host: attacker.test' \
        'X: y' 'Host:' 'Host: files.example:81' 'Host: files.example@attacker.test' 'Host: files.example/private' 'Host: files.example\x00' 'Host\x00: files.example' \
        'Host: files.example\x0bX' 'H\xf6st: files.example\r\nHost: attacker.test' 'Host:\tattacker.test'; do
        i=$((i + 1))
        printf 'absolute %d\tGET http://files.example/public/file.txt HTTP/1.1\\r\\n%s\\r\\n\\r\\n\n' $i "$fields"
        printf 'tunnel %d\tTLS GET /pkg/lodash HTTP/1.1\\r\\n%s\\r\\n\\r\\n\n' $i "${fields//files/registry}"
    done
    printf 'absolute in a tunnel\tTLS GET https://attacker.test/pkg/lodash HTTP/1.1\\r\\nHost: registry.example\\r\\n\\r\\n\n'
    printf 'http in a tunnel\tTLS GET http://registry.example/pkg/lodash HTTP/1.1\\r\\nHost: registry.example\\r\\n\\r\\n\n'
    printf 'connect in a tunnel\tTLS CONNECT attacker.test:443 HTTP/1.1\\r\\nHost: attacker.test:443\\r\\n\\r\\n\n'
    printf 'asterisk\tOPTIONS * HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n\n'
    printf 'authority in GET\tGET files.example:80 HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n\n'
    printf 'other schemes\tGET ftp://files.example/public/ HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n\n'
    printf 'https without TLS\tGET https://attacker.test/pkg/lodash HTTP/1.1\\r\\nHost: attacker.test\\r\\n\\r\\n\n'
    printf 'websocket\tGET ws://files.example/public/ HTTP/1.1\\r\\nHost: files.example\\r\\nUpgrade: websocket\\r\\nConnection: upgrade\\r\\n\\r\\n\n'
} >lines
wire_start
talks
wire_stop
t_eq "$(grep -c . <<<"$out")" "$(grep -c . lines)"
t_eq "$(grep -vE ': (ConnectionResetError |[a-z]+ )(4|5)[0-9][0-9]$' <<<"$out")" ''
t_no_match "$WIRE" attacker
{
    printf 'absolute\tGET http://files.example/public/file.txt HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n\n'
    printf 'tunnel\tTLS GET /pkg/lodash HTTP/1.1\\r\\nHost: registry.example\\r\\n\\r\\n\n'
    printf 'https without TLS\tGET https://registry.example/pkg/lodash HTTP/1.1\\r\\nHost: registry.example\\r\\n\\r\\n\n'
} >lines
talks # the twins
t_count 3 "$out" ': open 200$'

t_case 'smuggling: a second request in a body is never an own one, and never a body in two sizes'
export CIJAIL_ENDPOINTS='http://files.example/public/ http://origin.example/'
inner='GET http://files.example/private/file.txt HTTP/1.1\r\nHost: files.example\r\n\r\n'
n=$(printf '%b' "$inner" | wc -c)
{
    post='POST http://files.example/public/ HTTP/1.1\r\nHost: files.example\r\n'
    printf 'CL.TE\t%sContent-Length: %d\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n%s\n' "$post" $((n + 5)) "$inner"
    printf 'TE.CL\t%sTransfer-Encoding: chunked\\r\\nContent-Length: 4\\r\\n\\r\\n%x\\r\\n%s\\r\\n0\\r\\n\\r\\n\n' "$post" "$n" "$inner"
    printf 'two lengths\t%sContent-Length: 0\\r\\nContent-Length: %d\\r\\n\\r\\n%s\n' "$post" "$n" "$inner"
    i=0
    for te in 'xchunked' 'chunked, chunked' 'chunked;q=1' 'identity, chunked' ' \tchunked, x' 'chunked\r\nTransfer-Encoding: identity' '"chunked"' 'chunked\x0b' 'CHUNKED,' \
        'gzip, chunked' '\x00chunked' 'chun\r\n ked'; do
        i=$((i + 1))
        printf 'TE %d\t%sTransfer-Encoding: %s\\r\\n\\r\\n0\\r\\n\\r\\n%s\n' $i "$post" "$te" "$inner"
    done
    i=0
    for cl in '0x0' '+0' '-0' '0, 0' '0,5' '' ' ' '1e1' '00000000000000000000000000' '18446744073709551616' '4294967296000000000000' '0 0' '0\x0b' '٠'; do
        i=$((i + 1))
        printf 'CL %d\t%sContent-Length: %s\\r\\n\\r\\n%s\n' $i "$post" "$cl" "$inner"
    done
    i=0
    for chunk in '0;ext\n\r\n' '0\n\n' '0\r\n\n' '-0\r\n\r\n' '0x0\r\n\r\n' '+0\r\n\r\n' ' 0\r\n\r\n' '00000000000000000000\r\n\r\n' '10000000000000000\r\n\r\n' 'ffffffffffffffff\r\n' \
        '0;\x00\r\n\r\n' '1\r\nab\r\n0\r\n\r\n' '1\na\n0\n\n' '\r\n0\r\n\r\n' '0_0\r\n\r\n' 'g\r\n\r\n' '0\r\nX y\r\n\r\n' '0\r\n folded: x\r\n\r\n' '0\r\nHost: attacker.test\nX: y\r\n\r\n'; do
        i=$((i + 1))
        printf 'chunk %d\t%sTransfer-Encoding: chunked\\r\\n\\r\\n%s%s\n' $i "$post" "$chunk" "$inner"
    done
    printf 'HTTP/1.0 with TE\tPOST http://files.example/public/ HTTP/1.0\\r\\nHost: files.example\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n%s\n' "$inner"
    printf 'HTTP/0.9\tGET http://files.example/private/file.txt\\r\\n%s\n' "$inner"
    printf 'bare LF\tGET http://files.example/public/file.txt HTTP/1.1\\nHost: files.example\\n\\n%s\n' "$inner"
    printf 'obs-fold\tGET http://files.example/public/file.txt HTTP/1.1\\r\\nHost: files.example\\r\\nX: a\\r\\n\\tb\\r\\n\\r\\n%s\n' "$inner"
    printf 'body of a GET\tGET http://files.example/public/file.txt HTTP/1.1\\r\\nHost: files.example\\r\\nContent-Length: %d\\r\\n\\r\\n%s\n' "$n" "$inner"
    printf 'h2c preface\tPRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\n'
    printf 'pipelined\tGET http://files.example/public/file.txt HTTP/1.1\\r\\nHost: files.example\\r\\n\\r\\n%s\n' "$inner"
} >lines
talks
t_eq "$(grep -c . <<<"$out")" "$(grep -c . lines)"
t_no_match "$out" secret
t_match "$out" '^pipelined: [a-zA-Z]+ 200 403$' # the twin: an own request is judged as one

t_case 'what goes on to the server has one framing: no extensions of chunks, no trailers, no upgrade, nothing hop-by-hop'
cat >raw.py <<'END'
import os, socket
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["http_proxy"])
s = socket.create_connection((proxy.hostname, proxy.port), 10)
s.sendall(b"POST http://origin.example/raw HTTP/1.1\r\nHost: origin.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-Secret\r\nTE: trailers\r\n"
          b"Upgrade: h2c, websocket\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings, X-Gone\r\nX-Gone: secret\r\n"
          b"Keep-Alive: secret\r\nProxy-Connection: secret\r\nX-Kept: 1\r\n\r\n"
          b"00005;name=\"secret\";x=secret\r\nhello\r\n1 ; y\r\n!\r\n0;secret\r\nX-Secret: secret\r\nContent-Length: 3\r\n\r\n")
s.settimeout(3)
answer = b""
try:
    while b"0\r\n\r\n" not in answer[30:]: answer += s.recv(65536) or (_ for _ in ()).throw(OSError("closed"))
except OSError as e: answer += str(e).encode()
print(answer.decode("latin-1").replace("\r", ""))
END
run cijail -- python3 raw.py
if grep -q '^HTTP/1.1 4' <<<"$out"; then # refused as a whole: as good
    t_no_match "$out" secret
else
    t_match "$out" '^X-Kept: 1$'
    t_match "$out" 'hello'
    t_no_match "$out" '([Ss]ecret|h2c|^Upgrade|^Trailer|^TE:|HTTP2)'
fi
run cijail -- curl -sS -d 'hello!' -H 'Transfer-Encoding: chunked' http://origin.example/raw # the twin
t_match "$out" 'hello!'

t_case 'methods: a list of them is not gone around by fields, bodies or case'
export CIJAIL_ENDPOINTS='GET:https://registry.example/ GET:https://origin.example/'
for field in X-HTTP-Method-Override X-HTTP-Method X-Method-Override X_HTTP_Method_Override; do
    run cijail -- curl -s -o /dev/null -w '%{http_code}' -H "$field: PUT" https://registry.example/echo
    t_eq "$out" 400
done
run cijail -- curl -sS -H 'X-Method: PUT' https://registry.example/echo # the twin
t_match "$out" '^GET '
for method in get Get 'GET,PUT' GETX GET/PUT PUT; do
    run cijail -- curl -s --http1.1 -o /dev/null -w '%{http_code}' -X "$method" https://registry.example/echo
    t_match "$out" '^4'
    run cijail -- curl -s -o /dev/null -w '%{http_code}' -X "$method" https://registry.example/echo
    t_match "$out" '^(4..|000)$' # over HTTP/2 what is no token at all breaks the stream
    t_match "$err" ' deny '
done

t_done
