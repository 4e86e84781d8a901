"""Upstreams that lead back to byway: a question costs few packets, ends by its deadline, and the operator is told."""

import json
import os
import pathlib
import subprocess
import time

import pytest

from client import together
from conftest import EXTERNAL
from daemon import wait_for
from upstream import Silent, endpoint

PER_QUESTION = 15  # messages that byway may receive for one client's question, confirmations included
BY_ITSELF = 30  # and for its own health probes and echoes meanwhile


def received(daemon):
    return daemon.control("stats")["queries"]


def cpu_seconds(daemon):
    fields = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def looping(daemon):
    return [upstream["address"] for upstream in daemon.control("upstreams") if upstream["loop"]]


def check_told(daemon, address):
    """A reload asks anew: when it started, somebody in the circle may not have been there, or been taken to be down."""
    wait_for(lambda: looping(daemon) == [address] or daemon.hang_up(), 20, f"{address} is found to loop", every=1)
    assert f"warning upstream {address} forwards to this bywayd" in daemon.log()
    assert any(line.split()[1:4] == [address, "udp", "loop"] for line in daemon.ctl("upstreams").stdout.splitlines())


@pytest.fixture
def pair(forwarder):
    """Two that have each other for domestic, the second started last."""
    first, second = forwarder({"workers": 2}), forwarder({"workers": 2})
    first.set({"upstreams.domestic": [second.where]})
    second.set({"upstreams.domestic": [first.where]})
    first.restart()
    second.restart()
    return first, second


@pytest.fixture(scope="module")
def own_address():
    """An address of this host of which byway, listening on all of them, does not know that it is its own."""
    links = json.loads(subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, check=True).stdout)
    for address in (info["local"] for link in links for info in link.get("addr_info", []) if "local" in info):
        if not address.startswith("127."):
            return address
    pytest.skip("this host has no address but loopback")


def ask_in_circles(daemons, zones, expected):
    """Asks the first one; -> what each received because of it."""
    before = [(received(daemon), cpu_seconds(daemon)) for daemon in daemons]
    replies = together([lambda zone=zone: daemons[0].ask(f"round.{zone}") for zone in zones])
    for reply in replies:
        assert (reply.rcode, reply.addresses) == expected
        assert reply.elapsed < 6
    for daemon, (messages, cpu) in zip(daemons, before):
        assert received(daemon) - messages <= PER_QUESTION * len(zones) + BY_ITSELF
        assert cpu_seconds(daemon) - cpu < 1.5
    return replies


def check_calm(daemons):
    """In the end nothing goes round any more: what is received are health probes of upstreams that are down."""
    def calm():
        before = [received(daemon) for daemon in daemons]
        time.sleep(2)
        return all(received(daemon) - messages <= 2 for daemon, messages in zip(daemons, before))
    wait_for(calm, 30, "the end of it")


def test_two_with_another_way(pair, fresh):
    first, second = pair
    replies = ask_in_circles(pair, [fresh("open") for _ in range(5)], ("NOERROR", [EXTERNAL]))
    assert all(reply.elapsed < 2.5 for reply in replies)
    check_told(second, first.where)
    check_told(first, second.where)


def test_two_without(pair, external, fresh):
    external.set(".", Silent())
    try:
        ask_in_circles(pair, [fresh("open") for _ in range(5)], ("SERVFAIL", []))
        check_calm(pair)
    finally:
        external.clear(".")
    zone = fresh("open")
    wait_for(lambda: pair[0].ask(zone).addresses == [EXTERNAL], 10, "external serves again")


@pytest.mark.parametrize("other_way", [True, False])
def test_one_alone(forwarder, external, own_address, fresh, other_way):
    daemon = forwarder({"workers": 2, "allow": ["0.0.0.0/0"]}, addresses=("0.0.0.0",))
    daemon.where = endpoint("127.0.0.1", daemon.port)
    own = endpoint(own_address, daemon.port)
    daemon.set({"upstreams.domestic": [own]})
    daemon.restart()
    check_told(daemon, own)
    if not other_way:
        external.set(".", Silent())
    try:
        ask_in_circles([daemon], [fresh("open") for _ in range(5)],
                       ("NOERROR", [EXTERNAL]) if other_way else ("SERVFAIL", []))
    finally:
        external.clear(".")


def test_no_loop_is_seen_where_none_is(forwarder, domestic, external):
    daemon = forwarder()
    wait_for(lambda: domestic.echoes and external.echoes, 5, "both are asked")
    first, second = domestic.echoes[0].text, external.echoes[0].text
    assert first != second and first.split(".")[1:] == second.split(".")[1:]
    time.sleep(0.2)
    assert looping(daemon) == [] and daemon.warnings() == []
    assert daemon.control("stats")["queries"] == 0
    daemon.restart()
    wait_for(lambda: len(domestic.echoes) > 1, 5, "it is asked again")
    assert domestic.echoes[-1].text.split(".")[1] != first.split(".")[1]  # nobody knows the next one from the last
