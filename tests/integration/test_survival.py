"""What was learned survives kill -9 at any moment and any byte, a disk that is full, slow or gone, and a clock that is
set. The daemon lives in weather.c: its calendar clock, its disk and the moment of its death are the test's to choose."""

import contextlib
import itertools
import mmap
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from unittest import mock

import pytest

from client import parse_endpoint, question
from conftest import warm
from daemon import Daemon, program
from upstream import Resolve, Sequence, Servfail

SLACK = 1.0  # seconds: what was reported as blocked that long before a kill may not be lost
LONG = ".".join(["x" * 56] * 4)  # makes records large, and so compactions frequent
LEARNED = re.compile(r"zone (\S+): \w+ -> blocked")


class Weather:
    """struct forecast of weather.c, shared with the daemon; names of fields become attributes."""

    FIELDS = ("clock_s", "sync_ms", "sync_errno", "bytes_left", "calls_left", "snapshot")

    def __init__(self, library, path):
        path.write_bytes(struct.pack("6q", 0, 0, 0, -1, -1, -1))
        with open(path, "r+b") as file:
            self.__dict__["_map"] = mmap.mmap(file.fileno(), 0)
        # a sanitizer wants to be first in the list
        libraries = [line.split()[2] for line in
                     subprocess.run(["ldd", program("bywayd")], capture_output=True, text=True, check=True)
                     .stdout.splitlines() if "libasan" in line or "libtsan" in line]
        self.__dict__["environment"] = {"LD_PRELOAD": " ".join([*libraries, library]), "WEATHER": str(path)}

    def __getattr__(self, name):
        return struct.unpack_from("q", self._map, 8 * self.FIELDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("q", self._map, 8 * self.FIELDS.index(name), value)

    def clear_up(self):
        self.clock_s = self.sync_ms = self.sync_errno = 0
        self.bytes_left = self.calls_left = self.snapshot = -1


class Exposed(Daemon):
    """A bywayd that lives in the weather."""

    def __init__(self, weather, *arguments, **options):
        super().__init__(*arguments, **options)
        self.weather = weather

    def spawn(self, *arguments):
        with mock.patch.dict(os.environ, self.weather.environment):
            return super().spawn(*arguments)

    def calls(self, *requests):
        """(method, parameters) each, to the control socket in one go; the results that came back. None: it is dead."""
        lines = [{"jsonrpc": "2.0", "id": n, "method": method, "params": parameters}
                 for n, (method, parameters) in enumerate(requests)]
        try:
            replies = self.rpc(*lines)
        except (OSError, ValueError):
            return None
        results = {reply["id"]: reply.get("result") for reply in replies}
        return [results.get(n) for n in range(len(lines))]

    def call(self, method, **parameters):
        results = self.calls((method, parameters))
        return results and results[0]

    def table(self):
        """{(zone, scope): entry}; None: it is dead."""
        entries = self.call("zones.list")
        return None if entries is None else {(entry["zone"], entry["scope"]): entry for entry in entries}

    def store(self):
        return self.call("status")["store"]


@pytest.fixture(scope="session")
def weather_library(tmp_path_factory):
    path = tmp_path_factory.mktemp("weather") / "weather.so"
    source = pathlib.Path(__file__).with_name("weather.c")
    subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(path), str(source)],
                   check=True)
    return str(path)


@pytest.fixture
def weather(weather_library, tmp_path):
    return Weather(weather_library, tmp_path / "forecast")


@pytest.fixture
def exposed(weather, domestic, external):
    """exposed(config, …): a running bywayd in the weather between `domestic` and `external`."""
    daemons = []

    def start(config=None, **options):
        config = {"learning.recheck_first": "1s", "learning.recheck_max": "4s", "cache.memory": "1MiB", "workers": 2,
                  "log.level": "info", **(config or {})}
        daemon = Exposed(weather, [domestic], [external], config, **options)
        daemons.append(daemon)
        return daemon.start()
    yield start
    weather.clear_up()
    for daemon in daemons:
        daemon.close()


# ---- the storm ----


