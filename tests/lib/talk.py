#!/usr/bin/env python3
"""talk.py [-s HOST:PORT] STEP...: bytes to and from the proxy, exactly as said.

With -s, CONNECT HOST:PORT first and TLS inside. Steps: "send:TEXT" (with the escapes of Python's strings),
"file:PATH" (its bytes), "head" (reads a response's head and prints it), "response" (head and body by Content-Length
or chunks, prints both), "rest" (prints all up to the end), "sleep:SECONDS", "half" (shuts down the sending side).
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
proxy = urlsplit(os.environ["http_proxy"])
sock = socket.create_connection((proxy.hostname, proxy.port), timeout=20)
buffer = b""


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
    if steps[0] == "-s":
        authority = steps[1]
        steps = steps[2:]
        sock.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        head = until(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            show(head)
            rest()
        context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
        sock = context.wrap_socket(sock, server_hostname=authority.rsplit(":", 1)[0].strip("[]"))
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
