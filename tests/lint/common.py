"""What the lints share: planted breaches, and the command line."""

import pathlib
import sys


def plant(cases, find):
    """Each case: the arguments of `find`, and part of a breach that it must report; None: nothing may be. The exit status."""
    failures = 0
    for *planted, wanted in cases:
        found = find(*planted)
        if (wanted is None and found) or (wanted is not None and not any(wanted in breach for breach in found)):
            print(f"self-test: expected {wanted!r}, reported {found}")
            failures += 1
    return 1 if failures else 0


def run(lint, self_test):
    """`lint`: takes the folder that the command line names, returns the breaches and a word on what was read; None: nothing was."""
    name = pathlib.Path(sys.argv[0]).stem
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        print(f"usage: {name}.py FOLDER | --self-test", file=sys.stderr)
        return 2
    found, read = lint(pathlib.Path(sys.argv[1]))
    for breach in found:
        print(breach)
    print(f"{name}: {read or 'nothing'} read, {len(found)} breaches")
    return 1 if found or not read else 0
