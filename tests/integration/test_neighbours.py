"""Another process at an address that bywayd is to listen on: with SO_REUSEPORT the kernel would share the questions
out. It is refused, at the start and by a reload, whoever it is; and nothing that this bywayd or a dead one had is."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import pytest

from client import Load, TcpClient, ask, question
from conftest import DOMESTIC, GOOD
from daemon import Daemon, wait_for
from upstream import endpoint, free_port

UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM

SERVER = """
import socket, sys, time
family, kind, both, host, port = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "both", sys.argv[4], int(sys.argv[5])
server = socket.socket(family, kind)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
if family == socket.AF_INET6:
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
server.bind((host, port))
if kind == socket.SOCK_STREAM:
    server.listen()
print("serves", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def neighbour(host, port, kind, both=False):
    """Another process, of this user, that serves there and lets others join; `both`: IPv4 too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    argv = [sys.executable, "-c", SERVER, str(int(family)), str(int(kind)), "both" if both else "one", host, str(port)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"serves\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(5)
        process.stdout.close()


def refused(daemon):
    """Starts it in vain; what it says of `listen`."""
    assert daemon.spawn().wait(10) == 1, daemon.log()
    daemon.process = None
    daemon.check_log()
    return [line for line in daemon.log().splitlines() if "listen:" in line][-1]


@pytest.fixture
def daemon(domestic, external):
    daemon = Daemon([domestic], [external], {"workers": 3})
    yield daemon
    daemon.close()


CASES = [  # where the other is, and whether it serves IPv4 too; where bywayd is to listen
    ("127.0.0.1", False, "127.0.0.1"), ("0.0.0.0", False, "127.0.0.1"), ("127.0.0.1", False, "0.0.0.0"),
    ("0.0.0.0", False, "0.0.0.0"), ("::1", False, "::1"), ("::", False, "::1"), ("::1", False, "::"),
    ("::", True, "127.0.0.1"), ("::", True, "0.0.0.0"),
]


@pytest.mark.parametrize("kind", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize("where, both, listen", CASES, ids=lambda value: str(value))
def test_an_address_that_another_serves(daemon, needs_ipv6, where, both, listen, kind):
    at = endpoint(listen, daemon.port)
    daemon.set({"listen": [at]})
    with neighbour(where, daemon.port, kind, both) as other:
        said = refused(daemon)
        assert f"another process serves {at} ({'TCP' if kind == TCP else 'UDP'})" in said
        if os.geteuid() == 0 and not both:
            assert f"process {other.pid}" in said
    daemon.start()


@pytest.mark.parametrize("where, both, listen", [("::", False, "127.0.0.1"), ("::1", False, "0.0.0.0"),
                                                 ("127.0.0.1", False, "::"), ("127.0.0.2", False, "127.0.0.1")])
def test_an_address_that_another_does_not_serve(daemon, needs_ipv6, where, both, listen):
    daemon.set({"listen": [endpoint(listen, daemon.port)]})
    with neighbour(where, daemon.port, UDP, both), neighbour(where, daemon.port, TCP, both):
        daemon.start()


def test_a_second_bywayd(daemon, domestic, external):
    """Of the same user, with a state of its own; the first one is not disturbed."""
    daemon.start()
    second = Daemon([domestic], [external], {"listen": daemon.listen})
    try:
        assert daemon.where in refused(second)
        assert daemon.flood(f"n{n}.{GOOD[0]}" for n in range(200)) == {0: 200}
    finally:
        second.close()


def test_several_at_the_same_time(domestic, external):
    """One of them serves: who is first is settled by the kernel, not by a look that is over when it counts."""
    daemons = [Daemon([domestic], [external], {"workers": 2}) for _ in range(4)]
    try:
        for _ in range(3):
            for daemon in daemons:
                daemon.set({"listen": daemons[0].listen})
            ends = [daemon.spawn() for daemon in daemons]
            wait_for(lambda: sum(end.poll() == 1 for end in ends) == 3, 20, "three are refused")
            winner = next(daemon for daemon in daemons if daemon.process.poll() is None)
            winner.wait_notice("READY=1")
            for daemon in daemons:
                if daemon is not winner:
                    daemon.process = None
            winner.stop()
    finally:
        for daemon in daemons:
            daemon.close()


@pytest.mark.skipif(not shutil.which("unbound"), reason="needs unbound")
def test_unbound_has_it(daemon):
    config = daemon.directory / "unbound.conf"
    config.write_text(f"""server:
    interface: 127.0.0.1@{daemon.port}
    chroot: ""
    directory: "{daemon.directory}"
    username: ""
    pidfile: ""
    use-syslog: no
    num-threads: 2
    so-reuseport: yes
    module-config: "iterator"
    """)
    unbound = subprocess.Popen(["unbound", "-d", "-c", str(config)], stderr=subprocess.PIPE)
    try:
        wait_for(lambda: not port_is_free(daemon.port), 10, "unbound serves")
        assert "another process serves" in refused(daemon)
    finally:
        unbound.terminate()
        unbound.communicate()
    daemon.start()


def port_is_free(port):
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, UDP) as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False


RELOADS = [  # what bywayd listens on, where the other comes up, what bywayd is to listen on then
    (["127.0.0.1"], "127.0.0.3", ["127.0.0.1", "127.0.0.3"]),
    (["127.0.0.1"], "127.0.0.3", ["127.0.0.3"]),
    (["127.0.0.1"], "127.0.0.3", ["0.0.0.0"]),
    (["127.0.0.1", "127.0.0.2"], "127.0.0.3", ["127.0.0.1", "127.0.0.2", "0.0.0.0"]),
    (["0.0.0.0"], "127.0.0.3", ["127.0.0.3"]),
    (["127.0.0.1"], "::1", ["127.0.0.1", "::1"]),
]


@pytest.mark.parametrize("kind", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize("before, where, after", RELOADS, ids=lambda value: str(value))
def test_a_reload_onto_an_address_that_another_serves(daemon, needs_ipv6, before, where, after, kind, fresh):
    """Whether bywayd has sockets beside it already or not. The old configuration stays."""
    daemon.set({"listen": [endpoint(host, daemon.port) for host in before]})
    daemon.start()
    with neighbour(where, daemon.port, kind):
        daemon.set({"listen": [endpoint(host, daemon.port) for host in after]})
        done = daemon.ctl("reload")
        assert done.returncode == 1 and "another process serves" in done.stderr
        assert ask(endpoint("127.0.0.1", daemon.port), fresh("open")).addresses == [DOMESTIC]
    daemon.control("reload")


def said_of_neighbours(daemon):
    """What a reload warns of, but for an external that is plain DNS."""
    return [warning for warning in daemon.control("reload")["warnings"] if "plain DNS" not in warning]


def test_a_reload_that_keeps_an_address_warns_of_who_has_joined(daemon, fresh):
    daemon.start()
    with neighbour("127.0.0.1", daemon.port, UDP):
        warnings = said_of_neighbours(daemon)
        assert len(warnings) == 1 and f"another process serves {daemon.where} (UDP) too" in warnings[0]
        assert [line for line in daemon.warnings() if warnings[0] in line]
        assert warnings[0] in daemon.ctl("reload").stdout + daemon.ctl("reload").stderr
    assert said_of_neighbours(daemon) == []


def test_back_to_an_address_that_was_just_left(daemon, fresh):
    """Its sockets live on for a while, and are no other's."""
    daemon.start()
    elsewhere = endpoint("127.0.0.2", daemon.port)
    for listen in ([elsewhere], [daemon.where], [endpoint("0.0.0.0", daemon.port)], [daemon.where, elsewhere]):
        daemon.set({"listen": listen})
        daemon.control("reload")
        for where in listen:
            for tcp in (False, True):
                at = where.replace("0.0.0.0", "127.0.0.9")
                assert ask(at, fresh("open"), tcp=tcp).addresses == [DOMESTIC]


def test_an_address_that_was_left_is_anothers_now(daemon):
    daemon.start()
    daemon.set({"listen": [endpoint("127.0.0.2", daemon.port)]})
    daemon.control("reload")
    with neighbour("127.0.0.1", daemon.port, UDP):
        daemon.set({"listen": daemon.listen})
        done = daemon.ctl("reload")
        assert done.returncode == 1 and f"another process serves {daemon.where}" in done.stderr


@pytest.mark.parametrize("end", [Daemon.stop, Daemon.kill])
def test_what_a_dead_one_left_in_the_kernel_is_nobodys(daemon, fresh, end):
    """Connections that bywayd had closed itself, and some that were open, linger in the kernel for a minute."""
    daemon.start()
    zone = fresh("open")
    clients = [TcpClient(daemon.where) for _ in range(20)]
    load = Load(daemon.where, "n{}." + zone, rate=200, tcp=True)
    time.sleep(0.5)
    for client in clients[:10]:
        client.send(question(zone).to_wire())
        assert client.receive()
    load.stop()
    for _ in range(3):
        end(daemon)
        daemon.start()
        assert ask(daemon.where, zone, tcp=True).addresses == [DOMESTIC]
    for client in clients:
        client.sock.close()
