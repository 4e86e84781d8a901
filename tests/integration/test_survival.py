"""What was learned survives kill -9 at any moment and any byte, a disk that is full, slow or gone, and a clock that
is set. The daemon lives in weather.c: its calendar clock, its disk and its last moment are the test's to choose."""

import calendar
import contextlib
import errno
import itertools
import mmap
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from unittest import mock

import dns.name
import pytest

from client import Load, parse_endpoint, question
from conftest import DOMESTIC, EXTERNAL, GOOD, learn, warm
from daemon import Daemon, has_sanitizers, program, wait_for
from upstream import Resolve, Sequence, Servfail, free_port

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
    subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(path),
                    str(source)], check=True)
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
        self.repaired = set()  # (zone, scope) that domestic failed once: each recheck may end what is believed of them
        self.listed = set()  # (zone, scope) that `zones` showed as blocked: such a reply waits for the disk
        self.logged = {}  # (zone, scope) -> when the log was seen to say that it is blocked: this does not
        self.words = {}  # zone -> notes of its pins in the order they were sent; None: unpinned
        self.kept = {}  # zone -> how many of them were acknowledged

    def read_table(self, table):
        self.listed |= {key for key, entry in table.items() if entry["state"] == "blocked"}

    def read_log(self, text):
        for zone in LEARNED.findall(text):
            self.logged.setdefault((zone, "name" if zone.startswith("bad.") else "zone"), time.monotonic())

    def check(self, table, killed_at):
        """`table`: after the start that followed the kill."""
        learned = {key: entry for key, entry in table.items() if entry["state"] != "clear"}
        assert not set(learned) - self.failing, f"invented: {sorted(set(learned) - self.failing)}"
        odd = [entry for key, entry in learned.items() if entry["reason"] == "timeout" or entry["state"] not in
               (("blocked", "recovering") if key in self.repaired else ("blocked",))]
        assert not odd
        due = self.listed | {key for key, when in self.logged.items() if killed_at - when > SLACK}
        lost = due - set(learned) - self.repaired
        assert not lost, f"lost: {sorted(lost)}"
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
        candidates = sorted(self.ledger.listed - self.ledger.repaired)
        zone = next((zone for zone, scope in candidates if scope == "zone"), None)
        if zone is None:
            return
        self.domestic.clear(zone)
        self.ledger.repaired.add((zone, "zone"))
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
        text = text[:text.rfind(b"\n") + 1]
        self.read += len(text)
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
    rounds = [("compaction", phase) for phase in range(14)]
    rounds += 6 * [("byte", 0)] + 4 * [("moment", 0)] + 3 * [("start", 0)] + [("long", 0)]
    dice.shuffle(rounds)
    storm = Storm(exposed(), domestic, world, dice)
    for number, (kind, phase) in enumerate(rounds):
        print(f"round {number}: {kind} {phase}, {len(storm.ledger.listed)} zones")
        storm.round(kind, phase)
    assert len(storm.ledger.listed) > 40, "the storm was a breeze"
    assert not [path.name for path in storm.daemon.state.iterdir() if ".bad-" in path.name], "a kill damages nothing"


# ---- files cut and corrupted ----

HEADER, FRAME = 20, 8  # bytes (docs/state.md)
SCOPES = ("zone", "name", "type")


def frames(data):
    """[(where it begins, where it ends, record)] of a state file."""
    found, at = [], HEADER
    while at < len(data):
        length = struct.unpack_from("!I", data, at)[0]
        if length:
            found.append((at, at + FRAME + length, data[at + FRAME:at + FRAME + length]))
        at += FRAME + length
    return found


def statement(record):
    """Of a pin, by docs/state.md; of a forget only its zone."""
    at = 5
    for _text in ("vantage", "node"):
        at += 2 + struct.unpack_from("!H", record, at)[0]
    stamp = struct.unpack_from("!QI", record, at)
    length = struct.unpack_from("!H", record, at + 12)[0]
    zone = dns.name.from_wire(record, at + 14)[0].to_text()
    note = re.search(rb"note-\d+", record)
    pin = record[at + 14 + length] if record[1] == 1 else None
    return {"zone": zone, "stamp": stamp, "pin": pin, "taken_back": pin == 0, "note": note and note.group().decode()}


