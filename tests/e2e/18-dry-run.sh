#!/usr/bin/env bash
# --dry-run: everything passes, all is logged with what would have been denied, exit 99.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
unset CIJAIL_DRY_RUN
stamp='^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} [0-9]{4}\] cijail: '
chmod 755 "$T_TMP"
cp "$T_LIB/unix.py" .
serve_unix "$T_TMP/sock" sock
serve_unix @cijail-dry abstract

# dry REGEX COMMAND...: with an empty policy COMMAND succeeds in a dry run, which says REGEX of it; and fails without.
dry() {
    local what=$1
    shift
    run cijail --dry-run -- "$@"
    t_status 99
    t_match "$err" "${stamp}DRYRUN deny $what"
    t_no_match "$err" "cijail: deny "
    t_match "$(tail -n 1 <<<"$err")" "${stamp}dry run: 0 allowed, [1-9][0-9]* denied\$"
    dry_out=$out
    run cijail -- "$@"
    t_no_match "$err" DRYRUN
    t_match "$err" "${stamp}deny "
}

t_case 'https and http through the proxy; the twins are denied'
dry '200 GET https://registry\.example/pkg/lodash$' curl -sf https://registry.example/pkg/lodash
t_eq "$dry_out" 'a package'
t_assert 'curl succeeded' test "$status" != 0
dry '200 GET http://registry\.example/pkg/lodash$' curl -sf http://registry.example/pkg/lodash
t_eq "$dry_out" 'a package'
t_assert 'curl succeeded' test "$status" != 0
dry '20[0-9] PUT https://files\.example/upload/new$' curl -sf -T unix.py https://files.example/upload/new
t_assert 'curl succeeded' test "$status" != 0

t_case 'the status that the server gave, and a host that is not there'
run cijail --dry-run -- curl -s -o /dev/null https://registry.example/status/404
t_match "$err" "${stamp}DRYRUN deny 404 GET https://registry\\.example/status/404\$"
run cijail --dry-run -- curl -s -o /dev/null https://nowhere.example/
t_status 99
t_match "$err" "${stamp}DRYRUN deny - GET https://nowhere\\.example/: cannot resolve"

t_case 'clients that know no proxy, over both families'
for family in 4 6; do
    dry '200 GET https://registry\.example/pkg/lodash$' curl -$family -sf --noproxy '*' https://registry.example/pkg/lodash
    t_eq "$dry_out" 'a package'
    dry '200 GET http://registry\.example/pkg/lodash$' curl -$family -sf --noproxy '*' http://registry.example/pkg/lodash
    t_eq "$dry_out" 'a package'
done

t_case 'git clone'
dry '200 GET https://git\.example/git/project\.git/info/refs' sh -c 'rm -rf cloned; git clone -q https://git.example/git/project.git cloned && cat cloned/README'
t_eq "$dry_out" 'hello from git'
t_assert 'git succeeded' test "$status" != 0

t_case 'lookups of any type, at the gateway and at any server'
dry 'resolve registry\.example A$' dig +short registry.example
t_eq "$dry_out" 198.51.100.10
t_no_match "$out" 198
dry 'resolve secret\.attacker\.test TXT$' dig +short secret.attacker.test TXT
t_match "$dry_out" stolen
for server in 203.0.113.5 2001:db8:53::53; do
    for how in +notcp +tcp; do
        wire_start
        run cijail --dry-run -- dig $how +short registry.example @$server
        wire_stop
        t_status 99
        t_eq "$out" 198.51.100.10
        t_match "$WIRE" "> $server\\.53: .*A\\? registry\\.example"
        t_match "$err" "${stamp}DRYRUN deny connect \\[?$server\\]?:53"
        t_match "$err" "${stamp}DRYRUN deny resolve registry\\.example A\$"
    done
done
run cijail --dry-run -v -e '203.0.113.5:53 registry.example' -- dig +short registry.example @203.0.113.5
t_match "$err" "${stamp}DRYRUN allow connect 203\\.0\\.113\\.5:53\$"
t_match "$err" "${stamp}DRYRUN allow resolve registry\\.example A\$"
t_match "$err" 'dry run: 2 allowed, 0 denied$'

t_case 'answers that would be withheld are told'
for name in private metadata loopback; do
    run dig +short rebind-$name.example
    outside=$(sort <<<"$out")
    run cijail --dry-run -e rebind-$name.example -- dig +short rebind-$name.example
    t_status 99
    t_eq "$(sort <<<"$out")" "$outside"
    t_match "$err" "${stamp}DRYRUN deny resolve rebind-$name\\.example A\$"
    run cijail -e rebind-$name.example -- dig +short rebind-$name.example
    t_eq "$out" ''
done
run cijail --dry-run --log-format json -e rebind-private.example -- dig +short rebind-private.example
t_match "$err" '"reason":"answer .* would be withheld: private address \(rebinding\)"'

