"""Measures byway beside the floor and Debian's other forwarders; scripts/bench installs, builds and calls this.

usage: bench.py [--quick] [--only NAME] [--json FILE] [--set-baseline] BUILD BYWAYD

Every figure of a table is taken in one run, round by round in turn, and what counts are ratios: the median of each
round's own. CPU is user and system time of all threads of the server for one answered query.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import load
import maillog as logs
import servers
from servers import Server
from sharing import cluster

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
GROWN = 1.02  # instructions for a piece, of the baseline's, from which a growth is told
HITS = 1000  # names that are asked again and again
MILLION = 1000000
SO_TIMESTAMPNS = 35  # Linux; Python has no name for it


class Bench:
    def __init__(self, options, directory):
        self.build, self.program, self.quick = options.build, options.bywayd, options.quick
        self.directory = pathlib.Path(directory)
        self.results = []
        self.ports = iter(range(5400, 5500))
        self.serial = 0
        self.hits = load.write_names(self.directory / "hits", (f"host{i}.fine{i % 97}.test" for i in range(HITS)))

    # -- servers

    @contextlib.contextmanager
    def servers(self, **argvs):
        """Named servers on CORE, ready to answer."""
        running = {}
        with contextlib.ExitStack() as stack:
            directory = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
            for name, argv in argvs.items():
                running[name] = Server(name, next(self.ports), argv, directory)
                stack.callback(running[name].stop)
            for name, server in running.items():
                if name != "floor":
                    server.wait()
            yield running

    def byway(self, **settings):
        return servers.byway(self.program, **settings)

    def peers(self, *names):
        return {name: servers.PEERS[name] for name in names or servers.PEERS}

    # -- results

    def row(self, work, goal, value, met, note=""):
        self.results.append({"work": work, "goal": goal, "value": value, "met": met, "note": note})
        print(f"  {'ok  ' if met else 'MISS'}  {work}: {value} (goal: {goal}){'; ' + note if note else ''}", flush=True)

    def rounds(self, least):
        return 3 if self.quick else least

    def seconds(self, wanted):
        return 0.5 if self.quick else wanted

    def unique(self, count, pattern="fine{zone}"):
        """A file of names that nobody has asked yet."""
        self.serial += 1
        path = self.directory / "unique"
        zones = (pattern.format(zone=i % 97) for i in range(count))
        return load.write_names(path, (f"u{self.serial}x{i}.{zone}.test" for i, zone in enumerate(zones)))


def cost(server, run):
    """CPU µs for one answered query, and the run."""
    before = server.cpu()
    done = run(server)
    return (server.cpu() - before) / max(done.answered, 1) * 1e6, done


def compare(bench, running, run, rounds):
    """{name: [µs in each round]}; each round takes every server in turn, so that noise meets all."""
    costs = {name: [] for name in running}
    lost = dict.fromkeys(running, 0)
    for _ in range(rounds):
        for name, server in running.items():
            micros, done = cost(server, run)
            costs[name].append(micros)
            lost[name] += done.lost
    for name, values in costs.items():
        print(f"    {name:14} {statistics.median(values):6.2f} µs" + (f", {lost[name]:.0f} lost" if lost[name] else ""),
              flush=True)
    return costs


def ratio(costs, of, to):
    return statistics.median(a / b for a, b in zip(costs[of], costs[to]))


def best_of(costs, names):
    return min(names, key=lambda name: statistics.median(costs[name]))


# -- the measures


def hits(bench):
    """UDP, everything in the cache, one worker; as much under way as the smallest of the peers' buffers holds."""
    seconds = bench.seconds(1.5)
    peers = bench.peers(*(["unbound", "named"] if bench.quick else []))
    with bench.servers(floor=servers.echo(bench.build), byway=bench.byway(), **peers) as running:
        for name in running:
            if name != "floor":
                load.run(running[name].port, bench.hits, 0.5)
        costs = compare(bench, running, lambda server: load.run(server.port, bench.hits, seconds, outstanding=200),
                        bench.rounds(7))
    to_floor = ratio(costs, "byway", "floor")
    bench.row("UDP hits, CPU to the floor's", "<= 1.2", f"{to_floor:.2f}", to_floor <= 1.2)
    peer = best_of(costs, peers)
    to_peer = ratio(costs, "byway", peer)
    bench.row(f"UDP hits, CPU to the best peer's ({peer})", "< 0.9", f"{to_peer:.2f}", to_peer < 0.9)


