#!/usr/bin/env python3
"""storm.py N URL...: N connections to the proxy of the environment at once, over the URLs in turn.

Every connection is opened, and asks; all stay open until each has had its answer (that they are open at once is
what is tested), then each asks again and closes. Prints "N ok" or what failed, counted.
"""
import asyncio
import collections
import os
import resource
import ssl
import sys
from urllib.parse import urlsplit

number, urls = int(sys.argv[1]), sys.argv[2:]
proxy = urlsplit(os.environ["http_proxy"])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    await reader.readexactly(length)
    return int(head.split(b" ")[1])


async def one(url, all_answered):
    u = urlsplit(url)
    target = u.path or "/"
    reader, writer = await asyncio.open_connection(proxy.hostname, proxy.port, limit=65536)
    try:
        if u.scheme == "https":
            authority = f"{u.hostname}:{u.port or 443}"
            writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if head.split(b" ")[1] != b"200":
                return "CONNECT " + head.split(b"\r\n")[0].decode()
            await writer.start_tls(context, server_hostname=u.hostname)
        else:
            target = url
        statuses = []
        for _ in range(2):
            writer.write(f"GET {target} HTTP/1.1\r\nHost: {u.netloc}\r\n\r\n".encode())
            await writer.drain()
            statuses.append(await answer(reader))
            await all_answered()
        return "ok" if statuses == [200, 200] else str(statuses)
    finally:
        writer.close()


async def main():
    waiting, event = number, asyncio.Event()

    async def all_answered():
        nonlocal waiting
        waiting -= 1
        if waiting <= 0:
            event.set()
        await event.wait()

    async def guarded(url):
        try:
            return await one(url, all_answered)
        except Exception as e:  # each failure is counted by its kind
            await all_answered()
            return f"{type(e).__name__}: {e}"

    results = collections.Counter(await asyncio.gather(*(guarded(urls[i % len(urls)]) for i in range(number))))
    for result, n in results.most_common():
        print(n, result)


if not hasattr(asyncio.StreamWriter, "start_tls"):  # Python before 3.11
    async def start_tls(self, sslcontext, server_hostname):
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(self._transport, self._protocol, sslcontext, server_hostname=server_hostname)
        self._transport = transport
        self._reader._transport = transport
        self._protocol._replace_writer(self) if hasattr(self._protocol, "_replace_writer") else None
    asyncio.StreamWriter.start_tls = start_tls
asyncio.run(main())
