#!/usr/bin/python3
"""Sums up the suites of scripts/test, and prints last: N passed, N failed.

usage: count.py RESULTS SUITE[=JUNIT] ...

RESULTS/SUITE.exit holds the suite's exit status. A suite with a JUnit file counts each of its cases, one without counts
as one. What cannot run has not passed: a suite without a status, without its file, or without a case in it counts as
failed, and so does one that failed although none of its cases did.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def cases_of(junit):
    """passed, names of failed, skipped."""
    passed, failed, skipped = 0, [], 0
    for case in ElementTree.parse(junit).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f'{case.get("classname", "")} {case.get("name")}'.strip())
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_suite(results, suite, junit):
    """passed, lines that tell of failures, skipped."""
    try:
        ended = int((results / f"{suite}.exit").read_text())
    except (OSError, ValueError):
        return 0, [f"{suite}: did not run"], 0
    if not junit:
        return (0, [f"{suite}: see {results / suite}.log"], 0) if ended else (1, [], 0)
    try:
        passed, failed, skipped = cases_of(junit)
    except (OSError, ElementTree.ParseError):
        return 0, [f"{suite}: left no results, see {results / suite}.log"], 0
    lines = [f"{suite}: {name}" for name in failed]
    if passed + skipped + len(failed) == 0:
        lines.append(f"{suite}: ran nothing")
    elif ended and not failed:
        lines.append(f"{suite}: exit status {ended}, see {results / suite}.log")
    return passed, lines, skipped


def main():
    results = pathlib.Path(sys.argv[1])
    passed, failures, skipped = 0, [], 0
    for argument in sys.argv[2:]:
        suite, _, junit = argument.partition("=")
        more_passed, more_failures, more_skipped = count_suite(results, suite, junit)
        passed, failures, skipped = passed + more_passed, failures + more_failures, skipped + more_skipped
    for line in failures:
        print(f"failed: {line}")
    print(f"{passed} passed, {len(failures)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
