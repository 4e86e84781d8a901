"""The Debian packages of the last commit: built, then installed, upgraded, removed and purged in a Debian of their own,
that mmdebstrap makes from where this machine's apt has it. What the packages ask of systemd is written down by stand-ins;
the last test boots the real one."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

import booted
from daemon import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a chroot needs root")
STAGE = "/stage"  # what is the test's own in the chroot
TOOLS = ["systemd", "man-db", "python3-dnspython"]
SOURCES = "$(CREATED_BY)|$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
# A network and processes of its own, so that nothing outlives a command, mounts included.
ENTER = 'ip link set lo up && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
# What needs no running systemd is the real one's: which units are enabled.
STAND_IN = '#!/bin/sh\ncase $1 in --root=*) exec "/bin/${0##*/}" "$@" ;; esac\necho "${0##*/} $*" >>/stage/asked\n'
CONFIG = {"listen": ["127.0.0.1:5353"], "upstreams": {"domestic": ["192.0.2.1"], "external": ["198.51.100.1"]}}
SERVE = """
    install -d -o byway -g byway /run/byway /var/lib/byway
    setpriv --reuid=byway --regid=byway --clear-groups bywayd -c /etc/byway/byway.json 2>/stage/log &
    for try in $(seq 100); do bywayctl status >/dev/null 2>&1 && break; sleep 0.1; done
    "$@"; result=$?
    kill $!
    wait $! && rm -r /run/byway && exit $result
    cat /stage/log >&2; exit 99
"""
OURS = ["/usr/sbin/bywayd", "/usr/bin/bywayctl"]
THERE = [*OURS, "/lib/systemd/system/byway.service", "/usr/lib/sysusers.d/byway.conf", "/usr/share/byway/presets/dnsbl.zones",
         "/usr/share/byway/grafana/byway.json", "/usr/share/byway/prometheus/byway.rules", "/usr/share/byway/byway.schema.json",
         "/usr/share/bash-completion/completions/bywayctl", "/usr/share/doc/byway/copyright"]


def run(*argv, **options):
    done = subprocess.run(argv, check=False, capture_output=True, text=True, stdin=options.pop("stdin", subprocess.DEVNULL),
                          timeout=400, **options)
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def again(package, revision, work):
    """The same package as `revision`, without compiling it once more."""
    tree = work / f"again-{revision}"
    run("dpkg-deb", "-R", str(package), str(tree))
    control = tree / "DEBIAN/control"
    before = control.read_text()
    control.write_text(re.sub(r"^(Version: .*)-1$", rf"\1-{revision}", before, flags=re.MULTILINE))
    assert control.read_text() != before
    made = work / f"byway-{revision}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-b", str(tree), str(made))
    shutil.rmtree(tree)
    return made


@pytest.fixture(scope="module")
def packages(package, tmp_path_factory):
    """Two of the same commit, the second of a higher version."""
    return [package, again(package, 2, tmp_path_factory.mktemp("packages"))]


class Chroot:
    def __init__(self, root):
        self.root = root

    def path(self, name):
        return self.root / name.lstrip("/")

    def run(self, *argv):
        return run("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", ENTER, str(self.root), *argv,
                   env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": STAGE, "LC_ALL": "C.UTF-8",
                        "DEBIAN_FRONTEND": "noninteractive"})

    def serve(self, *argv):
        """What `argv` says while bywayd serves there, as the unit would have it."""
        return self.run("sh", "-c", SERVE, "sh", *argv)

    def install(self, package):
        shutil.copy(package, self.path("/stage/byway.deb"))
        return self.run("sh", "-c", "dpkg -i /stage/byway.deb 2>&1")

    def asked(self):
        """What was asked of systemd since the last call, but to read its units again."""
        asked = self.path("/stage/asked")
        lines = asked.read_text().splitlines() if asked.exists() else []
        asked.unlink(missing_ok=True)
        return [line for line in lines if line != "systemctl --system daemon-reload"]

    def files(self):
        """All but what other programs write about packages and users, and what the test itself puts there."""
        elsewhere = ("/proc", "/dev", STAGE, "/run/systemd", "/var/lib/dpkg", "/var/log", "/var/cache", "/etc/passwd", "/etc/group", "/etc/shadow",
                     "/etc/gshadow", "/etc/.pwd.lock")
        found = set()
        for folder, folders, names in os.walk(self.root):
            for name in folders + names:
                path = "/" + str(pathlib.Path(folder, name).relative_to(self.root))
                if not path.startswith(elsewhere):
                    found.add(path)
        return found


@pytest.fixture(scope="module")
def chroot(packages):
    depends = run("dpkg-deb", "-f", str(packages[0]), "Depends")
    needed = [alternatives.split("|")[0].split("(")[0].strip() for alternatives in depends.split(",")]
    sources = [line.split("|", 2)[2] for line in run("apt-get", "indextargets", "--format", SOURCES).splitlines()
               if line.startswith("Packages|Debian|")]
    assert sources, "apt here knows no Debian"
    options = [f"--aptopt={line}" for line in run("apt-config", "dump", "Acquire").splitlines()
               if line.startswith(("Acquire::http", "Acquire::https", "Acquire::Check-"))]
    release = run("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").strip()
    # One that others may enter: not all that runs there is root.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="byway-chroot-", dir="/var/tmp"))
    root = directory / "root"
    try:
        with open(directory / "sources", "w+", encoding="ascii") as file:
            file.write("\n".join(sources) + "\n")
            file.seek(0)
            run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join([*TOOLS, *needed])}", *options,
                release, str(root), "-", stdin=file)
        directory.chmod(0o755)
        for name in ("systemctl", "deb-systemd-invoke"):
            path = root / "usr/local/sbin" / name
            path.write_text(STAND_IN)
            path.chmod(0o755)
        (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        (root / STAGE[1:]).mkdir(mode=0o755)
        yield Chroot(root)
    finally:
        shutil.rmtree(directory)


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
    assert clean.asked() == ["deb-systemd-invoke start byway.service"]
    assert clean.path("/etc/systemd/system/multi-user.target.wants/byway.service").is_symlink()
    assert not list(clean.path("/etc/byway").iterdir())
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
    for page in ("bywayd.8", "bywayctl.1", "byway.json.5"):
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
    assert clean.run("sh", "-c", "systemd-analyze verify /lib/systemd/system/byway.service 2>&1") == ""
    condition, = (line for line in clean.path("/lib/systemd/system/byway.service").read_text().splitlines()
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
    assert clean.run("dpkg-query", "-W", "-f", "${Version}", "byway").endswith("-2")
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
