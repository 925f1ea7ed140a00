#!/usr/bin/env python3
"""origin.py DIR: an HTTP/1.1 server for what a well-behaved one does not do, on ports 80 and 443 of its addresses.

Written on plain sockets, so that each odd byte is deliberate. The path says what to do:
  /head             the request's head, as it arrived, is the body of the answer
  /count            which connection of this server it is, and which request on it: "CONNECTION REQUEST"
  /slow?SECONDS     answers after that time
  /drip?N           N lines, chunked, one each 50 ms
  /chunked?N        N bytes in chunks of odd sizes, with extensions and a trailer
  /raw              the request's head and its body's bytes, chunks and all, are the body of the answer
  /upload           reads the body; answers "METHOD LENGTH SHA256 FRAMING"
  /continue         sends 100, reads the body, answers as /upload
  /early413         answers 413 without reading the body; reads it later and closes, so that it is no reset
  /ignore100        never sends 100; answers 417 at once
  /truncated        announces 1000 bytes, sends 10, closes
  /reset            sends half a head, and resets the connection
  /nothing          closes without a byte
  /until-close?N    an HTTP/1.0 answer of N bytes, ended by closing
  /both             Content-Length and Transfer-Encoding in one answer
  /twolengths       two different Content-Length fields
  /badhead          a field line with no colon
  /hugehead         a head of a megabyte
  /switch           101 Switching Protocols that nobody asked for
  /upgrade?PROTOCOL          101 for it whatever was offered, "hello", then the client's bytes come back; at their
                             end "end N SHA256"
  /upgrade-pieces?PROTOCOL   the same, the head byte by byte
  /upgrade-late?SECONDS      the same after that time, for the protocol that was offered
  /upgrade-refused?SECONDS   426 after that time
  /upgrade-half?PROTOCOL     101, "bye", its own end, then counts the client's bytes: "half N" on standard output
  /hints            103 Early Hints before the answer
  /nocontent        204
  /reflect          the request's Authorization as fields of the answer: X-Sent, in Location, its last word in Base64,
                    and in the reason phrase
  /git/...          git http-backend

Some hosts are of one kind whatever the path: github.example is git http-backend below /OWNER/; gist.github.example,
api.github.example and gitlab.example answer as /upload does.
"""
import base64
import hashlib
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

ADDRESSES = [(socket.AF_INET, "198.51.100.20"), (socket.AF_INET6, "2001:db8:10::20")]


HOSTS = {b"github.example": "git", b"gist.github.example": "upload", b"api.github.example": "upload",
         b"gitlab.example": "upload"}


class Closed(Exception):
    pass


