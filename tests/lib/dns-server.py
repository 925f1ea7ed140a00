#!/usr/bin/env python3
"""dns-server.py ADDRESS MODE: a DNS server at port 53, UDP and TCP, that answers 198.51.100.1 for any A question, or
misbehaves. Prints "ready ADDRESS", then "asked udp|tcp NAME" for each question."""
import random
import socket
import struct
import sys
import threading
import time

from dns_message import parse

address, mode = sys.argv[1:3]
GOOD, EVIL = b"\xc6\x33\x64\x01", b"\x42\x42\x42\x42"
SOA = b"\0\0\6\0\1\0\0\0\5\0\x16\0\0" + struct.pack(">5I", 1, 60, 60, 60, 5)


def record(rdata, rtype=1, ttl=60, owner=b"\xc0\x0c"):
    return owner + struct.pack(">2HIH", rtype, 1, ttl, len(rdata)) + rdata


def reply(query, records=(), rcode=0, flags=0x8180, question=None, ident=None, counts=None):
    counts = counts or (1, len(records), 0, 0)
    ident = query[:2] if ident is None else ident
    question = parse(query)[0] if question is None else question
    return ident + struct.pack(">5H", flags | rcode, *counts) + question + b"".join(records)


def answers(query, tcp):
    """Each (delay, message) that is sent back."""
    question, name, qtype = parse(query)
    good = reply(query, [record(GOOD, ttl=1 if mode == "ttl1" else 60)]) if qtype == 1 else reply(query)
    evil = reply(query, [record(EVIL)])
    nxdomain = reply(query, [SOA], rcode=3, counts=(1, 0, 1, 0))
    other = b"\5other\7example\0\0\1\0\1"
    return {
        "good": [(0, good)], "ttl1": [(0, good)], "slow": [(0.3, good)], "slower": [(4.5, good)], "silent": [],
        "wrong-id": [(0, bytes([evil[0] ^ 0xff]) + evil[1:]), (0.1, good)],
        "wrong-question": [(0, reply(query, [record(EVIL)], question=other)), (0.1, good)],
        "spoofed": [(0, reply(query, [record(EVIL)], ident=struct.pack(">H", i))) for i in range(0, 2000)
                    if struct.pack(">H", i) != query[:2]] + [(0.1, good)],
        "garbage": [(0, query[:2] + b"\x81\x80" + query[4:6] + random.randbytes(200))],
        "cut": [(0, evil[:-3])],
        "loop": [(0, reply(query, [record(b"\xc0\x0c", rtype=5)]))],
        "pointer": [(0, reply(query, [record(EVIL, owner=b"\xc0" + bytes([12 + len(question)]))]))],
        "oversized": [(0, reply(query, [record(EVIL[:2] * 30000)]))],
        "counts": [(0, reply(query, [record(EVIL)], counts=(1, 65535, 65535, 65535)))],
        "query-back": [(0, query)],
        "late": [] if name == "a.example" else [(0, good)],
        "nxdomain": [(0, nxdomain if name.endswith("missing.example") else good)],
        "servfail": [(0, reply(query, rcode=2))], "refused": [(0, reply(query, rcode=5))],
        "edns-dropped": [] if query[11] else [(0, good)],
        "no-aaaa": [(0, nxdomain if qtype == 28 else good)],
        "noedns": [(0, reply(query, rcode=1) if query[11] else good)],
        "truncated": [(0, good if tcp else reply(query, flags=0x8380))],
    }[mode]


def send_late(s, query, peer, kept):
    """In mode late: the answer to the first question for a.example comes when b.example is asked for."""
    name = parse(query)[1]
    if name == "a.example":
        kept.append((reply(query, [record(EVIL)]), peer))
    elif name == "b.example" and kept:
        message, first = kept[0]
        s.sendto(message, first)
        s.sendto(message, peer)
        print("late", flush=True)


def serve_udp(s):
    kept = []
    while True:
        query, peer = s.recvfrom(4096)
        print("asked udp", parse(query)[1], flush=True)
        if mode == "late":
            send_late(s, query, peer, kept)
        for delay, message in answers(query, False):
            if delay > 1:
                threading.Timer(delay, s.sendto, (message, peer)).start()
                continue
            time.sleep(delay)
            try:
                s.sendto(message, peer)
            except OSError:
                pass


def serve_tcp(listener):
    while True:
        c, _ = listener.accept()
        head = c.recv(2)
        if len(head) == 2:
            query = c.recv(struct.unpack(">H", head)[0])
            print("asked tcp", parse(query)[1], flush=True)
            for delay, message in answers(query, True):
                time.sleep(delay)
                c.sendall(struct.pack(">H", len(message)) + message)
        c.close()


udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((address, 53))
tcp = socket.create_server((address, 53))
threading.Thread(target=serve_tcp, args=(tcp,), daemon=True).start()
print("ready", address, flush=True)
serve_udp(udp)
