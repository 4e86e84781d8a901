#!/usr/bin/python3
"""Mutants: does a test fail when the logic is changed?

Draws random mutants of the files of ranks 0 to 4, one small change each (sites.py), builds each in a copy of the tree
with the address and undefined-behaviour sanitizers, and runs the unit tests and scenarios until one fails. Prints a
line a mutant: the place, the change, and "killed by TEST" or "survived". What does not compile is not counted, and
another is drawn. By hand: a survivor wants a test, or a reader who says that nothing can be seen of it.

Before the first, every test runs once in a build that counts which functions it enters: the time each takes decides
their order, and a mutant is shown only to the tests that enter its function (of a constant or a table: that link its
file). --keep DIR has the copy, and that knowledge, for the next run.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import sites

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lint"))
from ranks import RANKS  # noqa: E402

TOP_RANK = 4
SLOW = 10            # s; such tests come last
FAILURE = re.compile(rb"LINE\s+\] --- .*?(\w+\.[ch]:\d+): error:")  # of cmocka
COUNTING, BUILD = "build-counting", "build-mutant"
LIMITS = {"ASAN_OPTIONS": "abort_on_error=1:hard_rss_limit_mb=2500:detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1"}


def quietly(*command, cwd=None):
    done = subprocess.run(["nice", "-n", "10", *map(str, command)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def must(*command, cwd=None):
    code, output = quietly(*command, cwd=cwd)
    if code:
        sys.exit(f"{' '.join(map(str, command))}:\n{output}")
    return output


def run_test(program, build, seconds):
    """(failed, why): runs it until its first failure."""
    def bounded():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    child = subprocess.Popen(["nice", "-n", "10", program], cwd=build, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             env={**os.environ, **LIMITS}, preexec_fn=bounded, start_new_session=True)
    late = threading.Event()

    def stop():
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def give_up():
        late.set()
        stop()

    timer = threading.Timer(seconds, give_up)
    timer.start()
    failed = None
    for line in child.stderr:
        if not failed and (place := FAILURE.search(line)):
            failed = place.group(1).decode()
            stop()
        elif not failed and (b"runtime error:" in line or b"ERROR: AddressSanitizer" in line or b"ERROR: LeakSanitizer" in line):
            failed = "sanitizer"
    child.wait()
    timer.cancel()
    stop()
    if late.is_set():
        return True, "hang"
    return child.returncode != 0, failed or f"exit {child.returncode}"


class Test:
    def __init__(self, name, program, suite):
        self.name, self.program, self.suite = name, program, suite
        self.seconds, self.functions, self.lines, self.source = 0, {}, {}, ""


def sources():
    """What is copied, and a hash of all that it says."""
    listed = must("git", "-C", ROOT, "ls-files", "-co", "--exclude-standard").splitlines()
    found = [name for name in sorted(listed) if (ROOT / name).is_file() and not name.startswith("tests/mutants/")]
    told = hashlib.sha256()
    for name in found:
        told.update(name.encode() + b"\0" + hashlib.sha256((ROOT / name).read_bytes()).digest())
    return found, told.hexdigest()


def prepare(scratch):
    """Copies the tree to scratch/tree, configures and builds it twice; scratch/pristine is what a mutant is undone with.
    Nothing of that if an earlier run has done it with the same sources."""
    tree, stamp = scratch / "tree", scratch / "sources"
    names, told = sources()
    if stamp.exists() and stamp.read_text() == told:
        return
    for old in (stamp, scratch / "tests.json"):
        old.unlink(missing_ok=True)
    for old in (tree, scratch / "pristine"):
        shutil.rmtree(old, ignore_errors=True)
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    if shutil.which("ld.lld"):
        os.environ["CC_LD"] = "lld"
    options = ["-Dtests=true", "-Dbuildtype=plain", "-Dwarning_level=0"]
    must("meson", "setup", COUNTING, *options, "-Db_coverage=true", "-Db_sanitize=address,undefined", "-Doptimization=0", cwd=tree)
    must("meson", "setup", BUILD, *options, "-Db_sanitize=address,undefined", "-Doptimization=1", cwd=tree)
    for build in (COUNTING, BUILD):
        must("ninja", "-j2", "-C", build, cwd=tree)
    shutil.copytree(tree, scratch / "pristine", ignore=shutil.ignore_patterns(COUNTING))
    stamp.write_text(told)


def tests_of(tree):
    found = []
    for test in json.loads(must("meson", "introspect", "--tests", BUILD, cwd=tree)):
        suite = test["suite"][0].split(":")[-1]
        if suite in ("unit", "scenario"):
            found.append(Test(test["name"], pathlib.Path(test["cmd"][0]).relative_to(tree / BUILD).as_posix(), suite))
            found[-1].source = (tree / "tests" / suite / f"test_{test['name']}.c").read_text()
    return found


def count(tree, test):
    """Runs the test once: the time it takes, and what of each file it enters."""
    build = tree / COUNTING
    for path in build.rglob("*.gcda"):
        path.unlink()
    begun = time.monotonic()
    failed, why = run_test(test.program, build, 600)
    test.seconds = time.monotonic() - begun
    if failed:
        sys.exit(f"{test.name} fails without a mutant: {why}")
    counted = [path.relative_to(build).as_posix() for path in build.glob("resolver/**/*.gcda")]
    counted += [path.relative_to(build).as_posix() for path in build.glob("tests/**/*.gcda")]
    for line in must("gcov", "--json-format", "--stdout", *counted, cwd=build).splitlines():
        if not line.startswith("{"):
            continue
        for file in json.loads(line)["files"]:
            name = file["file"].removeprefix("../")
            if name.startswith("resolver/"):
                spans = {(f["start_line"], f["end_line"]) for f in file["functions"] if f["execution_count"]}
                test.functions.setdefault(name, set()).update(spans)
                test.lines.setdefault(name, set()).update(row["line_number"] for row in file["lines"] if row["count"])


def learn(scratch, tests):
    """What count() finds, from the earlier run's file if there is one."""
    known = scratch / "tests.json"
    if not known.exists():
        for test in tests:
            count(scratch / "tree", test)
        known.write_text(json.dumps({test.name: [test.seconds, test.functions, test.lines] for test in tests}, default=sorted))
    for name, (seconds, functions, lines) in json.loads(known.read_text()).items():
        for test in tests:
            if test.name == name:
                test.seconds = seconds
                test.functions = {file: {tuple(span) for span in spans} for file, spans in functions.items()}
                test.lines = {file: set(numbers) for file, numbers in lines.items()}


