"""What comes from upstream reaches the client unchanged, and what must stay between two hops stays there."""

import dns.edns
import dns.flags
import pytest

from client import ask, together
from conftest import DOMESTIC, EXTERNAL
from upstream import (Answer, ByTransport, DropEdns, LowerCase, NoEdns, Rcode, Reset, Resolve, Servfail, Slow, TcpOnly,
                      Truncate)

SPF = " ".join(f'"ip4:198.51.100.{n}/32 include:spf{n:03}.example.test {"x" * 180}"' for n in range(18))  # 4 kB

RECORDS = f"""
    @         A      $MARK
    @         NS     ns2
    @         MX     10 mail
    @         MX     5 mail2.other.test.
    @         TXT    "v=spf1 mx -all"
    @         TXT    "second string" "in two parts"
    aaaa      AAAA   2001:db8::25
    _25._tcp.mail TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
    _smtp._tcp SRV   0 5 25 mail
    strange   TYPE65280 \\# 7 00c00c01ff0a00
    alias     CNAME  far.target.test.
    ptr       PTR    mail
    caa       CAA    0 issue "ca.example.test"
    naptr     NAPTR  100 10 "u" "E2U+sip" "!^.*$!sip:info@example.test!" .
    sshfp     SSHFP  1 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
    spf       TXT    {SPF}
    mid       TXT    {" ".join('"' + c * 100 + '"' for c in "abcdefgh")}
    *         A      $MARK
"""


@pytest.fixture(scope="module", autouse=True)
def zones(world):
    world.add("records.test", RECORDS, ttl=4000)
    world.add("target.test", "far A 192.0.2.55\nfar AAAA 2001:db8::55", ttl=77)
    world.add("3.0.192.in-addr.arpa", "25 PTR mail.records.test.")


QUESTIONS = [
    ("records.test", "A"), ("records.test", "NS"), ("records.test", "SOA"), ("records.test", "MX"),
    ("records.test", "TXT"), ("aaaa.records.test", "AAAA"), ("_25._tcp.mail.records.test", "TLSA"),
    ("_smtp._tcp.records.test", "SRV"), ("strange.records.test", "TYPE65280"), ("alias.records.test", "A"),
    ("alias.records.test", "CNAME"), ("ptr.records.test", "PTR"), ("caa.records.test", "CAA"),
    ("naptr.records.test", "NAPTR"), ("sshfp.records.test", "SSHFP"), ("25.3.0.192.in-addr.arpa", "PTR"),
    ("records.test", "AAAA"), ("no.such.target.test", "MX"), (".", "NS"), ("\\000\\255.records.test", "A"),
]


def test_answers_are_the_upstreams_to_the_byte(byway, shared_domestic, shared_external):
    for qname, qtype in QUESTIONS:
        direct = ask(str(shared_domestic), qname, qtype)
        for tcp in (False, True):
            for _ in range(2):  # from upstream, then from the cache
                reply = byway.ask(qname, qtype, tcp=tcp)
                assert reply.rcode == direct.rcode, (qname, qtype)
                assert reply.records() == direct.records(), (qname, qtype)
                assert all(0 <= a - b <= 2 for a, b in zip(direct.ttls, reply.ttls)), (qname, qtype)
    assert shared_external.count() == 0


def test_the_bytes_themselves(byway, shared_domestic):
    """Compression, record order and all: only id, TTL and OPT differ."""
    direct = ask(str(shared_domestic), "strange.records.test", "TYPE65280")
    reply = byway.ask("strange.records.test", "TYPE65280")
    question_end = 12 + len(b"\7strange\7records\4test\0") + 4
    ttl = question_end + 2 + 4
    for start, end in ((4, ttl), (ttl + 4, ttl + 4 + 2 + 7)):
        assert reply.wire[start:end] == direct.wire[start:end]


def test_record_order_survives(byway, shared_domestic, fresh):
    zone = fresh("order")
    lines = [f"{zone}. 60 A 192.0.2.{n}" for n in (9, 3, 200, 1, 44)]
    shared_domestic.set(zone, Answer(lines))
    expected = [f"192.0.2.{n}" for n in (9, 3, 200, 1, 44)]
    assert byway.ask(zone).addresses == expected
    assert byway.ask(zone).addresses == expected


