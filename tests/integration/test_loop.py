"""Upstreams that lead back to byway: a question costs few packets, ends by its deadline, and the operator is told."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest

from client import parse_endpoint, together
from conftest import EXTERNAL
from daemon import program, wait_for
from upstream import Silent, endpoint

PER_QUESTION = 15  # messages that byway may receive for one client's question, confirmations included
BY_ITSELF = 30  # and for its own health probes and echoes meanwhile


def received(daemon):
    return daemon.control("stats")["queries"]


def cpu_seconds(daemon):
    fields = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def looping(daemon):
    return [upstream["address"] for upstream in daemon.control("upstreams") if upstream["loop"]]


def check_told(daemon, address):
    """A reload asks anew: when it started, somebody in the circle may not have been there, or been taken to be down."""
    wait_for(lambda: looping(daemon) == [address] or daemon.hang_up(), 20, f"{address} is found to loop", every=1)
    assert f"warning upstream {address} forwards to this bywayd" in daemon.log()
    assert any(line.split()[1:4] == [address, "udp", "loop"] for line in daemon.ctl("upstreams").stdout.splitlines())


@pytest.fixture
def pair(forwarder):
    """Two that have each other for domestic, the second started last."""
    first, second = forwarder({"workers": 2}), forwarder({"workers": 2})
    first.set({"upstreams.domestic": [second.where]})
    second.set({"upstreams.domestic": [first.where]})
    first.restart()
    second.restart()
    return first, second


class Forwarder:
    """A plain one, over UDP, that has byway for its upstream."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.9", 0))
        self.where = endpoint(*self.sock.getsockname())
        self._asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._peers = {}

    def begin(self, upstream):
        self._asking.connect(parse_endpoint(upstream))
        for sock, pass_on in ((self.sock, self._ask), (self._asking, self._answer)):
            threading.Thread(target=self._run, args=(sock, pass_on), daemon=True).start()

    @staticmethod
    def _run(sock, pass_on):
        with contextlib.suppress(OSError):
            while (packet := sock.recvfrom(4096))[0]:
                data, peer = packet
                with contextlib.suppress(ConnectionRefusedError):
                    pass_on(data, peer)

    def _ask(self, data, peer):
        self._peers[data[:2]] = peer
        self._asking.send(data)

    def _answer(self, data, _):
        if data[:2] in self._peers:
            self.sock.sendto(data, self._peers[data[:2]])

    def close(self):
        for sock in (self.sock, self._asking):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture
def follower():
    follower = Forwarder()
    yield follower
    follower.close()


def ask_in_circles(daemons, zones, expected):
    """Asks the first one; -> what each received because of it."""
    before = [(received(daemon), cpu_seconds(daemon)) for daemon in daemons]
    replies = together([lambda zone=zone: daemons[0].ask(f"round.{zone}") for zone in zones])
    for reply in replies:
        assert (reply.rcode, reply.addresses) == expected
        assert reply.elapsed < 6
    for daemon, (messages, cpu) in zip(daemons, before):
        assert received(daemon) - messages <= PER_QUESTION * len(zones) + BY_ITSELF
        assert cpu_seconds(daemon) - cpu < 1.5
    return replies


def check_calm(daemons):
    """In the end nothing goes round any more: what is received are health probes of upstreams that are down."""
    def calm():
        before = [received(daemon) for daemon in daemons]
        time.sleep(2)
        return all(received(daemon) - messages <= 2 for daemon, messages in zip(daemons, before))
    wait_for(calm, 30, "the end of it")


def test_two_with_another_way(pair, fresh):
    first, second = pair
    replies = ask_in_circles(pair, [fresh("open") for _ in range(5)], ("NOERROR", [EXTERNAL]))
    assert all(reply.elapsed < 2.5 for reply in replies)
    check_told(second, first.where)
    check_told(first, second.where)


def test_two_without(pair, external, fresh):
    external.set(".", Silent())
    try:
        ask_in_circles(pair, [fresh("open") for _ in range(5)], ("SERVFAIL", []))
        check_calm(pair)
    finally:
        external.clear(".")
    zone = fresh("open")
    wait_for(lambda: pair[0].ask(zone).addresses == [EXTERNAL], 10, "external serves again")


