"""bywayd as a service: readiness, size, start, rights, logs."""

import json
import os
import pwd
import re
import signal
import socket
import time

import pytest

from client import ask, question, together
from conftest import DOMESTIC, GOOD
from daemon import Daemon, has_sanitizers, wait_for
from upstream import Silent, Slow, endpoint

release_only = pytest.mark.release  # a sanitizer's build says nothing of size and speed
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_ready_means_ready(domestic, external, fresh):
    """READY=1 comes when the first question is answered and the control socket is open, not before."""
    daemon = Daemon([domestic], [external])
    try:
        daemon.start()
        assert ask(daemon.where, fresh("open"), timeout=1).addresses == [DOMESTIC]
        assert ask(daemon.where, fresh("open"), timeout=1, tcp=True).addresses == [DOMESTIC]
        assert daemon.control("status")
    finally:
        daemon.close()


def test_notices_to_systemd(domestic, external):
    daemon = Daemon([domestic], [external])
    try:
        daemon.start()
        daemon.hang_up()
        daemon.process.terminate()
        assert daemon.process.wait(10) == 0
        daemon.process = None
        daemon.check_log()
        wait_for(lambda: any("STOPPING=1" in notice for notice in daemon.notices), 2, "STOPPING=1")
        words = [notice.split("\n")[0] for notice in daemon.notices]
        states = [word for word in words if re.match(r"(READY|RELOADING|STOPPING)=1", word)]
        assert states == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"], words
        reloading = next(n for n in daemon.notices if "RELOADING=1" in n)
        assert re.search(r"^MONOTONIC_USEC=\d+$", reloading, re.M)
    finally:
        daemon.close()


def test_the_watchdog_is_fed(domestic, external, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "2500000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    daemon = Daemon([domestic], [external])
    try:
        daemon.start()
        time.sleep(2.6)
        assert sum("WATCHDOG=1" in notice for notice in daemon.notices) >= 2
    finally:
        daemon.close()


def test_it_stops_soon_with_work_under_way(forwarder, domestic, external, fresh):
    daemon = forwarder()
    for upstream in (domestic, external):
        upstream.default = Silent()
    host, port = daemon.where.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for n in range(50):
            sock.sendto(question(f"n{n}.{fresh('dead')}").to_wire(), (host, int(port)))
    time.sleep(0.2)
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < (3 if has_sanitizers() else 1.5)


def test_an_address_that_is_taken(domestic, external):
    daemon = Daemon([domestic], [external])
    daemon.set({"listen": [str(domestic)]})
    try:
        assert daemon.spawn().wait(10) == 1
        daemon.process = None
        assert str(domestic) in daemon.log()
        daemon.check_log()
    finally:
        daemon.close()


def test_an_upstream_that_is_its_own_listener_is_refused_or_harmless(domestic, external):
    """A loop would ask itself for ever."""
    daemon = Daemon([domestic], [external])
    daemon.set({"upstreams.domestic": [daemon.where]})
    try:
        daemon.spawn()
        try:
            daemon.wait_notice("READY=1", 5)
        except AssertionError:
            assert daemon.process.wait(5) == 1
            daemon.process = None
            assert daemon.where in daemon.log()
            return
        assert daemon.ask(f"loop.{GOOD[0]}").rcode in ("NOERROR", "SERVFAIL")
        assert daemon.control("status")["queries"] < 100
    finally:
        daemon.close()


@pytest.mark.parametrize("level, present, absent", [("error", [], ["info", "warning"]), ("info", ["info"], ["debug"])],
                         ids=["error", "info"])
def test_log_levels(forwarder, level, present, absent):
    daemon = forwarder({"log": {"level": level, "format": "json"}})
    daemon.stop()
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    levels = {line["level"] for line in lines}
    assert set(present) <= levels and not levels & set(absent)
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["time"]) and line["message"]


def test_the_log_cannot_be_written_by_strangers(forwarder):
    """A name with line ends and escape codes stays on one line, as \\DDD."""
    daemon = forwarder()
    daemon.ask("evil\\010<3>forged\\027[31m.good0.test")
    daemon.stop()
    assert not [line for line in daemon.log().splitlines() if line.startswith("<3>forged") or "\x1b" in line]


