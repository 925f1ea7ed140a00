#!/usr/bin/env bash
# The DNS standards, point by point: RFC 1034/1035, 2181, 2308, 3597, 6672, 6891, 7766, 8020, 8767, 9460; the cache; the
# host's own names; servers that are dead, wrong or hostile (tests/lib/dns-server.py).
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dig_status() { sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$1"; }

# upstream MODE...: resolv.conf names servers at 127.0.0.1, .2, … of the test's host, each with that behaviour; with "-"
# for one that is not there. What each was asked is in upstream.log.
upstream() {
    local i=0 mode
    stop_upstream
    : >upstream.log
    : >resolv.conf
    for mode; do
        i=$((i + 1))
        echo "nameserver 127.0.0.$i" >>resolv.conf
        [[ $mode == - ]] || { python3 "$T_LIB/dns-server.py" 127.0.0.$i "$mode" >>upstream.log 2>upstream.$i.err </dev/null & }
    done
    for ((i = 1; i <= $#; i++)); do
        [[ ${!i} == - ]] || listens $i || t_fail "server $i: $(cat upstream.$i.err; cat upstream.log; ps axf -o stat,etime,args)"
    done
    cat resolv.conf >"$(readlink -f /etc/resolv.conf)"
}
listens() { # NUMBER: that server does, within a minute
    local n
    for ((n = 0; n < 1200 * ${T_SLOW:-1}; n++)); do
        [[ -n $(ss -Hlt "src 127.0.0.$1:53") ]] && return
        sleep 0.05
    done
    return 1
}
stop_upstream() {
    local pid
    for pid in $(jobs -p); do kill "$pid" 2>/dev/null; done
    wait
}
asked() { grep -c "asked.* $1" upstream.log; } # how often, of any server

cat >ask.py <<'END'
# ask.py NAME...: an A query for each, all at once over one TCP connection (RFC 7766, 6.2.1.1), and what came back.
import socket, struct, sys
def query(i, name):
    q = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"
    m = struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + q + struct.pack(">2H", 1, 1)
    return struct.pack(">H", len(m)) + m
s = socket.create_connection(("192.0.0.1", 53), 10)
s.sendall(b"".join(query(i, n) for i, n in enumerate(sys.argv[1:])))
f = s.makefile("rb")
got = {}
for _ in sys.argv[1:]:
    m = f.read(struct.unpack(">H", f.read(2))[0])
    got[struct.unpack(">H", m[:2])[0]] = f"{m[3] & 15}/{m[7]}"
print(" ".join(got[i] for i in sorted(got)))
END

t_case 'RFC 7766: queries pipelined over one connection are all answered, refused ones too'
run cijail -e '*.example' -- python3 ask.py registry.example missing.example a.test many.example text.example
t_eq "$out" '0/1 3/0 5/0 0/100 0/0'

t_case 'RFC 3597: a type that nobody knows'
run cijail -e unknown.example -- dig +short unknown.example TYPE65280
t_eq "$out" '\# 4 0A000001'

t_case 'RFC 6672: DNAME, and the CNAME made of it'
run cijail -e '*.old.example' -- dig +noall +answer a.old.example A
t_match "$out" $'^old\\.example\\.\t.*\tDNAME\twild\\.example\\.'
t_match "$out" $'^a\\.old\\.example\\.\t.*\tCNAME\ta\\.wild\\.example\\.'
t_match "$out" $'^a\\.wild\\.example\\.\t.*\tA\t198\\.51\\.100\\.10$'
run cijail -e '*.old.example' -- getent ahostsv4 a.old.example
t_match "$out" '^198\.51\.100\.10 '

t_case 'RFC 9460: HTTPS records come without ech, the rest stays'
run cijail -e svcb.example -- dig +short svcb.example HTTPS
t_match "$out" '^1 \. .*alpn="h2,h3"'
t_match "$out" 'ipv4hint=198\.51\.100\.10'
t_match "$out" 'port=8443'
t_no_match "$out" '(ech|10\.0\.0\.1|elsewhere)'
run dig +short svcb.example HTTPS
t_match "$out" 'ech='
t_match "$out" 'elsewhere'

t_case 'RFC 2308: negative answers carry the SOA, with the time that they hold'
run cijail -e missing.example -- dig missing.example
t_eq "$(dig_status "$out")" NXDOMAIN
t_match "$out" $'^\\.\t+60\tIN\tSOA'
run cijail -e notadress.example -- dig notadress.example
t_eq "$(dig_status "$out")" NOERROR
t_match "$out" $'^\\.\t+60\tIN\tSOA'

t_case 'PTR of an address that the jail was told; of others REFUSED'
wire_start
run cijail -e registry.example -- sh -c 'dig +short registry.example; dig +short -x 198.51.100.10; dig -x 198.51.100.11'
wire_stop
t_match "$out" '^registry\.example\.$'
t_eq "$(dig_status "$out")" REFUSED
t_no_match "$WIRE" 'arpa'

t_case 'the jail'\''s host name is its own'
wire_start
run cijail -- sh -c 'dig +short "$(uname -n)"'
wire_stop
t_eq "$out" 127.0.0.1
t_eq "$WIRE" ''

t_case 'hosts(5) holds for allowed names, and for no others'
cp /etc/hosts hosts.kept
printf '198.51.100.77 pinned.example\n198.51.100.77 other.test\n' | cat hosts.kept - >/etc/hosts 2>/dev/null
run cijail -e pinned.example -- sh -c 'dig +short pinned.example; dig +short other.test @192.0.0.1'
if [[ -w /etc/hosts ]]; then t_eq "$out" 198.51.100.77; else t_eq "$out" ''; fi
[[ -w /etc/hosts ]] && cat hosts.kept >/etc/hosts

t_case 'private addresses: withheld, unless the policy says NAME!private; local ones never'
run cijail -e rebind-private.example -- dig +short rebind-private.example
t_eq "$out" ''
run cijail -e '*-private.example!private' -- dig +short rebind-private.example
t_count 3 "$out" '^(10\.0\.0\.1|172\.16\.0\.1|192\.168\.0\.1)$'
run cijail -e '*.example!private' -- sh -c 'dig +short rebind-loopback.example; dig +short rebind-metadata.example'
t_eq "$out" ''

t_case 'RFC 1035, 2181: an answer is kept, its time counts down, and is asked for once'
wire_start
run cijail -e registry.example -- sh -c 'dig +noall +answer registry.example; sleep 2; dig +noall +answer registry.example'
wire_stop
t_eq "$(awk '{print $2}' <<<"$out" | head -1)" 60
t_match "$(awk 'NR == 2 {print $2}' <<<"$out")" '^5[0-8]$'
t_count 1 "$WIRE" ' A\? registry\.example'

t_case 'RFC 2308: NXDOMAIN is kept too'
wire_start
run cijail -e missing.example -- sh -c 'dig missing.example; dig missing.example'
wire_stop
t_count 2 "$out" 'status: NXDOMAIN'
t_count 1 "$WIRE" ' A\? missing\.example'

t_case 'a hundred lookups of one name at once are one upstream query'
if [[ -w /etc/resolv.conf ]]; then
    upstream slow
    run cijail -e a.example -- python3 -c '
import socket, struct
q = b"\1a\7example\0\0\1\0\1"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
for i in range(100): s.sendto(struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + q, ("192.0.0.1", 53))
print(len({s.recv(4096)[:2] for _ in range(100)}))'
    t_eq "$out" 100
    t_eq "$(asked a.example)" 1

    t_case 'RFC 8767: upstream dies, and what was known is still told, with 30 s'
    upstream ttl1
    run cijail -e '*.example' -- sh -c 'dig +short a.example; touch seen; until [ -e dead ]; do sleep 0.1; done; sleep 1.2
        dig +noall +answer +timeout=15 +tries=1 a.example; dig +timeout=15 +tries=1 b.example' &
    until_true test -e seen
    kill "$(pgrep -f 'dns-server.py 127.0.0.1 ttl1')"
    touch dead
    wait $! 2>/dev/null
    wait
    out=$(cat "$T_TMP/out")
    t_match "$out" $'^a\\.example\\.\t+30\tIN\tA\t198\\.51\\.100\\.1'
    t_eq "$(dig_status "$out")" SERVFAIL

    for mode in wrong-id wrong-question spoofed; do
        t_case "RFC 5452: $mode: not believed, and the right answer that comes after is"
        upstream $mode
        run cijail -e a.example -- dig +short +timeout=15 +tries=1 a.example
        t_eq "$out" 198.51.100.1
    done

    for mode in garbage cut loop pointer oversized counts query-back; do
        t_case "a server that answers $mode: SERVFAIL, and the next name is served"
        upstream $mode
        run cijail -e '*.example' -- sh -c 'dig +timeout=15 +tries=1 a.example; dig +short localhost'
        t_eq "$(dig_status "$out")" SERVFAIL
        t_match "$out" '^127\.0\.0\.1$'
        t_no_match "$out" '66\.66'
    done

    t_case 'late answers are taken neither for their own question, asked again, nor for a later one'
    upstream late
    run cijail -e '*.example' -- sh -c 'dig +timeout=2 +tries=1 +short a.example; dig +timeout=15 +tries=1 +short b.example
        dig +timeout=2 +tries=1 +short a.example'
    t_match "$(<upstream.log)" '^late$'
    t_match "$out" '^198\.51\.100\.1$'
    t_no_match "$out" '66\.66'

    for mode in - silent servfail refused; do
        t_case "failover: the first server is $mode, the second answers"
        upstream "$mode" good
        run cijail -e a.example -- dig +short +timeout=15 +tries=1 a.example
        t_eq "$out" 198.51.100.1
    done

    t_case 'RFC 6891, 7: a server without EDNS is asked without'
    upstream noedns
    run cijail -e a.example -- dig +short +timeout=15 +tries=1 a.example
    t_eq "$out" 198.51.100.1

    t_case 'a server that drops what has EDNS is asked without, and the next time at once'
    upstream edns-dropped
    run cijail -e '*.example' -- sh -c 'dig +short +timeout=15 +tries=1 a.example; dig +short +timeout=15 +tries=1 b.example'
    t_count 2 "$out" '^198\.51\.100\.1$'
    t_eq "$(asked a.example) $(asked b.example)" '2 1'

    t_case 'a server that needs more time than an attempt has'
    upstream slower
    run cijail -e a.example -- dig +short +timeout=15 +tries=1 a.example
    t_eq "$out" 198.51.100.1

    t_case 'RFC 4074, 4.2: NXDOMAIN of AAAA, where there is an A'
    upstream no-aaaa
    run cijail -e a.example -- sh -c 'dig +short a.example; dig a.example AAAA; dig +short a.example; dig +short a.example'
    t_count 3 "$out" '^198\.51\.100\.1$'
    t_match "$out" 'status: NXDOMAIN'
    t_eq "$(asked a.example)" 2
    : >upstream.log
    run cijail -e a.example -- sh -c 'dig a.example AAAA; dig +short a.example'
    t_match "$out" 'status: NXDOMAIN'
    t_match "$out" '^198\.51\.100\.1$'
    t_eq "$(asked a.example)" 2

    t_case 'options use-vc: by TCP alone'
    upstream good
    echo 'options use-vc' >>"$(readlink -f /etc/resolv.conf)"
    run cijail -e a.example -- dig +short +timeout=15 +tries=1 a.example
    t_eq "$out" 198.51.100.1
    t_eq "$(grep asked upstream.log)" 'asked tcp a.example'

    t_case 'options attempts, timeout: as often as that, and no longer than a program of the host would wait'
    for n in 1 2; do
        upstream silent
        echo "options timeout:1 attempts:$n" >>"$(readlink -f /etc/resolv.conf)"
        run cijail -e a.example -- dig +timeout=15 +tries=1 a.example
        t_eq "$(dig_status "$out") $(asked a.example)" "SERVFAIL $n"
    done
    upstream good
    echo 'options timeout:5 attempts:1' >>"$(readlink -f /etc/resolv.conf)"
    run cijail -e a.example -- dig +short +timeout=15 +tries=1 a.example
    t_eq "$out" 198.51.100.1

    t_case 'options rotate: the servers in turn; without it the first one' # that the time of an answer tells
    upstream good ttl1
    run cijail -e '*.example' -- sh -c 'for i in a b c d; do dig +noall +answer $i.example; done'
    t_count 4 "$out" $'\t60\tIN'
    echo 'options rotate' >>"$(readlink -f /etc/resolv.conf)"
    run cijail -e '*.example' -- sh -c 'for i in a b c d; do dig +noall +answer $i.example; done'
    t_count 2 "$out" $'\t60\tIN'
    t_count 2 "$out" $'\t1\tIN'
    upstream - ttl1
    echo 'options rotate' >>"$(readlink -f /etc/resolv.conf)"
    run cijail -e '*.example' -- sh -c 'for i in a b c d; do dig +noall +answer $i.example; done'
    t_count 4 "$out" $'\t1\tIN'

    t_case 'a truncated answer is asked for over TCP'
    upstream truncated
    run cijail -e a.example -- dig +short +timeout=15 +tries=1 a.example
    t_eq "$out" 198.51.100.1
    t_eq "$(grep -c 'asked tcp a.example' upstream.log)" 1

    t_case 'RFC 8020: nothing is below a name that does not exist, and nobody is asked for it'
    upstream nxdomain
    run cijail -e '*.example' -- sh -c 'dig missing.example; dig missing.example AAAA; dig b.a.missing.example; dig +short a.example'
    t_count 3 "$out" 'status: NXDOMAIN'
    t_count 3 "$out" $'^\\.\t.*\tSOA'
    t_match "$out" '^198\.51\.100\.1$'
    t_eq "$(grep -c 'missing' upstream.log)" 1
    if [[ -w /etc/hosts ]]; then
        cp /etc/hosts hosts.kept
        echo '198.51.100.78 db.missing.example' | cat hosts.kept - >/etc/hosts
        run cijail -e '*.example' -- sh -c 'dig +short missing.example; dig +short db.missing.example'
        t_eq "$out" 198.51.100.78
        cat hosts.kept >/etc/hosts
    fi

    t_case 'resolv.conf is read anew when it changes'
    upstream good good
    resolv=$(readlink -f /etc/resolv.conf)
    echo 'nameserver 127.0.0.1' >"$resolv"
    : >upstream.log
    run cijail -e '*.example' -- sh -c 'dig +short a.example; touch changing; until [ -e changed ]; do sleep 0.1; done
        dig +short b.example' &
    jail=$!
    until_true test -e changing
    kill "$(pgrep -f 'dns-server.py 127.0.0.1 good')"
    echo 'nameserver 127.0.0.2' >"$resolv"
    sleep 1.1 # the file is looked at once a second
    touch changed
    wait $jail
    t_match "$(<upstream.log)" 'asked udp b\.example'
    t_count 2 "$(<"$T_TMP/out")" '^198\.51\.100\.1$'
fi
stop_upstream

t_case 'opcodes, classes and meta types: NOTIMP, REFUSED, nothing upstream'
wire_start
run cijail -e registry.example -- sh -c 'dig +opcode=status registry.example; dig -c CH registry.example TXT; dig registry.example AXFR; dig +short registry.example ANY'
wire_stop
t_match "$out" 'status: NOTIMP'
t_match "$out" 'status: REFUSED'
t_match "$out" 'RFC8482'
t_eq "$WIRE" ''
t_done
