"""byway-takeover in a copy of this machine's own tree, without systemd: quick, and no network is needed."""

import os
import random
import re
import subprocess

import pytest

from machine import ROOT, copy  # noqa: F401: a fixture

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
SCRIPT = ROOT / "config/takeover/byway-takeover"
RESOLVER = """server:
    interface: 127.0.0.11
    do-daemonize: no
    use-syslog: no
    username: ""
    chroot: ""
    pidfile: ""
    local-zone: "test." static
    local-data: "answer.test. A 203.0.113.7"
"""
SERVE = "bywayd -c /etc/byway/byway.json >/opt/byway.log 2>&1 & until bywayctl status >/dev/null 2>&1; do sleep 0.02; done"
TAKEOVER = f"{SCRIPT} --ask answer.test"


@pytest.fixture
def place(copy):  # noqa: F811
    """With a plain resolv.conf, whose resolver serves."""
    copy.sh(f"""rm -rf /etc/byway /var/lib/byway* /etc/resolv.conf
        mkdir /run/byway
        printf '# ours\\n\\nnameserver 127.0.0.11\\nsearch corp.test\\noptions timeout:2 ndots:2\\n' >/etc/resolv.conf
        chmod 640 /etc/resolv.conf
        cat >/opt/unbound.conf <<'END'
{RESOLVER}END
        unbound -d -c /opt/unbound.conf >/opt/unbound.log 2>&1 &
        until getent -s hosts:dns ahosts answer.test; do sleep 0.05; done""")
    return copy


@pytest.fixture
def served(place):
    """byway serves there, by the configuration that the first run writes."""
    said = place.fails(f"{TAKEOVER} --country ir --external 'tls://198.51.100.53#dns.example.net'")
    assert "domestic: 127.0.0.11 (from /etc/resolv.conf)" in said and "there is no systemd" in said
    assert place.nameservers() == ["127.0.0.11"] and not place.path("/var/lib/byway-takeover").exists()
    place.sh(SERVE)
    return place


def test_there_and_back(served):
    before = served.snapshot()
    assert "nothing was changed" in served.sh(f"{TAKEOVER} --dry-run") and served.snapshot() == before

    said = served.sh(TAKEOVER)
    assert "is a plain file that nobody manages" in said and "without timeout:2" in said
    assert served.path("/etc/resolv.conf").read_text().splitlines()[1:] == [
        "nameserver 127.0.0.1", "search corp.test", "options ndots:2 edns0 trust-ad"]
    assert served.resolves()
    taken = served.snapshot()
    assert "all was so already" in served.sh(TAKEOVER) and served.snapshot() == taken
    assert "as it was left" in served.sh(f"{TAKEOVER} --check")

    for drift, words in (("sed -i '3!b;h;d' /etc/resolv.conf; echo 'search corp.test' >>/etc/resolv.conf", ": its lines are in another order"),
                         ("chmod 600 /etc/resolv.conf", " has the mode 600, and had 640")):
        served.sh(drift)
        assert served.fails(f"{TAKEOVER} --check").startswith(f"/etc/resolv.conf{words}")
        assert "/etc/resolv.conf names 127.0.0.1" in served.sh(TAKEOVER)
        assert served.path("/etc/resolv.conf").stat().st_mode & 0o777 == 0o640
        served.sh(f"{TAKEOVER} --check")
    taken = served.snapshot()

    served.sh("sed -i 's/127.0.0.1$/127.0.0.11/' /etc/resolv.conf")
    assert served.fails(f"{TAKEOVER} --check") == (
        "/etc/resolv.conf:2: nameserver 127.0.0.11\n/etc/resolv.conf lacks: nameserver 127.0.0.1\n")
    assert "would" not in served.sh(TAKEOVER) and served.snapshot() == taken
    assert "is again what it was" in served.sh(f"{SCRIPT} --undo --dry-run") and served.snapshot() == taken

    served.sh(f"{SCRIPT} --undo")
    assert served.snapshot() == before and served.resolves()


def test_what_others_wrote_since_is_put_back(served):
    """Another network, say: its resolvers are what the machine would ask without byway."""
    served.sh(TAKEOVER)
    served.sh("printf 'search new.test\\nnameserver 127.0.0.11\\n' >/etc/resolv.conf")
    before = served.snapshot()["resolv.conf"]
    served.sh(TAKEOVER)
    assert served.nameservers() == ["127.0.0.1"]
    served.sh(f"{SCRIPT} --undo")
    assert served.snapshot()["resolv.conf"] == before

    served.sh(TAKEOVER)
    served.sh("echo 'nameserver 127.0.0.11' >/etc/resolv.conf")
    assert "/etc/resolv.conf is left as it is" in served.sh(f"{SCRIPT} --undo")
    assert served.nameservers() == ["127.0.0.11"] and not served.path("/var/lib/byway-takeover").exists()


