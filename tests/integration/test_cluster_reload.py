"""The cluster's settings while bywayd runs, what is told of them, and nodes that share by files."""

import json
import os
import re
import time

import pytest

from conftest import learn
from daemon import wait_for
from redis_server import Redis, beliefs, cluster, peer, wait_alone, wait_connected, within_a_second
from statements import Statement, pour, writing
from upstream import Silent, endpoint, free_port
from watcher import told, watchers
from web import request

FEW = 1000  # learning.max_zones, at least


@pytest.fixture
def watch():
    with watchers() as start:
        yield start


def reload(daemon, config, connected=True):
    daemon.set(config)
    daemon.control("reload")
    if connected:
        wait_connected(daemon)


def metric(where):
    """byway_cluster_connected; None: there is no such metric."""
    status, _, text = request(where, "/metrics")
    assert status == 200
    found = re.search(r"^byway_cluster_connected (\d)$", text, re.M)
    return found and int(found[1])


def test_reloads(node, forwarder, redis, tmp_path, domestic, fresh):
    first, second = node("a"), forwarder({"workers": 1})
    zone, pinned, other = fresh("blocked"), fresh("pinned"), fresh("pinned")
    assert cluster(second) is None and "cluster " not in second.ctl("status").stdout
    learn(second, domestic, zone, Silent())
    second.control("zones", "pin", pinned, "external")
    reload(second, redis.settings("b"))  # on, and what it knows is everybody's
    within_a_second(lambda: {f"{zone}.", f"{pinned}."} <= set(first.zones()), "a has what b learned before")

    reload(second, {"cluster.node": "bb"})
    first.control("zones", "unpin", pinned)
    within_a_second(lambda: f"{pinned}." not in second.zones(), "under another name, too")

    reload(second, {"cluster.vantage": "ir"})
    first.control("zones", "pin", other, "external")
    within_a_second(lambda: f"{other}." in first.zones(), "a has its pin")
    time.sleep(0.5)
    assert f"{other}." not in second.zones()
    reload(second, {"cluster.vantage": "cn"})
    within_a_second(lambda: f"{other}." in second.zones(), "back in the vantage")

    elsewhere = Redis(tmp_path / "elsewhere").start()
    try:
        reload(second, elsewhere.settings("bb"))
        assert elsewhere.cli("HLEN", "byway:nodes") == "1" and int(elsewhere.cli("HLEN", "byway:zones")) >= 2
        reload(second, redis.settings("bb"))
    finally:
        elsewhere.kill()
    reload(second, {"cluster": None}, connected=False)
    assert cluster(second) is None
    first.control("zones", "unpin", other)
    time.sleep(0.5)
    assert f"{other}." in second.zones(), "off: it hears nothing"


def test_room_for_more(node, redis):
    """learning.max_zones bounds also what is taken of others."""
    first = node("a", config={"learning.max_zones": FEW})
    pour(redis, [words for n in range(FEW) for words in writing(Statement("b", f"z{n}.test"))])
    wait_for(lambda: (peer(first, "b") or {}).get("zones") == FEW / 2, 5, "half of them")
    assert peer(first, "b")["problem"]
    reload(first, {"learning.max_zones": 2 * FEW})
    wait_for(lambda: peer(first, "b")["zones"] == FEW, 5, "all")
    assert peer(first, "b")["problem"] is None
    reload(first, {"learning.max_zones": FEW})
    wait_for(lambda: peer(first, "b")["zones"] == FEW / 2, 5, "half of them")


def test_turned_on_later_it_overrules_nobody(node, forwarder, redis, fresh):
    """What was said here before counts from when it was said."""
    first, second = node("a"), forwarder({"workers": 1})
    disputed, gone = fresh("disputed"), fresh("gone")
    for zone in (disputed, gone):
        second.control("zones", "pin", zone, "external", "--note", "before")
    time.sleep(1.1)
    for zone in (disputed, gone):
        first.control("zones", "pin", zone, "domestic", "--note", "later")
    first.control("zones", "unpin", gone)
    reload(second, redis.settings("b"))
    expected = {f"{disputed}.": ("clear", "domestic", True, "later")}
    wait_for(lambda: beliefs(first) == beliefs(second) == expected, 3, f"{beliefs(first)}, {beliefs(second)}")


def test_a_node_that_moves_takes_no_pins_of_others_along(node, redis, fresh):
    """A pin belongs to its vantage."""
    first, second, elsewhere = node("a"), node("b"), node("c", "ir")
    theirs = fresh("pinned")
    first.control("zones", "pin", theirs, "external")
    within_a_second(lambda: f"{theirs}." in second.zones(), "b has the pin")
    reload(second, {"cluster.vantage": "ir"})
    time.sleep(1)
    assert f"{theirs}." not in elsewhere.zones()


