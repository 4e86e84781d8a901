"""The right answer to every message a client may send, well-formed or not, by UDP and TCP, byte for byte."""

import struct
from dataclasses import dataclass

import dns.rdatatype
import pytest

from client import TcpClient, udp_exchange
from conftest import DOMESTIC
from upstream import Answer

FORMERR, NOTIMP, REFUSED, BADVERS = 1, 4, 5, 16
QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10
IDENT = 0xBEEF
SILENCE = None


# ---- messages, byte for byte ----


def labels(*parts):
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


NAME = labels(b"wWw", b"Protocol", b"test")  # the world has www.protocol.test
OTHER = labels(b"other", b"test")
LONGEST = labels(b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 47, b"protocol", b"test")  # 255 bytes
TOO_LONG = labels(b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 48, b"protocol", b"test")
BINARY = labels(bytes(range(0, 34)), b'.@"\\;()$', b"\x7f\x80\xff", b"Protocol", b"test")


def header(flags=RD, counts=(1, 0, 0, 0)):
    return struct.pack("!HH4H", IDENT, flags, *counts)


def asks(name=NAME, kind=1, klass=1):
    return name + struct.pack("!HH", kind, klass)


def record(name=b"\0", kind=1, klass=1, ttl=0, data=b"\x7f\0\0\1"):
    return name + struct.pack("!HHIH", kind, klass, ttl, len(data)) + data


def opt(size=1232, version=0, do=False, options=b"", owner=b"\0", rcode=0):
    return record(owner, 41, size, rcode << 24 | version << 16 | (0x8000 if do else 0), options)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def query(question=None, flags=RD, additional=(), counts=None):
    return header(flags, counts or (1, 0, 0, len(additional))) + (question or asks()) + b"".join(additional)


assert len(LONGEST) == 255 and len(TOO_LONG) == 256


# ---- what came back ----


@dataclass
class Seen:
    """An answer taken apart without any DNS library: some of what is compared here is what they hide."""

    flags: int
    rcode: int  # 12 bits
    question: bytes  # as it stands there
    counts: tuple
    opt: tuple  # (size, version, do, options), None without one


def skip_name(wire, at):
    while 0 < wire[at] < 0xC0:
        at += 1 + wire[at]
    return at + (1 if wire[at] == 0 else 2)


def take_apart(wire):
    ident, flags, *counts = struct.unpack("!HH4H", wire[:12])
    assert ident == IDENT and flags & QR
    at = 12
    for _ in range(counts[0]):
        at = skip_name(wire, at) + 4
    asked, found = wire[12:at], None
    for _ in range(sum(counts[1:])):
        at = skip_name(wire, at)
        kind, klass, ttl, length = struct.unpack("!HHIH", wire[at:at + 10])
        if kind == 41:
            assert found is None and wire[at - 1] == 0
            found = (klass, ttl >> 16 & 0xFF, bool(ttl & 0x8000), wire[at + 10:at + 10 + length], ttl >> 24)
        at += 10 + length
    assert at == len(wire), "bytes behind the last record"
    rcode = flags & 15 | (found[4] << 4 if found else 0)
    return Seen(flags, rcode, asked, tuple(counts), found and found[:4])


@dataclass
class Row:
    """One message and its answer."""

    what: str
    sent: bytes
    rcode: int  # or SILENCE
    question: bytes = asks()  # echoed; b"" for none
    opt: bool = False
    answers: int = None  # records of the answer section, if it matters
    flags: int = RD | RA  # of the answer, without QR and rcode
    do: bool = False
    ede: int = None
    kept: int = None  # units of 100 ms that the answer over TCP tells (RFC 7828)


