"""A fence is never crossed: not by a client's query, not when its group fails, not in the background."""

import time

import pytest

from client import together
from conftest import DOMESTIC, EXTERNAL, OFFICE, learn, warm
from upstream import Refused, Servfail, Silent

FAILURES = [None, Servfail(), Refused(), Silent()]
BLOCKLISTS = ["zen.spamhaus.org", "dbl.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "list.dnswl.org",
              "multi.uribl.com", "multi.surbl.org", "dnsbl-1.uceprotect.net", "combined.mail.abusix.zone"]
LISTED = "127.0.0.2"


@pytest.fixture(scope="module", autouse=True)
def zones(world):
    for zone in ("corp.test", "home.test", "abroad.test", "refused.test"):
        world.add(zone)
    for zone in BLOCKLISTS:
        world.add(zone, f"* A {LISTED}\n* TXT listed")


@pytest.fixture
def fenced(forwarder, domestic, external, office):
    return forwarder({
        "fallback.deadline": "1500ms",
        "upstreams.office": [str(office)],
        "zones": [{"zone": "corp.test", "via": "office"}, {"zone": "home.test", "via": "domestic"},
                  {"zone": "abroad.test", "via": "external"}, {"zone": "refused.test", "via": "refuse"},
                  {"zone": "open.corp.test", "via": "auto"}, {"zone": "deep.open.corp.test", "via": "office"}]})


@pytest.mark.parametrize("failure", FAILURES, ids=["well", "servfail", "refused", "silent"])
def test_a_fence_stands_whatever_happens(fenced, domestic, external, office, failure):
    warm(fenced)
    rows = (("corp.test", office, OFFICE), ("home.test", domestic, DOMESTIC), ("abroad.test", external, EXTERNAL))
    for zone, own, mark in rows:
        if failure:
            own.set(zone, failure)
        for n in range(2):  # at once, and again when there is something to know of the zone
            qnames = [f"{label}{n}.{zone}" for label in ("a", "b", "c.d")]
            for reply in together([lambda qname=qname: fenced.ask(qname) for qname in qnames]):
                if failure is None:
                    assert reply.addresses == [mark]
                else:
                    assert reply.rcode in ("SERVFAIL", "REFUSED") and reply.elapsed < 1.7
    time.sleep(1)
    for zone, own, _ in rows:
        for upstream in (domestic, external, office):
            assert upstream is own or upstream.count(zone) == 0, f"{zone} leaked to {upstream.mark}"
        assert own.count(zone) >= 6
    assert fenced.zones() == {}


def test_refuse(fenced, domestic, external, office):
    for qname in ("refused.test", "www.refused.test", "A.B.REFUSED.TEST"):
        for tcp in (False, True):
            reply = fenced.ask(qname, tcp=tcp)
            assert reply.rcode == "REFUSED" and reply.elapsed < 0.3
    assert domestic.count() == external.count() == office.count() == 0


def test_the_longest_match_wins(fenced, domestic, external, office):
    domestic.set("open.corp.test", Servfail())
    for qname, mark in (("x.corp.test", OFFICE), ("x.open.corp.test", EXTERNAL), ("open.corp.test", EXTERNAL),
                        ("x.deep.open.corp.test", OFFICE), ("notcorp.test", None), ("xopen.corp.test", OFFICE),
                        ("X.DEEP.Open.Corp.Test", OFFICE)):
        reply = fenced.ask(qname)
        assert reply.addresses == ([mark] if mark else []), qname
    assert external.count("deep.open.corp.test") == 0


def test_a_blocked_parent_does_not_reach_behind_the_fence(forwarder, domestic, external, world, fresh):
    zone = fresh("parent")
    daemon = forwarder({"zones": [{"zone": f"inner.{zone}", "via": "domestic"}], "fallback.deadline": "1500ms"})
    warm(daemon)
    domestic.set(zone, Servfail())
    for n in range(4):
        assert daemon.ask(f"n{n}.{zone}").addresses == [EXTERNAL]
    time.sleep(2)
    assert daemon.ask(f"x.inner.{zone}").rcode == "SERVFAIL"
    domestic.set(f"inner.{zone}", Silent())
    assert daemon.ask(f"y.inner.{zone}").rcode == "SERVFAIL"
    assert external.count(f"inner.{zone}") == 0


