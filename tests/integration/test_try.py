"""bywayctl try: what is found out about an upstream that is in no configuration."""

import asyncio
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field

import dns.flags
import pytest

from certificates import NAME
from daemon import wait_for
from upstream import NoEdns, Refused, Resolve, Silent, free_port

PARAMS, FAILED, DENIED = -32602, -32000, -32001


@dataclass
class Inject:
    """A forger beside the upstream: an A without OPT for whatever is asked, and behind it, after `ms`, `then`."""

    ms: int = 40
    then: object = field(default_factory=Resolve)

    async def play(self, asked):
        if asked.transport == "udp":
            forged = asked.forged()
            forged.use_edns(False)
            await asked.send(forged.to_wire())
            await asyncio.sleep(self.ms / 1000)
        await self.then.play(asked)


@dataclass
class Validates:
    """Says that it has validated what it answers."""

    async def play(self, asked):
        reply = asked.from_world()
        reply.flags |= dns.flags.AD
        await asked.send(asked.wire_of(reply))


def tried(daemon, upstream, **more):
    (reply,) = daemon.rpc({"jsonrpc": "2.0", "id": 1, "method": "upstreams.try", "params": {"upstream": upstream, **more}},
                          seconds=12)
    return reply


def result(daemon, upstream, **more):
    reply = tried(daemon, upstream, **more)
    assert "result" in reply, reply
    return reply["result"]


def of(found, kind):
    return [answer for answer in found["answers"] if answer["question"].endswith(" " + kind) and answer["question"] != ". MX"]


def test_a_plain_one(byway, office, fresh):
    zone = fresh("open")
    start = time.monotonic()
    found = result(byway, str(office), censored=zone)
    assert time.monotonic() - start < 9
    assert found["upstream"] == str(office) and found["reachable"] and found["outcome"] == "answer" and found["problem"] is None
    assert found["cold_ms"] >= 0 and found["warm_ms"] >= 0 and found["tcp"]["outcome"] == "answer" and found["tcp"]["problem"] is None
    assert found["edns"] is True and found["signed"] is False and found["authenticated"] is False
    assert found["tls"] is None and found["certificate"] is None and found["forged"] == "no" and found["warnings"] == []
    assert [answer["question"] for answer in found["answers"]] == [". MX", f"{zone}. MX", f"{zone}. A"]
    assert found["answers"][2] == {"question": f"{zone}. A", "outcome": "answer", "ms": found["answers"][2]["ms"], "edns": True,
                                   "records": [f"{zone}. 300 IN A 192.0.2.77"], "doubt": None}
    asked = office.seen(".", "SOA", "udp")
    assert all(seen.do and seen.has("AD") for seen in asked)


def test_without_a_censored_name_nothing_is_acquitted(byway, office):
    found = result(byway, str(office))
    assert found["forged"] is None and len(found["answers"]) == 1
    assert "--censored NAME" in byway.ctl("try", str(office)).stdout


def test_it_validates(byway, office):
    office.set(".", Validates())
    found = result(byway, f"tcp://{office}")
    assert found["authenticated"] is True and found["tcp"] is None
    assert "AD: it validates" in byway.ctl("try", f"tcp://{office}").stdout


def test_forged_on_the_way(byway, office, fresh):
    zone = fresh("censored")
    office.set(zone, Inject())
    found = result(byway, str(office), censored=zone)
    assert found["forged"] == "yes"
    assert [answer["doubt"] for answer in of(found, "MX")] == ["records of another type than asked", "several answers to one datagram"]
    assert [answer["records"][0].split()[-1] for answer in of(found, "A")] == ["203.0.113.66", "192.0.2.77"]
    assert [answer["edns"] for answer in of(found, "A")] == [False, True]
    shown = byway.ctl("try", str(office), "--censored", zone).stdout
    assert "records of another type than asked" in shown and "\nforged        yes\n" in shown
    over_tcp = result(byway, f"tcp://{office}", censored=zone)
    assert over_tcp["forged"] == "no" and len(of(over_tcp, "A")) == 1


