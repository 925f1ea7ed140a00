#!/usr/bin/env python3
"""terminal.py STEP... -- COMMAND...: COMMAND in a session of its own on a new terminal, driven by the steps.

Steps: "wait:REGEX" (until the output since the last match matches), "send:TEXT" (with Python's escapes; "\\x03" is
ctrl-C), "size:ROWSxCOLS" (sets the size and so sends SIGWINCH), "rest:SECONDS". Then waits for COMMAND's end. Prints the terminal's
output, carriage returns left out, and at last "<exit N>", "<signal N>" or "<timeout at STEP>".
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 20
at = sys.argv.index("--")
steps, command = sys.argv[1:at], sys.argv[at + 1:]
pid, master = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen, mark = "", 0


def read(timeout):
    """More output; None at its end."""
    global seen
    if not select.select([master], [], [], timeout)[0]:
        return ""
    try:
        data = os.read(master, 65536)
    except OSError:
        return None
    seen += data.decode("latin-1").replace("\r", "")
    return data or None


def finish(how):
    print(seen + "\n" + how, flush=True)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    sys.exit(0)


def reap(wait):
    got, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
    if got:
        read(0)
        finish(f"<signal {os.WTERMSIG(status)}>" if os.WIFSIGNALED(status) else f"<exit {os.WEXITSTATUS(status)}>")


for step in steps:
    verb, _, argument = step.partition(":")
    if verb == "send":
        os.write(master, codecs.decode(argument, "unicode_escape").encode("latin-1"))
    elif verb == "size":
        rows, cols = map(int, argument.split("x"))
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    elif verb == "rest":
        time.sleep(float(argument))
    elif verb == "wait":
        end = time.monotonic() + LIMIT
        while not (found := re.search(argument, seen[mark:])):
            if time.monotonic() > end:
                finish(f"<timeout at {step}>")
            if read(0.1) is None:
                reap(True)
        mark += found.end()
end = time.monotonic() + LIMIT
while time.monotonic() < end:
    if read(0.05) is None:
        reap(True)
    reap(False)
finish("<timeout at the end>")
