#!/usr/bin/env python3
"""no_memory.py BUILD [all]: out of memory, in each process of a jail and in cijailctl, by no_memory.so.

A run without faults tells how many allocations each process makes. Then, one run each, the Nth fails, or all from the
Nth on, for Ns that get farther apart (with "all", of far more). Prints a line a run: "ok ..." if cijail refused with
125 and a message before the command ran; if the command ran, to its own end, or to one that cijail gave a reason for;
or if a library crashed in a process (libcrypto, libseccomp and others do not look at each allocation) and the jail
ended with it, or its network; else "not ok ...". The command tries an address that is denied, before and after it does what is allowed, and
calls that its seccomp filter refuses.
"""
import concurrent.futures
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time

build, everything = sys.argv[1], len(sys.argv) > 2
top = os.getcwd()
CTL = os.path.join(build, "ctl/cijailctl")
PROGRAMS = ("src/cijail", "dnsproxy/cijail-dnsproxy", "httpproxy/cijail-httpproxy")
OPTIONS = ["-v", "--learn", "learned", "--summary", "summary.json", "-e", "https://registry.example/", "-e", "192.0.2.53:53",
           "-e", "198.51.100.10:80", "-e", "192.0.2.10:5300"]
COMMAND = """
probe() { (echo >/dev/tcp/198.51.100.66/80) 2>/dev/null && touch open; }
touch ran
probe
python3 -c '
import ctypes, errno, os, socket
def refused(call, error):
    try: call()
    except OSError as e: return e.errno == error
def io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 0, 0) < 0: raise OSError(ctypes.get_errno(), "")
whole = all((refused(lambda: socket.socket(17, socket.SOCK_RAW), errno.EAFNOSUPPORT),
             refused(lambda: socket.socket(38, socket.SOCK_SEQPACKET), errno.EAFNOSUPPORT),
             refused(lambda: socket.socket(1, socket.SOCK_DGRAM), errno.EPROTONOSUPPORT),
             refused(lambda: socket.socket(16, socket.SOCK_RAW, 9), errno.EPROTONOSUPPORT), refused(io_uring, errno.ENOSYS)))
if not whole: open("open", "w")' || touch open
curl -s -o /dev/null -w '%{http_code}\\n' -m 5 https://registry.example/pkg/lodash >fetched
curl -s -o /dev/null -m 5 --noproxy '*' http://registry.example/
dig +tries=1 +time=2 registry.example @192.0.2.53 >/dev/null
curl -s -o /dev/null -m 5 --unix-socket /run/docker.sock http://x/
(exec 5<>/dev/tcp/198.51.100.10/80 && echo 'GET / HTTP/1.0' >&5 && echo >&5 && read -t 5 -r _ <&5) 2>/dev/null
(echo >/dev/udp/192.0.2.10/5300) 2>/dev/null
probe
touch done
exit 7
"""
# What fails: a name, the program, its depth (no_memory.c). jail: init, and the command's process before it is executed.
VICTIMS = {"supervisor": ("cijail", 0), "keeper": ("cijail", 1), "jail": ("cijail", 2),
           "dnsproxy": ("cijail-dnsproxy", 0), "httpproxy": ("cijail-httpproxy", 0), "report": ("cijailctl", 0)}
LIMIT = 30  # seconds, on a machine that is busy
NEVER = 10**9
END_OF_SIGNAL = r"killed by signal (\d+)"


def told(folder):
    with open(folder + "/told", "rb") as f:
        *calls, failed = struct.unpack("5Q", f.read(40))
    return calls, failed


def prepare(folder, victim, first, last):
    """A cijail of the run's own, in which the proxy that is to fail is a script that loads the library into it."""
    program, depth = VICTIMS[victim]
    setting = f"{program}:{depth}:{first}:{last}:{folder}/told"
    with open(folder + "/told", "wb") as f:
        f.write(bytes(40))
    os.chmod(folder + "/told", 0o666)
    loaded = {"LD_PRELOAD": top + "/no_memory.so", "NO_MEMORY": setting}
    for path in PROGRAMS:
        os.makedirs(os.path.join(folder, os.path.dirname(path)))
        to = os.path.join(folder, path)
        if os.path.basename(path) == program != "cijail":
            os.mkdir(folder + "/real")
            os.link(program, f"{folder}/real/{program}")
            with open(to, "w", encoding="ascii") as f:  # no shell: it would take descriptors that the proxy has
                f.write(f"#!/usr/bin/env -S LD_PRELOAD={loaded['LD_PRELOAD']} NO_MEMORY={setting} {folder}/real/{program}\n")
            os.chmod(to, 0o755)
        else:
            os.link(os.path.basename(path), to)
    return loaded if program in ("cijail", "cijailctl") else {}


