"""bywayctl on a terminal: no line is wider than that, colours where they are wanted, and nothing of it in a pipe."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

import pytest

from conftest import learn
from daemon import environment, program
from upstream import Servfail, Silent

NOTE = "中文 und ein langer Satz, " * 8
SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(daemon, *arguments, columns=80, stream="stdout", **extra):
    """What stands on the terminal that is its standard output (or error, alone); the other stream is a pipe."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: theirs}
    env = {key: value for key, value in environment(LC_ALL="C.UTF-8", TERM="xterm").items() if key not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen([program("bywayctl"), "-s", daemon.socket, *arguments], env={**env, **extra}, **streams)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # EIO: its end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    piped, _ = process.communicate()
    return shown.decode().replace("\r\n", "\n"), (piped or b"").decode(), process.returncode


@pytest.fixture
def pinned(byway):
    assert byway.ctl("zones", "pin", "note.example", "external", "--note", NOTE.strip()).returncode == 0
    yield byway
    assert byway.ctl("zones", "unpin", "note.example").returncode == 0


def width(text):
    return sum(2 if char in "中文" else 1 for char in SEQUENCE.sub("", text))


@pytest.mark.parametrize("columns", [40, 80, 132, 200])
def test_no_line_is_wider_than_the_terminal(pinned, columns):
    shown, *_ = on_terminal(pinned, "zones", columns=columns)
    lines = shown.splitlines()
    assert lines and all(width(line) <= columns for line in lines)
    assert lines[-1].endswith("…") and "note.example." in lines[-1]


def test_columns_goes_before_what_the_terminal_says(pinned):
    shown, *_ = on_terminal(pinned, "zones", columns=40, COLUMNS="150")
    assert any(140 < width(line) <= 150 for line in shown.splitlines())


def test_a_pipe_gets_everything(pinned):
    done = pinned.ctl("zones")
    assert "\x1b" not in done.stdout and "…" not in done.stdout and "..." not in done.stdout
    assert done.stdout.splitlines()[-1].endswith("Satz,")


def test_colours_and_those_who_want_none(pinned):
    assert "\x1b[1mZONE\x1b[0m" in on_terminal(pinned, "zones")[0]
    assert "\x1b[1mZONE\x1b[0m" in on_terminal(pinned, "zones", NO_COLOR="")[0]
    assert "\x1b[32mup\x1b[0m" in on_terminal(pinned, "upstreams", columns=200)[0]
    for extra in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_terminal(pinned, "zones", **extra)[0]
    assert "\x1b" not in on_terminal(pinned, "--json", "zones")[0]


def test_a_locale_without_utf8(pinned):
    shown, *_ = on_terminal(pinned, "zones", columns=132, LC_ALL="C")
    assert shown.isascii() and shown.rstrip().endswith("...") and "\\xe4\\xb8" in shown


def test_without_headers(pinned):
    with_them, without = pinned.ctl("zones"), pinned.ctl("zones", "--no-headers")
    assert without.stdout.splitlines()[0].split()[0] == "note.example."
    assert with_them.stdout.splitlines()[0].startswith("ZONE ")
    for line in (["zones", "--state", "blocked", "--no-headers"], ["--no-headers", "zones", "--state", "blocked"]):
        done = pinned.ctl(*line)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not pinned.ctl("upstreams", "--no-headers").stdout.startswith("GROUP")
    assert pinned.ctl("zones", "--json", "--no-headers").stdout == pinned.ctl("--json", "zones").stdout


@pytest.fixture
def slow(forwarder, domestic, external, fresh):
    """A daemon, and a name that nobody answers for."""
    qname = f"a.{fresh('open')}"
    for upstream in (domestic, external):
        upstream.set(qname, Silent())
    return forwarder({"fallback.deadline": "3s"}), qname


def after(text):
    """What is left on a line that was written over."""
    line = ""
    for piece in text.split("\r"):
        line = piece + line[len(piece):]
    return line.rstrip()


def test_a_slow_answer_says_how_long_it_takes(slow):
    daemon, qname = slow
    shown, answer, code = on_terminal(daemon, "query", qname, stream="stderr")
    assert re.findall(r"\rasking … (\d+) s", shown)[:2] == ["1", "2"] and "\n" not in shown and after(shown) == ""
    assert code == 0 and answer.startswith("SERVFAIL by ")


def test_a_complaint_stands_alone(slow):
    daemon, qname = slow
    killer = threading.Timer(1.5, daemon.kill)
    killer.start()
    shown, _, code = on_terminal(daemon, "query", qname, stream="stderr")
    killer.join()
    line, rest = shown.split("\n")
    assert code == 1 and "asking" in line and after(line).startswith("bywayctl: query: ") and rest == ""


def test_no_progress_elsewhere(slow):
    daemon, qname = slow
    done = daemon.ctl("query", qname)
    assert done.returncode == 0 and done.stderr == ""


def test_no_progress_of_what_is_quick(byway):
    assert on_terminal(byway, "status", stream="stderr")[0] == ""


def texts_of(value):
    if isinstance(value, (dict, list)):
        for part in (value.values() if isinstance(value, dict) else value):
            yield from texts_of(part)
    elif isinstance(value, str):
        yield value


def test_times_are_relative_for_people_and_whole_for_programs(forwarder, domestic, fresh):
    daemon = forwarder()
    zone = fresh("open")
    learn(daemon, domestic, zone, Servfail())
    daemon.control("zones", "pin", f"sub.{zone}", "external", "--for", "1h")
    for words in (["zones"], ["zones", "show", zone], ["upstreams"]):
        result = daemon.control(*words)
        times = [text for text in texts_of(result) if re.match(r"\d{4}-", text)]
        assert times and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)
        table = daemon.ctl(*words).stdout
        assert re.search(r"\bnow|\d[smhd] ago|in \d+[smhd]", table)
        for line in table.splitlines():
            assert not re.search(r"\d{4}-\d\d-\d\dT", line) or re.match(r"(since|last_failure|next_recheck) .*\(.*\)$", line)
