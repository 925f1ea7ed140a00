#!/usr/bin/env python3
"""compromised.py CIJAIL PROXIES PROGRAMS: every attack of compromised.c in each proxy, each in a jail of its own.

Works in the current folder. Prints "ok PROXY NAME" or "not ok PROXY NAME: WHY" and what was said.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

cijail, proxies, programs = sys.argv[1:]
POLICY = ["-e", "https://registry.example/", "-e", "http://origin.example/"]
# A connection to the proxy that was taken over, which ends after its attack, and with it the link.
COMMAND = """
exec 3<>/dev/tcp/192.0.0.1/$0
for ((i = 0; i < 500; i++)); do
    mapfile -t routes </proc/net/route
    ((${#routes[@]} > 1)) || break
    read -r -t 0.02 <>pause
done
read -r -t 0.05 <>pause
exec 2>&1
(echo >/dev/tcp/198.51.100.66/22) && echo "the jail's network is open"
true
"""
LIMIT = 120  # seconds: far above what a run takes on a machine that is busy
PORTS = {"dnsproxy": "53", "httpproxy": "3128"}
ENDED = r"the jail's network has ended"
KILLED = r"was killed by signal 31 \(Bad system call\); " + ENDED
BROKE = r"broke the protocol .*" + ENDED
# What each must have come to: the kernel killed the process at the call; or the supervisor or the kernel said no; or,
# for what is allowed, it worked. The first pattern that matches "PROXY NAME" says so.
OUTCOMES = [
    (r"dnsproxy query-allowed|httpproxy dial-allowed", r": worked 0$"),
    (r"dnsproxy query-.*", r": refused EACCES$"),
    (r"httpproxy dial-upper", r": refused EINVAL$|" + BROKE),
    (r"httpproxy dial-.*", r": refused EACCES$"),
    (r"dnsproxy (udp|raw-icmp)-out", r": refused (ENETUNREACH|EPERM)$"),
    (r"dnsproxy flush-rules", r": refused EPERM$"),
    (r"dnsproxy odd-query|httpproxy odd-dial", BROKE),  # zeros: no name, no port
    (r".* odd-.*|dnsproxy (dial-.*|fast-open-again)|httpproxy query-.*", BROKE),
    (r"httpproxy (udp-out|raw-icmp-out|flush-rules)", r": refused|" + KILLED),  # dnsproxy's descriptors
    (r".* int80", KILLED + r"|signal 11"),  # a kernel without that gate
    (r".*", KILLED),
]


def attack(proxy, name, tries=3):
    folder = os.path.abspath(f"{proxy}-{name}")
    for program in ("src/cijail", "dnsproxy/cijail-dnsproxy", "httpproxy/cijail-httpproxy"):
        os.makedirs(os.path.join(folder, os.path.dirname(program)))
        other = f"compromised-{proxy}" if program.startswith(proxy) else os.path.basename(program)
        os.link(other, os.path.join(folder, program))
    with open(os.path.join(folder, proxy, "attack"), "w") as f:
        f.write(name + "\n")
    os.mkfifo(os.path.join(folder, "pause"))
    try:
        done = subprocess.run([folder + "/src/cijail", *POLICY, "--", "bash", "-c", COMMAND, PORTS[proxy]], cwd=folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
    except subprocess.TimeoutExpired as e:
        return f"not ok {proxy} {name}: it hangs\n{e.stdout}{e.stderr}"
    expected = next(outcome for who, outcome in OUTCOMES if re.fullmatch(who, f"{proxy} {name}"))
    out, err = done.stdout, done.stderr
    why = None
    if f"compromised: {name}: tries\n" not in err:
        why = "it was not tried"
    elif not re.search(expected, err, re.M):
        why = f"expected /{expected}/"
    elif "worked" in err and not name.endswith("-allowed"):
        why = "it worked"
    elif ENDED not in err or "Network is unreachable" not in out or "network is open" in out:
        why = "the jail's network goes on"
    elif done.returncode != 0:
        why = f"status {done.returncode}"
    shutil.rmtree(folder)
    if why and tries > 1:  # the command may have ended before the message came
        return attack(proxy, name, tries - 1)
    return f"not ok {proxy} {name}: {why}\n{out}{err}" if why else f"ok {proxy} {name}"


for path in (cijail, f"{proxies}/dnsproxy/cijail-dnsproxy", f"{proxies}/httpproxy/cijail-httpproxy",
             f"{programs}/compromised-dnsproxy", f"{programs}/compromised-httpproxy"):
    shutil.copy(path, ".")
names = subprocess.run(["./compromised-dnsproxy", "list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for line in pool.map(lambda both: attack(*both), [(p, n) for p in ("dnsproxy", "httpproxy") for n in names]):
        print(line)
