"""Fixtures: a stage of scripted upstreams and a bywayd between them."""

import collections
import itertools
import socket
import sys

import pytest

from certificates import Certificates
from daemon import Daemon
from redis_server import Redis, wait_connected
from secure import HANDSHAKE, Secure
from upstream import Stage, World

DOMESTIC = "192.0.2.1"  # marks: an answer's address tells whose it is
SECOND = "192.0.2.2"
EXTERNAL = "198.51.100.1"
OFFICE = "192.0.2.77"
GOOD = [f"good{n}.test" for n in range(8)]  # zones that always work

sys.setswitchinterval(0.0005)  # a waiting thread soon gets its turn: several tests measure milliseconds


@pytest.fixture(scope="session")
def stage():
    stage = Stage()
    yield stage
    stage.close()
    assert not stage.errors, "\n".join(stage.errors)


@pytest.fixture(scope="module")
def world():
    world = World()
    for zone in GOOD:
        world.add(zone)
    return world


def play(stage, world, address, mark):
    upstream = stage.upstream(world, address, mark)
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def shared_domestic(stage, world):
    yield from play(stage, world, "127.0.0.11", DOMESTIC)


@pytest.fixture(scope="module")
def shared_external(stage, world):
    yield from play(stage, world, "127.0.0.13", EXTERNAL)


@pytest.fixture
def domestic(stage, world):
    yield from play(stage, world, "127.0.0.21", DOMESTIC)


@pytest.fixture
def second(stage, world):
    yield from play(stage, world, "127.0.0.22", SECOND)


@pytest.fixture
def external(stage, world):
    yield from play(stage, world, "127.0.0.23", EXTERNAL)


@pytest.fixture
def office(stage, world):
    yield from play(stage, world, "127.0.0.24", OFFICE)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    directory.chmod(0o755)
    return Certificates(directory, "127.0.0.1", *(f"127.0.0.{n}" for n in range(40, 60)))


def play_secure(stage, world, certificates, address, form):
    """No connection to it may begin in plain text, nor anything come by UDP."""
    upstream = stage.upstream(world, address, EXTERNAL, kind=Secure, certificates=certificates, form=form)
    yield upstream
    upstream.stop()
    assert set(upstream.firsts) <= {HANDSHAKE} and upstream.count(transport="udp") == 0


@pytest.fixture
def tls(stage, world, certificates):
    yield from play_secure(stage, world, certificates, "127.0.0.51", "tls")


@pytest.fixture
def https(stage, world, certificates):
    yield from play_secure(stage, world, certificates, "127.0.0.52", "https")


@pytest.fixture
def abroad(forwarder):
    """abroad(upstreams, config): a bywayd with these as its external group, which is asked for all of test."""
    def start(upstreams, config=None):
        return forwarder({"workers": 1, "limits.external_qps": 100000, "zones": [{"zone": "test", "via": "external"}],
                          **(config or {}),
                          "upstreams.external": upstreams})
    return start


@pytest.fixture
def forwarder(domestic, external):
    """forwarder(config, …): a running bywayd between `domestic` and `external`, or the lists given."""
    daemons = []

    def start(config=None, domestics=None, externals=None, **options):
        daemon = Daemon(domestics or [domestic], externals or [external], config, **options)
        daemons.append(daemon)
        return daemon.start()
    yield start
    errors = []
    for daemon in daemons:
        try:
            daemon.close()
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path / "redis").start()
    yield server
    server.kill()


@pytest.fixture
def node(forwarder, redis):
    """node("a", vantage, config): a bywayd of that name, connected to its peers. `more`: further keys of `cluster`."""
    def start(name, vantage="cn", config=None, connected=True, extra=None, **more):
        daemon = forwarder({**redis.settings(name, vantage, **more), "workers": 1, **(config or {})}, extra=extra)
        if connected:
            wait_connected(daemon)
        return daemon
    return start


@pytest.fixture(scope="module")
def byway(shared_domestic, shared_external):
    """One bywayd for a whole file, for tests that leave it as they found it."""
    daemon = Daemon([shared_domestic], [shared_external])
    daemon.start()
    yield daemon
    daemon.close()


_serial = collections.Counter()
_warmth = itertools.count()


@pytest.fixture(scope="module")
def fresh(world):
    """fresh("open"): a zone of the world that nobody has asked for yet."""
    def make(stem, **options):
        _serial[stem] += 1
        zone = f"{stem}{_serial[stem]}.test"
        world.add(zone, **options)
        return zone
    return make


@pytest.fixture(scope="session")
def needs_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this host has no IPv6 loopback")


def warm(daemon, zones=GOOD[:3]):
    """Asks zones that work something new, so that bywayd knows some that are good."""
    for zone in zones:
        assert daemon.ask(f"warm{next(_warmth)}.{zone}").rcode == "NOERROR"


def learn(daemon, domestic, zone, failure):
    """Lets domestic fail the zone until bywayd holds it for blocked; its entry."""
    warm(daemon)
    domestic.set(zone, failure)
    for n in range(3):
        assert daemon.ask(f"learn{n}.{zone}").addresses == [EXTERNAL]
    return daemon.wait_state(f"{zone}.", "blocked")


def pytest_configure(config):
    config.addinivalue_line("markers", "release: only for a release build: size and speed")
    config.addinivalue_line("markers", "nightly: too slow for scripts/test, by hand")
    config.addinivalue_line("markers", "tsan: only for a build with ThreadSanitizer")
