#!/usr/bin/env python3
"""refresh.py FILE TABLE: what stands in FILE between the marks of TABLE is now the text on standard input."""
import re
import sys

path, table = sys.argv[1:]
text = open(path).read()
begin, end = f"<!-- table {table} -->\n", f"<!-- end of {table} -->"
new, count = re.subn(re.escape(begin) + ".*?" + re.escape(end), lambda _: begin + sys.stdin.read() + end, text, flags=re.S)
if count != 1:
    sys.exit(f"refresh.py: {path} has no marks of the table {table}")
with open(path, "w") as out:
    out.write(new)
