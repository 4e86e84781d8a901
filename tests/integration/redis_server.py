"""A real redis-server on a Unix socket of its own, and what its keys hold."""

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

    def start(self, *options):
        """`options`: of this run alone."""
        with (self.directory / "redis.log").open("a") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", str(self.path), "--dir", str(self.directory), "--save", "",
                 *self.options, *options], stdout=log, stderr=log)
        wait_for(lambda: self.path.exists() and "PONG" in self.cli("PING", bare=True) or "NOAUTH" in self.cli("PING", bare=True), 10, "redis answers")
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