def test_domestic_defaults_to_resolv_conf(external):
    """Without a domestic group it takes the system's, or says that there is none; it does not crash."""
    daemon = Daemon([], [external])
    daemon.set({"upstreams.domestic": None})
    try:
        daemon.spawn()
        try:
            daemon.wait_notice("READY=1", 5)
            assert [u for u in daemon.control("upstreams") if u["group"] == "domestic"]
        except AssertionError:
            assert daemon.process.wait(5) == 1
            daemon.process = None
            assert "domestic" in daemon.log()
            daemon.check_log()
    finally:
        daemon.close()


def test_descriptors_are_given_back(forwarder, fresh):
    daemon = forwarder()
    zone = fresh("open")
    daemon.ask(zone)
    before = daemon.descriptors()
    assert daemon.flood(f"n{n}.{zone}" for n in range(3000)) == {0: 3000}
    for n in range(50):
        daemon.ask(f"t{n}.{zone}", tcp=True)
    time.sleep(3)
    assert daemon.descriptors() < before + 600


# ---- size and speed ----


@release_only
def test_idle_it_is_small(forwarder, fresh):
    daemon = forwarder({"presets": None})
    daemon.ask(fresh("open"))
    time.sleep(1)
    assert daemon.resident() < 30 << 20, daemon.resident()


def imported_zones(count):
    return {"version": 1, "zones": [{"zone": f"blocked{n}.example{n % 97}.test.", "state": "blocked"}
                                    for n in range(count)]}


@release_only
def test_it_starts_with_100000_zones_within_a_second(forwarder, domestic, tmp_path):
    daemon = forwarder({"presets": None})
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(imported_zones(100000)))
    assert daemon.control("zones", "import", str(path))["imported"] == 100000
    size = daemon.resident()
    daemon.stop(30)
    started = time.monotonic()
    daemon.start()
    assert daemon.alive()
    assert time.monotonic() - started < 1.0
    zones = daemon.control("zones")
    assert len(zones) == 100000 and {zone["state"] for zone in zones} <= {"blocked", "recovering"}
    assert size < 200 << 20, size


@release_only
def test_a_million_zones_cost_256_bytes_each(forwarder, tmp_path):
    """The index and the heap of rechecks included. What it takes to read the files is given back by the restart."""
    daemon = forwarder({"presets": None, "learning.max_zones": 1000000})
    empty = daemon.resident()
    path = tmp_path / "zones.json"
    for part in range(10):
        path.write_text(json.dumps({"version": 1, "zones": [
            {"zone": f"customer{n}.hosting{part}.example.", "state": "blocked"} for n in range(100000)]}))
        assert daemon.control("zones", "import", str(path))["imported"] == 100000
        assert daemon.alive()
    daemon.stop(60)
    daemon.start(30)
    assert daemon.control("status")["zones"]["blocked"] + daemon.control("status")["zones"]["recovering"] == 1000000
    growth = (daemon.resident() - empty) / 1000000
    print(f"{growth:.0f} bytes a zone")
    assert growth <= 256, growth


def test_a_few_thousand_zones_come_back(forwarder, tmp_path):
    daemon = forwarder()
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(imported_zones(3000)))
    assert daemon.control("zones", "import", str(path))["imported"] == 3000
    daemon.kill()
    daemon.start()
    assert len(daemon.control("zones")) == 3000
    exported = json.loads(daemon.ctl("zones", "export").stdout)
    assert {z["zone"] for z in exported["zones"]} == {z["zone"] for z in imported_zones(3000)["zones"]}


# ---- rights ----