def tcp(bench):
    seconds = bench.seconds(1.5)
    peers = bench.peers(*(["named"] if bench.quick else ["kresd", "named", "pdns_recursor", "dnsdist", "unbound"]))
    with bench.servers(byway=bench.byway(), **peers) as running:
        for server in running.values():
            load.run(server.port, bench.hits, 0.5)
        costs = compare(bench, running, lambda server: load.run(server.port, bench.hits, seconds, clients=40, tcp=True),
                        bench.rounds(5))
    peer = best_of(costs, peers)
    value = ratio(costs, "byway", peer)
    bench.row(f"TCP hits, 40 connections, CPU to the best peer's ({peer})", "<= 0.75", f"{value:.2f}", value <= 0.75)


def misses(bench):
    seconds = bench.seconds(1.5)
    peers = bench.peers(*(["dnsdist"] if bench.quick else []))
    with bench.servers(byway=bench.byway(), **peers) as running:
        costs = compare(bench, running, lambda server: load.run(server.port, bench.unique(200000), seconds, outstanding=200),
                        bench.rounds(5))
    value = ratio(costs, "byway", "dnsdist")
    bench.row("misses at full load, CPU to dnsdist's", "<= 1.0", f"{value:.2f}", value <= 1.0)


def tls(bench):
    """Misses by UDP, TLS and HTTPS to one Unbound that knows all answers, beside other forwarders by TLS."""
    certificates = servers.certify(bench.directory)
    forms = {f"byway_{form or 'udp'}": servers.byway_by(bench.program, certificates, form) for form in ("", "tls", "https")}
    peers = {"dnsdist_tls": servers.dnsdist_by_tls(certificates), "unbound_tls": servers.unbound_by_tls(certificates)}
    upstream = Server("secure", servers.PLAIN_PORT, servers.secure(certificates), bench.directory, load.CORE)
    with contextlib.ExitStack() as stack:
        stack.callback(upstream.stop)
        upstream.wait(servers.SECURE)
        running, before = stack.enter_context(bench.servers(**forms, **peers)), counts_of(servers.EXTERNAL)
        answered = 0
        for what, count, seconds, options in (("at full load", 200000, 1.5, {"outstanding": 200}),
                                              ("at 1,000 a second", 5000, 2, {"rate": 1000})):
            def run(server, count=count, seconds=bench.seconds(seconds), options=options):
                nonlocal answered
                done = load.run(server.port, bench.unique(count), seconds, **options)
                answered += done.answered
                return done

            for server in running.values():
                run(server)  # until it has its connections
            print(f"  {what}", flush=True)
            costs = compare(bench, running, run, bench.rounds(7))
            for form, goal in (("tls", 1.3), ("https", 2.0)):
                value = ratio(costs, f"byway_{form}", "byway_udp")
                bench.row(f"misses by {form} {what}, CPU to UDP's", f"<= {goal}", f"{value:.2f}", value <= goal)
            for peer in peers:
                value = ratio(costs, "byway_tls", peer)
                bench.row(f"misses by tls {what}, CPU to {peer.removesuffix('_tls')}'s", "< 1", f"{value:.2f}", value < 1)
        astray = asked_since(servers.EXTERNAL, before)["fine"] / answered
        if astray > 0.001:  # fewer may have had to wait for a processor
            raise RuntimeError(f"of all questions {astray:.4f} went to the other upstream, which speaks no TLS")


def misses_slow(bench):
    """Names that nobody asked, 1,000 a second. Twice the floor is what the kernel takes for two datagrams in and two out."""
    seconds = bench.seconds(2)
    with bench.servers(floor=servers.echo(bench.build), byway=bench.byway(), **bench.peers("unbound")) as running:
        costs = compare(bench, running, lambda server: load.run(server.port, bench.unique(5000), seconds, rate=1000),
                        bench.rounds(7))
    floors = 2 * ratio(costs, "floor", "unbound")
    value = ratio(costs, "byway", "unbound")
    bench.row("misses at 1,000 a second, CPU to Unbound's", "<= 0.7", f"{value:.2f}", value <= 0.7,
              f"two floors are {floors:.2f}")


