"""A service manager keeps the listening sockets over a restart: what is asked meanwhile waits for the next bywayd."""

import contextlib
import os
import pwd
import socket
import threading
import time

import pytest

from client import TcpClient, ask, parse_endpoint, question
from conftest import DOMESTIC
from daemon import Daemon, wait_for
from manager import Managed
from test_neighbours import UDP, neighbour
from upstream import Slow, endpoint

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Stream:
    """So many questions a second, over UDP, each a new name, sent once and no slower for the want of answers."""

    def __init__(self, where, zone, rate):
        self.zone, self.rate = zone, rate
        self.answers, self.sent = {}, 0
        self._socks = []
        for _ in range(32):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.connect(parse_endpoint(where))
            sock.settimeout(0.1)
            self._socks.append(sock)
        self._over, self._deaf = threading.Event(), threading.Event()
        self._asking = threading.Thread(target=self._ask)
        self._hearing = [threading.Thread(target=self._hear, args=(sock,)) for sock in self._socks]
        for thread in [self._asking, *self._hearing]:
            thread.start()

    def _ask(self):
        began = time.monotonic()
        while not self._over.is_set():
            while self.sent < (time.monotonic() - began) * self.rate:
                wire = question(f"n{self.sent}.{self.zone}", ident=self.sent % 65536).to_wire()
                with contextlib.suppress(ConnectionRefusedError):  # of an earlier one: nobody was there
                    self._socks[self.sent % len(self._socks)].send(wire)
                self.sent += 1
            time.sleep(0.001)

    def _hear(self, sock):
        while not self._deaf.is_set():
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                wire = sock.recv(4096)
                self.answers[int.from_bytes(wire[:2], "big")] = wire[3] & 15

    def stop(self, patience=6.0):
        """-> (how many got no answer, the rcodes that were not NOERROR)"""
        self._over.set()
        self._asking.join()
        deadline = time.monotonic() + patience
        while len(self.answers) < self.sent and time.monotonic() < deadline:
            time.sleep(0.05)
        self._deaf.set()
        for thread in self._hearing:
            thread.join()
        for sock in self._socks:
            sock.close()
        return self.sent - len(self.answers), [rcode for rcode in self.answers.values() if rcode != 0]


@pytest.fixture
def managed(domestic, external):
    daemons = []

    def make(config=None, **options):
        daemons.append(Managed([domestic], [external], {"workers": 2, "log.level": "info", **(config or {})}, **options))
        return daemons[-1]
    yield make
    for daemon in daemons:
        daemon.close()


def names(daemon, addresses=None, workers=None):
    """What the manager should keep."""
    addresses = addresses or daemon.config["listen"]
    workers = workers or daemon.config["workers"]
    return {f"byway-{kind}-{worker}-{address.replace(':', '_')}" for kind in ("udp", "tcp") for worker in range(workers)
            for address in addresses}


def check_stored(daemon):
    wait_for(lambda: set(daemon.stored) == names(daemon), 3, f"{names(daemon)} are stored, and not {set(daemon.stored)}")
    assert all(len(fds) == 1 for fds in daemon.stored.values())


def check_served(daemon, zone, count=40):
    """By every worker, over both transports, on every address: each client socket may meet another one."""
    for where in daemon.config["listen"]:
        for n in range(count):
            assert ask(where, f"s{n}.{zone}", timeout=2).addresses == [DOMESTIC]
            assert ask(where, f"s{n}.{zone}", timeout=2, tcp=True).addresses == [DOMESTIC]


@pytest.mark.parametrize("rate, answered", [(500, "here"), (100, "upstream")])
def test_restarts_lose_nothing(managed, fresh, rate, answered):
    """500 a second of names that bywayd answers itself, and what the scripted upstreams can answer on a busy machine."""
    daemon = managed()
    daemon.start()
    check_stored(daemon)
    stream = Stream(daemon.where, fresh("open") if answered == "upstream" else "invalid", rate)
    for _ in range(10):
        time.sleep(0.2)
        daemon.restart()
        check_stored(daemon)
    lost, rcodes = stream.stop()
    assert lost == 0 and set(rcodes) == (set() if answered == "upstream" else {3})
    assert daemon.control("stats")["kernel_drops"] == 0


def test_kills_lose_what_was_under_way_inside(managed):
    """Of names that it answers itself, that is at most the batch that it had just read."""
    daemon = managed()
    daemon.start()
    stream, kills = Stream(daemon.where, "invalid", 500), 5
    for _ in range(kills):
        time.sleep(0.3)
        daemon.kill()
        time.sleep(0.2)
        daemon.start()
    lost, rcodes = stream.stop()
    assert lost <= kills and set(rcodes) == {3}


