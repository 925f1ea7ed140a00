#!/usr/bin/env python3
"""table.py KIND FILE: a table in Markdown of a file of results (see order in peers.sh), medians of each peer.

KIND: requests, bytes; or build, for lines "HOW PART MICROSECONDS". The ratios say what cijail has of a peer's: 1.20 of its rate is a fifth more, 0.80 of its
processor time is a fifth less.
"""
import statistics
import sys

LABELS = {
    "direct": "no proxy, client and origin on one core", "direct-2": "no proxy, a core each",
    "nginx-direct": "nginx, the files itself", "nginx-proxy": "nginx, as a proxy: TLS on both sides",
    "haproxy": "haproxy: TLS on both sides, connections pooled",
    "haproxy-fresh": "haproxy, a connection to the origin for each client's",
    "haproxy-tunnel": "haproxy, a TCP relay by splice", "squid": "squid: CONNECT, bump, a list of URLs",
    "squid-tunnel": "squid: CONNECT, not bumped", "mitmproxy": "mitmproxy: CONNECT, an add-on with a list of URLs",
    "tinyproxy": "tinyproxy: CONNECT", "cijail": "**cijail**: CONNECT, TLS on both sides, a list of URLs",
    "cijail-tunnel": "**cijail**: `NAME:PORT`, a program that connects itself",
    "cijail-connect": "**cijail**: `NAME:PORT`, CONNECT",
}

BUILDS = {
    "cijail": "**cijail**, no endpoint", "cijail-url": "**cijail**, one https endpoint",
    "cijail-raw": "**cijail**, `NAME:PORT`",
    "bwrap": "`bwrap --unshare-all --dev-bind / /`", "notify": "the original's way (notify.c)",
}


def read(path):
    """{peer: [(requests, microseconds, bytes, failures, closed, cpu, origin), ...]} in the order of the file."""
    peers = {}
    for line in open(path):
        peer, *numbers = line.split()
        peers.setdefault(peer, []).append(tuple(map(int, numbers)))
    return peers


def median(runs, of):
    return statistics.median(of(run) for run in runs)


def ratio(mine, other):
    return f"{mine / other:.2f}" if other else "-"


def number(value, digits=0):
    return f"{value:,.{digits}f}"


def requests_table(peers, mine):
    print("| | requests/s | cijail's of it | processor, µs a request | cijail's of it | connections to the origin | failed |")
    print("|---|---|---|---|---|---|---|")
    rate = {p: median(r, lambda n: n[0] * 1e6 / n[1]) for p, r in peers.items()}
    cpu = {p: median(r, lambda n: n[5] / max(n[0], 1)) for p, r in peers.items()}
    for p, runs in peers.items():
        origin = median(runs, lambda n: n[6])
        failed = sum(n[3] for n in runs)
        print(f"| {LABELS.get(p, p)} | {number(rate[p])} | {ratio(rate[mine], rate[p])} | {number(cpu[p], 1)} | "
              f"{ratio(cpu[mine], cpu[p])} | {number(origin)} | {failed} |")


def bytes_table(peers, mine):
    print("| | MB/s | cijail's of it | processor, ms a GB | cijail's of it | failed |")
    print("|---|---|---|---|---|---|")
    rate = {p: median(r, lambda n: n[2] / n[1]) for p, r in peers.items()}
    cpu = {p: median(r, lambda n: n[5] * 1e6 / max(n[2], 1)) for p, r in peers.items()}
    for p, runs in peers.items():
        own = p.startswith("direct")
        print(f"| {LABELS.get(p, p)} | {number(rate[p])} | {ratio(rate[mine], rate[p])} | "
              f"{'-' if own else number(cpu[p])} | {'-' if own else ratio(cpu[mine], cpu[p])} | {sum(n[3] for n in runs)} |")


def parts_table(path):
    """Of lines "HOW PART MICROSECONDS"."""
    times, parts = {}, []
    for line in open(path):
        how, part, us = line.split()
        times.setdefault(how, {}).setdefault(part, []).append(int(us))
        if part not in parts:
            parts.append(part)
    print("| |", " | ".join(f"{part} | of outside" for part in parts), "|")
    print("|---" * (2 * len(parts) + 1) + "|")
    base = {part: statistics.median(times["outside"][part]) for part in parts}
    for how in times:
        now = {part: statistics.median(times[how][part]) for part in parts}
        print(f"| {BUILDS.get(how, how)} |",
              " | ".join(f"{number(now[p] / 1000)} | {now[p] / base[p]:.3f}" for p in parts), "|")


def main():
    if sys.argv[1] == "build":
        return parts_table(sys.argv[2])
    kind, path, mine = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "cijail"
    {"requests": requests_table, "bytes": bytes_table}[kind](read(path), mine)


main()