def status_field(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(line.split()[1:] for line in status if line.startswith(field + ":"))


@needs_root
def test_privileges_are_dropped(domestic, external, fresh):
    user = pwd.getpwnam("nobody")
    daemon = Daemon([domestic], [external], {"user": "nobody"})
    daemon.state.mkdir()
    os.chown(daemon.state, user.pw_uid, user.pw_gid)
    os.chown(daemon.directory, user.pw_uid, user.pw_gid)
    try:
        daemon.start()
        pid = daemon.process.pid
        for task in os.listdir(f"/proc/{pid}/task"):  # every thread
            assert set(status_field(f"{pid}/task/{task}", "Uid")) == {str(user.pw_uid)}
            assert set(status_field(f"{pid}/task/{task}", "Gid")) == {str(user.pw_gid)}
            bind = 1 << 10  # CAP_NET_BIND_SERVICE
            assert int(status_field(f"{pid}/task/{task}", "CapEff")[0], 16) & ~bind == 0
            assert int(status_field(f"{pid}/task/{task}", "CapPrm")[0], 16) & ~bind == 0
        assert daemon.ask(fresh("open")).addresses == [DOMESTIC]
        daemon.control("zones", "pin", "kept.test", "external")

        port = next(p for p in range(600, 1000) if port_is_free(p))  # a reload may still bind a privileged port
        low = endpoint("127.0.0.1", port)
        daemon.set({"listen": [daemon.where, low]})
        daemon.control("reload")
        assert ask(low, fresh("open")).addresses == [DOMESTIC]
        daemon.restart()
        assert "kept.test." in daemon.zones()
    finally:
        daemon.close()


@needs_root
def test_reloads_of_another_user_than_root(domestic, external, fresh):
    """The sockets that root bound are the user's too: his may join them."""
    daemon = Daemon([domestic], [external], {"user": "nobody", "workers": 1})
    os.chown(daemon.directory, pwd.getpwnam("nobody").pw_uid, -1)
    elsewhere, all_of_them = endpoint("127.0.0.2", daemon.port), endpoint("0.0.0.0", daemon.port)
    try:
        daemon.start()
        for listen, workers in (([daemon.where], 3), ([all_of_them], 3), ([daemon.where, elsewhere], 3), ([elsewhere], 1),
                                ([daemon.where], 4), ([all_of_them, daemon.where], 4), ([daemon.where], 2)):
            daemon.set({"listen": listen, "workers": workers})
            daemon.control("reload")
            assert daemon.control("status")["workers"] == workers
            for where in listen:
                for tcp in (False, True):
                    at = where.replace("0.0.0.0", "127.0.0.9")
                    assert ask(at, fresh("open"), tcp=tcp).addresses == [DOMESTIC]
    finally:
        daemon.close()


def port_is_free(port):
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False


def test_a_stall_is_not_the_upstreams_silence(forwarder, domestic, external, fresh):
    """A reply that came while the process stood still is read before any patience is called over."""
    daemon = forwarder()
    zone = fresh("stalled")
    domestic.set(zone, Slow(0.3))

    def stall():
        wait_for(lambda: domestic.count(zone), 2, "the question", every=0.01)
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        daemon.process.send_signal(signal.SIGCONT)

    reply, _ = together([lambda: daemon.ask(zone, timeout=4), stall])
    assert reply.addresses == [DOMESTIC] and external.count(zone) == 0
    assert not [line for line in daemon.log().splitlines() if "is down" in line]


def test_standard_streams_that_are_closed(domestic, external, fresh):
    """No file of its own takes their place: the log would go there."""
    daemon = Daemon([domestic], [external])
    daemon.program = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *daemon.program]
    try:
        daemon.start()
        assert [os.readlink(f"/proc/{daemon.process.pid}/fd/{n}") for n in range(3)] == ["/dev/null"] * 3
        daemon.control("reload")
        assert daemon.ask(fresh("open")).addresses == [DOMESTIC]
    finally:
        daemon.close()


@pytest.mark.parametrize("kind", ["pipe", "pipe of another user", "socket"])
def test_a_log_that_nobody_reads(domestic, external, fresh, kind):
    """It stops nobody: lines are dropped, and how many is said when it flows again."""
    daemon = Daemon([domestic], [external])
    reader, writer = (end.detach() for end in socket.socketpair()) if kind == "socket" else os.pipe()
    if kind == "pipe of another user" and os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(daemon.directory, user.pw_uid, -1)
        daemon.program = ["setpriv", "--reuid=nobody", f"--regid={user.pw_gid}", "--clear-groups", *daemon.program]
    daemon.program = ["bash", "-c", f'exec "$@" 2>&{writer}', "bash", *daemon.program]
    daemon.pass_fds = (writer,)
    for end in (reader, writer):
        os.set_blocking(end, False)
    try:
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writer, b"full\n" * 100)
        os.set_blocking(writer, True)  # as it is inherited
        daemon.start()
        for _ in range(20):
            daemon.control("reload")
            assert daemon.ask(fresh("open")).rcode == "NOERROR"
        daemon.hang_up()
        heard = []

        def lost():
            with pytest.raises(BlockingIOError):
                while True:
                    heard.append(os.read(reader, 65536))
            return re.search(rb"^warning (\d+) lines lost: nobody read the log$", b"".join(heard), re.M)
        assert int(wait_for(lost, 5, "it is said", every=0.2)[1]) >= 21
        daemon.control("reload")
        wait_for(lambda: lost() and b"".join(heard).endswith(f"info reloaded {daemon.path}\n".encode()), 5, "it flows again")
        daemon.stop()
    finally:
        daemon.close()
        os.close(reader)
        os.close(writer)
