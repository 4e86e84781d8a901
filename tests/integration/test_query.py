"""`bywayctl query`: what a client would get, by which way, and why; counted and learned as a client's question is."""

import threading

import pytest

from conftest import DOMESTIC, EXTERNAL, learn, warm
from daemon import wait_for
from upstream import Nxdomain, Refused, Servfail, Silent


def test_an_answer_of_domestic_and_then_of_the_cache(forwarder, domestic, fresh):
    daemon = forwarder()
    qname = f"a.{fresh('open')}"
    found = daemon.control("query", qname)
    assert (found["name"], found["type"], found["rcode"]) == (f"{qname}.", "A", "NOERROR")
    assert found["answer"] == [f"{qname}. {found['ttl']} IN A {DOMESTIC}"] and 0 < found["ttl"] <= 300
    assert (found["way"], found["group"], found["upstream"]) == ("domestic", "domestic", str(domestic))
    assert found["cached"] is False and found["why"] == "unknown" and found["zone"] is None
    assert [step["step"] for step in found["steps"]] == ["route", "ask", "judge"]
    again = daemon.control("query", qname, "A")
    assert (again["way"], again["group"], again["cached"], again["why"]) == ("cache", None, True, "fresh")
    assert daemon.ask(qname).addresses == [DOMESTIC] and domestic.count(qname) == 1


def test_a_blocked_zone_is_named(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("open")
    learn(daemon, domestic, zone, Servfail())
    found = daemon.control("query", f"new.{zone}", "MX")
    assert (found["way"], found["why"], found["upstream"]) == ("external", "blocked", str(external))
    assert found["zone"]["zone"] == f"{zone}." and found["zone"]["state"] == "blocked"
    text = daemon.ctl("query", f"other.{zone}", "MX").stdout
    assert text.startswith("NOERROR by external") and f"{zone}. is blocked, via external" in text


def test_what_is_learned_from_it(forwarder, domestic, fresh):
    daemon = forwarder()
    warm(daemon)
    zone = fresh("open")
    domestic.set(zone, Servfail())
    for n in range(3):
        assert daemon.control("query", f"a{n}.{zone}")["answer"][0].endswith(EXTERNAL)
    wait_for(lambda: daemon.zones().get(f"{zone}.", {}).get("state") == "blocked", 15, "learned")


@pytest.mark.parametrize("behaviour, rcode, way", [(Nxdomain(), "NXDOMAIN", "domestic"), (Refused(), "SERVFAIL", "none")])
def test_no_answer(forwarder, domestic, external, fresh, behaviour, rcode, way):
    daemon = forwarder()
    qname = f"a.{fresh('open')}"
    for upstream in (domestic, external):
        upstream.set(qname, behaviour)
    found = daemon.control("query", qname)
    assert (found["rcode"], found["way"], found["answer"], found["ttl"]) == (rcode, way, [], None)


def test_what_byway_answers_itself_and_what_it_refuses(forwarder):
    daemon = forwarder({"zones": [{"zone": "never.test", "via": "refuse"}]})
    assert daemon.control("query", "localhost")["way"] == "local"
    found = daemon.control("query", "a.never.test")
    assert (found["rcode"], found["way"], found["why"]) == ("REFUSED", "none", "refused")


def test_it_asks_as_somebody_who_may(forwarder, fresh):
    """Loopback need not be allowed."""
    daemon = forwarder({"allow": ["203.0.113.0/24"]})
    assert daemon.control("query", f"a.{fresh('open')}")["rcode"] == "NOERROR"


def test_a_fence_holds(forwarder, domestic, external, fresh):
    daemon = forwarder({"zones": [{"zone": "open1.test", "via": "domestic"}]})
    zone = fresh("open")
    daemon.set({"zones": [{"zone": zone, "via": "domestic"}]})
    daemon.control("reload")
    domestic.set(zone, Servfail())
    found = daemon.control("query", f"a.{zone}")
    assert (found["rcode"], found["why"]) == ("SERVFAIL", "fence") and external.count(zone) == 0


@pytest.mark.parametrize("arguments, told", [([], "NAME"), (["a..b"], "a..b"), (["a.test", "NONSENSE"], "NONSENSE")])
def test_wrong_usage(byway, arguments, told):
    done = byway.ctl("query", *arguments)
    assert done.returncode == 2 and told in done.stderr


def test_stopping_meanwhile(forwarder, domestic, external, fresh):
    """A lookup under way keeps nobody from stopping."""
    daemon = forwarder()
    qname = f"a.{fresh('open')}"
    for upstream in (domestic, external):
        upstream.set(qname, Silent())
    thread = threading.Thread(target=daemon.ctl, args=("query", qname))
    thread.start()
    wait_for(lambda: domestic.count(qname), 5, "asked")
    daemon.stop()
    thread.join(5)
    assert not thread.is_alive()
