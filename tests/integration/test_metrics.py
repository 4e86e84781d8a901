"""/metrics: what it says is what was counted; whoever speaks HTTP badly harms nobody; where it is served is a reload's."""

import collections
import contextlib
import json
import pathlib
import random
import re
import socket
import subprocess
import time

import pytest
import yaml

from client import parse_endpoint, udp_exchange
from conftest import learn, warm
from daemon import ROOT, Daemon, wait_for
from upstream import Servfail, Silent, endpoint, free_port
from web import request, send

CONNECTION = 10  # seconds that a connection has
SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? ([-+.0-9e]+|\+Inf)$')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


@pytest.fixture
def where():
    return endpoint("127.0.0.1", free_port("127.0.0.1"))


@pytest.fixture
def daemon(forwarder, where):
    return forwarder({"metrics.listen": where})


def scrape(where):
    """{name: {(label values): number}}"""
    status, _, text = request(where, "/metrics")
    assert status == 200
    found = collections.defaultdict(dict)
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, number = SAMPLE.match(line).groups()
            found[name][tuple(value for _, value in LABEL.findall(labels or ""))] = float(number)
    return found


def refuses(where):
    try:
        with socket.create_connection(parse_endpoint(where), timeout=2):
            return False
    except ConnectionRefusedError:
        return True


def test_answers_are_counted_by_way_and_code(daemon, domestic, external, where, fresh):
    zone, shut = fresh("open"), fresh("shut")
    domestic.set(shut, Servfail())
    external.set(shut, Servfail())
    for _ in range(3):
        daemon.ask(f"a.{zone}")
    daemon.ask(f"a.{shut}")
    daemon.ask("localhost")
    assert udp_exchange(daemon.where, b"\0" * 11, 0.2) is None
    assert daemon.alive()
    stats = daemon.check_accounts()
    found = scrape(where)
    answers = found["byway_responses_total"]
    assert answers["domestic", "NOERROR"] == 1 and answers["cache", "NOERROR"] == 2 == stats["cache_hits"]
    assert answers["none", "SERVFAIL"] == 1 == stats["servfail"]
    assert answers["local", "NOERROR"] == 1 == stats["local"] and answers["local", "NOTIMP"] == 1 == stats["malformed"]
    assert found["byway_drops_total"]["malformed",] == 1 == stats["dropped"]
    assert sum(answers.values()) == stats["queries"] - stats["dropped"]
    for way, count in found["byway_response_seconds_count"].items():
        assert count == sum(number for labels, number in answers.items() if labels[0] == way[0])
    assert found["byway_response_seconds_bucket"]["cache", "0.00025"] == 2
    assert found["byway_response_seconds_bucket"]["domestic", "0.00025"] == 0


def test_times_are_those_that_clients_saw(daemon, domestic, where, fresh):
    daemon.ask(fresh("open"))
    domestic.rtt = 0.12
    before = scrape(where)
    daemon.ask(fresh("open"))
    after = scrape(where)
    for name, labels in (("byway_response_seconds", ("domestic",)),
                         ("byway_exchange_seconds", ("domestic", str(domestic)))):
        def moved(end, *bound, name=name, labels=labels):
            return after[name + end][(*labels, *bound)] - before[name + end][(*labels, *bound)]
        assert (moved("_bucket", "0.1"), moved("_bucket", "0.9"), moved("_count")) == (0, 1, 1), name
        assert 0.1 < moved("_sum") < 0.9, name


def test_upstreams_are_what_bywayctl_shows(daemon, domestic, external, where, fresh):
    domestic.set(zone := fresh("shut"), Servfail())
    daemon.ask(f"a.{zone}")
    daemon.ask(fresh("open"))

    def shown():
        return {(u["group"], u["address"], outcome): count + u["tcp"]["outcomes"][outcome]
                for u in daemon.control("upstreams") for outcome, count in u["outcomes"].items()}
    wait_for(lambda: scrape(where)["byway_exchanges_total"] == shown(), 10, "both say the same, once all is still", every=0.3)
    found = scrape(where)
    assert found["byway_exchanges_total"]["external", str(external), "answer"] >= 1
    assert found["byway_upstream_up"] == {("domestic", str(domestic)): 1, ("external", str(external)): 1}


def test_an_upstream_that_is_down(daemon, domestic, where, fresh):
    warm(daemon)
    domestic.set(".", Silent())
    for n in range(6):
        daemon.ask(f"a{n}.good0.test")
    wait_for(lambda: scrape(where)["byway_upstream_up"]["domestic", str(domestic)] == 0, 15, "it is down")


def test_zones_and_their_changes(daemon, domestic, where, fresh):
    learn(daemon, domestic, fresh("shut"), Servfail())
    daemon.control("zones", "pin", fresh("open"), "external")
    found = scrape(where)
    assert found["byway_zones"]["blocked", "learned"] == 1 and found["byway_zones"]["clear", "pinned"] == 1
    assert sum(found["byway_zones"].values()) == len(daemon.control("zones"))
    assert found["byway_zone_changes_total"]["blocked", "servfail"] == 1