def test_the_clients_case_comes_back(byway):
    for qname in ("RECORDS.test", "rEcOrDs.TeSt", "records.test"):  # ask() compares the case itself
        reply = byway.ask(qname, "MX")
        assert len(reply.message.answer[0]) == 2


def test_large_answers(byway, shared_domestic):
    full = byway.ask("spf.records.test", "TXT", tcp=True)
    assert full.records() == ask(str(shared_domestic), "spf.records.test", "TXT", tcp=True).records()
    assert len(full.texts[0]) > 4000 and not full.truncated
    for edns in (None, 512, 1232, 4096):
        reply = byway.ask("spf.records.test", "TXT", edns=edns)
        assert reply.truncated and reply.rcode == "NOERROR"
        assert len(reply.wire) <= max(512, min(edns or 512, 1232))
        assert reply.message.answer == [], "half a record set is worse than none"
    for edns, truncated in ((None, True), (512, True), (1232, False), (4096, False)):
        assert byway.ask("mid.records.test", "TXT", edns=edns).truncated == truncated, edns
    assert not byway.ask("mid.records.test", "TXT", edns=None, tcp=True).truncated


def test_truncated_upstream_is_asked_over_tcp(byway, shared_domestic, shared_external, fresh):
    zone = fresh("cut")
    shared_domestic.set(zone, Truncate())
    assert byway.ask(zone).addresses == [DOMESTIC]
    assert shared_domestic.count(zone, transport="tcp") >= 1
    assert shared_external.count() == 0


def test_a_cut_answer_is_never_final(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "3s"})
    zone = fresh("cut")
    domestic.set(zone, ByTransport(Truncate(), Reset()))
    assert daemon.ask(zone).addresses == [EXTERNAL]
    external.set(zone, ByTransport(Truncate(), Reset()))
    reply = daemon.ask(f"both.{zone}")
    assert reply.rcode == "SERVFAIL" and not reply.truncated
    domestic.stop_tcp()
    external.clear(zone)
    assert daemon.ask(f"closed.{zone}").addresses == [EXTERNAL]


def test_tcp_only_upstream(forwarder, domestic, external, fresh):
    domestic.default = TcpOnly()
    daemon = forwarder({"upstreams.domestic": [f"tcp://{domestic}"]})
    for n in range(3):
        assert daemon.ask(f"n{n}.{fresh('tcp')}").addresses == [DOMESTIC]
    assert domestic.count(transport="udp") == external.count() == 0


def test_ipv6_upstream(stage, world, forwarder, fresh, needs_ipv6):
    sixth = stage.upstream(world, "::1", DOMESTIC)
    try:
        daemon = forwarder(domestics=[sixth])
        assert daemon.ask(fresh("open")).addresses == [DOMESTIC]
    finally:
        sixth.stop()


def test_edns_is_hop_by_hop(byway, shared_domestic, fresh):
    zone = fresh("open")
    options = [dns.edns.GenericOption(code, b"\1\2\3\4\5\6\7\x08") for code in (3, 10, 65001)]
    options.append(dns.edns.ECSOption("203.0.113.0", 24))
    for tcp in (False, True):
        reply = byway.ask(f"{'t' if tcp else 'u'}.{zone}", options=options, edns=4096, tcp=tcp)
        assert reply.rcode == "NOERROR" and [o.otype for o in reply.message.options] == []
    for seen in shared_domestic.seen(zone):
        assert seen.options == [] and seen.edns == 0
        assert seen.size == 1232, "our own size, not the client's"


def test_opt_only_for_clients_with_edns(byway, fresh):
    zone = fresh("open")
    for qname, edns in ((f"a.{zone}", None), (f"a.{zone}", 1232), (f"b.{zone}", 1232), (f"b.{zone}", None)):
        for tcp in (False, True):
            reply = byway.ask(qname, edns=edns, tcp=tcp)
            assert reply.message.edns == (-1 if edns is None else 0), "the OPT differs between hit and miss"