def counts_of(where):
    reply = servers.exchange(*where, servers.question("counts.test", 16), 2)
    return {kind: int(count) for kind, count in re.findall(rb"(\w+)=(\d+)", reply)}


def asked_since(where, before):
    return {kind.decode(): count - before[kind] for kind, count in counts_of(where).items()}


def control(server, *command, timeout=120):
    argv = [str(pathlib.Path(server.control_program)), "-s", str(server.directory / "control.sock"), "--json", *command]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"bywayctl {' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout else None


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def blocked(bench):
    """In turn: names in healthy zones, in those where domestic is silent, in those where it fails; learned beforehand."""
    zones = 97
    with bench.servers(byway=bench.byway(limits={"external_qps": MILLION})) as running:
        server = running["byway"]
        server.control_program = pathlib.Path(bench.program).with_name("bywayctl")
        fine = load.write_names(bench.directory / "fine", (f"seen.fine{i}.test" for i in range(zones)))
        load.run(server.port, fine, 1, rate=200)
        teach = load.write_names(bench.directory / "teach",
                                 (f"teach{k}.{kind}{i}.test" for k in range(3) for i in range(zones)
                                  for kind in ("silent", "fail")))

        def learned():
            load.run(server.port, teach, 1, rate=6 * zones)  # each of them once
            return len(control(server, "zones", "--state", "blocked")) >= 2 * zones

        wait_until(learned, 60, f"{zones} silent and {zones} failing zones learned")
        time.sleep(5)  # what was asked meanwhile has ended
        seconds, costs = bench.seconds(1.5), {"plain": [], "silent": [], "failing": []}
        home, abroad, answered, sent = counts_of(servers.DOMESTIC), counts_of(servers.EXTERNAL), 0, 0
        for _ in range(bench.rounds(5)):
            for kind, pattern in (("plain", "fine{zone}"), ("silent", "silent{zone}"), ("failing", "fail{zone}")):
                micros, done = cost(server, lambda server, pattern=pattern: load.run(
                    server.port, bench.unique(200000, pattern), seconds, outstanding=200))
                costs[kind].append(micros)
                answered, sent = answered + done.answered, sent + done.sent
        home, abroad = asked_since(servers.DOMESTIC, home), asked_since(servers.EXTERNAL, abroad)
    for kind, values in costs.items():
        print(f"    {kind:14} {statistics.median(values):6.2f} µs")
    print(f"    domestic was asked {home}, external {abroad}, for {answered:.0f} answered of {sent:.0f} queries", flush=True)
    for kind in ("silent", "failing"):
        value = ratio(costs, kind, "plain")
        bench.row(f"misses in learned {kind} zones, CPU to a plain miss's", "<= 1.1", f"{value:.2f}", value <= 1.1)
    packets = sum(asked[kind] for asked in (home, abroad) for kind in ("fine", "silent", "fail")) / answered
    bench.row("upstream packets for a query", "1.00", f"{packets:.3f}", packets < 1.005)
    bench.row("names of healthy zones sent external", "0", str(abroad["fine"]), abroad["fine"] == 0)
    bench.row("answered, of all queries", "all", f"{answered / sent:.4f}", answered == sent)


def memory(bench):
    count = MILLION // 5 if bench.quick else MILLION
    output = subprocess.run([f"{bench.build}/tests/bench/bench-micro", "memory", str(count)], capture_output=True,
                            text=True, check=True).stdout
    wire, resident, _, longest = map(float, output.split())
    bound = 1.3 * wire + 64
    bench.row(f"memory for an answer of {wire:.0f} bytes, {count} of them", f"<= {bound:.0f} bytes", f"{resident:.0f}",
              resident <= bound)
    bench.row("longest store among them", "<= 5 ms", f"{longest:.2f} ms", longest <= 5)