def test_undo_sees_what_is_left_without_byway(served):
    """What it puts back may resolve nothing: no matter what byway, which still runs, would answer."""
    served.sh("cp /bin/sleep /opt/rspamd; /opt/rspamd 100 >/dev/null 2>&1 &")
    for before, good in (("nameserver 127.0.0.11", True), ("nameserver 127.0.0.1", False), ("options edns0", False), ("nameserver 192.0.2.77", False),
                         ("nameserver 127.0.0.1\nnameserver 127.0.0.11", True)):
        served.sh(f"printf '{before}\n' >/etc/resolv.conf && {TAKEOVER}")
        said = (served.sh if good else served.fails)(f"{SCRIPT} --undo")
        assert served.sh("cat /etc/resolv.conf").strip() == before and not served.path("/var/lib/byway-takeover").exists()
        assert "restart what read /etc/resolv.conf when it started: systemctl restart" in said
        if not good:
            assert "/etc/resolv.conf does not find answer.test without byway, so let byway run" in said
            assert "(byway asks these: nameserver 127.0.0.11)" in said
    served.sh("bywayctl status")
    served.sh("""sed 's/answer.test/example.com/; s/"test."/"example.com."/; s/0.11/0.13/' /opt/unbound.conf >/opt/other.conf
        unbound -d -c /opt/other.conf >/dev/null 2>&1 &""")
    served.sh(f"echo 'nameserver 127.0.0.13' >/etc/resolv.conf && {TAKEOVER} && {SCRIPT} --undo")  # the border hides answer.test

    served.sh(f"ln -sf /run/nobody/resolv.conf /etc/resolv.conf; {TAKEOVER}")
    assert "byway-takeover's, and was a link to /run/nobody/resolv.conf, by nobody that is known here" in served.sh(TAKEOVER)
    assert "so let byway run" in served.fails(f"{SCRIPT} --undo") and os.readlink(served.path("/etc/resolv.conf")) == "/run/nobody/resolv.conf"
    assert "nothing to undo" in served.sh(f"{SCRIPT} --undo")


def test_undo_where_byway_serves_all_addresses(served):
    """Of that family each is byway's, and no other."""
    served.sh(f"""pkill -x bywayd; while ss -Hlun | grep -q 127.0.0.1:53; do sleep 0.02; done; ip address add fd00::9/128 dev lo
        sed -i 's/^  "upstreams": {{/  "listen": ["[::]:53"], "allow": ["::1", "fd00::\\/8"],\\n&/' /etc/byway/byway.json; {SERVE}""")
    for before, good in (("nameserver 127.0.0.11", True), ("nameserver fd00::9", False)):
        served.sh(f"rm /etc/resolv.conf; echo '{before}' >/etc/resolv.conf; {TAKEOVER}")
        assert served.nameservers() == ["::1"]
        (served.sh if good else served.fails)(f"{SCRIPT} --undo")


def test_killed_at_any_moment(served):
    before, drawn = served.snapshot(), random.Random(53)
    served.sh(f"{TAKEOVER} && {SCRIPT} --undo")
    steps = served.steps(SCRIPT, "--ask answer.test")
    first, last = steps.index("+ tell_managers"), steps.index("+ tell_traps")
    for _ in range(6):
        served.sh(f"{SCRIPT} --undo")
        assert served.snapshot() == before
        at = drawn.randrange(first, last)
        served.steps(SCRIPT, "--ask answer.test", at)
        assert served.resolves(), at
    served.sh(TAKEOVER)
    served.sh(f"{TAKEOVER} --check")


