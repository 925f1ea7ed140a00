#!/usr/bin/env python3
"""dot-server.py ADDRESS MODE CERTIFICATE KEY: a DNS server over TLS (RFC 7858) at port 853 that answers 198.51.100.1 for
any A question, or misbehaves. Prints "ready ADDRESS", "handshake new|resumed SNI" for each connection and "asked NAME
LENGTH" for each question. Modes beside good:

plain: DNS over TCP without TLS          hang: no handshake            silent: no answers
once: one answer, then the end           end: no answer, but the end   cut: the end in the middle of a message
short: a message that is none            servfail, refused             other: answers to another question first
reversed: answers come by twos, the second first                       private: the address is 10.0.0.1
nxdomain: of every name                  brief: answers hold for a second
relay: not a server itself: each byte goes to 192.0.2.53 and back, and into the file relayed"""
import socket
import ssl
import struct
import sys
import threading
import time

from dns_message import parse

address, mode = sys.argv[1:3]


def reply(query):
    question, _, qtype = parse(query)
    rcode = {"servfail": 2, "refused": 5, "nxdomain": 3}.get(mode, 0)
    rdata = b"\x0a\0\0\1" if mode == "private" else b"\xc6\x33\x64\x01"
    answer = b"\xc0\x0c" + struct.pack(">2HIH", 1, 1, 1 if mode == "brief" else 60, 4) + rdata if qtype == 1 and not rcode else b""
    return query[:2] + struct.pack(">5H", 0x8180 | rcode, 1, 1 if answer else 0, 0, 0) + question + answer


def framed(message):
    return struct.pack(">H", len(message)) + message


def serve(c):
    f = c.makefile("rb")
    waiting = []
    while len(head := f.read(2)) == 2:
        query = f.read(struct.unpack(">H", head)[0])
        print("asked", parse(query)[1], len(query), flush=True)
        answer = framed(reply(query))
        if mode == "end":
            return
        if mode == "cut":
            c.sendall(answer[:-5])
            return
        if mode == "short":
            c.sendall(framed(b"\0" * 11))
        elif mode == "other":
            other = query[:12] + b"\5other\7example\0\0\1\0\1"
            c.sendall(framed(reply(other)) + answer)
        elif mode == "reversed":
            waiting.append(answer)
            if len(waiting) == 2:
                c.sendall(waiting[1] + waiting[0])
                waiting = []
        elif mode != "silent":
            c.sendall(answer)
        if mode == "once":
            return


def secured(c, context):
    try:
        with context.wrap_socket(c, server_side=True) as t:
            print("handshake", "resumed" if t.session_reused else "new", t.given_name, flush=True)
            serve(t)
            t.unwrap()
    except (OSError, ssl.SSLError, ValueError) as e:
        print("failed", e, flush=True)


def copy(a, b, out):
    while data := a.recv(65536):
        out.write(data)
        out.flush()
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)


def relay(c):
    up = socket.create_connection(("192.0.2.53", 853))
    out = open("relayed", "ab")
    threading.Thread(target=copy, args=(up, c, out), daemon=True).start()
    copy(c, up, out)


class Named(ssl.SSLSocket):
    given_name = None


def remember_name(s, name, _context):
    s.given_name = name


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.sslsocket_class = Named
context.load_cert_chain(*sys.argv[3:5])
context.sni_callback = remember_name
listener = socket.create_server((address, 853))
print("ready", address, flush=True)
while True:
    c, _ = listener.accept()
    if mode == "plain":
        target, args = serve, (c,)
    elif mode == "hang":
        target, args = time.sleep, (60,)
        kept = c  # noqa: F841
    elif mode == "relay":
        target, args = relay, (c,)
    else:
        target, args = secured, (c, context)
    threading.Thread(target=target, args=args, daemon=True).start()
