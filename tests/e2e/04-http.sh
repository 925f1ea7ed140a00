#!/usr/bin/env bash
# HTTP by the proxy: every request is judged by its canonical URL before anything is done for it.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS
all='https://registry.example/ http://registry.example/ https://origin.example/ http://origin.example/ https://files.example/'
code() { run cijail -- curl -s -o /dev/null -w '%{http_code}' "$@"; }
talk() { run cijail -- python3 "$T_LIB/talk.py" "$@"; }

CIJAIL_ENDPOINTS=$all
t_case 'GET over https and http, with the body'
run cijail -- curl -sS https://registry.example/pkg/lodash
t_status 0
t_eq "$out" 'a package'
t_denials 0
run cijail -- curl -sS http://registry.example/pkg/lodash
t_eq "$out" 'a package'

t_case 'wget as well'
run cijail -- wget -q -O - https://registry.example/pkg/lodash
t_eq "$out" 'a package'

t_case 'a URL outside of the prefix is 403, and the body says which word would allow it'
CIJAIL_ENDPOINTS='https://files.example/public/'
code https://files.example/public/file.txt
t_eq "$out" 200
served=$(wc -l <"$T_NET/nginx/access.log")
run cijail -- curl -s -w '%{http_code}' https://files.example/private/file.txt
t_match "$out" '403$'
t_match "$out" 'https://files\.example/private/file\.txt'
t_no_match "$out" 'a private file'
t_count 1 "$err" ' cijail: deny - GET https://files\.example/private/file\.txt$'
t_denials 1
t_eq "$(wc -l <"$T_NET/nginx/access.log")" "$served" # a connection may have been begun, but nothing was asked
CIJAIL_ENDPOINTS='http://files.example/public/'
wire_start
run cijail -- curl -s -w '%{http_code}' http://files.example/private/file.txt
wire_stop
t_match "$out" '403$'
t_eq "$WIRE" ''
CIJAIL_ENDPOINTS='https://files.example/public/'
run cijail -- wget -q -O - https://files.example/private/file.txt
t_status 8

t_case 'a prefix is text: dot segments and encodings do not get around it'
for path in /public/../private/file.txt /public/%2e%2e/private/file.txt /public/./../private/file.txt \
    /public/..%2fprivate/file.txt '/public/..\private/file.txt' /public/%2e%2e%2fprivate/file.txt //public/file.txt \
    /public /PUBLIC/file.txt /%2fpublic/file.txt /public/%00 /private/..%2fpublic/file.txt \
    '/public/..;/private/file.txt/../../../private/file.txt'; do
    run cijail -- curl -s --path-as-is -w '\n%{http_code}' "https://files.example$path"
    t_match "$out" '^40[03]$'
    t_no_match "$out" 'a private file'
done
run cijail -- curl -s --path-as-is 'https://files.example/private/../public/%66ile.txt'
t_eq "$out" 'a public file'

t_case 'nor do encodings upon encodings, or overlong UTF-8'
urls=()
for path in /public/%252e%252e/private/file.txt /public/.%252e/private/file.txt /public/%25252e%252e/private/file.txt \
    /public/..%252fprivate/file.txt /public/..%255cprivate/file.txt /public/%c0%ae%c0%ae/private/file.txt \
    /public/..%c0%afprivate/file.txt /public/%e0%80%ae./private/file.txt /public/%25c0%25ae./private/file.txt; do
    urls+=("https://files.example$path")
