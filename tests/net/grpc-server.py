#!/usr/bin/env python3
"""grpc-server.py DIR: a gRPC server with TLS on port 9443 of the origin's addresses; messages are bytes, unread.

  /test.Echo/Unary     answers the message, and trailers "n" (its length) and "said" (the client's metadata "say")
  /test.Echo/Stream    answers each message as it comes
  /test.Echo/Count     answers N messages of 1000 bytes, for the message "N"
  /test.Echo/Fail      fails with RESOURCE_EXHAUSTED and the message as details
"""
import os
import sys
from concurrent import futures

import grpc


def unary(message, context):
    say = dict(context.invocation_metadata()).get("say", "")
    context.set_trailing_metadata([("n", str(len(message))), ("said", say)])
    return message


def fail(message, context):
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, message.decode())


class Handler(grpc.GenericRpcHandler):
    def service(self, call):
        return {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(unary),
            "/test.Echo/Fail": grpc.unary_unary_rpc_method_handler(fail),
            "/test.Echo/Stream": grpc.stream_stream_rpc_method_handler(lambda messages, _: messages),
            "/test.Echo/Count": grpc.unary_stream_rpc_method_handler(
                lambda message, _: (b"x" * 1000 for _ in range(int(message)))),
        }.get(call.method)


def read(name):
    with open(os.path.join(sys.argv[1], name), "rb") as file:
        return file.read()


server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Handler()])
credentials = grpc.ssl_server_credentials([(read("good.key"), read("good.pem"))])
for address in "198.51.100.20:9443", "[2001:db8:10::20]:9443":
    server.add_secure_port(address, credentials)
server.start()
print("ready", flush=True)
server.wait_for_termination()