def test_an_alias_into_a_fenced_zone_leaks_nothing(fenced, domestic, external, fresh):
    """The alias may go external, the name behind the fence must not, though the confirmation would like to."""
    warm(fenced)
    zone = fresh("alias", text="www CNAME secret.home.test.")
    domestic.set(zone, Servfail())
    for n in range(3):
        fenced.ask(f"www.{zone}")
        fenced.control("cache", "flush", "--all")
    time.sleep(2)
    assert external.count(zone) >= 1 and external.count("home.test") == 0


def test_pins_and_probes_respect_the_fence(fenced, external, office):
    for zone in ("corp.test", "below.corp.test"):
        done = fenced.ctl("zones", "pin", zone, "external")
        assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
        assert fenced.ctl("zones", "pin", zone, "domestic").returncode == 1
    fenced.ctl("zones", "probe", "corp.test")
    fenced.ctl("zones", "pin", "test", "external")  # above the fence: taken or refused, it does not reach behind it
    assert fenced.ask("pinned.corp.test").addresses == [OFFICE]
    assert external.count("corp.test") == 0 and fenced.zones().keys() <= {"test."}


def test_what_was_learned_yields_to_a_new_fence(forwarder, domestic, external, fresh):
    daemon = forwarder({"learning.recheck_first": "2s", "fallback.deadline": "1500ms"})
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    daemon.set({"zones": [{"zone": zone, "via": "domestic"}]})
    daemon.control("reload")
    external.forget()
    for n in range(3):
        assert daemon.ask(f"fenced{n}.{zone}").rcode == "SERVFAIL"
    time.sleep(3)
    assert external.count(zone) == 0


# ---- blocklists ----


@pytest.mark.parametrize("failure", FAILURES, ids=["well", "servfail", "refused", "silent"])
def test_blocklists_are_asked_at_domestic_only(forwarder, domestic, external, failure):
    """The dnsbl preset is on by default: public resolvers give false answers there."""
    daemon = forwarder({"presets": None, "fallback.deadline": "1500ms"})
    warm(daemon)
    for zone in BLOCKLISTS if failure else ():
        domestic.set(zone, failure)
    for reply in together([lambda zone=zone: daemon.ask(f"2.0.0.127.{zone}") for zone in BLOCKLISTS]):
        if failure:
            assert reply.rcode in ("SERVFAIL", "REFUSED")
        else:
            assert reply.addresses == [LISTED]
    if failure:
        for zone in BLOCKLISTS[:2]:
            for reply in together([lambda n=n: daemon.ask(f"{n}.0.0.127.{zone}", "TXT") for n in range(3)]):
                assert reply.rcode in ("SERVFAIL", "REFUSED")
            daemon.ctl("zones", "probe", zone)
    assert daemon.ctl("zones", "pin", "zen.spamhaus.org", "external").returncode == 1
    time.sleep(1)
    for zone in BLOCKLISTS:
        assert external.count(zone) == 0, zone
        assert domestic.count(zone) >= 1, zone
    assert daemon.zones() == {}


def test_the_operators_zones_are_above_the_preset(forwarder, domestic, external):
    daemon = forwarder({"presets": ["dnsbl"], "zones": [{"zone": "zen.spamhaus.org", "via": "auto"}]})
    domestic.set("spamhaus.org", Servfail())
    domestic.set("zen.spamhaus.org", Servfail())
    assert daemon.ask("2.0.0.127.zen.spamhaus.org").addresses == [LISTED]
    assert external.count("zen.spamhaus.org", qtype="A") == 1  # byway looks into it by itself, too
    assert daemon.ask("example.dbl.spamhaus.org").rcode == "SERVFAIL"
    assert external.count("dbl.spamhaus.org") == 0