done
served=$(wc -l <"$T_NET/nginx/access.log")
run cijail -- curl -s --path-as-is -w '\n%{http_code}\n' "${urls[@]}"
t_count ${#urls[@]} "$out" '^400$'
t_count ${#urls[@]} "$out" '(more than once|overlong)'
t_no_match "$out" 'a private file'
t_denials ${#urls[@]}
t_eq "$(wc -l <"$T_NET/nginx/access.log")" "$served"
urls=(https://files.example/public/{100%25,%252fa,a%252eb,%C0%E9}) # legal, and not there
run cijail -- curl -s -o /dev/null -o /dev/null -o /dev/null -o /dev/null -w '%{http_code} ' "${urls[@]}"
t_eq "$out" '404 404 404 404 '
CIJAIL_ENDPOINTS='https://files.example/public/%252e%252e/' run cijail -- true
t_status 125
t_match "$err" 'more than once'

t_case 'what goes upstream is the canonical form'
CIJAIL_ENDPOINTS='https://origin.example/head http://origin.example/head'
run cijail -- curl -s --path-as-is 'https://origin.example/x/../head?q=%7e%2f'
t_match "$out" '^GET /head\?q=~%2F HTTP/1\.1'
t_match "$out" '^Host: origin\.example'
run cijail -- curl -s 'http://ORIGIN.example.:80/head'
t_match "$out" '^GET /head HTTP/1\.1'
t_match "$out" '^Host: origin\.example'
t_no_match "$out" '^Proxy-'
run cijail -- curl -s -H 'Proxy-Authorization: Basic eDp5' -H 'Connection: X-Secret' -H 'X-Secret: 1' -H 'X-Kept: 2' \
    http://origin.example/head
t_no_match "$out" '^(Proxy-|X-Secret)'
t_match "$out" '^X-Kept: 2'

t_case 'an unknown host: one log line, at once, no lookup'
CIJAIL_ENDPOINTS=
for url in https://secret.attacker.test/ http://secret.attacker.test/; do
    for endpoints in '' https://registry.example/; do
        wire_start
        CIJAIL_ENDPOINTS=$endpoints run cijail -- curl -sS "$url"
        wire_stop
        if [[ $url == https:* ]]; then t_status 56; else t_status 0; fi # of CONNECT, of a 403
        t_denials 1
        t_match "$err" 'deny .*secret\.attacker\.test'
        t_under 3000
        t_eq "$WIRE" ''
    done
done

t_case 'the address that a client dials itself is not a way around'
wire_start
CIJAIL_ENDPOINTS=https://registry.example/ run cijail -- curl -sS --noproxy '*' -m 10 --resolve registry.example:443:198.51.100.66 https://registry.example/echo
wire_stop
t_eq "$out" 'GET https://registry.example/echo'
t_no_match "$WIRE" '198\.51\.100\.66'
CIJAIL_ENDPOINTS=https://registry.example/ run cijail -- curl -sS --connect-to ::attacker.test:443 -m 10 https://registry.example/
t_denials 1
t_assert 'curl succeeded' test "$status" != 0

t_case 'https without CONNECT: the proxy is asked for the URL itself, and the server is verified'
CIJAIL_ENDPOINTS='https://files.example/public/ https://badca.example/'
talk 'send:GET https://files.example/public/file.txt HTTP/1.1\r\nHost: files.example\r\n\r\n' response \
    'send:GET https://files.example/private/file.txt HTTP/1.1\r\nHost: files.example\r\n\r\n' response \
    'send:GET https://badca.example/ HTTP/1.1\r\nHost: badca.example\r\n\r\n' response
t_count 1 "$out" '^HTTP/1.1 200'
t_count 1 "$out" '^a public file$'
t_count 1 "$out" '^HTTP/1.1 403'
t_count 1 "$out" '^HTTP/1.1 502'
t_no_match "$out" 'a private file|reached'
t_denials 1

t_case 'the SNI, the CONNECT target and Host must agree'
CIJAIL_ENDPOINTS='https://registry.example/ https://files.example/public/'
talk -s registry.example:443 'send:GET / HTTP/1.1\r\nHost: files.example\r\n\r\n' response
t_match "$out" '^HTTP/1.1 4(00|03|21)'
talk -s registry.example:443 'send:GET /pkg/lodash HTTP/1.1\r\nHost: registry.example\r\n\r\n' response
t_match "$out" '^HTTP/1.1 200'
t_match "$out" '^a package$'
talk -s registry.example:443 'send:GET https://files.example/private/file.txt HTTP/1.1\r\nHost: registry.example\r\n\r\n' response
t_match "$out" '^HTTP/1.1 4'
run cijail -- openssl s_client -proxy 192.0.0.1:3128 -connect registry.example:443 -servername files.example -brief
t_no_match "$err" 'Verification: OK'
run cijail -- openssl s_client -proxy 192.0.0.1:3128 -connect registry.example:443 -servername registry.example -brief
t_match "$err" 'Verification: OK'

t_case 'requests that are read in two ways are refused with 400, and end the connection'
CIJAIL_ENDPOINTS=$all
while IFS= read -r request; do
    talk "send:$request" 'send:GET http://registry.example/second HTTP/1.1\r\nHost: registry.example\r\n\r\n' rest
    t_assert "$request: no 400 but ${out:0:100}" t_has "$out" '^HTTP/1.1 (400|411|413|414|417|431|501|505)'
    t_no_match "$out" '^HTTP/1.1 [23]'
done <<'END'
GET http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nHost: files.example\r\n\r\n
GET http://registry.example/ HTTP/1.1\r\nHost: files.example\r\n\r\n
GET http://registry.example/ HTTP/1.1\r\n\r\n
POST http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
POST http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde
POST http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nContent-Length: +4\r\n\r\nabcd
POST http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n
POST http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n
POST http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n
GET http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nX: a\r\n folded\r\n\r\n
GET http://registry.example/ HTTP/1.1\nHost: registry.example\n\n
GET http://registry.example/ HTTP/1.1\r\nHost: registry.example\rX: y\r\n\r\n
GET http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\nX: a\x00b\r\n\r\n
GET  http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\n\r\n
GET http://registry.example/a b HTTP/1.1\r\nHost: registry.example\r\n\r\n
GET http://user@registry.example/ HTTP/1.1\r\nHost: registry.example\r\n\r\n
GET http://registry.example/a\\b HTTP/1.1\r\nHost: registry.example\r\n\r\n
GET http://registry.example/%zz HTTP/1.1\r\nHost: registry.example\r\n\r\n
GET /origin-form HTTP/1.1\r\nHost: registry.example\r\n\r\n
GET http://registry.example/ HTTP/2.0\r\nHost: registry.example\r\n\r\n
G<T http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\n\r\n
CONNECT http://registry.example/ HTTP/1.1\r\nHost: registry.example\r\n\r\n
END
talk 'send:GET http://registry.example/pkg/lodash HTTP/1.1\r\nHost: registry.example\r\n\r\n' response
t_match "$out" '^HTTP/1.1 200'

t_case 'fields by which a server takes another method, path or host are refused with 400'
CIJAIL_ENDPOINTS='GET,HEAD:https://origin.example/ http://origin.example/'
wire_start
# shellcheck disable=SC2016 # the jail's variables
run cijail -v -- sh -c 'for field in X-HTTP-Method-Override X-HTTP-Method X-Method-Override X-Original-URL X-Rewrite-URL \
    X-Forwarded-Host X-Original-Host x_http_method_override X_Forwarded-Host; do
    for scheme in http https; do curl -s -w "%{http_code}\n" -H "$field: PUT" $scheme://origin.example/head; done
done'
wire_stop
t_count 18 "$out" '^400$'
t_count 18 "$out" 'override'
t_count 18 "$err" ' cijail: deny - GET '
t_no_match "$WIRE" '\.80: Flags \[S\]'
run cijail -- curl -s -H 'X-Forwarded-For: 1' -H 'X-Http: 2' -H 'X-Method: 3' https://origin.example/head
t_count 3 "$out" '^[Xx]-([Ff]orwarded-[Ff]or: 1|[Hh]ttp: 2|[Mm]ethod: 3)' # HTTP/2 has them in lower case
talk 'send:POST http://origin.example/upload HTTP/1.1\r\nHost: origin.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-HTTP-Method\r\n\r\n3\r\nabc\r\n0\r\nX-HTTP-Method: PUT\r\n\r\n' response
t_match "$out" '^POST 3 [0-9a-f]* chunked$' # trailers are not sent on

t_case 'Destination (RFC 4918, 10.3) is judged as the URL that it is'
for to in http://registry.example/echo/b /echo/b http://registry.example/other /other http://registry.example/echo/../b \
    http://files.example/echo/b '/echo/a b'; do
    echo "$to: $(cijail -q -e http://registry.example/echo -- curl -s -o /dev/null -w '%{http_code}' -X MOVE -H "Destination: $to" \
        http://registry.example/echo/a)"
done >moved
t_eq "$(sed 's/.*: //' moved | tr '\n' ' ')" '200 200 403 403 403 403 403 '

t_case 'a body where the list of methods has none is an upload, and refused'
CIJAIL_ENDPOINTS='GET,HEAD,DELETE,OPTIONS:http://origin.example/ http://origin.example/upload'
head='http://origin.example/head HTTP/1.1\r\nHost: origin.example\r\n'
wire_start
for method in GET HEAD DELETE OPTIONS; do
    talk "send:$method ${head}Content-Length: 6\r\n\r\nsecret" head "send:$method ${head}Transfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n0\r\n\r\n" rest
    t_count 2 "$out" '^HTTP/1.1 403'
    [[ $method == HEAD ]] || t_match "$out" 'is an upload'
    t_match "$err" " cijail: deny - $method http://origin\\.example/head"
done
wire_stop
t_no_match "$WIRE" 'Flags \[S\]'
for method in GET DELETE OPTIONS; do
    talk "send:$method ${head}Content-Length: 0\r\n\r\n" response "send:$method http://origin.example/upload HTTP/1.1\r\nHost: origin.example\r\nContent-Length: 6\r\n\r\nsecret" response
    t_count 2 "$out" '^HTTP/1.1 200'
    t_match "$out" "^$method 6 " # this URL's endpoint has no list
done
CIJAIL_ENDPOINTS='GET,POST:https://origin.example/'
run cijail -- curl -s -X GET --data-binary secret https://origin.example/upload
t_match "$out" '^GET 6 '

t_case 'methods: only those of the list'
CIJAIL_ENDPOINTS='GET,HEAD:https://registry.example/'
code https://registry.example/echo
t_eq "$out" 200
code -I https://registry.example/echo
t_eq "$out" 200
for method in PUT POST DELETE PATCH OPTIONS get TRACE; do
    run cijail -- curl -s -o /dev/null -w '%{http_code}' -X $method https://registry.example/echo
    t_match "$out" '^4'
done
run cijail -- curl -s -o /dev/null -T "$T_LIB/lib.sh" https://registry.example/evil
t_match "$err" ' cijail: deny - PUT https://registry\.example/evil$'
CIJAIL_ENDPOINTS='PUT:https://files.example/upload/'
code -T "$T_LIB/lib.sh" https://files.example/upload/lib.sh
t_eq "$out" 201
code https://files.example/upload/lib.sh
t_eq "$out" 403

CIJAIL_ENDPOINTS=$all
t_case 'HEAD, 204, 304, 404 and 500 pass through'
run cijail -- curl -sS -I https://registry.example/pkg/lodash
t_match "$out" '^HTTP/2 200'
t_match "$out" '^content-length: 10'
for expected in 204:https://origin.example/nocontent 404:https://registry.example/status/404 \
    500:https://registry.example/status/500 404:https://registry.example/missing; do
    code "${expected#*:}"
    t_eq "$out" "${expected%%:*}"
done
etag=$(curl -sI https://registry.example/pkg/lodash | sed -n 's/^ETag: \(.*\)\r$/\1/p')
code -H "If-None-Match: $etag" https://registry.example/pkg/lodash
t_eq "$out" 304

t_case 'ports other than the default, and only those of the policy'
CIJAIL_ENDPOINTS='https://registry.example:8443/'
code https://registry.example:8443/echo
t_eq "$out" 200
run cijail -- curl -sS https://registry.example/echo
t_assert 'curl succeeded' test "$status" != 0
run cijail -- curl -s -o /dev/null -w '%{http_code}' http://registry.example/echo
t_eq "$out" 403

t_case 'hosts that are addresses'
CIJAIL_ENDPOINTS='https://198.51.100.10/ https://[2001:db8:10::10]/ http://198.51.100.10/'
for url in https://198.51.100.10/echo 'https://[2001:db8:10::10]/echo' http://198.51.100.10/echo; do
    code -g "$url"
    t_eq "$out" 200
done
run cijail -- curl -ksS https://198.51.100.11/echo
t_assert 'curl succeeded' test "$status" != 0

t_case 'an internationalised host'
CIJAIL_ENDPOINTS='https://bücher.example/'
code https://xn--bcher-kva.example/echo
t_eq "$out" 200

t_case 'wildcard hosts'
CIJAIL_ENDPOINTS='https://*.wild.example/pkg/'
code https://a.wild.example/pkg/lodash
t_eq "$out" 200
run cijail -- curl -sS https://registry.example/pkg/lodash
t_assert 'curl succeeded' test "$status" != 0

t_case 'hosts with one family only'
CIJAIL_ENDPOINTS='https://v4only.example/ https://v6only.example/ http://v6only.example/'
for url in https://v4only.example/echo https://v6only.example/echo http://v6only.example/echo; do
    code "$url"
    t_eq "$out" 200
done

t_case 'happy eyeballs: a dead address of either family costs little'
CIJAIL_ENDPOINTS='https://dead4.example/ https://dead6.example/ https://dead.example/ https://refused.example/'
for host in dead4 dead6; do
    code https://$host.example/echo
    t_eq "$out" 200
    t_under 4000
done

t_case 'an upstream that does not answer or does not exist is 502 or 504 and says why'
run cijail -- curl -s -w '%{http_code}' https://refused.example/
t_match "$out" '50[24]$'
t_match "$out" '[Cc]onnection refused'
CIJAIL_ENDPOINTS='https://missing.example/ http://missing.example/'
run cijail -- curl -s -w '%{http_code}' https://missing.example/
t_match "$out" '50[24]$'
t_match "$out" 'missing\.example'
run cijail -- curl -s -w '%{http_code}' http://missing.example/
t_match "$out" '50[24]$'

t_case 'names that lead into private networks are not dialled'
(cd "$T_NET/www" && exec python3 -m http.server -b 127.0.0.1 80 >/dev/null 2>&1) &
server=$!
CIJAIL_ENDPOINTS='http://rebind-loopback.example/ http://rebind-mixed.example/ http://alias-loopback.example/'
for name in rebind-loopback alias-loopback; do
    run cijail -- curl -s -w '%{http_code}' http://$name.example/pkg/lodash
    t_match "$out" '50[24]$'
    t_no_match "$out" 'a package'
done
run cijail -- curl -s http://rebind-mixed.example/echo
t_match "$out" '^GET http://rebind-mixed\.example/echo'
kill $server 2>/dev/null

t_case 'upstream certificates are verified: 502 that names the reason'
CIJAIL_ENDPOINTS='https://badca.example/ https://expired.example/ https://wrongname.example/'
for expected in 'badca:(unable to get local issuer|self-signed|unknown|not trusted)' 'expired:expired' \
    'wrongname:([Hh]ost ?name mismatch|does not match)'; do
    run cijail -- curl -s -w '%{http_code}' "https://${expected%%:*}.example/"
    t_match "$out" '502$'
    t_match "$out" "${expected#*:}"
    t_no_match "$out" 'reached'
done

t_case 'a redirect to a host that is not allowed is the client'\''s to follow, and denied there'
CIJAIL_ENDPOINTS='https://redirect.example/'
run cijail -- curl -s -o /dev/null -w '%{http_code}' https://redirect.example/away
t_eq "$out" 302
wire_start
run cijail -- curl -sS -L https://redirect.example/away
wire_stop
t_assert 'curl succeeded' test "$status" != 0
t_match "$err" 'deny .*attacker\.test'
t_no_match "$WIRE" attacker

CIJAIL_ENDPOINTS=$all
t_case 'keep-alive to the client and to the server'
run cijail -- curl -sS https://origin.example/count https://origin.example/count https://origin.example/count
t_match "$out" '^[0-9]+ 3$'
run cijail -- curl -sS -v http://origin.example/count http://origin.example/count
t_match "$out" '^[0-9]+ 2$'
t_match "$err" 'Re-using existing connection'

t_case 'every request of a connection is judged'
CIJAIL_ENDPOINTS='https://files.example/public/'
run cijail -- curl -s https://files.example/public/file.txt https://files.example/private/file.txt https://files.example/public/file.txt
t_count 2 "$out" '^a public file$'
t_no_match "$out" 'a private file'
t_denials 1
talk -s files.example:443 'send:GET /public/file.txt HTTP/1.1\r\nHost: files.example\r\n\r\nGET /private/file.txt HTTP/1.1\r\nHost: files.example\r\n\r\n' response response
t_match "$out" '^a public file$'
t_match "$out" '^HTTP/1.1 403'
t_no_match "$out" 'a private file'

CIJAIL_ENDPOINTS=$all
t_case 'chunked answers, trickling ones, and ones that end by closing'
run cijail -- sh -c 'curl -sS https://origin.example/chunked?1000000 | wc -c'
t_eq "$out" 1000000
run cijail -- sh -c 'curl -sS http://origin.example/chunked?100 | wc -c'
t_eq "$out" 100
run cijail -- python3 -c 'import time, urllib.request
start = time.time()
f = urllib.request.urlopen("https://origin.example/drip?20")
f.readline()
print("first", time.time() - start < 0.9 * '"${T_SLOW:-1}"')
print("rest", len(f.readlines()))'
t_match "$out" '^first True$'
t_match "$out" '^rest 19$'
run cijail -- sh -c 'curl -sS --http1.1 https://origin.example/until-close?50000 | wc -c'
t_eq "$out" 50000
run cijail -- curl -sS -o /dev/null https://origin.example/until-close?50000 # the server ended it without TLS's word for it
t_status 92
run cijail -- curl -sS https://origin.example/hints
t_eq "$out" 'after the hints'
run cijail -- curl -sS https://origin.example/slow?2
t_eq "$out" slow

t_case 'uploads: by length, chunked, with and without 100-continue'
head -c 3000000 /dev/urandom >upload
sum=$(sha256sum <upload | cut -d ' ' -f 1)
run cijail -- curl -sS -H 'Expect:' --data-binary @upload https://origin.example/upload
t_eq "$out" "POST 3000000 $sum length"
run cijail -- curl -sS -H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary @upload https://origin.example/upload
t_eq "$out" "POST 3000000 $sum chunked"
run cijail -- curl -sS -T upload http://origin.example/upload
t_eq "$out" "PUT 3000000 $sum length"
run cijail -- curl -sS -H 'Expect: 100-continue' --expect100-timeout 20 --data-binary @upload https://origin.example/continue
t_eq "$out" "POST 3000000 $sum length"
t_under 15000
run cijail -- curl -s -o /dev/null -w '%{http_code}' -H 'Expect: 100-continue' --expect100-timeout 20 --data-binary @upload https://origin.example/ignore100
t_match "$out" '^(417|200)$'
code --data-binary @upload https://files.example/nowhere
t_match "$out" '^4'

t_case 'a denied upload is refused before its body'
CIJAIL_ENDPOINTS='GET:https://origin.example/'
run cijail -- curl -s -o /dev/null -w '%{http_code} %{size_upload}' --expect100-timeout 20 -H 'Expect: 100-continue' --data-binary @upload https://origin.example/upload
t_eq "$out" '403 0'
CIJAIL_ENDPOINTS=$all

t_case 'an early 413 reaches the client while it sends'
head -c 30000000 /dev/zero >zeros
run cijail -- curl -s -o /dev/null -w '%{http_code}' -H 'Expect:' --data-binary @zeros https://origin.example/early413
t_eq "$out" 413
t_under 20000

t_case 'broken answers are broken for the client too'
run cijail -- curl -sS --http1.1 https://origin.example/truncated
t_status 18
t_eq "$out" 0123456789
run cijail -- curl -sS https://origin.example/truncated # curl forgets what came before RST_STREAM
t_status 92
for path in reset nothing twolengths badhead hugehead; do
    run cijail -- curl -s -m 20 -o /dev/null -w '%{http_code}' https://origin.example/$path
    t_eq "$out" 502
done
run cijail -- curl -sS https://origin.example/both # the chunks count: see 43-odd-responses
t_eq "$out" abc
run cijail -- curl -s -m 20 -w '%{http_code}' https://origin.example/switch
t_no_match "$out" 'raw bytes'
run cijail -- curl -s https://origin.example/head
t_match "$out" '^GET /head'

t_case 'a client that leaves early leaves nothing hanging'
run cijail -- sh -c 'for i in 1 2 3 4 5; do curl -s -m 0.3 https://origin.example/slow?5; curl -s -m 0.3 -o /dev/null https://registry.example/big --limit-rate 1k; done; curl -s https://registry.example/pkg/lodash'
t_eq "$out" 'a package'

t_case 'a download of 200 MiB, streamed: the memory of the proxy is bounded'
cat >rss.sh <<'END'
# On the host: the largest resident set, in KiB, of the httpproxy while the command runs.
"$@" >"$T_TMP/rss.out" &
pid=$! max=0 told=''
while kill -0 $pid 2>/dev/null; do
    if [[ -z $told ]] && ((SECONDS > 45)); then # it will not end in time: what does each side wait for?
        told=1
        {
            ss -tnmi
            for p in $(pgrep -x cijail-httpprox); do
                head -v /proc/$p/{stat,wchan,syscall}
                nsenter -t $p -U --preserve-credentials -n ss -tnmi || nsenter -t $p -n ss -tnmi
            done
        } >&2
    fi
    for p in $(pgrep -x cijail-httpprox); do
        rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$p/status 2>/dev/null)
        ((${rss:-0} > max)) && max=$rss
    done
    sleep 0.05
done
wait $pid
echo "max $max"
cat "$T_TMP/rss.out"
END
export T_TMP
bounded_rss() { # of httpproxy, in the last run; what a sanitizer adds grows with T_SLOW
    local rss
    rss=$(sed -n 's/^max //p' <<<"$out")
    t_assert "httpproxy used $rss KiB" test "$rss" -lt $((40000 * ${T_SLOW:-1}))
}
run bash rss.sh cijail -- sh -c 'curl -sS https://registry.example/big | sha256sum; curl -sS https://registry.example/pkg/lodash'
t_match "$out" "^$(sha256sum <"$T_NET/www/big" | cut -d ' ' -f 1) "
t_match "$out" '^max [1-9]'
bounded_rss

t_case 'an upload of 200 MiB, likewise, and a slow reader holds back the server'
run bash rss.sh cijail -- curl -sS -T "$T_NET/www/big" https://files.example/upload/big
t_match "$out" '^max [1-9]'
bounded_rss
t_true cmp "$T_NET/www/big" "$T_NET/www/upload/big"
run bash rss.sh cijail -- sh -c 'curl -sS -m 3 --limit-rate 10k -o /dev/null https://registry.example/big & curl -sS -m 3 --limit-rate 10k -o /dev/null http://registry.example/big; wait'
bounded_rss

t_case '1,000 connections at once over https, none refused'
T_LIMIT=120 run cijail -- python3 "$T_LIB/storm.py" 1000 https://registry.example/echo
t_eq "$out" '1000 ok'

t_case '4,000 connections at once, none refused'
T_LIMIT=120 run cijail -- python3 "$T_LIB/storm.py" 4000 http://registry.example/echo
t_eq "$out" '4000 ok'
t_denials 0

t_done