class Ledger:
    """What a daemon has said of its zones, and so must, may and must not say after its next start."""

    def __init__(self):
        self.failing = set()  # (zone, scope) that domestic fails: nothing else may ever be listed
        self.listed = set()  # (zone, scope) that `zones` showed as blocked: such a reply waits for the disk
        self.logged = {}  # (zone, scope) -> when the log was seen to say that it is blocked: this does not
        self.words = {}  # zone -> notes of its pins in the order they were sent; None: unpinned
        self.kept = {}  # zone -> how many of them were acknowledged

    def read_table(self, table):
        self.listed |= {key for key, entry in table.items() if entry["state"] == "blocked"}

    def read_log(self, text):
        for zone in LEARNED.findall(text):
            self.logged.setdefault((zone, "name" if zone.startswith("bad.") else "zone"), time.monotonic())

    def forget(self, key):
        self.listed.discard(key)
        self.logged.pop(key, None)

    def check(self, table, killed_at):
        """`table`: after the start that followed the kill."""
        learned = {key: entry for key, entry in table.items() if entry["state"] != "clear"}
        assert not set(learned) - self.failing, f"invented: {sorted(set(learned) - self.failing)}"
        odd = [entry for entry in learned.values() if entry["state"] != "blocked" or entry["reason"] == "timeout"]
        assert not odd
        due = self.listed | {key for key, when in self.logged.items() if killed_at - when > SLACK}
        assert not due - set(learned), f"lost: {sorted(due - set(learned))}"
        self.listed = set(learned)
        self.logged = {}
        for zone, words in self.words.items():
            entry = table.get((zone, "zone"))
            note = entry["note"] if entry else None
            assert note in words[self.kept[zone] - 1:], f"{zone}: {note}; of {words} {self.kept[zone]} were kept"
            self.words[zone], self.kept[zone] = [note], 1
        others = {zone for (zone, _), entry in table.items() if entry["source"] == "pinned"} - set(self.words)
        assert not others, f"pins that nobody made: {others}"