def start(folder, victim, first, last):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    environment = dict(os.environ, **prepare(folder, victim, first, last))
    command = [folder + "/src/cijail", *OPTIONS, "--", "bash", "-c", COMMAND]
    if victim == "report":
        command = [CTL, "report", "-o", "report.json", top + "/log.json"]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = process.communicate(timeout=LIMIT)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        status = "hang"
    return status, err.decode("latin-1"), time.monotonic() - began


def judge_report(folder, status, err):
    path = folder + "/report.json"
    if os.path.exists(path):
        json.load(open(path, encoding="utf-8"))  # whole, or not there
    if status == 0 and os.path.exists(path):
        return "ok: ran"
    # 2: the log cannot be read; the JSON library does not say that it is for want of memory
    return "ok: refused" if status in (1, 2, 125) and "cijailctl" in err else "not ok: no reason was given"


def judge(folder, status, err):
    there = {name: os.path.exists(f"{folder}/{name}") for name in ("open", "ran", "done")}
    killed = re.search(END_OF_SIGNAL, err) or status in (128 + 6, 128 + 11) and not there["ran"]
    if there["open"]:
        return "not ok: the network was open, or the filter not whole"
    # The supervisor, this program's child. The jail ends with it: start() waited for all that hold its output. glibc's first
    # getaddrinfo(3) of a process uses what it could not allocate, or asserts that it could (2.36, nss_database.c:402 and 291).
    if status in (-6, -11) and not there["done"]:
        return "ok: crashed"
    if killed and (status == 7 or not there["ran"]):
        return "ok: crashed"
    if status == 7 and there["done"]:
        return "ok: ran"
    if status == 125 and re.search(r"^cijail", err, re.M):
        return "ok: ended" if there["ran"] else "ok: refused"
    return "not ok: no reason was given"


def fault(victim, first, last):
    folder = f"{top}/{victim}-{first}-{'on' if last == NEVER else 'once'}"
    status, err, seconds = start(folder, victim, first, last)
    _, failed = told(folder)
    if status == "hang":
        verdict = f"not ok: still there after {LIMIT} s"
    elif victim == "report":
        verdict = judge_report(folder, status, err)
    else:
        verdict = judge(folder, status, err)
    if verdict.startswith("ok"):
        shutil.rmtree(folder)
    what = "some failed" if failed else "none failed"
    return f"{verdict}: {os.path.basename(folder)}, {what}, status {status} {seconds:.1f} s: {err.strip()[-300:]!r}"


def sample(n):
    """From 1 to n: steps that grow by half (with "all" by a hundredth)."""
    chosen, at = [], 1.0
    while at <= n:
        chosen.append(int(at))
        at = max(at + 1, at * (1.01 if everything else 1.7))
    return chosen


for path in (*PROGRAMS, "tests/escape/no_memory.so"):
    shutil.copy(os.path.join(build, path), ".")
runs = []
for victim, (_, depth) in VICTIMS.items():
    status, err, _ = start(f"{top}/whole", victim, NEVER, NEVER)
    assert victim == "report" or status == 7 and open("whole/fetched").read() == "200\n", (victim, status, err)
    if victim == "supervisor":
        with open("log.json", "w") as f:
            subprocess.run([top + "/cijail", "-v", "--log-format", "json", *OPTIONS, "--", "bash", "-c", COMMAND], stderr=f,
                           cwd="whole", check=False)
    calls, _ = told(f"{top}/whole")
    print(f"{victim} makes {calls[depth]} allocations", flush=True)
    runs += [(victim, n, last) for n in sample(calls[depth]) for last in (n, NEVER)]
    if victim == "jail":  # of the making of the command's filter some more
        runs += [(victim, n, n) for n in range(50, calls[depth], 197)]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for line in pool.map(lambda run: fault(*run), runs):
        print(line, flush=True)
