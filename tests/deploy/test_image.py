"""The container image of the last commit, in podman: what is in it, that it resolves on port 53 without any right, is
healthy and otherwise, keeps what it learned, and stops in time."""

import json
import os
import pathlib
import signal
import subprocess
import tarfile
import time

import pytest

import apart
import peers
from client import ask
from conftest import EXTERNAL
from daemon import ROOT, wait_for
from podman import Podman
from upstream import Stage, World

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an image needs root")
USER = 953
LARGEST = 25 << 20
IMAGE = "localhost/byway:latest"
# As docs/installing.md has it, and less.
UNPRIVILEGED = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only", "--sysctl", "net.ipv4.ip_unprivileged_port_start=53"]
WHERE = "127.0.0.1:53"


def build():
    subprocess.run([str(ROOT / "scripts/image")], check=True, timeout=300)
    path, = (ROOT / "build/images").glob("byway-*.tar")
    return path


@pytest.fixture(scope="module")
def archive(package):
    return build()


def settings_of(archive):
    """The image's, and the digests of its layers."""
    with tarfile.open(archive) as tar:
        manifest, = json.load(tar.extractfile("manifest.json"))
        image = json.load(tar.extractfile(manifest["Config"]))
    return manifest, image["config"], image["rootfs"]["diff_ids"]


@pytest.fixture(scope="module")
def network():
    with apart.network() as outside:
        yield outside


@pytest.fixture(scope="module")
def podman(archive, network):
    podman = Podman(archive, network)
    try:
        yield podman
    finally:
        podman.close()


@pytest.fixture(scope="module")
def country(network):
    """A domestic that serves one zone and refuses the rest, and an external that knows everything."""
    stage, domestic, world = Stage(), peers.nsd("127.0.0.2"), World()
    world.add("partner.test")
    try:
        domestic.wait()
        yield domestic, stage.upstream(world, "127.0.0.3", EXTERNAL)
    finally:
        domestic.close()
        stage.close()


@pytest.fixture
def config(country, tmp_path_factory):
    domestic, external = country
    path = pathlib.Path(tmp_path_factory.mktemp("config"), "byway.json")
    path.parent.chmod(0o755)
    path.write_text(json.dumps({"listen": ["0.0.0.0:53"], "upstreams": {"domestic": [str(domestic)], "external": [str(external)]}}))
    return path


@pytest.fixture
def byway(podman, config):
    """byway(): a container that serves, healthy."""
    def start():
        podman.start("byway", *UNPRIVILEGED, "-v", "byway-state:/var/lib/byway", "-v", f"{config.parent}:/etc/byway:ro", IMAGE)
        wait_for(lambda: podman.ran("healthcheck", "run", "byway").returncode == 0, 10, "it is healthy")
    try:
        yield start
    finally:
        print(podman.ran("logs", "byway").stderr)
        podman.remove("byway")
        podman.ran("volume", "rm", "--force", "byway-state")


def test_what_is_in_it(archive, tmp_path):
    manifest, config, layers = settings_of(archive)
    assert archive.stat().st_size < LARGEST
    assert "localhost/byway:latest" in manifest["RepoTags"]
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["/usr/sbin/bywayd"]
    assert config["Cmd"] == ["-c", "/etc/byway/byway.json"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/bywayctl", "status"]
    assert list(config["Volumes"]) == ["/var/lib/byway"]
    assert set(config["ExposedPorts"]) == {"53/udp", "53/tcp"}
    assert len(layers) == 1
    with tarfile.open(archive) as tar, tarfile.open(fileobj=tar.extractfile(manifest["Layers"][0])) as layer:
        members = {member.name: member for member in layer}
    assert [name for name, member in members.items() if member.mode & 0o6000 or member.pax_headers.get("SCHILY.xattr.security.capability")] == []
    assert {name for name, member in members.items() if (member.uid, member.gid) != (0, 0)} == {"var/lib/byway", "run/byway"}
    assert {name for name, member in members.items() if member.mode & 0o002 and not member.issym()} == {"tmp"}
    for name in ("usr/sbin/bywayd", "usr/bin/bywayctl", "usr/share/byway/presets/dnsbl.zones", "etc/ssl/certs/ca-certificates.crt",
                 "usr/share/publicsuffix/public_suffix_list.dafsa", "usr/share/doc/byway/copyright", "usr/share/doc/libc6/copyright"):
        assert members[name].size > 500, name


def test_the_same_again(archive):
    """But for the name that buildah gives to each of its containers, which is beside the layer."""
    before = settings_of(archive)[2]
    assert settings_of(build())[2] == before


def test_resolves_and_remembers(byway, podman, config):
    byway()
    assert ask(WHERE, "mx1.mail.example").addresses == ["192.0.2.25"]
    assert ask(WHERE, "mx1.mail.example", tcp=True).addresses == ["192.0.2.25"]
    for host in range(3):
        assert ask(WHERE, f"mx{host}.partner.test").addresses == [EXTERNAL]
    wait_for(lambda: "partner.test" in podman("exec", "byway", "bywayctl", "zones", "--state", "blocked"), 10, "partner.test is blocked")
    process = pathlib.Path(f"/proc/{podman.process('byway')}")
    status = dict(line.split(":\t") for line in (process / "status").read_text().splitlines())
    assert status["Uid"].split() == status["Gid"].split() == [str(USER)] * 4
    assert all(int(status[f"Cap{which}"], 16) == 0 for which in ("Prm", "Eff", "Bnd", "Amb"))

    edited = config.with_suffix(".new")  # as editors do it
    edited.write_text(json.dumps({**json.loads(config.read_text()), "learning": {"mode": "observe"}}))
    edited.rename(config)
    podman("exec", "byway", "bywayctl", "reload")
    assert "observe" in podman("exec", "byway", "bywayctl", "status")

    began = time.monotonic()
    podman("stop", "--time", "10", "byway")
    assert time.monotonic() - began < 3
    assert podman.inspect("byway")["State"]["ExitCode"] == 0
    podman.remove("byway")
    byway()
    assert "partner.test" in podman("exec", "byway", "bywayctl", "zones", "--state", "blocked")


def test_unhealthy(byway, podman):
    byway()
    process = podman.process("byway")
    os.kill(process, signal.SIGSTOP)
    try:
        assert podman.ran("healthcheck", "run", "byway").returncode != 0
    finally:
        os.kill(process, signal.SIGCONT)
    wait_for(lambda: podman.ran("healthcheck", "run", "byway").returncode == 0, 10, "it is healthy")


def test_unhealthy_without_a_daemon(podman):
    """A shell is there for who looks into it."""
    podman.start("idle", "--entrypoint", '["/bin/sh", "-c"]', IMAGE, "read forever </dev/zero")
    try:
        assert podman.ran("exec", "idle", "bywayctl", "status").returncode == 3
        assert podman.ran("healthcheck", "run", "idle").returncode == 1
    finally:
        podman.remove("idle")


def test_check(podman, config):
    """The programs are there as they are elsewhere."""
    podman.start("check", "-v", f"{config.parent}:/etc/byway:ro", IMAGE, "-c", "/etc/byway/byway.json", "--check")
    try:
        assert podman("wait", "check") == "0"
    finally:
        podman.remove("check")
