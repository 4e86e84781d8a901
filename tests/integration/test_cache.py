"""What the cache may say, for how long, and to whom."""

import time

import pytest

from client import together
from conftest import DOMESTIC, EXTERNAL
from daemon import wait_for
from upstream import Answer, Nxdomain, Servfail, Silent, Slow

STALE_ANSWER = 3


def test_ttls_age(byway, shared_domestic, fresh):
    zone = fresh("aging", ttl=100)
    first = byway.ask(zone, "MX")
    assert first.ttls == [100]
    time.sleep(2.1)
    later = byway.ask(zone, "MX")
    assert 97 <= later.ttls[0] <= 98 and shared_domestic.count(zone) == 1


def test_an_expired_answer_is_asked_for_again(byway, shared_domestic, fresh):
    zone = fresh("short", ttl=1)
    byway.ask(zone)
    assert byway.ask(zone).elapsed < 0.1 and shared_domestic.count(zone) == 1
    time.sleep(1.2)
    assert byway.ask(zone).addresses == [DOMESTIC] and shared_domestic.count(zone) == 2


def test_ttl_zero_is_not_kept(byway, shared_domestic, fresh):
    zone = fresh("zero", ttl=0)
    for n in range(1, 4):
        assert byway.ask(zone).ttls == [0] and shared_domestic.count(zone) == n


def test_ttl_clamps(forwarder, domestic, fresh):
    daemon = forwarder({"cache.min_ttl": "10s", "cache.max_ttl": "60s"})
    assert daemon.ask(fresh("low", ttl=1)).ttls == [10]
    assert daemon.ask(fresh("high", ttl=4000)).ttls == [60]
    assert daemon.ask(fresh("within", ttl=30)).ttls == [30]


@pytest.mark.parametrize("qname, qtype", [("no.{}", "A"), ("www.{}", "MX")], ids=["nxdomain", "nodata"])
def test_negative_answers_live_as_long_as_their_soa_says(byway, shared_domestic, fresh, qname, qtype):
    zone = fresh("negative", text="www A $MARK", negative=2)
    qname = qname.format(zone)
    replies = [byway.ask(qname, qtype) for _ in range(3)]
    assert len({reply.rcode for reply in replies}) == 1 and shared_domestic.count(zone) == 1
    assert all(len(reply.message.authority) == 1 for reply in replies)
    time.sleep(2.3)
    byway.ask(qname, qtype)
    assert shared_domestic.count(zone) == 2


@pytest.mark.parametrize("qname, qtype", [("no.{}", "A"), ("www.{}", "MX")], ids=["nxdomain", "nodata"])
@pytest.mark.parametrize("config, kept", [({}, 3600), ({"cache.negative_max_ttl": "60s"}, 60), ({"cache.negative_max_ttl": "2d"}, 86400),
                                          ({"cache.max_ttl": "10m"}, 600), ({"cache.min_ttl": "2h"}, 3600)],
                         ids=["default", "shorter", "longer", "within-max", "above-min"])
def test_a_zone_cannot_deny_for_a_day(forwarder, domestic, fresh, config, kept, qname, qtype):
    """A DKIM key or MX that was asked for before it was made. What clients keep is bounded too."""
    daemon = forwarder(config)
    zone = fresh("denied", text="www A $MARK", ttl=86400, negative=86400)
    qname = qname.format(zone)
    first, second = daemon.ask(qname, qtype), daemon.ask(qname, qtype)
    assert domestic.count(zone) == 1 and first.rcode == second.rcode
    for reply in (first, second):
        (soa,) = reply.message.authority
        assert kept - 2 <= soa.ttl <= kept
    (entry,) = daemon.control("cache", "show", qname)
    assert kept - 2 <= entry["ttl_s"] <= kept


@pytest.mark.parametrize("rcode, answer", [("NXDOMAIN", Nxdomain()), ("NOERROR", Answer([]))],
                         ids=["nxdomain", "nodata"])
def test_negative_answers_without_soa_are_not_kept(byway, shared_domestic, fresh, rcode, answer):
    zone = fresh("bare")
    shared_domestic.set(zone, answer)
    for n in range(1, 4):
        assert byway.ask(zone, tcp=n == 2, do=n == 3).rcode == rcode and shared_domestic.count(zone) == n
    assert byway.ctl("cache", "show", zone).returncode == 1


