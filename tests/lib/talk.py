#!/usr/bin/env python3
"""talk.py [-s HOST:PORT | -c HOST:PORT | -d HOST:PORT | -ds HOST:PORT] STEP...: bytes to and from the proxy, exactly
as said.

With -s, CONNECT HOST:PORT first and TLS inside; with -c, CONNECT alone. With -d, not to the proxy, but to HOST:PORT;
with -ds, TLS inside. Steps: "send:TEXT" (with the escapes of Python's strings),
"file:PATH" (its bytes), "head" (reads a response's head and prints it), "response" (head and body by Content-Length
or chunks, prints both), "rest" (prints all up to the end), "sleep:SECONDS", "half" (shuts down the sending side; of TLS
by close_notify).
A connection that ends is printed as "<closed>", reset as "<reset>".
"""
import codecs
import os
import socket
import ssl
import sys
import time
from urllib.parse import urlsplit

steps = sys.argv[1:]
option = steps.pop(0) if steps[0] in ("-s", "-c", "-d", "-ds") else ""
authority = steps.pop(0) if option else ""
peer = urlsplit(f"http://{authority}" if option.startswith("-d") else os.environ["http_proxy"])
sock = socket.create_connection((peer.hostname, peer.port), timeout=20)
buffer = b""


class Tls:
    """TLS over a socket, of which one side can be shut down."""

    def __init__(self, raw, name):
        self.raw, self.input, self.output = raw, ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
        self.tls = context.wrap_bio(self.input, self.output, server_hostname=name)
        self.call(self.tls.do_handshake)

    def flush(self):
        if self.output.pending:
            self.raw.sendall(self.output.read())

    def call(self, function, *arguments):
        while True:
            try:
                result = function(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.raw.recv(65536)
                if data:
                    self.input.write(data)
                else:
                    self.input.write_eof()

    def sendall(self, data):
        self.call(self.tls.write, data)

    def recv(self, size):
        try:
            return self.call(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLEOFError:
            show(b"<no close_notify>")
            return b""

    def shutdown(self, _):
        global buffer
        try:  # unwrap takes it for an error if there is something to be read
            while data := self.tls.read(65536):
                buffer += data
        except ssl.SSLWantReadError:
            pass
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()
        self.raw.shutdown(socket.SHUT_WR)


class Closed(Exception):
    pass


def fill():
    global buffer
    try:
        data = sock.recv(65536)
    except (ConnectionResetError, ssl.SSLError):
        raise Closed("<reset>") from None
    except ssl.SSLEOFError:
        raise Closed("<closed>") from None
    if not data:
        raise Closed("<closed>")
    buffer += data


def until(mark):
    global buffer
    while mark not in buffer:
        fill()
    got, buffer = buffer.split(mark, 1)
    return got + mark


def exactly(n):
    global buffer
    while len(buffer) < n:
        fill()
    got, buffer = buffer[:n], buffer[n:]
    return got


def show(data):
    sys.stdout.write(data.decode("latin-1").replace("\r\n", "\n"))
    sys.stdout.flush()


def response():
    head = until(b"\r\n\r\n")
    show(head)
    fields = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in fields:
        while True:
            n = int(until(b"\r\n").split(b";")[0], 16)
            if n == 0:
                show(until(b"\r\n"))
                return
            show(exactly(n))
            exactly(2)
    for field in fields:
        if field.startswith(b"content-length:"):
            show(exactly(int(field.split(b":")[1])))


def rest():
    global buffer
    while True:
        show(buffer)
        buffer = b""
        fill()


try:
    if option in ("-s", "-c"):
        sock.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        head = until(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            show(head)
            rest()
    if option.endswith("s"):
        sock = Tls(sock, authority.rsplit(":", 1)[0].strip("[]"))
    for step in steps:
        verb, _, argument = step.partition(":")
        if verb == "send":
            try:
                sock.sendall(codecs.decode(argument, "unicode_escape").encode("latin-1"))
            except (BrokenPipeError, ConnectionResetError):
                print("<broken pipe>")
        elif verb == "file":
            with open(argument, "rb") as f:
                sock.sendall(f.read())
        elif verb == "head":
            show(until(b"\r\n\r\n"))
        elif verb == "response":
            response()
        elif verb == "rest":
            rest()
        elif verb == "half":
            sock.shutdown(socket.SHUT_WR)
        elif verb == "sleep":
            time.sleep(float(argument))
        else:
            sys.exit(f"unknown step {step}")
except Closed as e:
    print(e)
except socket.timeout:
    print("<timeout>")
except OSError as e:
    print(f"<{e}>")
