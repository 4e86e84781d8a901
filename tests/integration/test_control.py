"""The control socket and bywayctl: whatever comes in, DNS goes on."""

import calendar
import grp
import json
import os
import pathlib
import pwd
import re
import socket
import stat
import subprocess
import sys
import time

import pytest

from conftest import DOMESTIC
from daemon import Daemon, has_sanitizers, program, run, wait_for
from upstream import Servfail

PARSE, INVALID, UNKNOWN, PARAMS, FAILED, DENIED, NOT_FOUND = -32700, -32600, -32601, -32602, -32000, -32001, -32002
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def request(method, params=None, ident=1, **more):
    return {"jsonrpc": "2.0", "id": ident, "method": method, **({} if params is None else {"params": params}), **more}


def test_status(byway, fresh):
    byway.ask(fresh("open"))
    status = byway.control("status")
    assert status["version"] and status["uptime_s"] >= 0 and status["workers"] >= 1 and status["queries"] >= 1
    assert status["cache"]["memory"] == 64 << 20
    assert status["upstreams"] == {"domestic": {"up": 1, "total": 1}, "external": {"up": 1, "total": 1}}
    assert status["configuration"]["file"] == str(byway.path) and TIME.fullmatch(status["configuration"]["read_at"])
    assert status["listen"] == byway.listen
    assert status["learning"] == "on" and status["store"]["failing"] is False
    assert "domestic" in byway.ctl("status").stdout


def test_upstreams(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("failing")
    for n in range(5):
        daemon.ask(fresh("open"))
    domestic.set(zone, Servfail())
    daemon.ask(zone)
    first, last = daemon.control("upstreams")
    assert (first["group"], first["address"], first["transport"], first["state"]) == (
        "domestic", str(domestic), "udp", "up")
    assert (last["group"], last["address"]) == ("external", str(external))
    assert first["outcomes"]["answer"] >= 5 and first["outcomes"]["servfail"] >= 1 and first["sent"] >= 6
    assert last["outcomes"]["answer"] >= 1 and first["srtt_ms"] is not None and TIME.fullmatch(first["last_answer"])
    assert str(domestic) in daemon.ctl("upstreams").stdout


def test_stats_count_what_happened(forwarder, domestic, fresh):
    daemon = forwarder()
    zone = fresh("open")
    before = daemon.control("stats")
    assert before and all(isinstance(value, int) for value in before.values())
    for _ in range(7):
        daemon.ask(zone)
    after = daemon.control("stats")
    assert after.keys() == before.keys()
    assert after["queries"] - before["queries"] == 7


MALFORMED = [
    (b"{\n", PARSE), (b"\xff\xfe\n", PARSE), (b"[1,2\n", PARSE),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"status"}\n', PARSE),
    (b"[]\n", INVALID), (b'[{"jsonrpc":"2.0","id":1,"method":"status"}]\n', INVALID), (b"7\n", INVALID),
    (b'"status"\n', INVALID), (b"{}\n", INVALID), (b'{"id":1,"method":"status"}\n', INVALID),
    (b'{"jsonrpc":"1.0","id":1,"method":"status"}\n', INVALID), (b'{"jsonrpc":"2.0","id":1}\n', INVALID),
    (b'{"jsonrpc":"2.0","id":{},"method":"status"}\n', INVALID),
    (b'{"jsonrpc":"2.0","id":1,"method":7}\n', INVALID),
]

