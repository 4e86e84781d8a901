"""The border that forges, itself: what it injects, for which questions, and how it redirects. Nothing of byway is here.

A censor's packets are as censors' have been measured to be (see injector.c); the tests say so once more, in dnspython.
"""

import socket
import time

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import pytest

from country import DOMESTIC, EXTERNAL

SERVER = "203.0.113.10"  # of fine.test, and of nothing else
NOBODY = "203.0.113.251"
STRANGERS = ["192.0.2.66", "192.0.2.67", "192.0.2.68"]
STRANGERS6 = ["2001:db8::66", "2001:db8::67"]
GIVEN = [word for address in STRANGERS + STRANGERS6 for word in ("--address", address)]
TRUE = {"A": "192.0.2.25", "AAAA": "2001:db8::25"}


def hear(country, name, rdtype="A", server=SERVER, recurse=True, seconds=0.6):
    """All that comes for one datagram from inside: (seconds, message) in order."""
    query = dns.message.make_query(name, rdtype, use_edns=0, payload=1232)
    query.flags = dns.flags.RD if recurse else 0
    with country.inside():
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard, began = [], time.monotonic()
    with udp:
        udp.setblocking(False)
        dns.query.send_udp(udp, query, (server, 53))
        try:
            while True:
                message, _ = dns.query.receive_udp(udp, (server, 53), expiration=time.time() + began + seconds -
                                                   time.monotonic())
                assert message.id == query.id
                assert message.question[0].name.to_text() == query.question[0].name.to_text(), "the letters' case"
                assert message.question == query.question
                heard.append((time.monotonic() - began, message))
        except dns.exception.Timeout:
            return heard


def is_forged(message):
    """One record of an address, and nothing else: as no honest server of the lab answers."""
    records = [record for rrset in message.answer for record in rrset]
    return len(records) == 1 and records[0].to_text() in STRANGERS + STRANGERS6 and not message.authority


def check_forged(message, rdtype, recurse):
    wanted = "AAAA" if rdtype == "AAAA" else "A"
    assert message.edns == -1 and not message.authority and not message.additional
    assert [dns.rdatatype.to_text(rrset.rdtype) for rrset in message.answer] == [wanted]
    assert message.answer[0].name == message.question[0].name
    assert message.answer[0][0].to_text() in (STRANGERS6 if wanted == "AAAA" else STRANGERS)
    assert 60 <= message.answer[0].ttl <= 234
    assert message.flags == (0x8180 if recurse else 0x8400)


@pytest.mark.parametrize("recurse", [True, False])
def test_forged_answers_come_first_and_the_true_one_follows(bare, recurse):
    bare.lab("inject", *GIVEN, "fine.test")
    lone = 0
    for rdtype in ("A", "AAAA", "MX", "TXT", "NS", "PTR", "SOA", "TYPE65300"):
        heard = hear(bare, "MaiL.fine.TEST", rdtype, recurse=recurse)
        forged = [message for _, message in heard if is_forged(message)]
        assert 1 <= len(forged) <= 3 and len(heard) == len(forged) + 1, heard
        assert [is_forged(message) for _, message in heard] == [True] * len(forged) + [False]
        for message in forged:
            check_forged(message, rdtype, recurse)
        at, true = heard[-1]
        assert true.edns == 0 and true.flags & dns.flags.AA
        assert [rrset[0].to_text() for rrset in true.answer] == ([TRUE[rdtype]] if rdtype in TRUE else [])
        assert heard[0][0] < at and 0.001 <= at < 0.45, heard
        lone += len(forged) == 1
    assert lone < 8, "it always sends one"


def test_forges_towards_where_nobody_listens(bare):
    bare.lab("inject", *GIVEN, "--packets", "2", "fine.test")
    heard = hear(bare, "any.name.fine.test", "MX", NOBODY)
    assert len(heard) == 2 and all(is_forged(message) for _, message in heard)
    assert hear(bare, "any.name.bulk.example", "MX", NOBODY) == []
    assert hear(bare, "fine.test", "MX", "203.0.113.20")[0][1].answer[0].rdtype == dns.rdatatype.A, "a dropped server"


