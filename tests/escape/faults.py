#!/usr/bin/env python3
"""faults.py CIJAIL [all]: each system call of a jail's set-up fails, by strace's fault injection.

A start without faults tells which calls there are, and how often each process makes them. Then, one run each, the
first of a kind fails in every process that makes it (with "all": the Nth for every N). Prints a line a run: "ok ..." if
the command did not run and cijail said why, with 125, or if it ran in a jail; else "not ok ...". The command itself is
traced too, so that it may end otherwise than it would: what it must not do is reach the network.
"""
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import time

cijail, everything = sys.argv[1], len(sys.argv) > 2
POLICY = ["-e", "https://registry.example/", "-e", "192.0.2.53:53", "-e", "127.0.0.1:8001"]
COMMAND = 'echo ran >"$0.ran"; (echo x >/dev/tcp/198.51.100.66/80) 2>/dev/null && echo open >"$0.open"; exit 7'
LIMIT = 20  # seconds, of a run that is traced on a machine that is busy
# Those that cannot fail, and those of the loader and of strace before main; of write the message is made. close(2) closes
# whatever it returns, but what strace fails is not made at all. brk(2) of the kernel has no errors: it returns the old
# end, and libc takes an errno for an address.
LEFT_OUT = {"brk", "close", "execve", "arch_prctl", "exit", "exit_group", "rt_sigreturn", "restart_syscall", "vfork"}
SILENT = {"write", "writev"}
# What a call fails with, where memory is not what it lacks.
ERRORS = {"unshare": "ENOSPC", "mount": "EPERM", "socket": "EMFILE", "openat": "EMFILE", "accept4": "EMFILE",
          "pipe2": "EMFILE", "socketpair": "EMFILE", "memfd_create": "EMFILE", "dup2": "EMFILE", "read": "EIO",
          "setns": "EPERM", "capset": "EPERM", "prctl": "EPERM", "seccomp": "EINVAL", "setsid": "EPERM"}


def start(label, *strace):
    began = time.monotonic()
    try:
        done = subprocess.run(["strace", "-f", "-qq", *strace, cijail, *POLICY, "--", "bash", "-c", COMMAND, label],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT,
                              start_new_session=True)
        return done.returncode, done.stderr.decode("latin-1"), time.monotonic() - began
    except subprocess.TimeoutExpired as e:
        subprocess.run(["pkill", "-KILL", "-f", f"^{re.escape(cijail)} .* {label}$"], check=False) # strace alone has ended
        return "hang", (e.stderr or b"").decode("latin-1"), LIMIT


def fault(call, n):
    label = f"{call}-{n}"
    error = ERRORS.get(call, "ENOMEM")
    status, err, seconds = start(label, "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                 f"inject={call}:error={error}:when={n}")
    ran, opened = os.path.exists(label + ".ran"), os.path.exists(label + ".open")
    said = "cijail" in err or call in SILENT
    if opened:
        verdict = "not ok: the network was open"
    elif status == "hang":
        verdict = f"not ok: still there after {seconds} s"
    elif ran or status == 7:
        verdict = "ok: ran"
    elif status == 125 and said:
        verdict = "ok: refused"
    elif status in (126, 127, 128 + 6, 128 + 11, -6, -11, 1, 2) and call_is_commands(err):
        verdict = "ok: the command failed"
    else:
        verdict = "not ok: no reason was given"
    return f"{verdict}: {label} {error} status {status} {seconds:.1f} s: {err.strip()[:200]!r}"


def call_is_commands(err):
    """bash, or its loader, speaks of its own failure, or dies of it."""
    return "bash" in err or "shared librar" in err or "cannot execute" in err or not err.strip()


status, err, _ = start("whole", "-o", "trace")
assert status == 7 and os.path.exists("whole.ran") and not os.path.exists("whole.open"), (status, err)
counts = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", open("trace", encoding="latin-1").read(), re.M))
most = {}
for (_, call), n in counts.items():
    most[call] = max(most.get(call, 0), n)
runs = [(call, n) for call in sorted(most) if call not in LEFT_OUT
        for n in range(1, most[call] + 1) if everything or n == 1]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for line in pool.map(lambda run: fault(*run), runs):
        print(line, flush=True)
