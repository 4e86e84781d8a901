"""Nodes that share what they learn through a real Redis."""

import calendar
import json
import re
import time

from conftest import DOMESTIC, EXTERNAL, learn
from daemon import wait_for
from redis_server import cluster, within_a_second
from statements import Statement, pour, writing
from upstream import Resolve, Silent

SOON = {"learning.recheck_first": "2s", "learning.recheck_max": "8s"}


def test_what_one_node_confirmed_the_others_of_its_vantage_believe(node, domestic, fresh):
    first, second, elsewhere = node("a"), node("b"), node("c", "ir")
    zone = fresh("blocked")
    learn(first, domestic, zone, Silent())
    within_a_second(lambda: f"{zone}." in second.zones(), "b has it")
    entry = second.zones()[f"{zone}."]
    assert (entry["state"], entry["via"], entry["source"], entry["reason"]) == ("blocked", "external", "cluster", "timeout")
    reply = second.ask(f"first.{zone}")
    assert reply.addresses == [EXTERNAL] and reply.elapsed < 0.2, "straight there"
    assert elsewhere.zones() == {}
    peers = {peer["node"]: peer for peer in cluster(second)["peers"]}
    assert set(peers) <= {"a", "c"} and peers["a"]["zones"] == 1 and peers["a"]["vantage"] == "cn"
    assert peers["a"]["present"] and peers["a"]["last_seen"] and not peers["a"]["problem"]


def test_pins_and_forgets_hold_throughout_the_vantage(node, domestic, fresh):
    first, second, elsewhere = node("a"), node("b"), node("c", "ir")
    zone, other = fresh("blocked"), fresh("pinned")
    second.control("zones", "pin", other, "external", "--note", "customer 12", "--for", "1h")
    within_a_second(lambda: f"{other}." in first.zones(), "the pin is in force")
    entry = first.zones()[f"{other}."]
    assert (entry["source"], entry["via"], entry["note"]) == ("pinned", "external", "customer 12")
    assert entry["until"] == second.zones()[f"{other}."]["until"] and entry["pinned_at"]
    assert first.ask(f"x.{other}").addresses == [EXTERNAL], "above what is learned"
    first.control("zones", "unpin", other)
    within_a_second(lambda: f"{other}." not in second.zones(), "the pin is taken back")

    learn(first, domestic, zone, Silent())
    within_a_second(lambda: f"{zone}." in second.zones(), "b has it")
    second.control("zones", "forget", zone)
    within_a_second(lambda: f"{zone}." not in first.zones(), "a has forgotten it")
    assert elsewhere.zones() == {}

    first.control("zones", "pin", other, "external", "--everywhere")
    within_a_second(lambda: f"{other}." in elsewhere.zones(), "the pin is in force everywhere")
    second.control("zones", "unpin", other, "--everywhere")
    within_a_second(lambda: f"{other}." not in elsewhere.zones() and f"{other}." not in first.zones(), "and taken back")
    for daemon in (first, elsewhere, first):
        zones = [{"zone": f"{zone}.", "state": "blocked", "reason": "timeout"}]
        assert daemon.control("zones", "import", "-", stdin=json.dumps({"version": 1, "zones": zones}))["imported"] == 1
        if daemon is elsewhere:
            first.control("zones", "forget", zone)
            time.sleep(0.5)
            assert f"{zone}." in elsewhere.zones()
    first.control("zones", "forget", zone, "--everywhere")
    within_a_second(lambda: f"{zone}." not in elsewhere.zones(), "forgotten everywhere")


def said(daemon, zone):
    """What `zones show` says that nodes said."""
    nodes = daemon.control("zones", "show", zone)["nodes"]
    assert all(abs(time.time() - calendar.timegm(time.strptime(one.pop("at"), "%Y-%m-%dT%H:%M:%SZ"))) < 10 for one in nodes)
    assert {(one.pop("scope"), one.pop("type")) for one in nodes} == {("zone", None)}
    return [tuple(one[key] for key in ("node", "said", "reason", "via", "everywhere")) for one in nodes]


