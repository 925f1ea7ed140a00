#!/usr/bin/env python3
"""flows.py ADDRESS: 3000 flows to its port 7001; counted by many_flows (lib.sh) before it ends."""
import os
import socket
import sys
import time

good = 0
sockets = []
for i in range(3000):
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.settimeout(10)
    s.connect((sys.argv[1], 7001))
    s.send(b"%d" % i)
    good += s.recv(100) == b"%d" % i
    sockets.append(s)
print(good)
sockets[0].send(b"again") # the flow is gone: a new one
print(sockets[0].recv(100))
open("flows.there", "w").close()
while not os.path.exists("flows.counted"):
    time.sleep(0.02)
