#!/usr/bin/env python3
"""raw-server.py ADDRESS...: what the raw endpoints of the tests lead to; writes server.ready.

TCP 7001: greets, then says the number and the checksum of what came, once its
peer has ended its side. 7002: sends 50 MiB and ends. 7003: resets after the first byte. 7004: answers nothing, its
backlog is full. 7005: echoes. 7006: closed. UDP 7001 and 7005: echo; 7002: only says how much came.
"""
import os, socket, struct, sys, threading, zlib
keep = []


def tcp(address, port, serve):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(4096)
    def loop():
        while True:
            threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
def total(c):
    with c:
        try:
            c.sendall(b"hello\n")
            n = crc = 0
            while data := c.recv(65536):
                n += len(data)
                crc = zlib.crc32(data, crc)
            c.sendall(b"%d %d\n" % (n, crc))
            print(n, flush=True)
        except OSError as e:
            print(type(e).__name__, flush=True)
def source(c):
    with c:
        c.sendall(b"\2" * 52428800)
def reset(c):
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
def echo(c):
    with c:
        while data := c.recv(65536):
            c.sendall(data)
def silent(address, port):
    s = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=0)
    keep.append(s)
    for _ in range(3):
        c = socket.socket(s.family)
        c.setblocking(False)
        c.connect_ex((address, port))
        keep.append(c)
def udp(address, port):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((address, port))
    def loop():
        while True:
            data, peer = s.recvfrom(65536)
            if port == 7002:
                print(len(data), flush=True)
            else:
                s.sendto(data, peer)
    threading.Thread(target=loop, daemon=True).start()
for a in sys.argv[1:]:
    tcp(a, 7001, total)
    tcp(a, 7002, source)
    tcp(a, 7003, reset)
    silent(a, 7004)
    tcp(a, 7005, echo)
    udp(a, 7001)
    udp(a, 7002)
    udp(a, 7005)
open("server.ready", "w").close()
threading.Event().wait()
