#!/usr/bin/env bash
# DNS servers of the policy (ADDRESS:53): the client reaches the one that it asks, and the names are judged all the same.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dig_status() { sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$1"; }

# The three steps of the talk: no such server; the server, but not the name; both.
for server in 203.0.113.5 2001:db8:53::53; do
    if [[ $server == *:* ]]; then endpoint="[$server]:53"; else endpoint=$server:53; fi
    for how in +notcp +tcp; do
        t_case "dig $how @$server: without an endpoint there is no way there"
        wire_start
        run cijail -- dig $how +tries=1 +time=5 registry.example @$server
        wire_stop
        t_no_match "$out" 'status:'
        t_match "$err" "deny connect \\[?$server\\]?:53"
        t_eq "$WIRE" ''
        t_under 4000

        t_case "dig $how @$server: $endpoint connects, and is refused the name"
        wire_start
        run cijail -e "$endpoint" -- dig $how +tries=1 +time=5 registry.example @$server
        wire_stop
        t_status 0
        t_eq "$(dig_status "$out")" REFUSED
        t_match "$out" "SERVER: $server#53"
        t_count 1 "$err" ' cijail: deny resolve registry\.example A$'
        t_denials 1
        t_eq "$WIRE" ''
        t_under 4000

        t_case "dig $how @$server: $endpoint and the name get the answer, from that server"
        wire_start
        run cijail -v -e "$endpoint registry.example" -- dig $how +tries=1 +time=5 registry.example @$server
        wire_stop
        t_status 0
        t_eq "$(dig_status "$out")" NOERROR
        t_match "$out" "SERVER: $server#53"
        t_match "$out" '^registry\.example\..*IN.A.198\.51\.100\.10$'
        t_count 1 "$err" ' cijail: allow resolve registry\.example A$'
        t_no_match "$err" 'connect'
        t_match "$WIRE" "> $server\\.53: .*A\\? registry\\.example"
        t_no_match "$WIRE" '> 192\.0\.2\.53\.53:'
    done
done

t_case 'the gateway is asked at the host'\''s own server, whatever others there are'
wire_start
run cijail -e '203.0.113.5:53 registry.example' -- dig +short registry.example
wire_stop
t_eq "$out" 198.51.100.10
t_match "$WIRE" '> 192\.0\.2\.53\.53: .*A\? registry\.example'
t_no_match "$WIRE" '> 203\.0\.113\.5\.53:'

t_case 'a network of servers, and what is beside it'
for endpoint in 203.0.113.0/24:53 0.0.0.0/0:53 '203.0.113.0/30:53 203.0.113.4/31:53'; do
    run cijail -e "$endpoint registry.example" -- dig +short +tries=1 registry.example @203.0.113.5
    t_eq "$out" 198.51.100.10
done
run cijail -e '203.0.113.0/30:53 registry.example' -- dig +short +tries=1 registry.example @203.0.113.5
t_match "$err" 'deny connect 203\.0\.113\.5:53'
run cijail -e '[2001:db8:53::]/48:53 registry.example' -- dig +short +tries=1 registry.example @2001:db8:53::53
t_eq "$out" 198.51.100.10
run cijail -e '[2001:db8:54::]/48:53 registry.example' -- dig +short +tries=1 registry.example @2001:db8:53::53
t_match "$err" 'deny connect \[2001:db8:53::53\]:53'

t_case 'the same name at two servers at once: each is asked, each answers'
wire_start
run cijail -e '203.0.113.5:53 192.0.2.53:53 [2001:db8:53::53]:53 registry.example' -- sh -c '
    for server in 203.0.113.5 192.0.2.53 2001:db8:53::53; do dig +short registry.example @$server & done; wait'
wire_stop
t_count 3 "$out" '^198\.51\.100\.10$'
for server in 203.0.113.5 192.0.2.53 2001:db8:53::53; do
    t_match "$WIRE" "> $server\\.53: .*A\\? registry\\.example"
done

t_case 'a reply that is cut over UDP is asked for over TCP, and a big one comes over TCP'
run cijail -e '203.0.113.5:53 many.example' -- dig +short many.example @203.0.113.5
t_count 100 "$out" '^198\.51\.100\.'
run cijail -e '203.0.113.5:53 huge.example' -- dig +short huge.example TXT @203.0.113.5
t_count 280 "$out" xxxx

t_case 'a client that checks the address of its answer (a connected socket, and one that is not)'
cat >ask.py <<'END'
import socket, struct, sys
question = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\x08registry\x07example\0\0\1\0\1"
server = sys.argv[1]
family = socket.AF_INET6 if ":" in server else socket.AF_INET
for connected in True, False:
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(3)
    if connected:
        s.connect((server, 53))
        s.send(question)
    else:
        s.sendto(question, (server, 53))
    answer, sender = s.recvfrom(4096)
    print(connected, sender[:2], answer[3] & 15, struct.unpack(">H", answer[6:8])[0])
END
for server in 203.0.113.5 2001:db8:53::53; do
    run cijail -e '203.0.113.5:53 [2001:db8:53::53]:53 registry.example' -- python3 ask.py $server
    t_eq "$out" "True ('$server', 53) 0 1
False ('$server', 53) 0 1"
done

t_case 'a server that does not answer: SERVFAIL in the end, and no other is asked'
wire_start
run cijail -e '203.0.113.250:53 registry.example' -- dig +tries=1 +time=15 registry.example @203.0.113.250
wire_stop
t_eq "$(dig_status "$out")" SERVFAIL
t_match "$WIRE" '> 203\.0\.113\.250\.53: .*A\? registry\.example'
t_no_match "$WIRE" '> 192\.0\.2\.53\.53:'

t_case 'nothing but DNS gets to such a server'
run cijail -e '203.0.113.5:53' -- python3 "$T_LIB/connect.py" tcp 203.0.113.5 54
t_match "$err" 'deny connect 203\.0\.113\.5:54'
wire_start
run cijail -e '203.0.113.5:53 registry.example' -- python3 -c 'import socket
s = socket.create_connection(("203.0.113.5", 53), 5)
s.sendall(b"GET / HTTP/1.1\r\nHost: registry.example\r\n\r\n")
s.settimeout(3)
print(s.recv(100))'
wire_stop
t_eq "$out" "b''"
t_eq "$WIRE" ''

t_case 'a loopback address is no DNS server of the jail'\''s network: refused by this version'
for word in 127.0.0.1:53 127.0.0.0/8:53 '[::1]:53'; do
    run cijail -e "$word" -- true
    t_status 125
    t_match "$err" "'.*:53': (a resolver of the host would answer|another spelling of the host's loopback)"
done

t_case 'a hundred lookups side by side, over both'
run cijail -e '203.0.113.5:53 *.wild.example' -- sh -c 'seq 100 | xargs -P 20 -I {} dig +short {}.wild.example @203.0.113.5 | sort | uniq -c'
t_match "$out" '^ *100 198\.51\.100\.10$'
run cijail -e '203.0.113.5:53 *.wild.example' -- sh -c 'seq 100 | xargs -P 20 -I {} dig +tcp +short {}.wild.example @203.0.113.5 | sort | uniq -c'
t_match "$out" '^ *100 198\.51\.100\.10$'

t_done
