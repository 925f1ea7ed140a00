#!/usr/bin/env python3
"""differential.py: the parts of 21-differential.sh.

    serve PORT LOG               an origin, Python's http.server
    serve-tls PORT LOG CERT KEY  likewise, by TLS
    send CORPUS ORIGIN...        in the jail: each request of the corpus to each origin (HOST:PORT), and after each a
                                 request for /mark/NUMBER; prints the status lines
    send-h2 CORPUS ORIGIN...     the same by HTTP/2 in a tunnel, what can be said there: a line of the corpus is taken to
                                 pieces at its CRLFs and colons, and the pieces, whatever is in them, are sent as fields
    compare JSON ORIGIN=LOG...   what cijail logged and what each origin did. An origin's log: lines of
                                 "METHOD TARGET [BODY-BYTES]"
"""
import codecs
import http.server
import json
import os
import re
import socket
import ssl
import sys
import time
from urllib.parse import urlsplit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from h2frames import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST, SETTINGS, STATUSES, WINDOW, field,
                      frame)


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


def serve(port, certificate=None, key=None):
    server = http.server.ThreadingHTTPServer(("192.0.2.10", int(port)), Origin)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
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


LOGGED = 0.005  # seconds until an origin has written what it answered into its log, most likely


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
            # answered: so nothing comes on the wrong side of a mark. But Apache's threads may do so on a busy machine.
            time.sleep(LOGGED)
            for path in b"/pause", b"/mark/%d" % number, b"/pause":
                answer = exchange(b"GET http://%s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                                  % (origin.encode(), path, origin.encode()))
                if not answer.startswith(b"HTTP/1.1 ") or b"cijail" in answer:  # else it does not matter what it says
                    print("no mark", origin, number, answer[:100])


class Tunnel:
    """One connection of HTTP/2 by CONNECT to an origin, made anew when it has ended."""

    def __init__(self, origin):
        self.origin, self.sock = origin, None

    def open(self):
        proxy = urlsplit(os.environ["https_proxy"])
        raw = socket.create_connection((proxy.hostname, proxy.port), timeout=10)
        raw.sendall(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (self.origin, self.origin))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += raw.recv(1)
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        context.set_alpn_protocols(["h2"])
        self.sock = context.wrap_socket(raw, server_hostname=self.origin.split(b":")[0].decode())
        self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW, 0, 0, (1 << 30).to_bytes(4, "big")))
        self.file, self.stream = self.sock.makefile("rb"), -1

    def close(self):
        self.file.close()
        self.sock.close()
        self.sock = None

    def answer(self):
        """The status of the stream, or how it or the connection ended."""
        status = "<end>"
        while len(head := self.file.read(9)) == 9:
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
            payload = self.file.read(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                self.sock.sendall(frame(SETTINGS, ACK, 0))
            elif kind == GOAWAY:
                status = "<goaway>"
            elif kind == RST and stream == self.stream:
                return "<rst>"
            elif kind == HEADERS and stream == self.stream:
                status = str(STATUSES.get(payload[0], "other"))
            if kind in (HEADERS, DATA) and stream == self.stream and flags & END_STREAM:
                return status
        self.close()
        return status

    def exchange(self, fields, body):
        try:
            if not self.sock:
                self.open()
            self.stream += 2
            self.sock.sendall(frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), self.stream, fields)
                              + (frame(DATA, END_STREAM, self.stream, body) if body else b""))
            return self.answer()
        except socket.timeout:
            self.close()
            return "<timeout>"
        except OSError:
            self.close()
            return "<reset>"


def as_fields(data, origin):
    """(fields, body) of what looks enough like a request, or None."""
    head, end, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ")
    if not end or len(words) < 3 or any(b":" not in line for line in lines) or len(body) > 16000 or len(head) > 16000:
        return None
    target = b" ".join(words[1:-1]).removeprefix(b"http://" + origin)
    fields = (field(b":method", words[0]) + field(b":scheme", b"https") + field(b":authority", origin)
              + field(b":path", target))
    for line in lines:
        name, value = line.split(b":", 1)
        fields += field(name if name[:1] == b" " else name.lower(), value.removeprefix(b" "))
    return fields, body


def send_h2(corpus, *origins):
    with open(corpus, encoding="latin-1") as f:
        requests = [line.rstrip("\n") for line in f if not line.startswith("# ")]
    for origin in origins:
        host, tunnel = origin.encode(), Tunnel(origin.encode())
        for number, text in enumerate(requests):
            request = as_fields(codecs.decode(text, "unicode_escape").encode("latin-1").replace(b"@", host), host)
            print(origin, number, tunnel.exchange(*request) if request else "-")
            time.sleep(LOGGED)
            for path in b"/pause", b"/mark/%d" % number, b"/pause":
                answer = tunnel.exchange(field(b":method", b"GET") + field(b":scheme", b"https")
                                         + field(b":authority", host) + field(b":path", path), b"")
                if answer not in ("200", "404", "other"):  # whether it is the origin that says so, its log will tell
                    print("no mark", origin, number, answer)


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
            if words[:2] == ["OPTIONS", "*"]:  # the request for the server as a whole is judged as one for / (RFC 9110, 7.1)
                words[1] = "/"
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


if sys.argv[1].startswith("serve"):
    serve(sys.argv[2], *sys.argv[4:])
elif sys.argv[1] == "send-h2":
    send_h2(*sys.argv[2:])
elif sys.argv[1] == "send":
    send(*sys.argv[2:])
else:
    sys.exit(compare(*sys.argv[2:]))