def test_flags(byway, shared_domestic, fresh):
    zone = fresh("flags")
    for n, (do, cd, ad, rd) in enumerate([(False, False, False, True), (True, False, False, True),
                                          (False, True, False, True), (True, True, True, True),
                                          (False, False, True, True)]):
        reply = byway.ask(f"n{n}.{zone}", do=do, cd=cd, ad=ad, rd=rd)
        assert reply.rcode == "NOERROR"
        assert (reply.has("CD"), reply.has("RD"), reply.has("RA"), reply.has("AD")) == (cd, rd, True, False)
        assert bool(reply.message.ednsflags & dns.flags.DO) == do
        seen = shared_domestic.seen(f"n{n}.{zone}")[0]
        assert (seen.do, seen.has("CD"), seen.has("AD"), seen.has("RD")) == (do, cd, True, True)


class Authenticated(Resolve):
    async def play(self, asked):
        reply = asked.from_world()
        reply.flags |= dns.flags.AD
        await asked.send(asked.wire_of(reply))


# What DANE in a mail server asks. Postfix asks ". NS" to see whether its resolver's AD means anything.
DANE = [(".", "NS"), ("{}", "MX"), ("_25._tcp.mail.{}", "TLSA"), ("mail.{}", "A"), ("mail.{}", "AAAA"), ("no.{}", "MX")]
ASKERS = [{}, {"ad": True}, {"do": True}, {"ad": True, "do": True}, {"edns": None}, {"edns": None, "ad": True},
          {"cd": True, "ad": True}]


def signed(fresh):
    tlsa = "_25._tcp.mail TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"
    return fresh("signed", text=f"@ MX 10 mail\nmail A $MARK\n{tlsa}")


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
def test_ad_only_from_trusted_to_who_asked(forwarder, domestic, fresh, trusted, tcp):
    """Whether it is the first to ask, comes to the cache, or joins."""
    domestic.default = Authenticated()
    daemon = forwarder({"upstreams.domestic": [{"address": str(domestic), "trusted": trusted}], "workers": 1})
    zone = signed(fresh)
    for qname, qtype in DANE:
        qname = qname.format(zone)
        for first in range(2):  # on a miss, an asker with or without AD fills the cache for both
            for flags in ASKERS[first:] + ASKERS[:first]:
                for _ in range(2):
                    expected = trusted and bool(flags.get("ad") or flags.get("do"))
                    assert daemon.ask(qname, qtype, tcp=tcp, **flags).has("AD") == expected, (qname, qtype, flags)
            daemon.control("cache", "flush", "--all")
    domestic.default = Slow(0.2, Authenticated())
    for qname, qtype in DANE:
        joined, before = ASKERS[:2] * 4, daemon.control("stats")["joined"]
        replies = together([lambda flags=flags: daemon.ask(qname.format(zone), qtype, tcp=tcp, **flags)
                            for flags in joined])
        assert daemon.control("stats")["joined"] > before
        assert [reply.has("AD") for reply in replies] == [trusted and bool(flags) for flags in joined], (qname, qtype)


def test_ad_is_the_one_of_the_upstream_that_answered(forwarder, domestic, external, fresh):
    domestic.default = external.default = Authenticated()
    daemon = forwarder({"upstreams.external": [{"address": str(external), "trusted": True}]})
    zone = signed(fresh)
    assert not daemon.ask(zone, "MX", ad=True).has("AD")
    domestic.set(zone, Servfail())
    for _ in range(2):
        reply = daemon.ask(f"_25._tcp.mail.{zone}", "TLSA", do=True)
        assert reply.has("AD") and reply.ede == [0]
    external.default = Resolve()
    assert not daemon.ask(f"mail.{zone}", do=True).has("AD"), "a trusted upstream's answer that is not authentic"


@pytest.mark.parametrize("inside, outside, why", [
    (False, False, "no upstream of domestic or external is trusted"),
    (False, True, "no upstream of domestic is trusted: only what external answers can have AD"),
    (True, False, "no upstream of external is trusted: zones that go there have no AD"), (True, True, None)])
def test_status_says_of_ad_what_clients_see(forwarder, domestic, external, fresh, inside, outside, why):
    domestic.default = external.default = Authenticated()
    daemon = forwarder({"upstreams.domestic": [{"address": str(domestic), "trusted": inside}],
                        "upstreams.external": [{"address": str(external), "trusted": outside}]})
    here, abroad = signed(fresh), signed(fresh)
    domestic.set(abroad, Servfail())
    seen = [daemon.ask(f"_25._tcp.mail.{zone}", "TLSA", ad=True).has("AD") for zone in (here, abroad)]
    assert seen == [inside, outside]
    assert daemon.control("status")["ad"] == {"reaches_clients": seen[0], "why": why}
    line = f"AD             {'reaches' if inside else 'does not reach'} clients{'; but ' if inside and why else ': ' if why else ''}{why or ''}\n"
    assert line in daemon.ctl("status").stdout


