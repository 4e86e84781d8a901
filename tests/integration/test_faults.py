"""Upstreams that die, freeze and come back, all of them at once too, and a process that may open next to nothing.
Mail flows on, nothing is learned of it, and five seconds after the end it is as if nothing had been. Freezing and
rebooting real resolvers, and networks that go away, are in tests/lab."""

import contextlib
import itertools
import time

import pytest

from client import Load, TcpClient, question
from conftest import DOMESTIC, EXTERNAL, GOOD, learn, warm
from daemon import Daemon, wait_for
from upstream import Resolve, Servfail, Silent, Slow, Truncate

NOISE = 0.5  # a busy machine's, for the whole wait of a client
BACK = 5.0  # seconds from an upstream's return to its use
COUNT = itertools.count()


def down(upstream, how):
    if how == "killed":
        upstream.stop()  # the kernel says unreachable, and resets connections
    else:
        upstream.default = Silent()


def up(upstream, how):
    """Rebooted: it has been silent, and then knows nothing of its connections any more."""
    if how == "rebooted":
        upstream.default = Resolve()
        upstream.stop()
    upstream.start()


def shown(daemon, group, over="udp"):
    return next(u for u in daemon.control("upstreams") if (u["group"], u["transport"]) == (group, over))


def until_down(daemon, group):
    wait_for(lambda: shown(daemon, group)["state"] == "down", 15, f"{group} is known to be down", every=0.1)


def until_from(daemon, zone, mark, began):
    """Waits until fresh names of the zone are answered by `mark`; fails if that is more than BACK s after `began`."""
    wait_for(lambda: daemon.ask(f"back{next(COUNT)}.{zone}").addresses == [mark], BACK + NOISE, f"back at {mark}",
             every=0.1)
    assert time.monotonic() - began < BACK + NOISE


def said(daemon, words):
    return [line for line in daemon.log().splitlines() if words in line]


@contextlib.contextmanager
def served(daemon, zone, slowest):
    """Over UDP and TCP, fresh names of a zone that domestic answers, and one that needs TCP upstream: all of them are
    answered, and in time."""
    loads = [Load(daemon.where, f"{stem}{{}}.{zone}", rate=rate, tcp=stem == "tcp")
             for stem, rate in (("udp", 40), ("tcp", 10))]
    try:
        yield loads
        wait_for(lambda: all(len(load.replies) > 5 for load in loads), 10, "answers over UDP and TCP")
    finally:
        for load in loads:
            load.stop()
    for load in loads:
        assert not load.lost and {reply.rcode for reply in load.replies} == {"NOERROR"}, load.lost[:3]
        assert max(reply.elapsed for reply in load.replies) < slowest


def check_learned(daemon, blocked):
    """`blocked`, learned before, and nothing of the fault. A suspicion is no verdict."""
    assert set(daemon.zones()) - set(daemon.zones(state="suspect")) == {blocked}
    assert daemon.zones()[blocked]["state"] in ("blocked", "recovering")


# ---- one group ----


@pytest.mark.parametrize("how", ["killed", "rebooted"])
def test_domestic_goes_and_comes_back(forwarder, domestic, external, fresh, how):
    large = fresh("large")
    for upstream in (domestic, external):
        upstream.set(large, Truncate())
    daemon = forwarder()
    zone = fresh("open")
    blocked = learn(daemon, domestic, fresh("shut"), Servfail())["zone"]
    assert daemon.ask(f"before.{large}").addresses == [DOMESTIC]
    abroad = external.count(zone)
    with served(daemon, zone, 1.6 + NOISE) as loads:
        time.sleep(0.5)
        assert external.count(zone) == abroad
        before = shown(daemon, "domestic")
        if how == "rebooted":
            domestic.set(large, Silent())
        down(domestic, how)
        until_down(daemon, "domestic")
        assert daemon.ask(f"during.{large}").addresses == [EXTERNAL]
        during = len(loads[0].replies)
        wait_for(lambda: len(loads[0].replies) > during + 20, 10, "answers while it is gone")
        began = time.monotonic()
        domestic.set(large, Truncate())
        up(domestic, how)
        until_from(daemon, zone, DOMESTIC, began)
        abroad = external.count(zone)
        time.sleep(0.5)
        assert external.count(zone) - abroad <= 2, "those that were under way"
    assert daemon.ask(f"after.{large}").addresses == [DOMESTIC]
    after = shown(daemon, "domestic")
    failed = "unreachable" if how == "killed" else "timeout"
    assert after["outcomes"][failed] > before["outcomes"][failed] and after["state"] == "up"
    assert len(said(daemon, "is down: 3 probes")) == len(said(daemon, "is back")) == 1
    check_learned(daemon, blocked)
    assert daemon.check_accounts()["external_by_outage"] > 0


def test_external_goes_and_comes_back(forwarder, domestic, external, fresh):
    """Meanwhile a blocked zone has no answer, soon and each time; all else is not concerned."""
    daemon = forwarder({"fallback.deadline": "1500ms"})
    zone = fresh("open")
    blocked = learn(daemon, domestic, fresh("shut"), Servfail())["zone"]
    with served(daemon, zone, NOISE):
        down(external, "killed")
        daemon.ask(f"first.{blocked}")
        until_down(daemon, "external")
        for _ in range(3):
            reply = daemon.ask(f"n{next(COUNT)}.{blocked}")
            assert reply.rcode == "SERVFAIL" and reply.elapsed < 1.5 + NOISE
        began = time.monotonic()
        up(external, "killed")
        until_from(daemon, blocked, EXTERNAL, began)
    after = shown(daemon, "external")
    assert after["outcomes"]["unreachable"] > 0 and after["state"] == "up"
    assert external.count(zone) == 0
    check_learned(daemon, blocked)
    daemon.check_accounts()