def threads(bench):
    """Cache and verdict lookups by a thread on each core, to the mean of either alone."""
    ratios = []
    for _ in range(bench.rounds(5)):
        output = subprocess.run([f"{bench.build}/tests/bench/bench-micro", "threads"], capture_output=True, text=True,
                                check=True).stdout
        first, second, both = map(float, output.split())
        ratios.append(2 * both / (first + second))
    value = statistics.median(ratios)
    bench.row("cache and verdict lookups, two threads to one", ">= 1.8", f"{value:.2f}", value >= 1.8)


def latency(bench):
    """p95 of hits at half of what one core can send and take back, each latency noted."""
    seconds = bench.seconds(3)
    with bench.servers(floor=servers.echo(bench.build), byway=bench.byway()) as running:
        load.run(running["byway"].port, bench.hits, 0.5)
        capacity = min(load.run(server.port, bench.hits, 1, latencies=True).rate for server in running.values())
        rate, values = int(capacity / 2), {name: [] for name in running}
        for _ in range(bench.rounds(5)):
            for name, server in running.items():
                done = load.run(server.port, bench.hits, seconds, rate=rate, latencies=True)
                values[name].append(done.percentile(0.95) * 1e6)
    for name, figures in values.items():
        print(f"    {name:14} {statistics.median(figures):6.0f} µs at {rate} a second")
    value = ratio(values, "byway", "floor")
    bench.row("p95 latency of hits at half of what the load can send, to the floor's", "<= 1.5", f"{value:.2f}", value <= 1.5)


def import_zones(bench, server, count, first=0):
    """`count` blocked zones, by pieces."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    piece = 50000
    for begin in range(first, first + count, piece):
        zones = [{"zone": f"customer{i}.example", "scope": "zone", "type": None, "state": "blocked", "via": "external",
                  "source": "learned", "reason": "timeout", "since": now, "last_failure": now, "next_recheck": None,
                  "failures": 3, "answered": 0, "note": ""} for i in range(begin, min(begin + piece, first + count))]
        path = bench.directory / "zones.json"
        path.write_text(json.dumps({"version": 1, "zones": zones}), encoding="ascii")
        control(server, "zones", "import", str(path))


def million(bench):
    """What a full table of learned zones costs the others. All are as old as can be: rechecked once a day."""
    count, seconds = MILLION // 10 if bench.quick else MILLION, bench.seconds(1.5)
    learning = {"max_zones": count, "recheck_first": "1d", "recheck_max": "1d"}
    with bench.servers(empty=bench.byway(learning=learning), full=bench.byway(learning=learning)) as running:
        running["full"].control_program = pathlib.Path(bench.program).with_name("bywayctl")
        import_zones(bench, running["full"], count)
        have = control(running["full"], "status")["zones"]
        print(f"    zones: {have}", flush=True)
        wait_quiet(running["full"])
        for server in running.values():
            load.run(server.port, bench.hits, 0.5)
        for what, run in (("hits", lambda server: load.run(server.port, bench.hits, seconds)),
                          ("misses", lambda server: load.run(server.port, bench.unique(200000), seconds, outstanding=200))):
            costs = compare(bench, running, run, bench.rounds(7))
            value = ratio(costs, "full", "empty")
            bench.row(f"{count} learned zones: {what}, CPU to an empty table's", "<= 1.05", f"{value:.2f}", value <= 1.05)


def wait_quiet(server):
    """Until the keeper is done with what came."""
    def quiet():
        before = server.cpu()
        time.sleep(1)
        return server.cpu() - before < 0.02

    wait_until(quiet, 60, f"{server.name} is idle")


class Asker(threading.Thread):
    """Asks for one name every half a millisecond, before anybody else on its core, and keeps the longest wait, ms: from
    the sending to the moment at which the kernel had the answer, so that its own sleep does not count."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.asked, self.longest, self.halt, self.error = port, name, 0.0, threading.Event(), None

    def run(self):
        try:
            self.ask()
        except OSError as error:
            self.error = error

    def ask(self):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        query = servers.question(self.asked)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            sock.connect((servers.HOST, self.port))
            while not self.halt.is_set():
                began = time.clock_gettime(time.CLOCK_REALTIME)
                sock.send(query)
                seconds, nanos = struct.unpack("qq", sock.recvmsg(4096, 64)[1][0][2])
                self.longest = max(self.longest, (seconds - began + nanos / 1e9) * 1e3)
                time.sleep(0.0005)