def replayed(records):
    """{(zone, scope): note or None} after these records; only their heads and the notes are looked at."""
    table, words = {}, {}
    for record in records:
        if record[:1] == b"A":
            word = statement(record)
            words[word["zone"]] = max(words.get(word["zone"], word), word, key=lambda word: word["stamp"])
            continue
        _version, kind, scope, _type, _length = struct.unpack_from("!BBBHH", record)
        key = (dns.name.from_wire(record, 7)[0].to_text(), SCOPES[scope])
        note = re.search(rb"note-\d+", record)
        table[key] = note and note.group().decode()
        if kind == 2:
            del table[key]
    for zone, word in words.items():  # a pin whose zone is lost stands by the word for it
        if word["pin"]:
            table.setdefault((zone, "zone"), word["note"])
        elif word["taken_back"]:
            table.pop((zone, "zone"), None)
    return table


@pytest.fixture
def written(exposed, domestic, fresh):
    """A bywayd killed after it had written a snapshot and a journal, and a copy of both."""
    daemon = exposed({"learning.recheck_first": "1h", "learning.recheck_max": "1d"})

    def write(batch):
        for n in range(4):
            zone = fresh("given")
            domestic.set(zone, Servfail())
            assert daemon.call("zones.import", zones=[{"zone": zone, "state": "blocked"}])["imported"] == 1
            daemon.call("zones.pin", zone=f"pin{n}.test", via="domestic", note=f"note-{batch}{n}")
            daemon.call("zones.pin", zone=f"pin{n}.{zone}", via="external", note=f"note-{batch}{n + 4}")
        daemon.call("zones.forget", zone=zone)
        daemon.call("zones.unpin", zone=f"pin0.{zone}")
        daemon.call("zones.unpin", zone="pin0.test")
    warm(daemon)
    zone = fresh("lost")
    domestic.set(zone, Servfail())
    daemon.ask(f"www.{zone}")
    daemon.wait_state(f"{zone}.", "blocked")
    write(1)
    daemon.restart()
    write(2)
    daemon.kill()
    files = {name: (daemon.state / name).read_bytes() for name in ("snapshot", "journal")}
    assert len(frames(files["snapshot"])) > 8 and len(frames(files["journal"])) > 12
    return daemon, files


def start_with(daemon, files):
    shutil.rmtree(daemon.state)
    daemon.state.mkdir(0o750)
    for name, data in files.items():
        (daemon.state / name).write_bytes(data)
    daemon.start()
    return {key: entry["note"] for key, entry in daemon.table().items()}


def aside(daemon):
    return {path.name: path.read_bytes() for path in daemon.state.iterdir() if ".bad-" in path.name}


def test_files_cut_anywhere(written):
    """A prefix of what was written, whatever the byte; the unit tests do this for every byte of every record."""
    daemon, files = written
    seed = int(os.environ.get("BYWAY_SEED", random.randrange(10 ** 6)))
    print(f"BYWAY_SEED={seed}")
    dice = random.Random(seed)
    snapshot, journal = frames(files["snapshot"]), frames(files["journal"])
    assert start_with(daemon, files) == replayed([record for *_, record in snapshot + journal])
    daemon.kill()
    for name in files:
        last_two = frames(files[name])[-2][0]
        some = [dice.randrange(last_two) for _ in range(20)]
        for at in [*some, 0, HEADER, *range(last_two, len(files[name]))]:
            cut = {**files, name: files[name][:at]}
            kept = [record for _, end, record in snapshot if name != "snapshot" or end <= at]
            kept += [record for _, end, record in journal if name != "journal" or end <= at]
            assert start_with(daemon, cut) == replayed(kept), f"{name} cut at {at} of {len(files[name])}"
            torn = name == "journal" and at >= HEADER
            assert aside(daemon) == ({} if torn else {f"{name}.bad-1": cut[name]})
            daemon.kill()
    daemon.check_log()


