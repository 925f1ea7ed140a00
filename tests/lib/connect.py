#!/usr/bin/env python3
"""connect.py KIND ADDRESS PORT: what a program gets that goes there; prints "RESULT MILLISECONDS".

KIND: tcp (a blocking connect), udp (connect, send, receive), udpto (sendto, receive), raw (a raw IP socket),
ping (an ICMP echo by a datagram socket), unix (ADDRESS a path, or @NAME for an abstract one; PORT is ignored).
RESULT: "connected", "answer", or the errno's name, or "timeout".
"""
import errno
import socket
import sys
import time

kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
start = time.monotonic()


def attempt():
    if kind == "unix":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(5)
            s.connect("\0" + address[1:] if address.startswith("@") else address)
            return "connected"
    if kind == "tcp":
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, b"\x0a" + b"\0" * 15)  # 10 s, in the kernel
            s.connect((address, port))
            return "connected"
    if kind in ("udp", "udpto"):
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            if kind == "udp":
                s.connect((address, port))
                s.send(b"x")
            else:
                level, option = ((socket.IPPROTO_IPV6, 25) if family == socket.AF_INET6 else (socket.IPPROTO_IP, 11))
                s.setsockopt(level, option, 1)  # IP_RECVERR: errors also reach an unconnected socket
                s.sendto(b"x", (address, port))
            s.recv(1)
            return "answer"
    if kind == "raw":
        with socket.socket(family, socket.SOCK_RAW, 253) as s:
            s.sendto(b"x", (address, 0))
            return "sent"
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    with socket.socket(family, socket.SOCK_DGRAM, protocol) as s:
        s.settimeout(5)
        s.connect((address, 0))
        s.send((b"\x80" if family == socket.AF_INET6 else b"\x08") + b"\0\0\0\0\1\0\1")
        s.recv(100)
        return "answer"


try:
    result = attempt()
except socket.timeout:
    result = "timeout"
except OSError as e:
    result = errno.errorcode.get(e.errno, str(e))
print(result, int((time.monotonic() - start) * 1000))