t_case 'unix sockets of the host, by path and by abstract name'
dry "unix $T_TMP/sock\$" python3 unix.py say "$T_TMP/sock"
t_eq "$dry_out" hello
t_eq "$out" ENETUNREACH
run cijail --dry-run -- python3 unix.py say sock
t_match "$err" "${stamp}DRYRUN deny unix sock\$"
run cijail --dry-run -- python3 unix.py say @cijail-dry
t_status 99
t_eq "$out" hello
t_match "$err" "${stamp}DRYRUN deny unix @cijail-dry\$"
run cijail -- python3 unix.py say @cijail-dry
t_eq "$out" ECONNREFUSED

t_case 'netlink families'
run cijail --dry-run -- python3 -c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15); print("made")'
t_eq "$out" made
run cijail -- python3 -c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15); print("made")'
t_eq "$out" ''

t_case 'what the policy allows is an allow, with -v'
run cijail --dry-run -v -e 'GET:https://registry.example/pkg/' -- sh -c '
    curl -s https://registry.example/pkg/lodash; curl -s -o /dev/null https://registry.example/other'
t_status 99
t_count 1 "$err" "${stamp}DRYRUN allow 200 GET https://registry\\.example/pkg/lodash\$"
t_count 1 "$err" "${stamp}DRYRUN deny 404 GET https://registry\\.example/other\$"
t_match "$err" 'dry run: 1 allowed, 1 denied$'
run cijail --dry-run -e 'GET:https://registry.example/pkg/' -- curl -s https://registry.example/pkg/lodash
t_no_match "$err" 'DRYRUN allow'
t_match "$err" 'dry run: 1 allowed, 0 denied$'

t_case 'repeats are folded without -v, and are not with it'
loop='for i in 1 2 3; do curl -s -o /dev/null https://registry.example/no; done'
run cijail --dry-run -- sh -c "$loop"
t_count 2 "$err" 'DRYRUN deny 404 GET https://registry\.example/no( |$)'
t_count 1 "$err" 'DRYRUN deny 404 GET https://registry\.example/no \(3 times\)$'
run cijail --dry-run -v -- sh -c "$loop"
t_count 3 "$err" 'DRYRUN deny 404 GET https://registry\.example/no$'

t_case 'CONNECT to a port that is not of URLs: by what is said in it, TLS, HTTP, or a tunnel of any protocol'
nc="2>nc.err nc -N -w 20 -X connect -x ${PROXY#http://}" # what it says would stand in the midst of a line of the log
run cijail --dry-run --learn learned -- sh -c "printf 'words\n' | $nc git.example 7000" # it says hello first
t_status 99
t_match "$out" '^hello$'
t_match "$out" '^words$'
t_match "$err" "${stamp}DRYRUN deny connect (198\.51\.100\.20|\[2001:db8:10::20\]):7000\$"
t_match "$(cat learned)" '^git\.example:7000 '
for first in 'sleep 3' "printf 'SSH-2.0-test\r\n'" "printf '\0'" "printf 'PING\r\n'"; do # whoever speaks first
    run cijail --dry-run --learn learned -- sh -c "($first; sleep 1) | $nc git.example 22 | head -c 4"
    t_eq "$out" SSH-
    t_denials 0
    t_count 1 "$err" 'DRYRUN deny '
    t_match "$(cat learned)" '^git\.example:22 '
done
run cijail --dry-run -- sh -c "$nc git.example 22 | head -c 4" # the client has ended its side
t_eq "$out" SSH-
run cijail --dry-run -- sh -c "printf 'words' | $nc git.example 23" # nobody listens
t_match "$err" "${stamp}DRYRUN deny - CONNECT git\.example:23: cannot connect to git\.example port 23: Connection refused\$"
run cijail --dry-run -- curl -sS https://registry.example:8443/echo
t_eq "$out" 'GET https://registry.example:8443/echo'
t_match "$err" "${stamp}DRYRUN deny 200 GET https://registry\.example:8443/echo\$"
run cijail --dry-run -- curl -sS -p http://registry.example:8080/echo
t_match "$err" "${stamp}DRYRUN deny (200|-) GET http://registry\.example:8080/echo"
run cijail --dry-run -- sh -c "printf 'words' | $nc rebind-loopback.example 7000" # withheld in a dry run, too
t_match "$err" "${stamp}deny - CONNECT rebind-loopback\.example:7000"
for port in 443 80; do
    run cijail --dry-run -- sh -c "printf 'words\n' | $nc git.example $port"
    t_no_match "$err" ' connect '
done
run cijail -e git.example:7000 -- sh -c "printf 'words\n' | $nc git.example 22"
t_match "$err" "${stamp}deny - CONNECT git\.example:22\$"

