"""Domestic first, external when domestic fails, an answer in any case, and in time.

Times between two packets are taken at the upstreams, by the kernel's clock; those that must be short are the median
of several, because this machine has other work too.
"""

import statistics
import time

import pytest

from client import together
from conftest import DOMESTIC, EXTERNAL, SECOND, learn, warm
from daemon import quick, wait_for
from upstream import (FORGED, ByTransport, Forge, Nxdomain, Rcode, Refused, Reset, Resolve, Sequence, Servfail, Silent,
                      Slow)

RTT = 0.05  # of the external upstream
NOISE = 0.20  # a busy machine's, for a client's whole wait
NO_LEARNING = {"learning.mode": "off"}


def silent_dns_error(reply):
    return bool(set(reply.ede) & {22, 23})


def gap(earlier, later):
    """Seconds from the first reply of one exchange to the arrival of another."""
    return later.at - earlier.answered


# ---- domestic answers ----


def test_what_domestic_answers_never_goes_external(forwarder, domestic, external, fresh):
    """10,000 questions, 0 of them external."""
    daemon = forwarder({"cache.memory": "8MiB"})
    zones = [fresh("good") for _ in range(20)]
    counts = daemon.flood(f"n{n}.{zones[n % 20]}" for n in range(10000))
    assert counts == {0: 10000}
    assert domestic.count() >= 10000
    assert external.count() == 0


def test_negative_answers_are_answers(forwarder, domestic, external, world, fresh):
    daemon = forwarder()
    zone = fresh("plain", text="www A $MARK")
    domestic.set_name(f"bare.{zone}", Nxdomain())
    for qname, qtype, rcode in ((f"no.{zone}", "A", "NXDOMAIN"), (f"www.{zone}", "MX", "NOERROR"),
                                (f"bare.{zone}", "A", "NXDOMAIN"), ("no.such.domain.test", "TXT", "NXDOMAIN"),
                                ("nosuchtld", "A", "NXDOMAIN")):
        for _ in range(2):
            reply = daemon.ask(qname, qtype)
            assert (reply.rcode, reply.message.answer, reply.ede) == (rcode, [], [])
    assert external.count() == 0
    assert daemon.control("zones") == []


def test_one_lost_datagram_is_sent_again(forwarder, domestic, external, fresh):
    daemon = forwarder()
    warm(daemon)
    zone = fresh("lossy")
    domestic.set(zone, Sequence([Silent(), Resolve()]))
    reply = daemon.ask(zone)
    assert reply.addresses == [DOMESTIC] and reply.elapsed < 0.4 + NOISE
    assert external.count() == 0 and domestic.count(zone) == 2


# ---- silence ----


def test_an_unknown_silent_zone_is_answered_in_time(forwarder, domestic, external, fresh):
    external.rtt = RTT
    daemon = forwarder()
    for n in range(4):
        zone = fresh("silent")
        domestic.set(zone, Silent())
        reply = daemon.ask(zone)
        assert reply.addresses == [EXTERNAL]
        assert 0.5 < reply.elapsed < 1.2 + RTT + NOISE
        assert reply.ede, "an answer that came the external way says so"
        if n == 1:
            warm(daemon)  # from here on some answer times are known


