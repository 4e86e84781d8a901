"""Places for the tests of byway-takeover. A Machine has its own Debian, systemd and network, in which a provider hands out
addresses and resolves; it is an overlay over one tree, so that each test has a fresh one in moments. A Copy is this
machine's own tree, in which all that is written is gone in the end: no systemd, no network but loopback."""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import booted  # noqa: E402
from daemon import ROOT, program, wait_for  # noqa: E402

PACKAGES = ["systemd", "systemd-sysv", "dbus", "iproute2", "procps", "e2fsprogs", "nscd", "dnsmasq-base", "isc-dhcp-client",
            "network-manager", "cloud-init", "publicsuffix"]
LIBRARIES = ["libuv1", "libjansson4", "libldns3", "libpsl5", "libidn2-0", "liburcu8", "libcap-ng0", "libmicrohttpd12", "libssl3",
             "libnghttp2-14", "libhiredis0.14", "zlib1g"]
MANAGERS = ["resolvconf", "openresolv", "systemd-resolved"]  # in the way of each other: kept, and installed where wanted
IDLE = ["NetworkManager", "cloud-init", "cloud-init-local", "cloud-config", "cloud-final", "nscd"]
SOURCES = "$(CREATED_BY)|$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
WAIT = "sh -e /stage/network; touch /stage/up; while [ ! -e /stage/leave ]; do sleep 0.05; done"
PROVIDER, OTHER = "192.0.2.1", "192.0.2.2"
NETWORK = """
ip netns add provider
ip link add eth0 type veth peer name inside netns provider
ip -n provider link set lo up
ip -n provider address add 192.0.2.1/24 dev inside
ip -n provider address add 192.0.2.2/24 dev inside
ip -n provider link set inside up
ip link set eth0 up
serve() {
    address=$1
    shift
    ip netns exec provider dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --except-interface=lo \
        --listen-address=$address --user=root --pid-file=/run/provider-$address --dhcp-leasefile=/run/leases-$address \
        --local=/test/ --host-record=answer.test,host.corp.test,203.0.113.7 --local=/example.com/ --host-record=example.com,203.0.113.8 "$@"
}
serve 192.0.2.1 --dhcp-range=192.0.2.100,192.0.2.150,255.255.255.0,2m --dhcp-option=option:dns-server,192.0.2.1 \
    --dhcp-option=option:domain-name,corp.test --dhcp-authoritative --no-ping
serve 192.0.2.2
"""


def run(*argv, timeout=300, **options):
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=timeout, **options)
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


class Base:
    """The tree below all of them: Debian as this machine's apt has it, and byway as `meson install` leaves it."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="byway-deploy-", dir="/var/tmp"))
        self.directory.chmod(0o755)
        self.root = self.directory / "base"
        try:
            self._debian()
            self._byway()
        except BaseException:
            self.close()
            raise

    def _debian(self):
        lines = run("apt-get", "indextargets", "--format", SOURCES).splitlines()
        sources = "".join(line.split("|", 2)[2] + "\n" for line in lines if line.startswith("Packages|Debian|"))
        assert sources, "apt here knows no Debian"
        options = [f"--aptopt={line}" for line in run("apt-config", "dump", "Acquire").splitlines()
                   if line.startswith(("Acquire::http", "Acquire::https", "Acquire::Check-"))]
        release = run("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").strip()
        # In namespaces of its own: were it ended in the middle, what it has mounted is gone with it.
        run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "mmdebstrap", "--quiet", "--mode=root",
            "--variant=minbase", f"--include={','.join(PACKAGES + LIBRARIES)}", *options, release, str(self.root), "-", input=sources, timeout=900)
        kept = self.root / "stage/packages"
        kept.mkdir(parents=True)
        run("apt-get", "-q", "download", *MANAGERS, cwd=kept)
        run("chroot", str(self.root), "systemctl", "-q", "disable", *IDLE)
        (self.root / "stage/network").write_text(NETWORK)

    def _byway(self):
        build = ROOT / os.environ.get("BYWAY_BUILD", "build")
        run("meson", "install", "-C", str(build), "--quiet", env={**os.environ, "DESTDIR": str(self.root)})
        shutil.copy(ROOT / "config/byway.sysusers", self.root / "usr/lib/sysusers.d/byway.conf")
        unit = (ROOT / "config/byway.service").read_text().replace("/usr/sbin/bywayd", "/usr/local/sbin/bywayd")
        (self.root / "etc/systemd/system/byway.service").write_text(unit)
        run("chroot", str(self.root), "systemd-sysusers")
        (self.root / "etc/byway").mkdir()

    def close(self):
        shutil.rmtree(self.directory)


class Place:
    """`pid`: a process there; `root`: its tree as it is seen from here."""

    # -- commands --

    def enter(self, command):
        return ["nsenter", "-t", self.pid, "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", "env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "sh", "-c", command]

    def sh(self, command):
        """What it says, on both ways; fails unless it exits 0."""
        return run(*self.enter(f"exec 2>&1; {command}"), timeout=60)

    def fails(self, command):
        """What it says; fails unless it exits 1."""
        done = subprocess.run(self.enter(f"exec 2>&1; {command}"), check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, (command, done.returncode, done.stdout)
        return done.stdout

    def resolves(self):
        """The C library finds the provider's name, by whatever resolv.conf has."""
        return "203.0.113.7" in self.sh("getent -s hosts:dns ahosts answer.test")

    def steps(self, script, arguments, last=None, then="env kill -9 -- -{leader} || :"):
        """The shell's trace of it, a step a line. Once it has taken `last` of them, or the one that is so called, `then` is
        done: it and all that it has started is ended by kill -9."""
        taken = []
        with subprocess.Popen([*self.enter('exec setsid -w sh -c "$0" 2>&1 >/dev/null'), f"echo $$ >&2; exec sh -x {script} {arguments}"],
                              stdout=subprocess.PIPE, text=True) as process:
            leader = process.stdout.readline().strip()
            for line in process.stdout:
                taken += [line.strip()] if line.startswith("+") else []
                if last and last in (len(taken), *taken[-1:]):
                    self.sh(then.format(leader=leader))
                    last = None
        return taken

    # -- files --

    def path(self, name):
        return self.root / name.lstrip("/")

    def nameservers(self):
        return [line.split()[1] for line in self.sh("cat /etc/resolv.conf").splitlines() if line.startswith("nameserver")]

    def options(self):
        return self.sh("grep ^options /etc/resolv.conf").strip()

    def snapshot(self):
        """All of /etc: what it is, whose, and its bytes; but for byway itself, what a boot writes, and what openresolv writes
        for Unbound and as its own backup."""
        found = {}
        others = (".updated", "machine-id", "systemd/system/script.service")
        top = self.root / "etc"
        for folder, folders, names in os.walk(top):
            for name in folders + names:
                path = pathlib.Path(folder, name)
                inside = str(path.relative_to(top))
                if inside.startswith(("byway", "unbound", "resolv.conf.bak")) or "byway.service" in inside or inside in others:
                    continue
                status = path.lstat()
                content = os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(status.st_mode) else None
                found[inside] = (stat.filemode(status.st_mode), status.st_uid, status.st_gid, content)
        found["resolv.conf (chattr)"] = self.sh("lsattr -d $(readlink -f /etc/resolv.conf) 2>/dev/null || true").split(" ")[0]
        return found