def test_connections_wait_too(managed, fresh):
    """Streams that are opened while nobody is there are accepted by the next one."""
    daemon = managed()
    daemon.start()
    zone = fresh("open")
    for end in (Daemon.stop, Daemon.kill):
        end(daemon)
        clients = [TcpClient(daemon.where) for _ in range(20)]
        for n, client in enumerate(clients):
            client.send(question(f"n{n}.{zone}").to_wire())
        daemon.start()
        for client in clients:
            assert client.receive()
            client.sock.close()


def test_what_it_has_is_answered_and_what_comes_waits(managed, domestic, fresh):
    """Between the signal and its end it reads no more."""
    daemon = managed({"workers": 1})
    daemon.start()
    slow, later = fresh("slow"), fresh("later")
    domestic.set(slow, Slow(0.8))
    host, port = parse_endpoint(daemon.where)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as early, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        early.sendto(question(slow, ident=1).to_wire(), (host, port))
        wait_for(lambda: domestic.count(slow), 2, "it is asked", every=0.01)
        daemon.process.terminate()
        time.sleep(0.2)
        late.sendto(question(later, ident=2).to_wire(), (host, port))
        early.settimeout(3)
        assert early.recv(4096)[3] & 15 == 0
        assert daemon.process.wait(5) == 0
        assert domestic.count(later) == 0
        daemon.process = None
        daemon.start()
        late.settimeout(3)
        assert late.recv(4096)[3] & 15 == 0 and domestic.count(later) == 1


@pytest.mark.parametrize("before, after", [(1, 3), (4, 1), (3, 2)])
def test_another_number_of_workers(managed, fresh, before, after):
    """What came for workers that are no more is served as well, and nothing more comes for them."""
    daemon = managed({"workers": before})
    daemon.start()
    check_stored(daemon)
    zone = fresh("open")
    for end in (Daemon.stop, Daemon.kill):
        daemon.set({"workers": after})
        end(daemon)
        stream = Stream(daemon.where, zone, 300)
        clients = [TcpClient(daemon.where) for _ in range(30)]
        for n, client in enumerate(clients):
            client.send(question(f"t{n}.{zone}").to_wire())
        time.sleep(0.3)
        daemon.start()
        time.sleep(0.3)
        assert stream.stop() == (0, [])
        for client in clients:
            assert client.receive()
            client.sock.close()
        check_stored(daemon)
        check_served(daemon, zone)
        daemon.set({"workers": before})
        daemon.restart()


def test_other_addresses(managed, needs_ipv6, fresh):
    daemon = managed()
    daemon.start()
    zone = fresh("open")
    for hosts in (["127.0.0.1", "127.0.0.2"], ["127.0.0.3"], ["0.0.0.0"], ["127.0.0.1", "::1"], ["::", "0.0.0.0"]):
        daemon.set({"listen": [endpoint(host, daemon.port) for host in hosts]})
        daemon.restart()
        check_stored(daemon)
        for host in hosts:
            where = endpoint({"0.0.0.0": "127.0.0.9", "::": "::1"}.get(host, host), daemon.port)
            for tcp in (False, True):
                assert ask(where, zone, tcp=tcp).addresses == [DOMESTIC]
    with pytest.raises(OSError):
        TcpClient(endpoint("127.0.0.1", daemon.port + 1), timeout=1)


def test_reloads_keep_the_store_true(managed, fresh):
    daemon = managed()
    daemon.start()
    zone = fresh("open")
    elsewhere = endpoint("127.0.0.2", daemon.port)
    for config in ({"listen": [daemon.where, elsewhere]}, {"workers": 4}, {"listen": [elsewhere]}, {"workers": 1},
                   {"listen": [daemon.where]}, {"listen": ["nonsense"]}, {"listen": [elsewhere], "workers": 2}):
        daemon.set(config)
        if daemon.ctl("reload").returncode == 0:
            check_stored(daemon)
    with pytest.raises((OSError, AssertionError)):  # it was left, however long somebody keeps it
        ask(daemon.where, zone, tcp=True, timeout=1)
    daemon.kill()
    daemon.start()
    check_served(daemon, zone)