def test_files_corrupted_anywhere(written):
    """What lies before the damage is kept, the file too; and the next start finds nothing wrong any more."""
    daemon, files = written
    seed = int(os.environ.get("BYWAY_SEED", random.randrange(10 ** 6)))
    print(f"BYWAY_SEED={seed}")
    dice = random.Random(seed)
    snapshot, journal = frames(files["snapshot"]), frames(files["journal"])
    for name in files:
        for at in [dice.randrange(len(files[name])) for _ in range(12)]:
            data = bytearray(files[name])
            data[at] ^= 1 << dice.randrange(8)
            harmed = {**files, name: bytes(data)}
            kept = [record for _, end, record in snapshot if name != "snapshot" or HEADER <= at and end <= at]
            kept += [record for _, end, record in journal if name != "journal" or HEADER <= at and end <= at]
            expected = replayed(kept)
            assert start_with(daemon, harmed) == expected, f"{name} corrupted at {at} of {len(data)}"
            torn = name == "journal" and at >= journal[-1][0]
            copies = {} if torn else {f"{name}.bad-1": harmed[name]}
            assert aside(daemon) == copies
            wait_for(lambda: torn or daemon.store()["snapshots"] == 1, 5, "a new snapshot", every=0.01)
            daemon.kill()
            daemon.start()
            assert {key: entry["note"] for key, entry in daemon.table().items()} == expected
            assert aside(daemon) == copies
            daemon.kill()
    daemon.check_log()


def crc32c(value, data):
    value ^= 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


@pytest.mark.parametrize("name", ["snapshot", "journal"])
def test_a_record_of_a_newer_version(written, name):
    """It is not understood, and not destroyed either; everything else counts."""
    daemon, files = written
    begin, end, record = frames(files[name])[-2]
    data = bytearray(files[name])
    data[begin + FRAME] = 255
    seed = struct.unpack_from("!I", data, 16)[0]
    struct.pack_into("!I", data, begin + 4, crc32c(seed, data[begin:begin + 4] + data[begin + FRAME:end]))
    kept = [other for file in ("snapshot", "journal") for *_, other in frames(files[file]) if other != record]
    assert len(kept) == len(frames(files["snapshot"])) + len(frames(files["journal"])) - 1
    assert start_with(daemon, {**files, name: bytes(data)}) == replayed(kept)
    assert [line for line in daemon.warnings() if "not known to this version" in line]
    daemon.restart()
    assert aside(daemon) == {f"{name}.bad-1": bytes(data)}


