#!/usr/bin/python3
"""bywayd for a long time in bad company: clients.c asks, upstream.c answers or does not, configurations change,
operators come and go. Then all is quiet, and what was taken must have been given back. scripts/soak runs it in a
network namespace of its own.

usage: soak.py MINUTES SEED DIRECTORY; the build is in BYWAY_BUILD. Exit 1: something was not flat, the last lines say
what.
"""

import contextlib
import json
import os
import pathlib
import random
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from daemon import ENDS, Daemon, has_sanitizers  # noqa: E402 (its path is set above)

RATE = 4000  # questions a second over UDP; those over TCP come on top
DEADLINE = 4500  # ms: fallback.deadline
SLACK = 1000  # ms more than that, and as much as bywayd had to wait for a processor
LOST = DEADLINE + 15000  # ms after which an answer is not late but lost
RPC_TIMEOUT = 60  # seconds for replies on the control socket, on any machine
COMMAND = 2000  # ms that one may take, and as much as bywayd had to wait for a processor; a probe 5 s more
MAX_ZONES = 1000  # the least that learning.max_zones may be
MAX_SUSPECTS = 4096  # LIMIT_SUSPECTS: zones that fail and are not known to be blocked have places of their own
UPSTREAMS = ("127.0.0.31", "127.0.0.32", "127.0.0.33", "127.0.0.34")  # two domestic, two external
PORT = 5300
QUIET = 75  # seconds at most until all is given back: a listener that was left lives for 40 s, a stream for 30 s

# What may be left or grow. Bytes unless it says otherwise.
RSS_CREEP = 1 << 20  # from the second ten minutes to the last, in a run of half an hour or more
RSS_GROWTH = 4 << 20  # from the peak of the first half to that of the second; what is down differs, and the workers
RSS_GROWTH_SHORT = 8 << 20  # the same in a run of less than 10 minutes: tables with a bound are still filling
STATE_BYTES = 16 << 20
CUT_SHARE = 200  # one in so many questions over TCP: a connection that no worker took yet ends with its worker's socket
LOG_LINES = 120  # a minute, apart from those that tell of a zone, a reload or an upstream's change
IDLE_CPU = 0.15  # of a core, when nobody asks: zones are still rechecked

FAIR = ("fair",) * 4
MOODS = [  # what the four upstreams are in turn, and fair in between
    ("silent", "fair", "fair", "fair"),
    ("silent", "silent", "fair", "fair"),
    ("closed", "closed", "fair", "fair"),
    ("fair", "closed", "fair", "closed"),
    ("fair", "fair", "silent", "silent"),
    ("failing", "failing", "fair", "fair"),
    ("fair", "fair", "failing", "closed"),
    ("lossy",) * 4,
    ("cutting", "cutting", "cutting", "fair"),
    ("garbling", "garbling", "fair", "garbling"),
    ("silent",) * 4,
]

CHANGES = [  # configurations that follow each other
    {"workers": 1}, {"workers": 2}, {"workers": 3}, {"workers": 2},
    {"cache.max_ttl": "20s"}, {"cache.max_ttl": "1h"}, {"cache.memory": "1MiB"}, {"cache.memory": "2MiB"},
    {"learning.mode": "observe"}, {"learning.mode": "on"},
    {"fallback.patience": "300ms"}, {"fallback.patience": "auto"},
    {"limits.external_qps": 200}, {"limits.external_qps": 1000}, {"presets": ["dnsbl"]}, {"presets": []},
    {"upstreams.domestic": [f"{UPSTREAMS[1]}:{PORT}"]}, {"upstreams.domestic": [f"{u}:{PORT}" for u in UPSTREAMS[:2]]},
    {"upstreams.office": None, "zones": [{"zone": "refuse.test", "via": "refuse"}]},
    {"upstreams.office": [f"tcp://{UPSTREAMS[0]}:{PORT}"],
     "zones": [{"zone": "refuse.test", "via": "refuse"}, {"zone": "corp.test", "via": "office"}]},
    {"listen": ["127.0.0.1:53"]}, {"listen": ["127.0.0.1:53", "127.0.0.2:53"]},
]
BAD = ["{", "", "[]", '{"lerning": 1}', '{"listen": ["nonsense"], "upstreams": {"external": ["192.0.2.1"]}}']


