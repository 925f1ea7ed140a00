#!/usr/bin/env bash
# The host's loopback in the jail: 127.0.0.1:PORT, [::1]:PORT, networks of 127.0.0.0/8, --allow-loopback.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
dial=$T_LIB/connect.py

# server.py NAME ADDRESS PORT [MODE]: touches NAME.ready; each connection gets "NAME\n" and, once it has ended its
# side, the number and the checksum of the bytes that it sent; the number goes to NAME.log too. MODE reset: resets it
# after the first byte. MODE v6only: IPV6_V6ONLY.
cat >server.py <<'END'
import socket, struct, sys, threading, zlib
name, address, port, mode = sys.argv[1], sys.argv[2], int(sys.argv[3]), (sys.argv + [""])[4]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if s.family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, mode == "v6only")
s.bind((address, port))
s.listen(1024)
log = open(name + ".log", "a")
def serve(c):
    with c:
        try:
            c.sendall(name.encode() + b"\n")
            n = total = 0
            while data := c.recv(65536):
                if mode == "reset":
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                n += len(data)
                total = zlib.crc32(data, total)
            c.sendall(b"%d %d\n" % (n, total))
            log.write("%d\n" % n)
        except ConnectionResetError:
            log.write("reset\n")
        log.flush()
open(name + ".ready", "w").close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
END
servers=()
serve() { # NAME ADDRESS PORT [MODE]
    local i
    python3 server.py "$@" >/dev/null 2>"$1.err" </dev/null &
    servers+=($!)
    for ((i = 0; i < 200; i++)); do [[ -e $1.ready ]] && return; sleep 0.05; done
    t_fail "server $1: $(cat "$1.err")"
}
# say.py ADDRESS PORT [BYTES]: sends, ends its side, prints what comes.
cat >say.py <<'END'
import socket, sys, threading
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
    n = int((sys.argv + ["0"])[3])
    def send():
        s.sendall(b"\1" * n)
        s.shutdown(socket.SHUT_WR)
    threading.Thread(target=send).start()
    while data := s.recv(65536):
        print(data.decode(), end="")
except OSError as e:
    import errno
    print(errno.errorcode.get(e.errno, e))
END
serve four 127.0.0.1 7001
serve six ::1 7002
serve two 127.0.0.2 7003
serve any 0.0.0.0 7004
serve dual :: 7005
serve only :: 7006 v6only
serve other 192.0.2.10 7007

t_case 'a port of the host'\''s loopback, at the same address; logged with -v'
run cijail -v -e 127.0.0.1:7001 -- python3 say.py 127.0.0.1 7001
t_eq "$out" $'four\n0 0'
t_match "$err" ' cijail: allow connect 127\.0\.0\.1:7001$'
t_match "$err" ' cijail: 1 allowed, 0 denied$'
run cijail -v -e '[::1]:7002' -- python3 say.py ::1 7002
t_eq "$out" $'six\n0 0'
t_match "$err" ' cijail: allow connect \[::1\]:7002$'
run cijail -e 127.0.0.1:7001 -- python3 say.py 127.0.0.1 7001
t_no_match "$err" 'allow connect'

t_case 'the twins: no endpoint, another port, another address, the other family'
for words in 'registry.example' '127.0.0.1:7002' '127.0.0.2:7001' '[::1]:7001'; do
    run cijail -e "$words" -- python3 "$dial" tcp 127.0.0.1 7001
    t_match "$out" '^ECONNREFUSED [0-9]{1,3}$'
done
for words in 'registry.example' '127.0.0.1:7002' '[::1]:7001'; do
    run cijail -e "$words" -- python3 "$dial" tcp ::1 7002
    t_match "$out" '^ECONNREFUSED [0-9]{1,3}$'
done

t_case 'at that address alone: not at the jail'\''s other addresses'
run cijail -e 127.0.0.1:7004 -- sh -c "for a in 127.0.0.1 127.0.0.2 192.0.0.2; do python3 $dial tcp \$a 7004; done"
t_match "$out" '^connected'
t_count 2 "$out" '^ECONNREFUSED'

t_case 'other addresses of 127.0.0.0/8, and networks of it'
run cijail -e 127.0.0.2:7003 -- python3 say.py 127.0.0.2 7003
t_eq "$out" $'two\n0 0'
run cijail -e 127.0.0.0/8:7003 -- python3 say.py 127.0.0.2 7003
t_eq "$out" $'two\n0 0'
run cijail -e 127.0.0.0/30:7003 -- python3 say.py 127.0.0.2 7003
t_eq "$out" $'two\n0 0'
run cijail -e 127.0.1.0/24:7003 -- python3 say.py 127.0.0.2 7003
t_eq "$out" ECONNREFUSED

