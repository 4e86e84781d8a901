"""A new configuration takes effect without a lost query; a bad one changes nothing."""

import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from client import Load, TcpClient, ask, parse_endpoint, question, udp_exchange
from conftest import DOMESTIC, EXTERNAL, OFFICE, SECOND, learn
from daemon import Daemon, wait_for
from upstream import Servfail, Silent, Slow, endpoint, free_port


def check_load(load, least=50):
    load.stop()
    assert load.lost == [], (len(load.lost), load.sent, load.lost[:3])
    assert len(load.replies) == load.sent >= least
    assert {reply.rcode for reply in load.replies} == {"NOERROR"}


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_reloading_loses_no_query(forwarder, fresh, tcp):
    daemon = forwarder()
    load = Load(daemon.where, "n{}." + fresh("open"), rate=150, tcp=tcp)
    for hours in range(1, 9):
        daemon.set({"cache.max_ttl": f"{hours}h"})
        if hours % 2:
            daemon.control("reload")
        else:
            daemon.hang_up()
        time.sleep(0.15)
    check_load(load)


def test_upstreams_change_under_load(forwarder, domestic, second, external, fresh):
    daemon = forwarder()
    domestic.rtt = second.rtt = 0.05  # so that questions are under way when it happens
    load = Load(daemon.where, "n{}." + fresh("open"), rate=150)
    time.sleep(0.5)
    for upstreams in ([second], [domestic], [second, domestic], [second]):
        daemon.set({"upstreams.domestic": [str(u) for u in upstreams]})
        daemon.control("reload")
        time.sleep(0.4)
    check_load(load)
    domestic.forget()
    assert daemon.ask(fresh("open")).addresses == [SECOND] and domestic.count() == 0
    assert [u["address"] for u in daemon.control("upstreams")] == [str(second), str(external)]
    assert external.count() == 0


def test_listeners_change_under_load(forwarder, fresh):
    daemon = forwarder()
    zone = fresh("open")
    added = endpoint("127.0.0.3", free_port("127.0.0.3"))
    load = Load(daemon.where, "n{}." + zone, rate=150)
    for listen in ([daemon.where, added], [daemon.where], [daemon.where, added]):
        daemon.set({"listen": listen})
        daemon.control("reload")
        if added in listen:
            for tcp in (False, True):
                assert ask(added, f"added.{zone}", tcp=tcp).addresses == [DOMESTIC]
        else:
            assert udp_exchange(added, question(zone).to_wire(), 0.3) is None
            with pytest.raises(OSError):
                TcpClient(added, timeout=1)
        time.sleep(0.2)
    check_load(load, 40)


def test_a_listener_that_goes_leaves_nobody_waiting(forwarder, domestic, fresh):
    """Questions that came to it before, and a connection that was open, get their answers."""
    daemon = forwarder()
    zone = fresh("slow")
    domestic.set(zone, Slow(0.5))
    moved = endpoint("127.0.0.3", free_port("127.0.0.3"))
    with TcpClient(daemon.where) as client:
        client.send(question(f"tcp.{zone}").to_wire())
        load = Load(daemon.where, "n{}." + zone, rate=400)
        time.sleep(0.1)
        load.stop_asking()
        daemon.set({"listen": [moved]})
        daemon.control("reload")
        check_load(load, 8)
        assert client.receive() is not None
    assert ask(moved, f"moved.{zone}").addresses == [DOMESTIC]


BAD = [{"listen": ["nonsense"]}, {"upstreams.external": []}, {"upstreams.external": ["tls://dns.example.net"]},
       {"unknown": 1}, {"cache.memory": "much"}, {"zones": [{"zone": "a.test", "via": "nowhere"}]}]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: next(iter(bad)))
def test_a_bad_configuration_keeps_the_old_one(forwarder, fresh, bad):
    daemon = forwarder()
    good = daemon.path.read_text()
    daemon.set(bad)
    done = daemon.ctl("reload")
    assert done.returncode == 1 and next(iter(bad)).split(".")[-1] in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert next(iter(bad)).split(".")[-1] in daemon.log()
    assert daemon.ask(fresh("open")).addresses == [DOMESTIC]
    daemon.path.write_text(good)
    assert daemon.ctl("reload").returncode == 0


def test_a_file_that_is_no_json_or_gone(forwarder, fresh):
    daemon = forwarder()
    good = daemon.path.read_text()
    for text in ("{", "", "[]", None):
        daemon.path.unlink(missing_ok=True)
        if text is not None:
            daemon.path.write_text(text)
        assert daemon.ctl("reload").returncode == 1
        assert daemon.ask(fresh("open")).addresses == [DOMESTIC]
    daemon.path.write_text(good)
    daemon.control("reload")