def test_who_said_what(node, redis, domestic, fresh):
    first, second, elsewhere = node("a"), node("b"), node("c", "ir")
    zone, pinned = fresh("blocked"), fresh("pinned")
    learn(first, domestic, zone, Silent())
    within_a_second(lambda: f"{zone}." in second.zones(), "b has it")
    blocked = ("a", "blocked", "timeout", None, None)
    assert said(first, zone) == said(second, zone) == [blocked]
    shown = second.ctl("zones", "show", zone).stdout
    assert re.search(r"^(now|\d+s ago) +a +zone +blocked +- +timeout +-$", shown, re.M), shown
    pour(redis, writing(Statement("x", zone, good=1)))
    within_a_second(lambda: said(second, zone) == [("x", "good", None, None, None), blocked], "x found it good")

    first.control("zones", "forget", zone)
    within_a_second(lambda: f"{zone}." not in second.zones(), "b has forgotten it")
    pour(redis, writing(Statement("x", zone)))
    second.wait_state(f"{zone}.", "blocked")
    assert said(second, zone) == [("a", "forgotten", None, None, False), ("x", "blocked", "timeout", None, None)]

    second.control("zones", "pin", pinned, "external", "--everywhere")
    within_a_second(lambda: f"{pinned}." in elsewhere.zones(), "the pin is in force everywhere")
    for daemon in (first, second, elsewhere):
        assert said(daemon, pinned) == [("b", "pinned", None, "external", True)]
    first.control("zones", "pin", pinned, "domestic")
    within_a_second(lambda: second.zones()[f"{pinned}."]["via"] == "domestic", "the later pin is in force")
    assert said(second, pinned) == [("a", "pinned", None, "domestic", False)]


def test_of_much_that_was_said_the_newest_is_shown(node, redis, fresh):
    first, zone = node("a"), fresh("blocked")
    first.control("zones", "pin", zone, "external")
    now = int(time.time()) + 1
    pour(redis, [words for n in range(100) for words in writing(Statement(f"x{n:03}", zone, at=now - n))])
    wait_for(lambda: len(first.control("zones", "show", zone)["nodes"]) == 64 and len(cluster(first)["peers"]) >= 100, 5, "all is heard")
    nodes = first.control("zones", "show", zone)["nodes"]
    assert [one["node"] for one in nodes] == ["a", *(f"x{n:03}" for n in range(63))], "and the pin"


def test_a_zone_is_rechecked_by_one_node_and_recovers_on_all(node, domestic, fresh):
    nodes = [node(name, config=SOON) for name in "abc"]
    zone = fresh("blocked")
    learn(nodes[0], domestic, zone, Silent())
    for daemon in nodes[1:]:
        daemon.wait_state(f"{zone}.", "blocked")
    began = time.monotonic()
    time.sleep(9)
    asked = domestic.count(zone, since=began)
    assert 1 <= asked <= 4, f"2 s, 4 s, 8 s, whoever asks: {asked}"
    domestic.set(zone, Resolve())
    for daemon in nodes:
        daemon.wait_state(f"{zone}.", None, seconds=100)  # who is refused a lease waits for ZONE_POSTPONE
    assert all(daemon.ask(f"y.{zone}").addresses == [DOMESTIC] for daemon in nodes)


def test_a_new_node_has_ten_thousand_zones_in_a_second(node):
    first = node("a")
    zones = [{"zone": f"z{n}.many{n % 200}.test.", "state": "blocked", "reason": "timeout"} for n in range(10000)]
    assert first.control("zones", "import", "-", stdin=json.dumps({"version": 1, "zones": zones}))["imported"] == 10000
    wait_for(lambda: cluster(first)["sent"] >= 10000, 10, "all is written")
    second = node("b", connected=False)
    began = time.monotonic()
    # a has begun to recheck them, and finds one a second open
    wait_for(lambda: second.control("status")["zones"]["blocked"] >= 9980, 5, "b has all", every=0.02)
    assert time.monotonic() - began < 1

