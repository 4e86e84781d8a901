"""byway-takeover on a real Debian, with the real program that manages resolv.conf, under the real systemd."""

import os
import random
import re

import pytest

from machine import OTHER, PROVIDER, base, booted, machine  # noqa: F401: fixtures

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(os.geteuid() != 0, reason="a machine of its own needs root"),
              pytest.mark.skipif(not booted.possible(), reason="no control groups for a systemd")]
EXTERNAL = "--external 'tls://198.51.100.53#dns.example.net'"
TAKEOVER = f"byway-takeover --ask answer.test {EXTERNAL}"
CHECK = "byway-takeover --check --ask answer.test"
UNDO = "byway-takeover --undo"
STATE = "var/lib/byway-takeover"


class Plain:
    name, packages = "a plain file that nobody manages", []
    begin = ("ip address add 192.0.2.50/24 dev eth0; printf 'search corp.test\\nnameserver 192.0.2.1\\noptions rotate timeout:1\\n'"
             " >/etc/resolv.conf; chmod 640 /etc/resolv.conf; chown root:adm /etc/resolv.conf; chattr +i /etc/resolv.conf")
    renew = "true"
    rewrite = "chattr -i /etc/resolv.conf; echo 'nameserver 192.0.2.1' >>/etc/resolv.conf"


class Resolvconf:
    name, packages = "managed by Debian's resolvconf", ["resolvconf"]
    begin = "ip address add 192.0.2.50/24 dev eth0; printf 'domain corp.test\\nnameserver 192.0.2.1\\n' | resolvconf -a eth0.inet"
    renew = "printf 'domain corp.test\\nnameserver 192.0.2.2\\nnameserver 192.0.2.1\\n' | resolvconf -a eth0.inet"
    rewrite = f"{renew}; ln -sf ../run/resolvconf/resolv.conf /etc/resolv.conf"
    again = "printf 'domain corp.test\\nnameserver 192.0.2.1\\n' | resolvconf -a eth0.inet"


class Openresolv(Resolvconf):
    name, packages = "managed by openresolv", ["openresolv"]
    rewrite = "sed -i '/^# byway-takeover: these/,/^# byway-takeover: end/d' /etc/resolvconf.conf; resolvconf -u"


class Resolved:
    name, packages = "managed by systemd-resolved", ["systemd-resolved"]
    begin = ("printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\n' >/etc/systemd/network/eth0.network;"
             "systemctl start systemd-networkd systemd-resolved;"
             "until grep -q 192.0.2.1 /run/systemd/resolve/resolv.conf; do sleep 0.1; done")
    renew = "networkctl renew eth0; systemctl restart systemd-resolved"
    rewrite = "ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"


class ResolvedByNetworkManager(Resolved):
    begin = "systemctl start systemd-resolved NetworkManager; until grep -q 192.0.2.1 /run/systemd/resolve/resolv.conf; do sleep 0.1; done"
    renew = "systemctl restart NetworkManager; until ip -br address show eth0 | grep -q 192.0.2; do sleep 0.1; done"


class NetworkManager:
    name, packages, told = "managed by NetworkManager", [], "/etc/NetworkManager/conf.d/90-byway-takeover.conf"
    begin = "rm /etc/resolv.conf; systemctl start NetworkManager; until grep -q 192.0.2.1 /etc/resolv.conf; do sleep 0.1; done"
    renew = "systemctl restart NetworkManager; until ip -br address show eth0 | grep -q 192.0.2; do sleep 0.1; done"
    rewrite = f"rm {told}; systemctl reload NetworkManager; until grep -q 192.0.2.1 /etc/resolv.conf; do sleep 0.1; done"


class Dhclient:
    name, packages, told = "managed by dhclient", [], "/etc/dhcp/dhclient-enter-hooks.d/byway-takeover"
    begin = "dhclient -q eth0 2>/dev/null"
    renew = "dhclient -q -x eth0; dhclient -q eth0 2>/dev/null"
    rewrite = f"rm {told}; {renew}"


