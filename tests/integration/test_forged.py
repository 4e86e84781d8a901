"""Answers that a censor gives in place of the truth: byway passes them by, learns it, and forgets what it believed."""

import pytest

from conftest import EXTERNAL
from daemon import wait_for
from upstream import Answer, Nxdomain

WALL = "203.0.113.66"


@pytest.fixture
def censored(fresh, domestic):
    """censored("a", "b"): a new zone, which domestic forges under these labels, with an address of the censor's."""
    def zone(*labels):
        name = fresh("open")
        for label in labels:
            qname = f"{label}.{name}"
            domestic.set(qname, Answer([f"{qname}. 300 A {WALL}"]))
        return name
    return zone


def test_a_known_address_is_passed_by_and_learned(forwarder, external, censored):
    daemon = forwarder({"forged.addresses": [f"{WALL}/31"]})
    zone = censored("a", "b", "c")
    for label in "abc":
        assert daemon.ask(f"{label}.{zone}").addresses == [EXTERNAL]
    wait_for(lambda: any(entry["reason"] == "forged" for entry in daemon.zones().values()), 5, "learned as forged")
    assert external.count(zone) >= 3


@pytest.mark.parametrize("forged", [{"forged.addresses": [WALL]}, {"forged.names": ["wall.test"]}], ids=["address", "name"])
def test_what_was_believed_is_forgotten_by_the_reload_that_knows_better(forwarder, domestic, censored, forged):
    daemon = forwarder()
    zone = censored()
    qname = f"a.{zone}"
    domestic.set(qname, Answer([f"{qname}. 300 CNAME block.wall.test.", f"block.wall.test. 300 A {WALL}"]))
    for _ in range(2):
        assert daemon.ask(qname).addresses == [WALL]
    assert domestic.count(qname) == 1
    daemon.set(forged)
    daemon.control("reload")
    assert daemon.ask(qname).addresses == [EXTERNAL]


def test_a_reload_that_knows_nothing_new_keeps_the_cache(forwarder, domestic, fresh):
    daemon = forwarder({"forged.addresses": [WALL], "forged.names": ["wall.test"]})
    qname = f"a.{fresh('open')}"
    first = daemon.ask(qname).addresses
    daemon.set({"forged.names": ["WALL.test."], "limits.external_qps": 77})
    daemon.control("reload")
    assert daemon.ask(qname).addresses == first and domestic.count(qname) == 1


def test_domestics_denials_are_checked_from_the_reload_on(forwarder, domestic, external, fresh):
    """`nxdomain` in fallback.on: what was denied before is asked again."""
    daemon = forwarder()
    qname = f"a.{fresh('open')}"
    domestic.set(qname, Nxdomain())
    assert daemon.ask(qname).rcode == "NXDOMAIN" and external.count(qname) == 0
    daemon.set({"fallback.on": ["timeout", "servfail", "refused", "forged", "nxdomain"]})
    daemon.control("reload")
    assert daemon.ask(qname).addresses == [EXTERNAL]
