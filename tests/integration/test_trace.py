"""What becomes of each query, told live: the steps in the words of the path of a query, and which queries are told."""

import time

import pytest

from client import together
from conftest import EXTERNAL, learn, warm
from upstream import Refused, Servfail, Silent
from watcher import Watcher, told, watchers


@pytest.fixture
def tracer():
    """tracer(daemon, …): `bywayctl --json trace …`; ended whatever happens."""
    with watchers() as start:
        yield lambda daemon, *options: start(daemon, "--json", method=["trace", *options])


def lines_of(watcher):
    time.sleep(0.3)
    output, errors = watcher.end()
    assert errors == ""
    return told(output)


def steps_of(line, *keys):
    return [tuple(step[key] for key in keys) for step in line["steps"]]


def test_a_question_and_a_hit(forwarder, domestic, fresh, tracer):
    daemon = forwarder()
    watcher = tracer(daemon)
    qname = f"a.{fresh('open')}"
    for _ in range(2):
        daemon.ask(qname)
    first, second = lines_of(watcher)
    assert (first["name"], first["type"], first["rcode"], first["way"], first["why"]) == (
        f"{qname}.", "A", "NOERROR", "domestic", "unknown")
    assert steps_of(first, "step", "group", "upstream", "over", "outcome") == [
        ("route", "domestic", None, None, None), ("ask", "domestic", str(domestic), "udp", None),
        ("judge", "domestic", str(domestic), "udp", "answer")]
    assert first["client"].startswith("127.0.0.1:") and first["time"].endswith("Z") and first["ms"] < 500
    assert (second["way"], second["why"], second["steps"]) == ("cache", "fresh", [])


def test_a_fallback_shows_both_sides(forwarder, domestic, external, fresh, tracer):
    daemon = forwarder()
    watcher = tracer(daemon)
    zone = fresh("open")
    domestic.set(zone, Servfail())
    assert daemon.ask(f"a.{zone}").addresses == [EXTERNAL]
    (line,) = lines_of(watcher)
    assert line["way"] == "external" and line["rcode"] == "NOERROR"
    assert steps_of(line, "step", "group", "outcome") == [
        ("route", "domestic", None), ("ask", "domestic", None), ("judge", "domestic", "servfail"),
        ("ask", "external", None), ("judge", "external", "answer")]
    assert [step["at"] for step in line["steps"]] == sorted(step["at"] for step in line["steps"])


def test_a_verdict_is_why(forwarder, domestic, fresh, tracer):
    daemon = forwarder()
    zone = fresh("open")
    learn(daemon, domestic, zone, Servfail())
    watcher = tracer(daemon, "--under", zone)
    daemon.ask(f"new.{zone}")
    daemon.ask("other.good0.test")
    (line,) = lines_of(watcher)
    assert (line["way"], line["why"]) == ("external", "blocked")


def test_only_what_was_asked_for_is_told(forwarder, domestic, external, fresh, tracer):
    daemon = forwarder()
    warm(daemon)
    zone = fresh("open")
    for upstream in (domestic, external):
        upstream.set(f"dead.{zone}", Refused())
    failed, mail, others = tracer(daemon, "--failed"), tracer(daemon, "--type", "mx"), tracer(daemon, "--client", "192.0.2.0/24")
    daemon.ask(f"dead.{zone}")
    daemon.ask(f"a.{zone}", "MX")
    assert [(line["name"], line["rcode"], line["way"]) for line in lines_of(failed)] == [(f"dead.{zone}.", "SERVFAIL", "none")]
    assert [line["name"] for line in lines_of(mail)] == [f"a.{zone}."]
    assert lines_of(others) == []


def test_who_joins_is_told_too(forwarder, domestic, external, fresh, tracer):
    daemon = forwarder({"workers": 1})
    zone = fresh("open")
    watcher = tracer(daemon)
    domestic.set(zone, Silent())
    together([lambda: daemon.ask(f"a.{zone}")] * 5)
    lines = lines_of(watcher)
    assert len(lines) == 5 and {line["way"] for line in lines} <= {"external", "cache"}
    assert any(step["step"] == "join" for line in lines for step in line["steps"])


def test_for_people(forwarder, fresh):
    daemon = forwarder()
    watcher = Watcher(daemon, method=["trace"])
    daemon.ask(f"a.{fresh('open')}")
    time.sleep(0.3)
    output, _ = watcher.end()
    lines = output.splitlines()
    assert "NOERROR by domestic in" in lines[0] and len(lines) == 4 and "judge domestic" in lines[3]


@pytest.mark.parametrize("arguments, told", [
    (["--client", "nowhere"], "client: expected an address or a block"), (["--type", "NONSENSE"], "NONSENSE")])
def test_what_cannot_be_asked_for(byway, arguments, told):
    done = byway.ctl("trace", *arguments)
    assert done.returncode == 2 and told in done.stderr
