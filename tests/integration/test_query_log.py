"""What becomes of each query, written to the log: which queries, in which form, and what it may cost."""

import contextlib
import json
import os
import re
import time

import pytest

from conftest import EXTERNAL
from daemon import Daemon, wait_for
from upstream import Refused, Servfail
from watcher import Watcher



def lines_of(daemon):
    """Of queries, and of nothing else."""
    return [line for line in daemon.log().splitlines() if "query" in line]


def logged(daemon):
    """(name, way) of each, without those that say nothing of a query."""
    time.sleep(0.3)
    return [(entry["query"]["name"], entry["query"]["way"])
            for entry in map(json.loads, daemon.log().splitlines()) if entry["message"] == "query"]


@pytest.fixture
def asked(forwarder, domestic, external, fresh):
    """asked(mode): what is logged of a hit, a name that domestic answers, one that external does, and one that fails."""
    def run(mode):
        daemon = forwarder({"log": {"level": "warning", "format": "json", **({"queries": mode} if mode else {})}})
        zone = fresh("open")
        domestic.set(f"abroad.{zone}", Servfail())
        for upstream in (domestic, external):
            upstream.set(f"dead.{zone}", Refused())
        for label in ("open", "open", "abroad", "abroad", "dead"):
            daemon.ask(f"{label}.{zone}")
        return [(name.split(".")[0], way) for name, way in logged(daemon)]
    return run


FAILED = [("dead", "none")]
ABROAD = [("abroad", "external")]


@pytest.mark.parametrize("mode, expected", [
    (None, []), ("off", []), ("failed", FAILED), ("external", ABROAD + FAILED),
    ("all", [("open", "domestic"), ("open", "cache"), *ABROAD, ("abroad", "cache"), *FAILED])])
def test_which_queries(asked, mode, expected):
    assert asked(mode) == expected


def test_the_same_as_trace_tells(forwarder, domestic, fresh):
    daemon = forwarder({"log": {"format": "json", "queries": "all"}})
    watcher = Watcher(daemon, "--json", method=["trace"])
    zone = fresh("open")
    domestic.set(zone, Servfail())
    assert daemon.ask(f"a.{zone}").addresses == [EXTERNAL]
    time.sleep(0.3)
    output, _ = watcher.end()
    (entry,) = [json.loads(line) for line in lines_of(daemon)]
    assert entry["query"] == json.loads(output) and entry["level"] == "info" and len(entry["query"]["steps"]) == 5


def test_in_text(forwarder, domestic, fresh):
    daemon = forwarder({"log.queries": "all"})
    name = f"a.{fresh('open')}."
    daemon.ask(name)
    (line,) = wait_for(lambda: lines_of(daemon), 5, "a line")
    assert re.fullmatch(rf"info query 127\.0\.0\.1:\d+ {name} A: NOERROR by domestic in \d+ ms, unknown; 0 ms route domestic; "
                        rf"\d+ ms ask domestic {domestic} udp; \d+ ms judge domestic {domestic} udp: answer", line)


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_name_breaks_its_line(forwarder, format):
    daemon = forwarder({"log": {"format": format, "queries": "all"}})
    daemon.ask('evil\\010<3>\\027[31m\\"\\127\\255.good0.test')
    (line,) = wait_for(lambda: lines_of(daemon), 5, "a line")
    assert line.isascii() and line.isprintable()
    shown = json.loads(line)["query"]["name"] if format == "json" else line
    assert "evil\\010<3>\\027[31m" in shown and "\\127\\255.good0.test." in shown


def test_a_reload_turns_it_on_and_off(forwarder, fresh):
    daemon = forwarder({"log.format": "json"})
    zone = fresh("open")
    for mode, before, after in ("off", "a", "b"), ("all", "c", "d"), ("failed", "e", "f"):
        daemon.set({"log.queries": mode})
        daemon.control("reload")
        for label in before, after:
            daemon.ask(f"{label}.{zone}")
    assert [name[0] for name, _ in logged(daemon)] == ["c", "d"]
    daemon.set({"log.queries": "everything"})
    assert daemon.ctl("reload").returncode == 1


def test_who_watches_beside_it_takes_nothing_from_it(forwarder, fresh):
    daemon = forwarder({"log": {"format": "json", "queries": "failed"}})
    watcher = Watcher(daemon, "--json", method=["trace"])
    daemon.ask(f"a.{fresh('open')}")
    time.sleep(0.3)
    assert len(watcher.end()[0].splitlines()) == 1 and logged(daemon) == []


@pytest.fixture
def unread(domestic, external):
    """A bywayd that logs all queries into a pipe; and the pipe's end, which nobody reads yet."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    daemon = Daemon([domestic], [external], {"log": {"level": "warning", "queries": "all"}})
    daemon.program = ["bash", "-c", f'exec "$@" 2>&{writer}', "bash", *daemon.program]
    daemon.pass_fds = (writer,)
    try:
        yield daemon.start(), reader
    finally:
        daemon.close()
    os.close(reader)
    os.close(writer)


def test_a_log_that_nobody_reads_delays_nothing(unread, fresh):
    """What does not fit is lost and counted, and that is said once it flows again."""
    daemon, reader = unread
    zone = fresh("open")
    slowest = max(daemon.ask(f"{n % 50}.{zone}").elapsed for n in range(1500))
    assert slowest < 0.5
    stats = wait_for(lambda: daemon.control("stats")["traces_lost"] and daemon.control("stats"), 5, "lines are lost")
    heard = []

    def told():
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(os.read(reader, 65536))
        return re.search(rb"^warning queries that were not logged: (\d+): more than can be written$", b"".join(heard), re.M)
    assert int(wait_for(told, 5, "it is said", every=0.2)[1]) == stats["traces_lost"]
    assert len(re.findall(rb"^info query .*$", b"".join(heard), re.M)) == stats["queries"] - stats["traces_lost"]
