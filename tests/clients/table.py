#!/usr/bin/env python3
"""table.py README RESULTS...        writes the table of clients, between its markers in README, from what tests/clients saw
table.py --check README TESTS...     fails unless that table has the clients of these test files, and no others

RESULTS: lines of CLIENT, VERSION, WAY, OUTCOME, NEEDS, FILE, with tabs between (tests/lib/clients.sh).
"""
import re
import sys

BEGIN, END = "<!-- clients: made by make clients-table -->", "<!-- end of clients -->"
OUTCOMES = {("variables", "proxy"): "yes, by the proxy", ("variables", "itself"): "yes, connects itself",
            ("transparent", "itself"): "yes"}


def names_of(path):
    """The clients of a test file, in its order."""
    with open(path, encoding="utf-8") as f:
        return [a or b for a, b in re.findall(r"""\bclient (?:'([^']+)'|"([^"$]+)")""", re.sub(r"(?m)^#.*", "", f.read()))]


def split(readme):
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{readme}: the markers of the table are missing")
    head, rest = text.split(BEGIN)
    table, tail = rest.split(END)
    return head, table, tail


def make(readme, *results):
    head, _, tail = split(readme)
    rows = {}
    for path in results:
        with open(path, encoding="utf-8") as f:
            for line in f:
                client, version, way, outcome, needs, _ = line.rstrip("\n").split("\t")
                row = rows.setdefault(client, {})
                row["version"], row["needs"] = version, needs
                row[way] = OUTCOMES.get((way, outcome), outcome)
    table = ["| client | version | with the variables | without | needs |", "|---|---|---|---|---|"]
    for client, row in rows.items():
        lacks = {"variables", "transparent"} - row.keys()
        if lacks:
            sys.exit(f"{client}: no result for {lacks.pop()}")
        needs = {"-": "nothing"}.get(row["needs"]) or re.sub(r"^\w+$", r"`\g<0>`", row["needs"])
        table.append(f"| {client} | {row['version']} | {row['variables']} | {row['transparent']} | {needs} |")
    with open(readme, "w", encoding="utf-8") as f:
        f.write(head + BEGIN + "\n" + "\n".join(table) + "\n" + END + tail)


def check(readme, *tests):
    table = re.findall(r"^\| ([^|]+?) \|", split(readme)[1], re.M)[1:]
    tested = [name for path in tests for name in names_of(path)]
    bad = [f"{name}: in the table, in no test" for name in table if name not in tested]
    bad += [f"{name}: tested, not in the table" for name in tested if name not in table]
    sys.exit("\n".join(bad) or 0)


if sys.argv[1] == "--check":
    check(*sys.argv[2:])
else:
    make(*sys.argv[1:])
