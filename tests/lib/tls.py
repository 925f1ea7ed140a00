#!/usr/bin/env python3
"""tls.py CAFILE HOST PORT SNI: a handshake; prints "ok ISSUER" or "refused: REASON". SNI "-": none."""
import socket
import ssl
import sys
ca, host, port, sni = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.check_hostname = sni != "-"
s = socket.create_connection((host, int(port)), 10)
try:
    s = context.wrap_socket(s, server_hostname=None if sni == "-" else sni)
except (ssl.SSLError, ConnectionError) as e:
    print("refused:", getattr(e, "reason", None) or type(e).__name__)
    sys.exit(3)
print("ok", dict(x[0] for x in s.getpeercert()["issuer"])["commonName"])
