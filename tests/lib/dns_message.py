"""What the tests' DNS servers have in common."""
import struct


def parse(query):
    """The question's bytes, its name, its type."""
    labels, i = [], 12
    while query[i]:
        labels.append(query[i + 1:i + 1 + query[i]].decode())
        i += query[i] + 1
    return query[12:i + 5], ".".join(labels), struct.unpack(">H", query[i + 1:i + 3])[0]