def test_a_listener_that_cannot_be_had_keeps_the_old_ones(forwarder, domestic, fresh):
    """The address is taken by somebody else without SO_REUSEPORT."""
    daemon = forwarder()
    daemon.set({"listen": [daemon.where, str(domestic)]})
    done = daemon.ctl("reload")
    assert done.returncode == 1 and str(domestic) in done.stderr
    assert daemon.ask(fresh("open")).addresses == [DOMESTIC]


def test_everything_applies(forwarder, domestic, external, office, fresh):
    """allow, zones, groups, fallback, learning and cache, in one reload."""
    daemon = forwarder()
    zone, corp, failing = fresh("open"), fresh("corp"), fresh("failing")
    domestic.set(failing, Silent())
    read_at = daemon.control("status")["configuration"]["read_at"]
    time.sleep(1)
    daemon.set({"allow": ["127.0.0.1/32"], "upstreams.office": [str(office)],
                "zones": [{"zone": corp, "via": "office"}], "fallback.patience": "200ms", "cache.max_ttl": "5s",
                "learning.mode": "off", "cache.memory": "4MiB"})
    daemon.control("reload")
    assert daemon.ask(zone, source="127.0.0.2").rcode == "REFUSED"
    assert daemon.ask(corp).addresses == [OFFICE]
    assert daemon.ask(failing).elapsed < 0.35
    assert daemon.ask(zone).ttls == [5]
    status = daemon.control("status")
    assert status["configuration"]["read_at"] > read_at
    assert status["learning"] == "off" and status["cache"]["memory"] == 4 << 20
    assert status["upstreams"]["office"] == {"up": 1, "total": 1}


