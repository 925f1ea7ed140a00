#!/usr/bin/env python3
"""pipeline-client.py URL [METHOD]PATH...: sends all requests at once over one connection to the proxy of http_proxy, or, if
there is none, to the URL's host; prints the status of each answer and its body, or "cut"."""
import http.client
import os
import socket
import sys
import urllib.parse

url, *requests = sys.argv[1:]
host = urllib.parse.urlsplit(url).netloc
proxy = os.environ.get("http_proxy")
where = urllib.parse.urlsplit(proxy or url)
requests = [r.split("/", 1) for r in requests]
sock = socket.create_connection((where.hostname, where.port or 80), 20)
sock.sendall(b"".join(f"{method or 'GET'} {url if proxy else ''}/{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
                      for method, path in requests))


class Kept:
    """One stream of bytes for all answers: http.client would make one each, which reads ahead."""
    def __init__(self, file):
        self.file = file

    def makefile(self, mode):
        return self

    def __getattr__(self, name):
        return (lambda: None) if name in ("close", "flush") else getattr(self.file, name)


file = Kept(sock.makefile("rb"))
for method, path in requests:
    try:
        response = http.client.HTTPResponse(file, method=method or "GET")
        response.fp = file
        response.begin()
        body = response.read()
    except (http.client.HTTPException, OSError):
        print("cut")
        break
    print(response.status, body[:20].decode().split("\n")[0], len(body) if len(body) > 200 else "")
    if response.will_close:
        break
