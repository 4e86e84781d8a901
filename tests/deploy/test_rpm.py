"""The sources of the last commit: the archive, Debian's source package, and the RPM that Debian's rpmbuild makes of it by
config/rpm/byway.spec. That one is installed, upgraded and erased in a Debian, by its own scripts."""

import hashlib
import json
import os
import pathlib
import re
import tarfile

import pytest

from chroot import run
from daemon import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a chroot needs root")
SPEC = ROOT / "config/rpm/byway.spec"
NO_LIBRARIES = {"threads", "cmocka"}  # of the compiler; of the tests
CONFIG = pathlib.Path("/etc/byway/byway.json")
THERE = {"/etc/byway", "/usr/sbin/bywayd", "/usr/sbin/byway-takeover", "/usr/bin/bywayctl", "/usr/lib/systemd/system/byway.service", "/usr/lib/sysusers.d/byway.conf",
         "/usr/share/byway", "/usr/share/byway/byway.schema.json", "/usr/share/byway/grafana", "/usr/share/byway/grafana/byway.json",
         "/usr/share/byway/prometheus", "/usr/share/byway/prometheus/byway.rules", "/usr/share/byway/presets",
         *(f"/usr/share/byway/presets/{path.name}" for path in (ROOT / "config/presets").iterdir()),
         "/usr/share/bash-completion/completions/bywayctl", "/usr/share/man/man1/bywayctl.1", "/usr/share/man/man5/byway.json.5",
         "/usr/share/man/man8/bywayd.8", "/usr/share/man/man8/byway-takeover.8", "/usr/share/bash-completion/completions/byway-takeover",
         *(f"/usr/share/byway/{folder}/{path.name}" for folder, names in (("examples", "??.json"), ("takeover", "*.sh")) for path in (ROOT / "config" / folder).glob(names)),
         "/usr/share/byway/examples", "/usr/share/byway/takeover"}
ACTIVE = "systemctl -q is-active byway.service"
BESIDE = ("/usr/share/doc/", "/usr/share/licenses/", "/usr/lib/.build-id")  # documents, and what rpmbuild adds for debuggers


def make():
    """{name: digest} of what scripts/package --source makes."""
    run(str(ROOT / "scripts/package"), "--source")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ROOT / "build/source").iterdir() if path.suffix != ".log"}


@pytest.fixture(scope="module")
def made(package):
    return make()


@pytest.fixture(scope="module")
def archive(made):
    path, = (ROOT / "build/source").glob("byway-*.tar.xz")
    return path


@pytest.fixture(scope="module")
def rpm(archive, tmp_path_factory):
    """Quickly made; Debian's packages are no RPMs, so that nothing of what it needs to be built is found."""
    top = tmp_path_factory.mktemp("rpm")
    version = archive.name.removeprefix("byway-").removesuffix(".tar.xz")
    run("rpmbuild", "-ta", "--nodeps", "--define", f"_topdir {top}", "--define", f"byway_version {version}", "--define", "optflags -O0", str(archive))
    path, = (top / "RPMS").glob("*/byway-[0-9]*.rpm")
    return path


def query(rpm, *words):
    return run("rpm", "-qp", *words, str(rpm)).splitlines()


def test_the_same_again(made):
    assert len(made) == 4
    assert make() == made


def test_what_is_in_the_archive(archive):
    """All that git has, and nothing else."""
    prefix = archive.name.removesuffix(".tar.xz") + "/"
    with tarfile.open(archive) as tar:
        names = {member.name.removeprefix(prefix) for member in tar if not member.isdir()}
    assert names == set(run("git", "-C", str(ROOT), "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")) - {""}


