#!/usr/bin/env python3
"""resets.py server CERTIFICATE KEY STEP | client PROXY-HOST PROXY-PORT FILE: a TLS handshake that breaks off after each byte.

The server, at 192.0.2.10:8443, sends nothing of its first flight on the first connection, STEP bytes on the next, and
so on. When it has sent all it says "reset LENGTH" and begins anew, with connections that it closes instead (FIN), and
after those it says "closed LENGTH". The client asks for https://192.0.2.10:8443/ through the proxy until FILE has both
lines, on one connection while the proxy keeps it; it prints how many requests had which status, and the longest wait.
"""
import collections
import http.client
import socket
import ssl
import struct
import sys
import time

ADDRESS = ("192.0.2.10", 8443)


def flight_of(context, client):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    flight = b""
    while not flight:
        received = client.recv(65536)
        if not received:
            return b""
        incoming.write(received)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        flight = outgoing.read()
    return flight


def serve(certificate, key, step):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = socket.create_server(ADDRESS, backlog=100)
    print("ready", flush=True)
    for how in "reset", "closed":
        limit = length = 0
        while limit <= length:
            client, _ = server.accept()
            flight = flight_of(context, client)
            length = max(length, len(flight))
            client.sendall(flight[:limit])
            if how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            limit += step
        print(how, length, flush=True)


def ask(proxy, file):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    statuses, longest, connection = collections.Counter(), 0.0, None
    while "closed" not in open(file, encoding="ascii").read():
        if connection is None:
            connection = http.client.HTTPSConnection(*proxy, context=context, timeout=20)
            connection.set_tunnel(*ADDRESS)
        began = time.monotonic()
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
            if answer.will_close:
                connection.close()
                connection = None
        except OSError as e:
            statuses[type(e).__name__] += 1
            connection = None
        longest = max(longest, time.monotonic() - began)
    for status, n in statuses.items():
        print("status", status, n)
    print("longest", int(longest * 1000))


if sys.argv[1] == "server":
    serve(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    ask((sys.argv[2], int(sys.argv[3])), sys.argv[4])
