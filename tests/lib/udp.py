#!/usr/bin/env python3
"""udp.py ADDRESS PORT LENGTH...: a datagram of each length, and whether it came back."""
import errno, socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.settimeout(10)
s.connect((sys.argv[1], int(sys.argv[2])))
for i, n in enumerate(map(int, sys.argv[3:])):
    data = (b"%d." % i * n)[:n]
    try:
        s.send(data)
        print(n, s.recv(65536) == data)
    except OSError as e:
        print(n, errno.errorcode.get(e.errno, e))
