"""Clients that ask too much, too slowly, or never read: what they may take, and that nobody else pays for it."""

import collections
import contextlib
import itertools
import json
import os
import pathlib
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import dns.edns
import pytest

from client import Load, TcpClient, ask, parse_endpoint, question, read_reply
from conftest import DOMESTIC
from daemon import Daemon, wait_for
from upstream import Silent, World

STRANGER = "127.0.0.66"  # what an address may not do is tried from here; 127.0.0.1 is exempt
NEIGHBOUR = "127.0.0.67"  # not exempt either, and does nothing wrong
WORKERS = 2
PLACES = 1000  # LIMIT_TCP_CLIENTS, for each worker
SHARE = 250  # LIMIT_TCP_CLIENT
MEMORY = 64 << 20  # LIMIT_TCP_MEMORY
MESSAGE = 10  # seconds for a message that has begun
LARGE = "large.test"
AT_ONCE = 2.0  # seconds: far more than an answer takes, on a machine that is busy with this file


@pytest.fixture(scope="module", autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def world():
    world = World()
    world.add("good.test")
    world.add(LARGE, "@ TXT " + " ".join(f'"{n:03}{"x" * 240}"' for n in range(60)))
    return world


@pytest.fixture(scope="module")
def byway(shared_domestic, shared_external):
    daemon = Daemon([shared_domestic], [shared_external],
                    {"workers": WORKERS, "limits.client_exempt": ["127.0.0.1/32"], "limits.client_qps": 0})
    daemon.start()
    yield daemon
    daemon.check_accounts()
    daemon.close()


def connect(daemon, count, source=STRANGER):
    """Connections as many as are taken or refused at once; the daemon may close any of them."""
    clients = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            clients.append(TcpClient(daemon.where, source=source))
    return clients


def close(clients, reset=False):
    for client in clients:
        if reset:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()


class Bystander:
    """Asks over UDP and TCP while something goes on; as a context it checks at its end that all was answered in time,
    and that the daemon then has the descriptors again that it had."""

    def __init__(self, daemon, source=None):
        self.daemon = daemon
        assert ask(daemon.where, "before.good.test", tcp=True, source=source).rcode == "NOERROR"
        self.source = source

    def __enter__(self):
        time.sleep(0.1)
        self.before = self.daemon.descriptors()
        self.loads = [Load(self.daemon.where, f"{'tcp' if tcp else 'udp'}{{}}.good.test", rate=40, tcp=tcp)
                      for tcp in (False, True)]
        return self

    def __exit__(self, kind, *_):
        if not kind:
            wait_for(lambda: all(len(load.replies) > 20 for load in self.loads), 10, "some questions")
        for load in self.loads:
            load.stop()
        if kind:
            return
        for load in self.loads:
            assert not load.lost, load.lost[:3]
            assert all(reply.rcode == "NOERROR" for reply in load.replies)
            assert max(reply.elapsed for reply in load.replies) < AT_ONCE
        # sockets towards upstreams come and go: those of a few queries more or less
        wait_for(lambda: self.daemon.descriptors() <= self.before + 8, 15,
                 f"{self.before} descriptors as before, and not {self.daemon.descriptors()}")


# ---- how often a client may ask ----


class Asker:
    """Datagrams from one address over several ports, and what came back."""

    def __init__(self, daemon, source, ports=8):
        self.socks = []
        for _ in range(ports):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((source, 0))
            sock.connect(parse_endpoint(daemon.where))
            self.socks.append(sock)

    def ask(self, qname, count):
        """-> whole answers, truncated ones. Sends in small batches, for nothing may be lost on the way."""
        self.whole, self.cut, self.sizes = 0, 0, set()
        wire = question(qname).to_wire()
        for n in range(count):
            self.socks[n % len(self.socks)].send(wire)
            if n % 32 == 31:
                self.receive(0)
        self.receive(0.5)
        return self.whole, self.cut

    def receive(self, patience):
        while True:
            readable, _, _ = select.select(self.socks, [], [], patience)
            if not readable:
                return
            for sock in readable:
                reply = sock.recv(4096)
                assert reply[3] & 15 == 0
                if reply[2] & 2:
                    self.cut += 1
                    self.sizes.add(len(reply))
                    assert struct.unpack("!HHH", reply[4:10]) == (1, 0, 0)
                else:
                    self.whole += 1

    def close(self):
        close_all(self.socks)


def close_all(socks):
    for sock in socks:
        sock.close()


def test_a_client_over_its_rate_is_dropped_or_cut(forwarder):
    rate, count = 50, 600
    daemon = forwarder({"workers": WORKERS, "limits.client_exempt": ["127.0.0.1/32"], "limits.client_qps": rate})
    assert daemon.ask("hot.good.test").addresses == [DOMESTIC]
    asker = Asker(daemon, STRANGER)
    started = time.monotonic()
    whole, cut = asker.ask("hot.good.test", count)
    took = time.monotonic() - started
    # one bucket, whatever the ports and workers: a full one, and what came meanwhile
    assert rate <= whole <= rate * (2 + took)
    stats = daemon.control("stats")
    assert stats["rate_limited"] == count - whole and stats["rate_truncated"] == cut
    # half of what was limited, drawn: 7 standard deviations of 500 draws
    assert abs(cut - (count - whole) / 2) < 80
    assert asker.sizes == {len(question("hot.good.test").to_wire())}, "longer than what was sent"
    assert stats["cache_hits"] == whole, "what is over the limit must cost nothing"
    # nobody else pays
    for source in ("127.0.0.1", NEIGHBOUR):
        other = Asker(daemon, source, 1)
        number = rate if source == NEIGHBOUR else 4 * rate
        assert other.ask("hot.good.test", number) == (number, 0), source
        other.close()
    daemon.check_accounts()
    said = [line for line in daemon.warnings() if "limits.client_qps" in line]
    assert len(said) == 1 and STRANGER in said[0]
    # a reload lifts it
    daemon.set({"limits.client_qps": 0})
    daemon.control("reload")
    assert asker.ask("hot.good.test", 4 * rate) == (4 * rate, 0)
    asker.close()


def test_over_tcp_a_client_waits_and_loses_nothing(forwarder):
    rate = 50
    daemon = forwarder({"workers": WORKERS, "limits.client_exempt": ["127.0.0.1/32"], "limits.client_qps": rate})
    assert daemon.ask("hot.good.test").addresses == [DOMESTIC]
    clients = connect(daemon, 3)
    started = time.monotonic()
    for client in clients:
        client.send(*[question("hot.good.test", ident=n).to_wire() for n in range(rate)])
    # while these wait, others are served
    assert ask(daemon.where, "hot.good.test", tcp=True, source=NEIGHBOUR).elapsed < AT_ONCE
    for client in clients:
        assert [struct.unpack("!H", client.receive()[:2])[0] for _ in range(rate)] == list(range(rate))
    # one bucket was full, the rest came at the rate
    assert time.monotonic() - started > 0.9 * (3 * rate - rate) / rate
    stats = daemon.control("stats")
    assert stats["rate_delayed"] > 0 and stats["rate_limited"] == 0
    daemon.check_accounts()
    close(clients)


def test_a_truncated_answer_leads_to_tcp(forwarder):
    daemon = forwarder({"limits.client_exempt": [], "limits.client_qps": 20})
    asker = Asker(daemon, STRANGER)
    _, cut = asker.ask("hot.good.test", 100)
    assert cut > 0
    reply = ask(daemon.where, "hot.good.test", tcp=True, source=STRANGER)
    assert reply.rcode == "NOERROR" and reply.addresses and not reply.has("TC")
    asker.close()


# ---- TCP ----


def test_one_byte_a_second(byway):
    """Each of them has its time for a message that has begun, and no more."""
    clients = connect(byway, 50)
    stop = threading.Event()

    def dribble():
        while not stop.wait(1):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sock.send(b"\1")
    dribbler = threading.Thread(target=dribble)
    dribbler.start()
    started = time.monotonic() + 1
    try:
        with Bystander(byway):
            time.sleep(2)
        for client in clients:
            client.sock.settimeout(max(0.1, started + MESSAGE + 5 - time.monotonic()))
            assert client.receive() is None, "still open"
        assert time.monotonic() - started > MESSAGE - 1
    finally:
        stop.set()
        dribbler.join()
        close(clients)


def padded(qname, length):
    """A query of exactly that length: RFC 7830 padding."""
    plain = len(question(qname, options=[dns.edns.GenericOption(12, b"")]).to_wire())
    return question(qname, options=[dns.edns.GenericOption(12, bytes(length - plain))]).to_wire(max_size=65535)


def test_the_longest_messages(byway):
    """A query of 65,535 bytes is answered like any; noise of that length gets FORMERR or silence; what never comes
    whole takes no more memory than there is for it."""
    before = byway.resident()
    with Bystander(byway):
        with TcpClient(byway.where, source=STRANGER) as client:
            for _ in range(20):
                client.send(padded("long.good.test", 65535))
                assert read_reply(client.receive(), 0).rcode == "NOERROR"
            client.send(b"\x12\x34\x01\x00\x00\x01" + b"\xff" * 65529)
            assert client.receive()[3] & 15 == 1
        clients = connect(byway, 2 * SHARE)
        piece = b"\xff\xff" + bytes(60000)
        for client in clients:
            client.sock.settimeout(1)
            with contextlib.suppress(OSError):
                client.sock.sendall(piece)
        assert byway.resident() - before < WORKERS * 2 * MEMORY
        close(clients)


def test_messages_without_length(byway):
    with Bystander(byway), TcpClient(byway.where, source=STRANGER) as client:
        for _ in range(20):
            client.sock.sendall(b"\0\0" * 1000)
        client.send(question("empty.good.test", ident=5).to_wire())
        assert client.receive()[:2] == b"\0\5"


def test_thousands_of_idle_connections(byway):
    """From an exempt address they take the places that nobody needs, from any other a share of them."""
    base = byway.descriptors()
    with Bystander(byway):
        clients = connect(byway, 2500, source="127.0.0.1") + connect(byway, 1200)
        assert byway.descriptors() <= base + WORKERS * PLACES + 100
        assert ask(byway.where, "idle.good.test", tcp=True, source=NEIGHBOUR).elapsed < AT_ONCE
        close(clients)
    with Bystander(byway):
        clients = connect(byway, 1200)
        wait_for(lambda: byway.descriptors() <= base + WORKERS * SHARE + 100, 5, "only one client's share is open")
        wait_for(lambda: byway.control("stats")["tcp_evicted"] > 1000, 5, "who gave way is counted")
        close(clients)


def test_one_client_cannot_have_all_wait(byway, shared_domestic, shared_external):
    """Connections with an unanswered question do not give way; so one client may have only its share of them."""
    for upstream in (shared_domestic, shared_external):
        upstream.set("good.test", Silent())
    try:
        base = byway.descriptors()
        assert ask(byway.where, LARGE, "TXT", tcp=True).rcode == "NOERROR"
        clients = []
        for n in range(2 * WORKERS * SHARE):
            for client in connect(byway, 1):
                clients.append(client)
                with contextlib.suppress(OSError):
                    client.send(question(f"w{n}.good.test").to_wire())
        wait_for(lambda: byway.control("stats")["tcp_refused"] > 0, 5, "who is refused is counted")
        for _ in range(20):  # whichever worker it comes to
            assert ask(byway.where, LARGE, "TXT", tcp=True, source=NEIGHBOUR).elapsed < AT_ONCE
        close(clients)
    finally:
        for upstream in (shared_domestic, shared_external):
            upstream.clear("good.test")
    wait_for(lambda: byway.descriptors() <= base + 8, 20, "descriptors as before")


def test_readers_that_never_read(byway):
    before = byway.resident()
    with TcpClient(byway.where) as client:
        client.send(question(LARGE, "TXT").to_wire())
        assert len(client.receive()) > 14000
    with Bystander(byway):
        clients = connect(byway, 2 * SHARE)
        wires = question(LARGE, "TXT").to_wire()
        stream = (struct.pack("!H", len(wires)) + wires) * 200  # 3 MB of answers for each
        for client in clients:
            client.sock.settimeout(0.05)
            with contextlib.suppress(OSError):
                client.sock.sendall(stream)
        grown = byway.resident() - before
        assert grown < WORKERS * 2 * MEMORY, f"{grown >> 20} MiB"
        close(clients, reset=True)


def test_slow_readers_get_all(byway):
    with TcpClient(byway.where, source=STRANGER) as client:
        client.send(*[question(LARGE, "TXT", ident=n).to_wire() for n in range(60)])
        time.sleep(0.5)
        idents = set()
        for _ in range(60):
            idents.add(struct.unpack("!H", client.receive()[:2])[0])
            time.sleep(0.01)
        assert idents == set(range(60))


def test_half_closed_connections(byway):
    with Bystander(byway):
        for n in range(5):
            clients = connect(byway, 40)
            for m, client in enumerate(clients):
                client.send(question(f"h{n}-{m}.good.test", ident=m).to_wire())
                if m % 4 == 3:
                    client.sock.sendall(b"\x01")  # and the first byte of another message
                client.sock.shutdown(socket.SHUT_WR)
            for m, client in enumerate(clients):
                assert client.receive()[:2] == struct.pack("!H", m)
                assert client.receive() is None
            close(clients)


def test_a_storm_of_resets(byway):
    pieces = [b"", b"\0", b"\x01\x00abc", struct.pack("!H", 29) + question("reset.good.test", edns=None).to_wire()]
    with Bystander(byway):
        for n in range(3000):
            for client in connect(byway, 1):
                client.sock.sendall(pieces[n % len(pieces)])
                close([client], reset=True)


# ---- more questions than there is room for ----


FLIGHTS = 20000  # LIMIT_FLIGHTS, for each worker
FLOOD = pathlib.Path(__file__).with_name("flood.py")
FLOOD_RATE = 10000  # a second: 20,000 places and a deadline of 4.5 s are good for 4,444
FLOOD_SECONDS = 7


@contextlib.contextmanager
def deaf_upstream():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


class Asking:
    """Questions one after another while a process runs; what came of them."""

    def __init__(self, daemon, pattern):
        self.rcodes, self.stop = collections.Counter(), threading.Event()
        self.thread = threading.Thread(target=self.run, args=(daemon, pattern))
        self.thread.start()

    def run(self, daemon, pattern):
        for n in itertools.count():
            if self.stop.wait(0.02):
                return
            try:
                self.rcodes[ask(daemon.where, pattern.format(n), timeout=1).rcode] += 1
            except AssertionError:
                self.rcodes[None] += 1

    def share(self):
        self.stop.set()
        self.thread.join()
        assert self.rcodes.total() > 50
        return self.rcodes["NOERROR"] / self.rcodes.total()


@pytest.mark.release
def test_a_flood_of_names_that_nobody_answers(forwarder):
    """Twice what there is room for: hits and names that are answered soon are served, the others told, memory is
    bounded, and within 2 s of its end there is no trace of it."""
    with deaf_upstream() as deaf:
        daemon = forwarder({"workers": 1, "upstreams.deaf": [deaf], "zones": [{"zone": "deaf.test", "via": "deaf"}],
                            "log.level": "info"})
        assert daemon.ask("hot.good.test").rcode == "NOERROR"
        before = daemon.resident()
        with subprocess.Popen([sys.executable, str(FLOOD), *daemon.where.split(":"), "deaf.test", str(FLOOD_RATE),
                               str(FLOOD_SECONDS)], stdout=subprocess.PIPE, text=True) as flood:
            time.sleep(3)  # every place is taken by now
            assert daemon.control("stats")["flights"] >= FLIGHTS
            hits, fresh = Asking(daemon, "hot.good.test"), Asking(daemon, "fresh{}.good.test")
            sent = json.loads(flood.stdout.readline())["sent"]
            ended = time.monotonic()
            hits, fresh = hits.share(), fresh.share()
            wait_for(lambda: daemon.ask(f"after{time.monotonic_ns()}.good.test").rcode == "NOERROR", 2, "an answer")
            recovered = time.monotonic() - ended
            grown = daemon.resident() - before
            told = json.loads(flood.stdout.readline())["rcodes"]
        print(f"sent {sent}, told {told}, hits {hits:.3f}, fresh {fresh:.3f}, recovered {recovered:.3f} s, "
              f"grown {grown >> 20} MiB")
        assert sent > 2 * FLIGHTS, "this machine is too slow to flood it"
        assert hits >= 0.95 and fresh >= 0.95
        assert set(told) == {"2"} and told["2"] >= 0.95 * sent
        assert grown < 100 << 20
        stats = daemon.check_accounts()
        assert stats["overload"] > FLIGHTS
        wait_for(lambda: daemon.descriptors() < 200, 15, "sockets of the flood are closed")
