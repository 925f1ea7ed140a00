#!/usr/bin/env python3
"""deny-syscall.py RULE[,RULE...] ERRNO COMMAND...: runs COMMAND under a seccomp filter, as a container engine has one.
With "kill" for ERRNO the process that makes the call is killed, as by a signal SIGSYS.

RULE: "NUMBER" (the call), or "NUMBER:ARG:VALUE" (if its argument ARG, 32 bits, is VALUE), or "NUMBER:ARG&MASK" (if
it has bits of MASK). x86-64 and arm64 numbers are the caller's business.
"""
import ctypes
import os
import struct
import sys

LOAD, JEQ, JSET, RET = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000


def statement(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)


program = b""
refuse = KILL if sys.argv[2] == "kill" else ERRNO | int(sys.argv[2])
for rule in sys.argv[1].split(","):
    number, _, condition = rule.partition(":")
    program += statement(LOAD, 0)
    if not condition:
        program += statement(JEQ, int(number), 0, 1)
    else:
        program += statement(JEQ, int(number), 0, 3)
        if "&" in condition:
            argument, value = condition.split("&")
            jump = JSET
        else:
            argument, value = condition.split(":")
            jump = JEQ
        program += statement(LOAD, 16 + 8 * int(argument))
        program += statement(jump, int(value, 0), 0, 1)
    program += statement(RET, refuse)
program += statement(RET, ALLOW)
buffer = ctypes.create_string_buffer(program)
fprog = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_char_p(fprog), 0, 0):
    sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[3], sys.argv[3:])
