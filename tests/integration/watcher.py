"""Commands of bywayctl that stream: run, and ended whatever happens."""

import contextlib
import json
import subprocess
import time

from daemon import environment, program


class Watcher:
    """`bywayctl events`, or another command that streams, running."""

    def __init__(self, daemon, *options, method=("events",)):
        self.process = subprocess.Popen([program("bywayctl"), "-s", daemon.socket, *options, *method],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        time.sleep(0.3)  # until it watches

    def end(self):
        """All that it printed: standard output, standard error."""
        self.process.terminate()
        return self.process.communicate(timeout=5)


@contextlib.contextmanager
def watchers():
    """start(daemon, …): a Watcher."""
    started = []

    def start(*args, **more):
        started.append(Watcher(*args, **more))
        return started[-1]
    try:
        yield start
    finally:
        for watcher in started:
            if watcher.process.poll() is None:
                watcher.process.kill()
            watcher.process.communicate()


def told(output):
    return [json.loads(line) for line in output.splitlines()]
