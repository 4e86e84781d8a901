"""Redis fails in each way that it has: nodes say which, DNS and learning go on as if nothing were, and once it is well
they are together again, with everything merged.

Most of the time is waiting, so the faults of a group have their course at the same time, each with a Redis and two nodes
of its own.
"""

import concurrent.futures
import contextlib
import threading
import time

import pytest

from client import Load
from conftest import learn
from daemon import Daemon, wait_for
from redis_faults import EVERYDAY, FAULTS
from redis_server import beliefs, cluster, wait_alone, wait_connected
from upstream import Servfail, Silent

AT_ONCE = 8
AGAIN = 35  # s until it is together again: it is tried every 30 s at least
making = threading.Lock()  # zones are added to the world one by one


def quantile(replies, part):
    values = sorted(reply.elapsed for reply in replies)
    return values[min(int(len(values) * part), len(values) - 1)]


class Course:
    """One fault, from a sound cluster to a sound cluster."""

    def __init__(self, fault, directory, domestic, external, fresh):
        self.fault = fault
        self.domestic = domestic
        self.fresh = fresh
        self.nodes = []
        for name in "ab":
            keys = {**fault.redis.settings(name)["cluster"], **fault.keys()}
            config = {"cluster": keys, "workers": 1, "learning.recheck_first": "1h", "learning.recheck_max": "1h"}
            (directory / name).mkdir()
            self.nodes.append(Daemon([domestic], [external], config, directory=directory / name))

    def zone(self, stem):
        with making:
            return self.fresh(stem)

    def load(self, seconds=None):
        """Questions to the first node, for some seconds, or until stop()."""
        load = Load(self.nodes[0].where, "n{}." + self.zone("open"), rate=25)
        if seconds:
            time.sleep(seconds)
            load.stop()
        return load

    def learned(self, node, failure):
        zone = self.zone("blocked")
        learn(node, self.domestic, zone, failure)
        return f"{zone}."

    def run(self):
        first, second = self.nodes
        for node in self.nodes:
            node.start()
            wait_connected(node)
        known = {self.learned(first, Silent())}
        wait_for(lambda: known <= set(second.zones()), 5, "what was learned before is everybody's")
        before = self.load(seconds=3)
        self.fault.begin()
        load = self.load()
        known |= {self.learned(first, Servfail()), self.learned(second, Silent())}
        pinned = self.zone("pinned")
        second.control("zones", "pin", pinned, "external", "--note", "meanwhile")
        self.check_said()
        self.fault.end()
        for node in self.nodes:
            wait_connected(node, AGAIN)
        load.stop()
        wait_for(lambda: known | {f"{pinned}."} == set(beliefs(first)) and beliefs(first) == beliefs(second), 10,
                 f"both have all: {beliefs(first)}, {beliefs(second)}")
        self.check_service(before, load)
        assert int(self.fault.cli("HLEN", "byway:zones")) >= len(known) + 1, "Redis has all again"

    def check_said(self):
        if self.fault.problem is None:
            for _ in range(12):
                assert all(cluster(node)["connected"] for node in self.nodes), [cluster(node) for node in self.nodes]
                time.sleep(0.5)
            return
        for node in self.nodes:
            if self.fault.fleeting:
                wait_for(lambda node=node: f"cluster: alone: {self.fault.problem}" in node.log(), 12, self.fault.problem)
            else:
                wait_alone(node, self.fault.problem, seconds=15)

    def check_service(self, before, load):
        for one in (before, load):
            assert one.lost == [] and {reply.rcode for reply in one.replies} == {"NOERROR"}, one.lost[:3]
        stalled = max(before.stalled, load.stalled)
        for part, grace in ((0.5, 0.05), (0.9, 0.3), (0.99, 1.5)):
            was, now = (quantile(one.replies, part) for one in (before, load))
            assert now < 2 * was + grace + stalled, f"of {len(load.replies)} answers, at {part}: {was:.3f} s before, {now:.3f} s meanwhile"

    def close(self):
        for node in self.nodes:
            node.close()


@pytest.fixture(scope="module")
def courses(request, shared_domestic, shared_external, fresh, tmp_path_factory):
    """{name of a fault: a future of its course}"""
    root = tmp_path_factory.mktemp("faults")

    def run(name):
        directory = root / name
        directory.mkdir()
        with contextlib.closing(FAULTS[name](directory / "redis")) as fault, \
                contextlib.closing(Course(fault, directory, shared_domestic, shared_external, fresh)) as course:
            course.run()

    wanted = [item.callspec.params["name"] for item in request.session.items if "courses" in getattr(item, "fixturenames", ())]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(run, name) for name in wanted}


@pytest.mark.parametrize("name", [name if fault in EVERYDAY else pytest.param(name, marks=pytest.mark.nightly)
                                  for name, fault in FAULTS.items()])
def test_redis_fails_and_is_well_again(courses, name):
    courses[name].result(timeout=200)
