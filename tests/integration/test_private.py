"""Reverse zones of private addresses: the operator's resolvers know them, nobody else does. Domestic alone is asked;
where it fails, or is silent for a second, an empty zone stands in, and nobody keeps that."""

import time

import pytest

from client import together
from daemon import quick, wait_for
from upstream import Nxdomain, Refused, Servfail, Silent, Slow

NAME, HOST = "4.3.2.10.in-addr.arpa", "mail.corp.test."
PRIVATE = [
    NAME, "10.in-addr.arpa", "1.0.16.172.in-addr.arpa", "1.0.31.172.in-addr.arpa", "1.0.168.192.in-addr.arpa",
    "1.0.64.100.in-addr.arpa", "1.0.127.100.in-addr.arpa", "1.0.254.169.in-addr.arpa", "1.c.f.ip6.arpa", "1.0.d.f.ip6.arpa",
    "1.8.e.f.ip6.arpa", "1.9.e.f.ip6.arpa", "1.a.e.f.ip6.arpa", "1.b.e.f.ip6.arpa"]
FAILURES = {"servfail": Servfail(), "refused": Refused(), "silent": Silent()}


@pytest.fixture(scope="module", autouse=True)
def zones(world):
    world.add("10.in-addr.arpa", f"* PTR {HOST}")
    world.add("corp.test")


@pytest.fixture
def daemon(forwarder):
    return forwarder()


def known(reply):
    return [rdata.to_text() for rrset in reply.message.answer for rdata in rrset] == [HOST]


def stood_in(reply, ede):
    """Byway's own word, which nobody may keep."""
    return (reply.rcode == "NXDOMAIN" and reply.has("AA") and reply.ede == [ede] and not reply.message.answer
            and reply.ttls == [0] and reply.message.authority[0][0].minimum == 0)


def test_internal_senders_are_known(daemon, domestic, external):
    """The name of a client's address, and that name's address: what Postfix wants of each client."""
    for tcp in (False, True):
        reply = daemon.ask(NAME, "PTR", tcp=tcp)
        assert known(reply) and reply.ede == [] and reply.elapsed < 0.2
    assert daemon.ask(HOST).rcode == "NOERROR"
    assert domestic.count(NAME) == 1 and external.count() == 0


@pytest.mark.parametrize("failure", [None, *FAILURES.values()], ids=["well", *FAILURES])
def test_external_is_never_asked(daemon, domestic, external, failure):
    if failure:
        domestic.set("arpa", failure)
    types = ("PTR", "A", "TXT", "SOA", "NS", "DS", "ANY")
    for _ in range(2):
        together([lambda n=n, t=t: daemon.ask(n, t) for n in PRIVATE for t in types])
    time.sleep(1)
    assert external.count("arpa") == 0 and daemon.zones() == {}
    for qname in PRIVATE:
        assert domestic.count(qname) >= len(types), qname


@pytest.mark.parametrize("edns", [0, None], ids=["edns", "plain"])
def test_silence_costs_a_second(daemon, domestic, edns):
    domestic.set("10.in-addr.arpa", Silent())
    reply = daemon.ask(NAME, "PTR", edns=edns)
    assert 0.95 < reply.elapsed < 1.3
    assert stood_in(reply, 23) if edns == 0 else reply.rcode == "NXDOMAIN" and reply.ttls == [0]
    assert daemon.ctl("cache", "show", NAME).returncode == 1
    domestic.clear("10.in-addr.arpa")
    assert known(daemon.ask("5.3.2.10.in-addr.arpa", "PTR"))
    stats = daemon.control("stats")
    assert stats["local"] == 1 and stats["servfail"] == stats["cache_failures"] == 0
    daemon.check_accounts()


def test_a_filter_that_asks_the_same_does_not_wait_again(forwarder, domestic):
    """A mail server and its filters ask about one connection, one after the other, by sockets of their own."""
    daemon = forwarder({"workers": 1})
    domestic.set("10.in-addr.arpa", Silent())
    assert daemon.ask(NAME, "PTR").elapsed < 1.3
    reply = daemon.ask(NAME, "PTR")
    assert stood_in(reply, 23) and reply.elapsed < 0.5
    domestic.clear("10.in-addr.arpa")
    assert known(daemon.ask(NAME, "PTR"))


@pytest.mark.parametrize("failure", ["servfail", "refused"])
def test_a_failure_costs_nothing_and_is_not_kept(daemon, domestic, failure):
    domestic.set("10.in-addr.arpa", FAILURES[failure])
    for n in (1, 2):
        reply = daemon.ask(NAME, "PTR")
        assert stood_in(reply, 22) and reply.elapsed < 0.1 + quick()
        assert domestic.count(NAME) == n
    domestic.clear("10.in-addr.arpa")
    assert known(daemon.ask(NAME, "PTR"))


def test_what_domestic_denies_is_passed_on_and_kept(daemon, domestic):
    domestic.set("10.in-addr.arpa", Nxdomain("10.in-addr.arpa"))
    for _ in range(2):
        reply = daemon.ask(NAME, "PTR")
        assert reply.rcode == "NXDOMAIN" and not reply.has("AA") and reply.ede == [] and reply.elapsed < 0.2
    assert domestic.count(NAME) == 1


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("bad", [0, 1], ids=["first", "second"])
def test_one_good_upstream_is_enough(forwarder, domestic, second, failure, bad):
    daemon = forwarder(domestics=[domestic, second])
    (domestic, second)[bad].set("10.in-addr.arpa", FAILURES[failure])
    for n in range(4):
        reply = daemon.ask(f"{n}.{NAME}", "PTR")
        assert known(reply) and reply.elapsed < 0.6, n


