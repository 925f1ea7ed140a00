#!/usr/bin/env python3
"""say.py HOST PORT [TEXT]: resolves and connects at once, sends TEXT, ends its side, and prints all that comes; or the
name of the errno that connecting failed with."""
import errno
import socket
import sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    s = socket.create_connection((host, port), 10)
except OSError as e:
    print(errno.errorcode.get(e.errno, e))
    sys.exit(3)
s.sendall((sys.argv[3] if len(sys.argv) > 3 else "").encode())
s.shutdown(socket.SHUT_WR)
while data := s.recv(65536):
    print(data.decode(), end="")
