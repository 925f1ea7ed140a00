#!/usr/bin/env python3
"""packets.py DEVICE MAC4 MAC6: sends frames by a packet socket, in every way by which one could leave, or turn what is at
the other end of the link against the jail. Prints how many were sent."""
import itertools
import random
import socket
import struct
import sys

device, mac4, mac6 = sys.argv[1], *(bytes.fromhex(m.replace(":", "")) for m in sys.argv[2:4])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((device, 0))
own_mac = wire.getsockname()[4]
BROADCAST, ALL_NODES = b"\xff" * 6, bytes.fromhex("333300000001")
UDP, TCP, ICMP, ICMP6 = 17, 6, 1, 58
JAIL, GATEWAY = {4: "192.0.0.2", 6: "fd63:696a:6169:6c::2"}, {4: "192.0.0.1", 6: "fd63:696a:6169:6c::1"}
THERE = {4: "198.51.100.66", 6: "2001:db8:10::66"}
ALLOWED = {4: "198.51.100.10", 6: "2001:db8:10::10"}
sent = 0


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def summed(source, to, protocol, data, offset):
    pseudo = address(source) + address(to) + struct.pack("!II", len(data), protocol)
    return data[:offset] + struct.pack("!H", checksum(pseudo + data)) + data[offset + 2:]


def udp(source, to, port, data=b"stolen", own=40000):
    return summed(source, to, UDP, struct.pack("!HHHH", own, port, 8 + len(data), 0) + data, 6)


def tcp(source, to, port, flags=2, data=b""):
    head = struct.pack("!HHIIBBHHH", random.randrange(1024, 65536), port, random.getrandbits(32), 1, 5 << 4, flags, 65535, 0, 0)
    return summed(source, to, TCP, head + data, 16)


def icmp(source, to, kind, code, body):
    data = struct.pack("!BBH", kind, code, 0) + body
    if ":" in to:
        return summed(source, to, ICMP6, data, 2)
    return data[:2] + struct.pack("!H", checksum(data)) + data[4:]


def ip4(source, to, protocol, data, fragment=0, options=b"", ttl=64, number=7):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(data), number, fragment, ttl,
                       protocol, 0, address(source), address(to)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data


def ip6(source, to, protocol, data, hops=255):
    return struct.pack("!IHBB", 6 << 28, len(data), protocol, hops) + address(source) + address(to) + data


def frame(kind, data, mac=None, tag=b""):
    global sent
    mac = mac or (mac6 if kind == 0x86DD else mac4)
    try:
        wire.send(mac + own_mac + tag + struct.pack("!H", kind) + data)
        sent += 1
    except OSError as e:
        print("not sent:", e, len(data))


def packet(source, to, protocol, data, **more):
    if ":" in to:
        frame(0x86DD, ip6(source, to, protocol, data, **more))
    else:
        frame(0x0800, ip4(source, to, protocol, data, **more))