class CloudInit:
    name, packages, told = "managed by cloud-init", [], "/etc/cloud/cloud.cfg.d/99_byway_takeover.cfg"
    run = "cloud-init single --name resolv_conf --frequency always"
    begin = ("ip address add 192.0.2.50/24 dev eth0;"
             "printf 'datasource_list: [None]\\nmanage_resolv_conf: true\\nunverified_modules: [resolv_conf]\\n"
             "resolv_conf: {nameservers: [192.0.2.1], searchdomains: [corp.test]}\\n' >/etc/cloud/cloud.cfg.d/50_here.cfg;"
             f"cloud-init init --local; cloud-init init; {run}")
    renew = run
    rewrite = f"rm {told}; {run}"


MANAGERS = [Plain, Resolvconf, Openresolv, Resolved, ResolvedByNetworkManager, NetworkManager, Dhclient, CloudInit]


@pytest.fixture(params=MANAGERS, ids=lambda manager: manager.__name__)
def managed(machine, request):
    """(machine, manager), and the machine resolves by what the manager has written."""
    manager = request.param
    made = machine(*manager.packages)
    made.sh(manager.begin)
    assert made.resolves() and made.nameservers() in ([PROVIDER], ["127.0.0.53"])
    return made, manager


def only_byway_is_asked(machine, *names):
    """What asks systemd-resolved reaches byway, and nobody else, be it for names of the network's own domain."""
    for name in names:
        assert "203.0.113.7" in machine.sh(f"resolvectl query -4 {name}")
    machine.sh("systemctl stop byway; resolvectl flush-caches")
    for name in names:
        machine.fails(f"resolvectl query -4 {name}")
    machine.sh("systemctl start byway")


def test_there_and_back(managed):
    machine, manager = managed
    before = machine.snapshot()
    said = machine.sh(f"{TAKEOVER} --dry-run")
    assert "nothing was changed" in said and machine.snapshot() == before
    assert not machine.path(STATE).exists() and not machine.path("/etc/byway/byway.json").exists()

    said = machine.sh(TAKEOVER)
    assert f"/etc/resolv.conf is {manager.name}" in said
    assert machine.nameservers() == ["127.0.0.1"] and machine.resolves()
    assert PROVIDER in machine.path("/etc/byway/byway.json").read_text()
    assert "corp.test" in machine.sh("cat /etc/resolv.conf") or issubclass(manager, Resolved)
    assert "all is as it was left" in machine.sh(CHECK)

    taken = machine.snapshot()
    assert "all was so already" in machine.sh(TAKEOVER)
    machine.sh(manager.renew)
    assert machine.snapshot() == taken
    machine.sh(CHECK)
    if issubclass(manager, Resolved):
        only_byway_is_asked(machine, "answer.test", "host.corp.test")

    machine.sh(manager.rewrite)
    said = machine.fails(CHECK)
    assert re.search(r"^/etc/resolv.conf(:\d+: nameserver 192.0.2.[12]| is a link again: \.\./run/)", said, re.M), said
    machine.sh(TAKEOVER)
    assert machine.snapshot() == taken
    machine.sh(CHECK)

    machine.sh(getattr(manager, "again", "true"))
    machine.sh(UNDO)
    assert machine.snapshot() == before
    assert not machine.path(STATE).exists() and machine.resolves()
    assert "nothing to undo" in machine.sh(UNDO)


def test_killed_at_any_moment(managed):
    """kill -9 of it and of all that it has started: the machine resolves, and a rerun or --undo mends."""
    machine, manager = managed
    script, drawn = machine.sh("command -v byway-takeover").strip(), random.Random(19)
    before = machine.snapshot()
    arguments = {TAKEOVER: TAKEOVER.partition(" ")[2], UNDO: UNDO.partition(" ")[2]}
    machine.sh(f"{TAKEOVER} && {UNDO}")  # byway serves
    there, back = (machine.steps(script, arguments[command]) for command in (TAKEOVER, UNDO))
    changing = {TAKEOVER: (there.index("+ tell_managers"), there.index("+ tell_traps")), UNDO: (back.index("+ put_back"), len(back) - 3)}
    for n, command in enumerate([TAKEOVER] * 4 + [UNDO] * 2):
        if command is UNDO:
            machine.sh(TAKEOVER)
        last = drawn.randrange(*changing[command])
        machine.steps(script, arguments[command], last)
        assert machine.resolves(), (command, last)
        if n % 2:
            machine.sh(UNDO)
            assert machine.snapshot() == before, (command, last)
        else:
            machine.sh(TAKEOVER)
            machine.sh(CHECK)
        assert machine.resolves(), (command, last)
    machine.sh(UNDO)
    assert machine.snapshot() == before