def test_cache_and_process(daemon, where, fresh):
    daemon.ask(fresh("open"))
    found, status = scrape(where), daemon.control("status")
    assert found["byway_cache_entries"][()] == status["cache"]["entries"] > 0
    assert found["byway_cache_bytes"][()] == status["cache"]["bytes"]
    assert found["byway_build_info"] == {(status["version"],): 1}
    assert abs(found["process_start_time_seconds"][()] - time.time()) < 30
    assert abs(found["process_open_fds"][()] - daemon.descriptors()) < 5
    assert 0 < found["process_cpu_seconds_total"][()] < 60
    assert 1 << 20 < found["process_resident_memory_bytes"][()] < 1 << 32


def test_counts_outlive_a_worker(forwarder, where, fresh):
    daemon = forwarder({"metrics.listen": where, "workers": 3})
    for n in range(12):
        daemon.ask(f"n{n}.{fresh('open')}")
    daemon.set({"workers": 1})
    daemon.control("reload")
    assert sum(scrape(where)["byway_responses_total"].values()) == 12


def promtool(*arguments, text=""):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr


def test_prometheus_finds_nothing_wrong(daemon, domestic, where, fresh):
    learn(daemon, domestic, zone := fresh("shut"), Servfail())
    text = request(where, "/metrics")[2]
    promtool("check", "metrics", text=text)
    assert zone not in text and "good0" not in text


def test_the_alerts_are_in_order():
    rules = ROOT / "config" / "prometheus" / "byway.rules"
    promtool("check", "rules", str(rules))
    page = (ROOT / "docs" / "operating.md").read_text()
    for alert in re.findall(r"alert: (\w+)", rules.read_text()):
        assert f"`{alert}`" in page


def dashboard_expressions():
    """With the variables that Grafana puts in; each with the title of its panel."""
    dashboard = json.loads((ROOT / "config" / "grafana" / "byway.json").read_text())
    variables = {"$__rate_interval": "5m", "$instance": ".*"}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            assert "$" not in expression, expression
            yield panel["title"], expression, target["legendFormat"]


def alert_expressions():
    for group in yaml.safe_load((ROOT / "config" / "prometheus" / "byway.rules").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"], rule["annotations"]["summary"].replace("$labels.", "")


def test_the_dashboard_parses(tmp_path):
    rules = [{"record": f"panel:number{n}", "expr": expression} for n, (_, expression, _) in enumerate(dashboard_expressions())]
    assert len(rules) > 20
    path = tmp_path / "panels.rules"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(path))


def test_the_dashboard_and_the_alerts_ask_for_what_there_is(daemon, where, fresh):
    daemon.ask(fresh("open"))
    labels = collections.defaultdict(lambda: {"instance"})
    for line in request(where, "/metrics")[2].splitlines():
        if not line.startswith("#"):
            name, found, _ = SAMPLE.match(line).groups()
            labels[name] |= {label for label, _ in LABEL.findall(found or "")}
    for title, expression, legend in [*dashboard_expressions(), *alert_expressions()]:
        names = re.findall(r"\b(?:byway|process)_[a-z_]+", expression)
        wanted = re.findall(r"\b([a-z]+)(?:=~?|!=)\"", expression)
        wanted += [label.strip() for by in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in by.split(",")]
        wanted += re.findall(r"{{ ?([a-z]+) ?}}", legend)
        assert names and set(names) <= set(labels), title
        assert set(wanted) <= set.union(*(labels[name] for name in names)), title


