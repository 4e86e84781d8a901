"""What a cluster costs: 16 nodes and one Redis on both cores, and how long news takes from one node to all."""

import contextlib
import json
import re
import selectors
import socket
import statistics
import threading
import time

import servers
from servers import Server

NODES = 16
RATE = 1000  # changes a second, of all nodes together
BOTH = "0,1"
NEWS = re.compile(rb'"zone":"c(\d+)\.[^"]*"[^{}]*"to":"blocked"')


def redis(directory, _):
    return ["redis-server", "--port", "0", "--unixsocket", str(directory / "redis.sock"), "--dir", str(directory), "--save", ""]


def await_that(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def request(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


class Node:
    """A bywayd of the cluster, and a connection to its control socket that stays."""

    def __init__(self, bench, name, path, stack):
        settings = {"cluster": {"redis": f"unix://{path}", "vantage": "cn", "node": name}, "learning": {"recheck_first": "1d"}}
        argv = servers.byway(bench.program, **settings)
        self.began = time.monotonic()
        self.server = Server(name, next(bench.ports), argv, bench.directory / "cluster", BOTH)
        stack.callback(self.server.stop)
        self.control = stack.enter_context(self.connect())
        self.reader = self.control.makefile("rb")

    def connect(self):
        path = self.server.directory / "control.sock"
        await_that(path.exists, 10, f"{self.server.name} has a control socket")
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        await_that(lambda: sock.connect_ex(str(path)) == 0, 10, f"{self.server.name} takes connections")
        return sock

    def call(self, method):
        self.control.sendall(request(method))
        reply = json.loads(self.reader.readline())
        if "error" in reply:
            raise RuntimeError(f"{self.server.name}: {method}: {reply['error']}")
        return reply["result"]

    def cluster(self):
        return self.call("status")["cluster"]

    def blocked(self):
        return self.call("status")["zones"]["blocked"]


class Watch(threading.Thread):
    """Reads what all nodes tell of their zones: when each had each change."""

    def __init__(self, nodes, stack):
        super().__init__(daemon=True)
        self.seen = [{} for _ in nodes]
        self.halt = threading.Event()
        self.selector = selectors.DefaultSelector()
        self.lines = [stack.enter_context(node.connect()) for node in nodes]  # for requests whose replies nobody wants
        for index, node in enumerate(nodes):
            self.selector.register(self.lines[index], selectors.EVENT_READ, [index, b""])
            sock = stack.enter_context(node.connect())
            sock.sendall(request("events"))
            self.selector.register(sock, selectors.EVENT_READ, [index, b""])

    def run(self):
        while not self.halt.is_set():
            for key, _ in self.selector.select(0.2):
                index, rest = key.data
                data = rest + key.fileobj.recv(1 << 18)
                whole, _, key.data[1] = data.rpartition(b"\n")
                now = time.monotonic()
                for number in NEWS.findall(whole):
                    self.seen[index].setdefault(int(number), now)


def make_changes(lines, count):
    """RATE a second, over a control socket of each node in turn, whether it has replied or not; when each was begun."""
    said, began = [], time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        said.append(time.monotonic())
        zone = {"zone": f"c{number}.silent{number % 97}.test", "state": "blocked", "reason": "timeout"}
        lines[number % len(lines)].sendall(request("zones.import", version=1, zones=[zone]))
    return said


def part(values, share):
    values = sorted(values)
    return values[min(int(len(values) * share), len(values) - 1)]


def report_lags(bench, said, seen):
    lost = sum(len(said) - len(of_node) for of_node in seen)
    to_all = [max(of_node[number] for of_node in seen) - at for number, at in enumerate(said)
              if all(number in of_node for of_node in seen)]
    halves = [part(half, 0.99) for half in (to_all[:len(to_all) // 2], to_all[len(to_all) // 2:])]
    print(f"    from one node to all {len(seen)}: median {statistics.median(to_all) * 1e3:.0f} ms, p99 {part(to_all, 0.99) * 1e3:.0f} ms, "
          f"most {max(to_all) * 1e3:.0f} ms; p99 of the first half {halves[0] * 1e3:.0f} ms, of the second {halves[1] * 1e3:.0f} ms; "
          f"{lost} not told", flush=True)
    bench.row(f"{RATE} changes a second by {NODES} nodes, from one to all, p99", "<= 1 s", f"{part(to_all, 0.99):.3f} s",
              part(to_all, 0.99) <= 1)
    return lost


def cluster(bench):
    """16 nodes and one Redis on both cores: how long a change takes to all of them, what it costs, and how long a new node takes."""
    seconds = 3 if bench.quick else 10
    count = RATE * seconds
    with contextlib.ExitStack() as stack:
        (bench.directory / "cluster").mkdir()
        store = Server("redis", 0, redis, bench.directory / "cluster", BOTH)
        stack.callback(store.stop)
        path = store.directory / "redis.sock"
        await_that(path.exists, 10, "Redis is there")
        nodes = [Node(bench, f"n{i}", path, stack) for i in range(NODES)]
        for node in nodes:
            await_that(lambda node=node: node.cluster()["connected"], 20, "connected")
        watch = Watch(nodes, stack)
        watch.start()
        time.sleep(6)  # a beat: all know each other
        before = {server: server.cpu() for server in (store, *(node.server for node in nodes))}
        said = make_changes(watch.lines, count)
        for node in nodes:
            await_that(lambda node=node: node.blocked() == count, 60, f"{node.server.name} has all {count} zones")
        took = time.monotonic() - said[0]
        used = {server: server.cpu() - before[server] for server in before}
        time.sleep(0.5)
        watch.halt.set()
        watch.join()
        shares = sorted((used[node.server] / took for node in nodes))
        print(f"    {count} changes in {took:.1f} s; of a core: Redis {used[store] / took:.2f}, a node {statistics.median(shares):.3f} "
              f"({shares[0]:.3f} to {shares[-1]:.3f}), all {sum(used.values()) / took:.2f}", flush=True)
        lost = report_lags(bench, said, watch.seen)
        bench.row("of these, changes that a node has not", "0", str(lost), lost == 0)
        bench.row(f"Redis' share of the CPU of it and {NODES} nodes", "told", f"{used[store] / sum(used.values()):.2f}", True)
        late = Node(bench, "late", path, stack)
        await_that(lambda: late.blocked() == count, 20, "a new node has all")
        value = time.monotonic() - late.began
        bench.row(f"{count} zones to a new node, its start included", "< 1 s", f"{value:.2f} s", value < 1)
