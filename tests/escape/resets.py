#!/usr/bin/env python3
"""resets.py: a TLS server at 192.0.2.10:8443 that sends only so many bytes of its first flight, and then resets.

The first connection gets none, the next the first STEP bytes, and so on; past the end it starts anew and says "whole".
"""
import socket
import ssl
import struct
import sys

STEP = 97
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = socket.create_server(("192.0.2.10", 8443), backlog=100)
print("ready", flush=True)
limit = 0
while True:
    client, _ = server.accept()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    flight = b""
    while limit and not flight:
        incoming.write(client.recv(65536))
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        flight = outgoing.read()
    client.sendall(flight[:limit])
    if limit > len(flight) > 0:
        print("whole", len(flight), flush=True)
        limit = -STEP
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    limit += STEP
