"""The canary: an address beyond the border where nobody is, and what byway makes of its being answered there."""

import time

import dns.rrset
import pytest

from conftest import DOMESTIC, EXTERNAL, play, warm
from daemon import wait_for
from upstream import Answer, Silent

STRANGER = "203.0.113.66"
ADDRESS = "127.0.0.25"


class Inject:
    """A stranger's address, whatever was asked."""

    async def play(self, asked):
        reply = asked.reply(edns=False)
        reply.answer.append(dns.rrset.from_text(asked.qname, 300, "IN", "A", STRANGER))
        await asked.send(reply.to_wire())


@pytest.fixture
def border(stage, world):
    """What answers at the canary's address: nobody, but for names that it is told to forge."""
    for upstream in play(stage, world, ADDRESS, "203.0.113.99"):
        upstream.set(".", Silent())
        yield upstream


@pytest.fixture
def watched(forwarder, border):
    """watched(config): a bywayd with the canary at the border's address."""
    def start(config=None):
        return forwarder({"forged.canary": f"{ADDRESS}:{border.port}", **(config or {})})
    return start


def forge(border, domestic, zone):
    """The border answers for the zone whomever is asked, and domestic believes it."""
    for upstream in (border, domestic):
        upstream.set(zone, Inject())


def test_a_name_that_the_border_forges_is_answered_by_external_and_learned(watched, border, domestic, fresh):
    daemon = watched()
    warm(daemon)
    zone = fresh("open")
    forge(border, domestic, zone)
    reply = daemon.ask(f"www.{zone}")
    assert reply.addresses == [EXTERNAL]
    assert daemon.ask(f"www.{zone}").addresses == [EXTERNAL]
    wait_for(lambda: daemon.zones().get(f"{zone}.", {}).get("state") == "blocked", 15, "learned")
    entry = daemon.control("zones", "show", zone)
    assert entry["reason"] == "forged"
    assert [line["from"] for line in entry["evidence"] if line["about"] == "canary"] == [f"{ADDRESS}:{border.port}"]
    assert f"canary: answered for www.{zone}" in daemon.log()
    status = daemon.control("status")["canary"]
    assert status["address"] == f"{ADDRESS}:{border.port}" and status["answered"] == 1 and not status["blind"]


def test_a_domain_is_held_once(watched, border, fresh):
    daemon = watched()
    zone = fresh("open")
    reply = daemon.ask(f"www.{zone}")
    assert reply.addresses == [DOMESTIC] and 0.25 <= reply.elapsed < 1.0
    assert daemon.ask(f"a.{zone}").elapsed < 0.2
    time.sleep(0.2)
    asked = border.seen(zone)
    assert sorted(s.text for s in asked) == [f"a.{zone}."] * 2 + [f"www.{zone}."] * 2
    assert len({s.peer for s in asked}) == 4
    controls = border.seen("example.com")
    assert len(controls) == 2 and all(s.qtype == "A" for s in controls)


def test_nobody_is_there_as_icmp_says(forwarder, fresh):
    """Nothing listens, and the kernel says so: that is silence."""
    daemon = forwarder({"forged.canary": "127.0.0.26:9"})
    assert daemon.ask(f"www.{fresh('open')}").addresses == [DOMESTIC]
    assert not daemon.control("status")["canary"]["blind"]


def test_a_server_at_the_canary_is_told_and_left_alone(watched, border, fresh):
    daemon = watched()
    border.clear(".")
    border.set("example.com", Answer(["example.com. 300 A 203.0.113.67"]))
    daemon.ask(f"www.{fresh('open')}")
    wait_for(lambda: "answers for a name that nobody censors" in daemon.log(), 5, "told")
    assert daemon.control("status")["canary"]["blind"]
    assert daemon.ask(f"www.{fresh('open')}").elapsed < 0.2
    assert "answers everything" in daemon.ctl("status").stdout


def test_a_new_canary_empties_the_cache(forwarder, border, domestic, fresh):
    daemon = forwarder()
    zone = fresh("open")
    forge(border, domestic, zone)
    assert daemon.ask(f"www.{zone}").addresses == [STRANGER]
    assert daemon.control("status")["canary"] is None
    daemon.set({"forged.canary": f"{ADDRESS}:{border.port}"})
    daemon.control("reload")
    assert daemon.ask(f"www.{zone}").addresses == [EXTERNAL]
    daemon.set({"forged.canary": None})
    daemon.control("reload")
    assert daemon.control("status")["canary"] is None
