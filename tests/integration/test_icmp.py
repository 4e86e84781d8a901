"""Floods of forged ICMP errors (icmp.c): whatever they say, domestic goes on being asked and heard."""

import contextlib
import pathlib
import subprocess
import time

import pytest

from conftest import DOMESTIC, GOOD, warm
from daemon import Daemon
from upstream import Slow

SECONDS = 6
PORTS = 3  # of the namespace: so few that each gets thousands a second
CLIENT = "127.0.0.9"  # whom none of the errors is for
RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.fixture(scope="session")
def spray(tmp_path_factory):
    path = tmp_path_factory.mktemp("icmp") / "icmp"
    source = pathlib.Path(__file__).with_name("icmp.c")
    subprocess.run(["cc", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-o", str(path), str(source)], check=True)
    return path


@contextlib.contextmanager
def few_ports():
    before = RANGE.read_text()
    first = 40000
    RANGE.write_text(f"{first} {first + PORTS - 1}")
    try:
        yield first, first + PORTS - 1
    finally:
        RANGE.write_text(before)


def test_a_flood_of_forged_errors_is_no_silence(spray, domestic, external):
    domestic.default = Slow(0.02)
    with contextlib.closing(Daemon([domestic], [external])) as daemon:
        daemon.start()
        warm(daemon)
        with few_ports() as (first, last):
            arguments = [str(part) for part in ("127.0.0.1", domestic.address, domestic.port, first, last, SECONDS)]
            flood = subprocess.Popen([str(spray), *arguments], stdout=subprocess.PIPE, text=True)
            end, answers = time.monotonic() + SECONDS - 0.5, []
            while time.monotonic() < end:
                answers.append(daemon.ask(f"n{len(answers)}.{GOOD[0]}", source=CLIENT).addresses)
            sent = int(flood.communicate(timeout=10)[0])
        shown = next(u for u in daemon.control("upstreams") if u["group"] == "domestic")
        stats = daemon.control("stats")
    assert sent > 20000 * SECONDS
    assert len(answers) > 20 and set(map(tuple, answers)) == {(DOMESTIC,)}
    assert shown["state"] == "up"
    assert stats["external_by_failure"] == stats["external_by_outage"] == 0
