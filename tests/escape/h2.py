#!/usr/bin/env python3
"""h2.py HOST PORT MODE...: an HTTP/2 client that misbehaves, written on frames so that each odd one is deliberate.

For each MODE it opens a connection of its own and prints "MODE: " and what came of it: "goaway CODE", "reset CODE" (of
the first stream), "status N", "closed", or "nothing" after ten seconds.
"""
import os
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from h2frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, RST, SETTINGS,
                      STATUSES, WINDOW, field, frame)


def request(path=b"/pkg/lodash", method=b"GET", scheme=b"https", authority=None, extra=b""):
    return (field(b":method", method) + field(b":scheme", scheme) + field(b":authority", authority or AUTHORITY)
            + field(b":path", path) + extra)


def connect(settings=b""):
    raw = socket.create_connection((HOST, PORT), 20)
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    context.set_alpn_protocols(["h2"])
    sock = context.wrap_socket(raw, server_hostname=HOST)
    assert sock.selected_alpn_protocol() == "h2"
    sock.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return sock


def flood(sock, pieces, seconds=20):
    """Sends the pieces over and over until the peer closes or says something final."""
    end = time.monotonic() + seconds
    sock.settimeout(0.002)
    reader = Reader(sock)
    for data in pieces:
        while data:
            try:
                sent = sock.send(data)
                data = data[sent:]
            except (TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                return reader.rest() or "closed"
            said = reader.look()
            if said and not said.startswith(("status", "reset")):
                return said
            if time.monotonic() > end:
                return "nothing"
    return reader.rest() or "nothing"


class Reader:
    def __init__(self, sock):
        self.sock, self.buffer, self.said = sock, b"", None

    def take(self):
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                break
            kind, stream = self.buffer[3], int.from_bytes(self.buffer[5:9], "big") & 0x7fffffff
            payload = self.buffer[9:9 + length]
            self.buffer = self.buffer[9 + length:]
            if kind == GOAWAY:
                self.said = "goaway %d" % int.from_bytes(payload[4:8], "big")
            elif kind == RST and stream == FIRST:
                self.said = self.said or "reset %d" % int.from_bytes(payload, "big")
            elif kind == HEADERS and stream == FIRST:
                status = STATUSES.get(payload[0])
                if status is None:  # a literal with a name of the static table, its value plain or in Huffman's code
                    status = payload[2:2 + (payload[1] & 0x7f)]
                    status = status.decode() if status.isdigit() else {b"\x68\x0c\xff": 403}.get(status, status.hex())
                self.said = "status %s" % status
        return self.said

    def look(self):
        try:
            data = self.sock.recv(65536)
            if not data:
                return self.said or "closed"
            self.buffer += data
        except (TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            return self.said or "closed"
        return self.take()

    def rest(self):
        self.sock.settimeout(10)
        end = time.monotonic() + 10
        while not self.said and time.monotonic() < end:
            if self.look() == "closed":
                return self.said or "closed"
        return self.said


FIRST = 1
HOST, PORT = sys.argv[1], int(sys.argv[2])
AUTHORITY = (HOST if PORT == 443 else "%s:%d" % (HOST, PORT)).encode()
whole = END_HEADERS | END_STREAM
many = 200000


def headers(n, **more):
    return frame(HEADERS, whole, n, request(**more))


def one(extra=b"", **more):
    return lambda: flood(connect(), [frame(HEADERS, whole, 1, request(extra=extra, **more))])


def posted(length, data, flags=END_STREAM):
    block = request(path=b"/echo", method=b"POST", extra=field(b"content-length", length))
    return lambda: flood(connect(), [frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, flags, 1, data)])


def repeat(piece, per=100):
    return lambda: flood(connect(), (piece * per for _ in range(many // per)))


def rapid_reset(code):
    return lambda: flood(connect(), (b"".join(headers(n) + frame(RST, 0, n, struct.pack(">I", code))
                                              for n in range(k, k + 100, 2)) for k in range(1, many, 100)))


def refused():  # no settings acknowledged, a hundred streams open, and ever more of them
    opened = b"".join(frame(HEADERS, END_HEADERS, n, request(path=b"/echo", method=b"POST")) for n in range(1, 201, 2))
    return flood(connect(), (opened if k == 201 else b"".join(headers(n) for n in range(k, k + 100, 2))
                             for k in range(201, many, 100)))


def made_resets():  # the proxy is made to reset: a window update of 0
    return flood(connect(), (headers(n) + frame(WINDOW, 0, n, bytes(4)) for n in range(1, many, 2)))


def continuations():
    start = frame(HEADERS, END_STREAM, 1, request())
    return flood(connect(), (start if i == 0 else frame(CONTINUATION, 0, 1, b"" if i % 2 else field(b"a", b"b"))
                             for i in range(many)))


def empty_data():
    start = frame(HEADERS, END_HEADERS, 1, request(path=b"/echo", method=b"POST"))
    return flood(connect(), (start if i == 0 else frame(DATA, 0, 1) * 50 for i in range(many // 50)))


def tiny_window():  # a byte of the answer for each update
    start = headers(1, path=b"/big")
    update = frame(WINDOW, 0, 1, struct.pack(">I", 1))
    return flood(connect(struct.pack(">HI", 4, 0)), (start if i == 0 else update * 20 for i in range(many // 20)))


def bomb():  # 4 KiB in the table, referred to with one byte each
    block = request(extra=field(b"a", b"b" * 3900, True)) + b"\xbe" * 12000
    return flood(connect(), [frame(HEADERS, whole, 1, block)])


def too_many():  # the 101st stream at once
    global FIRST
    FIRST = 201
    start = b"".join(frame(HEADERS, END_HEADERS, n, request(path=b"/echo", method=b"POST")) for n in range(1, 201, 2))
    got = flood(connect(), [start + headers(201)])
    FIRST = 1
    return got


modes = {
    "good": one(),
    "ping": repeat(frame(PING, 0, 0, bytes(8))),
    "settings": repeat(frame(SETTINGS, 0, 0)),
    "priority": repeat(frame(PRIORITY, 0, 3, struct.pack(">IB", 0, 16))),
    "window": repeat(frame(WINDOW, 0, 0, struct.pack(">I", 1))),
    "empty-data": empty_data,
    "continuation": continuations,
    "unknown": repeat(frame(0xbb, 0, 0)),
    "rapid-reset": rapid_reset(8),
    "rapid-reset-no-error": rapid_reset(0),
    "refused": refused,
    "made-resets": made_resets,
    "tiny-window": tiny_window,
    "bomb": bomb,
    "too-many": too_many,
    "big-head": lambda: flood(connect(), [frame(HEADERS, END_STREAM, 1, request())] + [
        frame(CONTINUATION, END_HEADERS if i == 5 else 0, 1, field(b"a%d" % i, b"b" * 12000)) for i in range(6)]),
    "crlf": one(field(b"a", b"b\r\nx: y")),
    "lf": one(field(b"a", b"b\nGET /smuggled HTTP/1.1")),
    "nul": one(field(b"a", b"b\0c")),
    "upper": one(field(b"Abc", b"d")),
    "colon": one(field(b"a:b", b"c")),
    "space-name": one(field(b"a b", b"c")),
    "connection": one(field(b"connection", b"close")),
    "te-chunked": one(field(b"transfer-encoding", b"chunked")),
    "te": one(field(b"te", b"gzip")),
    "te-trailers": one(field(b"te", b"trailers")),
    "upgrade": one(field(b"upgrade", b"websocket")),
    "two-paths": one(field(b":path", b"/other")),
    "late-pseudo": one(field(b"a", b"b") + field(b":protocol", b"websocket")),
    "no-path": lambda: flood(connect(), [frame(HEADERS, whole, 1, field(b":method", b"GET") + field(b":scheme", b"https")
                                               + field(b":authority", AUTHORITY))]),
    "space-path": one(path=b"/pkg/lodash HTTP/1.1"),
    "crlf-path": one(path=b"/pkg/lodash HTTP/1.1\r\nx: y\r\n\r\nGET /smuggled"),
    "bad-method": one(method=b"GET /smuggled HTTP/1.1\r\nx:"),
    "authority": one(authority=b"attacker.test"),
    "host": one(field(b"host", b"attacker.test")),
    "same-host": one(field(b"host", AUTHORITY)),
    "scheme": one(scheme=b"http"),
    "connect": lambda: flood(connect(), [frame(HEADERS, END_HEADERS, 1, field(b":method", b"CONNECT")
                                               + field(b":authority", b"attacker.test:443"))]),
    "connect-length": one(field(b":protocol", b"websocket") + field(b"content-length", b"5"), method=b"CONNECT"),
    "override": one(field(b"x-http-method-override", b"DELETE")),
    "two-lengths": one(field(b"content-length", b"0") * 2),
    "length": posted(b"5", b"hello"),
    "length-short": posted(b"5", b"hell"),
    "length-long": posted(b"5", b"hello!"),
}


for mode in sys.argv[3:]:
    print("%s: %s" % (mode, modes[mode]()), flush=True)
