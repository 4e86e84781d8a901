#!/usr/bin/python3
"""Bounds lint: what the documents say of a limit is what resolver/base/limits.h says.

A row of a table in docs/ whose first cell names limits (`LIMIT_FLIGHTS`) has their numbers in the second, in the same order: "20,000", "64 MiB". The
section Bounds of docs/architecture.md has every limit. --self-test plants breaches of each kind and fails if one of them is not reported.
"""

import re
import sys

from common import plant, run

CONSTANT = re.compile(r"^\s*(LIMIT_[A-Z_]+)\s*=\s*([0-9]+)(?:\s*<<\s*([0-9]+))?\s*,", re.M)
NUMBER = re.compile(r"([0-9]+(?:,[0-9]{3})*)(?: (KiB|MiB|GiB))?")
UNITS = {"": 0, "KiB": 10, "MiB": 20, "GiB": 30}


def constants_of(header):
    """name -> number; a limit that is written in another way than NUMBER or NUMBER << NUMBER is a breach by its absence."""
    return {name: int(number) << int(shift or 0) for name, number, shift in CONSTANT.findall(header)}


def rows_of(text):
    """(line number, names, numbers) of each row that tells of limits."""
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.split("|")]
        names = re.findall(r"`(LIMIT_[A-Z_]+)`", cells[1]) if line.startswith("|") and len(cells) > 3 else []
        if names:
            found = [int(digits.replace(",", "")) << UNITS[unit] for digits, unit in NUMBER.findall(cells[2])]
            yield number, names, found


def breaches_in(pages, header, complete="docs/architecture.md"):
    """`pages`: name -> text; `complete`: the one that must have every limit."""
    constants, found = constants_of(header), []
    declared = set(re.findall(r"^\s*(LIMIT_[A-Z_]+)\s*=", header, re.M))
    found += [f"limits.h: {name} is no plain number" for name in sorted(declared - set(constants))]
    told = set()
    for page, text in pages.items():
        for line, names, numbers in rows_of(text):
            if page == complete:
                told.update(names)
            if len(names) != len(numbers):
                found.append(f"{page}:{line}: {len(names)} limits, {len(numbers)} numbers")
                continue
            for name, number in zip(names, numbers):
                if name not in constants:
                    found.append(f"{page}:{line}: there is no {name}")
                elif constants[name] != number:
                    found.append(f"{page}:{line}: {name} is {constants[name]}, not {number}")
    found += [f"{complete}: {name} is missing in the table" for name in sorted(set(constants) - told)]
    return found


def self_test():
    header = "enum {\n    LIMIT_ONE = 1232, /* why */\n    LIMIT_TWO   = 64 << 20, /* 7 */\n};\n"
    page = "docs/architecture.md"
    good = "| limit | number | of what |\n|---|---|---|\n| `LIMIT_ONE` | 1,232 | a |\n| `LIMIT_TWO` | 64 MiB | b |\n"
    cases = [
        (good, header, None),
        (good.replace("1,232", "1232"), header, None),
        (good + "| `LIMIT_ONE`, `LIMIT_TWO` | 1232, 64 MiB | c |\n", header, None),
        (good.replace("1,232", "1,233"), header, "LIMIT_ONE is 1232, not 1233"),
        (good, header.replace("64 << 20", "32 << 20"), "LIMIT_TWO is 33554432, not 67108864"),
        (good.replace("64 MiB", "64 KiB"), header, "LIMIT_TWO is"),
        (good.replace("64 MiB", "many"), header, "1 limits, 0 numbers"),
        (good + "| `LIMIT_THREE` | 3 | c |\n", header, "there is no LIMIT_THREE"),
        (good, header.replace("};", "    LIMIT_FOUR = 4, /* why */\n};"), "LIMIT_FOUR is missing"),
        (good, header.replace("};", "    LIMIT_FIVE = 2 * LIMIT_ONE, /* why */\n};"), "LIMIT_FIVE is no plain number"),
    ]
    return plant(cases, lambda text, source: breaches_in({page: text}, source))


def lint(root):
    header = (root / "resolver/base/limits.h").read_text()
    pages = {path.relative_to(root).as_posix(): path.read_text() for path in sorted((root / "docs").glob("*.md"))}
    count = len(constants_of(header))
    return breaches_in(pages, header), f"{count} limits" if count else None


if __name__ == "__main__":
    sys.exit(run(lint, self_test))