REFUSED_CALLS = [
    ("no.such.method", None, UNKNOWN), ("status", [], PARAMS), ("status", {"extra": 1}, PARAMS),
    ("zones.show", None, PARAMS), ("zones.show", {"zone": 7}, PARAMS), ("zones.show", {"zone": "a..b"}, PARAMS),
    ("zones.show", {"zone": "x" * 64 + ".test"}, PARAMS), ("zones.show", {"zone": "nothing.test"}, NOT_FOUND),
    ("zones.show", {"zone": ""}, PARAMS),
    ("zones.list", {"state": "wrong"}, PARAMS), ("zones.pin", {"zone": "a.test"}, PARAMS),
    ("zones.pin", {"zone": "a.test", "via": "office"}, PARAMS),
    ("zones.pin", {"zone": "a.test", "via": "external", "for": "soon"}, PARAMS),
    ("zones.pin", {"zone": "a.test", "via": "external", "note": "x" * 257}, PARAMS),
    ("zones.unpin", {"zone": "a.test"}, NOT_FOUND), ("zones.forget", {"zone": "a.test"}, NOT_FOUND),
    ("zones.probe", {"zone": "a.test"}, NOT_FOUND), ("zones.import", {"zones": {}}, PARAMS),
    ("zones.import", {}, PARAMS),
    ("upstreams.try", {}, PARAMS), ("upstreams.try", {"upstream": 7}, PARAMS), ("upstreams.try", {"upstream": "dns.test"}, PARAMS),
    ("upstreams.try", {"upstream": "192.0.2.1", "censored": "*.a.test"}, PARAMS),
    ("upstreams.try", {"upstream": "192.0.2.1", "cencored": "a.test"}, PARAMS),
    ("cache.flush", {}, PARAMS), ("cache.flush", {"all": True, "name": "a.test"}, PARAMS),
    ("cache.flush", {"name": "nothing.test"}, NOT_FOUND), ("cache.show", {"name": "nothing.test"}, NOT_FOUND),
    ("cache.show", {"name": "a.test", "type": "WRONG"}, PARAMS),
]


def test_malformed_lines_get_json_rpc_errors(byway):
    for line, code in MALFORMED:
        (reply,) = byway.rpc(line)
        assert reply["jsonrpc"] == "2.0" and reply["error"]["code"] == code, line
        assert reply["error"]["message"]
    assert byway.alive() and byway.control("status")


def test_calls_that_are_refused(byway):
    for method, params, code in REFUSED_CALLS:
        (reply,) = byway.rpc(request(method, params))
        assert reply.get("error", {}).get("code") == code, (method, params, reply)
        assert reply["id"] == 1 and "\n" not in reply["error"]["message"]
    assert byway.zones() == {}


SLIPS = [  # what is no domain name, and the one that was meant
    ("*.corp.example", "corp.example"), ("10.0.0.0/8", "10.in-addr.arpa"), ("172.16.0.0/12", "16.172.in-addr.arpa"),
    ("1.2.3.4", "4.3.2.1.in-addr.arpa"), ("2001:db8::/32", "8.b.d.0.1.0.0.2.ip6.arpa"), ("user@corp.example", "corp.example"),
    ("https://corp.example/path", "corp.example"), ("corp.example/path", "corp.example"), ("@", "."),
    ("bücher.example", "xn--bcher-kva.example"),
]


def test_names_that_match_nothing(byway):
    """A pin or fence of such a name would be none; the message shows the name that was meant."""
    for slip, meant in SLIPS:
        for method, params in (("zones.pin", {"zone": slip, "via": "external"}), ("zones.unpin", {"zone": slip}),
                               ("zones.show", {"zone": slip}), ("zones.forget", {"zone": slip}), ("zones.probe", {"zone": slip}),
                               ("zones.list", {"under": slip}), ("cache.show", {"name": slip}), ("cache.flush", {"name": slip}),
                               ("cache.flush", {"under": slip})):
            (reply,) = byway.rpc(request(method, params))
            error = reply.get("error", {})
            assert error.get("code") == PARAMS and f'"{meant}"' in error["message"], (method, params, reply)
        for command in (("zones", "pin", slip, "domestic"), ("zones", "forget", slip), ("zones", "probe", slip),
                        ("zones", "--under", slip), ("cache", "show", slip), ("cache", "flush", "--under", slip)):
            done = byway.ctl(*command)
            assert done.returncode == 2 and f'"{meant}"' in done.stderr, (command, done.stderr)
    zones = [{"zone": slip, "state": "blocked"} for slip, _ in SLIPS]
    (reply,) = byway.rpc(request("zones.import", {"zones": zones}))
    assert reply["result"]["refused"] == len(SLIPS) and reply["result"]["imported"] == 0
    for refusal, (slip, meant) in zip(reply["result"]["refusals"], SLIPS):
        assert refusal["zone"] == slip and f'"{meant}"' in refusal["why"]
    assert byway.zones() == {}


