#!/usr/bin/env python3
"""pipeline-server.py ADDRESS PORT TOGETHER LAST HOW: an HTTP/1.1 server. It answers the first request of a connection at
once, and from then on when TOGETHER more have come, or one for /alone, or nothing for a second. After the LAST-th answer of its first
connection it ends it: HOW is "close" (said in the answer), "silent" (not said), "reset", or "middle" (in the
middle of a body). Says "ready", then "CONNECTION METHOD PATH" for each
request, "CONNECTION waited" where it had to wait for so long, and "CONNECTION ended" where the client has ended one."""
import select
import socket
import struct
import sys
import threading

address, port, together, last, how = sys.argv[1:]
together, last = int(together), int(last)
lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


class Reader:
    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def next(self, seconds):
        """METHOD and PATH; [] at the end; None: nothing has come for so long."""
        while b"\r\n\r\n" not in self.data:
            if not select.select([self.sock], [], [], seconds)[0]:
                return None
            data = self.sock.recv(65536)
            if not data:
                return []
            self.data += data
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        return head.decode().split()[:2]


def answer(request, ends):
    method, path = request
    body = path.encode() * (5000 if path == "/long" else 1)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{'Connection: close' if ends else 'X: y'}\r\n\r\n"
    return head.encode() + (b"" if method == "HEAD" else body)


def serve(sock, number):
    reader, waiting, answered = Reader(sock), [], 0
    while True:
        request = reader.next(1 if waiting else None)
        if request == []:
            break
        if request is None:
            say(number, "waited")
        else:
            say(number, *request)
            waiting.append(request)
        if answered > 0 and request and len(waiting) < together and request[1] != "/alone":
            continue
        for request in waiting:
            answered += 1
            ends = number == 1 and answered == last
            data = answer(request, ends and how == "close")
            sock.sendall(data[:-1] if ends and how == "middle" else data)
            if ends:
                if how == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                sock.close()
                return
        waiting = []
    say(number, "ended")
    sock.close()


listener = socket.create_server((address, int(port)))
say("ready")
number = 0
while True:
    number += 1
    threading.Thread(target=serve, args=(listener.accept()[0], number), daemon=True).start()