def order(site, tests, skip):
    """The tests that can see the mutant, those first that are likely to; without those that take more than `skip` s and are not the file's own."""
    name = f"resolver/{site.name}"
    spans = {span for test in tests for span in test.functions.get(name, ()) if span[0] <= site.line <= span[1]}
    inside = bool(spans)
    stem = pathlib.Path(site.name).stem
    ranked = []
    for test in tests:
        if inside and not spans & test.functions.get(name, set()):
            continue
        if not inside and name.endswith(".c") and name not in test.functions:
            continue
        akin = test.name == stem or test.name.startswith(stem) or stem.startswith(test.name)
        if skip and test.seconds > skip and not akin:
            continue
        meant = akin or f'"{site.name[:-1]}h"' in test.source
        touched = site.line in test.lines.get(name, ()) or not inside
        ranked.append((test.seconds > SLOW, not touched, not akin, not meant, test.seconds, test.name, test))
    return [row[-1] for row in sorted(ranked, key=lambda row: row[:-1])]


def undo(scratch):
    """Puts every file of the tree back that a mutant changed, times included, so that ninja sees nothing to do."""
    tree, pristine = scratch / "tree", scratch / "pristine"
    for folder in ("resolver", BUILD):
        for path in (tree / folder).rglob("*"):
            if path.is_dir():
                continue
            first = pristine / path.relative_to(tree)
            if not first.exists():
                path.unlink()
                continue
            now, then = path.stat(), first.stat()
            if (now.st_mtime_ns, now.st_size) != (then.st_mtime_ns, then.st_size):
                path.unlink()
                shutil.copy2(first, path)


def try_mutant(scratch, site, text, tests, skip):
    """None if it does not compile; else what killed it, or ""."""
    tree, build = scratch / "tree", scratch / "tree" / BUILD
    (tree / "resolver" / site.name).write_text(site.apply(text))
    try:
        for test in order(site, tests, skip):
            code, _ = quietly("ninja", "-j1", "-C", BUILD, test.program, cwd=tree)
            if code:
                return None
            failed, why = run_test(test.program, build, 10 + 5 * test.seconds)
            # What measures real time may fail by itself.
            if failed and test.seconds > 1 and test.suite == "unit":
                failed, why = run_test(test.program, build, 10 + 5 * test.seconds)
            if failed:
                return f"{test.name} ({why})"
        return ""
    finally:
        undo(scratch)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=20, help="mutants that compile (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the choice (1)")
    parser.add_argument("--only", metavar="TEXT", help="mutants of files whose name contains it")
    parser.add_argument("--at", metavar="FILE:LINE[:COLUMN]", action="append",
                        help="all the mutants of this place instead; again for more")
    parser.add_argument("--skip", metavar="SECONDS", type=float, default=0, help="leave out tests that take longer and are not named like the file")
    parser.add_argument("--after", metavar="N", type=int, default=0, help="go on behind the first N of --list (0)")
    parser.add_argument("--keep", metavar="DIR", help="work in DIR and leave it for the next run")
    parser.add_argument("--list", action="store_true", help="print the sites and try none")
    wanted = parser.parse_args()

    files = sorted(path for folder, rank in RANKS.items() if rank <= TOP_RANK for path in (ROOT / "resolver" / folder).glob("*.[ch]"))
    texts = {path.relative_to(ROOT / "resolver").as_posix(): path.read_text() for path in files}
    constants = sites.neighbours(texts.values())
    drawn = [site for name, text in texts.items() for site in sites.sites_of(name, text, constants)]
    random.Random(wanted.seed).shuffle(drawn)
    if wanted.only:
        drawn = [site for site in drawn if wanted.only in site.name]
    if wanted.at:
        drawn = [site for site in drawn
                 if {f"{site.name}:{site.line}", f"{site.name}:{site.line}:{site.column}"} & set(wanted.at)]
        wanted.count = len(drawn)
    drawn = drawn[wanted.after:]
    if wanted.list:
        for site in drawn[:wanted.count]:
            print(f"{site.name}:{site.line}:{site.column}: {site.what}")
        return 0

    scratch = pathlib.Path(wanted.keep or tempfile.mkdtemp(prefix="byway-mutants-")).resolve()
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        prepare(scratch)
        undo(scratch)
        tests = tests_of(scratch / "tree")
        learn(scratch, tests)
        tried = killed = 0
        for site in drawn:
            if tried == wanted.count:
                break
            result = try_mutant(scratch, site, texts[site.name], tests, wanted.skip)
            if result is None:
                continue
            tried, killed = tried + 1, killed + bool(result)
            print(f"{site.name}:{site.line}:{site.column}: {site.what}: " + (f"killed by {result}" if result else f"survived: {site.source}"), flush=True)
        print(f"{tried} mutants, {killed} killed, {tried - killed} survived: {100 * killed / max(tried, 1):.1f} % killed")
    finally:
        if not wanted.keep:
            shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
