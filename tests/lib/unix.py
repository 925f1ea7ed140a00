#!/usr/bin/env python3
"""unix.py serve ADDRESS READY: says "hello" to each client of that unix socket; touches READY once it listens.
unix.py say ADDRESS: what is said there, or the errno's name. ADDRESS: a path, or @NAME, which is abstract.
"""
import errno
import os
import socket
import sys


def serve(s, address, ready):
    s.bind(address)
    if address[0] != "\0":
        os.chmod(address, 0o777)
    s.listen(64)
    open(ready, "w").close()
    while True:
        c = s.accept()[0]
        c.sendall(b"hello\n")
        c.close()


def say(s, address):
    try:
        s.connect(address)
        print(s.makefile().read(), end="")
    except OSError as e:
        print(errno.errorcode.get(e.errno, e))


address = "\0" + sys.argv[2][1:] if sys.argv[2].startswith("@") else sys.argv[2]
if sys.argv[1] == "serve":
    serve(socket.socket(socket.AF_UNIX), address, sys.argv[3])
else:
    say(socket.socket(socket.AF_UNIX), address)