def test_a_star_that_is_one(byway, fresh):
    """Somebody may ask for the name of a wildcard itself; then it is there under that name."""
    name = f"*.{fresh('open')}"
    byway.ask(name)
    assert byway.control("cache", "show", name)[0]["name"] == f"{name}."
    assert byway.control("cache", "flush", name)["flushed"] == 1
    assert byway.ctl("cache", "show", name).returncode == 2
    zones = [{"zone": name, "scope": "name", "state": "blocked"}]
    assert byway.rpc(request("zones.import", {"zones": zones}))[0]["result"]["imported"] == 1
    assert byway.control("zones", "show", name)["scope"] == "name"
    assert byway.control("zones", "forget", name)["zone"] == f"{name}."
    deeper = f"a.{name}"
    byway.control("zones", "pin", deeper, "external")
    byway.control("zones", "unpin", deeper)


def test_requests_may_be_pipelined(byway):
    lines = [request("status" if n % 2 else "no.such", ident=n) for n in range(200)]
    replies = {reply["id"]: reply for reply in byway.rpc(*lines)}
    assert replies.keys() == set(range(200))
    assert all(("result" in reply) == bool(ident % 2) for ident, reply in replies.items())


def test_forms_of_a_request(byway):
    for ident in ("text", 0, -5, None):
        (reply,) = byway.rpc(request("status", ident=ident))
        assert reply["id"] == ident and reply["result"]
    (reply,) = byway.rpc(b'\n\r\n{"jsonrpc":"2.0","id":3,"method":"status"}\r\n')
    assert reply["id"] == 3
    notification = b'{"jsonrpc":"2.0","method":"status"}\n{"jsonrpc":"2.0","method":"wrong"}\n'
    (reply,) = byway.rpc(notification + json.dumps(request("status", ident=4)).encode() + b"\n")
    assert reply["id"] == 4, "notifications get no reply"


def test_the_last_line_may_lack_its_end(byway):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(byway.socket)
        sock.sendall(json.dumps(request("status")).encode())
        sock.shutdown(socket.SHUT_WR)
        data = b""
        while piece := sock.recv(65536):
            data += piece
    assert json.loads(data)["result"]


def test_abuse_does_not_disturb_dns(byway, fresh):
    zone = fresh("open")
    sockets = []
    for n in range(100):  # more than it takes at once
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(0.5)
        try:
            sock.connect(byway.socket)
            sock.sendall(b"{" * n)
        except OSError:
            pass
        sockets.append(sock)
    assert byway.ask(f"a.{zone}").addresses == [DOMESTIC]
    for sock in sockets:
        sock.close()
    with socket.socket(socket.AF_UNIX) as sock:  # a line without end
        sock.connect(byway.socket)  # waits for its turn behind those
        sock.settimeout(5)
        try:
            for _ in range(20):
                sock.sendall(b"x" * (1 << 20))
        except OSError:
            pass
    with socket.socket(socket.AF_UNIX) as sock:  # replies that nobody reads
        sock.settimeout(0.3)
        sock.connect(byway.socket)
        line = json.dumps(request("stats")).encode() + b"\n"
        try:
            for _ in range(20000):
                sock.sendall(line)
        except OSError:
            pass
        assert byway.ask(f"b.{zone}").addresses == [DOMESTIC]
    wait_for(lambda: byway.ctl("status").returncode == 0, 5, "the socket serves again")
    assert byway.ask(f"c.{zone}").elapsed < 0.3


MANY = 12000