class Connection:
    lock = threading.Lock()
    count = 0

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.requests = 0
        with Connection.lock:
            Connection.count += 1
            self.number = Connection.count

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.fill()
        got, self.buffer = self.buffer.split(mark, 1)
        return got

    def exactly(self, n):
        """Yields n bytes in pieces."""
        while n:
            if not self.buffer:
                self.fill()
            piece, self.buffer = self.buffer[:n], self.buffer[n:]
            n -= len(piece)
            yield piece

    def chunks(self):
        while True:
            n = int(self.until(b"\r\n").split(b";")[0], 16)
            if n == 0:
                while self.until(b"\r\n"):
                    pass
                return
            yield from self.exactly(n)
            self.until(b"\r\n")

    def body(self):
        if b"chunked" in self.fields.get(b"transfer-encoding", b""):
            return self.chunks()
        return self.exactly(int(self.fields.get(b"content-length", b"0")))

    def head(self):
        self.raw = self.until(b"\r\n\r\n")
        lines = self.raw.split(b"\r\n")
        self.method, target, _ = lines[0].split(b" ", 2)
        self.path, _, self.query = target.decode("latin-1").partition("?")
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.fields[name.strip().lower()] = value.strip()
        self.requests += 1

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, text, status="200 OK", extra=b""):
        if isinstance(text, str):
            text = text.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n".encode()
        self.send(head + extra + b"\r\n" + (b"" if self.method == b"HEAD" else text))

    def serve(self):
        while True:
            self.head()
            name = "git" if self.path.startswith("/git/") else self.path.strip("/").replace("-", "_")
            name = HOSTS.get(self.fields.get(b"host"), name)
            getattr(self, "do_" + name, self.do_unknown)()

    def do_unknown(self):
        for _ in self.body():
            pass
        self.answer("no such test\n", "404 Not Found")

    def do_head(self):
        for _ in self.body():
            pass
        self.answer(self.raw + b"\r\n")

    def do_raw(self):
        if b"chunked" in self.fields.get(b"transfer-encoding", b""):
            body = b""
            while not body.endswith(b"0\r\n\r\n"):
                if not self.buffer:
                    self.fill()
                body, self.buffer = body + self.buffer, b""
        else:
            body = b"".join(self.body())
        self.answer(self.raw + b"\r\n\r\n" + body)

    def do_count(self):
        self.answer(f"{self.number} {self.requests}\n")

    def do_slow(self):
        time.sleep(float(self.query or 1))
        self.answer("slow\n")

    def do_drip(self):
        self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(int(self.query or 5)):
            line = b"line %d\n" % i
            self.send(b"%x\r\n%s\r\n" % (len(line), line))
            time.sleep(0.05)
        self.send(b"0\r\n\r\n")

    def do_chunked(self):
        left = int(self.query or 100000)
        self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n")
        size = 1
        while left:
            n = min(left, size)
            self.send(b"%X;ext=1;b=\"q\"\r\n%s\r\n" % (n, b"c" * n))
            left -= n
            size = size * 3 % 70001 + 1
        self.send(b"0\r\nX-End: yes\r\n\r\n")

    def do_upload(self):
        digest, length = hashlib.sha256(), 0
        framing = "chunked" if b"transfer-encoding" in self.fields else "length"
        for piece in self.body():
            digest.update(piece)
            length += len(piece)
        self.answer(f"{self.method.decode()} {length} {digest.hexdigest()} {framing}\n")

    def do_continue(self):
        if self.fields.get(b"expect", b"").lower() == b"100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.do_upload()

    def do_early413(self):
        self.answer("too large\n", "413 Content Too Large", b"Connection: close\r\n")
        time.sleep(1)
        self.sock.settimeout(2)
        while self.sock.recv(65536):
            pass
        raise Closed

    def do_ignore100(self):
        self.answer("no\n", "417 Expectation Failed", b"Connection: close\r\n")
        raise Closed

    def do_truncated(self):
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")
        raise Closed

    def do_reset(self):
        self.send(b"HTTP/1.1 200 OK\r\nContent-Le")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed

    def do_nothing(self):
        raise Closed

    def do_until_close(self):
        self.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"u" * int(self.query or 10000))
        raise Closed

    def do_both(self):
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    def do_twolengths(self):
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")

    def do_badhead(self):
        self.send(b"HTTP/1.1 200 OK\r\nthis is no field\r\nContent-Length: 3\r\n\r\nabc")

    def do_hugehead(self):
        self.send(b"HTTP/1.1 200 OK\r\nX-Huge: " + b"h" * (1 << 20) + b"\r\nContent-Length: 3\r\n\r\nabc")

    def do_switch(self):
        self.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw bytes")

    def switch(self, protocol, pause=0.0):
        head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode()
        if pause:
            for i in range(len(head) - 1):
                self.send(head[i:i + 1])
                time.sleep(pause)
            head = head[-1:]
        self.send(head + b"hello")

    def echo(self):
        digest, length = hashlib.sha256(), 0
        while True:
            data, self.buffer = self.buffer or self.sock.recv(65536), b""
            if not data:
                break
            digest.update(data)
            length += len(data)
            self.send(data)
        self.send(f"end {length} {digest.hexdigest()}\n".encode())
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.unwrap()
        raise Closed

    def do_upgrade(self):
        self.switch(self.query)
        self.echo()

    def do_upgrade_pieces(self):
        self.switch(self.query, 0.005)
        self.echo()

    def do_upgrade_late(self):
        time.sleep(float(self.query))
        self.switch(self.fields[b"upgrade"].decode())
        self.echo()

    def do_upgrade_refused(self):
        time.sleep(float(self.query))
        self.answer("no\n", "426 Upgrade Required")

    def do_upgrade_half(self):
        self.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: " + self.query.encode() + b"\r\n\r\nbye")
        self.sock.shutdown(socket.SHUT_WR)
        length = len(self.buffer)
        while data := self.sock.recv(65536):
            length += len(data)
        print("half", length, flush=True)
        raise Closed

    def do_hints(self):
        self.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        self.answer("after the hints\n")

    def do_reflect(self):
        sent = self.fields.get(b"authorization", b"")
        word = sent.split(b" ")[-1]
        self.answer("reflected\n", "200 " + word.decode("latin-1"), b"X-Sent: " + sent + b"\r\nLocation: /?token=" + word +
                    b"\r\nX-Encoded: x" + base64.b64encode(b"<" + word + b">") + b"\r\nX-Other: plain\r\n")

    def do_nocontent(self):
        for _ in self.body():
            pass
        self.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    def do_git(self):
        body = b"".join(self.body())
        field = lambda name: self.fields.get(name, b"").decode("latin-1")
        path = "/" + self.path.split("/", 2)[2]
        env = dict(os.environ, GIT_PROJECT_ROOT=os.path.join(directory, "git"), GIT_HTTP_EXPORT_ALL="1",
                   HOME=os.path.join(directory, "home"), PATH_INFO=path, QUERY_STRING=self.query,
                   REQUEST_METHOD=self.method.decode(), CONTENT_TYPE=field(b"content-type"),
                   CONTENT_LENGTH=str(len(body)), HTTP_CONTENT_ENCODING=field(b"content-encoding"),
                   HTTP_GIT_PROTOCOL=field(b"git-protocol"), GIT_PROTOCOL=field(b"git-protocol"))
        done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=env, check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        status, extra = "200 OK", b""
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"status:"):
                status = line.split(b":", 1)[1].strip().decode()
            elif line and not line.lower().startswith(b"content-length"):
                extra += line + b"\r\n"
        self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode() + extra + b"\r\n" + body)


def connection(sock, context):
    try:
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        Connection(sock).serve()
    except (Closed, OSError, ValueError):
        pass
    finally:
        sock.close()


def listen(family, address, port, context):
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(1024)

    def accept():
        while True:
            sock, _ = server.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=connection, args=(sock, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


directory = sys.argv[1]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.path.join(directory, "good.pem"), os.path.join(directory, "good.key"))
threading.stack_size(256 * 1024)
for family_, address_ in ADDRESSES:
    listen(family_, address_, 80, None)
    listen(family_, address_, 443, tls)
print("ready", flush=True)
signal.pause()