def refusals():
    yield Row("QR set", query(flags=QR | RD), SILENCE)
    yield Row("QR set, and everything else wrong", header(0xFFFF, (9, 9, 9, 9)), SILENCE)
    for length in (0, 1, 11):
        yield Row(f"{length} bytes", query()[:length], SILENCE)
    for opcode in range(1, 16):
        yield Row(f"opcode {opcode}", query(flags=opcode << 11 | RD), NOTIMP, flags=opcode << 11 | RD | RA)
        yield Row(f"opcode {opcode}, nothing but a header", header(opcode << 11, (0, 0, 0, 0)), NOTIMP, b"",
                  flags=opcode << 11 | RA)
    yield Row("opcode 5 with the records of an update", header(5 << 11, (1, 0, 1, 0)) + asks() + record(NAME), NOTIMP,
              flags=5 << 11 | RA)
    yield Row("QDCOUNT 0", header(RD, (0, 0, 0, 0)), FORMERR, b"")
    yield Row("QDCOUNT 0 with OPT", header(RD, (0, 0, 0, 1)) + opt(), FORMERR, b"", opt=True)
    yield Row("QDCOUNT 2", header(RD, (2, 0, 0, 0)) + asks() + asks(OTHER), FORMERR, b"")
    yield Row("QDCOUNT 65535", header(RD, (65535, 0, 0, 0)) + asks(), FORMERR, b"")
    yield Row("QDCOUNT 1 and no question", header(), FORMERR, b"")
    yield Row("an answer", header(RD, (1, 1, 0, 0)) + asks() + record(NAME), FORMERR)
    yield Row("an authority record", header(RD, (1, 0, 1, 0)) + asks() + record(NAME), FORMERR)
    yield Row("ANCOUNT 1 and no answer", header(RD, (1, 1, 0, 0)) + asks(), FORMERR)
    yield Row("ARCOUNT 1 and no record", header(RD, (1, 0, 0, 1)) + asks(), FORMERR)
    yield Row("ARCOUNT 65535", header(RD, (1, 0, 0, 65535)) + asks() + opt(), FORMERR, opt=True)
    yield Row("half a question", query()[:-1], FORMERR, b"")
    yield Row("no type", header() + NAME, FORMERR, b"")
    yield Row("no end of the name", header() + b"\3www", FORMERR, b"")
    for what, name in (("to itself", b"\xc0\x0c"), ("backwards", b"\3www\xc0\x0c"), ("forwards", b"\xc0\x0e\3www\0"),
                       ("into the header", b"\xc0\x00"), ("out of the message", b"\xff\xff"), ("cut", b"\xc0")):
        yield Row(f"a pointer {what}", header() + name + struct.pack("!HH", 1, 1), FORMERR, b"")
    for top in (0x40, 0x80):
        yield Row(f"a label of the kind {top:#x}", query(asks(bytes([top | 3]) + b"www\0")), FORMERR, b"")
    yield Row("a name of 256 bytes", query(asks(TOO_LONG)), FORMERR, b"")
    yield Row("130 labels", query(asks(labels(*[b"a"] * 130))), FORMERR, b"")
    yield Row("two OPTs", query(additional=[opt(), opt()]), FORMERR, opt=True)
    yield Row("two OPTs and version 1", query(additional=[opt(version=1), opt(version=1)]), FORMERR, opt=True)
    yield Row("OPT at a name", query(additional=[opt(owner=labels(b"x"))]), FORMERR)
    yield Row("OPT at a pointer", query(additional=[opt(owner=b"\xc0\x0c")]), FORMERR)
    yield Row("OPT as an answer", header(RD, (1, 1, 0, 0)) + asks() + opt(), FORMERR)
    yield Row("options that do not fill the OPT", query(additional=[opt(options=b"\0")]), FORMERR, opt=True)
    yield Row("an option that is longer than the OPT", query(additional=[opt(options=b"\0\x0a\0\x09\1")]), FORMERR,
              opt=True)
    for version in (1, 100, 255):
        yield Row(f"EDNS version {version}", query(additional=[opt(version=version)]), BADVERS, opt=True)
    yield Row("EDNS version 1 and DO", query(additional=[opt(version=1, do=True)]), BADVERS, opt=True, do=True)
    yield Row("TSIG that is not last", query(additional=[record(NAME, 250, 255), opt()]), FORMERR)
    for kind in (251, 252):
        yield Row(f"type {kind}, a transfer", query(asks(kind=kind)), NOTIMP, asks(kind=kind))
        yield Row(f"type {kind} with OPT", query(asks(kind=kind), additional=[opt()]), NOTIMP, asks(kind=kind), opt=True)
    for klass in (0, 2, 3, 4, 254, 255, 65280):
        yield Row(f"class {klass}", query(asks(klass=klass)), REFUSED, asks(klass=klass))
    for label in (b"version", b"hostname", b"id"):
        for top in (b"bind", b"server"):
            asked = asks(labels(label, top), 16, 3)
            yield Row(f"{label.decode()}.{top.decode()}", query(asked, additional=[opt()]), REFUSED, asked, opt=True,
                      ede=21)
    yield Row("RD and CD of what is refused", query(asks(klass=3), flags=CD | AD | Z), REFUSED, asks(klass=3),
              flags=CD | RA)
    yield Row("CD of what is malformed", query(flags=RD | CD | AD, counts=(1, 0, 1, 0)), FORMERR, flags=RD | CD | RA)


