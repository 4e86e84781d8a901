"""Real name servers around byway: as its upstreams, in front of it, behind it, and in a circle with it."""

import dns.rdatatype
import pytest

import peers
from client import ask
from conftest import EXTERNAL, GOOD
from daemon import Daemon, wait_for
from peers import MANY, MANY_TCP, TEXT, ZONE, address_of, all_at_once, all_over_tcp

EDE_EXTERNAL, EDE_NO_REACHABLE_AUTHORITY = 0, 22


@pytest.fixture(scope="session")
def knotd():
    peer = peers.knotd("127.0.0.31")
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def nsd():
    peer = peers.nsd("127.0.0.32")
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def named(knotd):
    peer = peers.named("127.0.0.1", knotd).wait()
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def unbound(knotd):
    """It validates."""
    more = [f'trust-anchor: "{line}"' for line in peers.trust_anchor(knotd)] + ['local-zone: "test." nodefault']
    peer = peers.unbound("127.0.0.34", knotd, *more).wait()
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def dnsdist(unbound):
    peer = peers.dnsdist("127.0.0.35", unbound).wait()
    yield peer
    peer.close()


@pytest.fixture(scope="module", params=["knotd", "nsd", "named", "unbound", "dnsdist"])
def upstream(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def between(upstream, shared_external):
    """A byway with that upstream for domestic, over UDP, and for a part of the zone over TCP alone."""
    daemon = Daemon([upstream], [shared_external],
                    {"fallback.on": ["timeout"], "workers": 2, "upstreams.tcp": [f"tcp://{upstream}"],
                     "zones": [{"zone": f"tcp.{ZONE}", "via": "tcp"}]})
    daemon.start()
    yield daemon
    daemon.close()


@pytest.fixture
def started():
    """started(peer): closes it in the end."""
    running = []

    def take(peer):
        running.append(peer)
        return peer
    yield take
    for peer in running:
        peer.close()


def check_answers(where):
    """Whoever stands between: what `where` says of the zone is right, twice, the second time from caches."""
    for _ in range(2):
        assert ask(where, ZONE).addresses == ["192.0.2.80"]
        reply = ask(where, ZONE, "MX")
        # lower case: named keeps names of the answer in the letters that the question happened to have
        assert {(r.preference, r.exchange.canonicalize().to_text()) for rrset in reply.message.answer for r in rrset} == {
            (5, f"mx1.{ZONE}."), (10, "mx2.other.example.")}
        cut = ask(where, f"large.{ZONE}", "TXT")
        assert cut.truncated and len(cut.wire) <= 1232
        assert ask(where, f"large.{ZONE}", "TXT", tcp=True).texts == [TEXT]
        for qname, rcode in ((f"no.{ZONE}", "NXDOMAIN"), (f"mx1.{ZONE}", "NOERROR")):
            reply = ask(where, qname, "AAAA")
            assert (reply.rcode, reply.message.answer) == (rcode, [])
            assert [rrset.name.to_text() for rrset in reply.message.authority
                    if rrset.rdtype == dns.rdatatype.SOA] == [f"{ZONE}."]
        assert ask(where, f"MX1.{ZONE.upper()}", edns=None).addresses == ["192.0.2.25"]


def check_many(where):
    names = [f"n{n}.{ZONE}" for n in range(MANY)]
    assert all_at_once(where, names) == {qname: [address_of(n)] for n, qname in enumerate(names)}


def check_many_over_tcp(where):
    names = [f"n{n}.tcp.{ZONE}" for n in range(MANY_TCP)]
    assert all_over_tcp(where, names) == {qname: [address_of(n)] for n, qname in enumerate(names)}


def signatures(reply):
    return [rrset for rrset in reply.message.answer if rrset.rdtype == dns.rdatatype.RRSIG]


def sent(daemon, group):
    """-> questions sent to it over UDP and over TCP, how often it came to an answer over each."""
    row, = [row for row in daemon.control("upstreams") if row["group"] == group]
    tcp = row["tcp"]
    return row["sent"], tcp["sent"], row["outcomes"]["answer"], tcp["outcomes"]["answer"]


def test_an_upstream_is_read_right(between, upstream, shared_external):
    before = shared_external.count(ZONE)
    check_answers(between.where)
    assert all(count > 0 for count in sent(between, "domestic"))  # the large one came over TCP
    check_many(between.where)
    check_many_over_tcp(between.where)
    assert MANY_TCP < sent(between, "tcp")[1] < MANY_TCP + 4  # and an echo, more of them on a slow machine
    state = {row["group"]: (row["state"], row["outcomes"]["malformed"]) for row in between.control("upstreams")}
    assert state["domestic"] == state["tcp"] == ("up", 0)
    assert between.control("stats")["upstream_ignored"] == 0
    assert shared_external.count(ZONE) == before and between.zones() == {} and not [line for line in between.warnings() if "plain DNS" not in line]


def test_dnssec_records_for_who_wants_them(between, upstream, nsd):
    for tcp in (False, True):
        assert not signatures(ask(between.where, ZONE, "MX", tcp=tcp))
        assert bool(signatures(ask(between.where, ZONE, "MX", tcp=tcp, do=True))) == (upstream is not nsd)
    reply = ask(between.where, f"no.{ZONE}", do=True)
    assert reply.rcode == "NXDOMAIN" and len(reply.message.authority) >= (1 if upstream is nsd else 4)


def test_its_failure_is_one(between):
    """Authorities refuse what is not theirs, and who asks them says SERVFAIL."""
    reply = ask(between.where, "not.there.example.net")
    assert (reply.rcode, reply.ede) == ("SERVFAIL", [EDE_NO_REACHABLE_AUTHORITY])


def test_external_answers_where_unbound_fails(forwarder, unbound, fresh):
    daemon = forwarder(domestics=[unbound])
    reply = daemon.ask(fresh("open"))
    assert (reply.rcode, reply.addresses, reply.ede) == ("NOERROR", [EXTERNAL], [EDE_EXTERNAL])
    reply = daemon.ask(ZONE)
    assert (reply.addresses, reply.ede) == (["192.0.2.80"], [])


def test_what_unbound_validated_is_authentic_if_it_is_trusted(forwarder, unbound):
    plain, trusting = forwarder(domestics=[unbound]), forwarder({
        "upstreams.domestic": [{"address": str(unbound), "trusted": True}]})
    for flags in ({}, {"ad": True}, {"do": True}):
        for _ in range(2):
            assert not plain.ask(ZONE, "MX", **flags).has("AD")
            assert trusting.ask(ZONE, "MX", **flags).has("AD") == bool(flags)
    assert [daemon.control("status")["ad"]["reaches_clients"] for daemon in (plain, trusting)] == [False, True]


@pytest.mark.parametrize("more", ["", "tcp-upstream: yes"], ids=["udp", "tcp"])
def test_behind_unbound(forwarder, started, knotd, fresh, more):
    daemon = forwarder({"workers": 2}, domestics=[knotd])
    front = started(peers.unbound("127.0.0.36", daemon.where, 'module-config: "iterator"', more)).wait()
    check_answers(front.where)
    check_many(front.where)
    check_many_over_tcp(front.where)
    assert ask(front.where, fresh("ours")).rcode == "NXDOMAIN"  # Unbound itself: test is not for the world
    assert ask(front.where, "." if more else "org", "SOA").rcode == "NOERROR"  # knotd refuses, external answers
    stats = daemon.control("stats")
    assert (stats["queries_tcp"] >= MANY) == bool(more) and stats["malformed"] == 0
    daemon.check_accounts()


def test_behind_dnsdist(forwarder, started, knotd):
    daemon = forwarder({"workers": 2}, domestics=[knotd])
    front = started(peers.dnsdist("127.0.0.37", daemon.where)).wait()
    check_answers(front.where)
    check_many(front.where)
    check_many_over_tcp(front.where)
    reply = ask(front.where, "org", "SOA")
    assert (reply.rcode, reply.ede) == ("NOERROR", [EDE_EXTERNAL])
    assert daemon.control("stats")["malformed"] == 0
    daemon.check_accounts()


@pytest.mark.parametrize("through", ["unbound", "dnsdist"])
def test_a_circle_through(forwarder, started, fresh, through):
    daemon = forwarder()
    if through == "unbound":
        peer = started(peers.unbound("127.0.0.38", daemon.where, 'module-config: "iterator"', 'local-zone: "test." nodefault'))
    else:
        peer = started(peers.dnsdist("127.0.0.38", daemon.where))
    wait_for(lambda: peer.answers(GOOD[0]), 20, f"{through} answers")  # through byway, from domestic
    daemon.set({"upstreams.domestic": [peer.where]})
    daemon.hang_up()
    wait_for(lambda: f"upstream {peer.where} forwards to this bywayd" in daemon.log(), 5, "it is said")
    before = daemon.control("stats")["queries"]
    assert daemon.ask(fresh("open")).addresses == [EXTERNAL]
    assert daemon.control("stats")["queries"] - before <= 20
