"""The scripted upstreams do what they say; without bywayd."""

import shutil
import subprocess
import time

import dns.flags
import dns.rdatatype
import pytest

import client
from client import TcpClient, ask, question, records, together, udp_exchange
from conftest import DOMESTIC
from upstream import (Answer, ByTransport, DropEdns, FORGED, Forge, LowerCase, NoEdns, Nxdomain, Rcode, Refused, Reset,
                      Resolve, Sequence, Servfail, Silent, Slow, TcpOnly, Truncate, endpoint)


@pytest.fixture
def server(domestic, world):
    world.add("open.test", """
        @      A      $MARK
        @      TXT    "v=spf1 -all"
        www    CNAME  far.open.test.
        far    CNAME  end.other.test.
        *      A      $MARK
        strange TYPE65280 \\# 4 0a000001
        big    TXT    """ + " ".join(f'"{"x" * 250}"' for _ in range(16)))
    world.add("other.test", "end A 192.0.2.99")
    return domestic


def test_answers_from_the_world(server):
    for qname, qtype, rcode, count in (
            ("open.test", "A", "NOERROR", 1), ("open.test", "AAAA", "NOERROR", 0), ("any.open.test", "A", "NOERROR", 1),
            ("www.open.test", "A", "NOERROR", 3), ("nothing.other.test", "A", "NXDOMAIN", 0),
            ("strange.open.test", "TYPE65280", "NOERROR", 1), ("open.test", "SOA", "NOERROR", 1),
            ("nowhere", "A", "NXDOMAIN", 0), (".", "NS", "NOERROR", 1)):
        for tcp in (False, True):
            reply = ask(str(server), qname, qtype, tcp=tcp)
            assert (reply.rcode, len(reply.message.answer)) == (rcode, count), (qname, qtype)
            soas = [r for r in reply.message.authority if r.rdtype == dns.rdatatype.SOA]
            assert bool(soas) == (count == 0)
    assert ask(str(server), "open.test").addresses == [DOMESTIC]
    assert ask(str(server), "nothing.other.test").message.authority[0].name.to_text() == "other.test."


def test_dig_agrees(server):
    dig = shutil.which("dig")
    if not dig:
        pytest.skip("no dig")
    out = subprocess.run([dig, "+short", f"@{server.address}", "-p", str(server.port), "www.open.test"],
                         capture_output=True, text=True, timeout=10, check=True).stdout
    assert out.split() == ["far.open.test.", "end.other.test.", "192.0.2.99"]


def test_failures(server):
    rows = [(Servfail(), "SERVFAIL", []), (Servfail(ede=9), "SERVFAIL", [9]), (Refused(), "REFUSED", []),
            (Rcode("NOTIMP"), "NOTIMP", []), (Rcode("FORMERR"), "FORMERR", []), (Nxdomain("open.test"), "NXDOMAIN", []),
            (Nxdomain(), "NXDOMAIN", [])]
    for behaviour, rcode, ede in rows:
        server.set("open.test", behaviour)
        reply = ask(str(server), "open.test")
        assert (reply.rcode, reply.ede, reply.message.edns) == (rcode, ede, 0)
    assert not ask(str(server), "open.test").message.authority
    server.set("open.test", Rcode("FORMERR", edns=False))
    assert ask(str(server), "open.test").message.edns == -1
    server.set("open.test", NoEdns())
    assert ask(str(server), "open.test").rcode == "FORMERR"
    assert ask(str(server), "open.test", edns=None).rcode == "NOERROR"
    server.set("open.test", DropEdns())
    reply = ask(str(server), "open.test")
    assert reply.addresses == [DOMESTIC] and reply.message.edns == -1


def test_silence_and_delay(server):
    server.set("open.test", Silent())
    assert udp_exchange(str(server), question("www.open.test").to_wire(), 0.2) is None
    assert ask(str(server), "other.test", "SOA").rcode == "NOERROR"
    server.set("open.test", Slow(0.2))
    assert 0.2 <= ask(str(server), "open.test").elapsed < 0.5
    server.clear("open.test")
    server.rtt = 0.1
    assert 0.1 <= ask(str(server), "open.test").elapsed < 0.4
    server.rtt = 0


