#!/usr/bin/python3
"""scripts/lib/count.py never takes what did not run for passed. Run by meson with count.py's path."""

import pathlib
import subprocess
import sys
import tempfile

GOOD = '<testsuites><testsuite><testcase name="a"/><testcase name="b"><skipped/></testcase></testsuite></testsuites>'
BAD = '<testsuites><testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><error/></testcase></testsuites>'

CASES = [  # exit status file, JUnit file (None: no such file; "": the suite has none), last line, exit status
    ("0", "", "1 passed, 0 failed", 0),
    ("1", "", "0 passed, 1 failed", 1),
    (None, "", "0 passed, 1 failed", 1),
    ("0", GOOD, "1 passed, 0 failed, 1 skipped", 0),
    ("1", BAD, "1 passed, 2 failed", 1),
    ("1", GOOD, "1 passed, 1 failed, 1 skipped", 1),
    ("124", None, "0 passed, 1 failed", 1),
    ("0", None, "0 passed, 1 failed", 1),
    ("0", "<testsuites/>", "0 passed, 1 failed", 1),
    ("0", "<testsui", "0 passed, 1 failed", 1),
    (None, GOOD, "0 passed, 1 failed", 1),
]


def main():
    failures = 0
    for ended, junit, line, status in CASES:
        with tempfile.TemporaryDirectory() as folder:
            results = pathlib.Path(folder)
            if ended is not None:
                (results / "suite.exit").write_text(ended)
            if junit:
                (results / "suite.xml").write_text(junit)
            suite = "suite" if junit == "" else f"suite={results}/suite.xml"
            done = subprocess.run([sys.executable, sys.argv[1], folder, suite], capture_output=True, text=True, check=False)
        if (done.stdout.splitlines()[-1:], done.returncode) != ([line], status):
            print(f"{(ended, junit)}: expected {line!r} and {status}, got {done}")
            failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