@pytest.fixture
def crowded(forwarder):
    """A daemon that knows MANY zones: a list of some 4 MB."""
    daemon = forwarder({"learning.max_zones": MANY, "learning.recheck_first": "10h", "log.level": "warning"})
    for start in range(0, MANY, 1000):
        zones = [{"zone": f"z{n}.many{n % 7}.example.", "state": "blocked"} for n in range(start, start + 1000)]
        (reply,) = daemon.rpc(request("zones.import", {"zones": zones}), seconds=30)
        assert reply["result"]["imported"] == 1000
    return daemon


def names(entries):
    return [entry["zone"] for entry in entries]


def test_a_long_list_is_whole(crowded):
    """Every zone once, on one line; what is asked behind it is answered behind it."""
    lines = [request("zones.list", ident=1), request("status", ident=2), request("zones.export", ident=3),
             request("zones.list", {"under": "many3.example"}, ident=4)]
    replies = crowded.rpc(*lines, seconds=60)
    assert [reply["id"] for reply in replies] == [1, 2, 3, 4]
    listed, _, exported, below = [reply["result"] for reply in replies]
    assert len(listed) == MANY and len(set(names(listed))) == MANY
    assert sorted(names(exported["zones"])) == sorted(names(listed)) and exported["version"] == 1
    assert sorted(names(below)) == sorted(name for name in names(listed) if name.endswith(".many3.example."))
    order = [tuple(reversed(name.split("."))) for name in names(crowded.control("zones"))]
    assert order == sorted(order) and len(order) == MANY, "bywayctl sorts"
    assert names(json.loads(crowded.ctl("zones", "export").stdout)["zones"]) == names(crowded.control("zones"))


def test_a_long_list_disturbs_nobody(crowded, fresh):
    """Others are served while it goes out, it takes no memory to speak of, and who leaves it or stops reading it ends
    it."""
    crowded.rpc(request("zones.list"), seconds=60)
    before = crowded.resident()
    readers = []
    for _ in range(10):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        sock.connect(crowded.socket)
        sock.sendall(json.dumps(request("zones.list")).encode() + b"\n")
        assert sock.recv(100).startswith(b'{"jsonrpc"')
        readers.append(sock)
    for n in range(20):
        start = time.monotonic()
        assert crowded.rpc(request("status"))[0]["result"]
        assert time.monotonic() - start < 0.5
        assert crowded.ask(f"n{n}.{fresh('open')}").addresses == [DOMESTIC]
    if not has_sanitizers():  # they keep what was freed
        assert crowded.resident() - before < 8 << 20, "40 MB are asked for"
    for sock in readers:
        sock.close()
    assert len(crowded.control("zones")) == MANY


def test_names_with_odd_bytes(byway):
    byway.ask("\\000\\255\\\"quote.good0.test")
    byway.control("zones", "pin", "\\000\\255.odd.test", "external", "--note", "ünïcode \"quoted\"")
    entry = byway.control("zones", "show", "\\000\\255.odd.test.")
    assert entry["zone"] == "\\000\\255.odd.test." and entry["note"] == "ünïcode \"quoted\""
    assert byway.ask("x.\\000\\255.odd.test").rcode == "NXDOMAIN"
    byway.control("zones", "unpin", "\\000\\255.odd.test")
    assert byway.zones() == {}


# ---- who may ----


def as_user(code, user, group=None):
    """Runs Python code as another user; its exit status and output."""
    return subprocess.run([sys.executable, "-c", code], user=user, group=group, extra_groups=[], cwd="/",
                          capture_output=True, text=True, timeout=10, check=False)


def call_code(path, method, params):
    return (f"import socket, sys\ns = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect({path!r})\n"
            f"s.sendall({json.dumps(request(method, params)).encode()!r} + b'\\n'); print(s.makefile().readline())")


def code_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout).get("error", {}).get("code")


def test_the_socket_is_0660(byway):
    mode = os.stat(byway.socket)
    assert stat.S_IMODE(mode.st_mode) == 0o660 and stat.S_ISSOCK(mode.st_mode)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
