"""TCP towards upstreams that are not kind to it: what they lose, never say, or say wrongly."""

import dns.edns
import pytest

from client import TcpClient, question, read_reply
from conftest import DOMESTIC, SECOND
from daemon import wait_for
from upstream import ByTransport, Forge, Resolve, Silent, Slow

KEEPALIVE = 11
MANY = 30


@pytest.fixture
def over_tcp(forwarder, domestic):
    """bywayd with nobody but `domestic` to ask, by TCP alone: what that one loses is lost."""
    return forwarder({"workers": 1, "upstreams.domestic": [f"tcp://{domestic}"],
                      "zones": [{"zone": ".", "via": "domestic"}]})


def ask_all(daemon, names):
    """{name: Reply} of questions that are sent at the same moment over one connection."""
    with TcpClient(daemon.where) as client:
        asked = {ident: name for ident, name in enumerate(names)}
        client.send(*[question(name, ident=ident).to_wire() for ident, name in asked.items()])
        replies = [read_reply(client.receive(), 0) for _ in names]
    return {asked[reply.message.id]: reply for reply in replies}


def connections(upstream, zone):
    return {seen.peer for seen in upstream.seen(zone, transport="tcp")}


class BreaksFirst:
    """Ends the first connection when `after` questions have come in, without an answer; answers on all others."""

    def __init__(self, how, after):
        self.how, self.after, self.first, self.count = how, after, None, 0

    async def play(self, asked):
        self.first = self.first or asked.peer
        if asked.peer != self.first:
            await Resolve().play(asked)
            return
        self.count += 1
        if self.count < self.after:
            return
        if self.how == "reset":
            raise ConnectionResetError
        if self.how == "close":
            asked.writer.close()
        else:
            asked.writer.write_eof()


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
def test_what_a_connection_loses_is_asked_again(over_tcp, domestic, fresh, how):
    zone = fresh("lost")
    domestic.set(zone, BreaksFirst(how, after=10))
    replies = ask_all(over_tcp, [f"n{n}.{zone}" for n in range(10)])
    assert all(reply.addresses == [DOMESTIC] for reply in replies.values())
    assert domestic.count(zone) == 20


class OneEach:
    """As servers did of old: the first question of each connection is answered, then it is closed."""

    def __init__(self):
        self.closed = set()

    async def play(self, asked):
        if asked.peer in self.closed:
            return
        self.closed.add(asked.peer)
        await Resolve().play(asked)
        asked.writer.close()


def test_an_upstream_that_closes_after_each_answer(over_tcp, domestic, fresh):
    zone = fresh("old")
    domestic.set(zone, OneEach())
    replies = ask_all(over_tcp, [f"n{n}.{zone}" for n in range(MANY)])
    assert [reply.addresses for reply in replies.values()] == [[DOMESTIC]] * MANY
    for n in range(3):  # one after the other, each after the last connection has ended
        assert over_tcp.ask(f"later{n}.{zone}").addresses == [DOMESTIC]


class ResetsFor:
    """As a border does that looks for a name."""

    def __init__(self, qname):
        self.qname = f"{qname}."

    async def play(self, asked):
        if asked.text == self.qname:
            raise ConnectionResetError
        await Slow(0.1).play(asked)


def test_a_name_that_resets_connections_takes_no_other_with_it(over_tcp, domestic, fresh):
    zone = fresh("border")
    domestic.set(zone, ResetsFor(f"n3.{zone}"))
    replies = ask_all(over_tcp, [f"n{n}.{zone}" for n in range(6)])
    assert {name for name, reply in replies.items() if reply.rcode == "SERVFAIL"} == {f"n3.{zone}"}


class Writes:
    """These bytes on the stream for an answer."""

    def __init__(self, data):
        self.data = data

    async def play(self, asked):
        asked.writer.write(self.data)


@pytest.mark.parametrize("behaviour", [Silent(), Forge("id"), Writes(b"\0\1x"), Writes(b"\0\0"),
                                       Writes(b"\xff\xff\x12\x34"), Writes(b"HTTP/1.1 400 Bad Request\r\n\r\n")],
                         ids=["silence", "wrong-id", "short", "empty", "never-ends", "http"])
def test_an_upstream_that_makes_no_sense(forwarder, domestic, second, fresh, behaviour):
    daemon = forwarder({"workers": 1, "upstreams.domestic": [f"tcp://{domestic}", f"tcp://{second}"],
                        "zones": [{"zone": ".", "via": "domestic"}]})
    zone = fresh("odd")
    domestic.default = behaviour
    for n in range(3):
        reply = daemon.ask(f"n{n}.{zone}")
        assert reply.addresses == [SECOND] and reply.elapsed < 2
    domestic.clear()
    second.stop()
    wait_for(lambda: daemon.ask(f"again.{zone}").addresses == [DOMESTIC], 10, "the first one is used again")


class Tells:
    """Answers with edns-tcp-keepalive; `units` of 100 ms."""

    def __init__(self, units):
        self.units = units

    async def play(self, asked):
        reply = asked.from_world()
        if asked.transport == "tcp":
            option = dns.edns.GenericOption(KEEPALIVE, self.units.to_bytes(2, "big"))
            reply.use_edns(0, payload=1232, options=[option])
        await asked.send(asked.wire_of(reply))


def test_the_upstream_says_how_long_a_connection_is_kept(over_tcp, domestic, fresh):
    zone = fresh("kept")
    domestic.set(zone, Tells(600))
    for n in range(3):
        assert over_tcp.ask(f"n{n}.{zone}").addresses == [DOMESTIC]
    assert len(connections(domestic, zone)) == 1
    domestic.set(zone, Tells(0))
    for n in range(3):
        assert over_tcp.ask(f"closed{n}.{zone}").addresses == [DOMESTIC]
    assert len(connections(domestic, zone)) == 3
    wait_for(lambda: not domestic.open_connections() & connections(domestic, zone), 1, "closed as it was told")
    domestic.set(zone, Tells(40))
    assert over_tcp.ask(f"short.{zone}").addresses == [DOMESTIC]
    wait_for(lambda: not domestic.open_connections() & connections(domestic, zone), 4, "closed before its time is over")


def test_the_question_of_how_long_is_for_tcp_alone(forwarder, domestic, fresh):
    daemon = forwarder()
    zone = fresh("asked")
    domestic.set(zone, ByTransport(Forge("id"), Resolve()))  # a guess at the id: it comes again by TCP
    options = [dns.edns.GenericOption(KEEPALIVE, b""), dns.edns.GenericOption(10, b"12345678")]
    for tcp in (False, True):
        assert daemon.ask(f"{'t' if tcp else 'u'}.{zone}", options=options, tcp=tcp).addresses == [DOMESTIC]
    asked = [(seen.transport, seen.options) for seen in domestic.seen(zone)]
    assert asked == [("udp", []), ("tcp", [KEEPALIVE])] * 2