def test_other_names_are_left_alone(bare):
    bare.lab("inject", *GIVEN, "fine.test")
    for name in ("bulk.example", "unfine.test", "fine.test.bulk.example", "test"):
        heard = hear(bare, name, "SOA", EXTERNAL, seconds=0.3)
        assert len(heard) == 1 and not is_forged(heard[0][1]), heard
    assert bare.ask("bulk.example", "MX", DOMESTIC).texts == ["10 mail.bulk.example."]
    bare.lab("inject", "off")
    heard = hear(bare, "fine.test", "MX")
    assert [rrset[0].to_text() for rrset in heard[0][1].answer] == ["10 mail.fine.test."] and len(heard) == 1
    assert bare.ask("fine.test", "MX", DOMESTIC).texts == ["10 mail.fine.test."]


def test_mail_lookups_of_a_forged_name_are_untrue_inside(bare):
    """At domestic, whose questions cross the border: a stranger's address, and neither MX nor SPF."""
    bare.lab("inject", *GIVEN, "fine.test")
    assert bare.ask("fine.test", "A", DOMESTIC).texts[0] in STRANGERS
    for rdtype in ("MX", "TXT"):
        reply = bare.ask("fine.test", rdtype, DOMESTIC)
        assert reply.message is None or not [r for r in reply.message.answer if r.rdtype == dns.rdatatype.from_text(rdtype)]
    assert bare.ask("fine.test", "MX", EXTERNAL, timeout=0.5).texts[0] in STRANGERS, "a resolver abroad that is asked plainly"


def test_name_served_inside_is_forged_at_the_border_alone(bare):
    bare.lab("inject", *GIVEN, "home.inland")
    assert bare.ask("home.inland", "MX", DOMESTIC).texts == ["10 mail.home.inland."]
    assert bare.ask("mail.home.inland", "A", DOMESTIC).texts == ["192.0.2.25"]
    assert is_forged(hear(bare, "home.inland", "TXT", NOBODY)[0][1])
    asked = bare.lab("exec-abroad", "dig", "+tries=1", "+short", "@" + EXTERNAL, "mail.home.inland", "A")
    assert asked.strip() in STRANGERS, "external's own recursion crosses the border inwards"


def test_packets_are_lost_alike_for_one_seed(bare):
    def fate():
        bare.lab("inject", *GIVEN, "--loss", "20", "--seed", "7", "--packets", "1", "fine.test")
        return [bool(hear(bare, f"n{i}.bulk.example", server=NOBODY, seconds=0.01)) or
                bool(hear(bare, f"n{i}.fine.test", server=NOBODY, seconds=0.05)) for i in range(40)]
    first = fate()
    assert 15 < sum(first) < 40
    assert fate() == first


@pytest.mark.parametrize("kind", [["nxdomain"], ["cname", "censor.example"]])
def test_redirecting_border_answers_itself(bare, kind):
    bare.lab("redirect", *kind, "fine.test")
    for server in (EXTERNAL, NOBODY, DOMESTIC):
        reply = bare.ask("mail.fine.test", "A", server)
        if kind == ["nxdomain"]:
            assert (reply.rcode, reply.texts) == ("NXDOMAIN", []), server
        else:
            assert reply.rcode == "NOERROR" and reply.texts[0] == "censor.example.", (server, reply)
        assert bare.ask("bulk.example", "MX", server).texts == ["10 mail.bulk.example."]
    bare.lab("redirect", "off")
    assert bare.ask("mail.fine.test", "A", DOMESTIC).texts == ["192.0.2.25"]
    assert bare.ask("bulk.example", "MX", NOBODY, timeout=0.5).rcode is None