def test_stays_after_a_reboot(machine):
    """Where NetworkManager is in charge, and a dhclient comes as well."""
    made = machine("resolvconf")
    made.sh("resolvconf -u; systemctl -q enable --now NetworkManager; until grep -q 192.0.2.1 /etc/resolv.conf; do sleep 0.1; done")
    made.sh(TAKEOVER)
    made.reboot()
    made.sh("systemctl start multi-user.target; until ip -br address show eth0 | grep -q 192.0.2; do sleep 0.1; done; dhclient -q eth0 2>/dev/null")
    assert made.nameservers() == ["127.0.0.1"] and made.resolves()
    made.sh(CHECK)


@pytest.mark.parametrize("manager", [Resolvconf, Openresolv], ids=lambda manager: manager.__name__)
def test_second_byway(machine, manager):
    made = machine(manager.packages[0])
    made.sh(manager.begin)
    said = made.fails(f"{TAKEOVER} --second 192.0.2.77")
    assert "192.0.2.77 does not find answer.test" in said and made.nameservers() == [PROVIDER]
    made.sh(f"{TAKEOVER} --second {OTHER}")
    assert made.nameservers() == ["127.0.0.1", OTHER] and "trust-ad" not in made.sh("cat /etc/resolv.conf")
    made.sh(manager.renew)
    made.sh(TAKEOVER)  # it is remembered
    assert made.nameservers() == ["127.0.0.1", OTHER]
    made.sh(CHECK)
    if manager is Resolvconf:  # were its link there again, it would not drop what stands behind a loopback address
        made.sh("echo 'nameserver 127.0.0.1' | resolvconf -a lo.byway")
        assert made.sh("grep ^nameserver /run/resolvconf/resolv.conf").split()[1::2] == ["127.0.0.1", OTHER, PROVIDER]
    made.sh("systemctl stop byway")
    assert made.resolves()
    assert "byway.service does not run" in made.fails(CHECK)


@pytest.fixture
def plain(machine):
    made = machine()
    made.sh("ip address add 192.0.2.50/24 dev eth0; echo 'nameserver 192.0.2.1' >/etc/resolv.conf")
    return made


@pytest.mark.parametrize("manager", [Resolvconf, Openresolv], ids=lambda manager: manager.__name__)
def test_plain_file_beside_a_manager(machine, manager):
    """A VPN may have brought it: it has been told nothing, and what it would write names nobody."""
    made = machine(manager.packages[0])
    made.sh("ip address add 192.0.2.50/24 dev eth0; rm -f /etc/resolv.conf; echo 'nameserver 192.0.2.1' >/etc/resolv.conf")
    before = made.snapshot()
    made.sh(TAKEOVER)
    made.sh(CHECK)
    made.sh(UNDO)
    assert made.snapshot() == before and made.resolves()


def refuses(machine, command, words):
    """It says so, and changes nothing, byway's configuration included."""
    before = machine.snapshot()
    said = machine.fails(command)
    assert words in said, said
    assert machine.snapshot() == before and not machine.path(STATE).exists()


def test_what_is_missing_or_wrong(plain):
    refuses(plain, "byway-takeover", "--external is missing")
    refuses(plain, "byway-takeover --country cn", "--external is missing")
    refuses(plain, f"{TAKEOVER} --country xx", "no example for the country")
    refuses(plain, "byway-takeover --external nonsense", 'upstreams.external[0]: not an address: "nonsense"')
    refuses(plain, """byway-takeover --external 'tls://198.51.100.53#"'""", "not an upstream")
    refuses(plain, CHECK, "has not been taken over")
    assert not plain.path("/etc/byway/byway.json").exists()
    example = (plain.root / "usr/local/share/byway/examples/ir.json").read_text()
    plain.path("/etc/byway/byway.json").write_text(example)
    refuses(plain, TAKEOVER, "is a placeholder")
    assert plain.path("/etc/byway/byway.json").read_text() == example
    plain.path("/etc/byway/byway.json").unlink()
    refuses(plain, TAKEOVER.replace("answer.test", "missing.test"), "byway does not find missing.test (NXDOMAIN)")
    plain.sh("echo 'nameserver 127.0.0.53' >/etc/resolv.conf; rm /etc/byway/byway.json")
    refuses(plain, TAKEOVER, "no resolver was found")
    plain.sh("mount --bind /etc/hostname /etc/resolv.conf")
    refuses(plain, TAKEOVER, "/etc/resolv.conf is a mount")