def test_what_is_told_of_the_cluster(node, redis, watch):
    where = endpoint("127.0.0.1", free_port("127.0.0.1"))
    first = node("a", config={"metrics.listen": where})
    machine, people = watch(first, "--json"), watch(first)
    second = node("b")
    wait_for(lambda: (peer(first, "b") or {}).get("present"), 10, "b is there")
    assert metric(where) == 1
    lines = first.ctl("status").stdout
    assert re.search(rf"^cluster +connected as a, vantage cn, by unix://{redis.path} since (now|\d+s ago)$", lines, re.M), lines
    assert re.search(r"^  node +b, vantage cn, there, seen (now|\d+s ago), zones from it: 0$", lines, re.M), lines
    assert lines.count("  node ") == 1, "itself is no peer"
    second.stop()
    wait_for(lambda: not peer(first, "b")["present"], 25, "b is gone")
    assert re.search(r"^  node +b, vantage cn, gone, seen ", first.ctl("status").stdout, re.M)
    redis.kill()
    wait_alone(first, "no such file or directory")
    assert metric(where) == 0
    assert re.search(r"^cluster +alone as a, .* since .*: no such file or directory$", first.ctl("status").stdout, re.M)
    redis.start()
    wait_connected(first, 40)
    events = [event for event in told(machine.end()[0]) if event["event"] == "cluster"]
    assert [(event.get("node"), event["state"]) for event in events] == \
        [("b", "up"), ("b", "down"), (None, "alone"), (None, "connected")], events
    assert events[2]["problem"] and events[3]["problem"] is None
    assert [words[1] for line in people.end()[0].splitlines() if len(words := line.split(" cluster   ")) > 1] == \
        ["node b is up", "node b is down", f"alone: {events[2]['problem']}", "connected"]
    reload(first, {"cluster": None}, connected=False)
    assert metric(where) is None


def test_a_password_file_that_has_no_password(node, tmp_path):
    daemon = node("a")
    directory, fifo, empty, blank = (tmp_path / name for name in ("directory", "fifo", "empty", "blank"))
    directory.mkdir()
    os.mkfifo(fifo)
    empty.touch()
    blank.write_text("\nhunter 2\n")
    for path, problem in ((directory, "it is no regular file"), (fifo, "it is no regular file"), (empty, "it is empty"),
                          (blank, "its first line is empty")):
        reload(daemon, {"cluster.password_file": str(path)}, connected=False)
        wait_alone(daemon, f"cluster.password_file {path}: {problem}")


@pytest.mark.nightly
def test_two_by_one_name(node, fresh):
    """One of them says so and stays alone, and goes on when the other is gone."""
    first, second = node("a"), node("a", connected=False)
    problem = 'another byway calls itself "a" there: give one of them another cluster.node'

    def alone():
        return [daemon for daemon in (first, second) if cluster(daemon)["problem"] == problem and not cluster(daemon)["connected"]]
    loser = wait_for(alone, 20, "one stays alone")[0]
    winner = second if loser is first else first
    for _ in range(20):
        assert cluster(winner)["connected"] and alone() == [loser]
        time.sleep(0.5)
    zone = fresh("pinned")
    winner.control("zones", "pin", zone, "external")
    winner.stop()
    wait_connected(loser, 40)
    assert f"{zone}." in loser.zones()


def exported(daemon):
    return json.dumps(daemon.control("zones", "export"))


def imported(daemon, text):
    done = daemon.control("zones", "import", "-", stdin=text)
    return done["imported"], done["skipped"], done["refused"]


def test_files_merge_as_the_cluster_does(forwarder, domestic, fresh):
    first, second = forwarder({"workers": 1}), forwarder({"workers": 1})
    blocked, forgotten, moved, unpinned = fresh("blocked"), fresh("forgotten"), fresh("moved"), fresh("unpinned")
    for zone in (blocked, forgotten):
        learn(first, domestic, zone, Silent())
    for zone in (moved, unpinned):
        first.control("zones", "pin", zone, "external", "--note", "old")
    old = exported(first)
    assert imported(second, old) == (4, 0, 0) and beliefs(second) == beliefs(first)
    before = second.control("zones")
    assert imported(second, old) == (0, 4, 0) and second.control("zones") == before, "twice changes nothing"
    assert imported(first, old) == (0, 4, 0), "nor does its own"

    time.sleep(1.1)  # times in a file are whole seconds
    first.control("zones", "forget", forgotten)
    first.control("zones", "pin", moved, "domestic", "--note", "new")
    first.control("zones", "unpin", unpinned)
    right = {f"{blocked}.": ("blocked", "external", False, None), f"{moved}.": ("clear", "domestic", True, "new")}
    assert beliefs(first) == right
    assert imported(first, old) == (0, 4, 0) and beliefs(first) == right, "an older file brings nothing back"
    first.restart()
    assert imported(first, old) == (0, 4, 0) and beliefs(first) == right, "nor behind a restart"
    first.set({"cluster": {"redis": "unix:///nowhere/redis.sock", "vantage": "cn", "node": "a"}})
    first.restart()
    assert imported(first, old) == (0, 4, 0) and beliefs(first) == right, "nor once there is a cluster"
    first.set({"cluster": None})
    first.restart()
    assert imported(first, old) == (0, 4, 0) and beliefs(first) == right, "nor once there is none any more"

    assert imported(second, exported(first)) == (1, 1, 0)
    assert beliefs(second)[f"{moved}."] == right[f"{moved}."], "a newer one moves the pin"
    assert f"{forgotten}." in second.zones() and f"{unpinned}." in second.zones(), "a file says nothing of what is not in it"


def ago(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


def test_a_file_brings_no_pin_that_a_peer_has_told(node, fresh):
    """Not even the same, said at the same time; a later one it does."""
    first, second = node("a"), node("b")
    zone = fresh("pinned")
    pin = {"zone": f"{zone}.", "state": "clear", "source": "pinned", "via": "external", "pinned_at": ago(60)}
    later = {**pin, "via": "domestic", "pinned_at": ago(50)}
    assert imported(first, json.dumps({"version": 1, "zones": [pin]})) == (1, 0, 0)
    within_a_second(lambda: f"{zone}." in second.zones(), "b has the pin")
    assert imported(second, json.dumps({"version": 1, "zones": [pin]})) == (0, 1, 0)
    assert imported(second, json.dumps({"version": 1, "zones": [later]})) == (1, 0, 0)
    assert second.zones()[f"{zone}."]["via"] == "domestic"