PIN = ("zones.pin", {"zone": "denied.test", "via": "external"})


@needs_root
def test_strangers_may_at_most_read(forwarder):
    daemon = forwarder()
    assert as_user(call_code(daemon.socket, "status", None), 65534, 65534).returncode != 0, "0660"
    os.chmod(daemon.socket, 0o666)
    assert code_of(as_user(call_code(daemon.socket, "status", None), 65534, 65534)) is None
    for method, params in (PIN, ("zones.unpin", {"zone": "a.test"}), ("zones.forget", {"zone": "a.test"}),
                           ("zones.probe", {"zone": "a.test"}), ("zones.import", {"zones": []}),
                           ("cache.flush", {"all": True}), ("reload", None)):
        assert code_of(as_user(call_code(daemon.socket, method, params), 65534, 65534)) == DENIED, method
    assert daemon.zones() == {}


@needs_root
def test_the_control_group_may_change(forwarder):
    group = grp.getgrnam("mail")
    daemon = forwarder({"control.group": group.gr_name})
    assert os.stat(daemon.socket).st_gid == group.gr_gid
    assert code_of(as_user(call_code(daemon.socket, *PIN), 65534, group.gr_gid)) is None
    assert "denied.test." in daemon.zones()
    assert as_user(call_code(daemon.socket, *PIN), 65534, 65534).returncode != 0


@needs_root
def test_the_control_group_of_a_user(domestic, external):
    """Root gives the socket to it before it becomes the user; a reload is the user's, who may not be in the group."""
    mail, games = grp.getgrnam("mail"), grp.getgrnam("games")
    daemon = Daemon([domestic], [external], {"user": "nobody", "control.group": "mail"})
    os.chown(daemon.directory, pwd.getpwnam("nobody").pw_uid, -1)
    try:
        daemon.start()
        assert os.stat(daemon.socket).st_gid == mail.gr_gid and stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o660
        assert not daemon.warnings()
        daemon.set({"control.group": "games"})
        daemon.control("reload")
        assert os.stat(daemon.socket).st_gid == mail.gr_gid
        assert [line for line in daemon.warnings() if "control.group: cannot give" in line and "to games" in line]
        assert code_of(as_user(call_code(daemon.socket, *PIN), 65534, mail.gr_gid)) is None, "it is the daemon's user"
        assert games.gr_gid != mail.gr_gid
    finally:
        daemon.close()


@needs_root
@pytest.mark.parametrize("member", [False, True])
def test_a_control_group_that_the_user_is_in_or_not(domestic, external, fresh, member):
    """As a unit starts it. It serves either way; who is not in the group hears what to do."""
    mail, nobody = grp.getgrnam("mail"), pwd.getpwnam("nobody")
    daemon = Daemon([domestic], [external], {"control.group": "mail"})
    os.chown(daemon.directory, nobody.pw_uid, -1)
    groups = f"--groups={mail.gr_gid}" if member else "--clear-groups"
    daemon.program = ["setpriv", "--reuid=nobody", f"--regid={nobody.pw_gid}", groups, *daemon.program]
    try:
        daemon.start()
        assert daemon.ask(fresh("open")).rcode == "NOERROR"
        status = os.stat(daemon.socket)
        assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (mail.gr_gid if member else nobody.pw_gid, 0o660)
        warned = [line for line in daemon.warnings() if "SupplementaryGroups=mail" in line]
        assert len(warned) == (0 if member else 1)
    finally:
        daemon.close()


# ---- its file ----


def test_a_socket_file_that_was_removed(forwarder, fresh):
    daemon = forwarder()
    os.unlink(daemon.socket)
    assert daemon.ctl("status").returncode == 3
    wait_for(lambda: daemon.ctl("status").returncode == 0, 8, "it is there again", every=0.2)
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o660
    assert [line for line in daemon.warnings() if f"{daemon.socket} had been removed" in line]
    daemon.control("reload")
    assert daemon.ask(fresh("open")).rcode == "NOERROR"
    daemon.stop()
    assert not os.path.exists(daemon.socket)


