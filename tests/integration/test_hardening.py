"""What config/byway.service leaves to bywayd is all that it needs: here another system call kills it (hardened.py). In a
release build alone: a sanitizer has needs of its own."""

import json
import pathlib
import shutil
import signal
import subprocess

import pytest

from client import Load, TcpClient, question
from conftest import GOOD, learn
from daemon import ROOT, Daemon, program, wait_for
from upstream import Servfail, Truncate, endpoint, free_port
from web import request

pytestmark = pytest.mark.release
HARDENED = ["/usr/bin/python3", str(ROOT / "tests/integration/hardened.py"), str(ROOT / "config/byway.service")]


@pytest.fixture(scope="module")
def needs_filters():
    """The filter works: what is allowed goes on, what is not is killed."""
    ended = subprocess.run([*HARDENED, "true"], check=False).returncode
    if ended == 77:
        pytest.skip("this kernel, or what contains us, has no system call filters")
    assert ended == 0
    for forbidden in (["chroot", "/", "true"], ["unshare", "true"], ["dmesg", "-S"]):
        assert subprocess.run([*HARDENED, *forbidden], check=False).returncode == -signal.SIGSYS


@pytest.fixture
def hardened(needs_filters, domestic, external):
    web = endpoint("127.0.0.1", free_port("127.0.0.1"))
    daemon = Daemon([domestic], [external], {"workers": 2, "learning.recheck_first": "1s", "metrics.listen": web})
    shutil.copy(program("bywayd"), daemon.directory)
    shutil.chown(daemon.directory, "nobody", "nogroup")
    daemon.program = [*HARDENED, str(pathlib.Path(daemon.directory, "bywayd"))]
    yield daemon.start()
    daemon.close()


def test_a_life(hardened, domestic, second, fresh):
    zone, large = fresh("blocked"), fresh("large")
    domestic.set(large, Truncate())
    learn(hardened, domestic, zone, Servfail())
    loads = [Load(hardened.where, f"n{{}}.{name}", rate=50, tcp=tcp) for name, tcp in
             ((GOOD[0], False), (GOOD[1], True), (large, False), (zone, False))]
    exported = hardened.control("zones", "export")
    (hardened.directory / "seed").write_text(json.dumps(exported))
    for arguments in (["status"], ["zones"], ["zones", "show", zone], ["zones", "probe", zone], ["stats"], ["upstreams"],
                      ["zones", "pin", GOOD[2], "external", "--for", "1h"], ["zones", "unpin", GOOD[2]],
                      ["zones", "import", str(hardened.directory / "seed")], ["cache", "show", f"learn0.{zone}"],
                      ["cache", "flush", "--all"]):
        hardened.control(*arguments)
    for path in ("/", f"/?under={zone}", "/metrics"):
        assert request(hardened.config["metrics"]["listen"], path)[0] == 200
    other = endpoint("127.0.0.3", free_port("127.0.0.3"))
    for config in ({"listen": [*hardened.listen, other], "workers": 3, "upstreams.domestic": [str(domestic), str(second)]},
                   {"listen": hardened.listen, "workers": 1, "control.socket": str(hardened.directory / "moved.sock")}):
        hardened.set(config)
        hardened.hang_up()
    hardened.socket = str(hardened.directory / "moved.sock")
    wait_for(lambda: hardened.control("status")["store"]["snapshots"] >= 1, 10, "a snapshot")
    hardened.control("zones", "forget", zone)
    with TcpClient(hardened.where) as client:
        client.send(question(f"last.{zone}").to_wire())
        assert client.receive()
    for load in loads:
        assert not load.stop().lost
    hardened.restart()
    assert hardened.ask(f"again.{GOOD[0]}").rcode == "NOERROR"


# ---- what is shipped ----

SHIPPED = [ROOT / "config/byway.json", *sorted((ROOT / "config/examples").glob("*.json"))]
# A host of its own, with the addresses that the files name, and the directories that systemd makes for the unit.
HOST = """ip link set lo up; ip address add 192.0.2.25/24 dev lo
mount -t tmpfs none /run; mount -t tmpfs none /var/lib
mkdir -m 755 /run/byway; mkdir -m 750 /var/lib/byway; chown nobody:nogroup /run/byway /var/lib/byway; exec "$@" """


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_shipped_starts(needs_filters, path):
    """Each file as it is, but for an upstream of one's own abroad, under the unit as it is: it serves at every address
    that it names, and stops."""
    daemon = Daemon([], [])
    bywayd = daemon.directory / "build" / "bywayd"
    bywayd.parent.mkdir()
    shutil.copy(program("bywayd"), bywayd)
    shutil.copytree(ROOT / "config", daemon.directory / "config")  # the presets
    daemon.path.write_text(path.read_text().replace("tls://<address>#<name>", "tls://198.51.100.53#dns.example.net"))
    daemon.program = ["unshare", "--net", "--mount", "sh", "-c", HOST, "sh", *HARDENED, str(bywayd)]
    inside = ["nsenter", "-n", "-m", "-t"]
    try:
        daemon.start()
        target = str(daemon.process.pid)
        for where in json.loads(path.read_text()).get("listen", ["127.0.0.1:53", "[::1]:53"]):
            host = where.rsplit(":", 1)[0].strip("[]")
            for transport in ("+notcp", "+tcp"):
                done = subprocess.run([*inside, target, "dig", "+time=2", "+tries=1", transport, f"@{host}", "-b", host,
                                       "localhost"], capture_output=True, text=True, check=False)
                assert "status: NOERROR" in done.stdout, (where, transport, done.stdout, daemon.log())
        done = subprocess.run([*inside, target, program("bywayctl"), "status"], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "bywayd" in done.stdout, done.stderr
        assert "error" not in daemon.log()
        daemon.stop()
    finally:
        daemon.close()
