#!/usr/bin/env python3
"""delay.py ADDRESS PORT TO SECONDS: a TCP relay from ADDRESS:PORT to ADDRESS:TO by which each byte takes SECONDS longer, both
ways, and as much as may come is under way at once: a server that is far away."""
import asyncio
import sys

ADDRESS, PORT, TO, DELAY = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
LIMIT = 1 << 22


async def send_later(queue, writer):
    loop = asyncio.get_running_loop()
    while True:
        due, data = await queue.get()
        await asyncio.sleep(max(due - loop.time(), 0))
        if not data:
            writer.write_eof()
            return
        writer.write(data)
        await writer.drain()


async def pump(reader, writer):
    queue = asyncio.Queue()
    loop = asyncio.get_running_loop()
    sender = asyncio.create_task(send_later(queue, writer))
    data = b"-"
    while data:
        try:
            data = await reader.read(1 << 18)
        except OSError:
            data = b""
        queue.put_nowait((loop.time() + DELAY, data))
    await asyncio.gather(sender, return_exceptions=True)


async def serve(reader, writer):
    there, back = await asyncio.open_connection(ADDRESS, TO, limit=LIMIT)
    await asyncio.gather(pump(reader, back), pump(there, writer))
    for end in writer, back:
        end.close()


async def main():
    server = await asyncio.start_server(serve, ADDRESS, PORT, limit=LIMIT)
    async with server:
        await server.serve_forever()


asyncio.run(main())