def test_a_directory_that_was_removed_or_locked(forwarder):
    daemon = forwarder()
    moved = daemon.directory / "run" / "control.sock"
    daemon.set({"control.socket": str(moved)})
    daemon.control("reload")
    daemon.socket = str(moved)
    moved.unlink()
    moved.parent.rmdir()
    moved.parent.write_text("in the way")
    wait_for(lambda: [line for line in daemon.warnings() if "nobody reaches this bywayd" in line], 8, "it is said")
    time.sleep(4)
    assert len([line for line in daemon.warnings() if "nobody reaches this bywayd" in line]) == 1
    moved.parent.unlink()
    wait_for(lambda: daemon.ctl("status").returncode == 0, 8, "it is there again", every=0.2)


def test_a_socket_file_of_another(forwarder, domestic, external):
    """It was taken away and another one's is there: that one is left alone, at the end too."""
    daemon = forwarder()
    os.unlink(daemon.socket)
    other = socket.socket(socket.AF_UNIX)
    other.bind(daemon.socket)
    other.listen()
    wait_for(lambda: [line for line in daemon.warnings() if f"something else is at {daemon.socket}" in line], 8, "it is said")
    daemon.stop()
    assert os.path.exists(daemon.socket)
    other.close()


# ---- bywayctl ----


def test_exit_codes(byway, tmp_path):
    ctl = program("bywayctl")
    rows = [(0, ["-s", byway.socket, "status"]), (0, ["-s", byway.socket, "--json", "zones"]), (0, ["--help"]),
            (1, ["-s", byway.socket, "zones", "show", "nothing.test"]),
            (1, ["-s", byway.socket, "cache", "flush", "nothing.test"]),
            (1, ["-s", byway.socket, "zones", "import", str(tmp_path / "missing.json")]),
            (2, []), (2, ["-s", byway.socket, "no-such-command"]), (2, ["-s", byway.socket, "zones", "pin"]),
            (2, ["-s", byway.socket, "zones", "pin", "a.test", "sideways"]), (2, ["--no-such-option"]),
            (2, ["-s", byway.socket, "cache", "flush"]), (2, ["-s", byway.socket, "status", "too", "much"]),
            (3, ["-s", str(tmp_path / "nobody.sock"), "status"])]
    for code, arguments in rows:
        done = run(ctl, *arguments)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert bool(done.stderr.strip()) == (code != 0), arguments
        if code in (1, 3):
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_dead_socket_is_no_daemon(forwarder):
    daemon = forwarder()
    daemon.kill()
    assert pathlib.Path(daemon.socket).exists()
    assert daemon.ctl("status").returncode == 3
    daemon.start()  # what the dead one left is no obstacle
    assert daemon.ctl("status").returncode == 0


def test_json_is_the_result_unchanged(byway):
    (reply,) = byway.rpc(request("upstreams.list"))
    assert [u["address"] for u in byway.control("upstreams")] == [u["address"] for u in reply["result"]]
    assert byway.control("zones") == []


def test_the_zone_object_has_its_keys(byway):
    before = time.time()
    entry = byway.control("zones", "pin", "keys.test", "external", "--for", "1h")
    expected = {"zone", "scope", "type", "state", "via", "source", "reason", "since", "last_failure", "next_recheck",
                "failures", "answered", "until", "note"}
    assert expected <= entry.keys()
    assert byway.control("zones")[0].keys() >= expected
    until = calendar.timegm(time.strptime(entry["until"], "%Y-%m-%dT%H:%M:%SZ"))
    assert 3590 <= until - before <= 3610
    assert byway.ask("x.keys.test").rcode == "NXDOMAIN"
    shown = byway.control("zones", "show", "keys.test")
    assert shown["answered"] == 1 and shown["nodes"] is None, "there is no cluster"
    assert "nodes" not in byway.ctl("zones", "show", "keys.test").stdout
    byway.control("zones", "unpin", "keys.test")