@pytest.mark.parametrize("other_way", [True, False])
def test_one_alone(forwarder, external, follower, fresh, other_way):
    daemon = forwarder({"workers": 2, "upstreams.domestic": [follower.where]})
    follower.begin(daemon.where)
    check_told(daemon, follower.where)
    if not other_way:
        external.set(".", Silent())
    try:
        ask_in_circles([daemon], [fresh("open") for _ in range(5)],
                       ("NOERROR", [EXTERNAL]) if other_way else ("SERVFAIL", []))
    finally:
        external.clear(".")


OWN = """ip link set lo up; ip address add 192.0.2.7/32 dev lo; ip -6 address add 2001:db8::7/128 dev lo nodad
mount --bind "$1" /etc/resolv.conf; shift; exec "$@" """


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("listen, upstream, own", [
    ("0.0.0.0:53", "192.0.2.7", True), ("0.0.0.0:53", "192.0.2.7:53", True), ("0.0.0.0:53", "127.0.0.77", True),
    ("0.0.0.0:53", "tcp://192.0.2.7", True), ("[::]:53", "2001:db8::7", True), ("[::]:53", "::1", True),
    ("192.0.2.7:53", "192.0.2.7", True), ("[::1%lo]:53", "::1", True), ("[::1]:53", "::1%lo", True),
    ("0.0.0.0:53", "192.0.2.7:5353", False), ("0.0.0.0:53", "127.0.0.1:5353", False), ("0.0.0.0:53", "192.0.2.8", False),
    ("0.0.0.0:5353", "192.0.2.7", False), ("127.0.0.1:53", "192.0.2.7", False), ("127.0.0.1:53", "127.0.0.2", False),
    ("[::]:53", "192.0.2.7", False), ("0.0.0.0:53", "2001:db8::7", False), ("192.0.2.7:53", "127.0.0.1", False),
    ("127.0.0.1:53", "127.0.0.1:5353", False),
])
def test_the_machines_own_addresses(tmp_path, listen, upstream, own):
    """Where byway listens, on that port, a question would come back: an error where it is configured, and left out where
    it stands in resolv.conf."""
    resolv = tmp_path / "resolv.conf"
    config = tmp_path / "byway.json"

    def check(domestic):
        config.write_text(json.dumps({"listen": [listen], "upstreams": {"external": ["198.51.100.1"], **domestic}}))
        return subprocess.run(["unshare", "--net", "--mount", "sh", "-c", OWN, "sh", str(resolv), program("bywayd"), "-c",
                               str(config), "--check"], capture_output=True, text=True, check=False)
    resolv.write_text("nameserver 203.0.113.1\n")
    done = check({"domestic": [upstream, "203.0.113.2"]})
    assert (done.returncode == 1) == own, done.stderr
    assert ("upstreams.domestic[0]" in done.stderr and "it would ask itself" in done.stderr) == own
    if "tcp://" in upstream or ":53" in upstream.replace("::", ""):
        return
    resolv.write_text(f"nameserver {upstream}\n")
    done = check({})
    assert (done.returncode == 1) == own, done.stderr
    resolv.write_text(f"nameserver {upstream}\nnameserver 203.0.113.1\n")
    assert check({}).returncode == 0


def test_no_loop_is_seen_where_none_is(forwarder, domestic, external):
    daemon = forwarder()
    wait_for(lambda: domestic.echoes and external.echoes, 5, "both are asked")
    first, second = domestic.echoes[0].text, external.echoes[0].text
    assert first != second and first.split(".")[1:] == second.split(".")[1:]
    time.sleep(0.2)
    assert looping(daemon) == [] and daemon.warnings() == []
    assert daemon.control("stats")["queries"] == 0
    daemon.restart()
    wait_for(lambda: len(domestic.echoes) > 1, 5, "it is asked again")
    assert domestic.echoes[-1].text.split(".")[1] != first.split(".")[1]  # nobody knows the next one from the last
