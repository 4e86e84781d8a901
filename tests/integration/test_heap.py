"""Memory that load takes is taken once, whichever worker has the load, and most of it is given back."""

import contextlib
import pathlib
import socket
import threading
import time

import pytest

from client import parse_endpoint, question

pytestmark = pytest.mark.release  # a sanitizer keeps what was freed

BURST = 2000  # questions under way at once
EACH = 1500  # bytes that one takes at least, with the client that waits
WORKERS = 8
HEAP = 64 << 20  # bytes of addresses that glibc sets aside for each heap but the first, at a multiple of as many
GROWTH = 6 << 20  # bytes from the first burst to the last: what the other workers touch when they first have work


class Holding:
    """An upstream that answers, or holds what is asked until it is told to answer."""

    def __init__(self):
        self.held = []
        self.holds = self.over = False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.settimeout(0.1)
        self.sock.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.over:
            with contextlib.suppress(TimeoutError):
                self.held.append(self.sock.recvfrom(4096))
            while self.held and not self.holds:
                self.answer(*self.held.pop())

    def answer(self, wire, peer):
        end = wire.index(0, 12) + 5
        self.sock.sendto(wire[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + wire[12:end] +
                         b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1", peer)

    def names(self):
        return len({wire[12:].lower() for wire, _ in self.held})

    def close(self):
        self.over = True
        self.thread.join()
        self.sock.close()


@pytest.fixture
def holding():
    upstream = Holding()
    yield upstream
    upstream.close()


def burst(daemon, holding, number):
    """From one socket, so that one worker has it. RSS while all are under way, and once all are answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        holding.holds = True
        sock.connect(parse_endpoint(daemon.where))
        for n in range(BURST):
            sock.send(question(f"n{n}.b{number}.held.test", ident=n).to_wire())
            if n % 50 == 0:
                time.sleep(0.002)  # the kernel has room for some hundred
        until = time.monotonic() + 2
        while holding.names() < BURST and time.monotonic() < until:
            time.sleep(0.02)
        assert holding.names() >= BURST * 0.9, holding.names()
        full = daemon.resident()
        holding.holds = False
        daemon.check_accounts()
        return full, daemon.resident()


def test_load_that_moves_from_worker_to_worker(forwarder, holding):
    """Also once something large came and went: glibc would keep all blocks that are smaller."""
    daemon = forwarder({"workers": WORKERS, "cache.memory": "1MiB", "log.level": "info", "limits.client_qps": 0,
                        "fallback.deadline": "10s", "upstreams.held": [holding.address],
                        "zones": [{"zone": "held.test", "via": "held"}]})
    assert "error" in daemon.rpc({"jsonrpc": "2.0", "id": 1, "method": "no.such", "params": {"x": "x" * (4 << 20)}})[0]
    _, first = burst(daemon, holding, "first")
    for number in range(WORKERS):
        full, after = burst(daemon, holding, number)
        print(f"{full >> 10} KiB, then {after >> 10}")
        assert after < full - BURST * EACH / 2
    assert after - first <= GROWTH, after - first


def heaps(daemon):
    """How many glibc has but the first: what is in use of one, and behind it what is set aside."""
    spans = []
    for line in pathlib.Path(f"/proc/{daemon.process.pid}/maps").read_text().splitlines():
        span, rights = line.split()[:2]
        begin, end = (int(address, 16) for address in span.split("-"))
        spans.append((begin, end, rights))
    return sum(begin % HEAP == 0 and rights == "rw-p" and rest == (end, begin + HEAP, "---p")
               for (begin, end, rights), rest in zip(spans, spans[1:]))


def test_all_threads_share_one_heap(forwarder, holding):
    daemon = forwarder({"workers": WORKERS, "upstreams.held": [holding.address],
                        "zones": [{"zone": "held.test", "via": "held"}]})
    for n in range(50):  # each from a port of its own: several workers answer
        assert daemon.ask(f"n{n}.one.held.test").addresses == ["192.0.2.1"]
    assert heaps(daemon) == 0