def test_what_was_learned_and_cached_stays(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone, kept = fresh("blocked"), fresh("kept")
    learn(daemon, domestic, zone, Servfail())
    daemon.ask(kept)
    domestic.forget()
    daemon.control("reload")
    assert daemon.ask(f"x.{zone}").addresses == [EXTERNAL]
    assert daemon.ask(kept).addresses == [DOMESTIC]
    assert domestic.count() == 0


def test_reload_frees_what_it_replaced(forwarder, fresh):
    """Many in a row under load: no leak for the sanitizer to see, and no descriptor kept."""
    daemon = forwarder()
    daemon.ask(fresh("open"))
    daemon.control("reload")
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    for _ in range(20):
        daemon.control("reload")
    wait_for(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before + 2, 5, "descriptors are closed")


def test_a_worker_that_goes_takes_no_more_streams(forwarder, domestic, external, fresh):
    """It has 5 s for what it was asked; new connections are for those that stay."""
    daemon = forwarder({"workers": 2})
    zone = fresh("slow")
    loads = []
    domestic.set(zone, Slow(1.5))
    external.set(zone, Slow(1.5))
    for number in range(3):  # at any time some wait
        loads.append(Load(daemon.where, f"n{number}-{{}}.{zone}", rate=100, tcp=True))
        time.sleep(0.5)
    daemon.set({"workers": 1})
    daemon.control("reload")
    for load in loads:
        check_load(load, 8)


def test_a_worker_that_goes_holds_nobody_up(forwarder, domestic, external, fresh):
    """It ends in its own time: the reload, operators and what is learned do not wait for it; its counters stay."""
    daemon = forwarder({"workers": 4})
    zone = fresh("slow")
    for upstream in (domestic, external):
        upstream.set(zone, Slow(4))
    load = Load(daemon.where, "n{}." + zone, rate=100)
    time.sleep(0.5)
    load.stop_asking()
    started = time.monotonic()
    for workers in (1, 3, 2):
        daemon.set({"workers": workers})
        reload, status, stats = daemon.rpc(*({"jsonrpc": "2.0", "id": method, "method": method}
                                             for method in ("reload", "status", "stats")))
        assert "error" not in reload and status["result"]["workers"] == workers
        assert stats["result"]["queries"] == 8
    assert time.monotonic() - started < 2
    check_load(load, 8)
    assert daemon.check_accounts()["queries"] == 8
    threads = pathlib.Path(f"/proc/{daemon.process.pid}/task")
    wait_for(lambda: len(list(threads.iterdir())) == 2 + 2, 10, "they have ended: two are left, the keeper and the scribe")


def test_reloads_while_a_worker_ends(forwarder, fresh):
    """It is not told any more, whether it still answers or has ended and nobody has looked yet."""
    daemon = forwarder({"workers": 4})
    daemon.set({"workers": 1})
    replies = daemon.rpc(*({"jsonrpc": "2.0", "id": n, "method": "reload"} for n in range(30)))
    assert len(replies) == 30 and all("result" in reply for reply in replies)
    assert daemon.ask(fresh("open")).addresses == [DOMESTIC]


def test_drops_are_not_forgotten(forwarder, fresh):
    """What the kernel dropped at sockets that are closed since still counts."""
    daemon = forwarder({"workers": 2})

    def send(count):
        for _ in range(8):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(parse_endpoint(daemon.where))
                for _ in range(count):
                    sock.send(b"no DNS")
    daemon.process.send_signal(signal.SIGSTOP)
    send(10000)
    daemon.process.send_signal(signal.SIGCONT)
    wait_for(daemon.alive, 15, "it has read what lay there")
    drops = 0

    def is_steady():
        nonlocal drops
        send(2)  # the kernel tells with the next one, unless one worker's queue is full still
        before, drops = drops, daemon.control("stats")["kernel_drops"]
        return before == drops > 0
    wait_for(is_steady, 15, "datagrams were dropped", every=1.2)
    daemon.set({"workers": 1, "listen": [endpoint("127.0.0.3", daemon.port)]})
    daemon.control("reload")
    time.sleep(1.5)
    assert daemon.control("stats")["kernel_drops"] == drops


def test_workers_may_change(forwarder, fresh):
    daemon = forwarder({"workers": 1})
    load = Load(daemon.where, "n{}." + fresh("open"), rate=100)
    daemon.set({"workers": 2})
    done = daemon.ctl("reload")
    time.sleep(0.3)
    check_load(load, 10)
    workers = daemon.control("status")["workers"]
    assert (done.returncode, workers) in ((0, 2), (0, 1), (1, 1))
    if workers == 1:
        assert "workers" in done.stderr + daemon.log(), "what needs a restart is said"


def is_silent(where, zone):
    """Nobody is there any more, over either transport."""
    assert udp_exchange(where, question(zone).to_wire(), 0.3) is None
    with pytest.raises(OSError):
        TcpClient(where, timeout=1)
    return True


def test_a_scoped_address_is_left(forwarder, needs_ipv6, fresh):
    """The kernel keeps no scope for ::1; it is the one that was configured all the same."""
    daemon = forwarder({"workers": 2})
    scoped, plain = f"[::1%lo]:{daemon.port}", f"[::1]:{daemon.port}"
    zone = fresh("open")
    for listen in ([daemon.where, scoped], [daemon.where], [scoped], [plain], [daemon.where, scoped], [daemon.where]):
        daemon.set({"listen": listen})
        daemon.control("reload")
        if scoped in listen or plain in listen:
            for tcp in (False, True):
                assert ask(plain, f"on.{zone}", tcp=tcp).addresses == [DOMESTIC]
        else:
            assert is_silent(plain, zone)


# ---- ::1, which is listened on by default where there is one ----

IPV6_OFF = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
NO_IPV6 = f'ip link set lo up && echo 1 >{IPV6_OFF} && exec "$@"'


@pytest.fixture
def without_ipv6(domestic, external):
    """A bywayd with the default addresses on a host that has no ::1, and a function that runs a program there."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    daemon = Daemon([domestic], [external], {"listen": None, "workers": 2})
    daemon.program = ["unshare", "--net", "sh", "-c", NO_IPV6, "sh", *daemon.program]
    yield daemon.start(), lambda *argv: subprocess.run(["nsenter", "-t", str(daemon.process.pid), "-n", *argv],
                                                       capture_output=True, text=True, check=False).stdout
    daemon.close()


def answers(run, *options):
    return "NOERROR" in run("dig", "+tries=1", "+time=1", *options, "localhost")


def test_ipv6_that_comes_later(without_ipv6):
    daemon, run = without_ipv6
    assert answers(run, "@127.0.0.1") and not answers(run, "@::1")
    assert len([line for line in daemon.warnings() if "[::1]:53" in line]) == 1, "one line, however many workers"
    daemon.control("reload")
    time.sleep(4)
    assert len([line for line in daemon.warnings() if "[::1]:53" in line]) == 1
    run("sh", "-c", f"echo 0 >{IPV6_OFF}")
    wait_for(lambda: answers(run, "@::1") and answers(run, "@::1", "+tcp"), 15, "it listens on ::1", every=0.3)
    assert "listen: [::1]:53 is there now" in daemon.log()
    daemon.set({"workers": 3})
    daemon.control("reload")
    for _ in range(20):
        assert answers(run, "@::1") and answers(run, "@127.0.0.1")


def test_a_reload_finds_ipv6_too(without_ipv6):
    daemon, run = without_ipv6
    run("sh", "-c", f"echo 0 >{IPV6_OFF}")
    daemon.control("reload")
    assert answers(run, "@::1") and answers(run, "@::1", "+tcp")


def test_ipv6_that_was_asked_for_is_an_error(without_ipv6):
    daemon, _ = without_ipv6
    daemon.set({"listen": ["127.0.0.1:53", "[::1]:53"]})
    done = daemon.ctl("reload")
    assert done.returncode == 1 and "cannot bind [::1]:53" in done.stderr
    daemon.stop()
    assert daemon.spawn().wait(10) == 1
    daemon.process = None
    assert "error listen: cannot bind [::1]:53" in daemon.log()