def answers():
    yield Row("the usual", query(), 0, answers=1)
    yield Row("a byte behind it", query() + b"\0", 0, answers=1)
    yield Row("bytes behind an OPT, as rspamd 3.4 sends over TCP", query(additional=[opt()]) + b"\xff" * 84, 0, opt=True, answers=1)
    yield Row("all of a header's odd bits", query(flags=AA | TC | RA | Z | RD), 0, answers=1)
    yield Row("RD=0", query(flags=0), 0, answers=1, flags=RA)
    yield Row("CD", query(flags=RD | CD), 0, answers=1, flags=RD | RA | CD)
    yield Row("AD of an upstream that is not trusted", query(flags=RD | AD), 0, answers=1)
    yield Row("an rcode in a query", query(flags=RD | 5), 0, answers=1)
    yield Row("a name of 255 bytes", query(asks(LONGEST)), 0, asks(LONGEST), answers=1)
    yield Row("any bytes in labels", query(asks(BINARY)), 0, asks(BINARY), answers=1)
    yield Row("the root", query(asks(b"\0", 2)), 0, asks(b"\0", 2), answers=1)
    for kind in (0, 10, 41, 249, 250, 253, 254, 65535):
        yield Row(f"type {kind}", query(asks(kind=kind)), 0, asks(kind=kind), answers=0)
    for size in (0, 1, 511, 512, 1232, 4096, 65535):
        yield Row(f"OPT of {size} bytes", query(additional=[opt(size)]), 0, opt=True, answers=1)
    yield Row("DO", query(additional=[opt(do=True)]), 0, opt=True, do=True, answers=1)
    yield Row("the other EDNS flags", query(additional=[record(b"\0", 41, 1232, 0x7FFF, b"")]), 0, opt=True, answers=1)
    yield Row("an extended rcode in a query", query(additional=[opt(rcode=1)]), 0, opt=True, answers=1)
    for code, data in ((3, b""), (8, b"\0\1\x18\0\xcb\0\x71"), (10, b"8 octets"), (10, b"x"), (11, b"\1\x2c"), (12, b"\0" * 100),
                       (15, b"\0\x16"), (65001, b"\xff" * 9), (0, b"")):
        yield Row(f"option {code} of {len(data)} bytes", query(additional=[opt(options=option(code, data))]), 0, opt=True,
                  answers=1)
    yield Row("keepalive", query(additional=[opt(options=option(11))]), 0, opt=True, answers=1, kept=300)
    yield Row("keepalive twice", query(additional=[opt(options=option(11, b"x") + option(11) * 2)]), 0, opt=True, answers=1,
              kept=300)
    yield Row("ten cookies", query(additional=[opt(options=option(10, b"8 octets") * 10)]), 0, opt=True, answers=1)
    yield Row("a record beside the OPT", query(additional=[record(OTHER), opt(), record(OTHER)]), 0, opt=True, answers=1)
    yield Row("TSIG", query(additional=[record(NAME, 250, 255, 0, b"\0" * 16)]), 0, answers=1)


ROWS = [*refusals(), *answers()]


@pytest.fixture(scope="module", autouse=True)
def zones(world):
    world.add("protocol.test", "* A $MARK\nwww A $MARK")


def over_tcp(where, wire):
    with TcpClient(where, 0.5 if len(wire) < 12 or wire[2] & 0x80 else 6.0) as client:
        client.send(wire)
        try:
            return client.receive()
        except TimeoutError:
            return None