def test_ad_ends_with_the_trust(forwarder, domestic, fresh):
    domestic.default = Authenticated()
    daemon = forwarder({"upstreams.domestic": [{"address": str(domestic), "trusted": True}]})
    zone = signed(fresh)
    assert daemon.ask(zone, "MX", ad=True).has("AD")
    daemon.control("reload")
    assert daemon.ask(zone, "MX", ad=True).has("AD") and domestic.count(zone, qtype="MX") == 1
    daemon.set({"upstreams.domestic": [str(domestic)]})
    daemon.control("reload")
    assert not daemon.ask(zone, "MX", ad=True).has("AD"), "out of the cache"
    assert not daemon.control("status")["ad"]["reaches_clients"]


@pytest.mark.parametrize("mix", [False, True])
def test_letter_case_is_mixed_where_that_is_wanted(forwarder, domestic, fresh, mix):
    daemon = forwarder({"upstreams.domestic": [{"address": str(domestic), "mix_case": mix}]})
    zone = fresh("mixedcase")
    for n in range(12):
        assert daemon.ask(f"abcdefghij{n}.{zone}").addresses == [DOMESTIC]
    spellings = {seen.qname.labels[1] for seen in domestic.seen(zone)}
    assert len(spellings) > 6 if mix else spellings == {zone.split(".")[0].encode()}, spellings


def test_mixing_case_ends_and_begins_with_a_reload(forwarder, domestic, fresh):
    daemon = forwarder({"upstreams.domestic": [str(domestic)]})
    for mix in (True, False):
        daemon.set({"upstreams.domestic": [{"address": str(domestic), "mix_case": mix}]})
        daemon.control("reload")
        zone = fresh("reloaded")
        for n in range(12):
            assert daemon.ask(f"abcdefghij{n}.{zone}").addresses == [DOMESTIC]
        assert (len({seen.qname.labels[1] for seen in domestic.seen(zone)}) > 6) == mix


def test_ids_and_ports_are_not_guessable(byway, shared_domestic, fresh):
    zone = fresh("random")
    for n in range(40):
        byway.ask(f"n{n}.{zone}")
    seen = shared_domestic.seen(zone, transport="udp")
    assert len({s.id for s in seen}) >= 39 and len({s.peer[1] for s in seen}) >= 30
    steps = {(b.id - a.id) & 0xFFFF for a, b in zip(seen, seen[1:])}
    assert len(steps) >= 35


def test_old_upstreams_are_spoken_to_in_their_way(forwarder, domestic, external, fresh):
    daemon = forwarder()
    for behaviour in (LowerCase(), NoEdns(), DropEdns()):
        domestic.clear()
        domestic.default = behaviour
        zone = fresh("old")
        for n in range(3):
            reply = daemon.ask(f"MiXeD{n}.{zone}")
            assert reply.addresses == [DOMESTIC], behaviour
            assert reply.message.edns == 0
    assert external.count() == 0


def test_any_gets_an_answer(byway, fresh):
    assert byway.ask(fresh("open"), "ANY").rcode in ("NOERROR", "NOTIMP", "REFUSED")


def test_answers_without_recursion_desired(byway, fresh):
    """A stub's probe with RD=0 gets an answer or REFUSED, not silence."""
    assert byway.ask(fresh("open"), rd=False).rcode in ("NOERROR", "REFUSED")


def test_rcodes_of_answers_travel(byway, shared_domestic, fresh):
    zone = fresh("yx")
    shared_domestic.set(zone, Rcode("YXDOMAIN"))
    assert byway.ask(zone).rcode == "YXDOMAIN"


def test_unknown_type_over_every_path(byway):
    for edns in (None, 1232):
        for tcp in (False, True):
            reply = byway.ask("strange.records.test", "TYPE65280", edns=edns, tcp=tcp)
            assert reply.records()[0][4] == bytes.fromhex("00c00c01ff0a00")
            assert reply.message.answer[0].rdtype == 65280