def longest_wait(server, name, names, seconds, work):
    """For an answer about `name`, while `work` is done and the server answers as much as it can about `names`, ms."""
    asker = Asker(server.port, name)
    loaded = threading.Thread(target=load.run, args=(server.port, names, seconds), kwargs={"outstanding": 100})
    loaded.start()
    time.sleep(0.2)
    asker.start()
    work()
    asker.halt.set()
    asker.join()
    if not loaded.is_alive():
        raise RuntimeError(f"the load of {seconds} s ended before what was measured under it")
    loaded.join()
    if asker.error:
        raise asker.error
    return asker.longest


def pauses(bench):
    """The longest wait for an answer at full load while something large goes on; medians, to those while nothing does."""
    count = 10000 if bench.quick else 20000
    with bench.servers(byway=bench.byway(**{"cache": {"memory": "4MiB"}, "learning": {"max_zones": MILLION}})) as running:
        server = running["byway"]
        server.control_program = pathlib.Path(bench.program).with_name("bywayctl")
        load.run(server.port, bench.hits, 0.5)
        imported = 0

        def reload():
            for _ in range(5):
                control(server, "reload")
                time.sleep(0.1)

        def learn():
            nonlocal imported
            import_zones(bench, server, count, imported)
            imported += count

        def nothing():
            time.sleep(1)

        cached = "host1.fine1.test"  # an import empties the cache, so a name of byway's own is asked for meanwhile
        works = {"nothing": (cached, False, 2, nothing), "reload": (cached, False, 2, reload),
                 "eviction of as much as is stored": (cached, True, 2, nothing),
                 f"{count} zones published and written": ("localhost", False, 3 if bench.quick else 5, learn)}
        waits = {what: [] for what in works}
        for _ in range(bench.rounds(7)):
            for what, (name, fresh, seconds, work) in works.items():
                names = bench.unique(150000) if fresh else bench.hits
                waits[what].append(longest_wait(server, name, names, seconds, work))
        if not control(server, "status")["cache"]["evictions"]:
            raise RuntimeError("nothing was evicted")
    medians = {what: statistics.median(values) for what, values in waits.items()}
    for what, value in medians.items():
        print(f"    {what:38} longest wait {value:.2f} ms", flush=True)
        if what != "nothing":
            over = value - medians["nothing"]
            bench.row(f"longest wait for an answer: {what}", "<= 5 ms over a quiet time's", f"{over:.2f} ms", over <= 5)


