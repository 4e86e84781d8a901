"""The Debian packages of the last commit: installed, upgraded, removed and purged in a Debian of their own (chroot.py); the
last test boots the systemd there."""

import json
import os
import pathlib
import shutil
import stat

import pytest

import booted
from chroot import STAGE, run
from daemon import ROOT
from packages import again

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a chroot needs root")
CONFIG = {"listen": ["127.0.0.1:5353"], "upstreams": {"domestic": ["192.0.2.1"], "external": ["198.51.100.1"]}}
OURS = ["/usr/sbin/bywayd", "/usr/sbin/byway-takeover", "/usr/bin/bywayctl"]
UNIT = "/lib/systemd/system/byway.service"
THERE = [*OURS, UNIT, "/usr/lib/sysusers.d/byway.conf",
         *(f"/usr/share/byway/presets/{path.name}" for path in (ROOT / "config/presets").iterdir()),
         "/usr/share/byway/grafana/byway.json", "/usr/share/byway/prometheus/byway.rules", "/usr/share/byway/byway.schema.json",
         "/usr/share/bash-completion/completions/bywayctl", "/usr/share/doc/byway/copyright"]


@pytest.fixture(scope="module")
def packages(package, tmp_path_factory):
    """Two of the same commit, the second of a higher version."""
    return [package, again(package, tmp_path_factory.mktemp("packages"))]


@pytest.fixture
def clean(chroot):
    """Nothing of byway is there, before and after."""
    before = chroot.files()
    yield chroot
    chroot.run("dpkg", "--purge", "byway")
    shutil.rmtree(chroot.path("/etc/byway"), ignore_errors=True)
    assert chroot.files() == before
    chroot.asked()


def test_what_is_installed(clean, packages):
    clean.install(packages[0])
    assert clean.asked() == [], "it has no configuration yet"
    assert clean.path("/etc/systemd/system/multi-user.target.wants/byway.service").is_symlink()
    assert not list(clean.path("/etc/byway").iterdir())
    assert clean.run("dpkg-query", "-W", "-f", "${Conffiles}", "byway") == ""  # so nobody's edits are asked about
    assert not clean.path("/var/lib/byway").exists()

    for name in clean.run("dpkg", "-L", "byway").split("\n")[1:-1]:
        status = clean.path(name).stat()
        assert (status.st_uid, status.st_gid) == (0, 0), name
        mode = 0o755 if stat.S_ISDIR(status.st_mode) or name in OURS else 0o644
        assert stat.S_IMODE(status.st_mode) == mode, name
    assert [name for name in THERE if not clean.path(name).is_file()] == []
    user = clean.run("getent", "passwd", "byway").strip().split(":")
    assert 0 < int(user[2]) < 1000
    assert user[5:] == ["/var/lib/byway", "/usr/sbin/nologin"]

    version = next(line for line in (ROOT / "meson.build").read_text().splitlines() if "version:" in line).split("'")[1]
    assert version in clean.run("bywayd", "--version")
    assert "zones" in clean.run("bywayctl", "--help")
    for page in ("bywayd.8", "byway-takeover.8", "bywayctl.1", "byway.json.5"):
        assert "NAME" in clean.run("man", "-P", "cat", page)
    assert "bywayctl" in clean.run("bash", "-c", ". /usr/share/bash-completion/completions/bywayctl && complete -p bywayctl")


def test_examples_are_usable(clean, packages):
    clean.install(packages[0])
    examples = [path.name for path in clean.path("/usr/share/doc/byway/examples").iterdir()]
    assert len(examples) >= 4
    for example in examples:
        upstreams = json.loads(clean.path(f"/usr/share/doc/byway/examples/{example}").read_text())["upstreams"]
        if "domestic" in upstreams:  # else they are those of the chroot's resolv.conf, which is the machine's
            clean.run("bywayd", "-c", f"/usr/share/doc/byway/examples/{example}", "--check")


def test_unit(clean, packages):
    clean.install(packages[0])
    assert clean.run("sh", "-c", f"systemd-analyze verify {UNIT} 2>&1") == ""
    clean.run("systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT)
    condition, = (line for line in clean.path(UNIT).read_text().splitlines()
                  if line.startswith("Condition"))
    clean.run("sh", "-c", f"! systemd-analyze condition {condition}")
    clean.path("/etc/byway/byway.json").write_text("{}")
    clean.run("systemd-analyze", "condition", condition)


def test_resolves(clean, packages):
    """The test that autopkgtest runs."""
    clean.install(packages[0])
    shutil.copytree(ROOT / "config/debian/tests", clean.path("/stage/tests"))
    assert "again.shut.test" in clean.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=/tmp",
                                          "PYTHONDONTWRITEBYTECODE=1", "sh", "-c", "mkdir /tmp/resolve && AUTOPKGTEST_TMP=/tmp/resolve /stage/tests/resolve;"
                                          "failed=$?; rm -r /tmp/resolve; exit $failed")