t_case '-q, --log, --log-format json'
run cijail --dry-run -q -- curl -s https://registry.example/pkg/lodash
t_status 99
t_eq "$out$err" 'a package'
run cijail --dry-run --log ./log -- curl -s https://registry.example/pkg/lodash
t_status 99
t_eq "$err" ''
t_match "$(cat log)" "${stamp}DRYRUN deny 200 GET "
t_match "$(cat log)" 'dry run: 0 allowed, 1 denied$'
run cijail --dry-run -v --log-format json -e https://registry.example/pkg/ -- sh -c "
    curl -s https://registry.example/pkg/lodash; curl -s -o /dev/null https://registry.example/no; dig a.example @203.0.113.5
    python3 unix.py say $T_TMP/sock"
cp "$T_TMP/err" json
run python3 -c 'import json
for line in open("json"):
    o = json.loads(line)
    print(o["decision"], o["dry_run"], o["kind"], o.get("url") or o.get("name") or o.get("path") or o.get("address"), o.get("reason"))'
t_match "$out" '^allow True request https://registry\.example/pkg/lodash None$'
t_match "$out" '^deny True request https://registry\.example/no no endpoint allows it$'
t_match "$out" '^deny True resolve a\.example '
t_match "$out" '^deny True connect 203\.0\.113\.5 '
t_match "$out" "^deny True unix $T_TMP/sock "
t_no_match "$out" False

t_case 'exit status: 99 after any dry run, whatever the command did and --fail-on-deny says'
run cijail --dry-run -- true
t_status 99
t_match "$err" 'dry run: 0 allowed, 0 denied$'
run cijail --dry-run -- sh -c 'exit 3'
t_status 99
run cijail --dry-run -- sh -c 'kill -9 $$'
t_status 99
run cijail --dry-run --fail-on-deny -- curl -s https://registry.example/
t_status 99
run cijail --fail-on-deny -- curl -s https://registry.example/
t_assert 'curl succeeded' test "$status" != 0
t_assert 'a run is taken for a dry run' test "$status" != 99
run cijail --dry-run -- /nonexistent
t_status 127
run cijail --dry-run -- /etc
t_status 126
run cijail --dry-run -e 'ftp://x/' -- touch ran
t_status 125
t_false test -e ran

t_case 'CIJAIL_DRY_RUN'
run env CIJAIL_DRY_RUN=1 cijail -- curl -s https://registry.example/pkg/lodash
t_status 99
t_eq "$out" 'a package'
for value in 0 unset; do
    if [[ $value == unset ]]; then run env -u CIJAIL_DRY_RUN cijail -- true; else run env CIJAIL_DRY_RUN=$value cijail -- true; fi
    t_status 0
done
for value in '' yes 2 true 01; do
    run env CIJAIL_DRY_RUN="$value" cijail -- touch ran
    t_status 125
    t_match "$err" "CIJAIL_DRY_RUN is '$value'; expected 1, 0 or unset"
    t_false test -e ran
done

t_case 'what a dry run cannot let through is a plain deny: ICMP, malformed requests, transfers of zones'
run cijail --dry-run -- python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.sendto(b"\10\0\0\0\0\0\0\0", ("203.0.113.5", 0))'
t_no_match "$err" 'DRYRUN deny connect 203'
run cijail --dry-run -- python3 -c 'import socket
s = socket.create_connection(("'$GATEWAY'", 3128)); s.sendall(b"GET /origin HTTP/1.1\r\nHost: x\r\n\r\n"); print(s.recv(12))'
t_match "$out" "HTTP/1.1 400"
t_match "$err" "${stamp}deny - GET /origin\$"
run cijail --dry-run -- dig +noall +comments registry.example AXFR
t_match "$err" "${stamp}deny resolve registry\\.example AXFR\$"

t_case 'the loopback of the host is not reached'
python3 -m http.server --bind 127.0.0.1 18080 >/dev/null 2>&1 </dev/null &
for ((i = 0; i < 100; i++)); do curl -s -o /dev/null http://127.0.0.1:18080/ && break; sleep 0.05; done
run cijail --dry-run -- curl -s -m 5 -x "$PROXY" --noproxy '' http://127.0.0.1:18080/sock
t_match "$err" "${stamp}deny - GET http://127\\.0\\.0\\.1:18080/sock\$"
run cijail --dry-run -- curl -s -m 5 http://127.0.0.1:18080/
t_eq "$out" ''
run cijail --dry-run -v --allow-loopback -- curl -s -m 5 http://127.0.0.1:18080/unix.py
t_match "$out" 'import errno'
t_match "$err" "${stamp}DRYRUN allow connect 127\\.0\\.0\\.1:18080\$"

t_case 'a client with roots of its own: the log says what it needs'
cp /etc/ssl/certs/ca-certificates.crt own.pem
for how in '' '--noproxy *'; do
    # shellcheck disable=SC2086
    (set -f; run cijail --dry-run -- curl -s --cacert ./own.pem $how https://registry.example/; echo "$err" >own.err)
    t_match "$(cat own.err)" "${stamp}DRYRUN deny - CONNECT registry\\.example:443: the client does not trust the CA of the jail .*needs the endpoint registry\\.example:443\$"
done

t_done