def test_transports(server):
    assert ask(str(server), "big.open.test", "TXT").truncated
    assert len(ask(str(server), "big.open.test", "TXT", tcp=True).texts[0]) == 4000
    server.set("open.test", Truncate())
    assert ask(str(server), "open.test").truncated and not ask(str(server), "open.test", tcp=True).truncated
    server.set("open.test", TcpOnly())
    assert udp_exchange(str(server), question("open.test").to_wire(), 0.2) is None
    assert ask(str(server), "open.test", tcp=True).addresses == [DOMESTIC]
    server.set("open.test", ByTransport(Resolve(), Reset()))
    with TcpClient(str(server)) as connection:
        connection.send(question("open.test").to_wire())
        assert connection.receive() is None
    assert ask(str(server), "open.test").addresses == [DOMESTIC]
    server.stop_tcp()
    with pytest.raises(ConnectionRefusedError):
        TcpClient(str(server))


def test_forgeries(server):
    for how in ("id", "port", "question", "query", "garbage", "short", "empty"):
        server.set("open.test", Forge(how))
        sent = question("open.test", ident=0x1234)
        wire = udp_exchange(str(server), sent.to_wire(), 0.3)
        if how == "port":
            assert wire is None
            continue
        assert wire is not None
        try:
            reply = client.read_reply(wire, 0)
        except Exception:
            assert how in ("garbage", "short", "empty")
            continue
        assert how not in ("short", "empty")
        genuine = (reply.message.id == sent.id and reply.has("QR")
                   and [q.name for q in reply.message.question] == [q.name for q in sent.question])
        assert not genuine or how == "garbage"
    server.set("open.test", Forge("id", then=Slow(0.05)))
    assert FORGED not in (ask(str(server), "other.test", "SOA").addresses)


def test_case_and_scripts(server):
    server.set("open.test", LowerCase())
    wire = udp_exchange(str(server), question("WwW.oPeN.test").to_wire())
    assert client.read_reply(wire, 0).message.question[0].name.labels[0] == b"www"
    server.set("open.test", Answer([f"x.test. 60 A 192.0.2.{n}" for n in (5, 9, 4, 7)]))
    assert [r[4][3] for r in records(ask(str(server), "open.test").wire)] == [5, 9, 4, 7]
    server.set("open.test", Sequence([Servfail(), Resolve()]))
    assert [ask(str(server), "open.test").rcode for _ in range(3)] == ["SERVFAIL", "NOERROR", "NOERROR"]
    server.set_name("one.open.test", Refused(), types=("A",))
    server.set("open.test", Resolve())
    assert ask(str(server), "one.open.test").rcode == "REFUSED"
    assert ask(str(server), "one.open.test", "AAAA").rcode == "NOERROR"
    assert ask(str(server), "below.one.open.test").rcode == "NOERROR"


def test_records_what_it_got(server):
    before = time.monotonic()
    ask(str(server), "MiXed.open.test", "MX", do=True, cd=True, ad=True)
    ask(str(server), "open.test", edns=None, tcp=True)
    first, last = server.seen("open.test")
    assert (first.transport, first.qtype, first.do, first.size, first.edns) == ("udp", "MX", True, 1232, 0)
    assert first.has("CD") and first.has("AD") and first.has("RD") and first.qname.labels[0] == b"MiXed"
    assert before - 0.01 <= first.at <= first.answered <= time.monotonic()
    assert (last.transport, last.edns) == ("tcp", -1)
    assert server.count("mixed.open.test") == 1 and server.count(qtype="A") == 1 and server.count("other.test") == 0


def test_dead_then_alive(server):
    server.stop()
    assert udp_exchange(str(server), question("open.test").to_wire(), 0.3) is None
    server.start()
    assert ask(str(server), "open.test").addresses == [DOMESTIC]


def test_ipv6_and_pipelining(stage, world, server, needs_ipv6):
    sixth = stage.upstream(world, "::1")
    assert str(sixth) == endpoint("::1", sixth.port)
    sixth.set_name("slow.open.test", Slow(0.3))
    with TcpClient(str(sixth)) as connection:
        connection.send(question("slow.open.test", ident=1).to_wire(), question("open.test", ident=2).to_wire())
        assert [connection.receive()[:2] for _ in range(2)] == [b"\0\2", b"\0\1"]
    sixth.stop()


def test_many_at_once(server):
    replies = together([lambda n=n: ask(str(server), f"n{n}.open.test") for n in range(50)])
    assert all(reply.addresses == [DOMESTIC] for reply in replies)
    flood = client.Flood(str(server))
    assert flood.run(f"f{n}.open.test" for n in range(1000)) == {0: 1000}
    flood.close()
