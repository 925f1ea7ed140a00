#!/usr/bin/env python3
"""enter.py PID COMMAND...: runs COMMAND in the network namespace of process PID, with all capabilities over it, as
nobody in a jail has them: by its owner, or by root, from outside (ioctl_ns(2), setns(2))."""
import ctypes
import fcntl
import os
import struct
import sys

NS_GET_USERNS, CLONE_NEWUSER, CLONE_NEWNET = 0xB701, 0x10000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
net = os.open(f"/proc/{sys.argv[1]}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
owner = fcntl.ioctl(net, NS_GET_USERNS)
for fd, kind in (owner, CLONE_NEWUSER), (net, CLONE_NEWNET):
    if libc.setns(fd, kind):
        sys.exit(f"enter.py: setns {kind:#x}: {os.strerror(ctypes.get_errno())}")
# They would end with execve(2), but for root.
head, sets = struct.pack("II", 0x20080522, 0), ctypes.create_string_buffer(24)  # capset(2): version 3, two of three sets
if libc.capget(head, sets):
    sys.exit("enter.py: capget")
words = list(struct.unpack("6I", sets.raw))
words[2], words[5] = words[1], words[4]  # inheritable, as permitted
if libc.capset(head, struct.pack("6I", *words)):
    sys.exit("enter.py: capset")
for number in range(64):
    if (words[1] | words[4] << 32) >> number & 1:
        libc.prctl(47, 2, number, 0, 0)  # PR_CAP_AMBIENT_RAISE
os.execvp(sys.argv[2], sys.argv[2:])
