#!/usr/bin/env python3
"""page.py FILE...: prints what is wrong with a page that is to need nothing else: what an HTML parser calls an error (the
HTML standard, 13.2), what would load, run, submit or lead elsewhere, and a lacking Content-Security-Policy."""
import re
import sys

import html5lib

ELEMENTS = {"script", "link", "iframe", "frame", "img", "image", "picture", "object", "embed", "base", "form", "a", "audio",
            "video", "portal", "use", "foreignobject"}
ATTRIBUTES = re.compile(r"^(on.*|src|srcset|href|action|formaction|background|poster|ping|data|cite|manifest)$")
ADDRESS = re.compile(r"url\s*\(|@import|expression\s*\(|javascript:", re.IGNORECASE)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def faults(data):
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(data, transport_encoding=None)
    for (line, column), name, _ in parser.errors:
        yield f"{line}:{column}: {name}"
    policies = []
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.rsplit("}")[-1].lower()
        if tag in ELEMENTS:
            yield f"element {tag}"
        for name, value in element.attrib.items():
            name = (name if isinstance(name, str) else name[-1]).rsplit("}")[-1].lower()
            if ATTRIBUTES.match(name) or ADDRESS.search(value):
                yield f"attribute {name} of {tag}"
            if tag == "meta" and name == "http-equiv":
                policies.append((value, element.attrib.get("content")))
        if tag == "style" and ADDRESS.search(element.text or ""):
            yield "an address in style"
    if policies != [("Content-Security-Policy", POLICY)]:
        yield f"policies: {policies}"


for path in sys.argv[1:]:
    with open(path, "rb") as page:
        for fault in faults(page.read()):
            print(f"{path}: {fault}")