def test_a_late_answer_is_for_the_next(daemon, domestic):
    domestic.set("10.in-addr.arpa", Slow(1.5))
    assert stood_in(daemon.ask(NAME, "PTR"), 23)
    time.sleep(1)
    reply = daemon.ask(NAME, "PTR")
    assert known(reply) and reply.elapsed < 0.1


def test_many_silent_addresses_at_once(daemon, domestic):
    domestic.set("10.in-addr.arpa", Silent())
    for reply in together([lambda n=n: daemon.ask(f"{n % 25}.1.10.in-addr.arpa", "PTR") for n in range(100)]):
        assert stood_in(reply, 23) and reply.elapsed < 1.3


def test_a_dead_resolver_costs_a_second_at_most_and_soon_nothing(daemon, domestic):
    """And its return is seen: internal mail is what this is for."""
    domestic.stop()
    ends = time.monotonic() + 15
    serial = 0
    while True:
        reply = daemon.ask(f"{serial}.9.10.in-addr.arpa", "PTR")
        serial += 1
        assert stood_in(reply, 23) and reply.elapsed < 1.3
        if reply.elapsed < 0.1:
            break
        assert time.monotonic() < ends, "still waited for"
    for reply in [daemon.ask("1.8.10.in-addr.arpa", "PTR") for _ in range(8)]:  # in whichever worker
        assert stood_in(reply, 23) and reply.elapsed < 0.1
    domestic.start()
    wait_for(lambda: known(daemon.ask(NAME, "PTR")), 6, "domestic's answer")


def test_what_is_said_of_them(daemon):
    way = "has private addresses: only domestic is asked, and where that fails or is silent for 1 s the zone is empty"
    rows = [(("zones", "show", NAME), f"zones show: nothing is known of {NAME}.; 10.in-addr.arpa. {way}"),
            (("zones", "probe", "1.0.d.f.ip6.arpa"), f"zones probe: nothing is known of 1.0.d.f.ip6.arpa.; d.f.ip6.arpa. {way}"),
            (("zones", "pin", NAME, "external"), f"zones pin: {NAME}. cannot be pinned to external: 10.in-addr.arpa. {way}"),
            (("zones", "show", "mx.localhost"), "zones show: nothing is known of mx.localhost.; byway answers for localhost. itself"),
            (("zones", "pin", "localhost", "domestic"),
             "zones pin: localhost. cannot be pinned to domestic: byway answers for localhost. itself"),
            (("zones", "show", "3.0.192.in-addr.arpa"), "zones show: nothing is known of 3.0.192.in-addr.arpa.")]
    for words, said in rows:
        done = daemon.ctl(*words)
        assert done.returncode == 1 and done.stderr == f"bywayctl: {said}\n"
    assert daemon.ctl("zones", "pin", NAME, "domestic").returncode == 0  # says what holds anyway
    assert daemon.ctl("zones", "unpin", NAME).returncode == 0


def test_what_the_configuration_says_of_others(forwarder, office):
    daemon = forwarder({"presets": None, "upstreams.office": [str(office)],
                        "zones": [{"zone": "corp.test", "via": "office"}, {"zone": "never.test", "via": "refuse"},
                                  {"zone": "10.in-addr.arpa", "via": "domestic"}]})
    rows = [("x.corp.test", "the configuration's zones send corp.test. only to office"),
            ("never.test", "the configuration's zones refuse never.test."),
            (NAME, "the configuration's zones send 10.in-addr.arpa. only to domestic"),
            ("zen.spamhaus.org", "the presets send spamhaus.org. only to domestic")]
    for zone, way in rows:
        assert daemon.ctl("zones", "show", zone).stderr == f"bywayctl: zones show: nothing is known of {zone}.; {way}\n"
        assert daemon.ctl("zones", "pin", zone, "external").stderr == (
            f"bywayctl: zones pin: {zone}. cannot be pinned to external: {way}\n")


def test_the_operators_own_fence_is_strict(forwarder, domestic, external):
    """Said in `zones`, it is as any fence: SERVFAIL, and nothing stands in."""
    daemon = forwarder({"zones": [{"zone": "10.in-addr.arpa", "via": "domestic"}], "fallback.deadline": "1500ms"})
    domestic.set("10.in-addr.arpa", Servfail())
    assert daemon.ask(NAME, "PTR").rcode == "SERVFAIL"
    daemon.set({"zones": []})  # a reload takes it back; the failure does not outlive it
    daemon.control("reload")
    assert stood_in(daemon.ask(NAME, "PTR"), 22)
    daemon.set({"zones": [{"zone": "in-addr.arpa", "via": "auto"}]})
    daemon.control("reload")
    assert known(daemon.ask(f"1.{NAME}", "PTR"))  # external's world is the same
    assert external.count("10.in-addr.arpa") >= 1


def test_ds_at_the_top_is_domestics_word_alone(daemon, domestic, external):
    """It is the parent's record: no validator takes an invented denial. But external is not asked for it either."""
    assert daemon.ask("10.in-addr.arpa", "DS", do=True).rcode == "NOERROR"
    domestic.set("168.192.in-addr.arpa", Servfail())
    assert daemon.ask("168.192.in-addr.arpa", "DS", do=True).rcode == "SERVFAIL"
    assert external.count("arpa") == 0