def check(row, wire, tcp):
    if row.rcode is SILENCE:
        assert wire is None
        return
    assert wire is not None, "silence"
    seen = take_apart(wire)
    assert seen.rcode == row.rcode
    assert seen.flags & ~(QR | 15) == row.flags, f"flags {seen.flags:#06x}"
    assert seen.question == row.question and seen.counts[0] == (1 if row.question else 0)
    assert (seen.opt is not None) == row.opt
    if row.opt:
        assert seen.opt[:3] == (1232, 0, row.do)
        kept = option(11, struct.pack("!H", row.kept)) if tcp and row.kept is not None else b""
        assert seen.opt[3] == kept + (b"" if row.ede is None else option(15, struct.pack("!H", row.ede)))
    assert row.rcode == 0 or seen.counts[1:3] == (0, 0)
    assert row.answers is None or seen.counts[1] == row.answers


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_every_message_has_its_answer(byway, shared_external, row):
    """Twice each: what an upstream said, and what the cache made of it."""
    for _ in range(2):
        check(row, udp_exchange(byway.where, row.sent, 0.2 if row.rcode is SILENCE else 6.0), tcp=False)
        check(row, over_tcp(byway.where, row.sent), tcp=True)
    assert shared_external.count() == 0


def test_what_is_refused_reaches_no_upstream(byway, shared_domestic):
    shared_domestic.forget()
    for row in refusals():
        udp_exchange(byway.where, row.sent, 0.05 if row.rcode is SILENCE else 6.0)
    assert shared_domestic.count() == 0 and shared_domestic.seen(qtype="") == []


# ---- names that byway answers itself ----