def test_a_zone_known_good_gets_more_patience(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("known")
    assert daemon.ask(f"before.{zone}").addresses == [DOMESTIC]
    domestic.set(zone, Slow(0.95))
    reply = daemon.ask(f"slow.{zone}")
    assert reply.addresses == [DOMESTIC] and external.count(zone) == 0
    domestic.set(zone, Silent())
    assert 0.5 < daemon.ask(f"silent.{zone}").elapsed < 1.5 + NOISE


def test_patience_may_be_set(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.patience": "300ms"})
    zone = fresh("silent")
    domestic.set(zone, Silent())
    reply = daemon.ask(zone)
    assert reply.addresses == [EXTERNAL] and 0.29 <= reply.elapsed < 0.3 + NOISE


def test_a_late_good_domestic_answer_wins(forwarder, domestic, external, fresh):
    daemon = forwarder(NO_LEARNING)
    for behaviour in (Silent(), Slow(1.0), Servfail(), Refused()):
        zone = fresh("late")
        domestic.set(zone, Slow(1.3))
        external.set(zone, behaviour)
        reply = daemon.ask(zone)
        assert reply.addresses == [DOMESTIC], behaviour
        assert reply.elapsed < 1.3 + NOISE and external.count(zone) >= 1
        assert reply.ede == []


def test_the_first_usable_answer_wins(forwarder, domestic, external, fresh):
    daemon = forwarder(NO_LEARNING)
    zone = fresh("late")
    domestic.set(zone, Slow(3))
    reply = daemon.ask(zone)
    assert reply.addresses == [EXTERNAL] and reply.elapsed < 1.2 + NOISE


def test_an_upstream_that_the_kernel_calls_unreachable(forwarder, domestic, external, fresh):
    daemon = forwarder()
    warm(daemon)
    domestic.stop()
    times = []
    for _ in range(5):
        reply = daemon.ask(fresh("open"))
        assert reply.addresses == [EXTERNAL]
        times.append(reply.elapsed)
    assert statistics.median(times) < quick() + NOISE


# ---- failing rcodes ----


@pytest.mark.parametrize("failure", [Servfail(), Refused(), Rcode("NOTIMP"), Rcode("FORMERR")], ids=repr)
def test_a_failing_domestic_sends_it_external_at_once(forwarder, domestic, external, fresh, failure):
    daemon = forwarder()
    warm(daemon)
    gaps = []
    for _ in range(9):
        zone = fresh("failing")
        domestic.set(zone, failure)
        reply = daemon.ask(zone)
        assert reply.addresses == [EXTERNAL] and reply.ede
        # FORMERR may be EDNS's fault: then domestic is asked once more without
        answered = [s for s in domestic.seen(zone) if s.at < external.seen(zone)[0].at]
        gaps.append(external.seen(zone)[0].at - max(s.answered for s in answered if s.answered))
    assert statistics.median(gaps) < quick(), gaps


def test_two_failing_domestic_upstreams(forwarder, domestic, second, external, fresh):
    """One after the other at once, then external at once."""
    daemon = forwarder(domestics=[domestic, second])
    between, after = [], []
    for failure in [Servfail(), Refused()] * 4:
        zone = fresh("failing")
        domestic.set(zone, failure)
        second.set(zone, failure)
        assert daemon.ask(zone).addresses == [EXTERNAL]
        first_way = external.seen(zone)[0]
        asked = sorted((s for u in (domestic, second) for s in u.seen(zone) if s.at < first_way.at), key=lambda s: s.at)
        between.append(gap(asked[0], asked[1]))
        after.append(gap(asked[1], first_way))
        assert len(asked) == 2
    assert statistics.median(between) < quick() and statistics.median(after) < quick(), (between, after)


def test_one_failing_domestic_upstream_is_covered_by_the_other(forwarder, domestic, second, external, fresh):
    daemon = forwarder(domestics=[domestic, second])
    for failing, helping, mark in ((domestic, second, SECOND), (second, domestic, DOMESTIC)):
        for failure in (Servfail(), Refused(), Silent(), ByTransport(Silent(), Reset())):
            zone = fresh("half")
            failing.set(zone, failure)
            reply = daemon.ask(zone)
            assert reply.addresses == [mark]
            assert reply.elapsed < 0.4 + NOISE
    assert external.count() == 0
    assert daemon.zones(state="blocked") == {}


@pytest.mark.parametrize("how", [Refused(), Servfail(), Silent()])
def test_one_of_two_that_fails_everything_is_asked_last(forwarder, domestic, second, external, fresh, how):
    daemon = forwarder(domestics=[domestic, second])
    domestic.set(".", how)
    late = 0
    for _ in range(30):
        reply = daemon.ask(fresh("outdone"))
        assert reply.addresses == [SECOND]
        late += reply.elapsed > 0.1 + quick()
    assert late <= 8, "the first few"

    def state_of(upstream):
        return next(line.split()[3] for line in daemon.ctl("upstreams").stdout.splitlines()
                    if line.split()[1:3] == [str(upstream), "udp"])

    wait_for(lambda: state_of(domestic) in ("outdone", "down"), 5, "the first is outdone, or down")
    assert state_of(second) == "up"
    domestic.set(".", Resolve())
    began = time.monotonic()
    while daemon.control("upstreams")[0]["outdone"]:
        assert time.monotonic() - began < 8
        daemon.ask(fresh("outdone"))
        time.sleep(0.2)
    assert external.count() == 0 and daemon.zones() == {}


def test_a_silent_second_upstream_has_its_patience(forwarder, domestic, second, external, fresh):
    """It answers other questions: it may be a slow recursion. One that does not is waited for a quarter of a second."""
    daemon = forwarder(domestics=[domestic, second])
    for failing, silent in [(domestic, second), (second, domestic)] * 2:
        zone = fresh("half")
        failing.set(zone, Servfail())
        silent.set(zone, Silent())
        assert daemon.ask(zone).addresses == [EXTERNAL]
        wait = gap(failing.seen(zone)[0], external.seen(zone)[0])
        assert wait < 0.9 + quick(), wait


def test_the_second_domestic_is_asked_before_patience_ends(forwarder, domestic, second, external, fresh):
    daemon = forwarder(domestics=[domestic, second])
    warm(daemon)
    for _ in range(3):
        zone = fresh("silent")
        for upstream in (domestic, second):
            upstream.set(zone, Silent())
        assert daemon.ask(zone).addresses == [EXTERNAL]
        first = sorted(u.seen(zone)[0].at for u in (domestic, second))
        assert 0.2 < first[1] - first[0] < 0.4 + NOISE
        assert external.seen(zone)[0].at - first[0] < 0.9 + NOISE


def test_several_external_upstreams(forwarder, domestic, second, external, fresh):
    """A failing or silent external upstream gives way to the next."""
    daemon = forwarder(externals=[external, second])
    for failure in (Servfail(), Silent(), Refused()):
        for failing, mark in ((external, SECOND), (second, EXTERNAL)):
            zone = fresh("failing")
            domestic.set(zone, Servfail())
            failing.set(zone, failure)
            reply = daemon.ask(zone)
            assert reply.addresses == [mark] and reply.elapsed < 1.2 + NOISE


# ---- nobody answers ----


def test_both_silent_is_servfail_by_the_deadline(forwarder, domestic, external, fresh):
    daemon = forwarder(NO_LEARNING)
    zone = fresh("dead")
    for upstream in (domestic, external):
        upstream.set(zone, Silent())
    reply = daemon.ask(zone)
    assert reply.rcode == "SERVFAIL" and silent_dns_error(reply)
    assert 4.0 < reply.elapsed < 4.5 + NOISE
    assert domestic.count(zone, transport="udp") + external.count(zone, transport="udp") <= 6
    assert daemon.ask(f"x.{zone}", edns=None).message.edns == -1


def test_the_deadline_may_be_set(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "1500ms", "learning.mode": "off"})
    zone = fresh("dead")
    for upstream in (domestic, external):
        upstream.set(zone, Silent())
    for tcp in (False, True):
        reply = daemon.ask(f"{tcp}.{zone}", tcp=tcp)
        assert reply.rcode == "SERVFAIL" and silent_dns_error(reply) and 1.3 < reply.elapsed < 1.5 + NOISE


def test_both_failing_is_servfail_at_once(forwarder, domestic, external, fresh):
    daemon = forwarder(NO_LEARNING)
    zone = fresh("dead")
    for upstream in (domestic, external):
        upstream.set(zone, Servfail())
    reply = daemon.ask(zone)
    assert reply.rcode == "SERVFAIL" and silent_dns_error(reply) and reply.elapsed < 1 + NOISE


def test_work_goes_on_after_the_deadline(forwarder, domestic, external, fresh):
    """What comes too late for this client is there for its next try."""
    daemon = forwarder({"fallback.deadline": "1s", "learning.mode": "off"})
    zone = fresh("late")
    domestic.set(zone, Slow(1.6))
    external.set(zone, Silent())
    assert daemon.ask(zone).rcode == "SERVFAIL"
    time.sleep(1)
    reply = daemon.ask(zone)
    assert reply.addresses == [DOMESTIC] and reply.elapsed < 0.1


def test_many_clients_at_once_are_all_answered(forwarder, domestic, external, fresh):
    """Silence at both ends, 300 questions: 300 answers."""
    daemon = forwarder({"fallback.deadline": "1500ms", "learning.mode": "off"})
    zone = fresh("dead")
    for upstream in (domestic, external):
        upstream.set(zone, Silent())
    replies = together([lambda n=n: daemon.ask(f"n{n}.{zone}") for n in range(300)])
    assert {reply.rcode for reply in replies} == {"SERVFAIL"}
    assert daemon.ask(fresh("open")).addresses == [DOMESTIC]


# ---- fallback.on ----


@pytest.mark.parametrize("on", [["timeout"], ["servfail"], ["refused"], ["servfail", "refused"], []], ids="+".join)
def test_only_the_outcomes_of_fallback_on_go_external(forwarder, domestic, external, fresh, on):
    daemon = forwarder({"fallback.on": on, "fallback.deadline": "1500ms"})
    for word, behaviour in (("timeout", Silent()), ("servfail", Servfail()), ("refused", Refused()),
                            ("refused", Rcode("NOTIMP"))):
        zone = fresh("failing")
        domestic.set(zone, behaviour)
        reply = daemon.ask(zone)
        if word in on:
            assert reply.addresses == [EXTERNAL], (word, on)
        else:
            assert reply.rcode in ("SERVFAIL", "REFUSED") and reply.elapsed < 1.5 + NOISE, (word, on)
            assert external.count(zone) == 0, (word, on)


# ---- lies ----


@pytest.mark.parametrize("how", ["id", "port", "question", "query", "garbage", "short", "empty"])
def test_a_reply_that_is_none_is_waited_past(forwarder, domestic, external, fresh, how):
    """Forged packets come first, the real answer 100 ms later."""
    daemon = forwarder()
    for transport in ("udp", "any"):
        zone = fresh("forged")
        lie = Forge(how, then=Slow(0.1))
        domestic.set(zone, lie if transport == "any" and how not in ("garbage", "short", "empty")
                     else ByTransport(lie, Resolve()))
        reply = daemon.ask(zone)
        assert FORGED not in reply.addresses
        assert reply.rcode == "NOERROR" and reply.elapsed < 1.2 + NOISE
        if transport == "udp":
            assert reply.addresses == [DOMESTIC] and external.count(zone) == 0
    assert daemon.alive() and daemon.zones() == {}


@pytest.mark.parametrize("how", ["id", "question", "query", "garbage"])
def test_nothing_but_lies_is_silence(forwarder, domestic, external, fresh, how):
    daemon = forwarder()
    zone = fresh("forged")
    domestic.set(zone, Forge(how))
    reply = daemon.ask(zone)
    assert reply.addresses == [EXTERNAL] and reply.elapsed < 1.2 + NOISE


# ---- DNSSEC failures by the zone's own fault ----


@pytest.mark.parametrize("ede", [7, 8, 11])
def test_a_zone_that_is_bogus_by_its_own_fault_stays_servfail(forwarder, domestic, external, fresh, ede):
    daemon = forwarder()
    zone = fresh("bogus")
    domestic.set(zone, Servfail(ede=ede))
    assert daemon.ask(zone).rcode == "SERVFAIL"
    assert external.count(zone) == 0


@pytest.mark.parametrize("ede", [6, 9, 10, 12])
def test_an_untrusted_external_does_not_overrule_a_bogus_verdict(forwarder, domestic, external, fresh, ede):
    daemon = forwarder({"fallback.deadline": "2s"})
    zone = fresh("bogus")
    domestic.set(zone, Servfail(ede=ede))
    assert daemon.ask(zone).rcode == "SERVFAIL"
    assert daemon.zones(state="blocked") == {}


def test_any_and_cd_may_take_the_other_way_too(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("failing")
    domestic.set(zone, Servfail())
    assert daemon.ask(zone, cd=True).addresses == [EXTERNAL]
    assert daemon.ask(zone, "ANY").rcode in ("NOERROR", "NOTIMP", "REFUSED")
    time.sleep(1)
    assert daemon.zones(state="blocked") == {}, "an exchange with CD or ANY is no evidence"


# ---- the quota ----


def test_random_names_cannot_spend_the_quota(forwarder, domestic, external, fresh):
    daemon = forwarder({"limits.external_qps": 5})
    blocked = fresh("shut")
    learn(daemon, domestic, blocked, Servfail())
    time.sleep(3.5)  # until the bucket of 16 is full again
    before = daemon.control("stats")
    started, over, zone = time.monotonic(), 0, None
    for n in range(60):
        zone = fresh("random")
        domestic.set(zone, Servfail())
        reply = daemon.ask(zone)
        if reply.rcode == "SERVFAIL":
            over += 1
            assert [(option.code, option.text) for option in reply.message.options] == [
                (0, "over the quota of questions to external upstreams")]
            assert external.count(zone) == 0
            assert reply.elapsed < NOISE
        if n % 15 == 14:
            assert daemon.ask(f"mail{n}.{blocked}").addresses == [EXTERNAL]
    assert over >= 60 - 8 - 5 * (time.monotonic() - started + 1)
    assert daemon.control("stats")["external_over_quota"] - before["external_over_quota"] == over > 0

    daemon.set({"limits.external_qps": 1000})
    daemon.control("reload")
    time.sleep(1.2)  # until the larger bucket is full
    for _ in range(40):
        zone = fresh("random")
        domestic.set(zone, Servfail())
        assert daemon.ask(zone).addresses == [EXTERNAL]
