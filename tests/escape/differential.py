#!/usr/bin/env python3
"""differential.py: the parts of 21-differential.sh.

    serve PORT LOG               an origin, Python's http.server
    send CORPUS ORIGIN...        in the jail: each request of the corpus to each origin (HOST:PORT), and after each a
                                 request for /mark/NUMBER; prints the status lines
    compare JSON ORIGIN=LOG...   what cijail logged and what each origin did. An origin's log: lines of
                                 "METHOD TARGET [BODY-BYTES]"
"""
import codecs
import http.server
import json
import os
import re
import socket
import sys
from urllib.parse import urlsplit


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            total = 0
            while True:
                n = int(self.rfile.readline().split(b";")[0], 16)
                if n == 0:
                    while self.rfile.readline().strip():
                        pass
                    return total
                total += len(self.rfile.read(n))
                self.rfile.readline()
        return len(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def any_method(self):
        with open(sys.argv[3], "a", encoding="latin-1") as f:
            f.write(f"{self.requestline.rsplit(' ', 1)[0]} {self.body()}\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.any_method
        raise AttributeError(name)

    def log_message(self, *arguments):
        pass


def serve(port):
    server = http.server.ThreadingHTTPServer(("192.0.2.10", int(port)), Origin)
    print("ready", flush=True)
    server.serve_forever()


def exchange(data):
    proxy = urlsplit(os.environ["http_proxy"])
    got = b""
    with socket.create_connection((proxy.hostname, proxy.port), timeout=10) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                got += piece
        except ConnectionError:
            got += b"<reset>"
        except socket.timeout:
            got += b"<timeout>"
    return got


def send(corpus, *origins):
    with open(corpus, encoding="latin-1") as f:
        requests = [line.rstrip("\n") for line in f if not line.startswith("# ")]
    for origin in origins:
        for number, text in enumerate(requests):
            data = codecs.decode(text, "unicode_escape").encode("latin-1").replace(b"@", origin.encode())
            # A name for it in what is said on failure; and a mark between it and the next.
            statuses = re.findall(rb"HTTP/1\.1 (\d\d\d)|(<\w+>)", exchange(data))
            print(origin, number, *(b"".join(s).decode() for s in statuses))
            # What was answered may be written into a log a moment later, but not later than the next request is
            # answered: so nothing comes on the wrong side of a mark.
            for path in b"/pause", b"/mark/%d" % number, b"/pause":
                answer = exchange(b"GET http://%s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                                  % (origin.encode(), path, origin.encode()))
                if not answer.startswith(b"HTTP/1.1 ") or b"cijail" in answer:  # else it does not matter what it says
                    print("no mark", origin, number, answer[:100])


def by_mark(entries):
    """entries: (method, target, ...); what came before each mark."""
    groups, group = {}, []
    for entry in entries:
        mark = re.fullmatch(r"/mark/(\d+)", entry[1])
        if mark:
            groups[int(mark[1])] = group
            group = []
        elif entry[1] != "/pause":
            group.append(entry)
    return groups


def compare(log, *origins):
    judged = [json.loads(line) for line in open(log, encoding="utf-8")]
    failed = False
    for both in origins:
        origin, path = both.split("=")
        ours, denied = [], {}
        for o in judged:
            if o.get("kind") != "request" or f"//{origin}" not in o["url"] and o["decision"] == "allow":
                continue
            if o["decision"] == "deny":
                continue
            ours.append((o["method"], o["url"].split(origin, 1)[1], o["bytes_sent"], o.get("reason", ""),
                         o.get("status", 0)))
        theirs = []
        for line in open(path, encoding="latin-1"):
            words = line.rstrip("\n").split(" ")
            theirs.append((words[0], words[1], *words[2:]))
        ours, theirs = by_mark(ours), by_mark(theirs)
        same = requests = refused = 0
        for number in sorted(ours):
            a, o = ours[number], theirs.get(number)
            requests += len(a)
            refused += not a
            # One that failed on the way (a body that broke off), or that the origin's own reader refused (400: Node
            # knows some methods only), need not be in the origin's log.
            certain = [e for e in a if not e[3] and e[4] != 400]
            seen = [e[:2] for e in o or []]
            good = o is not None and (seen == [e[:2] for e in a] or seen == [e[:2] for e in certain])
            if good and len(o) == len(a):
                good = all(len(e) < 3 or int(e[2]) == b[2] for e, b in zip(o, a) if not b[3])
            same += good
            if not good:
                failed = True
                print(f"differs: {origin} request {number}: cijail {a}, origin {o}")
        print(f"{origin}: {same} of {len(ours)} agree, {requests} requests passed on, {refused} refused altogether")
    return failed


if sys.argv[1] == "serve":
    serve(sys.argv[2])
elif sys.argv[1] == "send":
    send(*sys.argv[2:])
else:
    sys.exit(compare(*sys.argv[2:]))
