"""Nodes that cannot reach each other for a while, killed and frozen meanwhile: afterwards all have the same, nothing
that was forgotten comes back, and nothing that was pinned is lost."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from conftest import learn
from daemon import wait_for
from redis_server import beliefs, cluster, wait_alone, wait_connected
from upstream import Resolve, Servfail, Silent, free_port

WAYS = {"a": "127.0.0.61", "b": "127.0.0.62", "c": "127.0.0.63"}  # each node's own to Redis, so that each can be cut


class Border:
    """Drops what goes to or comes from an address, by nftables."""

    def __init__(self):
        self.table = f"byway_test_{os.getpid()}"
        self.nft(f"""table inet {self.table} {{
            set cut {{ type ipv4_addr; }}
            chain out {{
                type filter hook output priority 0
                ip daddr @cut drop
                ip saddr @cut drop
            }}
        }}""")

    @staticmethod
    def nft(text):
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True, timeout=10)

    def cut(self, *addresses):
        self.nft(f"add element inet {self.table} cut {{ {', '.join(addresses)} }}")

    def heal(self):
        self.nft(f"flush set inet {self.table} cut")

    def close(self):
        self.nft(f"delete table inet {self.table}")


@pytest.fixture
def border():
    with contextlib.closing(Border()) as border:
        yield border


@pytest.fixture
def nodes(node, redis):
    """{name: bywayd}, three of them, each with a way of its own to Redis."""
    port = free_port(*WAYS.values())
    redis.cli("CONFIG", "SET", "bind", " ".join(WAYS.values()), "protected-mode", "no", "port", str(port))
    return {name: node(name, redis=f"redis://{way}:{port}", config={"learning.recheck_first": "1h", "learning.recheck_max": "1h"})
            for name, way in WAYS.items()}


def all_alike(nodes, without=None, seconds=40):
    """What all have, `without` apart."""
    tables = {}

    def alike():
        tables.update({name: {zone: belief for zone, belief in beliefs(daemon).items() if zone != without}
                       for name, daemon in nodes.items()})
        return len({repr(sorted(table.items())) for table in tables.values()}) == 1
    try:
        wait_for(alike, seconds, "all nodes are equal")
    except AssertionError:
        raise AssertionError(f"not equal after {seconds} s: {tables}") from None
    return tables["a"]


def crash(daemon):
    daemon.kill()
    return daemon.start()


def clear(daemon, domestic, zone):
    """Two good rechecks."""
    domestic.set(zone, Resolve())
    wait_for(lambda: daemon.ctl("zones", "probe", zone) and f"{zone}." not in daemon.zones(), 20, f"{zone} is clear")


@pytest.mark.parametrize("lost", [False, pytest.param(True, marks=pytest.mark.nightly)], ids=["redis", "empty-redis"])
def test_after_a_partition_all_are_equal(nodes, border, redis, domestic, fresh, lost):
    first, second, third = nodes.values()
    forgotten, cleared, unpinned, pinned, learned, disputed = (fresh(stem) for stem in
                                                               ("forgotten", "cleared", "unpinned", "pinned", "learned", "disputed"))
    learn(first, domestic, forgotten, Silent())
    learn(second, domestic, cleared, Servfail())
    third.control("zones", "pin", unpinned, "external")
    wait_for(lambda: all(len(beliefs(daemon)) == 3 for daemon in nodes.values()), 5, "all have all three")

    border.cut(*WAYS.values())
    first.control("zones", "forget", forgotten)
    second.control("zones", "pin", pinned, "external", "--note", "in the dark")
    third.control("zones", "unpin", unpinned)
    third.control("zones", "pin", disputed, "external", "--note", "first")
    learn(first, domestic, learned, Silent())
    clear(second, domestic, cleared)
    second.control("zones", "pin", disputed, "domestic", "--note", "last")
    for daemon in nodes.values():
        wait_alone(daemon, "", seconds=15)
    assert len({repr(sorted(beliefs(daemon).items())) for daemon in nodes.values()}) == 3, "each has its own"
    second.process.send_signal(signal.SIGSTOP)
    crash(first)  # what it said while it was alone is in its journal
    crash(third)
    if lost:
        redis.cli("FLUSHALL")
    time.sleep(2)
    second.process.send_signal(signal.SIGCONT)

    border.heal()
    for daemon in nodes.values():
        wait_connected(daemon, seconds=40)
    expected = {f"{pinned}.": ("clear", "external", True, "in the dark"), f"{disputed}.": ("clear", "domestic", True, "last"),
                f"{learned}.": ("blocked", "external", False, None)}
    assert all_alike(nodes, without=f"{cleared}.") == expected, {name: cluster(daemon) for name, daemon in nodes.items()}
    assert f"{cleared}." not in second.zones()
    for daemon in nodes.values():  # another's good rechecks bring one's own forward, to recheck_first after the failure
        daemon.set({"learning.recheck_first": "1s", "learning.recheck_max": "1s"})
        crash(daemon)
    for daemon in nodes.values():
        wait_connected(daemon, seconds=20)
    assert all_alike(nodes) == expected, "nor does it come back by restarts"
