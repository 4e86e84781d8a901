"""Memory that runs out, at each place where byway or one of its libraries asks for some (famine.c): it does not crash,
leaks nothing, loses no query, forgets no verdict that it told of, and is whole again when there is memory."""

import concurrent.futures
import contextlib
import http.client
import itertools
import json
import mmap
import os
import pathlib
import socket
import struct
import subprocess
import time

import dns.exception
import pytest

from client import Load, TcpClient, ask, question, udp_exchange
from conftest import DOMESTIC, EXTERNAL, GOOD, learn, warm
from daemon import Daemon, program, run, wait_for
from upstream import Resolve, Servfail, Truncate, endpoint, free_port
from web import request

FOREVER = 1 << 40


class Famine:
    """struct famine of famine.c, shared with the daemon; names of fields become attributes."""

    FIELDS = ("nth", "one_in", "chance", "failed")

    def __init__(self, library, path):
        path.write_bytes(struct.pack("4q", -1, 0, 1, 0))
        with open(path, "r+b") as file:
            self.__dict__["_map"] = mmap.mmap(file.fileno(), 0)
        leaks = path.with_suffix(".leaks")
        leaks.write_text("leak:libldns\n")  # when it is refused memory itself: other tests see what we do not give back
        self.__dict__["environment"] = {"LD_PRELOAD": library, "FAMINE": str(path),
                                        "LSAN_OPTIONS": f"suppressions={leaks}:print_suppressions=0"}

    def __getattr__(self, name):
        return struct.unpack_from("q", self._map, 8 * self.FIELDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("q", self._map, 8 * self.FIELDS.index(name), value)

    def end(self):
        self.nth, self.one_in = -1, 0


class Starving(Daemon):
    """A bywayd in a famine."""

    def __init__(self, famine, *arguments, **options):
        super().__init__(*arguments, **options)
        self.famine = famine
        self.extra = famine.environment

    def call(self, method, parameters=None):
        """The reply; None: it closed the connection before the line was whole."""
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters or {}})
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(ConnectionError):
            sock.settimeout(10)
            sock.connect(self.socket)
            sock.sendall(line.encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                piece = sock.recv(1 << 16)
                if not piece:
                    return None
                data += piece
            return json.loads(data)
        return None

    @contextlib.contextmanager
    def plenty(self):
        """Memory enough for what the test asks meanwhile."""
        before = self.famine.nth, self.famine.one_in
        self.famine.end()
        yield
        self.famine.nth, self.famine.one_in = before

    def walk(self, act):
        """Calls act() with its first allocation failing, then the second, until none fails any more; the count."""
        for nth in itertools.count():
            self.famine.nth = nth
            act()
            over, self.famine.nth = self.famine.nth >= 0, -1
            assert self.process.poll() is None, (nth, self.log()[-6000:])
            if over:
                return nth


@pytest.fixture(scope="session")
def famine_library(tmp_path_factory):
    path = tmp_path_factory.mktemp("famine") / "famine.so"
    source = pathlib.Path(__file__).with_name("famine.c")
    subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-shared", "-fPIC",
                    "-o", str(path), str(source)], check=True)
    return str(path)


@pytest.fixture
def famine(famine_library, tmp_path):
    return Famine(famine_library, tmp_path / "famine")


@pytest.fixture
def starving(famine, domestic, external):
    """starving(config, …): a running bywayd between `domestic` and `external` whose memory is the test's to take."""
    daemons = []

    def start(config=None, **options):
        config = {"workers": 1, "cache.memory": "1MiB", "log.level": "info", **(config or {})}
        daemon = Starving(famine, [domestic], [external], config, **options)
        daemons.append(daemon)
        return daemon.start()
    yield start
    famine.end()
    for daemon in daemons:
        daemon.close()


# ---- what the control socket is asked ----


def outline(result):
    """The keys of a result and of what it lists: with one missing it is not whole."""
    if isinstance(result, list):
        return [outline(element) for element in result]
    return sorted({*result} - {"stored"}), outline(result.get("zones", [])) if isinstance(result.get("zones"), list) else None


def requests(zone, exported, upstream):
    """(method, parameters, what is asked before each of its turns)"""
    pin = ("zones.pin", {"zone": "pinned.test", "via": "external", "note": "by hand", "for": "1h"})
    unpin = ("zones.unpin", {"zone": "pinned.test"})
    bring = ("zones.import", {"zones": [*exported, {"zone": "brought.test", "scope": "zone", "state": "blocked"}]})
    forget = ("zones.forget", {"zone": "brought.test"})
    for method in ("status", "stats", "upstreams.list", "zones.list", "zones.export"):
        yield method, {}, None
    yield "upstreams.try", {"upstream": f"tcp://{upstream}", "censored": zone}, None
    yield "zones.show", {"zone": zone}, None
    yield "zones.probe", {"zone": zone}, None
    yield "cache.show", {"name": f"learn0.{zone}"}, None
    yield "cache.flush", {"under": "nowhere.test"}, None
    yield *pin, unpin
    yield *unpin, pin
    yield *bring, forget
    yield *forget, bring