def test_only_the_forger_answers(byway, office, fresh):
    zone = fresh("censored")
    office.set(zone, Inject(then=Silent()), types=["A"])
    found = result(byway, str(office), censored=zone)
    assert found["forged"] == "suspected" and of(found, "A")[0]["doubt"] == "no OPT, which its other answers have"


def test_without_edns(byway, office, fresh):
    office.set(".", NoEdns())
    found = result(byway, str(office), censored=fresh("open"))
    assert found["edns"] is False and found["forged"] == "no"


def test_refused_is_reached(byway, office):
    office.set(".", Refused())
    found = result(byway, str(office))
    assert found["reachable"] and found["outcome"] == "refused" and found["authenticated"] is None and found["signed"] is None


def test_nobody_there(byway, office):
    office.set(".", Silent())
    start = time.monotonic()
    found = result(byway, str(office))
    assert time.monotonic() - start < 10
    assert not found["reachable"] and found["problem"] == "silent: no question was answered" and found["cold_ms"] is None
    assert found["forged"] is None and found["answers"] == []
    found = result(byway, f"tcp://127.0.0.31:{free_port('127.0.0.31')}")
    assert not found["reachable"] and found["problem"] == "connection refused" and found["outcome"] == "unreachable"


@pytest.mark.parametrize("form", ["tls", "https"])
def test_encrypted(byway, form, request, fresh):
    server, zone = request.getfixturevalue(form), fresh("open")
    found = result(byway, server.upstream(), censored=zone)
    assert found["upstream"] == str(server) and found["reachable"] and found["tls"] == "TLSv1.3" and found["tcp"] is None
    assert found["forged"] == "no" and of(found, "A")[0]["records"] == [f"{zone}. 300 IN A 198.51.100.1"]
    good = server.certificates["good"]
    assert found["certificate"] == {"subject": NAME, "issuer": "Test CA", "not_before": found["certificate"]["not_before"],
                                    "not_after": good.not_after, "pin": good.pin}
    assert len(server.lines) == 1  # one connection for all
    pinned = result(byway, {"address": str(server), "pins": [good.pin]})
    assert pinned["reachable"] and pinned["warnings"] == [
        "upstream.pins: one pin alone: the day the server changes its key nothing is answered; add the next key's"]


@pytest.mark.parametrize("kind, said", [
    ("expired", "its certificate expired at "), ("early", "is this machine's clock right?"), ("other", f"not for {NAME}"),
    ("bare", f"its certificate is for no name, not for {NAME}"), ("itself", "self-signed"), ("unknown", "Unknown CA"), ("missing", "Between")])
def test_a_certificate_that_is_not_believed_is_shown(byway, tls, kind, said):
    tls.show(kind)
    found = result(byway, tls.upstream())
    assert not found["reachable"] and said in found["problem"], found["problem"]
    assert found["certificate"]["pin"] == tls.certificates[kind].pin and not tls.seen()
    shown = byway.ctl("try", json.dumps(tls.upstream())).stdout
    assert f"pin           {tls.certificates[kind].pin}\n" in shown and said in shown
    assert result(byway, {"address": str(tls), "pins": [tls.certificates[kind].pin]})["reachable"]


def test_another_key(byway, tls):
    found = result(byway, {"address": str(tls), "pins": [tls.certificates["other"].pin]})
    assert found["problem"] == f'its key is {tls.certificates["good"].pin}, which is not among "pins"'
    assert found["certificate"]["subject"] == NAME and found["forged"] is None


def test_no_tls_there(byway, office):
    found = result(byway, f"tls://{office}#{NAME}")
    assert not found["reachable"] and found["problem"] and found["certificate"] is None and found["tls"] is None


BAD = [  # what is tried, and what is said
    ("192.0.2", "upstream: not an address"), ("tls://dns.example.net", "upstream: names are not looked up"),
    ({"addres": "192.0.2.1"}, "upstream.addres: unknown key (did you mean \"address\"?)"),
    ({"address": "tls://192.0.2.1", "pins": ["sha256/AAAA"]}, "upstream.pins[0]: not a pin"),
    ({"address": "tls://192.0.2.1", "ca": "/nowhere/ca.pem"}, "upstream.ca: /nowhere/ca.pem: No such file or directory"),
    ({"address": "192.0.2.1", "proxy": "socks5://192.0.2.9"}, "upstream.proxy: a proxy carries TCP alone"),
    ({"address": "tcp://192.0.2.1", "proxy": {"address": "socks5://192.0.2.9", "user": "u", "password_file": "/etc/hostname"}},
     "upstream.proxy.password_file: such a file is read for the configuration alone"),
    (7, "upstream: expected an upstream's address"), (["192.0.2.1"], "upstream: expected an upstream's address"),
]


