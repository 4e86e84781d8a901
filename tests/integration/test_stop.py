"""SIGTERM: at once when nobody waits for an answer, whatever else is under way; who waits has a second. What was
learned is kept either way."""

import json
import signal
import socket
import sys
import threading
import time

import pytest

from client import TcpClient, ask, parse_endpoint, question, read_reply
from conftest import DOMESTIC, GOOD
from daemon import Daemon, has_sanitizers, wait_for
from upstream import Silent, Slow

AT_ONCE = 0.2 if not has_sanitizers() else 1.0  # s; a sanitizer looks through the whole heap before it lets go
WAITED = 1.0  # s, for who waits


def stop(daemon, number=signal.SIGTERM):
    """Seconds until it has ended."""
    began = time.monotonic()
    daemon.process.send_signal(number)
    assert daemon.process.wait(15) == 0
    daemon.process = None
    took = time.monotonic() - began
    daemon.check_log()
    return took


@pytest.fixture
def busy(forwarder, domestic, external, fresh):
    """Questions are under way that nobody waits for any more: external has answered, or all have given up."""
    domestic.default = Silent()
    daemon = forwarder({"fallback.patience": "50ms", "fallback.deadline": "1s"})
    zone, dead = fresh("half"), fresh("dead")
    external.set(dead, Silent())
    for n in range(20):
        assert daemon.ask(f"n{n}.{zone}").rcode == "NOERROR"
    assert daemon.ask(f"n.{dead}").rcode == "SERVFAIL"
    return daemon


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nobody_waits(busy, number):
    busy.control("zones", "pin", "kept.test", "external")
    assert stop(busy, number) < AT_ONCE
    busy.start()
    assert "kept.test." in busy.zones()


def test_idle_connections(busy, fresh):
    """Some have never asked, some were answered, one has begun a question."""
    clients = [TcpClient(busy.where) for _ in range(60)]
    for client in clients[:20]:
        client.send(question(f"local.{GOOD[0]}", ident=1).to_wire())
        assert client.receive()
    clients[-1].sock.sendall(b"\0")
    time.sleep(0.3)
    assert stop(busy) < AT_ONCE
    assert all(client.receive() is None for client in clients)
    for client in clients:
        client.sock.close()


def test_what_was_asked_before_is_answered(busy, external):
    """Over connections that were open: it came before the signal, whether it was read or not."""
    clients = [TcpClient(busy.where) for _ in range(10)]
    time.sleep(0.1)
    for number, client in enumerate(clients):
        client.send(*[question(f"t{number}-{n}.{GOOD[1]}").to_wire() for n in range(3)])
    took = stop(busy)
    assert all(client.receive() for client in clients for _ in range(3))
    assert took < AT_ONCE + 0.3
    for client in clients:
        client.sock.close()


def test_the_operator_waits(busy, fresh):
    """A command that is under way, and a client that has sent half of one."""
    domestic_zone = fresh("pinned")
    busy.control("zones", "pin", domestic_zone, "domestic")
    ended = []
    probe = threading.Thread(target=lambda: ended.append(busy.ctl("zones", "probe", domestic_zone)))
    probe.start()
    half = socket.socket(socket.AF_UNIX)
    half.connect(busy.socket)
    half.sendall(b'{"jsonrpc": "2.0", "id": 1, ')
    time.sleep(0.5)
    assert stop(busy) < AT_ONCE
    probe.join()
    half.close()
    assert ended[0].returncode != 0 and ended[0].stderr


def test_much_has_been_learned(busy, tmp_path):
    """The last snapshot of a large table."""
    path = tmp_path / "zones.json"
    path.write_text(json.dumps({"version": 1, "zones": [{"zone": f"blocked{n}.example{n % 97}.test.", "state": "blocked"}
                                                        for n in range(5000)]}))
    assert busy.control("zones", "import", str(path))["imported"] == 5000
    assert stop(busy) < AT_ONCE
    busy.start()
    assert len(busy.zones()) >= 5000


