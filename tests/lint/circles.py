#!/usr/bin/python3
"""Call circle lint: no two files of resolver/ call each other, not even by way of others.

circles.py BUILD reads with nm what each object file below BUILD/resolver defines and wants, and fails on a circle: its files are one file in several
pieces, and which may be read first nobody can say. --self-test plants one and fails if it is not reported.
"""

import collections
import pathlib
import subprocess
import sys


def name_of(path):
    """resolver/query/libquery.a.p/plan.c.o -> query/plan"""
    folder = next(part for part in reversed(path.parts) if part.endswith(".p"))
    folder = folder.removeprefix("lib").split(".")[0]
    return f"{folder}/{path.name.removesuffix('.c.o')}"


def symbols(path):
    """What it defines for others, and what it wants of them."""
    defined, wanted = set(), set()
    for line in subprocess.run(["nm", "-g", str(path)], check=True, capture_output=True, text=True).stdout.splitlines():
        *_, kind, symbol = line.split()
        (wanted if kind == "U" else defined).add(symbol)
    return defined, wanted


def calls_of(files):
    """file -> files of which it wants something; `files`: name -> (defined, wanted)."""
    home = {symbol: name for name, (defined, _) in files.items() for symbol in defined}
    return {name: {home[symbol] for symbol in wanted if symbol in home} - {name}
            for name, (_, wanted) in files.items()}


def circles(calls):
    """The strongly connected parts of more than one file (Tarjan)."""
    number, low, stack, found = {}, {}, [], []

    def visit(name):
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in sorted(calls[name]):
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            part = [stack.pop()]
            while part[-1] != name:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for name in sorted(calls):
        if name not in number:
            visit(name)
    return found


def self_test():
    files = {"a/one": ({"one"}, {"two", "free"}), "a/two": ({"two"}, {"three"}), "b/three": ({"three"}, {"one"}),
             "b/four": ({"four"}, {"one"})}
    assert circles(calls_of(files)) == [["a/one", "a/two", "b/three"]]
    files["b/three"] = ({"three"}, {"free"})
    assert circles(calls_of(files)) == []


def main(build):
    files = collections.OrderedDict()
    for path in sorted(pathlib.Path(build, "resolver").rglob("*.c.o")):
        files[name_of(path)] = symbols(path)
    if len(files) < 100:
        return f"circles: {len(files)} object files in {build}: is it built?"
    found = circles(calls_of(files))
    for part in found:
        print("circles: these call each other: " + ", ".join(part))
    print(f"circles: {len(files)} files, {len(found)} circles")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else main(sys.argv[1]))
