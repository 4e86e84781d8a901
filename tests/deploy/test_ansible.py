"""The Ansible role: Debian's ansible against three booted Debians with real sshd, one of them broken."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import booted
from chroot import run
from daemon import ROOT, wait_for
from nodes import CONTROLLER, DOMESTIC, EXTERNAL, MARKS, NOBODY, Stage
from packages import again

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
              pytest.mark.skipif(not booted.possible(), reason="no control groups for a systemd")]
OPEN, SHUT = "mail.open.test", "mail.shut.test"
VARIABLES = {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3", "byway_domestic": [DOMESTIC], "byway_external": [EXTERNAL],
             "byway_lookups": [OPEN, SHUT]}
ROLE = ROOT / "config/ansible/roles/byway"
KEPT = "/var/backups/byway"


class Deploy:
    """What one run of the playbook came to."""

    def __init__(self, code, said):
        self.code, self.said = code, said

    def changed(self, node):
        """How many tasks changed it; None if it was not the turn of any that could."""
        found = re.search(rf"^{node.name} +: .* changed=(\d+)", self.said, re.MULTILINE)
        return found and int(found.group(1))

    def last_words(self):
        return re.findall(r'^fatal: \[.*?"msg": "(.*?)(?<!\\)"', self.said, re.MULTILINE)[-1].replace('\\"', '"')

    def good(self):
        assert self.code == 0, self.said
        return self

    def bad(self):
        assert self.code != 0, self.said
        return self


class Controller:
    def __init__(self, stage, package):
        self.stage, self.nodes = stage, stage.nodes
        self.variables = {**VARIABLES, "byway_package": str(package)}
        self.home = stage.directory / "home"
        self.home.mkdir()
        host_key = (stage.tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
        known = self.home / "known_hosts"
        known.write_text("".join(f"{node.address} {host_key}" for node in self.nodes))
        self.ssh = ["-F", "none", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", f"ControlPath={self.home}/%h", "-o",
                    f"UserKnownHostsFile={known}", "-o", "HostKeyAlgorithms=ssh-ed25519", "-o", "StrictHostKeyChecking=yes"]

    def command(self, *options, hosts=None, nodes=None, **variables):
        """`hosts`: variables of a node by its name; `nodes`: those that are deployed to, else all."""
        inventory = self.home / "hosts.json"
        inventory.write_text(json.dumps({"byway": {
            "hosts": {node.name: {"ansible_host": node.address, **(hosts or {}).get(node.name, {})} for node in self.nodes},
            "vars": {name: value for name, value in {**self.variables, **variables}.items() if value is not None}}}))
        limit = ["--limit", ",".join(node.name for node in nodes)] if nodes else []
        return self.stage.network.enter(
            "env", f"ANSIBLE_HOME={self.home}", "ANSIBLE_PIPELINING=1", "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8",
            f"ANSIBLE_SSH_ARGS={' '.join(self.ssh)}", f"ANSIBLE_PRIVATE_KEY_FILE={self.stage.directory}/key",
            "ansible-playbook", "-i", str(inventory), *limit, *options, str(ROOT / "config/ansible/deploy.yml"))

    def deploy(self, *options, **variables):
        done = subprocess.run(self.command(*options, **variables), check=False, capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL, cwd=self.home)
        return Deploy(done.returncode, done.stdout + done.stderr)

    def close(self):
        for node in self.nodes:
            subprocess.run(["ssh", "-o", f"ControlPath={self.home}/%h", "-O", "exit", node.address], check=False, capture_output=True)


class Load:
    """dnsperf on a node: fresh names at a steady rate, until lost_none() or the end."""

    def __init__(self, node):
        names = node.stage.directory / "names"
        names.write_text("".join(f"n{number}.open.test A\n" for number in range(20000)))
        self._process = subprocess.Popen(
            node.namespace.enter("dnsperf", "-s", "127.0.0.1", "-d", str(names), "-Q", "200", "-l", "100", "-t", "5"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def lost_none(self):
        """Every question was answered, but for the one or two that are under way when it is told to end."""
        assert self._process.poll() is None
        self._process.send_signal(signal.SIGINT)
        said = self._process.communicate(timeout=60)[0]
        sent, completed = (int(re.search(rf"Queries {what}: +(\d+)", said).group(1)) for what in ("sent", "completed"))
        assert sent > 500 and completed >= sent - 2, said
        assert re.search(r"Response codes: +NOERROR \d+ \(100.00%\)\n", said), said


@pytest.fixture(scope="module")
def controller(package):
    stage = Stage(package)
    try:
        controller = Controller(stage, package)
        yield controller
        controller.close()
    finally:
        stage.close()


@pytest.fixture(scope="module")
def first(controller):
    """The first deploy, to hosts that have no byway."""
    return controller.deploy()


@pytest.fixture
def nodes(controller, first):
    """Three that serve, to themselves too, each with a pin that tells its state from another's."""
    first.good()
    for node in controller.nodes:
        node.run("sh", "-c", "echo nameserver 127.0.0.1 >/etc/resolv.conf")
        node.run("bywayctl", "zones", "pin", "kept.example", "external", "--note", node.name)
    return controller.nodes


