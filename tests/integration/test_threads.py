"""The whole daemon under ThreadSanitizer: load, zones that become blocked and recover, requests and reloads at once. Its
first report ends the daemon."""

import time

import pytest

from client import Load
from conftest import GOOD, warm
from daemon import Daemon
from upstream import Resolve, Servfail, Truncate, endpoint, free_port

pytestmark = pytest.mark.tsan


@pytest.fixture
def daemon(domestic, external):
    daemon = Daemon([domestic], [external], {"workers": 3, "learning.recheck_first": "1s", "learning.recheck_max": "2s",
                                             "learning.recheck_share": 100})
    daemon.program = ["setarch", "-R", *daemon.program]  # it wants addresses that are not random
    daemon.extra = {"TSAN_OPTIONS": "halt_on_error=1"}
    yield daemon.start(30)
    daemon.close()


def test_all_threads_at_once(daemon, domestic, second, fresh):
    shut, large = [fresh("shut") for _ in range(4)], fresh("large")
    domestic.set(large, Truncate())
    warm(daemon)
    other = endpoint("127.0.0.3", free_port("127.0.0.3"))
    loads = [Load(daemon.where, f"n{{}}.{zone}", rate=60, tcp=tcp)
             for zone, tcp in (*((zone, False) for zone in shut), (GOOD[0], False), (GOOD[1], True), (large, False))]
    states = set()
    for turn in range(9):
        for zone in shut:
            domestic.set(zone, Servfail() if turn < 6 else Resolve())
        daemon.set({"workers": 2 + turn % 3, "listen": [*daemon.listen, other][:1 + turn % 2],
                    "upstreams.domestic": [str(domestic), str(second)][:1 + turn // 3 % 2]})
        daemon.control("reload")
        states |= {entry["state"] for entry in daemon.control("zones")}
        for arguments in (["stats"], ["status"], ["upstreams"], ["zones", "pin", f"p{turn}.test", "external"],
                          ["cache", "flush", "--under", GOOD[0]]):
            daemon.control(*arguments)
        time.sleep(0.3 if turn else 5)  # so long it takes to be sure of a block
    for load in loads:
        assert not load.stop().lost
    assert "blocked" in states
    daemon.wait_state(f"{shut[0]}.", (None, "recovering"))
