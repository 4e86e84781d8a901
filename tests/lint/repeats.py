#!/usr/bin/python3
"""Repetition lint: no stretch of eight lines stands twice in tests/.

repeats.py TESTS reads every .c, .h and .py file below TESTS, passes over blank lines, comments, lone punctuation and what includes or imports, folds
white space, and fails on eight lines in a row that stand in a second place too: they want a helper, or a table. --self-test plants some and fails if one
is not reported, or if something is that only looks like one.
"""

import pathlib
import re
import sys
import tempfile

STRETCH = 8
KINDS = (".c", ".h", ".py")
# A C literal, so that what looks like a comment in a string is left alone, or a comment. Line breaks are kept: lines have numbers.
C_PIECE = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|/\*.*?\*/|//[^\n]*""", re.S)
C_HEAD = re.compile(r"#\s*(include|pragma)\b")
PYTHON_HEAD = re.compile(r"(import|from)\b|#")


def without_comments(text):
    return C_PIECE.sub(lambda piece: piece.group(1) or "\n" * piece.group(0).count("\n"), text)


def lines_of(path):
    """The lines that count, each with its number."""
    text = path.read_text()
    head = PYTHON_HEAD if path.suffix == ".py" else C_HEAD
    if head is C_HEAD:
        text = without_comments(text)
    lines = ((number, " ".join(line.split())) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in lines if re.search(r"\w", line) and not head.match(line)]


def repeats(files):
    """(place, length, where it stood before) of each stretch, as long as it goes; `files`: name -> its lines_of()."""
    first, found = {}, []
    for name, lines in files.items():
        until = 0
        for at in range(len(lines) - STRETCH + 1):
            key = tuple(line for _, line in lines[at:at + STRETCH])
            before_name, before = first.setdefault(key, (name, at))
            # Never a stretch that overlaps itself: a table of equal rows is one stretch, however long.
            if at < until or before_name == name and at - before < STRETCH:
                continue
            length = STRETCH
            while (at + length < len(lines) and before + length < (at if before_name == name else len(files[before_name]))
                   and lines[at + length][1] == files[before_name][before + length][1]):
                length += 1
            until = at + length
            found.append((f"{name}:{lines[at][0]}-{lines[until - 1][0]}", length, f"{before_name}:{files[before_name][before][0]}"))
    return found


def lint(tests):
    paths = sorted(path for path in tests.rglob("*") if path.suffix in KINDS)
    return repeats({path.relative_to(tests).as_posix(): lines_of(path) for path in paths}), len(paths)


def self_test():
    eight = [f"call({n});" for n in range(8)]
    text, seven = "\n".join(eight), "\n".join(eight[:7])
    cases = [  # kind, text of two files, how many are reported
        ("c", text, text, 1),
        ("h", text, "first();\n" + "\n\n{\n".join(f"\t {line}  /* why */" for line in eight), 1),
        ("py", text, "# first\n" + "\n\n# why\n".join(eight), 1),
        ("txt", text, text, 0),
        ("c", text, seven, 0),
        ("c", text, seven + "\nother();", 0),
        ("c", text + "\n" + text, "", 1),
        ("c", "row,\n" * 15, "", 0),
        ("c", "row,\n" * 16, "", 1),
        ("c", "#include <a.h>\n" * 8, "#include <a.h>\n" * 8, 0),
        ("c", text, f"/*\n{text}*/", 0),
        ("c", text, "\n".join(f'"/*", {line} "*/"' for line in eight), 0),
    ]
    failures = 0
    for kind, one, two, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, f"a.{kind}").write_text(one)
            pathlib.Path(folder, f"b.{kind}").write_text(two)
            found, _ = lint(pathlib.Path(folder))
        if len(found) != expected:
            print(f"self-test: {one!r} and {two!r} in .{kind}: expected {expected}, reported {found}")
            failures += 1
    return 1 if failures else 0


def main(tests):
    found, count = lint(pathlib.Path(tests))
    for place, length, before in found:
        print(f"{place}: these {length} lines stand already at {before}")
    if count == 0:
        print("no file found")
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1]))