def test_every_request(starving, fresh, domestic, external):
    """The reply is whole, or an error, or the connection closes; what it says was done is done."""
    daemon = starving()
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    exported = daemon.call("zones.export")["result"]["zones"]

    def turn(method, parameters, before, whole):
        if before:
            with daemon.plenty():
                daemon.call(*before)
        reply = daemon.call(method, parameters)
        if not reply or "error" in reply:
            return
        assert outline(reply["result"]) == whole, (method, reply)
        if not before:
            return
        with daemon.plenty():
            zones = {entry["zone"]: entry for entry in daemon.call("zones.list")["result"]}
        pin = zones.get("pinned.test.")
        assert (method != "zones.pin" or pin["note"] == "by hand") and (method != "zones.unpin" or not pin)
        assert method != "zones.forget" or "brought.test." not in zones
        assert method != "zones.import" or bool(reply["result"]["imported"]) == ("brought.test." in zones)

    for method, parameters, before in requests(zone, exported, external):
        if before:
            daemon.call(*before)
        whole = outline(daemon.call(method, parameters)["result"])
        assert daemon.walk(lambda: turn(method, parameters, before, whole)) > 20, method
    assert daemon.ask(f"x.{GOOD[0]}").addresses == [DOMESTIC]
    assert daemon.zones()[f"{zone}."]["state"] == "blocked"


def test_tries_by_tls(starving, tls, fresh):
    """What OpenSSL and nghttp2 are refused, too: another problem, maybe, but never a certificate that is not good."""
    daemon = starving()
    good, bad = {"upstream": tls.upstream(), "censored": fresh("open")}, {"upstream": str(tls)}
    whole = sorted(daemon.call("upstreams.try", good)["result"])
    daemon.famine.one_in = 600
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for params in (good, bad):
            reply = daemon.call("upstreams.try", params)
            if reply and "result" in reply:
                assert sorted(reply["result"]) == whole and not (reply["result"]["reachable"] and params is bad)
    assert daemon.famine.failed > 10
    daemon.famine.end()
    assert daemon.call("upstreams.try", good)["result"]["reachable"]


def test_every_page(starving, domestic, fresh):
    """It is whole, or an error, or the connection closes; and the next one is there."""
    where = endpoint("127.0.0.1", free_port("127.0.0.1"))
    daemon = starving({"metrics.listen": where})
    learn(daemon, domestic, zone := fresh("blocked"), Servfail())

    def turn(path, marks):
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            status, _, text = request(where, path)
            assert status == 500 or (status == 200 and all(mark in text for mark in marks)), (path, status, text)
    for path, marks in (("/", (zone, "</html>")), (f"/?under={zone}", (zone, "</html>")), ("/metrics", ("\nprocess_start_time",))):
        assert daemon.walk(lambda path=path, marks=marks: turn(path, marks)) > 3, path
        assert request(where, path)[0] == 200


# ---- the configuration is read again ----


def test_every_reload(starving, fresh, second):
    """It is all or nothing; what it moved to is served, and what it left is not."""
    daemon = starving()
    zone = fresh("open")
    other = endpoint("127.0.0.3", free_port("127.0.0.3"))
    little = {"listen": daemon.listen, "workers": 2, "upstreams.domestic": daemon.config["upstreams"]["domestic"]}
    much = {"listen": [*daemon.listen, other], "workers": 1, "zones": [{"zone": "corp.test", "via": "domestic"}],
            "upstreams.domestic": [*little["upstreams.domestic"], str(second)]}
    serial = itertools.count()
    is_much = False

    def served():
        """Whether queries to `other` are answered; those to the first address always are."""
        assert daemon.ask(f"n{next(serial)}.{zone}").rcode == "NOERROR"
        wire = udp_exchange(other, question(f"n{next(serial)}.{zone}").to_wire(), 0.1)
        return wire is not None

    def turn():
        nonlocal is_much
        daemon.set(little if is_much else much)
        reply = daemon.call("reload")
        with daemon.plenty():
            done = len(daemon.call("upstreams.list")["result"]) == (2 if is_much else 3)
            assert done or not reply or "result" not in reply
            is_much = is_much != done
            if is_much:
                wait_for(served, 5, "the new address is served")
                assert ask(other, zone, tcp=True).rcode == "NOERROR"
            else:
                wait_for(lambda: not served(), 5, "the old address is left")
    assert daemon.walk(turn) > 100
    assert daemon.ask(zone).rcode == "NOERROR"


# ---- queries ----