def serves(node):
    assert node.lookup(OPEN) == [MARKS[DOMESTIC]]
    assert node.lookup(SHUT) == [MARKS[EXTERNAL]]
    assert node.name in node.run("bywayctl", "zones", "show", "kept.example")


def test_lint():
    run("ansible-lint", "--offline", "--strict", "deploy.yml", "roles/byway", "example/hosts.yml", cwd=ROOT / "config/ansible")
    run("yamllint", "--strict", ".", cwd=ROOT / "config/ansible")


def test_example(tmp_path):
    """The example inventory has nothing that the role refuses, once each country has its Redis' password, as docs/deploying.md has it."""
    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "config/ansible/example", inventory)
    key = tmp_path / "key"
    key.write_text("of the vault\n")
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "byway", "gather_facts": False, "tasks": [{"import_role": {"name": "byway", "tasks_from": "inventory"}}]}]))
    command = ("ansible-playbook", "-i", str(inventory), str(play), "--vault-password-file", str(key))
    env = {**os.environ, "ANSIBLE_HOME": str(tmp_path), "ANSIBLE_ROLES_PATH": str(ROLE.parent)}

    without = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, env=env)
    assert without.returncode != 0
    assert "mx1.ir.example.net: byway_cluster has a user, which needs byway_redis_password" in without.stdout
    for country in ("cn", "ir"):
        secret = subprocess.run(("ansible-vault", "encrypt_string", "--stdin-name", "byway_redis_password", "--vault-password-file", str(key)),
                                check=True, capture_output=True, text=True, timeout=60, input=f"of {country}", env=env).stdout
        with open(inventory / f"group_vars/{country}.yml", "a", encoding="ascii") as file:
            file.write(secret)
    run(*command, env=env)


def test_check_mode_without_byway(controller):
    before = [node.all() for node in controller.nodes]
    deploy = controller.deploy("--check", "--diff").good()
    assert EXTERNAL in deploy.said
    assert [node.all() for node in controller.nodes] == before
    assert before[0]["version"] == ""


def test_deploy(controller, first, nodes):
    assert [first.changed(node) > 0 for node in nodes] == [True] * 3
    for node in nodes:
        serves(node)
        assert not node.read(f"{KEPT}/version")
    before = [(node.all(), node.process(), node.status()["configuration"]["read_at"]) for node in nodes]
    second = controller.deploy("--diff").good()
    assert [second.changed(node) for node in nodes] == [0, 0, 0]
    assert [(node.all(), node.process(), node.status()["configuration"]["read_at"]) for node in nodes] == before


