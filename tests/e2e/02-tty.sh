#!/usr/bin/env bash
# Terminals: job control works in the jail and around it. Driven by tests/lib/terminal.py.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
terminal() { run python3 "$T_LIB/terminal.py" "$@"; }
export PS1='' HISTFILE=''

t_case 'the command has the caller'\''s terminal'
terminal -- cijail sh -c 'tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo three; stty size >/dev/null && echo sized'
outside=$(python3 "$T_LIB/terminal.py" -- tty)
t_match "$out" '^/dev/pts/[0-9]+$'
t_match "$outside" '^/dev/pts/[0-9]+$'
t_match "$out" '^three$'
t_match "$out" '^sized$'
t_match "$out" '^<exit 0>$'

t_case '/dev/tty opens'
terminal 'wait:ready' 'send:typed\n' 'wait:got typed' -- \
    cijail sh -c 'exec </dev/null; echo ready; read -r x </dev/tty; echo got $x'
t_match "$out" '^<exit 0>$'

t_case 'ctrl-C ends the command with 130'
terminal 'wait:ready' 'send:\x03' -- cijail sh -c 'echo ready; exec sleep 30'
t_match "$out" '^<(exit 130|signal 2)>$'
t_under 15000

t_case 'ctrl-C that the command handles leaves it running'
terminal 'wait:ready' 'send:\x03' 'wait:caught' 'send:more\n' 'wait:read more' -- \
    cijail bash -c 'trap "echo caught" INT; echo ready; while ! read -r x; do :; done; echo read $x; exit 3'
t_match "$out" '^<exit 3>$'

t_case 'ctrl-\ and SIGQUIT'
terminal 'wait:ready' 'send:\x1c' -- cijail sh -c 'ulimit -c 0; echo ready; exec sleep 30'
t_match "$out" '^<(exit 131|signal 3)>$'

# A process that waits in read(2) of the terminal takes what is typed before it gets round to being stopped.
t_case 'ctrl-Z stops the jail as one job, fg goes on'
terminal 'wait:prompt> ' 'send:cijail sh -c "echo ready; read x; echo got \\$x; exit 5"\n' 'wait:\nready' 'send:\x1a' \
    'wait:Stopped' 'wait:prompt> ' rest:1 'send:fg\n' 'wait:cijail' 'send:after\n' 'wait:got after' 'wait:prompt> ' \
    'send:echo status $?; exit 0\n' 'wait:status 5' -- env PS1='prompt> ' bash --norc --noprofile --noediting -i
t_match "$out" '^<exit 0>$'

t_case 'ctrl-Z, bg and wait'
terminal 'wait:prompt> ' 'send:cijail bash -c "sleep 1 & echo ready; wait; exit 6"\n' 'wait:\nready' 'send:\x1a' \
    'wait:Stopped' 'wait:prompt> ' 'send:bg; wait %1; echo status $?\n' 'wait:status 6' 'send:exit 0\n' -- \
    env PS1='prompt> ' bash --norc --noprofile --noediting -i
t_match "$out" '^<exit 0>$'

t_case 'a shell in the jail has job control of its own'
terminal 'wait:prompt> ' 'send:sh -c "echo begun; exec sleep 100"\n' 'wait:\nbegun' 'send:\x1a' 'wait:Stopped' 'send:kill -KILL %1; sleep 0.3; echo back\n' 'wait:\nback' \
    'send:exit 4\n' -- cijail env PS1='prompt> ' bash --norc --noprofile --noediting -i
t_no_match "$out" 'no job control'
t_match "$out" '^<exit 4>$'

t_case 'SIGWINCH and the new size reach the command'
terminal 'wait:ready' 'size:33x77' 'wait:33 77' -- \
    cijail bash -c 'trap "stty size; exit 0" WINCH; echo ready; for i in {1..200}; do sleep 0.05; done; exit 1'
t_match "$out" '^<exit 0>$'

t_case 'hanging up the terminal ends the jail'
cat >hangup.py <<'END'
import os, pty, sys, time
pid, master = pty.fork()
if pid == 0:
    os.execvp("cijail", ["cijail", "sh", "-c", "echo ready; exec sleep 4715"])
seen = b""
while b"ready" not in seen:
    seen += os.read(master, 1000)
os.close(master)
print("waited", os.waitpid(pid, 0)[1])
END
run python3 hangup.py
t_status 0
t_match "$out" '^waited'
t_under 15000
t_false alive 'sleep 4715'

t_case 'the parent'\''s terminal cannot be typed into'
cat >type.py <<'END'
import errno, fcntl, sys, termios
for name, number in (("TIOCSTI", termios.TIOCSTI), ("TIOCSTI high", termios.TIOCSTI | 1 << 32), ("TIOCLINUX", 0x541C)):
    try:
        if number >> 32:
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.ioctl(0, ctypes.c_ulong(number), ctypes.c_char_p(b"x")) < 0:
                raise OSError(ctypes.get_errno(), "")
        else:
            fcntl.ioctl(0, number, b"x")
        print(name, "worked")
    except OSError as e:
        print(name, errno.errorcode[e.errno])
END
terminal -- cijail python3 type.py
t_match "$out" '^TIOCSTI EPERM$'
t_match "$out" '^TIOCSTI high EPERM$'
t_match "$out" '^TIOCLINUX EPERM$'

t_case 'a background job of a shell that reads is stopped by SIGTTIN, not broken'
terminal 'wait:prompt> ' 'send:cijail cat &\n' 'wait:prompt> ' 'send:until jobs | grep Stop[p]ed; do sleep .2; done\n' 'wait:Stopped' 'send:fg\n' 'send:line\n' 'wait:\nline' 'send:\x04' \
    'wait:prompt> ' 'send:exit 0\n' -- env PS1='prompt> ' bash --norc --noprofile --noediting -i
t_match "$out" '^<exit 0>$'

t_done
