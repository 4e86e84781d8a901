#!/usr/bin/python3
"""Map lint: the path of a query at the head of resolver/main.c is the table in docs/architecture.md, and its files are there.

Step by step, in the same order: the same name, the same files, the same words. Each file of resolver/ but those of main.c and the _internal headers
stands in the folder list of docs/architecture.md. --self-test plants breaches of each kind and fails if one of them is not reported.
"""

import re
import sys

from common import plant, run

STEP = re.compile(r"^ \*   ([a-z]+) +([a-z_/]+(?:, [a-z_/]+)*)\n \*           (.+)$", re.M)
ROW = re.compile(r"^\| ([a-z]+) \| (`[^|]+`) \| (.+) \|$", re.M)


def steps_of_code(text):
    return [(step, files.split(", "), words) for step, files, words in STEP.findall(text[:text.index('#include')])]


def steps_of_page(text):
    section = text.split("\n## The path of a query\n", 1)[1].split("\n## ", 1)[0]
    return [(step, re.findall(r"`([^`]+)`", files), words) for step, files, words in ROW.findall(section)]


def folders_of_page(text):
    """folder -> words of its entry in the list of folders."""
    section = text.split("\n## Layout and ranks\n", 1)[1].split("```")[1]
    entries = re.split(r"^  ([a-z_]+)/ +", section, flags=re.M)[1:]
    return {folder: set(re.findall(r"[a-z_][a-z_0-9]*", words)) for folder, words in zip(entries[::2], entries[1::2])}


def breaches_in(code, page, files):
    """`files`: "folder/name" of each source file."""
    found = []
    ours, theirs = steps_of_code(code), steps_of_page(page)
    if not ours:
        found.append("main.c has no map")
    for one, other in zip(ours + [None] * len(theirs), theirs + [None] * len(ours)):
        if one != other:
            found.append(f"main.c says {one}, architecture.md {other}")
    for step, named, _ in ours:
        found += [f"main.c: {step}: there is no resolver/{file}" for file in named if file not in files]
    folders = folders_of_page(page)
    for file in sorted(files):
        folder, name = file.split("/")
        if not name.endswith("_internal") and name not in folders.get(folder, ()):
            found.append(f"architecture.md: {file} is missing in the list of folders")
    return found


def self_test():
    code = "/*\n *   listen  net/udp\n *           a batch\n *   parse   dns/message\n *           validate\n */\n#include <x>\n"
    page = ("\n## The path of a query\n| listen | `net/udp` | a batch |\n| parse | `dns/message` | validate |\n"
            "\n## Layout and ranks\n```\nresolver/\n  net/  5  sockets: udp\n  dns/  1  the wire: message\n```\n")
    files = {"net/udp", "dns/message", "net/udp_internal"}
    cases = [
        (code, page, files, None),
        (code.replace("a batch", "batches"), page, files, "main.c says"),
        (code, page.replace("| parse |", "| read |"), files, "main.c says"),
        (code.replace("dns/message", "dns/message, dns/opt"), page, files | {"dns/opt"}, "main.c says"),
        (code, page, files - {"net/udp"}, "there is no resolver/net/udp"),
        (code, page, files | {"net/tcp"}, "net/tcp is missing"),
        ("/* */\n#include <x>\n", page, files, "has no map"),
    ]
    return plant(cases, breaches_in)


def lint(root):
    files = {path.relative_to(root / "resolver").with_suffix("").as_posix()
             for path in (root / "resolver").glob("*/*.[ch]")}
    found = breaches_in((root / "resolver/main.c").read_text(), (root / "docs/architecture.md").read_text(), files)
    return found, f"{len(files)} files" if files else None


if __name__ == "__main__":
    sys.exit(run(lint, self_test))