# Forwarding by the gateway, from every source: to what is denied, and to what is allowed, without its proxy.
sources = {4: [JAIL[4], GATEWAY[4], "192.0.2.10", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", THERE[4]],
           6: [JAIL[6], GATEWAY[6], "2001:db8:0:2::10", "::1", "::", "ff02::1", "fe80::1", THERE[6]]}
for v in 4, 6:
    for source, to, mac in itertools.product(sources[v], (THERE[v], ALLOWED[v]), (None, BROADCAST)):
        for port in 53, 80, 443, 999:
            for protocol, data in (UDP, udp(source, to, port)), (TCP, tcp(source, to, port)):
                if v == 4:
                    frame(0x0800, ip4(source, to, protocol, data), mac)
                else:
                    frame(0x86DD, ip6(source, to, protocol, data), mac)
    echo = icmp(JAIL[v], THERE[v], 8 if v == 4 else 128, 0, b"\0\7\0\1stolen")
    packet(JAIL[v], THERE[v], ICMP if v == 4 else ICMP6, echo)
    for flags in 0, 1, 4, 16, 18, 41, 63:
        packet(JAIL[v], ALLOWED[v], TCP, tcp(JAIL[v], ALLOWED[v], 443, flags, b"stolen"))
        packet(JAIL[v], GATEWAY[v], TCP, tcp(JAIL[v], GATEWAY[v], 3128, flags, b"stolen"))
    # The gateway's own services, under addresses that are not its own; its loopback.
    for to in ("127.0.0.1", "127.0.0.53", "255.255.255.255", "224.0.0.251", "169.254.169.254") if v == 4 else \
            ("::1", "ff02::1", "ff02::fb", "fe80::1", "::ffff:127.0.0.1", "2002:c633:6442::1", "64:ff9b::c633:6442"):
        for port in 53, 3128, 3129, 5353:
            packet(JAIL[v], to, UDP, udp(JAIL[v], to, port))
            packet(JAIL[v], to, TCP, tcp(JAIL[v], to, port))

# Tunnels, and every other protocol number.
inner = {4: ip4(JAIL[4], THERE[4], UDP, udp(JAIL[4], THERE[4], 80)), 6: ip6(JAIL[6], THERE[6], UDP, udp(JAIL[6], THERE[6], 80))}
for v in 4, 6:
    for to in GATEWAY[v], THERE[v]:
        packet(JAIL[v], to, 4, inner[4])
        packet(JAIL[v], to, 41, inner[6])
        packet(JAIL[v], to, 47, b"\0\0\x08\0" + inner[4])
        packet(JAIL[v], to, UDP, udp(JAIL[v], to, 4789, b"\x08\0\0\0\0\0\7\0" + mac4 + own_mac + b"\x08\0" + inner[4]))
        for protocol in range(256):
            packet(JAIL[v], to, protocol, b"stolen!!")

# Source routing, options and extension headers, fragments: overlapping, tiny, never finished.
for option in 131, 137:
    packet(JAIL[4], GATEWAY[4], UDP, udp(JAIL[4], THERE[4], 53), options=bytes([option, 7, 4]) + address(THERE[4]) + b"\0")
payload = udp(JAIL[6], THERE[6], 53)
for kind in 0, 2, 3, 4, 253:
    packet(JAIL[6], GATEWAY[6], 43, bytes([UDP, 2, kind, 1, 0, 0, 0, 0]) + address(THERE[6]) + payload)
for header in 0, 60, 135, 139, 140:
    for to in GATEWAY[6], THERE[6]:
        packet(JAIL[6], to, header, bytes([UDP, 0, 1, 4, 0, 0, 0, 0]) + udp(JAIL[6], to, 53))
        packet(JAIL[6], to, header, (bytes([header, 0, 1, 4, 0, 0, 0, 0]) * 100) + payload)  # a chain
for to in GATEWAY, THERE:
    whole = udp(JAIL[4], to[4], 53, b"x" * 120)
    for number in range(50):
        packet(JAIL[4], to[4], UDP, whole[:64], fragment=0x2000, number=number)
        packet(JAIL[4], to[4], UDP, whole[8:72], fragment=0x2000 | 1, number=number)  # over the first one
        packet(JAIL[4], to[4], UDP, b"y" * 8, fragment=0x1FFF, number=number)  # beyond 64 KiB
    whole = udp(JAIL[6], to[6], 53, b"x" * 120)
    for number in range(50):
        packet(JAIL[6], to[6], 44, struct.pack("!BBHI", UDP, 0, 1, number) + whole[:64])
        packet(JAIL[6], to[6], 44, struct.pack("!BBHI", UDP, 0, 8 | 1, number) + whole[8:72])
        packet(JAIL[6], to[6], 44, struct.pack("!BBHI", UDP, 0, 0, number) + whole)  # one that is whole, and says so

# Routers, neighbours, redirects: what would turn the gateway's own packets.
prefix = bytes([3, 4, 64, 0xC0]) + struct.pack("!III", 9000, 9000, 0) + address("2001:db8:bad::")
dns = bytes([25, 3, 0, 0]) + struct.pack("!I", 9000) + address(JAIL[6])
router = struct.pack("!BBHII", 64, 0, 9000, 0, 0) + bytes([1, 1]) + own_mac + prefix + dns
for source in "fe80::bad", JAIL[6]:
    for to, mac in ("ff02::1", ALL_NODES), (GATEWAY[6], mac6):
        frame(0x86DD, ip6(source, to, ICMP6, icmp(source, to, 134, 0, router)), mac)
        frame(0x86DD, ip6(source, to, ICMP6, icmp(source, to, 133, 0, bytes(4) + bytes([1, 1]) + own_mac)), mac)
        for taken in GATEWAY[6], JAIL[6], THERE[6]:
            body = struct.pack("!I", 0xA0000000) + address(taken) + bytes([2, 1]) + b"\2\0\0\0\0\7"
            frame(0x86DD, ip6(source, to, ICMP6, icmp(source, to, 136, 0, body)), mac)
            frame(0x86DD, ip6(source, to, ICMP6, icmp(source, to, 137, 0, bytes(4) + address(JAIL[6]) + address(taken))), mac)
for taken in GATEWAY[4], JAIL[4], THERE[4], "0.0.0.0":
    for operation, mac in itertools.product((1, 2), (BROADCAST, mac4)):
        for claimed in own_mac, b"\2\0\0\0\0\7":
            frame(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + claimed + address(taken) + mac + address(GATEWAY[4]), mac)
    packet(GATEWAY[4], GATEWAY[4], ICMP, icmp(GATEWAY[4], GATEWAY[4], 5, 1, address(JAIL[4]) + inner[4][:28]))
    for kind, code in (3, 0), (3, 1), (3, 3), (3, 4), (4, 0), (11, 0), (12, 0), (13, 0), (17, 0):
        packet(JAIL[4], GATEWAY[4], ICMP, icmp(JAIL[4], GATEWAY[4], kind, code, b"\0\0\0\x44" + inner[4][:28]))
for kind in 1, 2, 3, 4, 130, 131, 143, 139:
    packet(JAIL[6], GATEWAY[6], ICMP6, icmp(JAIL[6], GATEWAY[6], kind, 0, b"\0\0\5\0" + inner[6]))

# Other link layers, and frames that are broken.
for kind, data in (0x8100, b"\0\7\x08\0" + inner[4]), (0x88A8, b"\0\7\x81\0\0\7\x08\0" + inner[4]), (0x8847, b"\0\0\1\x40" + inner[4]), \
        (0x8864, b"\x11\0\0\1\0\x20\0\x21" + inner[4]), (0x88E5, b"\0" * 60), (0x88CC, b"\2\7\4" + own_mac + b"\0\0"), (0x0026, b"\x42\x42\3" + bytes(35)):
    frame(kind, data)
    frame(kind, data, BROADCAST)
for data in inner[4][:10], inner[4][:19], b"\x4f" + inner[4][1:], b"\x40" + inner[4][1:], inner[4][:2] + b"\xff\xff" + inner[4][4:], bytes(1400):
    frame(0x0800, data)
    frame(0x86DD, data)
print("sent", sent)