def test_the_dashboard_is_laid_out():
    panels = json.loads((ROOT / "config" / "grafana" / "byway.json").read_text())["panels"]
    places = [(x, y) for panel in panels for place in [panel["gridPos"]]
              for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    assert len(places) == len(set(places)) and max(x for x, _ in places) < 24, "no two panels lie on each other"
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_methods_and_paths(daemon, where):
    status, headers, body = request(where, "/metrics", "HEAD")
    assert status == 200 and body == "" and int(headers["Content-Length"]) > 1000
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, _ = request(where, "/metrics", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD"), method
    for path in ("/metrics/", "/metricsx", "/../metrics", "/favicon.ico", "/" + 2000 * "a"):
        assert request(where, path)[0] == 404, path
    assert request(where, "/metrics?name[]=up")[0] == 200


def test_junk_harms_nothing(daemon, where, fresh):
    chance = random.Random(7)
    wholes = [b"", b"\0" * 3000, b"GET", b"GET /metrics HTTP/1.1\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"\r\n" * 1000,
              b"GET /" + b"a" * 100000, b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 20000, b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
              b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n" + b"x" * 100000,
              b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n"]
    wholes += [chance.randbytes(chance.randrange(1, 4000)) for _ in range(100)]
    for whole in wholes:
        send(where, whole)
    assert daemon.ask(fresh("open")).rcode == "NOERROR"
    assert request(where, "/metrics")[0] == 200


def drip(clients, seconds):
    """A byte on each now and then, so that none is silent; who is left."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.5)
        for client in list(clients):
            try:
                client.send(b"X")
            except OSError:
                clients.remove(client)
    return clients


def test_a_hundred_slow_clients_keep_nobody_out(daemon, where, fresh):
    before = daemon.descriptors()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(parse_endpoint(where), timeout=5)) for _ in range(100)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        began = time.monotonic()
        assert request(where, "/metrics")[0] == 200 and time.monotonic() - began < 1
        assert daemon.descriptors() - before <= 40
        zone = fresh("open")
        for n in range(20):
            assert daemon.ask(f"n{n}.{zone}").rcode == "NOERROR"
        drip(clients, CONNECTION + 3)
        wait_for(lambda: daemon.descriptors() <= before + 2, 3, "all are closed, though they were never silent")
    assert request(where, "/metrics")[0] == 200


# ---- where it is served ----

def test_off_by_default(forwarder):
    daemon = forwarder()
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    mine = [line.split()[3] for line in listening.splitlines() if f"pid={daemon.process.pid}," in line]
    assert set(mine) == set(daemon.listen)


def test_over_ipv6(forwarder, needs_ipv6):
    where = endpoint("::1", free_port("::1"))
    forwarder({"metrics.listen": where})
    assert request(where, "/metrics")[0] == 200


def test_a_reload_opens_moves_and_closes_it(forwarder, where):
    daemon = forwarder()
    assert refuses(where)
    daemon.set({"metrics.listen": where})
    daemon.control("reload")
    assert scrape(where)["byway_reload_success"][()] == 1
    moved = endpoint("127.0.0.2", free_port("127.0.0.2"))
    daemon.set({"metrics.listen": moved})
    daemon.control("reload")
    assert refuses(where) and request(moved, "/metrics")[0] == 200
    daemon.set({"metrics.listen": None})
    daemon.control("reload")
    assert refuses(moved) and daemon.alive()


def test_a_reload_moves_it_to_the_wildcard_and_back(daemon, where):
    """Its own socket is in the way, and nobody else's."""
    port = where.rpartition(":")[2]
    for listen, there in ((f"0.0.0.0:{port}", True), (f"127.0.0.2:{port}", False), (f"0.0.0.0:{port}", True), (where, False)):
        daemon.set({"metrics.listen": listen})
        daemon.control("reload")
        assert refuses(f"127.0.0.3:{port}") != there
        assert request(listen.replace("0.0.0.0", "127.0.0.3"), "/metrics")[0] == 200
    with socket.create_server(("127.0.0.4", int(port))):
        daemon.set({"metrics.listen": f"0.0.0.0:{port}"})
        done = daemon.ctl("reload")
        assert done.returncode == 1 and "metrics.listen: another process serves" in done.stderr
    daemon.set({"metrics.listen": f"0.0.0.0:{daemon.port}"})
    assert daemon.ctl("reload").returncode == 1 and scrape(where)["byway_reload_success"][()] == 0


def test_a_reload_that_cannot_bind_changes_nothing(daemon, where, fresh):
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon.set({"metrics.listen": endpoint(*other.getsockname()), "cache.max_ttl": "1h"})
        done = daemon.ctl("reload")
        assert done.returncode == 1 and "metrics.listen: another process serves" in done.stderr
    found = scrape(where)
    assert found["byway_reload_success"][()] == 0 and daemon.ask(fresh("open")).rcode == "NOERROR"
    read_at = found["byway_reload_timestamp_seconds"][()]
    daemon.set({"metrics.listen": where})
    time.sleep(1.1)
    daemon.control("reload")
    found = scrape(where)
    assert found["byway_reload_success"][()] == 1 and found["byway_reload_timestamp_seconds"][()] > read_at


def test_a_reload_keeps_the_socket_where_it_is(daemon, where):
    with socket.create_connection(parse_endpoint(where), timeout=5) as client:
        daemon.set({"cache.max_ttl": "1h"})
        daemon.control("reload")
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"


def test_an_address_in_use_at_the_start(domestic, external, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = endpoint(*other.getsockname())
        daemon = Daemon([domestic], [external], {"metrics.listen": taken}, directory=tmp_path)
        assert daemon.spawn().wait(10) == 1
        daemon.kill()
        daemon.close()
    assert f"metrics.listen: another process serves {taken}: " in daemon.log()


def test_check_names_what_is_wrong(domestic, external, tmp_path):
    daemon = Daemon([domestic], [external], {"metrics.listen": "localhost:9153"}, directory=pathlib.Path(tmp_path))
    done = subprocess.run([*daemon.program, "-c", str(daemon.path), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "metrics.listen: not an address: \"localhost:9153\"" in done.stdout + done.stderr
