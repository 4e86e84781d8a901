"""docs/deploying.md: three mail servers in each of four countries, from nothing, by the role, with a real Redis in each."""

import os
import re
import subprocess
import time

import pytest
import yaml

import booted
from chroot import run
from daemon import ROOT, wait_for
from nodes import DOMESTIC, EXTERNAL, MARKS, Stage
from test_ansible import Controller

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
              pytest.mark.skipif(not booted.possible(), reason="no control groups for a systemd")]
COUNTRIES = ("cn", "ir", "id", "ru")
EACH = 3
PASSWORD = "correct-horse-battery"
OPEN, SHUT = "mail.open.test", "mail.shut.test"


def snippet(language, holding):
    """The one block of the page in that language with these words."""
    page = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
    found = [block for block in re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) if holding in block]
    assert len(found) == 1, holding
    return found[0]


class Redis:
    """One as the page configures it, in the nodes' network."""

    def __init__(self, stage, address):
        self.address = address
        run("ip", "-n", stage.network.name, "address", "add", f"{address}/24", "dev", "lan")
        home = stage.directory / address
        home.mkdir()
        text = snippet("text", "maxmemory-policy").replace("127.0.0.1 10.0.1.5", address).replace("PASSWORD", PASSWORD)
        (home / "redis.conf").write_text(text, encoding="ascii")
        with open(home / "log", "wb") as log:
            self.process = subprocess.Popen(stage.network.enter("redis-server", str(home / "redis.conf"), "--dir", str(home)),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def countries(package):
    """{country: its nodes}, deployed to; how long that took."""
    stage = Stage(package, len(COUNTRIES) * EACH)
    redises = []
    try:
        controller = Controller(stage, package)
        places = {country: stage.nodes[EACH * i:EACH * (i + 1)] for i, country in enumerate(COUNTRIES)}
        hosts = {}
        for i, (country, nodes) in enumerate(places.items()):
            redises.append(Redis(stage, f"198.18.7.{61 + i}"))
            words = yaml.safe_load(snippet("yaml", "byway_cluster").replace("10.0.1.5", redises[-1].address))
            words["byway_cluster"]["vantage"] = country
            hosts |= {node.name: {"byway_cluster": words["byway_cluster"], "byway_redis_password": PASSWORD} for node in nodes}
        command = controller.command(hosts=hosts, byway_lookups=[OPEN])
        began = time.monotonic()
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL, cwd=controller.home)
        assert done.returncode == 0, done.stdout + done.stderr
        yield places, time.monotonic() - began
        controller.close()
    finally:
        for redis in redises:
            redis.close()
        stage.close()


def zones(node):
    return {entry["zone"]: entry for entry in yaml.safe_load(node.run("bywayctl", "--json", "zones"))}


def test_twelve_nodes_in_four_countries(countries):
    places, took = countries
    print(f"{len(COUNTRIES) * EACH} nodes in {took:.0f} s")
    for country, nodes in places.items():
        for node in nodes:
            wait_for(lambda: node.status()["cluster"]["connected"], 10, f"{node.name} is connected: {node.status()['cluster']}")
            wait_for(lambda: sum(peer["present"] for peer in node.status()["cluster"]["peers"]) == EACH - 1, 20, f"{node.name} has its peers")
            cluster = node.status()["cluster"]
            assert cluster["vantage"] == country and {peer["vantage"] for peer in cluster["peers"]} == {country}

    first, second, third = places["cn"]
    for n in range(5):
        assert first.lookup(f"n{n}.{SHUT}") == [MARKS[EXTERNAL]]
        assert first.lookup(f"n{n}.{OPEN}") == [MARKS[DOMESTIC]]
    wait_for(lambda: zones(first).get("shut.test.", {}).get("state") == "blocked", 20, "cn's first node has learned it")
    for node in (second, third):
        wait_for(lambda: zones(node).get("shut.test.", {}).get("state") == "blocked", 2, f"{node.name} has heard it")
        assert zones(node)["shut.test."]["source"] == "cluster"
        began = time.monotonic()
        assert node.lookup(f"first.{SHUT}") == [MARKS[EXTERNAL]] and time.monotonic() - began < 0.5
    assert all("shut.test." not in zones(node) for country in ("ir", "id", "ru") for node in places[country])

    third.run("bywayctl", "zones", "pin", "partner.example", "external", "--note", "ticket 4711")
    wait_for(lambda: zones(first).get("partner.example.", {}).get("note") == "ticket 4711", 2, "the pin is in force in cn")
    assert "partner.example." not in zones(places["ir"][0])
