#!/usr/bin/env python3
"""plain.py: servers of no protocol in particular, on port 7000 of their addresses.

TCP: says "hello" before the client has said anything, then gives back what it gets, but for a client whose first byte
is "q", and ends when the client has; then "got N" on standard output.
UDP: gives back what it gets, with "udp " before it.
"""
import signal
import socket
import threading

ADDRESSES = [(socket.AF_INET, "198.51.100.20"), (socket.AF_INET6, "2001:db8:10::20")]
PORT = 7000


def serve(sock):
    got, quiet = 0, False
    try:
        sock.sendall(b"hello\n")
        while data := sock.recv(65536):
            quiet = quiet or (got == 0 and data.startswith(b"q"))
            got += len(data)
            if not quiet:
                sock.sendall(data)
    except OSError:
        pass
    finally:
        sock.close()
        print(f"got {got}", flush=True)


def accept(server):
    while True:
        sock, _ = server.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def answer(sock):
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(b"udp " + data, peer)


threading.stack_size(256 * 1024)
for family, address in ADDRESSES:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, PORT))
    server.listen(1024)
    threading.Thread(target=accept, args=(server,), daemon=True).start()
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((address, PORT))
    threading.Thread(target=answer, args=(udp,), daemon=True).start()
print("ready", flush=True)
signal.pause()
