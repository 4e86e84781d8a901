"""Clients that ask too much: what they may take, and that nobody else pays for it."""

import select
import socket
import struct
import time

import pytest

from client import ask, parse_endpoint, question
from conftest import DOMESTIC
from upstream import World

STRANGER = "127.0.0.66"  # what an address may not do is tried from here; 127.0.0.1 is exempt
NEIGHBOUR = "127.0.0.67"  # not exempt either, and does nothing wrong
WORKERS = 2


@pytest.fixture(scope="module")
def world():
    world = World()
    world.add("good.test")
    return world


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
    said = [line for line in daemon.warnings() if "limits.client_qps" in line]
    assert len(said) == 1 and STRANGER in said[0]
    # a reload lifts it
    daemon.set({"limits.client_qps": 0})
    daemon.control("reload")
    assert asker.ask("hot.good.test", 4 * rate) == (4 * rate, 0)
    asker.close()


def test_a_truncated_answer_leads_to_tcp(forwarder):
    daemon = forwarder({"limits.client_exempt": [], "limits.client_qps": 20})
    asker = Asker(daemon, STRANGER)
    _, cut = asker.ask("hot.good.test", 100)
    assert cut > 0
    reply = ask(daemon.where, "hot.good.test", tcp=True, source=STRANGER)
    assert reply.rcode == "NOERROR" and reply.addresses and not reply.has("TC")
    asker.close()