def test_a_manager_that_forgets_to_forget(managed, fresh):
    """Sockets that were left come back: those over UDP hear nobody any more, and those over TCP do not listen."""
    daemon = managed({"workers": 3})
    daemon.start()
    daemon.forgets = True
    zone = fresh("open")
    elsewhere = endpoint("127.0.0.2", daemon.port)
    for config in ({"workers": 1}, {"workers": 3}, {"workers": 1}, {"listen": [elsewhere]}, {"workers": 2}):
        daemon.set(config)
        daemon.control("reload")
    assert any(len(fds) > 1 for fds in daemon.stored.values())
    daemon.kill()
    daemon.set({"listen": [elsewhere, endpoint("127.0.0.3", daemon.port)], "workers": 2})
    daemon.forgets = False
    daemon.start()
    check_served(daemon, zone)
    check_stored(daemon)


@needs_root
@pytest.mark.parametrize("workers", [2, 3])
def test_another_user(managed, fresh, workers):
    """From root to `user` and back; a user of its own cannot have what is root's, and begins afresh."""
    nobody = pwd.getpwnam("nobody")
    daemon = managed()
    os.chown(daemon.directory, nobody.pw_uid, nobody.pw_gid)
    zone = fresh("open")
    plain = daemon.program
    as_nobody = ["setpriv", "--reuid=nobody", f"--regid={nobody.pw_gid}", "--clear-groups", *plain]
    daemon.start()
    for program, user in ((plain, "nobody"), (plain, None), (plain, "nobody"), (as_nobody, None)):
        daemon.stop()
        daemon.program = program
        daemon.set({"user": user, "workers": workers})
        stream = Stream(daemon.where, zone, 200)
        time.sleep(0.2)
        daemon.start()
        assert stream.stop() == (0, [])
        daemon.set({"workers": 4})
        daemon.control("reload")
        check_stored(daemon)
        daemon.set({"workers": workers})
        daemon.control("reload")
        check_served(daemon, zone)
    daemon.stop()
    daemon.program = plain  # root has made them its own, which nobody cannot
    daemon.start()
    daemon.stop()
    for path in daemon.state.iterdir():
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    daemon.program = as_nobody
    daemon.start()
    check_stored(daemon)
    daemon.set({"workers": 4})
    daemon.control("reload")
    check_served(daemon, zone)


def test_another_process_came_meanwhile(managed):
    """It could join the sockets that are kept, and is refused all the same."""
    daemon = managed()
    daemon.start()
    daemon.stop()
    with neighbour("127.0.0.1", daemon.port, UDP):
        assert daemon.spawn().wait(10) == 1
        daemon.process = None
        assert f"another process serves {daemon.where} (UDP)" in daemon.log()
    daemon.start()


def test_sockets_that_are_none_of_ours(managed, fresh):
    """A socket unit, somebody's pipe, a socket that others may not join: closed, and said."""
    daemon = managed()
    strangers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX)]
    alone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    alone.bind(("127.0.0.1", daemon.port))
    reader, writer = os.pipe()
    daemon.stored = {"byway.socket": [strangers[0].detach()], "unknown": [strangers[1].detach()],
                     f"byway-udp-0-{daemon.where.replace(':', '_')}": [alone.detach()], "byway-tcp-0-x": [reader]}
    os.close(writer)
    daemon.start()
    warnings = [line for line in daemon.log().splitlines() if "the service manager passed a socket" in line]
    assert len(warnings) == 2 and "byway.socket" in warnings[0] and "unknown" in warnings[1]
    check_stored(daemon)
    check_served(daemon, fresh("open"), 5)


def test_a_bad_configuration_does_not_lose_them(managed, fresh):
    daemon = managed()
    daemon.start()
    zone = fresh("open")
    daemon.stop()
    daemon.set({"unknown": 1})
    assert daemon.spawn().wait(10) == 1
    daemon.process = None
    check_stored(daemon)
    stream = Stream(daemon.where, zone, 200)
    daemon.set({"unknown": None})
    time.sleep(0.2)
    daemon.start()
    assert stream.stop() == (0, [])


def test_without_a_manager_it_serves_what_lies_there(forwarder, domestic, fresh):
    """Nobody comes after it: what was asked before the signal is read."""
    daemon = forwarder({"workers": 1})
    daemon.process.send_signal(19)
    zone = fresh("open")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(parse_endpoint(daemon.where))
        for n in range(20):
            sock.send(question(f"n{n}.{zone}").to_wire())
        daemon.process.terminate()
        daemon.process.send_signal(18)
        sock.settimeout(3)
        for _ in range(20):
            assert sock.recv(4096)[3] & 15 == 0
    assert daemon.process.wait(10) == 0
    daemon.process = None