LOCAL = [  # name, type, rcode, text of the answer, owner of the SOA
    ("localhost", "A", "NOERROR", "127.0.0.1", None),
    ("LocalHost", "AAAA", "NOERROR", "::1", None),
    ("mail.localhost", "A", "NOERROR", "127.0.0.1", None),
    ("localhost", "MX", "NOERROR", None, "localhost."),
    ("mx.invalid", "MX", "NXDOMAIN", None, "invalid."),
    ("Example.Onion", "A", "NXDOMAIN", None, "onion."),
    ("printer.home.arpa", "A", "NXDOMAIN", None, "home.arpa."),
    ("_dns.resolver.arpa", "SVCB", "NOERROR", None, "resolver.arpa."),
    ("1.0.0.127.in-addr.arpa", "PTR", "NOERROR", "localhost.", None),
    ("1" + ".0" * 31 + ".ip6.arpa", "PTR", "NOERROR", "localhost.", None),
    ("9.0.0.127.in-addr.arpa", "PTR", "NXDOMAIN", None, "127.in-addr.arpa."),
    ("4.2.0.192.in-addr.arpa", "PTR", "NXDOMAIN", None, "2.0.192.in-addr.arpa."),
    ("2.0.192.in-addr.arpa", "SOA", "NOERROR", "2.0.192.in-addr.arpa. nobody.invalid. 1 3600 1200 604800 10800", None),
    ("1.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "NXDOMAIN", None, "8.b.d.0.1.0.0.2.ip6.arpa."),
]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_local_names(byway, shared_domestic, shared_external, tcp):
    shared_domestic.forget()
    before = byway.control("stats")["local"]
    for qname, qtype, rcode, text, owner in LOCAL:
        for flags in ({}, {"do": True, "ad": True}, {"edns": None}, {"cd": True}):
            reply = byway.ask(qname, qtype, tcp=tcp, **flags)
            message = reply.message
            assert reply.rcode == rcode and reply.has("AA") and not reply.has("AD"), qname
            assert [rdata.to_text() for rrset in message.answer for rdata in rrset] == ([text] if text else []), qname
            assert [rrset.name.canonicalize().to_text() for rrset in message.authority] == ([owner] if owner else [])
            assert reply.ttls == [10800] and reply.ede == []
    assert byway.control("stats")["local"] == before + 4 * len(LOCAL)
    assert shared_domestic.count() == shared_external.count() == 0
    assert byway.ctl("cache", "show", "localhost").returncode == 1


def test_names_that_are_nobodys_but_not_ours(byway, shared_domestic):
    """Forwarded: the operator's or his resolvers' business (docs/decisions/0019)."""
    for qname in ("printer.local", "ipv4only.arpa", "example", "host.test", "1.15.172.in-addr.arpa"):
        shared_domestic.forget()
        byway.ask(qname)
        assert shared_domestic.count(qname) == 1, qname


def test_ds_of_an_empty_zone_is_the_parents(byway, shared_domestic):
    """A validator behind byway needs the parent's word that the zone is not signed."""
    for qname, asked in (("2.0.192.in-addr.arpa", 1), ("home.arpa", 1), ("9.2.0.192.in-addr.arpa", 0)):
        shared_domestic.forget()
        byway.ask(qname, "DS", do=True)
        assert shared_domestic.count(qname) == asked, qname


def test_zones_claim_local_names(forwarder, domestic, external, office, world):
    for zone in ("10.in-addr.arpa", "168.192.in-addr.arpa", "home.arpa"):
        world.add(zone, "* PTR mail.corp.test.\nwww A $MARK")
    daemon = forwarder({"upstreams.office": [str(office)],
                        "zones": [{"zone": "10.in-addr.arpa", "via": "office"}, {"zone": ".", "via": "domestic"},
                                  {"zone": "7.168.192.in-addr.arpa", "via": "auto"},
                                  {"zone": "home.arpa", "via": "office"}, {"zone": "onion", "via": "refuse"}]})
    assert daemon.ask("4.3.2.10.in-addr.arpa", "PTR").message.answer
    assert daemon.ask("www.home.arpa").rcode == "NOERROR"
    assert office.count("10.in-addr.arpa") == office.count("home.arpa") == 1
    assert daemon.ask("4.7.168.192.in-addr.arpa", "PTR").message.answer and domestic.count("168.192.in-addr.arpa") == 1
    assert daemon.ask("4.8.168.192.in-addr.arpa", "PTR").message.answer and domestic.count("168.192.in-addr.arpa") == 2
    assert daemon.ask("x.onion").rcode == "REFUSED"
    assert daemon.ask("localhost").addresses == ["127.0.0.1"]
    assert external.count() == 0
    assert daemon.ctl("zones", "pin", "localhost", "external").returncode == 1
    daemon.set({"zones": []})  # a reload takes the claims back, and nothing that was cached outlives them
    daemon.control("reload")
    assert daemon.ask("4.3.2.10.in-addr.arpa", "PTR").message.answer and domestic.count("10.in-addr.arpa") == 1
    assert daemon.ask("www.home.arpa").rcode == "NXDOMAIN"
    assert office.count("10.in-addr.arpa") == office.count("home.arpa") == 1


# ---- ANY ----


def test_a_large_any_is_one_hinfo_over_udp(byway, shared_domestic, fresh):
    """RFC 8482, 4.2: no need to come again by TCP. Who may validate comes, for the HINFO has no signature."""
    large, small = fresh("any"), fresh("any")
    shared_domestic.set_name(large, Answer([f'{large}. 300 TXT "{n} {"x" * 200}"' for n in range(20)]))
    shared_domestic.set_name(small, Answer([f"{small}. 300 MX 10 mail.{small}.", f"{small}. 300 A {DOMESTIC}"]))
    for _ in range(2):
        for flags in ({"edns": None}, {"edns": 512}, {"edns": 4096}, {"edns": 4096, "ad": True}):
            reply = byway.ask(large, "ANY", **flags)
            (rrset,) = reply.message.answer
            assert reply.rcode == "NOERROR" and not reply.truncated and not reply.has("AD") and len(reply.wire) < 80
            assert rrset.rdtype == dns.rdatatype.HINFO and rrset[0].to_text() == '"RFC8482" ""' and rrset.ttl == 3600
            assert len(byway.ask(small, "ANY", **flags).message.answer) == 2
        reply = byway.ask(large, "ANY", do=True)
        assert reply.truncated and len(reply.wire) <= 1232 and "RFC8482" not in str(reply.message)
        reply = byway.ask(large, "ANY", tcp=True)
        assert not reply.truncated and len(reply.wire) > 4000