class Storm:
    """Traffic, and deaths."""

    def __init__(self, daemon, domestic, world, dice):
        self.daemon, self.domestic, self.world, self.dice = daemon, domestic, world, dice
        self.ledger = Ledger()
        self.zones = []  # dictionaries of the zones that are asked for
        self.serial = itertools.count()
        self.read = 0  # bytes of the log
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.where = parse_endpoint(daemon.where)

    def new_zones(self):
        """Zones that fail, zones of which one name fails, zones that fail once, and zones that never do. Some that fail
        are not asked for: another node knows them."""
        self.zones = []
        for _ in range(5):
            zones = {kind: f"{kind}{next(self.serial)}.test" for kind in ("lost", "given", "part", "doubted", "fine")}
            for kind, zone in zones.items():
                self.world.add(zone)
                if kind in ("lost", "given"):
                    self.domestic.set(zone, Servfail())
                    self.ledger.failing.add((f"{zone}.", "zone"))
            self.domestic.set_name(f"bad.{zones['part']}", Servfail())
            self.domestic.set_name(f"once.{zones['doubted']}", Sequence([Servfail(), Resolve()]))
            self.ledger.failing.add((f"bad.{zones['part']}.", "name"))
            self.zones.append(zones)
        self.gifts = [zones["given"] for zones in self.zones]

    def ask(self):
        """Nobody waits for the answers."""
        for zones in self.zones:
            n = self.dice.randrange(10 ** 6)
            for qname in (f"n{n}.{zones['lost']}", f"bad.{zones['part']}", f"once.{zones['doubted']}",
                          f"n{n}.{zones['fine']}", f"n{n}.{zones['part']}"):
                with contextlib.suppress(OSError):
                    self.sock.sendto(question(qname).to_wire(), self.where)

    def pin(self, count):
        """Operators at work: pins with notes, and some taken back. What was acknowledged is on disk."""
        requests = []
        for _ in range(count):
            zone = f"pin{self.dice.randrange(20)}.{LONG}."
            words = self.ledger.words.setdefault(zone, [None])
            self.ledger.kept.setdefault(zone, 1)
            if words[-1] is not None and self.dice.random() < 0.1:
                requests.append(("zones.unpin", {"zone": zone}))
                words.append(None)
            else:
                words.append(f"{self.dice.randrange(10 ** 9)}-".ljust(250, "n"))
                requests.append(("zones.pin", {"zone": zone, "via": "external", "note": words[-1]}))
        sent = {zone: len(words) for zone, words in self.ledger.words.items()}
        results = self.daemon.calls(*requests)
        if results and None not in results:
            self.ledger.kept.update(sent)

    def forget(self):
        """One that was blocked is repaired, and the operator says so."""
        zone = next((zone for zone, scope in sorted(self.ledger.listed) if scope == "zone"), None)
        if zone is None:
            return
        self.domestic.clear(zone)
        self.ledger.forget((zone, "zone"))
        if self.daemon.call("zones.forget", zone=zone):
            self.ledger.failing.discard((zone, "zone"))

    def give(self):
        if self.gifts:
            self.daemon.call("zones.import", zones=[{"zone": self.gifts.pop(), "state": "blocked"}])

    def look(self):
        """True: it lives."""
        with open(self.daemon.directory / "log", "rb") as log:
            log.seek(self.read)
            text = log.read()
        self.read += text.rfind(b"\n") + 1
        self.ledger.read_log(text.decode())
        table = self.daemon.table()
        if table is None:
            return False
        self.ledger.read_table(table)
        return True

    def blow(self, seconds, pins):
        """Until the daemon dies of the weather, but no longer than that: then by SIGKILL, whatever it is doing. Returns
        the last moment at which it surely lived."""
        process = self.daemon.process
        last = [time.monotonic()]

        def shoot():
            if process.poll() is None:
                last[0] = time.monotonic()
            process.kill()

        timer = threading.Timer(seconds, shoot)
        timer.start()
        for turn in itertools.count():
            if turn % 8 == 0:
                self.ask()
            if turn % 3 == 0:
                self.pin(pins)
            if turn % 5 == 2:
                self.give()
            if turn == 10:
                self.forget()
            now = time.monotonic()
            if not self.look():
                break
            last[0] = max(last[0], now)
            time.sleep(self.dice.random() * 0.02)
        process.wait(10)
        timer.cancel()
        timer.join()
        assert process.returncode == -signal.SIGKILL, f"{process.returncode}\n{self.daemon.log()[-4000:]}"
        self.daemon.process = None
        return last[0]

    def round(self, kind, phase):
        weather = self.daemon.weather
        warm(self.daemon)
        self.new_zones()
        if kind == "compaction":
            weather.snapshot = phase
            killed_at = self.blow(6.0, pins=150)
        else:
            if kind == "byte":
                weather.bytes_left = self.dice.randrange(1, 30000)
            killed_at = self.blow(self.dice.uniform(*((5.0, 6.5) if kind == "long" else (0.1, 1.5))), pins=2)
        weather.clear_up()
        if kind == "start":
            for _ in range(3):
                self.daemon.spawn()
                time.sleep(self.dice.uniform(0, 0.05))
                self.daemon.kill()
        self.daemon.start()
        self.ledger.check(self.daemon.table(), killed_at)


def test_kill_9_storm(exposed, domestic, world):
    """Nothing that was reported is lost, and nothing is listed that never was so."""
    seed = int(os.environ.get("BYWAY_SEED", random.randrange(10 ** 6)))
    print(f"BYWAY_SEED={seed}")
    dice = random.Random(seed)
    rounds = [("compaction", phase) for phase in range(9)]
    rounds += 6 * [("byte", 0)] + 4 * [("moment", 0)] + 3 * [("start", 0)] + 2 * [("long", 0)]
    dice.shuffle(rounds)
    storm = Storm(exposed(), domestic, world, dice)
    for number, (kind, phase) in enumerate(rounds):
        print(f"round {number}: {kind} {phase}, {len(storm.ledger.listed)} zones")
        storm.round(kind, phase)
    assert len(storm.ledger.listed) > 40, "the storm was a breeze"
    assert not [path.name for path in storm.daemon.state.iterdir() if ".bad-" in path.name], "a kill damages nothing"
