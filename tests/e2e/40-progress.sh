#!/usr/bin/env bash
# --progress: one line on the terminal that tells how a run goes; and on nothing but a terminal.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS=http://registry.example/

# raw.py COLUMNS COMMAND...: on a terminal of that width; prints what it writes, as Python shows it, a line for each
# erasure of a line.
cat >raw.py <<'PY'
import fcntl, os, pty, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    try:
        data = os.read(master, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
for part in seen.split(b"\r\x1b[K"):
    print(repr(part.decode("latin-1")))
print("<exit %d>" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
raw() { run python3 raw.py "$@"; }
export TERM=xterm
# Ends once the line has been there; the command can see no terminal, so it gives that time.
work='curl -sS -o /dev/null http://registry.example/pkg/lodash; sleep 1; curl -sS -o /dev/null http://files.example/; sleep 1'

t_case 'counts, seconds and bytes; taken away at the end, and before a line of the log'
raw 100 cijail --progress -- sh -c "$work"
t_match "$out" "^'cijail: [0-9]+ s, 1 allowed, 0 denied, 0 B up, 10 B down\\\\r'$"
t_match "$out" "^'cijail: [0-9]+ s, 1 allowed, 1 denied, 0 B up, 10 B down\\\\r'$"
t_match "$out" "^'\[.*\] cijail: deny - GET http://files\.example/\\\\r\\\\n'$"
t_match "$(tail -n 2 <<<"$out")" "^'\[.*\] cijail: 1 allowed, 1 denied\\\\r\\\\n'$"
t_match "$out" '^<exit 0>$'

t_case 'cut to the width of the terminal'
raw 30 cijail --progress -- sh -c "$work"
t_match "$out" "^'cijail: [0-9]+ s, 1 allowed, .*\\\\r'$"
t_eq "$(grep -E "^'cijail: .*r'$" <<<"$out" | awk '{ n = length($0) - 4; if (n > m) m = n } END { print m }')" 29

t_case 'with -q, too, and with the log elsewhere; what the command writes stands in its place'
raw 80 cijail -q --progress -- sh -c "$work; echo done"
t_match "$out" "^'cijail: [0-9]+ s, 1 allowed, 1 denied"
t_match "$out" "done\\\\r\\\\n"
t_no_match "$out" 'deny'
raw 80 cijail --log log --progress -- sh -c "$work"
t_match "$out" "^'cijail: [0-9]+ s, 1 allowed, 1 denied"
t_eq "$(tail -n 2 <<<"$out")" "''
<exit 0>"
t_match "$(cat log)" 'cijail: 1 allowed, 1 denied$'

t_case 'nothing of it on a terminal that cannot, or for whom it was not asked'
for term in dumb ''; do
    TERM=$term raw 80 cijail --progress -- sh -c "$work"
    t_count 1 "$out" '1 allowed'
    t_no_match "$out" 'x1b'
    t_match "$out" '^<exit 0>$'
done
raw 80 cijail -- sh -c "$work"
t_count 1 "$out" '1 allowed'
t_eq "$(grep -c '' <<<"$out")" 2

t_case 'nothing of it in a pipe or a file'
run cijail --progress -- sh -c "$work"
t_status 0
t_count 1 "$err" '1 allowed'
t_assert 'a control character' test "${err//[$'\r\e']/}" = "$err"
raw 80 sh -c "cijail --progress -- sh -c '$work' 2>file"
t_eq "$out" "''
<exit 0>"

t_case 'a shell with jobs of its own is not disturbed'
raw 80 cijail --progress -- bash -c "set -m; sh -c '$work; sleep 3'; true"
lines=$(grep -cE "^'cijail: [0-9]+ s, 1 allowed, 1 denied" <<<"$out") # one, if at all, between the job's end and the shell's
t_assert "$lines lines" test "$lines" -le 1
t_match "$out" 'cijail: 1 allowed, 1 denied'
t_match "$out" '^<exit 0>$'
t_done
