"""One node says more than it may: that costs it, and nobody else."""

import re
import threading
import time

from client import Load
from conftest import learn
from daemon import wait_for
from redis_server import cluster, peer, within_a_second
from statements import Statement, pour, writing
from upstream import Silent

BURST, RATE = 5000, 500  # SESSION_PEER_BURST, SESSION_PEER_RATE
FEW = 2000  # learning.max_zones of the second node
TOO_MUCH = "it has said too much: half of learning.max_zones is taken of one node"


def knows(daemon, zone):
    return daemon.ctl("zones", "show", zone).returncode == 0


def told(daemon, name):
    return peer(daemon, name) or {"zones": 0, "problem": None}


def test_one_nodes_flood_is_capped_by_origin(node, redis, domestic, fresh):
    first, second, third = node("a"), node("b", config={"learning.max_zones": FEW}), node("c")
    load = Load(first.where, "n{}." + fresh("open"), rate=50)
    said, halt, began = [0], threading.Event(), time.monotonic()

    def flood():
        while not halt.is_set():
            statements = [Statement("flood", f"z{n}.many{n % 200}.test") for n in range(said[0], said[0] + 4000)]
            pour(redis, [words for statement in statements for words in writing(statement)])
            said[0] += len(statements)
            halt.wait(1)

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        wait_for(lambda: said[0] >= 12000, 20, "a flood")
        for learner, others in ((third, (first, second)), (second, (first, third))):
            zone = fresh("blocked")
            learn(learner, domestic, zone, Silent())
            for other in others:
                within_a_second(lambda other=other, zone=zone: knows(other, zone), "others are heard beside it")
        taken = told(first, "flood")["zones"]
        seconds = time.monotonic() - began
    finally:
        halt.set()
        flooding.join()
        load.stop()
    assert BURST <= taken <= BURST + RATE * seconds < said[0], f"{taken} of {said[0]} in {seconds:.1f} s"
    assert told(second, "flood")["zones"] == FEW / 2, "half of learning.max_zones"
    for daemon, problem in ((first, rf"it has said more than {RATE} a second: \d+ were read later"), (second, TOO_MUCH)):
        assert re.fullmatch(problem, told(daemon, "flood")["problem"])
        assert re.search(rf"node +flood, .*; {problem}$", daemon.ctl("status").stdout, re.M)
        assert cluster(daemon)["connected"] and told(daemon, "c")["problem"] is None
    assert load.lost == [] and sorted(reply.elapsed for reply in load.replies)[len(load.replies) * 99 // 100] < 0.5 + load.stalled

    # Whoever comes later reads all of it at once, and takes no more of it.
    late = node("d", config={"learning.max_zones": FEW})
    assert told(late, "flood")["zones"] == FEW / 2 and knows(late, zone)

    pour(redis, [words for n in range(FEW) for words in writing(Statement("heap", f"z{n}.heap{n % 200}.test"))])
    wait_for(lambda: told(second, "heap")["problem"] == TOO_MUCH, 5, "what is too much")
    assert told(second, "heap")["zones"] == FEW / 2
    wait_for(lambda: told(first, "heap")["zones"] == FEW, 5, "where there is room all is taken")