BAD = [  # variables, what the message must have
    ({"byway_external": None}, "missing required arguments: byway_external"),
    ({"byway_settings": {"lerning": {"mode": "on"}}}, "'lerning', which is no key"),
    ({"byway_settings": {"zones": []}}, "variables of their own"),
    ({"byway_settings": {"cache": {"memori": "1GiB"}}}, "'memori', which is no key at /cache"),
    ({"byway_preset": ["dnsbl"]}, "no variable byway_preset"),
    ({"byway_domestic": "192.0.2.1 192.0.2.2"}, "192.0.2.1 192.0.2.2"),
    ({"byway_cluster": {"redis": "redis://192.0.2.5:6379", "name": "example"}}, "missing required arguments: vantage"),
    ({"byway_version": "0.1.0-1"}, "only one can be installed"),
    ({"byway_takeover": True, "byway_domestic": []}, "byway_takeover needs byway_domestic"),
    ({"byway_lookups": []}, "byway_lookups is empty"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[next(iter(wrong)) for wrong, _ in BAD])
def test_bad_inventory(controller, wrong, message):
    """Of the last host alone: no host is touched."""
    of_all = {name: None for name in wrong}
    hosts = {node.name: {name: controller.variables.get(name) for name in wrong if name in controller.variables} for node in controller.nodes[:2]}
    hosts[controller.nodes[2].name] = {name: value for name, value in wrong.items() if value is not None}
    deploy = controller.deploy(hosts=hosts, **of_all).bad()
    assert message in deploy.said
    assert "PLAY [Deploy byway]" not in deploy.said


def test_changed_configuration_is_reloaded(controller, nodes):
    node = nodes[0]
    process = node.process()
    with Load(node) as load:
        deploy = controller.deploy(nodes=[node], byway_settings={"cache": {"memory": "32MiB"}}).good()
        load.lost_none()
    assert deploy.changed(node) == 2  # the configuration, and the handler
    assert node.process() == process
    assert node.status()["cache"]["memory"] == 32 << 20
    serves(node)


def test_upgrade_loses_no_query(controller, nodes, package, tmp_path):
    node = nodes[0]
    process = node.process()
    with Load(node) as load:
        controller.deploy(nodes=[node], byway_package=str(again(package, tmp_path, 1))).good()
        load.lost_none()
    assert node.version().endswith("-2")
    assert node.process() != process
    serves(node)


def test_broken_second_node(controller, nodes, package, tmp_path):
    """Its external is nobody: the play stops there, it serves as before, and the third is untouched."""
    before = [(node.all(), node.process()) for node in nodes]
    deploy = controller.deploy(hosts={"node2": {"byway_external": [NOBODY]}}, byway_package=str(again(package, tmp_path, 2))).bad()
    words = deploy.last_words()
    assert words.startswith('node2: the deploy failed at "Look up, and ask byway how it fares": ')
    assert f"lookup of {SHUT}: SERVFAIL" in words
    assert f"Put back: configuration, state, package {before[1][0]['version']}. byway serves as before." in words
    assert nodes[0].version().endswith("-3")
    assert nodes[1].all() == before[1][0]
    assert (nodes[2].all(), nodes[2].process()) == before[2]
    assert deploy.changed(nodes[2]) == 0
    for node in nodes:
        serves(node)
    # What was put back is a whole package, with its scripts.
    assert "byway.postinst" in nodes[1].run("ls", "/var/lib/dpkg/info")
    assert nodes[1].run("dpkg", "--verify", "byway") == ""


def test_package_that_does_not_start(controller, nodes, package, tmp_path):
    """It spoils the state before it ends, too."""
    def spoil(tree):
        daemon = tree / "usr/sbin/bywayd"
        daemon.write_text("#!/bin/sh\ncase $* in *--check) exit 0 ;; esac\nfor file in journal snapshot; do echo newer >/var/lib/byway/$file; done\n"
                          "exit 1\n")
    node = nodes[1]
    before = node.all()
    deploy = controller.deploy(nodes=[node], byway_package=str(again(package, tmp_path, 3, spoil))).bad()
    assert "bywayctl status: " in deploy.last_words()
    assert "state, package" in deploy.last_words()
    assert node.all() == before
    serves(node)


def test_configuration_that_byway_refuses(controller, nodes):
    """Nothing was changed, so nothing is restarted."""
    node = nodes[1]
    before = node.all(), node.process()
    deploy = controller.deploy(nodes=[node], byway_zones=[{"zone": "corp.example", "via": "office"}]).bad()
    assert "office" in deploy.last_words()
    assert "nothing was changed" in deploy.last_words()
    assert (node.all(), node.process()) == before
    serves(node)


def test_configuration_that_cannot_be_put_in_force(controller, nodes):
    """It passes bywayd --check, and is refused by the reload."""
    node = nodes[1]
    before = node.all()
    deploy = controller.deploy(nodes=[node], byway_settings={"listen": ["127.0.0.1:53", f"{NOBODY}:53"]}).bad()
    assert 'the deploy failed at "See that it is in force"' in deploy.last_words()
    assert NOBODY in deploy.last_words()
    assert "Put back: configuration" in deploy.last_words()
    assert node.all() == before
    serves(node)


def test_lookup_that_failed_before(controller, nodes):
    """Is no reason to roll back."""
    node = nodes[2]
    deploy = controller.deploy(nodes=[node], byway_lookups=[OPEN, "gone.test"], byway_settings={"cache": {"memory": "16MiB"}}).good()
    assert deploy.changed(node) == 2
    assert node.status()["cache"]["memory"] == 16 << 20
    serves(node)


@pytest.mark.nightly
def test_unfinished_deploy(controller, nodes):
    """What one has written that ended before its reload, the next puts in force; what it rolls back to is what was before
    both."""
    def unfinished(change):
        with open(ROLE / "files/keep", encoding="ascii") as keep:
            run(*node.command("sh", "-s", KEPT), stdin=keep)
        node.run("sh", "-c", f"echo '{{}}' >{KEPT}/failing.json; sed -i '{change}' /etc/byway/byway.json")
    node = nodes[1]
    controller.deploy(nodes=[node], byway_settings={"cache": {"memory": "12MiB"}}).good()
    before = node.all()
    unfinished("s/12MiB/24MiB/")
    controller.deploy(nodes=[node], byway_settings={"cache": {"memory": "24MiB"}}).good()
    assert node.status()["cache"]["memory"] == 24 << 20
    controller.deploy(nodes=[node], byway_settings={"cache": {"memory": "12MiB"}}).good()
    assert node.all() == before
    unfinished(f"s/{EXTERNAL}/{NOBODY}/")
    controller.deploy(nodes=[node], byway_external=[NOBODY]).bad()
    assert node.all() == before
    serves(node)


@pytest.mark.nightly
def test_package_from_repository(controller, nodes, package, tmp_path):
    """By its version; without one what is there stays."""
    node, newer = nodes[2], again(package, tmp_path, 6)
    version = run("dpkg-deb", "-f", str(newer), "Version").strip()
    (tmp_path / "Packages").write_text(run("dpkg-scanpackages", ".", cwd=tmp_path))
    node.run("mkdir", "/repository")
    node.run("sh", "-c", "rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/repository ./' >/etc/apt/sources.list")
    for name in (newer.name, "Packages"):
        with open(tmp_path / name, "rb") as file:
            run(*node.command("sh", "-c", 'cat >"/repository/$0"', name), stdin=file)
    for wanted in ({"byway_version": version}, {}):
        deploy = controller.deploy(nodes=[node], byway_package="", **wanted).good()
        assert node.version() == version
    assert deploy.changed(node) == 0
    deploy = controller.deploy(nodes=[node], byway_package="", byway_version="9.9-1").bad()
    assert "9.9-1" in deploy.last_words()
    controller.deploy(nodes=[node]).good()
    assert node.version() == run("dpkg-deb", "-f", str(package), "Version").strip()
    serves(node)


@pytest.mark.nightly
def test_upgrade_that_needs_another_configuration(controller, nodes, package, tmp_path):
    """The package leaves the old bywayd running, and the role restarts it once the configuration is right."""
    def demand(tree):
        daemon = tree / "usr/sbin/bywayd"
        daemon.rename(daemon.with_name("bywayd.real"))
        daemon.write_text('#!/bin/sh\ngrep -q 48MiB "$2" && exec /usr/sbin/bywayd.real "$@"\necho "48MiB is wanted" >&2\nexit 1\n')
        daemon.chmod(0o755)
    node = nodes[2]
    controller.deploy(nodes=[node], byway_package=str(again(package, tmp_path, 7, demand)), byway_settings={"cache": {"memory": "48MiB"}}).good()
    assert node.run("readlink", f"/proc/{node.process()}/exe") == "/usr/sbin/bywayd.real\n"
    serves(node)
    controller.deploy(nodes=[node]).good()
    serves(node)


@pytest.mark.nightly
def test_first_deploy_that_fails(controller, nodes):
    """Leaves a host without byway, or what one had kept that was removed."""
    node = nodes[2]
    node.run("dpkg", "--remove", "byway")
    removed = node.all()
    assert removed["configuration"]
    deploy = controller.deploy(nodes=[node], byway_external=[NOBODY]).bad()
    assert "a host without byway. byway did not serve here before." in deploy.last_words()
    assert node.all() == removed
    controller.deploy(nodes=[node]).good()
    serves(node)
    node.run("sh", "-c", "dpkg --purge byway && rm -r /etc/byway")
    bare = node.all()
    controller.deploy(nodes=[node], byway_external=[NOBODY]).bad()
    assert node.all() == bare
    assert node.run("sh", "-c", "ls -d /var/lib/byway 2>/dev/null || true") == ""
    controller.deploy(nodes=[node]).good()


@pytest.mark.nightly
def test_cluster(controller, nodes):
    """The password is from a vault, shown nowhere, readable for byway alone, and right."""
    node, secret = nodes[2], "correct-horse"
    redis = subprocess.Popen(controller.stage.network.enter("redis-server", "--bind", CONTROLLER, "--requirepass", secret, "--save", "", "--dir",
                                                            str(controller.home)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        vault = controller.home / "vault"
        vault.write_text("of the vault")
        file = controller.home / "secret.yml"
        file.write_text("byway_redis_password: " + run("ansible-vault", "encrypt_string", "--vault-password-file", str(vault), secret))
        deploy = controller.deploy("--diff", "-vvv", "--vault-password-file", str(vault), "--extra-vars", f"@{file}", nodes=[node],
                                   byway_cluster={"redis": f"redis://{CONTROLLER}:6379", "vantage": "lan"}).good()
        assert secret not in deploy.said
        assert node.run("stat", "--format=%a %U:%G", "/etc/byway/redis.password") == "640 root:byway\n"
        cluster = wait_for(lambda: node.status()["cluster"], 10, "a cluster")
        assert (cluster["vantage"], cluster["node"]) == ("lan", node.name)
        wait_for(lambda: node.status()["cluster"]["connected"], 10, "the password is right")
    finally:
        redis.kill()
        redis.wait()
    controller.deploy(nodes=[node]).good()
    assert not node.read("/etc/byway/redis.password")


@pytest.mark.nightly
def test_disk_that_is_full(controller, nodes):
    """Nothing can be kept, so nothing is begun."""
    node = nodes[2]
    before = node.all(), node.process()
    node.run("sh", "-c", "head -c 600M /dev/zero >/filler 2>/dev/null || true")
    try:
        deploy = controller.deploy(nodes=[node], byway_settings={"cache": {"memory": "8MiB"}}).bad()
    finally:
        node.run("rm", "/filler")
    assert "No space left on device" in deploy.said
    assert (node.all(), node.process()) == before
    serves(node)


@pytest.mark.nightly
def test_masked(controller, nodes):
    node = nodes[2]
    before = node.all()
    node.run("systemctl", "mask", "byway")
    try:
        assert "byway.service is masked here" in controller.deploy(nodes=[node], byway_settings={"cache": {"memory": "8MiB"}}).bad().said
    finally:
        node.run("systemctl", "unmask", "byway")
    assert node.all() == before


@pytest.mark.nightly
def test_takeover(controller, nodes):
    """resolv.conf names byway after it, is left alone by the next deploy, and is what it was after one that fails."""
    node = nodes[0]
    controller.deploy(nodes=[node]).good()
    node.run("sh", "-c", f"echo nameserver {DOMESTIC} >/etc/resolv.conf")
    before = node.all()
    deploy = controller.deploy(nodes=[node], byway_takeover=True, byway_external=[NOBODY]).bad()
    assert "resolv.conf" in deploy.last_words()
    assert node.all() == before
    node.run("sh", "-c", "cp /bin/sleep /opt/rspamd; systemd-run -q --unit=filter /opt/rspamd 1000")
    assert "systemctl restart filter.service" in controller.deploy(nodes=[node], byway_takeover=True).good().said
    taken = node.all()
    assert re.findall(r"^nameserver (.*)", taken["resolv.conf"], re.MULTILINE) == ["127.0.0.1"]
    assert controller.deploy(nodes=[node], byway_takeover=True).good().changed(node) == 0
    controller.deploy(nodes=[node], byway_takeover=True, byway_external=[NOBODY]).bad()
    assert node.all() == taken
    serves(node)
    node.run("sh", "-c", "byway-takeover --undo; systemctl stop filter; rm /opt/rspamd")
    assert node.all() == before