t_case 'what listens at the wildcard address is at the loopback too'
for target in '127.0.0.1:7004 127.0.0.1 7004 any' '127.0.0.9:7004 127.0.0.9 7004 any' \
    '127.0.0.1:7005 127.0.0.1 7005 dual' '[::1]:7005 ::1 7005 dual' '[::1]:7006 ::1 7006 only'; do
    read -r word address port name <<<"$target"
    run cijail -e "$word" -- python3 say.py "$address" "$port"
    t_eq "$out" "$name"$'\n0 0'
done
run cijail -e 127.0.0.1:7006 -- python3 say.py 127.0.0.1 7006 # this one is IPv6 alone
t_no_match "$out" only

t_case '--allow-loopback: every port of it, and nothing of the host'\''s other addresses'
for target in '127.0.0.1 7001 four' '::1 7002 six' '127.0.0.2 7003 two' '127.0.0.1 7004 any' '127.0.0.1 7005 dual' \
    '::1 7005 dual'; do
    read -r address port name <<<"$target"
    run cijail -v --allow-loopback -- python3 say.py "$address" "$port"
    t_eq "$out" "$name"$'\n0 0'
    t_match "$err" "allow connect \\[?${address//./\\.}\\]?:$port\$"
done
run cijail --allow-loopback -- python3 "$dial" tcp 192.0.2.10 7007
t_match "$out" '^ENETUNREACH'
run cijail --allow-loopback -- python3 "$dial" tcp 127.0.0.1 7007
t_match "$out" '^ECONNREFUSED'
run python3 "$dial" tcp 192.0.2.10 7007
t_match "$out" '^connected'

t_case 'CIJAIL_ALLOW_LOOPBACK: 1, 0, or an error'
run env CIJAIL_ALLOW_LOOPBACK=1 "$CIJAIL" -- python3 say.py 127.0.0.1 7001
t_eq "$out" $'four\n0 0'
run env CIJAIL_ALLOW_LOOPBACK=0 "$CIJAIL" -- python3 say.py 127.0.0.1 7001
t_eq "$out" ECONNREFUSED
run env CIJAIL_ALLOW_LOOPBACK=yes "$CIJAIL" -- touch ran
t_status 125
t_match "$err" "CIJAIL_ALLOW_LOOPBACK is 'yes'; expected 1, 0 or unset"
t_false test -e ran

t_case 'a port that listens on the host later is there within a second, and gone with the host'\''s'
cat >watch.py <<'END'
import errno, os, socket, sys, time
port, log = int(sys.argv[1]), []
def state():
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            return s.makefile().readline().strip() or "reset"
    except OSError as e:
        return errno.errorcode[e.errno]
def wait(wanted, since):
    while not os.path.exists(since):
        time.sleep(0.01)
    start = time.time()
    while state() != wanted and time.time() - start < 10:
        time.sleep(0.02)
    took = time.time() - os.stat(since).st_mtime
    print(wanted, "in time" if took < 1.2 else took)
print(state())
open("later.begun", "w").close()
wait("later", "later.ready")
open("later.there", "w").close()
wait("ECONNREFUSED", "later.gone")
END
for option in --allow-loopback '-e 127.0.0.1:7010'; do
    rm -f later.*
    (
        until [[ -e later.begun ]]; do sleep 0.02; done
        python3 server.py later 127.0.0.1 7010 &
        until [[ -e later.there ]]; do sleep 0.02; done
        kill $!
        wait $!
        touch later.gone
    ) >/dev/null 2>&1 </dev/null &
    # shellcheck disable=SC2086
    run cijail $option -- python3 watch.py 7010
    t_eq "$out" $'ECONNREFUSED\nlater in time\nECONNREFUSED in time'
    wait $!
done

t_case 'a port that a server of the jail has taken stays that server'\''s'
cat >own.py <<'END'
import os, socket, time
s = socket.create_server(("127.0.0.1", 7011))
open("own.begun", "w").close()
while not os.path.exists("host.ready"):
    time.sleep(0.02)
time.sleep(1.5)
c = socket.create_connection(("127.0.0.1", 7011))
s.settimeout(5)
s.accept()[0].sendall(b"mine")
print(c.recv(10))
END
(until [[ -e own.begun ]]; do sleep 0.02; done; exec timeout 20 python3 server.py host 127.0.0.1 7011) >/dev/null 2>&1 </dev/null &
own=$!
run cijail --allow-loopback -- python3 own.py
t_eq "$out" "b'mine'"
run python3 say.py 127.0.0.1 7011
t_match "$out" '^host'
kill $own

t_case 'a port of the host'\''s cannot be taken by the jail; all others can'
run cijail -e 127.0.0.1:7001 -- python3 -c '
import errno, socket
for port in 7001, 7012:
    for address in "127.0.0.1", "0.0.0.0", "127.0.0.3":
        try:
            s = socket.create_server((address, port)); s.close(); print(address, port, "free")
        except OSError as e:
            print(address, port, errno.errorcode[e.errno])'
