#!/usr/bin/env python3
"""late-reader.py ADDRESS PORT CERTIFICATE KEY: an HTTP/2 server with wide windows that reads four megabytes of its first
upload, says "stopped", and reads on once a line comes on its standard input, up to the next request, which it answers. It
says then "between N": so many bytes of the upload came between these."""
import socket
import ssl
import struct
import sys

from h2frames import ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, WINDOW, frame

WIDE = 1 << 30

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
context.set_alpn_protocols(["h2"])
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # what is on its way is no more than that
print("ready", flush=True)
sock = context.wrap_socket(server.accept()[0], server_side=True)
file = sock.makefile("rb")
file.read(len(PREFACE))
sock.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WIDE)) + frame(WINDOW, 0, 0, struct.pack(">I", WIDE)))
total, stopped = 0, None
while len(head := file.read(9)) == 9:
    kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
    payload = file.read(int.from_bytes(head[:3], "big"))
    if kind == SETTINGS and not flags & ACK:
        sock.sendall(frame(SETTINGS, ACK, 0))
    elif kind == DATA:
        total += len(payload)
        if stopped is None and total >= 4 << 20:
            stopped = total
            print("stopped", flush=True)
            sys.stdin.readline()
    elif kind == HEADERS and stopped is not None:
        print("between", total - stopped, flush=True)
        sock.sendall(frame(HEADERS, END_HEADERS, stream, b"\x88") + frame(DATA, END_STREAM, stream, b"ok\n"))
