"""The completion of bywayctl's words, in the real bash: what is offered where, with a daemon and without, and that names
made by strangers are only ever words."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from daemon import ROOT, environment, program, run

SCRIPT = ROOT / "config/bash-completion/bywayctl"
COMPLETE = r"""
source "$1" || exit 9
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_bywayctl
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""
NASTY = ["a$\\(touch\\032hit\\).example.", "b`touch\\032hit`.example.", "c\\;touch\\032hit\\;.example.", "d'.example.",
         'f\\".example.', "g\\032h.example.", "i&j.example.", "k>hit.example.", "l\\\\m.example.", "n\\010.example.",
         "o\\.p.example.", "q\\233.example."]  # as docs/protocol.md has names; what is no name without a backslash has one


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """With `bywayctl` on the PATH of it, and files."""
    directory = tmp_path_factory.mktemp("completion")
    (directory / "bin").mkdir()
    (directory / "bin/bywayctl").symlink_to(program("bywayctl"))
    for name in ("mail.log", "zones.json"):
        (directory / name).touch()
    return directory


@pytest.fixture
def complete(directory):
    """complete("zones", "sh"): what is offered for the last of the words behind bywayctl."""
    def ask(*words):
        done = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", SCRIPT, "bywayctl", *words], cwd=directory, text=True,
                              env=environment(PATH=f"{directory / 'bin'}:{os.environ['PATH']}"), capture_output=True, timeout=20,
                              check=False)
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout.splitlines()
    return ask


@pytest.fixture(scope="module")
def zoned(byway):
    zones = [{"zone": name, "state": "blocked"} for name in ["blocked.example.", "broken.example.", *NASTY]]
    done = byway.ctl("zones", "import", "-", stdin=json.dumps(zones))
    assert done.returncode == 0, done.stderr
    return byway


def test_every_command_that_help_has(complete):
    commands = re.findall(r"^  ([a-z]+)(?: ([a-z]+)\b)?", run(program("bywayctl"), "--help").stdout.split("commands:")[1], re.MULTILINE)
    assert set(complete("")) == {first for first, _ in commands} and len(commands) > 15
    for first in {first for first, _ in commands}:
        assert {second for one, second in commands if one == first and second} <= set(complete(first, ""))


@pytest.mark.parametrize("words, offered", [
    (["zon"], ["zones"]), (["tr"], ["try", "trace"]), (["nosuch", ""], []), (["zones", "p"], ["pin", "probe"]),
    (["cache", ""], ["show", "flush"]), (["--json", "zones", "unp"], ["unpin"]), (["zones", "--no-headers", "exp"], ["export"]),
    (["zones", "--state", "b"], ["blocked", "broken"]), (["zones", "--state", "=", "su"], ["suspect"]),
    (["zones", "--state", "="], ["suspect", "blocked", "broken", "recovering", "clear"]),
    (["zones", "pin", "a.example", ""], ["domestic", "external"]), (["zones", "pin", "a.example", "external", "--n"], ["--no-headers", "--note"]),
    (["zones", "--st"], ["--state"]), (["trace", "--"], ["--socket", "--json", "--no-headers", "--help", "--version", "--client", "--under",
                                                        "--type", "--failed"]),
    (["-"], ["--socket", "--json", "--no-headers", "--help", "--version"]), (["zones", "--", "--"], []),
    (["zones", "pin", "a", "external", "--note", "--"], []), (["reload", ""], []),
    (["explain", "a.example", "--con"], ["--connect"]), (["explain", "--ip", ""], []),
    (["zones", "import", "zo"], ["zones.json"]), (["maillog", ""], ["bin", "mail.log", "zones.json"]),
    (["maillog", "mail.log", "mail.log", "m"], ["mail.log"]), (["maillog", "--off"], ["--offline"]), (["-s", "mai"], ["mail.log"]),
])
def test_what_is_offered(complete, words, offered):
    assert sorted(complete(*words)) == sorted(offered)


@pytest.mark.parametrize("words", [["zones", "show"], ["zones", "pin"], ["zones", "unpin"], ["zones", "forget"], ["zones", "probe"],
                                   ["zones", "--under"], ["cache", "flush", "--under"], ["trace", "--under"], ["explain"]])
def test_zones_of_the_daemon(complete, zoned, words):
    assert complete("-s", zoned.socket, *words, "b") == ["b\\`touch\\\\032hit\\`.example.", "blocked.example.", "broken.example."]
    assert complete("--socket", "=", zoned.socket, *words, "blo") == ["blocked.example."]
    assert complete("-s", zoned.socket, *words, "nothing") == []


def test_names_of_strangers_are_words(complete, directory, zoned):
    """What is offered is one word for the shell, and the zone's name."""
    offered = complete("-s", zoned.socket, "zones", "show", "")
    listed = sorted(zoned.zones())
    assert len(offered) == len(listed) == len(NASTY) + 2
    for word in offered:
        done = subprocess.run(["bash", "-c", f"printf '%s\\n' {word}"], cwd=directory, text=True, capture_output=True, check=True)
        assert done.stdout.splitlines()[0] in listed and len(done.stdout.splitlines()) == 1
        assert complete("-s", zoned.socket, "zones", "show", word) == [word]
    for word in ["$(touch hit)", "`touch hit`", "a;touch hit", "'", '"', '"$(touch hit)', "*", "a\\", "\\", "-$(touch hit)"]:
        complete("-s", zoned.socket, "zones", "show", word)
        complete(word, "")
        complete("zones", word)
        complete("maillog", word)
    assert not (directory / "hit").exists() and sorted(path.name for path in directory.iterdir()) == ["bin", "mail.log", "zones.json"]


def test_without_a_daemon(complete, tmp_path):
    assert complete("-s", str(tmp_path / "nothing"), "zones", "show", "") == []
    assert complete("-s", str(pathlib.Path("/etc/passwd")), "zones", "show", "") == []


def test_a_daemon_that_says_nothing(complete, zoned):
    os.kill(zoned.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert complete("-s", zoned.socket, "zones", "show", "") == []
        assert time.monotonic() - began < 3
    finally:
        os.kill(zoned.process.pid, signal.SIGCONT)