def test_debian_source(archive, tmp_path):
    dsc, = archive.parent.glob("*.dsc")
    orig, = archive.parent.glob("*.orig.tar.xz")
    assert orig.read_bytes() == archive.read_bytes()
    run("dpkg-source", "--no-check", "-x", str(dsc), str(tmp_path / "tree"))
    for name in ("control", "rules", "tests/resolve"):
        assert (tmp_path / "tree/debian" / name).read_bytes() == (ROOT / "config/debian" / name).read_bytes()
    changelog = run("dpkg-parsechangelog", "-l", str(tmp_path / "tree/debian/changelog"), "-S", "Version").strip()
    assert changelog.rsplit("-", 1)[0] in archive.name


def test_what_it_is_built_with():
    """The spec and Debian's control know the libraries of meson.build, and its versions; the spec that of byway as well."""
    meson = (ROOT / "meson.build").read_text()
    wanted = {(name, version) for name, version in re.findall(r"dependency\('([^']+)'(?:, version: '>=([^']+)')?\)", meson) if name not in NO_LIBRARIES}
    assert set(re.findall(r"pkgconfig\(([^)]+)\)(?: >= (\S+))?", SPEC.read_text())) == wanted
    control = (ROOT / "config/debian/control").read_text()
    assert sorted(re.findall(r"^ lib\S+-dev \(>= ([^)]+)\)", control, re.M)) == sorted(version for _, version in wanted if version)
    assert run("rpmspec", "-q", "--queryformat", "%{version}", str(SPEC)) == re.search(r"^  version: '(.*)',$", meson, re.M)[1]


def test_what_is_in_the_rpm(rpm):
    assert {name for name in query(rpm, "-l") if not name.startswith(BESIDE)} == THERE
    assert {line.split()[0] for line in query(rpm, "--queryformat", "[%{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]")} == {"root:root"}
    assert {name for name in query(rpm, "-l") if name.endswith(("/LICENSE", "/operating.md", "/office.json"))}
    assert query(rpm, "-c") == []  # so nobody's edits are kept aside
    scripts = "\n".join(query(rpm, "--scripts"))
    assert "%" not in scripts  # a macro that rpm does not know


def test_life(chroot, rpm):
    config = chroot.path(str(CONFIG))
    chroot.asked()
    chroot.rpm("-i", str(rpm))
    assert chroot.asked() == ["systemctl --no-reload preset byway.service", ACTIVE]  # it is always active, to the stand-in
    assert chroot.run("getent", "passwd", "byway").strip().split(":")[5:] == ["/var/lib/byway", "/usr/sbin/nologin"]
    assert "bywayd" in chroot.run("bywayd", "--version")
    assert chroot.run("sh", "-c", "systemd-analyze verify byway.service 2>&1") == ""

    config.write_text(json.dumps({"listen": ["127.0.0.1:5353"], "upstreams": {"domestic": ["192.0.2.1"], "external": ["198.51.100.1"]}}))
    chroot.serve("bywayctl", "zones", "pin", "partner.example", "external")
    chroot.asked()
    chroot.rpm("-U", "--force", str(rpm))
    assert chroot.asked() == [ACTIVE, "systemctl restart byway.service"]
    assert "partner.example" in chroot.serve("bywayctl", "zones")

    good = config.read_text()
    config.write_text('{"lerning": {}}')
    assert "byway.service is left as it is" in chroot.rpm("-U", "--force", str(rpm))
    assert chroot.asked() == [ACTIVE]
    config.write_text(good)

    chroot.path("/var/lib/byway-takeover").mkdir()  # as if taken over; nothing answers there but byway
    with pytest.raises(AssertionError, match="byway: it stays, and runs"):
        chroot.rpm("-e", "byway")
    assert chroot.asked() == [] and not chroot.path("/var/lib/byway-takeover").exists()
    assert chroot.path("/usr/sbin/bywayd").exists()
    chroot.rpm("-e", "byway")
    assert chroot.asked() == ["systemctl --no-reload disable --now byway.service"]
    assert [name for name in THERE - {"/etc/byway"} if chroot.path(name).exists()] == []
    assert config.read_text() == good
    assert chroot.path("/var/lib/byway").is_dir()