# ---- the disk ----


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(options): remounts the disk under .path with them."""
    path = tmp_path / "disk"
    path.mkdir()

    def mount(options):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(path)], capture_output=True,
                              text=True, check=False)
    done = mount("size=200k")
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")

    def remount(options):
        done = mount(f"remount,{options}")
        assert done.returncode == 0, done.stderr
    remount.path = path
    yield remount
    subprocess.run(["umount", "-l", str(path)], check=True)


class Full:
    def __init__(self, daemon):
        self.ballast = daemon.state.parent / "ballast"  # on the same disk; the directory itself is bywayd's alone

    def begin(self):
        with open(self.ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def end(self):
        self.ballast.unlink()


class Sync:
    """Each sync is slow, or fails."""

    def __init__(self, daemon, **weather):
        self.daemon, self.weather = daemon, weather

    def begin(self):
        for field, value in self.weather.items():
            setattr(self.daemon.weather, field, value)

    def end(self):
        self.daemon.weather.clear_up()


class Moved:
    """Somebody moves the directory away, and puts another in its place, or not."""

    def __init__(self, daemon, replaced):
        self.state, self.replaced = daemon.state, replaced

    def begin(self):
        self.state.rename(self.state.with_name("elsewhere"))
        if self.replaced:
            self.state.mkdir()

    def end(self):
        pass


TROUBLES = {
    "full": Full,
    "slow": lambda daemon: Sync(daemon, sync_ms=3000),
    "failing": lambda daemon: Sync(daemon, sync_errno=errno.EIO),
    "removed": lambda daemon: Moved(daemon, False),
    "replaced": lambda daemon: Moved(daemon, True),
}


def pin_many(daemon, stem):
    """So many bytes that no room left in a page takes them; the seconds it took."""
    began = time.monotonic()
    assert None not in daemon.calls(*[
        ("zones.pin", {"zone": f"{stem}{n}.{LONG}.", "via": "external", "note": "n" * 250}) for n in range(12)])
    return time.monotonic() - began


def pins(table, stem):
    return sum(zone.startswith(stem) and entry["source"] == "pinned" for (zone, _), entry in table.items())


def check_undisturbed(load):
    load.stop()
    assert not load.lost and len(load.replies) > 20
    assert {reply.rcode for reply in load.replies} == {"NOERROR"}
    assert max(reply.elapsed for reply in load.replies) < 0.5 + load.stalled


@pytest.mark.parametrize("what", TROUBLES)
def test_disk_trouble(small_disk, exposed, domestic, fresh, what):
    """DNS goes on, people are told, and what was learned meanwhile is on disk when it is over."""
    state = small_disk.path / "state"
    daemon = exposed({"state": str(state), "learning.recheck_first": "1h", "learning.recheck_max": "1d"})
    daemon.state = state
    pin_many(daemon, "before")
    trouble = TROUBLES[what](daemon)
    trouble.begin()
    load = Load(daemon.where, "h{}." + GOOD[0], rate=100)
    zone = fresh("lost")
    learn(daemon, domestic, zone, Servfail())
    assert pin_many(daemon, "amid") < 4.0  # a control reply waits for the disk, but not for ever
    wait_for(lambda: daemon.store()["failures"] > 0, 5, "counted")
    if what in ("full", "slow", "failing"):
        wait_for(lambda: daemon.store()["failing"], 5, "reported")
        assert "cannot be written" in daemon.ctl("status").stdout
    assert [line for line in daemon.warnings() if "state: " in line]
    time.sleep(1)
    trouble.end()
    wait_for(lambda: not daemon.store()["failing"] and daemon.store()["synced"] == daemon.store()["appended"], 10,
             "healed")
    check_undisturbed(load)
    assert [line for line in daemon.warnings() if "works again" in line]
    daemon.kill()
    daemon.start()
    table = daemon.table()
    assert table[f"{zone}.", "zone"]["state"] == "blocked"
    assert (pins(table, "before"), pins(table, "amid")) == (12, 12)


@pytest.mark.parametrize("what", ["read-only", "full"])
def test_a_start_in_disk_trouble(small_disk, exposed, domestic, fresh, what):
    """What is there is read, it learns as ever, and writes when it can."""
    state = small_disk.path / "state"
    daemon = exposed({"state": str(state), "learning.recheck_first": "1h", "learning.recheck_max": "1d"})
    daemon.state = state
    pin_many(daemon, "before")
    daemon.kill()
    full = Full(daemon)
    if what == "full":
        full.begin()
    else:
        small_disk("ro")
    daemon.start()
    assert pins(daemon.table(), "before") == 12
    load = Load(daemon.where, "h{}." + GOOD[0], rate=100)
    zone = fresh("lost")
    learn(daemon, domestic, zone, Servfail())
    assert pin_many(daemon, "amid") < 4.0
    wait_for(lambda: daemon.store()["failing"], 5, "reported")
    assert [line for line in daemon.warnings() if "writing failed" in line]
    time.sleep(1)
    if what == "full":
        full.end()
    else:
        small_disk("rw")
    wait_for(lambda: not daemon.store()["failing"], 10, "healed")
    check_undisturbed(load)
    daemon.kill()
    daemon.start()
    table = daemon.table()
    assert table[f"{zone}.", "zone"]["state"] == "blocked"
    assert (pins(table, "before"), pins(table, "amid")) == (12, 12)


@pytest.mark.parametrize("sync_ms", [200, 3000])
def test_what_is_acknowledged_amid_a_compaction(exposed, weather, sync_ms):
    """On a slow disk that writes a snapshot: it is on the journal by then, or the reply says that it is not."""
    daemon = exposed()
    batch = 0
    while daemon.store()["journal_bytes"] < 1 << 20:
        pin_many(daemon, f"before{batch}")
        batch += 1
    wait_for(lambda: daemon.store()["snapshots"] > 1, 5, "the compaction is over")
    while daemon.store()["journal_bytes"] < (1 << 20) - 40000:
        pin_many(daemon, "before")
    weather.sync_ms = sync_ms
    threading.Thread(target=lambda: [pin_many(daemon, "amid") for _ in range(4)], daemon=True).start()
    stored = []
    for n in range(8):
        entry = daemon.call("zones.pin", zone=f"word{n}.test", via="external")
        stored += [entry["zone"]] if entry.get("stored", True) else []
    assert len(stored) == (8 if sync_ms < 1000 else len(stored))
    daemon.kill()
    weather.clear_up()
    daemon.start()
    assert not set(stored) - {zone for zone, _ in daemon.table()}


def test_one_daemon_on_a_state_that_is_read_only(small_disk, exposed):
    """Else two would write it when that is over."""
    state = small_disk.path / "state"
    daemon = exposed({"state": str(state)})
    daemon.state = state
    pin_many(daemon, "before")
    daemon.stop()
    small_disk("ro")
    for removed in (False, True):
        daemon.start()
        second = Daemon([], [], {**daemon.config, "listen": [f"127.0.0.1:{free_port('127.0.0.1')}"]})
        second.set({"control.socket": second.socket, "state": str(state)})
        for mode in ("ro", "rw"):
            small_disk(mode)
            assert second.spawn().wait(10) == 1 and "another bywayd" in second.log().splitlines()[-1]
        second.process = None
        second.close()
        daemon.kill()
        if not removed:
            (state / "lock").unlink()
            small_disk("ro")


def test_a_stop_on_a_slow_disk(exposed, weather):
    """It ends in time, and what was on its way to the disk arrives."""
    daemon = exposed()
    pin_many(daemon, "before")  # the first snapshot is through: what waits for a slow one is given up at a stop
    weather.sync_ms = 3000
    pin_many(daemon, "amid")
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 10.0
    weather.clear_up()
    daemon.start()
    table = daemon.table()
    assert (pins(table, "before"), pins(table, "amid")) == (12, 12)


# ---- the clock ----

DAY = 86400
HOUR = 3600


def until(entry, key, weather):
    """Seconds from the daemon's now to that time of an entry."""
    return calendar.timegm(time.strptime(entry[key], "%Y-%m-%dT%H:%M:%SZ")) - (time.time() + weather.clock_s)