def test_what_is_no_upstream(byway):
    for upstream, said in BAD:
        error = tried(byway, upstream)["error"]
        assert error["code"] == PARAMS and error["message"].startswith(said), (upstream, error)
    assert tried(byway, byway.where)["error"]["message"] == f"upstream: {byway.where} is an address this server listens on: it would ask itself"
    done = byway.ctl("try", '{"address":')
    assert done.returncode == 2 and "not JSON" in done.stderr
    done = byway.ctl("try", '{"address":"tls://192.0.2.1","sni":7}')
    assert done.returncode == 2 and "upstream.sni" in done.stderr


def test_two_at_once(byway, office):
    office.set(".", Silent())
    requests = [{"jsonrpc": "2.0", "id": n, "method": "upstreams.try", "params": {"upstream": str(office)}} for n in range(3)]
    replies = {reply["id"]: reply for reply in byway.rpc(*requests, seconds=12)}
    assert replies[2]["error"] == {"code": FAILED, "message": "2 upstreams are being tried already: try again"}
    assert not replies[0]["result"]["reachable"] and not replies[1]["result"]["reachable"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_who_may_not_change_anything_may_not_try(forwarder, office):
    daemon = forwarder()
    os.chmod(daemon.socket, 0o666)
    done = subprocess.run(["/usr/bin/python3", "-c", f"""
import socket
with socket.socket(socket.AF_UNIX) as s:
    s.connect({daemon.socket!r})
    s.sendall(b'{{"jsonrpc":"2.0","id":1,"method":"upstreams.try","params":{{"upstream":"{office}"}}}}\\n')
    print(s.makefile().readline())
"""], user="nobody", group="nogroup", extra_groups=[], cwd="/", capture_output=True, text=True, timeout=30, check=True)
    assert f'"code":{DENIED}' in done.stdout.replace(" ", "") and not office.seen(".")


def test_nothing_is_left(forwarder, office, tls, fresh):
    """Neither descriptors nor memory of it; service goes on meanwhile; the upstream is none of byway's."""
    daemon = forwarder()
    zone = fresh("open")
    believed = tls.upstream()
    result(daemon, believed, censored=zone)
    before, zones = daemon.descriptors(), daemon.zones()
    for _ in range(4):
        for upstream in (believed, str(tls), f"tcp://{office}"):
            result(daemon, upstream, censored=zone)
    wait_for(lambda: daemon.descriptors() <= before, 5, "descriptors given back")
    result(daemon, str(office), censored=zone)
    wait_for(lambda: daemon.descriptors() <= before, 5, "descriptors given back")
    assert daemon.zones() == zones and len(daemon.control("upstreams")) == 2
    assert daemon.ask(zone).rcode == "NOERROR"


def test_service_goes_on_meanwhile(forwarder, office, fresh):
    office.set(".", Silent())
    daemon = forwarder()
    zone = fresh("open")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(daemon.socket)
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"upstreams.try","params":{"upstream":"%s"}}\n' % str(office).encode())
        wait_for(lambda: office.seen("."), 5, "the question")
        for n in range(20):
            assert daemon.ask(f"n{n}.{zone}").rcode == "NOERROR"
        assert daemon.control("reload") and daemon.control("status")
        assert b'"reachable":false' in client.recv(65536)


@pytest.mark.parametrize("gone", [True, False], ids=["client-gone", "client-waits"])
def test_stopping_meanwhile(forwarder, office, gone):
    office.set(".", Silent())
    daemon = forwarder()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(daemon.socket)
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"upstreams.try","params":{"upstream":"%s"}}\n' % str(office).encode())
        wait_for(lambda: office.seen("."), 5, "the question")
        if gone:
            client.close()
        daemon.stop()
