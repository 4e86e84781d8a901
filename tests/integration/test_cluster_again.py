"""What a node makes of what stands in Redis and on its disk when it begins anew: never more than was said."""

import json
import time

from conftest import learn
from daemon import wait_for
from redis_server import beliefs, peer, wait_connected, within_a_second
from statements import Statement, pour, writing
from upstream import Silent

HOUR = 3600


def settled(daemon, *there):
    """Its zones, once those of `there` are among them: the last that is looked at."""
    wait_for(lambda: {f"{zone}." for zone in there} <= set(daemon.zones()), 5, f"{there} is there")
    time.sleep(0.3)
    return daemon.zones()


def test_what_others_have_cleared_is_not_blocked_again(node, redis):
    """In whatever order the hash is read: a node that has gone failed these zones, and others found them good since."""
    now = time.time()
    cleared = [f"z{n}.cleared{n}.test" for n in range(200)]
    commands = []
    for zone in cleared:
        commands += writing(Statement("gone", zone, at=now - 2 * HOUR)) + writing(Statement("other", zone, at=now - HOUR, good=2))
    pour(redis, commands + writing(Statement("other", "shut.blocked.test", at=now - HOUR)))
    daemon = node("a")
    assert set(settled(daemon, "shut.blocked.test")) == {"shut.blocked.test."}
    daemon.restart()
    wait_connected(daemon)
    assert set(settled(daemon, "shut.blocked.test")) == {"shut.blocked.test."}


def test_a_restart_in_another_vantage_takes_no_pin_along(node, fresh):
    pinned, own = fresh("pinned"), fresh("pinned")
    first, second, elsewhere = node("a", "de"), node("b", "de"), node("c", "cn")
    first.control("zones", "pin", pinned, "domestic")
    second.control("zones", "pin", own, "external")
    within_a_second(lambda: f"{pinned}." in second.zones(), "b has a's pin")
    second.set({"cluster.vantage": "cn"})
    second.restart()
    wait_connected(second)
    within_a_second(lambda: f"{own}." in elsewhere.zones(), "b's own pin is its word in cn, too")
    assert f"{pinned}." not in second.zones() and f"{pinned}." not in elsewhere.zones()
    assert f"{pinned}." in first.zones()


def test_an_import_is_as_old_as_it_says(node, redis, forwarder, fresh):
    """Joining afterwards, too: what was forgotten since does not come back."""
    zone, now = fresh("imported"), time.time()
    failed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 2 * HOUR))
    pour(redis, writing(Statement("other", zone, "forget", at=now - HOUR)))
    daemon = forwarder({"workers": 1})
    exported = {"version": 1, "zones": [{"zone": zone, "state": "blocked", "last_failure": failed}]}
    daemon.control("zones", "import", "-", stdin=json.dumps(exported))
    assert daemon.zones()[f"{zone}."]["last_failure"] == failed
    daemon.set(redis.settings("a"))
    daemon.control("reload")
    wait_connected(daemon)
    second = node("b")
    wait_for(lambda: f"{zone}." not in daemon.zones(), 5, "it was forgotten since")
    time.sleep(0.5)
    assert f"{zone}." not in second.zones()


def test_a_pin_does_not_wait_behind_a_flood(node, redis, fresh):
    pinned, daemon = fresh("pinned"), node("a")
    pour(redis, [words for n in range(5800) for words in writing(Statement("loud", f"z{n}.loud{n}.test"))])
    pour(redis, writing(Statement("loud", pinned, "pin")))
    within_a_second(lambda: daemon.zones().get(f"{pinned}.", {}).get("source") == "pinned", "the pin is in force")
    assert "a second" in peer(daemon, "loud")["problem"], "some of it came too fast"


def test_unpin_drops_what_came_that_way(node, domestic, fresh):
    zone, daemon = fresh("pinned"), node("a")
    daemon.control("zones", "pin", zone, "external")
    assert daemon.ask(f"x.{zone}").ede
    daemon.control("zones", "unpin", zone)
    assert not daemon.ask(f"x.{zone}").ede, "asked again, of domestic"


def test_what_is_believed_off_is_believed_on(node, domestic, fresh):
    """Not forgotten for a setting that was another for a while."""
    zone = fresh("blocked")
    first, second = node("a"), node("b", config={"learning.mode": "off"})
    learn(first, domestic, zone, Silent())
    time.sleep(1)
    assert beliefs(second) == {}
    second.set({"learning.mode": "on"})
    second.control("reload")
    within_a_second(lambda: second.zones().get(f"{zone}.", {}).get("state") == "blocked", "it is believed now")
