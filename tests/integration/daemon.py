"""Runs the real bywayd with a configuration and a directory of its own, and bywayctl against it."""

import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from client import Flood, ask, udp_exchange
from upstream import endpoint, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENDS = ("dropped", "rate_limited", "malformed", "refused", "local", "cache_hits", "cache_failures", "cache_stale", "answered",
        "servfail", "overload")  # counters of which each query moves exactly one
SANITIZER = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def program(name):
    """The program in the build directory that BYWAY_BUILD names (default: build-test)."""
    build = ROOT / os.environ.get("BYWAY_BUILD", "build-test")
    for path in (build / name, *(build / "resolver").glob(name), *(build / "resolver").glob(f"*/{name}")):
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f"no {name} in {build}; build it, or name the build directory in BYWAY_BUILD")


@functools.cache
def has_sanitizers():
    return b"__asan_init" in pathlib.Path(program("bywayd")).read_bytes()


def quick():
    """Seconds that byway may add to the upstreams' own time; a sanitizer's build gets twice that."""
    return 0.040 if has_sanitizers() else 0.020


def wait_for(condition, seconds, what, every=0.05):
    """What `condition` returns once it is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(every)


def environment(**extra):
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:verify_asan_link_order=0", "UBSAN_OPTIONS": "print_stacktrace=1",
            **extra}


def run(*argv, timeout=30, stdin=None, **extra):
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, input=stdin,
                          env=environment(**extra), check=False)


class Daemon:
    """`config` is merged over a base that touches nothing outside of the directory: {"fallback.deadline": "2s"} sets a
    nested key. `descriptors`: its RLIMIT_NOFILE. `extra`: environment."""

    def __init__(self, domestic, external, config=None, addresses=("127.0.0.1",), directory=None, descriptors=None, extra=None):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="byway-"))
        self._own_directory = directory is None
        self.directory.chmod(0o755)
        self.port = free_port(*addresses)
        self.listen = [endpoint(address, self.port) for address in addresses]
        self.where = self.listen[0]
        self.state = self.directory / "state"
        self.socket = str(self.directory / "control.sock")
        self.path = self.directory / "byway.json"
        self.config = {
            "listen": self.listen,
            "upstreams": {"domestic": [str(u) for u in domestic], "external": [str(u) for u in external]},
            "control": {"socket": self.socket},
            "state": str(self.state),
            "presets": [],
            "log": {"level": "debug"},
        }
        self.set(config or {})
        self.process = None
        self.extra = extra or {}
        self.pass_fds = ()
        limit = ["prlimit", f"--nofile={descriptors}:{descriptors}"] if descriptors else []
        self.program = [*limit, program("bywayd")]
        self._notify = None
        self.log_path = self.directory / "log"

    # -- configuration --

    def set(self, config):
        """Merges {"a.b": value} into the configuration and writes the file; None takes the key away."""
        for key, value in config.items():
            *parents, last = key.split(".")
            at = self.config
            for parent in parents:
                at = at.setdefault(parent, {})
            if value is None:
                at.pop(last, None)
            else:
                at[last] = value
        self.path.write_text(json.dumps(self.config, indent=1))

    # -- life --

    def start(self, seconds=10.0):
        self.spawn()
        try:
            self.wait_notice("READY=1", seconds)
        except AssertionError:
            self.kill()
            raise
        return self

    def spawn(self, *arguments):
        path = self._begin_listening()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.program, "-c", str(self.path), *arguments],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=self.pass_fds,
                                            env=environment(NOTIFY_SOCKET=str(path), **self.extra))
        return self.process

    def _begin_listening(self):
        """The path of a new notify socket, to which a thread listens."""
        self._stop_listening()
        path = self.directory / "notify.sock"
        path.unlink(missing_ok=True)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(path))
        path.chmod(0o666)
        self.notices = []
        threading.Thread(target=self._listen, args=(self._notify, self.notices), daemon=True).start()
        return path

    def _listen(self, notify, notices):
        """As systemd does: at once, for a full socket blocks who notifies."""
        while data := notify.recv(4096):
            notices.append(data.decode())
        notify.close()

    def _stop_listening(self):
        if self._notify:
            self._notify.shutdown(socket.SHUT_RD)
            self._notify = None

    def wait_notice(self, word, seconds=10.0, after=0):
        """Waits for the systemd notice `word` among those after the first `after`."""
        def came():
            assert self.process.poll() is None, f"bywayd ended with {self.process.returncode}:\n{self.log()[-4000:]}"
            return any(word in notice.split("\n") for notice in self.notices[after:])
        try:
            wait_for(came, seconds, f"{word} from bywayd", every=0.005)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from None

    def stop(self, seconds=15.0):
        """SIGTERM; it must end by itself with 0 and without a word from a sanitizer."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"bywayd did not stop within {seconds} s of SIGTERM:\n{self.log()[-4000:]}") from None
        self.check_log()
        assert code == 0, f"bywayd ended with {code}:\n{self.log()[-4000:]}"

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, seconds=10.0):
        self.stop()
        return self.start(seconds)

    def hang_up(self):
        """SIGHUP, and waits until what was asked is applied."""
        before = len(self.notices)
        self.process.send_signal(signal.SIGHUP)
        self.wait_notice("READY=1", after=before)

    def close(self):
        try:
            self.stop()
        finally:
            self._stop_listening()
            if self._own_directory:
                shutil.rmtree(self.directory, ignore_errors=True)

    # -- what it says --

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def check_log(self):
        match = SANITIZER.search(self.log())
        assert not match, self.log()[max(0, match.start() - 200):][:6000]

    def warnings(self):
        """But for those that the tests run as root, and that their external upstream is a plain one."""
        return [line for line in self.log().splitlines()
                if "warning" in line.lower() and "bywayd stays root" not in line and "is plain DNS" not in line]

    def resident(self):
        """RSS in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # -- DNS --

    def ask(self, qname, qtype="A", **options):
        return ask(self.where, qname, qtype, **options)

    def alive(self):
        """True if it answers; asks no upstream (opcode STATUS gets NOTIMP)."""
        wire = udp_exchange(self.where, b"\x12\x34\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00", 2.0)
        return wire is not None and wire[3] & 15 == 4

    def flood(self, names, **options):
        flood = Flood(self.where)
        try:
            return flood.run(names, **options)
        finally:
            flood.close()

    # -- control --

    def ctl(self, *arguments, stdin=None):
        """bywayctl as a program; never fails by itself."""
        return run(program("bywayctl"), "-s", self.socket, *arguments, stdin=stdin)

    def control(self, *arguments, stdin=None):
        """The result of `bywayctl --json …`; fails unless it exits 0."""
        done = self.ctl("--json", *arguments, stdin=stdin)
        assert done.returncode == 0, f"bywayctl {' '.join(arguments)}: {done.returncode} {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def check_accounts(self):
        """Once all is quiet every query has had one end (docs/operating.md)."""
        def add_up():
            stats = self.control("stats")
            return stats["queries"] == sum(stats[end] for end in ENDS) and stats
        return wait_for(add_up, 15, f"queries add up: {self.control('stats')}", every=0.2)

    def zones(self, **filters):
        """{zone with final dot: object}; the entry of scope `zone` wins."""
        table = {}
        for entry in sorted(self.control("zones"), key=lambda entry: entry["scope"] == "zone"):
            if all(entry[key] == value for key, value in filters.items()):
                table[entry["zone"]] = entry
        return table

    def wait_state(self, zone, state, seconds=15.0):
        """Waits until the zone has one of the states (None: is not listed); its entry."""
        states = (state,) if state is None or isinstance(state, str) else state

        def reached():
            entry = self.zones().get(zone)
            return (entry or True) if (entry["state"] if entry else None) in states else None
        try:
            return wait_for(reached, seconds, f"{zone} {state}", every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; the table: {self.control('zones')}\n{self.log()[-3000:]}") from None

    def rpc(self, *lines, seconds=10.0, until=None):
        """Raw lines to the control socket; the lines that came back until as many as were sent, or one with the key
        `until` or an error, or it closed."""
        def is_whole(data):
            if until is None:
                return data.count(b"\n") >= len(lines)
            return data.endswith(b"\n") and not {until, "error"}.isdisjoint(json.loads(data.splitlines()[-1]))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(seconds)
            sock.connect(self.socket)
            data = b""
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                                      for line in lines))
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while not is_whole(data):
                    piece = sock.recv(65536)
                    if not piece:
                        break
                    data += piece
        return [json.loads(line) for line in data.splitlines() if line]
