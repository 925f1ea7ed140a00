#!/usr/bin/env bash
# TLS sessions of clients are resumed, by tickets; and a ticket says nothing about whom the client wants, or what it may.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://registry.example/ https://files.example/public/'
# visit VERSION HOST SNI TICKET-FILE in|out PATH [HOST-FIELD]: one request by CONNECT to HOST, or, if that is "-", to
# SNI's port 443 directly; prints "New" or "Reused", the certificate's name, and the status or the alert.
cat >visit <<'END'
#!/usr/bin/env bash
version=$1 host=$2 sni=$3 ticket=$4 how=$5 path=$6 field=${7:-$3}
at=(-proxy 192.0.0.1:3128 -connect "$host:443")
[[ $host != - ]] || at=(-connect 198.51.100.10:443)
printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$path" "$field" |
    timeout 20 openssl s_client "${at[@]}" -servername "$sni" -"$version" -sess_"$how" "$ticket" -ign_eof >said 2>&1
grep -oE '^(New|Reused), TLSv1\.[23]|^    Verify return code: 0|Max Early Data: [1-9].*' said | sort -u
openssl x509 -noout -subject <said 2>/dev/null
grep -aoE '^HTTP/1\.1 [0-9]{3}|SSL alert number [0-9]+' said | head -n 1
END
chmod +x visit
denied='^HTTP/1\.1 403'

for version in tls1_2 tls1_3; do
    v=TLSv${version#tls} v=${v/_/.}
    t_case "$v: the second connection resumes, by CONNECT and intercepted, and is judged as the first"
    for direct in '' -; do
        run cijail -v -- sh -c "./visit $version ${direct:-registry.example} registry.example t out /pkg/lodash
            ./visit $version ${direct:-registry.example} registry.example t in /pkg/lodash?2
            ./visit $version ${direct:-files.example} files.example u out /public/file.txt
            ./visit $version ${direct:-files.example} files.example u in /private/file.txt"
        t_count 2 "$out" "^New, $v"
        t_count 2 "$out" "^Reused, $v"
        t_count 3 "$out" '^HTTP/1\.1 200'
        t_count 1 "$out" "$denied"
        t_count 0 "$out" 'Early Data'
        t_count 1 "$err" ' cijail: allow 200 GET https://registry\.example/pkg/lodash\?2$'
        t_count 1 "$err" ' cijail: deny - GET https://files\.example/private/file\.txt$'
        t_denials 1
    done

    t_case "$v: a ticket for one host is nothing at another"
    for way in files.example -; do
        run cijail -v -- sh -c "./visit $version registry.example registry.example t out /pkg/lodash
            ./visit $version $way files.example t in /public/file.txt; ./visit $version $way files.example t in /private/file.txt"
        t_count 3 "$out" "^New, $v"
        t_count 2 "$out" 'CN *= *files\.example$'
        t_count 2 "$out" '^HTTP/1\.1 200'
        t_count 1 "$out" "$denied"
        t_count 1 "$err" ' cijail: deny - GET https://files\.example/private/file\.txt$'
    done

    t_case "$v: nor does it get a name past the judge"
    run cijail -v -- sh -c "./visit $version registry.example registry.example t out /pkg/lodash
        ./visit $version - attacker.test t in /pkg/lodash; ./visit $version registry.example attacker.test t in /pkg/lodash
        ./visit $version files.example registry.example t in /pkg/lodash"
    t_count 3 "$out" '^SSL alert number 112$' # unrecognized_name
    t_count 1 "$out" '^HTTP/1\.1 200'
    t_count 0 "$out" '^Reused'
    t_count 1 "$err" ' cijail: deny - CONNECT attacker\.test:443$'
    t_denials 3
    run cijail -v -- sh -c "./visit $version registry.example registry.example t out /pkg/lodash
        ./visit $version registry.example registry.example t in /pkg/lodash attacker.test; ./visit $version - registry.example t in /pkg/lodash files.example
        ./visit $version registry.example registry.example t in /pkg/lodash"
    t_count 3 "$out" "^Reused, $v"
    t_count 2 "$out" '^HTTP/1\.1 400'
    t_count 2 "$out" '^HTTP/1\.1 200'
    t_denials 2

    t_case "$v: a ticket of another jail is nothing"
    run cijail -- ./visit $version registry.example registry.example t out /pkg/lodash
    t_match "$out" '^HTTP/1\.1 200'
    run cijail -- ./visit $version registry.example registry.example t in /pkg/lodash
    t_match "$out" "^New, $v"
    t_match "$out" '^HTTP/1\.1 200'
done
t_done
