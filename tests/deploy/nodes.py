"""Hosts for Ansible: Debians that boot their systemd over one tree, each in a network namespace of its own, with the real
sshd; beside them, in one more, the resolvers that they ask and the controller. Nothing of it is left after close()."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import booted
from chroot import run
from daemon import ROOT, wait_for

TOOLS = ["systemd", "openssh-server", "python3", "python3-apt"]
CONTROLLER, DOMESTIC, EXTERNAL, NOBODY = "198.18.7.1", "198.18.7.53", "198.18.7.54", "198.18.7.99"
MARKS = {DOMESTIC: "192.0.2.1", EXTERNAL: "198.51.100.1"}  # an answer's address tells whose it is
# What lies over the tree is memory's, and is gone with the node.
OVERLAY = """
    over=$1 lower=$2
    shift 2
    mount -t tmpfs -o mode=755,size=512m tmpfs "$over"
    mkdir "$over/upper" "$over/work" "$over/root"
    mount -t overlay -o "lowerdir=$lower,upperdir=$over/upper,workdir=$over/work" overlay "$over/root"
    exec "$@"
"""


class Namespace:
    def __init__(self, name):
        self.name = f"byway-{os.getpid()}-{name}"
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")

    def enter(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def close(self):
        run("ip", "netns", "delete", self.name)


class Node:
    def __init__(self, stage, number):
        self.stage, self.name, self.address = stage, f"node{number}", f"198.18.7.{10 + number}"
        self._close = contextlib.ExitStack()
        self.namespace = Namespace(self.name)
        self._close.callback(self.namespace.close)
        link = f"byway-{number}"
        run("ip", "-n", stage.network.name, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.namespace.name)
        run("ip", "-n", stage.network.name, "link", "set", link, "master", "lan", "up")
        run("ip", "-n", self.namespace.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.namespace.name, "link", "set", "eth0", "up")
        over = stage.directory / self.name
        over.mkdir()
        how, made = self._close.enter_context(booted.groups(self.name))
        boot = booted.start(over / "root", "multi-user.target", how, made, network=False)
        with open(stage.directory / f"{self.name}.log", "wb") as log:
            self._systemd = subprocess.Popen(
                self.namespace.enter("unshare", "--mount", "sh", "-ec", OVERLAY, "sh", str(over), str(stage.tree), *boot),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._close.callback(self._kill)

    def _kill(self):
        self._systemd.kill()  # and with it, by --kill-child, all there is
        self._systemd.wait()

    def close(self):
        self._close.close()

    def _init(self):
        """The node's first process, once it is systemd; else None."""
        children = pathlib.Path(f"/proc/{self._systemd.pid}/task/{self._systemd.pid}/children").read_text(encoding="ascii").split()
        return children[0] if children and "systemd" in os.readlink(f"/proc/{children[0]}/exe") else None

    def command(self, *argv):
        return ["nsenter", "--target", self._init(), "--mount", "--uts", "--ipc", "--net", "--pid", "env", "-i", "LC_ALL=C.UTF-8", "HOME=/root",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *argv]

    def run(self, *argv):
        return run(*self.command(*argv))

    def ready(self):
        if self._systemd.poll() is not None or not self._init():
            return False
        return subprocess.run(self.command("systemctl", "is-active", "ssh"), check=False, capture_output=True).returncode == 0

    # --- what the tests look at ---

    def read(self, path):
        return self.run("sh", "-c", 'cat "$0" 2>/dev/null || true', path)

    def process(self):
        return self.run("systemctl", "show", "--property=MainPID", "--value", "byway").strip()

    def version(self):
        return self.run("sh", "-c", "dpkg-query --show --showformat='${Version}' byway 2>/dev/null || true")

    def status(self):
        return json.loads(self.run("bywayctl", "--json", "status"))

    def lookup(self, name):
        """What a client on the node hears of byway."""
        return run(*self.namespace.enter("dig", "+short", "+tries=1", "+timeout=5", "@127.0.0.1", name)).split()

    def all(self):
        """Everything of byway's that a deploy may change and a roll back must restore, but for what only grows."""
        return {"version": self.version(), "configuration": self.read("/etc/byway/byway.json"),
                "password": self.read("/etc/byway/redis.password"), "resolv.conf": self.read("/etc/resolv.conf"),
                "files": self.run("sh", "-c", "ls -lA --time-style=+ /etc/byway /var/backups/byway 2>&1 || true"),
                "active": self.run("sh", "-c", "systemctl is-active byway; systemctl is-enabled byway 2>&1; true")}