class Machine(Place):
    def __init__(self, base):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="machine-", dir=base.directory))
        for name in ("upper", "work", "root"):
            (self.directory / name).mkdir()
        self.root = self.directory / "root"
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={base.root},upperdir={self.directory}/upper,workdir={self.directory}/work",
            str(self.root))
        self.thread = None
        self.pid = None

    def install(self, packages):
        for package in packages:
            run("chroot", str(self.root), "sh", "-c", f"DEBIAN_FRONTEND=noninteractive dpkg -i /stage/packages/{package}_*.deb 2>&1")

    # -- life --

    def boot(self):
        for name in ("leave", "up"):
            (self.root / "stage" / name).unlink(missing_ok=True)
        self.thread = threading.Thread(target=booted.boot, args=(self.root, WAIT, 300), daemon=True)
        self.thread.start()
        wait_for((self.root / "stage/up").exists, 30, "the machine is up", every=0.02)
        group = booted.CGROUPS if booted.ALONE.exists() else booted.NAMED
        self.pid = (group / f"byway-boot-{os.getpid()}/init.scope/cgroup.procs").read_text().split()[0]
        return self

    def shut_down(self):
        if self.thread:
            (self.root / "stage/leave").touch()
            self.thread.join()
            self.thread = None

    def reboot(self):
        self.shut_down()
        return self.boot()

    def close(self):
        self.shut_down()
        run("umount", str(self.root))
        shutil.rmtree(self.directory)


class Copy(Place):
    START = r"""
        mount -t tmpfs tmpfs /mnt
        mkdir /mnt/upper /mnt/work /mnt/tree
        mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/tree
        mkdir -p "/mnt/tree$0"
        mount --bind "$0" "/mnt/tree$0"
        mount --bind /dev /mnt/tree/dev
        mount -t proc proc /mnt/tree/proc
        mount -t tmpfs tmpfs /mnt/tree/run
        ip link set lo up
        cd /mnt/tree
        pivot_root . mnt
        umount -l /mnt
        touch /run/up
        exec sleep 600
    """

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-ec", self.START, str(ROOT)])
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.pid = wait_for(lambda: children.read_text().split(), 10, "it has begun", every=0.01)[0]
        self.root = pathlib.Path(f"/proc/{self.pid}/root")
        wait_for((self.root / "run/up").exists, 10, "it is there", every=0.01)
        for name in ("bywayd", "bywayctl"):
            self.sh(f"ln -sf {program(name)} /usr/local/sbin/{name}")

    def close(self):
        self.process.kill()  # and with it the first process there, and so all of them
        self.process.wait()


@pytest.fixture(scope="session")
def base():
    base = Base()
    yield base
    base.close()


@pytest.fixture
def machine(base):
    """machine("resolvconf"): one that has booted, with this package installed."""
    machines = []

    def start(*packages):
        made = Machine(base)
        machines.append(made)
        made.install(packages)
        return made.boot()
    yield start
    for made in machines:
        made.close()


@pytest.fixture
def copy():
    copy = Copy()
    yield copy
    copy.close()