def test_a_negative_answer_without_soa_of_external_is_not_kept(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "1500ms", "learning.mode": "off"})
    zone = fresh("bare")
    domestic.set(zone, Servfail())
    external.set(zone, Nxdomain())
    for n in range(1, 3):
        assert daemon.ask(zone).rcode == "NXDOMAIN" and external.count(zone) == n
    external.set(zone, Servfail())
    assert daemon.ask(zone).rcode == "SERVFAIL"


def test_the_key_is_the_whole_question(byway, shared_domestic, fresh):
    zone = fresh("key")
    byway.ask(zone)
    for n, (qtype, flags) in enumerate((("TXT", {}), ("A", {"do": True}), ("A", {"cd": True}), ("AAAA", {})), 2):
        byway.ask(zone, qtype, **flags)
        assert shared_domestic.count(zone) == n
    byway.ask(zone.upper(), edns=None)
    byway.ask(zone, tcp=True, ad=True)
    assert shared_domestic.count(zone) == 5, "case, transport and EDNS are not part of the question"


def test_nothing_beside_the_answer_is_believed(byway, shared_domestic, fresh):
    """Records for other names in an answer section, as a poisoner would add them."""
    zone, victim = fresh("poison"), fresh("victim")
    shared_domestic.set_name(zone, Answer([f"{zone}. 300 A 192.0.2.8", f"www.{victim}. 300 A 203.0.113.66"]))
    byway.ask(zone)
    assert byway.ask(f"www.{victim}").addresses == [DOMESTIC]


def test_failures_are_cached(forwarder, domestic, external, fresh):
    daemon = forwarder({"learning.mode": "off"})
    zone = fresh("failing")
    for upstream in (domestic, external):
        upstream.set(zone, Servfail())
    assert daemon.ask(zone).rcode == "SERVFAIL"
    packets = domestic.count(zone) + external.count(zone)
    for _ in range(20):
        reply = daemon.ask(zone)
        assert reply.rcode == "SERVFAIL" and reply.ede and reply.elapsed < 0.1
    assert domestic.count(zone) + external.count(zone) == packets
    assert daemon.ask(zone, "MX").rcode == "SERVFAIL"
    assert domestic.count(zone, qtype="MX") >= 1, "the failure of one type says nothing of another"
    for upstream in (domestic, external):
        upstream.clear(zone)
    wait_for(lambda: daemon.ask(zone).rcode == "NOERROR", 7, "the failure is forgotten after 5 s", every=0.3)


def test_a_failure_never_hides_a_good_answer(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "1500ms", "learning.mode": "off"})
    zone = fresh("failing", ttl=300)
    assert daemon.ask(zone).rcode == "NOERROR"
    for upstream in (domestic, external):
        upstream.set(zone, Servfail())
    for _ in range(3):
        assert daemon.ask(zone).addresses == [DOMESTIC]
        assert daemon.ask(zone, "TXT").rcode == "SERVFAIL"


@pytest.mark.parametrize("failure", [Silent(), Servfail()], ids=["silent", "servfail"])
def test_a_stale_answer_serves_when_nothing_else_does(forwarder, domestic, external, fresh, failure):
    daemon = forwarder({"fallback.deadline": "1500ms"})
    zone = fresh("stale", ttl=1)
    assert daemon.ask(zone).addresses == [DOMESTIC]
    daemon.ask(f"no.such.{zone}", "MX")
    time.sleep(1.2)
    for upstream in (domestic, external):
        upstream.set(zone, failure)
    for tries in range(3):
        reply = daemon.ask(zone)
        assert reply.rcode == "NOERROR" and reply.addresses == [DOMESTIC] and reply.elapsed < 1.7
        assert STALE_ANSWER in reply.ede and 0 < reply.ttls[0] <= 30
    assert daemon.ask(zone, edns=None).message.edns == -1
    assert daemon.ask(f"never.{zone}").rcode == "SERVFAIL"
    for upstream in (domestic, external):
        upstream.clear(zone)
    wait_for(lambda: STALE_ANSWER not in daemon.ask(zone).ede, 7, "fresh again", every=0.3)


@pytest.mark.parametrize("failure", [Silent(), Servfail()], ids=["silent", "servfail"])
def test_stale_negative_answers_do_not_serve(forwarder, domestic, external, fresh, failure):
    daemon = forwarder({"fallback.deadline": "1500ms"})
    zone = fresh("stale", text="www A $MARK", negative=1)
    assert daemon.ask(f"no.{zone}").rcode == "NXDOMAIN"
    assert daemon.ask(f"www.{zone}", "MX").rcode == "NOERROR"
    time.sleep(1.3)
    for upstream in (domestic, external):
        upstream.set(zone, failure)
    for _ in range(2):  # when the deadline comes, and from the cached failure
        assert daemon.ask(f"no.{zone}").rcode == "SERVFAIL"
        assert daemon.ask(f"www.{zone}", "MX").rcode == "SERVFAIL"