def resolver(stage, address):
    """An Unbound that knows all names below open.test, and, if it is the external one, below shut.test."""
    path = stage.directory / f"{address}.conf"
    shut = 'local-zone: "shut.test." deny' if address == DOMESTIC else \
        f'local-zone: "shut.test." redirect\nlocal-data: "shut.test. 60 IN A {MARKS[address]}"'
    path.write_text(f"""server:
        interface: {address}
        access-control: 0.0.0.0/0 allow
        do-daemonize: no
        chroot: ""
        username: ""
        pidfile: ""
        use-syslog: no
        local-zone: "." static
        local-data: ". 3600 IN NS a.root.test."
        local-zone: "open.test." redirect
        local-data: "open.test. 60 IN A {MARKS[address]}"
        {shut}
    remote-control:
        control-enable: no
    """, encoding="ascii")
    with open(path.with_suffix(".log"), "wb") as log:
        return subprocess.Popen(stage.network.enter("unbound", "-c", str(path)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class Stage:
    """Nodes, and the controller beside them."""

    def __init__(self, package, count=3):
        self._close = contextlib.ExitStack()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="byway-nodes-", dir="/var/tmp"))
        self._close.callback(self.directory.rmdir)
        try:
            run("mount", "-t", "tmpfs", "-o", "mode=755,size=1g", "tmpfs", str(self.directory))  # or it waits for the disk
            self._close.callback(run, "umount", "--lazy", str(self.directory))
            self._make_tree(package)
            self._make_network()
            self.nodes = [self._keep(Node(self, number)) for number in range(1, count + 1)]
            for node in self.nodes:
                wait_for(node.ready, 60, f"sshd of {node.name} is there: {self.log(node)}")
        except BaseException:
            self.close()
            raise

    def _keep(self, thing):
        self._close.callback(thing.close)
        return thing

    def _make_tree(self, package):
        self.tree = self.directory / "tree"
        depends = run("dpkg-deb", "-f", str(package), "Depends")
        needed = [alternatives.split("|")[0].split("(")[0].strip() for alternatives in depends.split(",")]
        run(str(ROOT / "scripts/lib/tree"), str(self.tree), "--variant=minbase", f"--include={','.join([*TOOLS, *needed])}")
        (self.tree / "etc/resolv.conf").write_text(f"nameserver {DOMESTIC}\noptions timeout:1 attempts:1\n", encoding="ascii")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / "key"))
        keys = self.tree / "root/.ssh/authorized_keys"
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.directory / "key.pub", keys)

    def _make_network(self):
        self.network = self._keep(Namespace("lan"))
        run("ip", "-n", self.network.name, "link", "add", "lan", "type", "bridge")
        run("ip", "-n", self.network.name, "link", "set", "lan", "up")
        for address in (CONTROLLER, DOMESTIC, EXTERNAL):
            run("ip", "-n", self.network.name, "address", "add", f"{address}/24", "dev", "lan")
        for address in (DOMESTIC, EXTERNAL):
            self._close.callback(self._end, resolver(self, address))

    @staticmethod
    def _end(process):
        process.kill()
        process.wait()

    def log(self, node):
        return (self.directory / f"{node.name}.log").read_text(errors="replace")[-2000:]

    def close(self):
        self._close.close()