def check_rechecks(table, weather, longest):
    for entry in table.values():
        if entry["state"] == "blocked":
            assert until(entry, "next_recheck", weather) <= longest * 1.1 + 1


@pytest.fixture
def aged(exposed, domestic, external, fresh):
    """A bywayd that knows blocked zones, a broken one, and pins; one blocked zone, the broken one, all blocked ones."""
    daemon = exposed({"learning.recheck_first": "1h", "learning.recheck_max": "2h"})
    broken, *lost = [fresh("lost") for _ in range(31)]
    for zone in (broken, *lost):
        domestic.set(zone, Servfail())
    external.set(broken, Servfail())
    warm(daemon)
    daemon.ask(f"www.{broken}")
    daemon.wait_state(f"{broken}.", "broken")
    daemon.call("zones.import", zones=[{"zone": zone, "state": "blocked"} for zone in lost])
    daemon.call("zones.pin", zone="hour.test", via="external", **{"for": "1h"})
    daemon.call("zones.pin", zone="stays.test", via="external")
    return daemon, lost[0], broken, {(f"{zone}.", "zone") for zone in lost}


def blocked(table):
    return {key for key, entry in table.items() if entry["state"] == "blocked"}


@pytest.mark.parametrize("jumps", [(DAY, 0, -DAY), (-DAY, DAY)], ids=["forward", "back"])
def test_the_clock_is_set_while_running(weather, aged, domestic, jumps):
    daemon, lost, broken, listed = aged
    domestic.forget()
    rechecks = daemon.call("stats")["rechecks"]
    began = time.monotonic()
    daemon.call("zones.pin", zone="short.test", via="external", **{"for": "3s"})
    for jump in jumps:
        weather.clock_s = jump
        time.sleep(0.7)
        table = daemon.table()
        assert blocked(table) == listed and table[f"{broken}.", "zone"]["state"] == "broken"
        check_rechecks(table, weather, 2 * HOUR)
        assert abs(until(table["hour.test.", "zone"], "until", weather) - HOUR) < 30
        assert ("stays.test.", "zone") in table
        assert ("short.test.", "zone") in table or time.monotonic() - began > 2.5
        assert daemon.ask(f"n{jump}.{lost}").addresses == [EXTERNAL]
        assert daemon.ask(f"n{jump}.{GOOD[0]}").addresses == [DOMESTIC]
    assert domestic.count(lost) <= 1 and daemon.call("stats")["rechecks"] - rechecks <= 2
    wait_for(lambda: ("short.test.", "zone") not in daemon.table(), began + 4 - time.monotonic(), "the short pin ends")
    # what it writes now, the next start reads by the same clock
    daemon.restart()
    table = daemon.table()
    assert blocked(table) == listed and f"{broken}." in daemon.zones()
    check_rechecks(table, weather, 2 * HOUR)
    assert abs(until(table["hour.test.", "zone"], "until", weather) - HOUR) < 30


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_the_clock_is_set_between_two_starts(weather, aged, jump, end):
    daemon, lost, broken, listed = aged
    getattr(daemon, end)()
    weather.clock_s = jump
    began = time.monotonic()
    daemon.start()
    table = daemon.table()
    assert blocked(table) == listed
    check_rechecks(table, weather, 2 * HOUR)
    assert ("stays.test.", "zone") in table
    if jump > 0:  # a day has passed: the hour is over, and so is a broken zone's time; every recheck is due
        wait_for(lambda: not {("hour.test.", "zone"), (f"{broken}.", "zone")} & set(daemon.table()), 3, "ended")
    else:  # nobody knows how long ago it was written; so it has what it had then
        assert HOUR - 30 < until(table["hour.test.", "zone"], "until", weather) <= HOUR + 1
        assert (f"{broken}.", "zone") in table
    time.sleep(2)
    rechecked = daemon.call("stats")["rechecks"]
    assert (jump > 0) <= rechecked <= time.monotonic() - began + 2, "one a second may be"
    warm(daemon)
    assert daemon.ask(f"again.{lost}").addresses == [EXTERNAL]
    assert blocked(daemon.table()) == listed
    # and right again
    getattr(daemon, end)()
    weather.clock_s = 0
    daemon.start()
    table = daemon.table()
    assert blocked(table) == listed
    check_rechecks(table, weather, 2 * HOUR)
    pin = table.get(("hour.test.", "zone"))
    if jump < 0 and end == "kill":  # the record is that of before, by this clock
        assert abs(until(pin, "until", weather) - HOUR) < 30
    elif jump < 0 and pin:  # so it is, unless the stop wrote it anew, by the other clock: then it ended a day ago
        assert until(pin, "until", weather) <= HOUR + 1


@pytest.mark.parametrize("sync_ms, kept", [(300, True), (20000, False)])
def test_a_stop_on_a_slow_disk(exposed, weather, sync_ms, kept):
    """It waits for a disk that is slow, and for 3 s for one that hangs: what was on it before is not harmed."""
    daemon = exposed()
    pin_many(daemon, "before")
    weather.sync_ms = sync_ms
    pinning = threading.Thread(target=daemon.calls, args=[("zones.pin", {"zone": f"amid{n}.test", "via": "external"})
                                                          for n in range(12)])
    pinning.start()
    time.sleep(0.3)
    began = time.monotonic()
    daemon.process.terminate()
    assert daemon.process.wait(15) == 0
    assert time.monotonic() - began < 3 + (2 if has_sanitizers() else 1)
    daemon.process = None
    pinning.join()
    weather.clear_up()
    daemon.start()
    table = daemon.table()
    assert pins(table, "before") == 12 and (pins(table, "amid") == 12 or not kept)
