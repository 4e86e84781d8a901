"""A node whose calendar is wrong (calendar.c) harms nobody, is told of, and is a peer again once it is right."""

import mmap
import pathlib
import re
import struct
import subprocess
import time

import pytest

from conftest import learn
from daemon import wait_for
from redis_server import beliefs, cluster, peer, within_a_second
from upstream import Silent

YEAR = 365 * 86400


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("calendar") / "calendar.so"
    source = pathlib.Path(__file__).with_name("calendar.c")
    subprocess.run(["cc", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(path), str(source)], check=True)
    return path


class Calendar:
    def __init__(self, library, path):
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self.environment = {"LD_PRELOAD": str(library), "CALENDAR": str(path)}

    def set(self, seconds):
        struct.pack_into("q", self._map, 0, seconds)


@pytest.mark.parametrize("years", [1, pytest.param(-1, marks=pytest.mark.nightly)], ids=["ahead", "behind"])
def test_a_clock_that_is_a_year_wrong(node, redis, library, tmp_path, domestic, fresh, years):
    first, second = node("a"), node("b")
    known, pinned = fresh("blocked"), fresh("pinned")
    learn(first, domestic, known, Silent())
    first.control("zones", "pin", pinned, "external", "--note", "right")
    wait_for(lambda: len(beliefs(second)) == 2, 5, "b has both")
    right = beliefs(first)
    fields = redis.cli("HKEYS", "byway:zones").split("\n")

    calendar = Calendar(library, tmp_path / "calendar")
    calendar.set(years * YEAR)
    off = node("c", extra=calendar.environment)
    learned = fresh("blocked")
    learn(off, domestic, learned, Silent())
    off.control("zones", "pin", pinned, "domestic", "--note", "wrong")
    off.control("zones", "forget", known, "--everywhere")
    said = re.compile(r"its clock is 3153\d{4} s " + ("ahead of this node's: what it says is not taken" if years > 0 else
                                                     "behind this node's: it does not take what this node says"))
    for good in (first, second):
        wait_for(lambda good=good: said.fullmatch((peer(good, "c") or {}).get("problem") or ""), 15, f"told of c: {cluster(good)}")
        assert beliefs(good) == right, "what it says is not taken"
        assert "node         c, vantage cn, there, seen" in good.ctl("status").stdout and said.search(good.ctl("status").stdout)
    own = re.compile(r"this node's clock is 3153\d{4} s " + ("ahead of Redis': what it says is not taken" if years > 0 else
                                                           "behind Redis': it does not take what others say"))
    assert own.fullmatch(cluster(off)["problem"]) and cluster(off)["connected"] and cluster(first)["problem"] is None
    assert re.search(rf"^cluster +connected as c, .*: {own.pattern}$", off.ctl("status").stdout, re.M)
    assert re.search(rf"warning.* cluster: {own.pattern}", off.log())
    more = fresh("blocked")
    learn(second, domestic, more, Silent())
    within_a_second(lambda: f"{more}." in first.zones(), "the others share beside it")
    assert set(fields) <= set(redis.cli("HKEYS", "byway:zones").split("\n")), "and it has removed nothing of theirs"

    calendar.set(0)
    last = fresh("blocked")
    learn(off, domestic, last, Silent())
    within_a_second(lambda: f"{last}." in first.zones(), "it is a peer again")
    for good in (first, second):
        wait_for(lambda good=good: not peer(good, "c")["problem"], 15, f"nothing is said of c any more: {cluster(good)}")
    within_a_second(lambda: not any(there["problem"] for there in cluster(off)["peers"]), "nor by it of others")
    assert cluster(off)["problem"] is None
    wait_for(lambda: beliefs(off) == beliefs(first) == beliefs(second), 15,
             f"all have all: {beliefs(off)}, {beliefs(first)}, {beliefs(second)}")
    assert beliefs(first)[f"{pinned}."][3] == ("wrong" if years > 0 else "right"), "words of c's that were not taken hold from now on"