ODD = {  # how resolv.conf is made, and what it is called
    "missing": (":", "not there"),
    "dangling": ("ln -s ../run/none/resolv.conf /etc/resolv.conf", "a link to ../run/none/resolv.conf, by nobody"),
    "empty": (": >/etc/resolv.conf", "a plain file"),
    "endless": ("printf 'nameserver 127.0.0.11' >/etc/resolv.conf", "a plain file"),
    "lines of DOS": ("printf 'nameserver 127.0.0.11\\r\\nsearch corp.test\\r\\noptions ndots:2\\r\\n' >/etc/resolv.conf", "a plain file"),
    "another's": ("echo 'nameserver 127.0.0.11' >/etc/resolv.conf; chown 3:4 /etc/resolv.conf; chmod 4640 /etc/resolv.conf", "a plain file"),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_files(served, odd):
    make, called = ODD[odd]
    served.sh(f"rm /etc/resolv.conf; {make}")
    before = served.snapshot()
    said = served.sh(TAKEOVER)
    assert f"/etc/resolv.conf is {called}" in said and "mount namespaces" not in said
    assert served.nameservers() == ["127.0.0.1"] and served.resolves()
    served.sh(f"{TAKEOVER} --check")
    assert "all was so already" in served.sh(TAKEOVER)
    served.sh(f"{SCRIPT} --undo || true")  # most of them name nobody
    assert served.snapshot() == before


def test_no_file(served):
    served.sh("rm /etc/resolv.conf; mkdir /etc/resolv.conf")
    assert "/etc/resolv.conf is no file" in served.fails(TAKEOVER)
    assert served.sh("ls -A /etc/resolv.conf") == "" and not served.path("/var/lib/byway-takeover").exists()


def test_where_nothing_can_be_written(served):
    """Nothing is begun, or what was begun is told as that."""
    read_only = "mount --bind /etc /etc; mount -o remount,bind,ro /etc"
    before = served.snapshot()
    for arguments in ("--ask answer.test --dry-run", "--ask answer.test"):
        assert "/etc cannot be written to" in served.fails(f"{read_only}; {SCRIPT} {arguments}; result=$?; umount /etc; exit $result")
        assert served.snapshot() == before and not served.path("/var/lib/byway-takeover").exists()
    served.fails(f"mount -t tmpfs -o nr_inodes=3 tmpfs /var/lib; {TAKEOVER}; result=$?; umount /var/lib; exit $result")
    assert served.snapshot() == before

    served.sh(TAKEOVER)
    taken = served.snapshot()
    assert "/etc cannot be written to" in served.fails(f"{read_only}; {SCRIPT} --undo; result=$?; umount /etc; exit $result")
    mounted = "echo 'nameserver 127.0.0.11' >/opt/mounted; mount --bind /opt/mounted /etc/resolv.conf"
    assert "is a mount" in served.fails(f"{mounted}; {SCRIPT} --undo; result=$?; umount /etc/resolv.conf; exit $result")
    assert served.snapshot() == taken
    served.sh("rm /var/lib/byway-takeover/1.now; cp -a /var/lib/byway-takeover/1 /etc/resolv.conf")  # as a kill leaves it
    assert "/etc/resolv.conf: byway-takeover did not come to its end" in served.fails(f"{SCRIPT} --check")
    served.sh(f"{TAKEOVER}; {SCRIPT} --check; {SCRIPT} --undo")
    assert served.snapshot() == before


def test_managers_come_and_go(served):
    """One without its folders, one that is removed while it is told, and one that has written nothing."""
    manager = "printf '#!/bin/sh\n%s\n'"
    served.sh(f"""rm -rf /etc/NetworkManager /etc/default/resolvconf; mkdir -p /lib/resolvconf
        {manager} : >/usr/local/sbin/NetworkManager; {manager} : >/lib/resolvconf/list-records; : >/lib/resolvconf/libc
        {manager} 'echo empty >/etc/resolv.conf' >/usr/local/sbin/resolvconf
        chmod 755 /usr/local/sbin/NetworkManager /usr/local/sbin/resolvconf /lib/resolvconf/list-records""")
    before = served.snapshot()
    served.sh(TAKEOVER)
    assert served.path("/etc/NetworkManager/conf.d/90-byway-takeover.conf").exists()
    served.sh("mv /etc/default/resolvconf /opt")
    assert "/etc/default/resolvconf is gone" in served.fails(f"{TAKEOVER} --check")
    served.sh(f"rm /lib/resolvconf/list-records; {TAKEOVER} --check")
    served.sh("mv /opt/resolvconf /etc/default")
    # What a kill leaves beside a file, before that becomes another.
    served.sh("echo half >/etc/NetworkManager/conf.d/.90-byway-takeover.conf.byway-takeover")
    served.sh(f"{SCRIPT} --undo")
    assert served.snapshot() == before


def test_containers(served):
    """podman does as Docker does."""
    served.sh("printf '#!/bin/sh\\n' >/usr/local/sbin/podman; chmod 755 /usr/local/sbin/podman; mkdir -p /etc/docker")
    said = served.sh(TAKEOVER)
    for engine, setting in (("Docker", '"dns" of /etc/docker/daemon.json'), ("podman", '"dns_servers" of /etc/containers/containers.conf')):
        assert re.search(f"^{engine} gives containers on its bridge 8.8.8.8 .* into {setting}$", said, re.M), said


def test_undo_that_would_find_nothing(served):
    """A dry run says so as well."""
    served.sh(f"echo 'nameserver 127.0.0.99' >/etc/resolv.conf; {TAKEOVER}")
    taken = served.snapshot()
    said = served.fails(f"{SCRIPT} --undo --dry-run")
    assert "would not find answer.test without byway" in said and "byway asks these: nameserver 127.0.0.11" in said
    assert served.snapshot() == taken and served.resolves()
    served.sh(f"{SCRIPT} --undo || true; echo 'nameserver 127.0.0.11' >/etc/resolv.conf; {TAKEOVER}")
    served.sh(f"{SCRIPT} --undo --dry-run")
    assert served.snapshot() == taken and served.resolves()


def test_answers_that_fail_change_nothing(served):
    before = served.snapshot()
    said = served.fails(f"{SCRIPT} --ask missing.test")
    assert "byway does not find missing.test (NXDOMAIN), so nothing was pointed at it" in said
    assert "192.0.2.77 does not find answer.test" in served.fails(f"{TAKEOVER} --second 192.0.2.77")
    assert served.snapshot() == before and not served.path("/var/lib/byway-takeover").exists()


def test_what_fails_afterwards_is_put_back(served):
    """byway ends between the question and the change."""
    before = served.snapshot()
    trace = served.steps(SCRIPT, "--ask answer.test", "+ tell_managers", "pkill -x bywayd")
    assert "+ give_back" in trace and "nothing was found any more" in " ".join(trace)
    assert served.snapshot() == before and served.resolves()


def test_usage(place):
    for arguments, words in (("--nonsense", "unknown argument"), ("--check --undo", "one of"), ("--ask", "needs a value"),
                             ("--second nine", "not an address"), ("--second 192.0.2.300", "not an address"),
                             ("--second 192.0.2.1:53", "not an address"), ("--domestic ''", "needs a value")):
        assert words in place.fails(f"{SCRIPT} {arguments}; [ $? = 2 ] && exit 1")
    for no in ("fe80::1%", "1::2::3", ":::", "2001:db80f::1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::3:4:5:6:7:8:9", ":1::2", "1::2:",
               "192.0.2.1::", "::192.0.2.300", "cafe"):
        assert f"not an address: {no}" in place.fails(f"{SCRIPT} --second {no}; [ $? = 2 ] && exit 1")
    for address in ("::", "::1", "1::", "2001:db8::1", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:192.0.2.1",
                    "1:2:3:4:5:6:192.0.2.1", "192.0.2.1"):
        assert "--external is missing" in place.fails(f"{SCRIPT} --second {address}")
    assert "usage: byway-takeover" in place.sh(f"{SCRIPT} --help")
    assert "--external is missing" in place.fails(SCRIPT) and "--external is missing" in place.fails(f"{SCRIPT} --country cn")
    said = place.fails(f"{SCRIPT} --external 198.51.100.53 --domestic 192.0.2.1/24")
    assert 'upstreams.domestic[0]: not an address: "192.0.2.1/24"' in said and "nothing was changed" in said
    assert not place.path("/etc/byway").exists()


def test_domestic_of_any_form(place):
    """An object that may have lines, such as one's own resolver that validates; an address with a port."""
    place.fails(f"""{TAKEOVER} --external '{{"address": "tls://198.51.100.53#dns.example.net",
        "trusted": true}}' --domestic '{{ "address": "127.0.0.11",
        "trusted": true }}' --domestic 192.0.2.1:5353""")
    written = re.sub(" +", " ", place.path("/etc/byway/byway.json").read_text())
    assert '"domestic": [{ "address": "127.0.0.11", "trusted": true }, "192.0.2.1:5353"],' in written
    assert '"external": [{"address": "tls://198.51.100.53#dns.example.net", "trusted": true}]' in written
    place.sh(SERVE)
    place.sh(TAKEOVER)
    assert place.resolves()


def test_options_for_a_new_configuration(served):
    """They are not for the one that is there; and it is told of a way abroad that does not work."""
    before = served.path("/etc/byway/byway.json").read_bytes()
    served.sh("until bywayctl --json status | grep -q '\"external\": *{\"up\": *0,'; do sleep 0.1; done")
    said = served.sh(f"{TAKEOVER} --country cn --external 198.51.100.54 --domestic 192.0.2.1")
    for option in ("--country", "--external", "--domestic"):
        assert f"/etc/byway/byway.json is there already: {option} is for a new one" in said
    assert "no upstream of external is up" in said and "no upstream of domestic" not in said
    assert served.path("/etc/byway/byway.json").read_bytes() == before and served.nameservers() == ["127.0.0.1"]


def test_second_byway(served):
    """Once it is remembered it may be down, and drift is mended nonetheless."""
    served.sh("""sed 's/127.0.0.11/127.0.0.12/' /opt/unbound.conf >/opt/second.conf; unbound -d -c /opt/second.conf >/dev/null 2>&1 &
        echo $! >/opt/second""")
    served.sh(f"until {TAKEOVER} --second 127.0.0.12; do sleep 0.1; done")
    assert "127.0.0.1 is this byway itself" in served.fails(f"{TAKEOVER} --second 127.0.0.1")
    served.sh("kill $(cat /opt/second); echo 'nameserver 127.0.0.11' >/etc/resolv.conf")
    assert "127.0.0.12 does not find answer.test, and stays" in served.sh(TAKEOVER)
    assert served.nameservers() == ["127.0.0.1", "127.0.0.12"]
    assert served.options() == "options edns0 timeout:2 attempts:3 trust-ad"
    assert "127.0.0.12 does not find answer.test" in served.fails(f"{TAKEOVER} --second 127.0.0.12")
    for before, after in (("timeout:3", "timeout:3 edns0"), ("timeout:1 ndots:2", "ndots:2 edns0 timeout:2 attempts:3"),
                          ("attempts:4", "attempts:4 edns0 timeout:2")):
        served.sh(f"printf 'nameserver 127.0.0.11\\noptions {before}\\n' >/etc/resolv.conf; {TAKEOVER}")
        assert served.options() == f"options {after} trust-ad"
        assert "all was so already" in served.sh(TAKEOVER)
    served.sh(f"{TAKEOVER} --second none")
    assert served.nameservers() == ["127.0.0.1"] and "127.0.0.12" not in served.sh(TAKEOVER)


def test_dnsmasq_that_would_ask_byway(place):
    """It takes its servers from the file that is to name byway; another's of its own are none of this."""
    place.sh("rm -rf /etc/dnsmasq.*; mkdir /opt/more; echo 'nameserver 127.0.0.12' >/etc/resolv.conf")
    serve = "dnsmasq --no-hosts --bind-interfaces --listen-address=127.0.0.12 --user=root --pid-file=/opt/pid"
    command = f"{TAKEOVER} --external 198.51.100.53"
    for words, own in (("", ""), ("--server=127.0.0.11", ""), ("--resolv-file=/etc/resolv.conf", ""), ("", "# no-resolv"), ("-R -S 127.0.0.11", ""),
                       ("-r /opt/own", ""), ("-7 /opt/more,.bak -S 127.0.0.11", "no-resolv"), ("--conf-file=/opt/more/one", "resolv-file = /opt/own")):
        place.sh(f"echo 'nameserver 127.0.0.11' >/opt/own; echo '{own}' >/opt/more/one; {serve} {words}")
        said = place.fails(command)
        loop = own in ("", "# no-resolv") and not words.startswith(("-R", "-r"))
        assert ("dnsmasq at 127.0.0.12 takes its servers from /etc/resolv.conf" in said) == loop, (words, own, said)
        assert place.path("/etc/byway").exists() != loop
        if loop:
            assert "domestic: 127.0.0.11 (from the command line)" in place.fails(f"{command} --domestic 127.0.0.11")
        place.sh("rm -r /etc/byway; kill $(cat /opt/pid); while ss -Hlun | grep -q 127.0.0.12:53; do sleep 0.02; done")


def test_completion():
    options = set(re.findall(r"--[a-z-]+", subprocess.run([SCRIPT, "--help"], check=True, capture_output=True, text=True).stdout))
    words = subprocess.run(["bash", "--norc", "-c", """. "$0"; COMP_WORDS=(byway-takeover "$@") COMP_CWORD=$#
        _byway_takeover; printf '%s\\n' "${COMPREPLY[@]}" """, ROOT / "config/bash-completion/byway-takeover", "--"],
                           check=True, capture_output=True, text=True).stdout.split()
    assert set(words) == options | {"--help"} and len(options) == 8