def compile_program(name, directory):
    program = directory / name
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror",
                    "-o", program, HERE / f"{name}.c"], check=True)
    return program


def dropped_by_kernel():
    """Datagrams for which a socket of this namespace had no room, be it bywayd's, a client's or an upstream's."""
    names, numbers = [line.split()[1:] for line in pathlib.Path("/proc/net/snmp").read_text().splitlines()
                      if line.startswith("Udp:")]
    return int(dict(zip(names, numbers))["RcvbufErrors"])


class Sample:
    """What bywayd holds, now."""

    def __init__(self, daemon, began, clients):
        process = pathlib.Path("/proc") / str(daemon.process.pid)
        self.at = time.monotonic() - began
        self.rss = daemon.resident()
        self.fds = len(list((process / "fd").iterdir()))
        self.waits = {}  # ms that each thread was ready to run and did not, so far
        for task in (process / "task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has ended
                self.waits[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e6
        self.threads = len(self.waits)
        user, system = (process / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
        self.cpu = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        self.state = sum(file.stat().st_size for file in daemon.state.iterdir())
        self.log = daemon.log_path.stat().st_size
        self.clients = clients
        (status, self.stats) = call(daemon, ("status", {}), ("stats", {}))
        self.zones = status["zones"]
        self.learned = sum(count for state, count in self.zones.items() if state != "pinned")

    HEAD = ("   at s   rss KiB   fds threads   cpu s   queries   unended   udp sent  answered  lost   zones state KiB"
            "  log KiB")

    def __str__(self):
        unended = self.stats["queries"] - sum(self.stats[end] for end in ENDS)
        sent, answered, lost = (self.clients.get(key, 0) for key in ("sent", "answered", "lost"))
        return (f"{self.at:7.1f} {self.rss >> 10:9} {self.fds:5} {self.threads:7} {self.cpu:7.1f} "
                f"{self.stats['queries']:9} {unended:9} {sent:10} {answered:9} {lost:5} "
                f"{self.learned:7} {self.state >> 10:9} {self.log >> 10:8}")


def call(daemon, *requests):
    """(method, parameters) each, in one go; the results, an error's message where there is none."""
    replies = daemon.rpc(*({"jsonrpc": "2.0", "id": n, "method": method, "params": parameters}
                           for n, (method, parameters) in enumerate(requests)), seconds=RPC_TIMEOUT)
    found = {reply["id"]: reply.get("result", reply.get("error")) for reply in replies}
    assert len(found) == len(requests), f"{len(requests)} requests got {len(found)} replies: {requests}"
    return [found[n] for n in range(len(requests))]


class Soak:
    """One run; what was wrong is in `faults`."""

    def __init__(self, minutes, seed, directory):
        self.load_s = minutes * 60
        self.seed = seed
        self.directory = directory
        self.faults, self.samples = [], []
        self.clients_say = {}
        self.reloads = self.bad_reloads = self.commands = self.slowest_command = 0
        self.over = threading.Event()
        self.calm = threading.Event()  # no more changes that take long to wear off
        self.upstream = subprocess.Popen([compile_program("upstream", directory), str(PORT), *UPSTREAMS],
                                         stdin=subprocess.PIPE, text=True)
        addresses = [f"{address}:{PORT}" for address in UPSTREAMS]
        self.daemon = Daemon(addresses[:2], addresses[2:], {
            "listen": ["127.0.0.1:53"], "workers": 2, "log.level": "info", "cache.memory": "2MiB",
            "fallback.deadline": f"{DEADLINE}ms", "learning.recheck_first": "1s", "learning.recheck_max": "4s",
            "learning.max_zones": MAX_ZONES, "learning.recheck_share": 100,
            "limits.client_qps": 500, "limits.client_exempt": ["127.0.0.1/32", "127.1.0.0/16"],
            "zones": [{"zone": "refuse.test", "via": "refuse"}],
        }, directory=directory)

    # -- what goes on meanwhile; each a thread with dice of its own --

    def change_moods(self, dice):
        pause = min(15.0, max(1.0, self.load_s / (len(MOODS) * 8)))  # a cycle: a quarter of the time, or 6 minutes
        while not self.over.is_set():
            for moods in dice.sample(MOODS, len(MOODS)):
                self.set_moods(moods)
                self.over.wait(pause)
                self.set_moods(FAIR)
                self.over.wait(pause)
                if self.over.is_set():
                    break

    def set_moods(self, moods):
        self.upstream.stdin.write("".join(f"{index} {mood}\n" for index, mood in enumerate(moods)))
        self.upstream.stdin.flush()

    def change_configuration(self, dice):
        good = self.daemon.path.read_text()
        while not self.over.wait(dice.uniform(0.2, 2.0)):
            if dice.random() < 0.3:
                self.daemon.path.write_text(dice.choice(BAD))
                (said,) = call(self.daemon, ("reload", {}))
                self.check("code" in said, f"a bad configuration was taken: {said}")
                self.daemon.path.write_text(good)
                self.bad_reloads += 1
                continue
            change = dice.choice(CHANGES)
            if self.calm.is_set() and "listen" in change:
                continue
            self.daemon.set(change)
            good = self.daemon.path.read_text()
            if dice.random() < 0.5:
                self.daemon.process.send_signal(signal.SIGHUP)
            else:
                (said,) = call(self.daemon, ("reload", {}))
                self.check("code" not in said, f"a good configuration was refused: {change}: {said}")
            self.reloads += 1
        self.daemon.set({"workers": 2, "listen": ["127.0.0.1:53"], "cache.memory": "2MiB", "learning.mode": "on"})
        call(self.daemon, ("reload", {}))

    def operate(self, dice):
        while not self.over.wait(dice.uniform(0.0, 0.2)):
            if dice.random() < 0.2:
                self.come_and_go(dice)
                continue
            half_second = int(time.monotonic() * 2) - dice.randrange(60)
            zone = f"{dice.choice('tsradb')}{half_second}.test"
            pinned = f"f{dice.randrange(300)}.test"
            requests = [
                ("zones.list", {}), ("zones.list", {"state": "blocked"}), ("zones.show", {"zone": zone}),
                ("zones.pin", {"zone": pinned, "via": dice.choice(["domestic", "external"]), "for": "20s",
                               "note": "x" * 200}),
                ("zones.pin", {"zone": zone, "via": "external", "for": "1m"}), ("zones.unpin", {"zone": zone}),
                ("zones.unpin", {"zone": pinned}), ("zones.forget", {"zone": zone}), ("zones.export", {}),
                ("zones.import", {"zones": [{"zone": f"i{dice.randrange(3000)}.test", "state": "blocked",
                                             "reason": "timeout"}
                                            for _ in range(4)]}),  # of more, the whole cache would be dropped
                ("cache.flush", {"under": pinned}), ("cache.show", {"name": "often.f1.test"}), ("upstreams.list", {}),
                ("stats", {}), ("status", {}), ("no.such", {}), ("zones.show", {"zone": 1}),
                ("zones.probe", {"zone": zone}), *([("cache.flush", {"all": True})] if dice.random() < 0.02 else []),
            ]
            asked = dice.sample(requests, dice.randrange(1, 6))
            started = time.monotonic()
            call(self.daemon, *asked)
            took = round((time.monotonic() - started) * 1000) - 5000 * any("probe" in method for method, _ in asked)
            self.slowest_command = max(self.slowest_command, took)
            self.commands += len(asked)

    def come_and_go(self, dice):
        """Who does not wait for the replies, or does not read, or sends no JSON."""
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(5)
            sock.connect(self.daemon.socket)
            sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"zones.%s"}\n' % dice.choice([b"list", b"export"]) *
                         dice.randrange(1, 40) + dice.choice([b"", b"{", b"\xff\n", b"[1]\n"]))
            if dice.random() < 0.5:
                sock.recv(dice.choice([1, 100, 65536]))
            self.over.wait(dice.random() / 10)

    def listen_to_clients(self):
        for line in self.clients.stdout:
            self.clients_say = json.loads(line)

    # -- the run --

    def check(self, good, fault):
        if not good:
            self.faults.append(fault)

    def in_background(self, job, number):
        def run():
            try:
                job(random.Random(self.seed * 10 + number))
            except Exception as error:  # a thread that dies must not pass for a quiet one
                self.faults.append(f"{job.__name__}: {type(error).__name__}: {error}")
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def sample(self):
        code = self.daemon.process.poll()
        if code is not None:
            raise AssertionError(f"bywayd ended with {code}:\n{self.daemon.log()[-4000:]}")
        sample = Sample(self.daemon, self.began, self.clients_say)
        self.samples.append(sample)
        return sample

    def run(self):
        self.began = time.monotonic()
        self.daemon.start()
        base, kernel = self.sample(), dropped_by_kernel()
        print(Sample.HEAD, base, sep="\n", flush=True)
        with open(self.directory / "clients.log", "wb") as log:
            self.clients = subprocess.Popen([compile_program("clients", self.directory), "127.0.0.1", "53", str(RATE),
                                             str(LOST), str(self.seed)], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        jobs = [self.in_background(job, number) for number, job in
                enumerate((self.change_moods, self.change_configuration, self.operate, self.operate))]
        listener = threading.Thread(target=self.listen_to_clients, daemon=True)
        listener.start()
        self.load(base)
        self.over.set()
        self.clients.stdin.close()
        for job in jobs:
            job.join(60)
        listener.join(60)
        self.check(self.clients.wait(60) == 0, "the clients' program failed")
        loaded = self.samples[1:]
        self.settle(base)
        self.judge(loaded, base, dropped_by_kernel() - kernel)
        self.daemon.stop(30)

    def load(self, base):
        every = min(60.0, max(2.0, self.load_s / 30))  # lines of the table
        shown = 0.0
        while (passed := time.monotonic() - self.began) < self.load_s:
            if passed > self.load_s / 2:
                self.calm.set()
            time.sleep(2)
            sample = self.sample()
            if sample.at - shown >= every:
                print(sample, flush=True)
                shown = sample.at
            confirmed = sample.learned - sample.zones["suspect"] - sample.zones["broken"]
            self.check(confirmed <= MAX_ZONES and sample.learned - confirmed <= MAX_SUSPECTS,
                       f"more zones are learned than {MAX_ZONES}, and {MAX_SUSPECTS} unconfirmed: {sample.zones}")
            self.check(sample.state <= STATE_BYTES, f"the state directory has {sample.state} bytes")
            if len(self.faults) > 20:
                return

    def settle(self, base):
        """Waits until all is given back, or no longer."""
        until = time.monotonic() + QUIET
        while True:
            self.forget_all()
            last = self.sample()
            if last.fds <= base.fds and last.threads <= base.threads or time.monotonic() > until:
                break
            time.sleep(1)
        time.sleep(4)
        after = self.sample()
        after.fds = min(after.fds, last.fds)
        print(after)
        self.check(after.fds <= base.fds, f"descriptors: {base.fds} at first, {after.fds} at last")
        self.check(after.threads == base.threads, f"threads: {base.threads} at first, {after.threads} at last")
        idle = (after.cpu - last.cpu) / (after.at - last.at)
        self.check(idle <= IDLE_CPU, f"{idle:.2f} of a core when nobody asks")

    def forget_all(self):
        """So that nothing is rechecked: that takes descriptors too."""
        (zones,) = call(self.daemon, ("zones.list", {}))
        for at in range(0, len(zones), 32):
            call(self.daemon, *((method, {"zone": entry["zone"]}) for entry in zones[at:at + 32]
                                for method in ("zones.unpin", "zones.forget")))

    def judge(self, loaded, base, kernel):
        said, after = self.clients_say, self.samples[-1]
        print(f"clients: {json.dumps(said)}\nstats: {json.dumps(after.stats)}")
        print(f"reloads: {self.reloads} good, {self.bad_reloads} bad; commands: {self.commands}")
        self.judge_memory(loaded, base, after)
        waited = round(max(later.waits[task] - earlier.waits.get(task, 0)  # within two samples: about an answer's time
                           for earlier, later in zip(self.samples, self.samples[2:]) for task in later.waits))
        print(f"a thread waited for a processor: {waited} ms in 4 s; dropped by the kernel: {kernel}")
        self.judge_answers(said, waited, kernel)
        print(f"slowest command: {self.slowest_command} ms")
        self.check(self.slowest_command <= COMMAND + waited, "a command took long")
        ended = sum(after.stats[end] for end in ENDS)
        self.check(after.stats["queries"] == ended, f"{after.stats['queries']} queries, {ended} ends")
        lines = [line for line in self.daemon.log().splitlines()
                 if not any(word in line for word in (" zone ", "reload", "configuration", " upstream "))]
        self.check(len(lines) <= LOG_LINES * max(1, self.load_s / 60),
                   f"{len(lines)} lines in the log, as {lines[-1:]}")

    def judge_memory(self, loaded, base, after):
        half = len(loaded) // 2
        first, second = (max(sample.rss for sample in part) >> 10 for part in (loaded[:half], loaded[half:]))
        print(f"rss: {base.rss >> 10} KiB at first, peaks {first} and {second} KiB, {after.rss >> 10} KiB at last")
        middles = [f"{middle >> 10}" for at in range(0, int(self.load_s), 600) if (middle := self.middle(at, at + 600))]
        print(f"rss: medians of ten minutes each: {', '.join(middles)} KiB")
        if has_sanitizers():  # theirs keep what was freed
            return
        bound = RSS_GROWTH if self.load_s >= 600 else RSS_GROWTH_SHORT
        self.check(second - first <= bound >> 10, f"rss grew by {second - first} KiB in the second half")
        if self.load_s >= 1800:
            crept = self.middle(self.load_s - 600, self.load_s) - self.middle(600, 1200)
            self.check(crept <= RSS_CREEP, f"rss crept up by {crept >> 10} KiB after its first ten minutes")

    def middle(self, begin, end):
        """RSS as it was half of the time between the two: ten minutes see every mood, and each number of workers."""
        return int(statistics.median([sample.rss for sample in self.samples if begin <= sample.at < end] or [0]))

    def judge_answers(self, said, waited, kernel):
        print(f"slowest answer: {said['slowest_ms']} ms")
        self.check(said["lost"] <= kernel, f"{said['lost']} questions were never answered")
        self.check(said["tcp_lost"] == 0, f"{said['tcp_lost']} questions over TCP were never answered")
        self.check(said["tcp_cut"] * CUT_SHARE <= said["tcp_sent"], f"{said['tcp_cut']} questions over TCP were cut")
        self.check(said["wrong"] == 0, f"{said['wrong']} replies answer no question")
        self.check(said["slowest_ms"] <= DEADLINE + SLACK + waited, "an answer came late")


def main(minutes, seed, directory):
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # answers are held to the clock, whatever else this machine does
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    soak = Soak(float(minutes), int(seed), pathlib.Path(directory).resolve())
    try:
        soak.run()
    except (AssertionError, OSError) as error:
        soak.faults.append(str(error))
    finally:
        soak.daemon.kill()
        soak.upstream.stdin.close()
    for fault in soak.faults:
        print(f"not flat: {fault}")
    print(f"soak: {'FAILED' if soak.faults else 'flat'}, seed {seed}")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