def instructions(bench, piece):
    """Of one call. They are the same on either core, however busy it is."""
    times = 5000
    output = subprocess.run(["taskset", "-c", "0,1", "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                             "--toggle-collect=repeat", f"{bench.build}/tests/bench/bench-micro", "run", piece, str(times)],
                            capture_output=True, text=True, check=True).stderr
    return round(int(re.search(r"Collected : (\d+)", output)[1]) / times)


def compiler(bench):
    for line in subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines():
        return f"{line.split(' (')[0]} {line.split()[-1]}"
    return "?"


def micro(bench):
    """ns, and instructions by callgrind, which are the same every time for one compiler."""
    times = subprocess.run([f"{bench.build}/tests/bench/bench-micro", "time"], capture_output=True, text=True,
                           check=True).stdout
    baseline = json.loads(BASELINE.read_text(encoding="ascii")) if BASELINE.exists() else {}
    known = baseline.get(compiler(bench), {})
    nanos = dict(line.split() for line in times.splitlines())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        counts = dict(zip(nanos, pool.map(lambda piece: instructions(bench, piece), nanos)))
    for piece in nanos:
        before = known.get(piece)
        print(f"    {piece:14} {float(nanos[piece]):6.0f} ns {counts[piece]:6} instructions" +
              (f", baseline {before}" if before else ", no baseline"), flush=True)
    if bench.set_baseline:
        BASELINE.write_text(json.dumps({**baseline, compiler(bench): counts}, indent=2) + "\n", encoding="ascii")
        print(f"    these are the baseline of {compiler(bench)} now")
    grown = [f"{piece} {known[piece]} -> {count}" for piece, count in counts.items()
             if piece in known and count > known[piece] * GROWN]
    if known:
        bench.row("instructions for each piece, to the baseline's", "none grew by 2 %", ", ".join(grown) or "none",
                  not grown)


def maillog(bench):
    """Lines of DNS trouble in a gigabyte of a mail server's log: by bywayctl, beside grep, which only counts them."""
    directory, size = bench.directory, (1 << 30) // (8 if bench.quick else 1)
    log, texts = directory / "mail.log", directory / "texts"
    texts.write_text("".join(text + "\n" for text in logs.texts()), encoding="ascii")
    troubles = logs.write(log, size)
    runs = {"grep": ["grep", "-cFf", str(texts), str(log)],
            "bywayctl": [str(pathlib.Path(bench.program).with_name("bywayctl")), "maillog", "--offline", "--json", str(log)]}
    counts, seconds = {}, {name: [] for name in runs}
    for turn in range(1 + bench.rounds(5)):
        for name, argv in runs.items():
            began = time.monotonic()
            output = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
            if turn > 0:  # the first reads the log from the disk
                seconds[name].append(time.monotonic() - began)
            counts[name] = int(output) if name == "grep" else sum(entry["count"] for entry in json.loads(output))
    log.unlink()
    if counts != {"grep": troubles, "bywayctl": troubles}:
        raise RuntimeError(f"of {troubles} lines were found {counts}")
    for name, values in seconds.items():
        print(f"    {name:14} {statistics.median(values):6.2f} s for {size >> 20} MiB, {troubles} lines found", flush=True)
    value = ratio(seconds, "bywayctl", "grep")
    bench.row("a gigabyte of logs, time to grep's", "<= 3", f"{value:.2f}", value <= 3)


MEASURES = {measure.__name__: measure for measure in
            (hits, tcp, misses, misses_slow, tls, blocked, latency, million, pauses, memory, threads, maillog, cluster, micro)}


def main():
    parser = argparse.ArgumentParser(prog="bench.py")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=MEASURES, default=[])
    parser.add_argument("--json")
    parser.add_argument("--set-baseline", action="store_true")
    parser.add_argument("build")
    parser.add_argument("bywayd")
    options = parser.parse_args()
    os.sched_setaffinity(0, {int(load.CORE)})  # bywayctl's too: servers say where they run
    directory = tempfile.mkdtemp(prefix="byway-bench-")
    failed = []
    try:
        bench = Bench(options, directory)
        bench.set_baseline = options.set_baseline
        with contextlib.ExitStack() as stack:
            for name, where, role in (("domestic", servers.DOMESTIC, "domestic"), ("external", servers.EXTERNAL, "external")):
                upstream = Server(name, where[1], servers.origin(options.build, where, role), directory, load.CORE)
                stack.callback(upstream.stop)
                upstream.wait(where[0])
            for name in options.only or MEASURES:
                print(f"{name}: {MEASURES[name].__doc__ or ''}".split("\n", maxsplit=1)[0], flush=True)
                try:
                    MEASURES[name](bench)
                except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                    failed.append(f"{name}: {error}")
                    print(f"  FAILED  {failed[-1]}", flush=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print_table(bench.results)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(bench.results, indent=2) + "\n", encoding="utf-8")
    missed = sum(not result["met"] for result in bench.results)
    print(f"{len(bench.results) - missed} goals met, {missed} missed, {len(failed)} measures failed")
    return 1 if failed else 0


def print_table(results):
    print("\n| work | goal | measured | met |\n|---|---|---|---|")
    for result in results:
        print(f"| {result['work']} | {result['goal']} | {result['value']} | {'yes' if result['met'] else 'no'} |")


if __name__ == "__main__":
    sys.exit(main())
