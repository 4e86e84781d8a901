"""TCP connections to upstreams that fall silent without an end: firewalls that forget them, servers that answer a few
questions on each. Nothing is lost, late, sent abroad or learned for it."""

import time

import pytest

from client import together
from conftest import DOMESTIC
from daemon import wait_for
from upstream import Resolve, Slow, Truncate

PAUSE = 0.05
WORST = 1.0  # s, for any answer
LONG = " ".join(['"' + "x" * 200 + '"'] * 12)  # more than fits into a datagram


class Few:
    """Answers so many questions on each connection, and then no more, though it stays open. What is asked by UDP is
    cut, so that all are asked by TCP."""

    def __init__(self, few):
        self.few, self.counts = few, {}

    async def play(self, asked):
        if asked.transport == "udp":
            await Truncate().play(asked)
            return
        count = self.counts[asked.peer] = self.counts.get(asked.peer, 0) + 1
        if count <= self.few:
            await Resolve().play(asked)


class Forgotten:
    """Connections that are there when it is told to forget them are dead from then on, without a FIN."""

    def __init__(self, after=0.0):
        self.known, self.dead, self.answer = set(), set(), Slow(after) if after else Resolve()

    def forget(self):
        self.dead = set(self.known)

    async def play(self, asked):
        if asked.transport == "udp":
            await Truncate().play(asked)
            return
        self.known.add(asked.peer)
        if asked.peer not in self.dead:
            await self.answer.play(asked)


@pytest.fixture(params=["tcp", "cut"])
def stalling(request, forwarder, domestic):
    where = f"tcp://{domestic}" if request.param == "tcp" else str(domestic)
    return forwarder({"workers": 1, "upstreams.domestic": [where]})


def ask_apart(daemon, names, qtype="A"):
    def at(number, name):
        time.sleep(number * PAUSE)
        return daemon.ask(name, qtype)
    return together([lambda n=n, name=name: at(n, name) for n, name in enumerate(names)])


def check(daemon, external, zone, replies):
    assert {tuple(reply.addresses) for reply in replies} == {(DOMESTIC,)}
    assert max(reply.elapsed for reply in replies) < WORST
    assert external.count(zone) == 0
    assert [entry for entry in daemon.zones() if entry["zone"].startswith(zone)] == []


@pytest.mark.parametrize("few", [1, 3, 10])
def test_an_upstream_that_answers_a_few_questions_on_each_connection(stalling, domestic, external, fresh, few):
    zone = fresh("few")
    domestic.set(zone, Few(few))
    first = [stalling.ask(f"n{n}.{zone}") for n in range(3)]
    check(stalling, external, zone, first + ask_apart(stalling, [f"m{n}.{zone}" for n in range(60)]))


@pytest.mark.parametrize("after", [0.0, 0.15])
def test_connections_that_a_firewall_forgets(stalling, domestic, external, fresh, after):
    zone, way = fresh("forgotten"), Forgotten(after)
    domestic.set(zone, way)
    replies = [stalling.ask(f"n{n}.{zone}") for n in range(5)]
    for again in range(3):
        way.forget()
        replies += ask_apart(stalling, [f"m{again}-{n}.{zone}" for n in range(40)])
    check(stalling, external, zone, replies)


def test_the_second_long_record_on_a_connection(forwarder, domestic, external, world, fresh):
    daemon = forwarder({"workers": 1})
    zones = [fresh("long") for _ in range(4)]
    way = Few(1)
    for zone in zones:
        world.add(zone, f"@ TXT \"v=spf1 mx -all\"\n@ TXT {LONG}\n")
        domestic.set(zone, way)
    for zone in zones:
        reply = daemon.ask(zone, "TXT", tcp=True)
        assert reply.rcode == "NOERROR" and len(reply.texts) == 2 and reply.elapsed < WORST
        assert external.count(zone) == 0


def connections_of(daemon, domestic, zone):
    """How many carry the next ten questions."""
    start = time.monotonic()
    replies = [daemon.ask(f"{time.monotonic_ns()}.{zone}") for _ in range(10)]
    assert {tuple(reply.addresses) for reply in replies} == {(DOMESTIC,)}
    return len({seen.peer for seen in domestic.seen(zone, transport="tcp", since=start)})


def test_silence_is_left_behind_when_it_ends(stalling, domestic, fresh):
    zone = fresh("end")
    domestic.set(zone, Few(1))
    assert {tuple(reply.addresses) for reply in ask_apart(stalling, [f"n{n}.{zone}" for n in range(20)])} == {
        (DOMESTIC,)}
    domestic.clear()
    domestic.set(zone, Forgotten())
    wait_for(lambda: connections_of(stalling, domestic, zone) == 1, 40, "one connection does again", every=1.0)
