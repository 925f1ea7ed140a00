#!/usr/bin/env python3
"""odd-server.py ADDRESS PORT [CERTIFICATE KEY]: answers in ways that are not as they should be, and are met all the same: the
path of the request says which. With a certificate it speaks TLS.

It says "ready", and then a line for each request: "CONNECTION PATH". The connection stays open, but for a path that ends in
  -end    TLS and TCP are ended
  -fin    TCP alone is, without close_notify
  -reset  it is reset
"""
import socket
import ssl
import struct
import sys
import threading
import time

HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 3\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"3\r\nok\n\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
SECRET = b"ghp_9x/Sikrit+Value=7"
OK = HEAD + LENGTH + b"\r\nok\n"
ANSWERS = {
    "ok": OK,
    "fold": HEAD + b"X-Odd: a \r\n\t b\r\n" + LENGTH + b"\r\nok\n",
    "fold-twice": HEAD + b"X-Odd: a\r\n  \r\n b\r\n" + LENGTH + b"\r\nok\n",
    "fold-first": HEAD + b" X-Odd: a\r\n" + LENGTH + b"\r\nok\n",
    "fold-name": HEAD + b"X-Odd\r\n : a\r\n" + LENGTH + b"\r\nok\n",
    "fold-length": HEAD + b"Content-Length:\r\n 3\r\n\r\nok\n",
    "fold-coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "lf": (HEAD + b"X-Odd: a b\r\n" + LENGTH + b"\r\n").replace(b"\r", b"") + b"ok\n",
    "lf-some": HEAD + b"X-Odd: a b\n" + LENGTH + b"\nok\n",
    "cr": HEAD + b"X-Odd: a\rX-More: b\r\n" + LENGTH + b"\r\nok\n",
    "cr-end": HEAD.replace(b"\n", b"") + LENGTH + b"\r\nok\n",
    "chunk-lf": HEAD + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r", b""),
    "chunk-ext-lf": HEAD + CHUNKED + b"\r\n" + b"3;a\nok\n\r\n0\r\n\r\n",
    "chunk-cr": HEAD + CHUNKED + b"\r\n" + b"3\rok\n\r\n0\r\n\r\n",
    "trailer-lf": HEAD + CHUNKED + b"\r\n" + b"3\r\nok\n\r\n0\r\nX-Trailer: a\n b\n\n",
    "trailer-cr": HEAD + CHUNKED + b"\r\n" + b"3\r\nok\n\r\n0\r\nX-Trailer: a\rX-More: b\r\n\r\n",
    "both": HEAD + b"Content-Length: 100\r\n" + CHUNKED + b"\r\n" + CHUNKS,
    "both-less": HEAD + CHUNKED + b"Content-Length: 0\r\n\r\n" + CHUNKS,
    "both-unlike": HEAD + CHUNKED + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n" + CHUNKS,
    "both-odd": HEAD + CHUNKED + b"Content-Length: x\r\n\r\n" + CHUNKS,
    "both-gzip": HEAD + b"Transfer-Encoding: gzip, chunked\r\n" + LENGTH + b"\r\n" + CHUNKS,
    "list": HEAD + b"Content-Length: 3, 3\r\n\r\nok\n",
    "list-twice": HEAD + b"Content-Length: 3,3 ,3\r\ncontent-length: 3\r\n\r\nok\n",
    "list-unlike": HEAD + b"Content-Length: 3, 4\r\n\r\nok\n",
    "list-empty": HEAD + b"Content-Length: 3,,3\r\n\r\nok\n",
    "interim": INTERIM * 1000 + OK,
    "interim-many": INTERIM * 5000 + OK,
    "interim-long": (INTERIM[:-2] + b"X: " + b"a" * 1000 + b"\r\n\r\n") * 400 + OK,
    "close-end": HEAD + b"\r\nok\n",
    "close-fin": HEAD + b"\r\nok\n",
    "close-reset": HEAD + b"\r\nok\n",
    "length-fin": HEAD + b"Content-Length: 20\r\n\r\nok\n",
    "chunked-fin": HEAD + CHUNKED + b"\r\n" + b"3\r\nok\n\r\n",
    "secret-trailer": HEAD + CHUNKED + b"\r\n" + b"3\r\nok\n\r\n0\r\nX-Trailer: is " + SECRET + b"\r\n\r\n",
    "secret-head": HEAD + b"X-Odd: is\r\n " + SECRET + b"\r\n" + LENGTH + b"\r\nok\n",
}


def end(s, how):
    if how == "reset":
        time.sleep(0.3)  # what was sent is read before that
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "end" and isinstance(s, ssl.SSLSocket):
        try:
            s.settimeout(5)
            s.unwrap()
        except OSError:
            pass
    s.close()


def serve(s, number, context):
    try:
        if context:
            s = context.wrap_socket(s, server_side=True)
        lines = s.makefile("rb")
        while request := lines.readline():
            while lines.readline().strip():
                pass
            path = request.split()[1].decode().strip("/")
            print(number, path, flush=True)
            s.sendall(ANSWERS[path])
            how = path.rpartition("-")[2]
            if how in ("end", "fin", "reset") and path != "cr-end":
                lines.close()
                end(s, how)
                return
    except OSError:
        pass


def main():
    address, port = sys.argv[1:3]
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[3:])
    listener = socket.create_server((address, int(port)), family=socket.AF_INET)
    print("ready", flush=True)
    number = 0
    while True:
        s, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(s, number, context), daemon=True).start()


main()
