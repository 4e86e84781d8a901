"""A real redis-server on a Unix socket of its own, and nodes that share what they learn through it."""

import contextlib
import pathlib
import signal
import subprocess
import time

from daemon import run, wait_for


class Redis:
    """`options`: further arguments of redis-server."""

    def __init__(self, directory, *options):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.path = self.directory / "redis.sock"
        self.options = options
        self.process = None

    def start(self, *options, says=("PONG", "NOAUTH")):
        """`options`: of this run alone. `says`: what it answers to PING, one of them."""
        with (self.directory / "redis.log").open("a") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", str(self.path), "--dir", str(self.directory), "--save", "",
                 *self.options, *options], stdout=log, stderr=log)
        wait_for(lambda: any(word in self.cli("PING", bare=True) for word in says), 10, f"redis says {says}")
        return self

    def cli(self, *words, bare=False):
        done = run("redis-cli", "-s", str(self.path), *words)
        assert bare or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def kill(self):
        """kill -9, after which a run begins empty."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def stopped(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def settings(self, node, vantage="cn", **more):
        """The key `cluster` of a node's configuration."""
        return {"cluster": {"redis": f"unix://{self.path}", "vantage": vantage, "node": node, **more}}


def cluster(daemon):
    return daemon.control("status")["cluster"]


def peer(daemon, node):
    """What `daemon` says of that node; None: nothing."""
    return next((there for there in cluster(daemon)["peers"] if there["node"] == node), None)


def wait_connected(daemon, seconds=5.0):
    wait_for(lambda: cluster(daemon)["connected"], seconds, f"connected: {cluster(daemon)}")


def wait_alone(daemon, problem, seconds=10.0):
    """Until it is alone, and `problem` is in what it says of that."""
    try:
        wait_for(lambda: not cluster(daemon)["connected"] and problem in (cluster(daemon)["problem"] or ""), seconds, "alone")
    except AssertionError:
        raise AssertionError(f"not alone because of {problem} after {seconds} s: {cluster(daemon)}") from None


def within_a_second(condition, what):
    began = time.monotonic()
    wait_for(condition, 2, what, every=0.02)
    took = time.monotonic() - began
    assert took < 1, f"{what}: after {took:.2f} s"


def beliefs(daemon):
    """What all nodes of a vantage have alike: {zone: (state, via, pinned, note)}; what is being found out is left out."""
    return {zone: (entry["state"], entry["via"], entry["source"] == "pinned", entry["note"])
            for zone, entry in daemon.zones().items() if entry["state"] not in ("suspect", "broken")}