t_match "$out" '^127\.0\.0\.1 7001 EADDRINUSE$'
t_match "$out" '^0\.0\.0\.0 7001 EADDRINUSE$'
t_match "$out" '^127\.0\.0\.3 7001 free$'
t_count 3 "$out" '7012 free$'

t_case 'both directions to their ends: 50 MiB, half-closed'
run cijail -e 127.0.0.1:7001 -e '[::1]:7002' -- python3 say.py 127.0.0.1 7001 52428800
t_match "$out" '^52428800 '
through=$out
run python3 say.py 127.0.0.1 7001 52428800
t_eq "$out" "$through"

t_case 'a reset is passed on, in both directions'
serve reset 127.0.0.1 7013 reset
run cijail -e 127.0.0.1:7013 -- python3 say.py 127.0.0.1 7013 1
t_eq "$out" $'reset\nECONNRESET'
rm -f four.log
run cijail -e 127.0.0.1:7001 -- python3 -c '
import socket, struct, time
s = socket.create_connection(("127.0.0.1", 7001)); s.recv(5); time.sleep(0.3)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close(); time.sleep(0.3)'
t_status 0
run cijail -e 127.0.0.1:7001 -- python3 say.py 127.0.0.1 7001 9
t_eq "$(cat four.log 2>/dev/null; grep -c reset four.err)" '0'

t_case 'what a command sends before it ends, arrives'
for i in 1 2 3 4 5; do
    : >any.log
    run cijail -e 127.0.0.1:7004 -- python3 -c 'import os, socket
s = socket.create_connection(("127.0.0.1", 7004)); s.recv(4); s.sendall(b"x" * 300000); os._exit(0)'
    t_status 0
    for ((k = 0; k < 40; k++)); do [[ -s any.log ]] && break; sleep 0.05; done
    t_eq "$(cat any.log)" 300000
done

t_case 'an idle connection does not hold up the end of the jail for long'
run cijail -e 127.0.0.1:7004 -- sh -c 'sleep 100 & exec python3 -c "import socket; socket.create_connection((\"127.0.0.1\", 7004)).recv(4)"'
t_status 0
t_under 4000

t_case 'hundreds of connections at once'
cat >many.py <<'END'
import socket, sys, zlib
n = int(sys.argv[1])
open_ones = [socket.create_connection(("127.0.0.1", 7004), 30) for i in range(n)]
for s in open_ones:
    s.sendall(b"z" * 1000)
    s.shutdown(socket.SHUT_WR)
print(sum(s.makefile().read() == "any\n1000 %d\n" % zlib.crc32(b"z" * 1000) for s in open_ones))
END
run bash -c 'ulimit -n 1000; exec cijail -e 127.0.0.1:7004 -- python3 many.py 400'
t_eq "$out" 400

t_case 'the log in JSON'
run cijail -v --log-format json -e 127.0.0.1:7001 -- python3 say.py 127.0.0.1 7001
run python3 -c 'import json, sys
o = json.loads(sys.argv[1]); print(*[o.get(k) for k in ("decision", "kind", "address", "port", "protocol", "endpoint")])' "$err"
t_eq "$out" 'allow connect 127.0.0.1 7001 tcp 127.0.0.1:7001'

t_case 'other spellings of the loopback are refused, and so is its port 53'
for word in 0.0.0.0:80 '[::]:80' '[::ffff:127.0.0.1]:80' '[::1]:53' 127.0.0.1:53 127.0.0.0/8:53; do
    run cijail -e "$word" -- touch ran
    t_status 125
    t_match "$err" 'a resolver of the host would answer|another spelling of the host'
    t_false test -e ran
done

if ((EUID == 0)); then
    t_case 'ports below 1024; port 53 of the loopback is not mirrored'
    serve low 127.0.0.1 81
    serve dns 127.0.0.1 53
    run cijail -e 127.0.0.1:81 -- python3 say.py 127.0.0.1 81
    t_eq "$out" $'low\n0 0'
    run cijail --allow-loopback -- python3 say.py 127.0.0.1 81
    t_eq "$out" $'low\n0 0'
    run cijail --allow-loopback -- python3 say.py 127.0.0.1 53
    t_eq "$out" ECONNREFUSED
    run python3 say.py 127.0.0.1 53
    t_eq "$out" $'dns\n0 0'
fi

t_case 'in a jail in a jail'
run cijail -e 127.0.0.1:7001 -- "$CIJAIL" -e 127.0.0.1:7001 -- python3 say.py 127.0.0.1 7001
t_eq "$out" $'four\n0 0'
run cijail -e 127.0.0.1:7002 -- "$CIJAIL" -e 127.0.0.1:7001 -- python3 say.py 127.0.0.1 7001
t_eq "$out" ECONNREFUSED

kill "${servers[@]}"
t_done
