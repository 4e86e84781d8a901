"""What was learned survives a stop, a crash, and a damaged disk."""

import os
import shutil
import time

import pytest

from conftest import DOMESTIC, EXTERNAL, learn
from daemon import Daemon, wait_for
from upstream import Servfail


@pytest.fixture
def learned(forwarder, domestic, fresh):
    """A running bywayd that knows a blocked zone and a pin; the zone's and the pin's name."""
    daemon = forwarder()
    zone, pinned = fresh("blocked"), fresh("pinned")
    daemon.control("zones", "pin", pinned, "external", "--note", "stays")
    learn(daemon, domestic, zone, Servfail())
    return daemon, zone, pinned


def check_kept(daemon, domestic, zone, pinned, since=None):
    zones = daemon.zones()
    assert zones[f"{zone}."]["state"] == "blocked" and zones[f"{zone}."]["reason"] == "servfail"
    assert since is None or zones[f"{zone}."]["since"] == since
    assert zones[f"{pinned}."]["note"] == "stays" and zones[f"{pinned}."]["source"] == "pinned"
    domestic.forget()
    for name in (zone, pinned):
        assert daemon.ask(f"again.{name}").addresses == [EXTERNAL]
        assert domestic.count(f"again.{name}") == 0


def test_a_clean_restart_keeps_all(learned, domestic):
    daemon, zone, pinned = learned
    since = daemon.zones()[f"{zone}."]["since"]
    for _ in range(2):
        daemon.restart()
        check_kept(daemon, domestic, zone, pinned, since)


def test_a_zones_history_outlives_the_daemon(learned):
    daemon, zone, *_ = learned
    history = daemon.control("zones", "show", zone)["history"]
    assert history and history[0]["to"] == "blocked"
    for _ in range(5):  # to the second
        daemon.restart()
        assert daemon.control("zones", "show", zone)["history"] == history


def test_sigint_is_as_good_as_sigterm(learned, domestic):
    daemon, zone, pinned = learned
    process = daemon.process
    process.send_signal(2)
    assert process.wait(15) == 0
    daemon.start()
    check_kept(daemon, domestic, zone, pinned)


def test_kill_9_keeps_what_was_reported(learned, domestic, fresh):
    daemon, zone, pinned = learned
    for _ in range(2):
        daemon.kill()  # not a moment after `zones` showed it
        daemon.start()
        check_kept(daemon, domestic, zone, pinned)


def crash(daemon):
    daemon.kill()
    daemon.start()


@pytest.mark.parametrize("since, end", [(None, Daemon.restart), (None, crash), (crash, crash), (Daemon.restart, crash)])
def test_unpin_and_forget_survive_too(learned, domestic, since, end):
    """A stop writes what is there; a crash leaves the journal alone to say what has gone, whoever wrote it first."""
    daemon, zone, pinned = learned
    domestic.clear(zone)
    if since:
        since(daemon)
    daemon.control("zones", "unpin", pinned)
    daemon.control("zones", "forget", zone)
    end(daemon)
    assert daemon.zones() == {}
    assert daemon.ask(f"x.{zone}").addresses == [DOMESTIC]


def test_a_pin_that_ended_meanwhile_is_gone(forwarder, fresh):
    daemon = forwarder()
    zone = fresh("pinned")
    daemon.control("zones", "pin", zone, "external", "--for", "1s")
    daemon.stop()
    time.sleep(1.2)
    daemon.start()
    wait_for(lambda: f"{zone}." not in daemon.zones(), 3, "the pin is gone")


@pytest.mark.parametrize("stop", ["stop", "kill"])
@pytest.mark.parametrize("damage", ["garbage", "foreign", "empty", "newer"])
def test_damaged_state_is_set_aside(learned, domestic, damage, stop):
    daemon, zone, _ = learned
    time.sleep(0.5)  # written within 250 ms
    getattr(daemon, stop)()
    damaged = [path for path in daemon.state.iterdir() if path.is_file() and path.name != "lock"
               and path.stat().st_size > 0]
    assert damaged, "nothing was written"
    for path in damaged:
        data = path.read_bytes()
        path.write_bytes({"garbage": os.urandom(5000), "foreign": b"SQLite format 3\0" + bytes(4000), "empty": b"",
                          "newer": data[:5] + b"\xff" * 8 + data[13:]}[damage])
    daemon.start()
    if damage != "empty":
        assert [path for path in daemon.state.iterdir() if ".bad-" in path.name], os.listdir(daemon.state)
        assert any("snapshot" in line or "journal" in line for line in daemon.warnings()), daemon.warnings()
    assert daemon.ask(f"damaged.{zone}").rcode == "NOERROR"
    # it goes on as with a new disk
    domestic.clear(zone)
    daemon.control("zones", "pin", "anew.test", "external")
    daemon.restart()
    assert "anew.test." in daemon.zones()


def test_a_torn_tail_costs_only_the_tail(learned, domestic):
    daemon, zone, pinned = learned
    time.sleep(0.5)
    daemon.kill()
    journal = daemon.state / "journal"
    with open(journal, "ab") as file:
        file.write(b"\x30\x00\x00")
    daemon.start()
    check_kept(daemon, domestic, zone, pinned)
    assert not [path for path in daemon.state.iterdir() if ".bad-" in path.name], "a crash leaves that, it is no damage"


def test_the_whole_state_may_be_gone(learned, domestic):
    daemon, zone, _ = learned
    daemon.stop()
    shutil.rmtree(daemon.state)
    domestic.clear(zone)
    daemon.start()
    assert daemon.zones() == {} and daemon.ask(zone).addresses == [DOMESTIC]


def test_a_second_daemon_on_the_same_state_is_refused(forwarder, domestic, external):
    first = forwarder()
    other = Daemon([domestic], [external], {"state": str(first.state)})
    try:
        process = other.spawn()
        assert process.wait(10) == 1
        other.process = None
        assert str(first.state) in other.log()
        other.check_log()
        # with the very same addresses the lock speaks before a socket could
        other.set({"listen": first.listen, "control.socket": first.socket})
        assert other.spawn().wait(10) == 1
        other.process = None
        assert other.log().count(str(first.state)) == 2
        assert first.alive() and first.control("status")
    finally:
        other.close()


def test_the_lock_goes_with_its_holder(forwarder):
    daemon = forwarder()
    daemon.kill()
    daemon.start()
    assert daemon.alive()


def test_a_lost_disk_disturbs_no_dns(forwarder, domestic, external, fresh):
    """The state directory is taken away under it."""
    daemon = forwarder()
    daemon.state.rename(daemon.directory / "elsewhere")
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    for n in range(5):
        assert daemon.ask(f"n{n}.{zone}").elapsed < 0.5
