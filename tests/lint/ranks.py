#!/usr/bin/python3
"""Rank lint: who may include whom.

Reads every #include below resolver/ and fails on one that breaks the order of the folders or the fence of a library
(docs/architecture.md, "Layout and ranks"), and on a call from the sans-I/O ranks that reads a clock or does I/O; and on a header that does not say its thread. Run by meson; --self-test plants
breaches of each kind and fails if one of them is not reported.
"""

import pathlib
import re
import sys
import tempfile

# A file includes files of its own folder or of lower ranks.
RANKS = {
    "base": 0, "dns": 1, "policy": 2, "cache": 2, "learn": 2, "upstream": 2, "stream": 2, "mail": 2, "core": 3, "query": 4, "probe": 4, "explain": 4,
    "net": 5, "store": 5, "cluster": 5, "settings": 5, "observe": 5, "control": 5,
    "server": 6, "methods": 7, "ctl": 8,
}
# Lower in rank, and forbidden all the same: sockets and files know nothing of a query's life.
FORBIDDEN = {(folder, part) for folder, rank in RANKS.items() if rank == 5 for part in ("core", "query", "probe", "explain")}
# resolver/main.c stands above all folders.
TOP = 9

# header: the files (or folders, ending in /) that may see it.
FENCES = {
    r"uv\.h": ["net/", "store/", "cluster/", "observe/", "control/", "server/"],
    r"jansson\.h": ["settings/", "control/", "store/", "cluster/", "ctl/", "server/", "methods/", "main.c"],
    r"ldns/.*": ["dns/text.c", "ctl/"],
    r"idn2\.h": ["dns/slip.c"],
    r"openssl/.*": ["stream/"],
    r"nghttp2/.*": ["stream/http.c"],
    r"hiredis/.*": ["cluster/"],
    r"libpsl\.h": ["policy/suffix.c"],
    r"urcu.*": ["learn/", "server/"],
    r"zlib\.h": ["ctl/maillog_read.c"],
    r"microhttpd\.h": ["observe/"],
    r"systemd/.*": ["server/", "main.c"],
    r"cap-ng\.h": ["server/", "main.c"],
}
# Ranks 0-4 are given the time and the bytes: these calls are for those above. base/log.c is what they call.
OUTSIDE = re.compile(r"\b(clock_gettime|gettimeofday|getrandom|getentropy|arc4random|time(?=\((?:NULL|0)\))|open|fopen"
                     r"|socket|sendto|sendmsg|recvfrom|recvmsg|poll|usleep|nanosleep|printf|syslog)\(")
OUTSIDE_EXEMPT = {"base/log.c"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)

# Which threads may use what a header has.
THREAD = re.compile(r"/\*\n(?: \*.*\n)* \* Thread: [a-z].*\.\n \*/\n")


def folder_of(name):
    return name.split("/")[0] if "/" in name else None


def breach_of_rank(name, included):
    """Why `name` may not include the project's file `included`, or None."""
    theirs = folder_of(included)
    ours = folder_of(name)
    if theirs is None:
        return "includes by path from resolver/: \"folder/file.h\""
    if theirs not in RANKS:
        return f"unknown folder {theirs}: give it a rank"
    if ours is None or ours == theirs:
        return None
    if (ours, theirs) in FORBIDDEN:
        return f"{ours} never sees {theirs}"
    if RANKS[theirs] >= RANKS[ours]:
        return f"{ours} (rank {RANKS[ours]}) may not see {theirs} (rank {RANKS[theirs]})"
    if included == "base/log.h" and RANKS[ours] <= 4:
        return "ranks 0-4 never log"
    return None


def breach_of_fence(name, header):
    """Why `name` may not include the outside header `header`, or None."""
    for pattern, places in FENCES.items():
        if re.fullmatch(pattern, header) and not any(name.startswith(place) for place in places):
            return f"<{header}> is fenced in: {', '.join(places)}"
    return None


def circles(graph):
    """Circles among the files of one folder, each as the list of its files."""
    found, done = [], set()

    def walk(name, trail):
        if name in trail:
            found.append(trail[trail.index(name):] + [name])
        elif name not in done:
            for included in graph.get(name, []):
                walk(included, trail + [name])
            done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


