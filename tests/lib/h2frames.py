"""h2frames.py: what frames of HTTP/2 (RFC 9113) and HPACK without Huffman's code (RFC 7541) look like, for peers that
are to send just these bytes."""
import struct

DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUSES = {0x88: 200, 0x89: 204, 0x8c: 400, 0x8d: 404, 0x8e: 500}  # of HPACK's static table


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    n = len(value)
    if n < 127:
        return bytes([n]) + value
    out, n = b"\x7f", n - 127
    while n >= 128:
        out += bytes([n % 128 + 128])
        n //= 128
    return out + bytes([n]) + value


def field(name, value, index=False):
    return (b"\x40" if index else b"\x00") + text(name) + text(value)
