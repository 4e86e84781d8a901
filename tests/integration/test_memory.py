"""Memory that runs out, at each place where byway or one of its libraries asks for some (famine.c): it does not crash,
leaks nothing, loses no query, forgets no verdict that it told of, and is whole again when there is memory."""

import concurrent.futures
import contextlib
import itertools
import json
import mmap
import os
import pathlib
import socket
import struct
import subprocess
import time
from unittest import mock

import dns.exception
import pytest

from client import Load, TcpClient, ask, question, udp_exchange
from conftest import DOMESTIC, EXTERNAL, GOOD, learn, warm
from daemon import Daemon, program, run, wait_for
from upstream import Servfail, endpoint, free_port

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

    def spawn(self, *arguments):
        with mock.patch.dict(os.environ, self.famine.environment):
            return super().spawn(*arguments)

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
        nth, self.famine.nth = self.famine.nth, -1
        yield
        self.famine.nth = nth

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


def requests(zone, exported):
    """(method, parameters, what is asked before each of its turns)"""
    pin = ("zones.pin", {"zone": "pinned.test", "via": "external", "note": "by hand", "for": "1h"})
    unpin = ("zones.unpin", {"zone": "pinned.test"})
    bring = ("zones.import", {"zones": [*exported, {"zone": "brought.test", "scope": "zone", "state": "blocked"}]})
    forget = ("zones.forget", {"zone": "brought.test"})
    for method in ("status", "stats", "upstreams.list", "zones.list", "zones.export"):
        yield method, {}, None
    yield "zones.show", {"zone": zone}, None
    yield "zones.probe", {"zone": zone}, None
    yield "cache.show", {"name": f"learn0.{zone}"}, None
    yield "cache.flush", {"under": "nowhere.test"}, None
    yield *pin, unpin
    yield *unpin, pin
    yield *bring, forget
    yield *forget, bring


def test_every_request(starving, fresh, domestic):
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

    for method, parameters, before in requests(zone, exported):
        if before:
            daemon.call(*before)
        whole = outline(daemon.call(method, parameters)["result"])
        assert daemon.walk(lambda: turn(method, parameters, before, whole)) > 20, method
    assert daemon.ask(f"x.{GOOD[0]}").addresses == [DOMESTIC]
    assert daemon.zones()[f"{zone}."]["state"] == "blocked"


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
