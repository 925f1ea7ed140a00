#!/usr/bin/env bash
# A name whose owner points it at the host's own public address: what listens there is behind no firewall.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
H4=192.0.2.10 H6=2001:db8:0:2::10

# At the host's addresses: TCP that says what it is, HTTP, and UDP that answers; each counts whom it heard.
cat >serve.py <<'EOF'
import selectors, socket, sys
sel = selectors.DefaultSelector()
for family, address in (socket.AF_INET, sys.argv[1]), (socket.AF_INET6, sys.argv[2]):
    for port in 7000, 8080:
        s = socket.create_server((address, port), family=family)
        sel.register(s, selectors.EVENT_READ, "tcp")
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, 7000))
    sel.register(s, selectors.EVENT_READ, "udp")
open("server.ready", "w").close()
while True:
    for key, _ in sel.select():
        if key.data == "udp":
            data, peer = key.fileobj.recvfrom(100)
            print("udp", data, flush=True)
            key.fileobj.sendto(b"secret", peer)
            continue
        c, _ = key.fileobj.accept()
        c.settimeout(0.2)
        try: data = c.recv(1000)
        except OSError: data = b""
        if data: print("tcp", data[:20], flush=True)
        try: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        except OSError: pass
        c.close()
EOF
python3 serve.py $H4 $H6 >server.log 2>server.err </dev/null &
server=$!
for ((i = 0; i < 200; i++)); do [[ -e server.ready ]] && break; sleep 0.05; done
[[ -e server.ready ]] || t_fail "server: $(cat server.err)"

# talk.py KIND FAMILY PORT: resolves, sends, prints what comes.
cat >talk.py <<'EOF'
import errno, socket, sys
kind, family, port = sys.argv[1], {"4": socket.AF_INET, "6": socket.AF_INET6}[sys.argv[2]], int(sys.argv[3])
try:
    to = socket.getaddrinfo("rebind-host.example", port, family)[0][4]
    s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.settimeout(10)
    s.connect(to)
    s.send(b"stolen")
    print(s.recv(1000).decode()[-6:])
except OSError as e: print(errno.errorcode.get(e.errno, e))
EOF
heard() { sort -u server.log | tr '\n' ' '; }

t_case 'http to it by its name: withheld'
run cijail -e 'http://rebind-host.example:8080/' -- curl -sS http://rebind-host.example:8080/
t_no_match "$out" '^secret$'
t_match "$out$err" 'an address of this host itself'
# shellcheck disable=SC2086
run cijail -e 'http://rebind-host.example:8080/' -- $unset_proxies curl -sS http://rebind-host.example:8080/
t_no_match "$out" '^secret$'
t_eq "$(heard)" ''

t_case 'NAME:PORT, by CONNECT and directly, TCP and UDP: withheld, at once, and in the log'
run cijail -e rebind-host.example:7000 -- curl -sS -p -x "$PROXY" http://rebind-host.example:7000/
t_match "$err" " cijail: deny - CONNECT rebind-host\.example:7000: rebind-host\.example is an address of this host itself"
for family in 4 6; do
    for kind in tcp udp; do
        run cijail -e rebind-host.example:7000 -- python3 talk.py $kind $family 7000
        t_match "$out" '^(ENETUNREACH|EACCES)$'
        t_match "$err" " cijail: deny connect \\[?($H4|$H6)\\]?:7000\$"
        t_under 8000
    done
done
t_eq "$(heard)" ''

t_case 'the twins: the policy names the address too'
for pair in 4=$H4 6="[$H6]"; do
    run cijail -e 'http://rebind-host.example:8080/' -e "$H4:8080 [$H6]:8080" -- curl -sS http://rebind-host.example:8080/
    t_eq "$out" secret
    for kind in tcp udp; do
        run cijail -e "rebind-host.example:7000 ${pair#*=}:7000" -- python3 talk.py $kind "${pair%=*}" 7000
        t_eq "$out" secret
    done
done
run cijail -e "http://$H4:8080/" -- curl -sS http://$H4:8080/
t_eq "$out" secret
run cijail --dry-run -- curl -sS http://rebind-host.example:8080/
t_eq "$out" secret

kill "$server"
t_done
