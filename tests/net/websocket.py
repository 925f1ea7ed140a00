#!/usr/bin/env python3
"""websocket.py DIR: WebSocket servers (RFC 6455), plain on port 8080 and with TLS on 8443 of their addresses.

The path says what to do with each message:
  /ws/echo    sends it back
  /ws/sum     answers "LENGTH SHA256"
  /ws/close   closes with the code 4001 and the message as the reason
Other paths are 404.
"""
import asyncio
import hashlib
import http
import os
import ssl
import sys

import websockets

ADDRESSES = ["198.51.100.20", "2001:db8:10::20"]
PATHS = ["/ws/echo", "/ws/sum", "/ws/close"]


async def refuse(path, _):
    if path not in PATHS:
        return http.HTTPStatus.NOT_FOUND, [], b"no such path\n"
    return None


async def serve(socket):
    async for message in socket:
        if socket.path == "/ws/echo":
            await socket.send(message)
        elif socket.path == "/ws/sum":
            data = message.encode() if isinstance(message, str) else message
            await socket.send(f"{len(data)} {hashlib.sha256(data).hexdigest()}")
        else:
            await socket.close(4001, message)


async def main(directory):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(directory, "good.pem"), os.path.join(directory, "good.key"))
    for port, context in (8080, None), (8443, tls):
        await websockets.serve(serve, ADDRESSES, port, ssl=context, max_size=None, process_request=refuse,
                               subprotocols=["chat"])
    print("ready", flush=True)
    await asyncio.Future()


asyncio.run(main(sys.argv[1]))
