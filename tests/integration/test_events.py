"""What happens, told live on the control socket: each kind of event, to several watchers, and to one that does not read."""

import contextlib
import json
import socket
import time

import pytest

from conftest import learn, warm
from daemon import wait_for
from upstream import Servfail, Silent
from watcher import told, watchers


@pytest.fixture
def watch():
    """watch(daemon, …): a Watcher, ended whatever happens."""
    with watchers() as start:
        yield start


def test_zones_pins_and_reloads_are_told(forwarder, domestic, fresh, watch):
    daemon = forwarder()
    watcher, people = watch(daemon, "--json"), watch(daemon)
    zone = fresh("open")
    learn(daemon, domestic, zone, Servfail())
    daemon.control("zones", "pin", zone, "domestic")
    daemon.control("zones", "unpin", zone)
    daemon.control("reload")
    daemon.set({"workers": 0})
    assert daemon.ctl("reload").returncode == 1
    time.sleep(0.2)
    events, errors = watcher.end()
    assert errors == ""
    events = told(events)
    assert all(event["time"].endswith("Z") and "id" not in event for event in events)
    changes = [(e["from"], e["to"], e["reason"]) for e in events if e["event"] == "zone" and e["zone"] == f"{zone}."]
    assert ("clear", "suspect", "servfail") in changes and ("suspect", "blocked", "servfail") in changes
    assert [(e["zone"], e["via"]) for e in events if e["event"] == "pin"] == [(f"{zone}.", "domestic"), (f"{zone}.", None)]
    assert [(e["done"], bool(e["error"])) for e in events if e["event"] == "reload"] == [(True, False), (False, True)]
    lines, _ = people.end()
    assert f"zone      {zone}.: suspect -> blocked, servfail" in lines and f"pin       {zone}. to domestic" in lines


def test_an_outage_is_told_and_its_end(forwarder, domestic, watch):
    daemon = forwarder()
    warm(daemon)
    watcher = watch(daemon, "--json")
    domestic.set(".", Silent())
    for n in range(6):
        daemon.ask(f"a{n}.good0.test")
    wait_for(lambda: daemon.control("upstreams")[0]["state"] == "down", 15, "down")
    domestic.clear(".")
    wait_for(lambda: daemon.control("upstreams")[0]["state"] == "up", 15, "up again")
    time.sleep(0.2)
    events = told(watcher.end()[0])
    assert [(e["group"], e["state"]) for e in events if e["event"] == "upstream"] == [("domestic", "down"), ("domestic", "up")]
    assert [(e["group"], e["state"]) for e in events if e["event"] == "outage"] == [("domestic", "begin"), ("domestic", "end")]


def read_lines(client):
    """What comes until nothing has come for a while."""
    client.settimeout(1)
    data = b""
    try:
        while chunk := client.recv(65536):
            data += chunk
    except TimeoutError:
        pass
    return [json.loads(line)["params"] for line in data.splitlines()]


def test_who_does_not_read_loses_lines_and_is_told(forwarder):
    daemon = forwarder()
    pins = [{"zone": f"pin{n}.test.", "source": "pinned", "via": "domestic", "state": "clear"} for n in range(8000)]
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(daemon.socket)
        slow.sendall(b'{"jsonrpc":"2.0","id":"me","method":"events"}\n')
        time.sleep(0.3)
        daemon.control("zones", "import", "-", stdin=json.dumps({"version": 1, "zones": pins}))
        heard = read_lines(slow)
        daemon.control("zones", "unpin", "pin0.test")
        more = read_lines(slow)
    assert all(params["id"] == "me" for params in heard + more)
    lost = sum(params.get("lost", 0) for params in heard + more)
    assert len([p for p in heard if "event" in p]) + lost == len(pins) and lost > 0
    assert more[-1]["event"]["event"] == "pin" and more[-1]["event"]["via"] is None


def test_a_notification_watches_nothing(byway):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(byway.socket)
        client.sendall(b'{"jsonrpc":"2.0","method":"events"}\n{"jsonrpc":"2.0","id":1,"method":"status"}\n')
        assert json.loads(client.recv(65536))["id"] == 1


def test_who_hangs_up_half_is_let_go(forwarder):
    """Twenty of them: a descriptor or two may be a probe's, before as behind."""
    daemon = forwarder()
    before = daemon.descriptors()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(daemon.socket)
            client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"events"}\n')
            client.shutdown(socket.SHUT_WR)
            client.settimeout(5)
            assert client.recv(1) == b""
        wait_for(lambda: daemon.descriptors() <= before + 4, 5, "their descriptors are free")


def test_stopping_ends_a_stream(forwarder, watch):
    daemon = forwarder()
    watcher = watch(daemon, "--json")
    daemon.stop()
    assert watcher.process.wait(5) == 1