@pytest.mark.parametrize("road", ["udp", "tcp", "upstream_tcp", "external"])
def test_every_query(starving, fresh, domestic, road):
    """An answer, or SERVFAIL, by the deadline; over TCP the connection may close instead, and the client asks again."""
    daemon = starving({"fallback.deadline": "1s"})
    zone = fresh("open")
    domestic.set(zone, {"upstream_tcp": Truncate(), "external": Servfail()}.get(road, Resolve()))
    serial = itertools.count()

    def turn():
        name = f"n{next(serial)}.{zone}"
        if road == "tcp":
            with TcpClient(daemon.where, timeout=3) as client:
                client.send(question(name).to_wire())
                wire = client.receive()
            assert wire is None or wire[3] & 15 in (0, 2)
        else:
            reply = daemon.ask(name, timeout=3)
            assert reply.rcode in ("NOERROR", "SERVFAIL") and reply.elapsed < 2
    for _ in range(3):
        assert daemon.walk(turn) > 0
    assert daemon.ask(f"whole.{zone}", tcp=road == "tcp").rcode == "NOERROR"


def test_a_famine(starving, domestic, fresh):
    """One allocation of 20 fails, for seconds: verdicts that were told of stand, also after a restart, and none is
    invented; afterwards all is as ever."""
    daemon = starving({"workers": 2, "learning.recheck_first": "1s", "learning.recheck_max": "2s"})
    shut, open_zone = [fresh("shut") for _ in range(6)], fresh("open")
    warm(daemon)
    for zone in shut:
        domestic.set(zone, Servfail())
    daemon.famine.one_in = 20
    loads = [Load(daemon.where, f"n{{}}.{zone}", rate=20) for zone in (*shut, open_zone)]
    loads.append(Load(daemon.where, f"t{{}}.{open_zone}", rate=50, tcp=True))
    told = set()
    end = time.monotonic() + 3
    while time.monotonic() < end or (not told and time.monotonic() < end + 20):
        daemon.call("reload")
        daemon.call("zones.list")
        with daemon.plenty():
            told |= {entry["zone"] for entry in daemon.call("zones.list")["result"] if entry["state"] == "blocked"}
        assert daemon.process.poll() is None, daemon.log()[-6000:]
    for load in loads:
        load.stop()
    assert told and daemon.famine.failed > 100
    daemon.famine.end()
    for load in loads[:-1]:
        assert not load.lost and {reply.rcode for reply in load.replies} <= {"NOERROR", "SERVFAIL"}, load.lost[:3]
    assert loads[-1].replies and all("closed" in why or "no answer" in why for _, why in loads[-1].lost)
    listed = {f"{zone}." for zone in shut}
    assert told <= set(daemon.zones()) <= listed, daemon.log()[-4000:]
    for zone in shut:
        assert daemon.ask(f"after.{zone}").addresses == [EXTERNAL]
    for zone in listed:
        daemon.wait_state(zone, "blocked")
    daemon.restart()
    assert set(daemon.zones(state="blocked")) == listed
    assert daemon.ask(f"after.{open_zone}", tcp=True).addresses == [DOMESTIC]


# ---- the start ----


def starts(daemon, nth):
    """Whether it came up, or ended with 1 and a reason; None: no allocation failed."""
    daemon.famine.nth = nth
    process = daemon.spawn()
    wait_for(lambda: process.poll() is not None or any("READY=1" in notice for notice in daemon.notices), 20, "a start",
             every=0.01)
    came_up = process.poll() is None
    failed, daemon.famine.nth = daemon.famine.nth < 0, -1
    if came_up:
        daemon.stop()
    else:
        daemon.process = None
        daemon.check_log()
        assert process.returncode == 1 and "error" in daemon.log(), (nth, process.returncode, daemon.log()[-2000:])
    daemon.log_path.unlink()
    return came_up if failed else None


STEP = int(os.environ.get("FAMINE_STEP", "4"))  # 1: every allocation, a minute


def test_starts(famine_library, tmp_path, domestic, external):
    """From the first allocation after the configuration was read (what is before is test_settings.c's)."""
    config = {"workers": 1, "cache.memory": "1MiB"}
    walkers = [Starving(Famine(famine_library, tmp_path / f"famine{n}"), [domestic], [external], config)
               for n in range(4)]
    famine = walkers[0].famine
    famine.nth = FOREVER
    assert run(program("bywayd"), "-c", str(walkers[0].path), "--check", **famine.environment).returncode == 0
    first = FOREVER - famine.nth
    nths = itertools.count(first, STEP)

    def walk(daemon):
        seen = []
        while (result := starts(daemon, next(nths))) is not None:
            seen.append(result)
        daemon.close()
        return seen
    with concurrent.futures.ThreadPoolExecutor(len(walkers)) as pool:
        seen = sum(pool.map(walk, walkers), [])
    assert seen.count(False) > 50 / STEP
