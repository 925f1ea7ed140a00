#!/usr/bin/env bash
# timeout: 200
# Many of everything: the memory of cijail's processes stays bounded, the log folds, and the build goes on meanwhile.
# More: e2e/07-log.sh, e2e/04-http.sh (big bodies, thousands of connections), e2e/14-unix.sh (thousands of connects).
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
ulimit -n "$(ulimit -Hn)"

# flood SCRIPT: runs it in a jail, after a lookup, so that both proxies are there; sets out, err, and supervisor, http, dns to the largest resident sets in KiB.
flood() {
    local pid p name
    declare -gA rss=([supervisor]=0 [http]=0 [dns]=0)
    cijail -e 'https://registry.example/pkg/ http://registry.example/pkg/ *.wild.example' -- sh -c 'getent hosts registry.example >/dev/null; exec python3 -u "$@"' sh "$@" >out 2>err </dev/null &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        for p in supervisor:$pid "http:$(pgrep -x cijail-httpprox)" "dns:$(pgrep -x cijail-dnsproxy)"; do
            name=${p%%:*}
            p=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${p#*:}/status" 2>/dev/null)
            ((${p:-0} > rss[$name])) && rss[$name]=$p
        done
        sleep 0.1
    done
    wait $pid
    status=$? out=$(cat out) err=$(cat err)
    echo "# resident, KiB: supervisor ${rss[supervisor]}, httpproxy ${rss[http]}, dnsproxy ${rss[dns]}"
}
bounded() { # SUPERVISOR HTTPPROXY DNSPROXY: at most so many MiB
    t_status 0
    t_match "$out" '^a package$'
    t_assert "supervisor: ${rss[supervisor]} KiB" test "${rss[supervisor]}" -gt 1000 -a "${rss[supervisor]}" -lt $(($1 * 1024))
    t_assert "httpproxy: ${rss[http]} KiB" test "${rss[http]}" -gt 1000 -a "${rss[http]}" -lt $(($2 * 1024))
    t_assert "dnsproxy: ${rss[dns]} KiB" test "${rss[dns]}" -gt 1000 -a "${rss[dns]}" -lt $(($3 * 1024))
    t_assert "the log has $(wc -l <err) lines" test "$(wc -l <err)" -lt 3000
}
cat >common.py <<'END'
import os, resource, socket, struct, subprocess, sys, threading, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
proxy = ("192.0.0.1", 3128)
def build():
    for i in range(3):
        print(subprocess.run(["curl", "-sS", "-m", "20", "https://registry.example/pkg/lodash"], stdout=subprocess.PIPE, text=True).stdout, end="")
END

t_case '100,000 denied connections and packets, to as many places'
cat >connects.py <<'END'
from common import *
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for i in range(90000):
    try: (u.sendto(b"x", (f"198.51.{i >> 8 & 255}.{i & 255}", 1000 + i % 60000)) if i % 2 else u6.sendto(b"x", (f"2001:db8::{i:x}", 1000)))
    except OSError: pass
for i in range(5000):
    s = socket.socket()
    try: s.connect((f"203.0.{i >> 8 & 255}.{i & 255}", 22))
    except OSError: pass
    s.close()
host = ["/run/docker.sock", "/nonexistent"]
s = socket.socket(socket.AF_UNIX)
for i in range(5000):
    try: s.connect(sys.argv[1])
    except OSError: pass
build()
END
python3 "$T_SRC/tests/net/sockets.py" "$T_TMP/host" >/dev/null 2>&1 </dev/null &
flood connects.py "$T_TMP/host"
bounded 64 64 64
t_match "$err" "[0-9]+ more denials, of which each is not listed$"

t_case '10,000 queries: denied ones of as many names, and allowed ones that nobody waits for'
cat >queries.py <<'END'
from common import *
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.connect(("192.0.0.1", 53)); u.setblocking(False)
def name(*labels): return b"".join(bytes([len(l)]) + l for l in labels) + b"\0"
for i in range(10000):
    n = name(b"%060d" % i, b"%060d" % i, b"attacker", b"test") if i % 10 else name(b"%d" % i, b"wild", b"example")
    try: u.send(struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + n + b"\0\1\0\1")
    except OSError: pass
    try:
        while u.recv(2000): pass
    except OSError: pass
connections = []
for i in range(500):  # TCP: half a query each
    try: c = socket.create_connection(("192.0.0.1", 53), 2); c.sendall(b"\0\x30" + b"half"); connections.append(c)
    except OSError: break
build()
print(subprocess.run(["dig", "+short", "+tries=3", "a.wild.example"], stdout=subprocess.PIPE, text=True).stdout)
END
flood queries.py
bounded 96 64 96
t_match "$out" '^198\.51\.100\.10$'

t_case 'connections that never say anything, say half, or too much: silent ones, half-open TLS, slow heads, huge heads'
cat >slow.py <<'END'
from common import *
keep = []
def new(address):
    s = socket.create_connection(address, 5)
    keep.append(s)
    return s
for i in range(200):
    new(proxy)                                                      # silent
    new(("203.0.113.77", 443)).sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")   # half a ClientHello
    new(proxy).sendall(b"GET http://registry.example/pkg/ HTTP/1.1\r\nHost: registry.example\r\nX-Slow: ")
    s = new(proxy); s.sendall(b"CONNECT registry.example:443 HTTP/1.1\r\nHost: registry.example:443\r\n\r\n")  # a tunnel without TLS
    new(proxy).sendall(b"POST http://registry.example/pkg/ HTTP/1.1\r\nHost: registry.example\r\nContent-Length: 1000000\r\n\r\nx")
stop = False
def drip():  # slowloris
    while not stop:
        for s in keep[2::5]:
            try: s.send(b"a")
            except OSError: pass
        time.sleep(0.2)
threading.Thread(target=drip, daemon=True).start()
refused = 0
for i in range(40):
    s = new(proxy)
    try:
        s.sendall(b"GET http://registry.example/pkg/ HTTP/1.1\r\nHost: registry.example\r\n")
        for j in range(64): s.sendall(b"X-%d: " % j + b"h" * 16384 + b"\r\n")
        refused += b" 431 " in s.recv(1000)
    except OSError: refused += 1  # reset while we sent
print("refused", refused)
for i in range(40):
    s = new(proxy)
    try:
        s.sendall(b"GET http://registry.example/" + b"u" * (1 << 20))
        refused += s.recv(1000).startswith(b"HTTP/1.1 4")
    except OSError: refused += 1
print("refused", refused)
build()
stop = True
END
flood slow.py
bounded 64 192 64
t_match "$out" '^refused 40$'
t_match "$out" '^refused 80$'

t_case 'answers that nobody reads, and requests that nobody answers'
cat >unread.py <<'END'
from common import *
keep = []
for i in range(30):
    s = socket.create_connection(proxy, 5); s.settimeout(0.2); keep.append(s)
    try:
        for j in range(2000): s.sendall(b"GET http://registry.example/private/%d HTTP/1.1\r\nHost: registry.example\r\n\r\n" % j * 50)
    except OSError: pass
build()
END
flood unread.py
bounded 96 128 64

# shellcheck disable=SC2046
kill $(jobs -p) 2>/dev/null
t_done
