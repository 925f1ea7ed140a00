#!/usr/bin/env bash
# Unix sockets by path whose file or whose network namespace is unlike others: bound by nobody any more, bound in a
# namespace inside of the jail or beside it, on an overlayfs of several file systems.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

# server.py ADDRESS: touches ADDRESS.ready; each connection gets "hello", and is a line in ADDRESS.log.
cat >server.py <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
log = open(sys.argv[1] + ".log", "a")
open(sys.argv[1] + ".ready", "w").close()
while True:
    c = s.accept()[0]
    log.write("connection\n")
    log.flush()
    c.sendall(b"hello\n")
    c.close()
END
# say.py ADDRESS...
cat >say.py <<'END'
import errno, socket, sys
for path in sys.argv[1:]:
    try:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(path)
        print(s.makefile().readline(), end="", flush=True)
    except OSError as e:
        print(errno.errorcode.get(e.errno, e), flush=True)
END
cat >wait.sh <<'END'
for i in $(seq 500); do [ -e "$1" ] && exit 0; sleep 0.02; done
exit 1
END
servers=()
serve() { # ADDRESS [COMMAND...]: COMMAND runs the server
    "${@:2}" python3 server.py "$1" >/dev/null 2>"$1.err" </dev/null &
    servers+=($!)
    sh wait.sh "$1.ready" || t_fail "server $1: $(cat "$1.err")"
}
stale() { python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1"; }

t_case 'a socket that nobody is bound to any more refuses, as outside'
serve "$T_TMP/other"
stale "$T_TMP/stale"
python3 -c 'import os, stat, sys; os.mknod(sys.argv[1], 0o777 | stat.S_IFSOCK)' "$T_TMP/made"
run python3 say.py "$T_TMP/stale" "$T_TMP/made"
outside=$out
t_eq "$out" $'ECONNREFUSED\nECONNREFUSED'
run cijail --fail-on-deny -- python3 say.py "$T_TMP/stale" "$T_TMP/made"
t_status 0
t_eq "$out" "$outside"
t_denials 0
run cijail --fail-on-deny -- python3 -c '
import errno, socket
s = socket.socket(socket.AF_UNIX); s.bind("own"); s.listen(); s.close()
try: socket.socket(socket.AF_UNIX).connect("own")
except OSError as e: print(errno.errorcode[e.errno])'
t_status 0
t_eq "$out" ECONNREFUSED
run cijail -- python3 say.py "$T_TMP/other" # the twin
t_eq "$out" ENETUNREACH
t_denials 1
t_false test -s other.log
run cijail -e "$T_TMP/stale" -- python3 say.py "$T_TMP/stale"
t_eq "$out" ECONNREFUSED

t_case 'a socket of a network namespace inside of the jail is the jail'\''s, with any number of them'
cat >nested.sh <<'END'
for i in 1 2 3; do
    unshare -rn python3 server.py "$PWD/nested$i" >/dev/null 2>&1 </dev/null &
    sh wait.sh nested$i.ready || exit 1
done
unshare -rn unshare -rn python3 server.py "$PWD/deep" >/dev/null 2>&1 </dev/null &
sh wait.sh deep.ready || exit 1
python3 say.py nested1 nested2 nested3 deep
unshare -rn python3 say.py nested1 deep
python3 server.py "$PWD/flat" >/dev/null 2>&1 </dev/null &
sh wait.sh flat.ready || exit 1
unshare -rn python3 say.py flat
unshare -rn python3 say.py "$1"
END
run cijail -- sh nested.sh "$T_TMP/other"
t_status 0
t_eq "$out" "$(printf 'hello\n%.0s' {1..7})"$'\nENETUNREACH'
t_denials 1
t_false test -s other.log

t_case 'a socket of another network namespace beside the jail is the host'\''s'
serve "$T_TMP/beside" unshare -rn
run cijail -- python3 say.py "$T_TMP/beside"
t_eq "$out" ENETUNREACH
t_denials 1
t_false test -s beside.log
run cijail -e "$T_TMP/beside" -- python3 say.py "$T_TMP/beside"
t_eq "$out" hello

t_case 'on an overlayfs of several file systems, stat(2)'\''s device is not the socket'\''s'
cat >overlay.sh <<'END'
mkdir -p lower upper merged
mount -t tmpfs lower lower && mount -t tmpfs upper upper || exit 1
mkdir lower/d upper/up upper/work
echo lower >lower/d/file
mount -t overlay -o lowerdir=lower,upperdir=upper/up,workdir=upper/work,userxattr,xino=off overlay merged || exit 1
cp server.py say.py wait.sh merged/ && cd merged || exit 1
for name in allowed other; do
    python3 server.py "$PWD/d/$name" >/dev/null 2>&1 </dev/null &
    sh wait.sh d/$name.ready || exit 1
done
python3 -c 'import os
s = os.stat("d/other"); m = os.stat("."); print("devices differ:", s.st_dev != m.st_dev)'
cijail -q -e "$PWD/d/allowed" -- sh -c '
    python3 server.py "$PWD/d/own" >/dev/null 2>&1 </dev/null &
    sh wait.sh d/own.ready && python3 say.py d/own d/allowed d/other
    unshare -rm python3 say.py d/own d/allowed d/other'
END
overlay_works() {
    unshare -rm sh -c 'mount -t tmpfs t "$0" && cd "$0" && mkdir l u w m &&
        mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr o m' "$T_TMP/d"
}
mkdir d
if need 'overlayfs in user namespaces' overlay_works; then
    run unshare -rm --kill-child --fork sh overlay.sh
    t_status 0
    t_eq "$out" $'devices differ: True\nhello\nhello\nENETUNREACH\nhello\nhello\nENETUNREACH'
fi

kill "${servers[@]}" 2>/dev/null
t_done