def test_stale_may_be_off(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "1500ms", "cache.stale": "0s"})
    zone = fresh("stale", ttl=1)
    assert daemon.ask(zone).addresses == [DOMESTIC]
    time.sleep(1.3)
    for upstream in (domestic, external):
        upstream.set(zone, Servfail())
    assert daemon.ask(zone).rcode == "SERVFAIL"


def test_identical_questions_are_asked_once(forwarder, domestic, external, fresh):
    daemon = forwarder({"workers": 1})
    zone = fresh("joined")
    domestic.set(zone, Slow(0.2))  # within the time of the first resend
    replies = together([lambda n=n: daemon.ask(zone if n % 2 else zone.upper(), tcp=n % 5 == 0) for n in range(100)])
    assert all(reply.addresses == [DOMESTIC] for reply in replies)
    assert domestic.count(zone) == 1 and external.count() == 0


def test_each_worker_asks_at_most_once(forwarder, domestic, external, fresh):
    daemon = forwarder({"workers": 2})
    zone = fresh("joined")
    domestic.set(zone, Slow(0.2))
    replies = together([lambda: daemon.ask(zone) for _ in range(100)])
    assert all(reply.addresses == [DOMESTIC] for reply in replies)
    assert domestic.count(zone) <= 2 and external.count() == 0
    assert all(reply.elapsed < 0.1 for reply in [daemon.ask(zone) for _ in range(10)]), "the cache is shared by all"


def test_an_external_answer_is_marked_from_the_cache_too(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("external")
    domestic.set(zone, Servfail())
    for _ in range(3):
        reply = daemon.ask(zone)
        assert reply.addresses == [EXTERNAL] and reply.ede
        assert daemon.ask(zone, edns=None).message.edns == -1
    assert external.count(zone, qtype="A") == 1


def test_what_is_flushed_is_asked_again(forwarder, domestic, fresh):
    daemon = forwarder()
    zone = fresh("flushed")
    for qtype in ("A", "TXT", "MX"):
        daemon.ask(zone, qtype)
    daemon.ask(f"below.{zone}")
    count = domestic.count(zone)
    assert daemon.control("cache", "flush", zone)["flushed"] == 3
    assert daemon.ctl("cache", "flush", zone).returncode == 1
    assert daemon.ask(f"below.{zone}").elapsed < 0.1 and domestic.count(zone) == count
    daemon.ask(zone)
    assert domestic.count(zone) == count + 1
    assert daemon.control("cache", "flush", "--under", zone)["flushed"] == 2
    daemon.ask(f"below.{zone}")
    assert domestic.count(zone) == count + 2
    assert daemon.control("cache", "flush", "--all")["flushed"] >= 1
    daemon.ask(f"below.{zone}")
    assert domestic.count(zone) == count + 3


def test_cache_show(byway, fresh):
    zone = fresh("shown")
    byway.ask(zone)
    byway.ask(zone, "TXT")
    byway.ask(zone, "AAAA")
    entries = {entry["type"]: entry for entry in byway.control("cache", "show", zone)}
    assert set(entries) == {"A", "TXT", "AAAA"}
    assert entries["A"]["group"] == "domestic" and entries["A"]["kind"] == "answer" and entries["A"]["ttl_s"] > 290
    assert entries["AAAA"]["kind"] == "nodata"
    assert DOMESTIC in entries["A"]["records"][0]
    assert [entry["type"] for entry in byway.control("cache", "show", zone, "txt")] == ["TXT"]
    assert byway.ctl("cache", "show", f"nothing.{zone}").returncode == 1
    assert DOMESTIC in byway.ctl("cache", "show", zone).stdout


def test_memory_is_bounded_and_the_hot_stay(forwarder, domestic, fresh):
    daemon = forwarder({"cache.memory": "1MiB", "workers": 1})
    zone, hot = fresh("many"), fresh("hot")
    for start in range(0, 12000, 2000):
        for _ in range(3):
            daemon.ask(hot)
        assert daemon.flood(f"n{n}.{zone}" for n in range(start, start + 2000)) == {0: 2000}
    cache = daemon.control("status")["cache"]
    assert cache["memory"] == 1 << 20 and cache["bytes"] <= 1 << 20 and cache["evictions"] > 0
    assert domestic.count(hot) < 4, "a scan drove out what is asked all the time"