def test_life(clean, packages):
    """What was learned is kept until the purge; the configuration is the administrator's, always."""
    clean.install(packages[0])
    config = clean.path("/etc/byway/byway.json")
    config.write_text(json.dumps(CONFIG))
    clean.serve("bywayctl", "zones", "pin", "partner.example", "external")
    clean.asked()

    clean.install(packages[1])
    assert clean.run("dpkg-query", "-W", "-f", "${Version}", "byway") == run("dpkg-deb", "-f", str(packages[1]), "Version").strip()
    assert clean.asked() == ["deb-systemd-invoke restart byway.service"]
    assert json.loads(config.read_text()) == CONFIG
    assert "partner.example" in clean.serve("bywayctl", "zones")

    clean.run("dpkg", "--remove", "byway")
    assert clean.asked() == ["deb-systemd-invoke stop byway.service"]
    assert [name for name in THERE if clean.path(name).exists()] == []
    assert clean.path("/var/lib/byway").is_dir()
    clean.install(packages[1])
    assert "partner.example" in clean.serve("bywayctl", "zones")

    clean.run("dpkg", "--purge", "byway")
    assert not clean.path("/var/lib/byway").exists()
    assert json.loads(config.read_text()) == CONFIG


def test_removal_gives_resolv_conf_back(clean, packages):
    clean.install(packages[0])
    clean.path("/etc/byway/byway.json").write_text(json.dumps({**CONFIG, "listen": ["127.0.0.1:53"]}))
    resolv_conf = clean.path("/etc/resolv.conf")
    before = resolv_conf.read_bytes()
    clean.run("sh", "-c", """mkdir /run/byway; bywayd -c /etc/byway/byway.json 2>/stage/log &
        for try in $(seq 100); do bywayctl status >/dev/null 2>&1 && break; sleep 0.1; done
        byway-takeover --ask localhost && kill $! && wait $!""")  # a name that byway answers itself
    assert b"\nnameserver 127.0.0.1\n" in resolv_conf.read_bytes()
    clean.install(packages[1])
    assert b"\nnameserver 127.0.0.1\n" in resolv_conf.read_bytes()
    clean.asked()
    # Nothing answers there but byway: it stays, until somebody has seen to that.
    said = clean.run("sh", "-c", "dpkg --remove byway 2>&1 && exit 1; dpkg-query -W -f '${Status}' byway")
    assert "does not find localhost without byway" in said and "byway: it stays, and runs" in said and said.endswith(" ok installed")
    assert not [line for line in clean.asked() if " stop " in line]
    assert resolv_conf.read_bytes() == before and not clean.path("/var/lib/byway-takeover").exists()
    clean.run("dpkg", "--remove", "byway")
    clean.run("rm", "-r", "/run/byway", "/run/byway-takeover")


def test_configuration_that_the_service_cannot_read(clean, packages):
    """root can: the bywayd that serves goes on."""
    clean.install(packages[0])
    clean.path("/etc/byway/byway.json").write_text(json.dumps(CONFIG))
    clean.path("/etc/byway/byway.json").chmod(0o600)
    assert "byway.service is left as it is" in clean.install(packages[1])
    assert clean.asked() == []


def test_configuration_that_is_unusable(clean, packages):
    """The bywayd that serves goes on."""
    clean.install(packages[0])
    clean.asked()
    clean.path("/etc/byway/byway.json").write_text(json.dumps({**CONFIG, "lerning": {}}))
    said = clean.install(packages[1])
    assert clean.asked() == []
    assert "did you mean" in said
    assert "byway.service is left as it is" in said
    assert clean.run("dpkg-query", "-W", "-f", "${Status}", "byway") == "install ok installed"


@pytest.mark.skipif(not booted.possible(), reason="no control groups for a systemd")
def test_upgrade_loses_no_query(chroot, packages):
    """Under systemd, by the unit as it is installed. The last test, for a systemd that ran leaves files."""
    for revision, package in enumerate(packages, 1):
        shutil.copy(package, chroot.path(f"/stage/byway-{revision}.deb"))
    shutil.copytree(ROOT / "config/debian/tests", chroot.path("/stage/booted"))
    ended, said = booted.boot(chroot.root, """
        dpkg -i /stage/byway-1.deb && /stage/booted/restart dpkg -i /stage/byway-2.deb && systemctl is-enabled byway &&
            dpkg --purge byway && ! systemctl cat byway && ! ls -d /etc/byway /var/lib/byway
    """, 90)
    assert ended == 0, said
    assert "lost 0" in said