def lint(resolver):
    """All breaches below the folder `resolver`, one line each, and how many files were read."""
    breaches, graph = [], {}
    files = sorted(path for path in resolver.rglob("*") if path.suffix in (".c", ".h", ".def"))
    for path in files:
        name = path.relative_to(resolver).as_posix()
        folder = folder_of(name)
        if folder is not None and folder not in RANKS:
            breaches.append(f"{name}: unknown folder {folder}: give it a rank")
            continue
        text = path.read_text()
        if RANKS.get(folder, TOP) <= 4 and name not in OUTSIDE_EXEMPT:
            breaches += [f"{name}: {match.group(1)}(): ranks 0-4 read no clock and do no I/O"
                         for match in OUTSIDE.finditer(text)]
        if path.suffix == ".h" and not THREAD.match(text):
            breaches.append(f"{name}: the first comment ends with a line \"Thread: …\" (docs/hacking.md)")
        for match in INCLUDE.finditer(text):
            quoted, included = match.group(1) == '"', match.group(2)
            why = breach_of_rank(name, included) if quoted else breach_of_fence(name, included)
            if why:
                breaches.append(f"{name}: {why}")
            if quoted:
                graph.setdefault(name, []).append(included)
    breaches += ["a circle: " + " → ".join(circle) for circle in circles(graph)]
    return breaches, len(files)


def self_test():
    """Plants each kind of breach in a tree of its own."""
    cases = [
        # file, text, part of the line that must be reported; None: nothing may be
        ("dns/a.c", '#include "base/bytes.h"\n', None),
        ("server/a.c", '#include "query/query.h"\n#include <uv.h>\n#include <time.h>\n', None),
        ("dns/text.c", "#include <ldns/ldns.h>\n", None),
        ("main.c", '#include "server/server.h"\n', None),
        ("base/a.c", '#include "dns/name.h"\n', "base (rank 0) may not see dns"),
        ("cache/a.c", '#include "learn/table.h"\n', "cache (rank 2) may not see learn"),
        ("net/a.c", '#include "query/query.h"\n', "net never sees query"),
        ("store/a.c", '#include "core/shared.h"\n', "store never sees core"),
        ("query/a.c", '#include "probe/prober.h"\n', "query (rank 4) may not see probe"),
        ("probe/a.c", '#include "query/query.h"\n', "probe (rank 4) may not see query"),
        ("net/a.c", '#  include "store/store.h"\n', "net (rank 5) may not see store"),
        ("query/a.c", '#include "base/log.h"\n', "never log"),
        ("query/a.c", "#include <uv.h>\n", "<uv.h> is fenced in"),
        ("dns/name.c", "#include <ldns/ldns.h>\n", "<ldns/ldns.h> is fenced in"),
        ("policy/policy.c", "#include <libpsl.h>\n", "<libpsl.h> is fenced in"),
        ("learn/a.c", "now = clock_gettime(CLOCK_MONOTONIC, &t);\n", "clock_gettime(): ranks 0-4"),
        ("learn/a.c", "wall = time(NULL);\n", "time(): ranks 0-4"),
        ("learn/a.c", "table_open(file); write_time(0);\n", None),
        ("dns/a.h", '#include "name.h"\n', "includes by path"),
        ("dns/a.h", "/*\n * a.h: a.\n */\n", "Thread:"),
        ("dns/a.h", "/*\n * a.h: a.\n *\n * Thread: pure.\n */\n", None),
        ("stuff/a.c", "", "unknown folder stuff"),
        ("dns/a.h", '#include "dns/a.h"\n', "a circle: dns/a.h → dns/a.h"),
    ]
    failures = 0
    for name, text, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            breaches, _ = lint(pathlib.Path(folder))
        if (expected is None and breaches) or (expected is not None and not any(expected in b for b in breaches)):
            print(f"self-test: {name} with {text!r}: expected {expected!r}, reported {breaches}")
            failures += 1
    return failures


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    if len(sys.argv) != 2:
        print("usage: ranks.py RESOLVER-FOLDER | --self-test", file=sys.stderr)
        return 2
    breaches, count = lint(pathlib.Path(sys.argv[1]))
    for breach in breaches:
        print(breach)
    if count == 0:
        print("no source file found")
    return 1 if breaches or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