def test_countries(plain):
    for country in ("cn", "id", "ir", "ru", "tr"):
        plain.path("/etc/byway/byway.json").unlink(missing_ok=True)
        plain.sh(f"byway-takeover --ask answer.test --country {country.upper()} --external tls://198.51.100.53#dns.example.net --external "
                 """'{ "address": "tls://198.51.100.54#dns.example.org", "trusted": true }' --domestic 192.0.2.2 --domestic 192.0.2.1""")
        plain.sh("systemctl reload byway")
        assert plain.nameservers() == ["127.0.0.1"] and plain.resolves()
        written = plain.path("/etc/byway/byway.json").read_text()
        assert '"domestic": ["192.0.2.2", "192.0.2.1"],' in written
        assert ('"external": ["tls://198.51.100.53#dns.example.net", { "address": "tls://198.51.100.54#dns.example.org", "trusted": true }]'
                in written)
        assert f'.{country}", "via": "domestic"' in written


def test_behind_another_resolver(plain):
    """One on 127.0.0.1 is asked by byway, which goes to 127.0.0.2; one on all addresses leaves byway none."""
    local = "dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --server=192.0.2.1 --pid-file=/run/local --user=root"
    plain.sh(f"{local}; echo 'nameserver 127.0.0.1' >/etc/resolv.conf")
    refuses(plain, TAKEOVER, "dnsmasq serves port 53 of every address")
    plain.sh(f"kill $(cat /run/local); sleep 0.2; {local} --bind-interfaces --listen-address=127.0.0.1")
    said = plain.sh(TAKEOVER)
    assert plain.nameservers() == ["127.0.0.2"] and plain.resolves() and "dnsmasq runs here" in said
    written = plain.path("/etc/byway/byway.json").read_text()
    assert '"domestic": ["127.0.0.1"]' in written and '"listen": ["127.0.0.2:53"]' in written


def test_what_is_there_is_honoured(plain):
    """A byway.json of the administrator's: its listen, its control socket, its every byte."""
    config = """{
  // comments, and a comma too many
  "listen": ["127.0.0.9:5353", "[::1]:53", "127.0.0.3:53"],
  "control": { "socket": "/run/byway/other.sock" },
  "upstreams": { "domestic": ["192.0.2.1"], "external": ["198.51.100.53"], },
}"""
    plain.path("/etc/byway/byway.json").write_text(config)
    plain.sh("byway-takeover --ask answer.test")
    assert plain.nameservers() == ["127.0.0.3"] and plain.resolves()
    assert plain.path("/etc/byway/byway.json").read_text() == config
    plain.sh(CHECK)


def test_traps(plain):
    """Postfix' copy, nscd, Docker, what has read the file once; and an administrator's word after the takeover."""
    copy = plain.path("/var/spool/postfix/etc/resolv.conf")
    copy.parent.mkdir(parents=True)
    copy.write_text("nameserver 192.0.2.1\n")
    plain.path("/etc/docker").mkdir()
    plain.sh("systemctl start nscd; cp /bin/sleep /opt/rspamd; systemd-run -q --unit=filter /opt/rspamd 100")
    before = plain.snapshot()
    said = plain.sh(TAKEOVER)
    assert "gives containers on its bridge 8.8.8.8" in said and "nscd runs" in said and "systemctl restart filter.service" in said
    assert copy.read_text() == plain.path("/etc/resolv.conf").read_text()
    copy.write_text("nameserver 192.0.2.1\n")
    assert f"/{copy.relative_to(plain.root)}:1: nameserver 192.0.2.1" in plain.fails(CHECK)
    assert "192.0.2.2 alone" in plain.sh(f"{TAKEOVER} --second {OTHER}")
    plain.sh(UNDO)
    assert copy.read_text() == "nameserver 192.0.2.1\n" and plain.snapshot() == before

    plain.sh(TAKEOVER)
    plain.path("/etc/resolv.conf").write_text("nameserver 192.0.2.2\n")  # another network, say
    said = plain.sh(UNDO)
    assert "left as it is" in said and plain.nameservers() == [OTHER]
