#!/usr/bin/env python3
"""wheel.py DIR NAME...    an index of Python packages of static files: DIR/simple/NAME/, and a wheel of each in DIR/packages
"""
import base64
import hashlib
import os
import sys
import zipfile

folder, names = sys.argv[1], sys.argv[2:]
os.makedirs(f"{folder}/packages", exist_ok=True)
for name in names:
    info = f"{name}-1.0.0.dist-info"
    files = {
        f"{name}.py": f"def hello():\n    return 'hello of {name}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    wheel = f"{name}-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/packages/{wheel}", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    os.makedirs(f"{folder}/simple/{name}", exist_ok=True)
    with open(f"{folder}/simple/{name}/index.html", "w") as page:
        page.write(f'<!DOCTYPE html><html><body><a href="../../packages/{wheel}">{wheel}</a></body></html>\n')
