#!/usr/bin/env python3
"""retry-server.py ADDRESS PORT CERTIFICATE KEY PROTOCOL[,PROTOCOL] WHAT...: a TLS server that speaks these (h2, http/1.1),
and does to its first request what the first WHAT says, to its second what the second does, and so on; all others are answered.

  ok         200
  close      the connection ends without a byte
  reset      it is reset
  refuse     RST_STREAM, REFUSED_STREAM                                     (this one and those below: HTTP/2)
  broken     RST_STREAM, INTERNAL_ERROR
  cancel     RST_STREAM, CANCEL
  half       200, the beginning of a body, and then RST_STREAM, CANCEL
  goaway     GOAWAY, which says that this request was not processed; the connection stays
  http1      RST_STREAM, HTTP_1_1_REQUIRED
  http1-all  GOAWAY, HTTP_1_1_REQUIRED
  processed  GOAWAY, which says that it may have been; then the connection ends

It says "ready", and then a line for each request: "CONNECTION WHAT LENGTH", that of the body; and on standard error
"connected" for each connection.
"""
import collections
import socket
import ssl
import struct
import sys
import threading

from h2frames import ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST, SETTINGS, WINDOW, frame

RESETS = {"refuse": 7, "broken": 2, "cancel": 8, "http1": 13}  # RFC 9113, 7
STATUS_200 = b"\x88"  # of HPACK's static table

lock = threading.Lock()
what = collections.deque(sys.argv[6:])


def next_one(number, length):
    with lock:
        does = what.popleft() if what else "ok"
        print(number, does, length, flush=True)
    return does


def end(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def serve_http1(sock, number):
    file = sock.makefile("rb")
    while line := file.readline():
        length = 0
        while (line := file.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        file.read(length)
        does = next_one(number, length)
        if does != "ok":
            file.close()
            return end(sock, does)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")


def answer(sock, number, stream, length):
    """False: the connection is over."""
    does = next_one(number, length)
    if does in ("close", "reset"):
        end(sock, does)
        return False
    if does == "ok":
        sock.sendall(frame(HEADERS, END_HEADERS, stream, STATUS_200) + frame(DATA, END_STREAM, stream, b"ok\n"))
    elif does == "half":
        sock.sendall(frame(HEADERS, END_HEADERS, stream, STATUS_200) + frame(DATA, 0, stream, b"half\n")
                     + frame(RST, 0, stream, struct.pack(">I", RESETS["cancel"])))
    elif does in RESETS:
        sock.sendall(frame(RST, 0, stream, struct.pack(">I", RESETS[does])))
    else:
        last = stream if does == "processed" else max(stream - 2, 0)
        sock.sendall(frame(GOAWAY, 0, 0, struct.pack(">II", last, 13 if does == "http1-all" else 0)))
    if does == "processed":
        end(sock, "close")
    return does != "processed"


def serve_h2(sock, number):
    file = sock.makefile("rb")
    file.read(len(PREFACE))
    sock.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20)) + frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)))
    lengths = collections.Counter()
    while len(head := file.read(9)) == 9:
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
        payload = file.read(int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and not flags & ACK:
            sock.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            sock.sendall(frame(PING, ACK, 0, payload))
        elif kind in (HEADERS, DATA):
            lengths[stream] += len(payload) if kind == DATA else 0
            if flags & END_STREAM and not answer(sock, number, stream, lengths[stream]):
                file.close()
                return


def serve(raw, number):
    try:
        sock = context.wrap_socket(raw, server_side=True)
        (serve_h2 if sock.selected_alpn_protocol() == "h2" else serve_http1)(sock, number)
        sock.close()
    except OSError:
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
context.set_alpn_protocols(sys.argv[5].split(","))
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
print("ready", flush=True)
connections = 0
while True:
    client, _ = server.accept()
    connections += 1
    print("connected", file=sys.stderr, flush=True)
    threading.Thread(target=serve, args=(client, connections), daemon=True).start()
