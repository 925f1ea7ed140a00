#!/usr/bin/env bash
# HTTP/2 towards the client and towards the server: the same judge, log and answers as for HTTP/1.1. registry.example
# and files.example speak it on port 8443, nobody on port 443.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://registry.example/ https://registry.example:8443/ https://origin.example/
    https://files.example/public/ https://files.example:8443/public/'
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
run cijail -v -- curl -sS --http2 https://origin.example/truncated
t_match "$err" '^curl: \((18|92)\)'
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

t_done
