#!/usr/bin/python3
"""Symbol lint: what the files of resolver/ define for each other.

symbols.py BUILD reads with nm what each object file below BUILD defines and wants, and fails on
  a circle    two files call each other, be it by way of others: they are one file in several pieces, and which may be read first nobody can say;
  an export   that no other file wants, tests included: it is static, or it goes;
  a prefix    that is neither the noun of a file in that folder nor that of a struct or enum, nor in NOUNS: who reads a call must see where it leads.
--self-test plants one of each and fails if it is not reported.
"""

import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
TAG = re.compile(r"\b(?:struct|enum) ([a-z_0-9]+) \{")
NOUNS = {  # of what has no struct
    "base": {"crc32c", "duration", "size", "time"},
    "dns": {"type", "class", "rcode", "own_answer", "any_declined", "rejection", "truncation"},
    "policy": {"echo"},
    "settings": {"value", "read", "block"},
    "ctl": {"span", "when", "size"},
}


def name_of(path, build):
    """resolver/query/libquery.a.p/plan.c.o -> query/plan; what is not resolver's keeps its path."""
    parts = path.relative_to(build).parts
    if parts[0] == "bywayd.p" or parts[:2] == ("resolver", "bywayd.p"):
        return "main"
    if parts[0] != "resolver":
        return str(path)
    folder = next(part for part in reversed(parts) if part.endswith(".p"))
    return f"{parts[1] if len(parts) > 3 else folder.split('.')[0]}/{path.name.removesuffix('.c.o')}"


def symbols(path):
    """What it defines for others, and what it wants of them."""
    defined, wanted = set(), set()
    for line in subprocess.run(["nm", "-g", str(path)], check=True, capture_output=True, text=True).stdout.splitlines():
        *_, kind, symbol = line.split()
        if not symbol.startswith("__"):
            (wanted if kind == "U" else defined).add(symbol)
    return defined, wanted


def is_ours(name):
    return not name.endswith(".o") and name != "main"


def calls_of(files):
    """file -> files of which it wants something; `files`: name -> (defined, wanted)."""
    home = {symbol: name for name, (defined, _) in files.items() if is_ours(name) for symbol in defined}
    return {name: {home[symbol] for symbol in wanted if symbol in home} - {name}
            for name, (_, wanted) in files.items() if is_ours(name)}


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


def unwanted(files):
    wanted = collections.Counter(symbol for _, wants in files.values() for symbol in wants)
    return [(name, symbol) for name, (defined, _) in sorted(files.items()) if is_ours(name)
            for symbol in sorted(defined) if not wanted[symbol] and symbol != "main"]


def misnamed(files, tags):
    nouns = collections.defaultdict(set, {folder: set(more) for folder, more in NOUNS.items()})
    for name in filter(is_ours, files):
        folder, stem = name.split("/")
        nouns[folder] |= {stem, stem.removesuffix("s"), stem + "s"}
    plurals = tags | {tag + "s" for tag in tags} | {tag + "es" for tag in tags if tag.endswith("ch")}
    return [(name, symbol) for name, (defined, _) in sorted(files.items()) if is_ours(name)
            for symbol in sorted(defined - {"main"})
            if not any(symbol == noun or symbol.startswith(noun + "_") for noun in nouns[name.split("/")[0]] | plurals)]


def breaches_in(files, tags):
    found = ["these call each other: " + ", ".join(part) for part in circles(calls_of(files))]
    found += [f"{name}: nobody else wants {symbol}()" for name, symbol in unwanted(files)]
    return found + [f"{name}: of what is {symbol}()?" for name, symbol in misnamed(files, tags)]


def self_test():
    files = {"a/one": ({"one"}, {"two_go", "free"}), "a/two": ({"two_go"}, {"three_go"}), "b/three": ({"three_go"}, {"one"}),
             "b/four": ({"four_go", "fours_end"}, {"one"}), "tests/x.o": ({"main"}, {"four_go", "fours_end"})}
    assert breaches_in(files, set()) == ["these call each other: a/one, a/two, b/three"], breaches_in(files, set())
    files["b/three"] = ({"three_go"}, {"free"})
    assert breaches_in(files, set()) == []
    files["b/four"][0].add("five_go")
    assert breaches_in(files, set()) == ["b/four: nobody else wants five_go()", "b/four: of what is five_go()?"]
    files["main"] = ({"main"}, {"five_go"})
    assert breaches_in(files, {"five"}) == []


def main(build):
    files = {name_of(path, build): symbols(path) for path in sorted(build.rglob("*.c.o"))}
    if sum(map(is_ours, files)) < 100 or len(files) < 150:
        return f"symbols: {len(files)} object files in {build}: is it built?"
    tags = {tag for path in (ROOT / "resolver").glob("*/*.h") for tag in TAG.findall(path.read_text())}
    found = breaches_in(files, tags)
    for breach in found:
        print("symbols: " + breach)
    print(f"symbols: {len(files)} files, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else main(pathlib.Path(sys.argv[1])))