class Waiter:
    """A client that waits for an answer."""

    def __init__(self, where, qname, tcp):
        self.began = time.monotonic()
        wire = question(qname).to_wire()
        if tcp:
            self.client = TcpClient(where)
            self.sock = self.client.sock
            self.client.send(wire)
        else:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.connect(parse_endpoint(where))
            self.sock.settimeout(6)
            self.sock.send(wire)
        self.tcp = tcp

    def reply(self):
        with self.sock:
            return read_reply(self.client.receive() if self.tcp else self.sock.recv(65535), self.began)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_who_waits_has_a_second(forwarder, domestic, external, fresh, tcp):
    daemon = forwarder()
    silent, slow = fresh("silent"), fresh("slow")
    for upstream in (domestic, external):
        upstream.set(silent, Silent())
        upstream.set(slow, Slow(0.7))
    lost = [Waiter(daemon.where, f"n{n}.{silent}", tcp) for n in range(5)]
    late = [Waiter(daemon.where, f"n{n}.{slow}", tcp) for n in range(5)]
    wait_for(lambda: domestic.count(silent) and domestic.count(slow), 3, "they are asked")
    took = stop(daemon)
    assert WAITED * 0.9 < took < WAITED + AT_ONCE + 0.2
    assert {waiter.reply().rcode for waiter in lost} == {"SERVFAIL"}
    assert [waiter.reply().addresses for waiter in late] == [[DOMESTIC]] * 5


def test_who_waits_gets_a_stale_answer_rather(forwarder, domestic, external, fresh, world):
    zone = "stale-at-the-end.test"
    world.add(zone, ttl=1)
    daemon = forwarder()
    assert daemon.ask(zone).addresses == [DOMESTIC]
    time.sleep(1.5)
    for upstream in (domestic, external):
        upstream.set(zone, Silent())
    waiter = Waiter(daemon.where, zone, False)
    time.sleep(0.2)
    stop(daemon)
    reply = waiter.reply()
    assert reply.addresses == [DOMESTIC] and reply.ede == [3]


def test_a_worker_that_is_leaving_is_hurried(forwarder, domestic, external, fresh):
    """It had five seconds; now the process ends."""
    daemon = forwarder({"workers": 4})
    zone = fresh("silent")
    for upstream in (domestic, external):
        upstream.set(zone, Silent())
    waiters = [Waiter(daemon.where, f"n{n}.{zone}", False) for n in range(20)]
    wait_for(lambda: domestic.count(zone) >= 5, 3, "they are asked")
    daemon.set({"workers": 1})
    daemon.control("reload")
    assert stop(daemon) < WAITED + AT_ONCE + 0.2
    assert {waiter.reply().rcode for waiter in waiters} == {"SERVFAIL"}


def test_a_client_that_never_stops_asking(forwarder, fresh):
    """It is answered for a second at most."""
    daemon = forwarder()
    zone, over = fresh("open"), threading.Event()

    def chat():
        with TcpClient(daemon.where) as client:
            n = 0
            while not over.is_set():
                n += 1
                client.send(question(f"n{n}.{zone}").to_wire())
                if client.receive() is None:
                    return
    threads = [threading.Thread(target=chat) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    try:
        assert stop(daemon) < WAITED + AT_ONCE + 0.2
    finally:
        over.set()
        for thread in threads:
            thread.join()


# ---- signals that come while it starts ----


@pytest.fixture
def early(domestic, external):
    """early(): a bywayd that gets the signals as its very first thing: held back by who starts it, until it handles
    them."""
    daemons = []

    def start(*numbers):
        daemon = Daemon([domestic], [external])
        daemons.append(daemon)
        held = f"import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {[int(n) for n in numbers]})"
        sends = "; ".join(f"os.kill(os.getpid(), {int(n)})" for n in numbers)
        daemon.program = [sys.executable, "-c", f"{held}; {sends}; os.execv(sys.argv[1], sys.argv[1:])", *daemon.program]
        daemon.spawn()
        return daemon
    yield start
    for daemon in daemons:
        daemon.close()


def test_a_reload_while_it_starts(early, fresh):
    daemon = early(signal.SIGHUP)
    daemon.wait_notice("READY=1")
    wait_for(lambda: "info reloaded" in daemon.log(), 3, "it has reloaded")
    assert daemon.ask(fresh("open")).addresses == [DOMESTIC]
    daemon.hang_up()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_it_starts(early, number):
    daemon = early(signal.SIGHUP, number)
    assert daemon.process.wait(10) == 0
    daemon.process = None
    daemon.check_log()


def test_signals_at_any_time(forwarder, fresh):
    """From when it can hear at all: the dynamic linker is not yet done before that."""
    daemon = forwarder()
    daemon.stop()
    for n in range(12):
        daemon.spawn()
        maps = f"/proc/{daemon.process.pid}/status"
        wait_for(lambda: held_back(maps), 5, "it holds signals back", every=0.0005)
        time.sleep(n * 0.004)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_notice("READY=1")
        daemon.hang_up()
        assert daemon.ask(fresh("open")).addresses == [DOMESTIC]
        daemon.stop()


def held_back(path):
    """SIGHUP is blocked or caught."""
    with open(path, encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return any(int(fields[name], 16) & 1 << signal.SIGHUP - 1 for name in ("SigBlk", "SigCgt"))