# ---- everything ----


def test_everything_goes_and_comes_back(forwarder, domestic, external, world):
    """What was known is answered still, what was not fails and is answered soon after the end. Ten minutes of it are in
    tests/scenario/test_outage.c."""
    world.add("known.test", ttl=1)
    daemon = forwarder({"fallback.deadline": "1500ms"})
    warm(daemon)
    assert daemon.ask("known.test").addresses == [DOMESTIC]
    time.sleep(1.1)
    for upstream in (domestic, external):
        down(upstream, "rebooted")
    until = time.monotonic() + 4
    while time.monotonic() < until:
        reply = daemon.ask("known.test")
        assert reply.addresses == [DOMESTIC] and 3 in reply.ede, "stale"
        for zone in GOOD[:3]:
            reply = daemon.ask(f"asked.{zone}")
            assert reply.rcode == "SERVFAIL" and reply.elapsed < 1.5 + NOISE
        time.sleep(0.2)
    assert shown(daemon, "domestic")["state"] == shown(daemon, "external")["state"] == "down"
    began = time.monotonic()
    for upstream in (domestic, external):
        up(upstream, "rebooted")
    until_from(daemon, GOOD[0], DOMESTIC, began)
    time.sleep(max(0.0, began + 0.5 - time.monotonic()))
    for qname in ("known.test", *(f"asked.{zone}" for zone in GOOD[:3])):
        wait_for(lambda qname=qname: daemon.ask(qname).rcode == "NOERROR", BACK + NOISE, qname, every=0.1)
        assert 3 not in daemon.ask(qname).ede
    assert time.monotonic() - began < BACK + NOISE
    assert daemon.ask(f"new{next(COUNT)}.{GOOD[1]}").addresses == [DOMESTIC]
    assert set(daemon.zones()) == set(daemon.zones(state="suspect"))
    wait_for(lambda: len(said(daemon, "is down: 3 probes")) == len(said(daemon, "is back")) == 2, BACK + NOISE, "both are back")
    assert daemon.check_accounts()["cache_stale"] > 0


# ---- descriptors ----


def test_sixty_four_descriptors(forwarder, domestic, external, fresh):
    """Whatever clients do, questions have sockets, bywayctl and systemd are answered, and it is said once."""
    daemon = forwarder({"workers": 4, "fallback.deadline": "2s", "log.level": "info"}, descriptors=64)
    assert len(said(daemon, "file descriptors")) == 1 and "1 of 4 workers" in daemon.log()
    zone, large, dead = fresh("open"), fresh("large"), fresh("dead")
    domestic.set(large, Truncate())
    for upstream in (domestic, external):
        upstream.set(dead, Silent())
    assert daemon.ask(large).addresses == [DOMESTIC]
    base = daemon.descriptors()

    def check(what):
        assert daemon.ctl("status").returncode == 0, what
        assert daemon.ask(f"n{next(COUNT)}.{zone}").addresses == [DOMESTIC], what
        assert daemon.ask(f"n{next(COUNT)}.{large}").addresses == [DOMESTIC], what

    domestic.set(zone, Slow(0.2))
    load = Load(daemon.where, f"slow{{}}.{zone}", rate=200)
    time.sleep(0.3)
    assert daemon.flood(f"f{n}.{zone}" for n in range(500)) == {0: 500}
    check("questions that wait for each other's sockets")
    load.stop()
    assert not load.lost
    domestic.clear(zone)

    clients = []

    def connect(count, *names):
        for _ in range(count):
            with contextlib.suppress(OSError):
                client = TcpClient(daemon.where, source="127.0.0.66", timeout=5)
                clients.append(client)
                client.send(*(question(name).to_wire() for name in names))
    connect(100)
    check("idle TCP clients")
    connect(20, f"waits.{dead}")
    check("TCP clients that wait")
    replies = daemon.flood(f"f{n}.{dead}" for n in range(100))
    assert set(replies) == {2}, "SERVFAIL in time, each of them"
    for client in clients:
        client.sock.close()
    with TcpClient(daemon.where) as client:
        client.send(question(zone).to_wire())
        assert client.receive()
    wait_for(lambda: daemon.descriptors() <= base + 2, 20, "what was opened is closed")
    assert daemon.zones(state="blocked") == {} and external.count(zone) == external.count(large) == 0
    assert len(daemon.warnings()) == 1, daemon.warnings()
    daemon.check_accounts()

    daemon.set({"workers": 3, "listen": [f"127.0.0.1:{daemon.port}", f"127.0.0.2:{daemon.port}"]})
    assert daemon.ctl("reload").returncode == 0
    check("a reload")


@pytest.mark.parametrize("descriptors", [8, 40])
def test_too_few_descriptors(domestic, external, descriptors):
    daemon = Daemon([domestic], [external], descriptors=descriptors)
    try:
        assert daemon.spawn().wait(10) == 1
        daemon.process = None
        assert f"{descriptors} file descriptors are too few" in daemon.log()
        assert len([line for line in daemon.log().splitlines() if "plain DNS" not in line]) == 1
    finally:
        daemon.close()
