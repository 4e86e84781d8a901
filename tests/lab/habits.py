"""Real clients of a resolver: how each is built and run inside the lab's country, and what it made of the answer.

Knows nothing of byway: a client asks whoever its resolv.conf names.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCES = HERE / "clients"
UNPACKED = ROOT / "build/unpacked"  # where scripts/test puts packages that must not be installed


@dataclass
class Client:
    """`patience`: seconds after which it gives up, whoever is silent; `again`: when it has asked a silent server again.
    `argv`: kind and name take the places of KIND and NAME; a kind is `host` or a type. `words`: what it prints → the word
    of clients/lookup.c; None: it says that itself. `front`: the daemon that stands before it."""

    patience: float
    argv: list
    kinds: tuple = ("host", "MX", "TXT")
    options: str = ""
    again: tuple = None
    words: dict = None
    front: str = None
    apex: bool = False  # it looks for an SPF record, which only a domain's own name has
    nightly: bool = False  # what it needs is large


OWN = ["BIN/lookup", "KIND", "NAME"]
CLIENTS = {
    "glibc": Client(10, OWN, again=(5,)),
    "glibc edns0 trust-ad": Client(10, OWN, options="edns0 trust-ad"),
    "glibc use-vc": Client(10, OWN, options="use-vc"),
    "glibc single-request": Client(20, OWN, options="single-request"),
    "glibc single-request-reopen": Client(10, OWN, options="single-request-reopen"),
    "glibc timeout:1 attempts:3": Client(3, OWN, options="timeout:1 attempts:3", again=(1, 2)),
    "glibc timeout:2 attempts:3": Client(6, OWN, options="timeout:2 attempts:3", again=(2, 4)),
    "glibc rotate": Client(10, OWN, options="rotate"),
    "glibc dnssec": Client(10, ["BIN/lookup", "dnssec", "KIND", "NAME"], kinds=("MX", "TXT"), options="trust-ad"),
    "musl": Client(5, ["BIN/lookup-musl", "KIND", "NAME"], again=(2.5,)),
    "c-ares": Client(75, ["BIN/lookup-ares", "KIND", "NAME"], again=(5, 15, 35)),
    "dnspython": Client(5, ["/usr/bin/python3", SOURCES / "lookup.py", "KIND", "NAME"], kinds=("MX", "TXT"),
                        again=(2.1, 4.3)),
    "adns": Client(30, ["adnshost", "-t", "LOWER", "NAME"], kinds=("MX", "TXT"), again=tuple(range(2, 30, 2)), words={
        r"\S (MX|TXT) [\"\d]": "found", "does not exist|No such data": "absent", "Nameserver reports failure|timed out": "temporary"}),
    "udns": Client(28, ["dnsget", "-t", "KIND", "NAME"], kinds=("MX", "TXT"), again=(4, 12), words={
        r"\. (MX|TXT) ": "found", "does not exist|no data": "absent", "temporary failure": "temporary"}),
    "ldns": Client(15, ["drill", "-b", "1232", "NAME", "KIND"], kinds=("MX", "TXT"), again=(5, 10), words={
        "flags: qr tc": "temporary", r"rcode: NOERROR(?s:.*)\sIN\s(MX|TXT)\s": "found", "rcode: NXDOMAIN": "absent",
        "rcode: SERVFAIL|error sending query": "temporary"}),
    "libunbound": Client(18, ["unbound-host", "-C", "BIN/unbound.conf", "-r", "-t", "KIND", "NAME"], kinds=("MX", "TXT"), words={
        "mail is handled by|TXT record": "found", "NXDOMAIN|has no": "absent", "SERVFAIL": "temporary"}),
    "rspamd": Client(5, ["rspamadm", "dns_tool", "spf", "-d", "NAME"], kinds=("TXT",), apex=True, again=(1, 2, 3, 4), words={
        "SPF record for": "found", "no SPF record": "absent", "temporary DNS error": "temporary"}),
    "nscd": Client(15, OWN, kinds=("host",), front="nscd"),
    "systemd-resolved": Client(10, OWN, options="edns0 trust-ad", front="resolved"),
    "resolvectl": Client(120, ["RESOLVED/usr/bin/resolvectl", "query", "--legend=no", "-t", "KIND", "NAME"], kinds=("MX", "TXT"), words={
        r"IN (MX|TXT) ": "found", "not found|does not have": "absent", "rcode-failure|SERVFAIL|timed out|timeout": "temporary"},
        front="resolved"),
    "go": Client(10, ["env", "GODEBUG=netdns=go", "BIN/lookup-go", "KIND", "NAME"], again=(5,), nightly=True),
    "java": Client(10, ["java", "-cp", "BIN", "Lookup", "KIND", "NAME"], kinds=("host",), nightly=True),
    "java (JNDI)": Client(15, ["java", "-cp", "BIN", "Lookup", "KIND", "NAME"], kinds=("MX", "TXT"), again=(1, 3, 7), nightly=True),
}


@dataclass
class Look:
    """What a client made of one lookup."""

    client: str
    kind: str
    name: str
    seconds: float
    word: str
    rest: list = field(default_factory=list)  # addresses, or the length and the flags
    lines: list = field(default_factory=list)  # of the trace, for the tests to fill in


def unpacked(program):
    """The directory with `program` below it: the system's, where its package is installed, or UNPACKED; None: neither."""
    return next((root for root in (pathlib.Path("/"), UNPACKED) if (root / program).exists()), None)


def build(directory, clients):
    """Compiles the clients into `directory`; those of languages only where one of `clients` is."""
    recipes = [["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "lookup", SOURCES / "lookup.c", "-lresolv"],
               ["musl-gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "lookup-musl", SOURCES / "lookup.c"],
               ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "lookup-ares", SOURCES / "lookup_ares.c", "-lcares"]]
    if any(client.nightly for client in clients.values()):
        recipes += [["go", "build", "-o", "lookup-go", SOURCES / "lookup.go"], ["javac", "-d", ".", SOURCES / "Lookup.java"]]
    for recipe in recipes:
        done = subprocess.run(recipe, cwd=directory, capture_output=True, text=True, check=False,
                              env={**os.environ, "CGO_ENABLED": "0", "GOCACHE": str(ROOT / "build/go")})
        assert done.returncode == 0, f"{recipe}: {done.stderr}"
    # It would answer for test. itself, and ask nobody on this machine.
    (directory / "unbound.conf").write_text('server:\n do-not-query-localhost: no\n local-zone: "test." nodefault\n')


class House:
    """A machine inside the country, as its programs see it: a resolv.conf and a /run of its own, and perhaps a daemon
    that resolves for all of them, in front of `nameservers`."""

    def __init__(self, country, directory, nameservers, front=None, dnssec="no"):
        self.country, self.directory, self.front = country, directory, front
        self.nameservers = ["127.0.0.53"] if front == "resolved" else nameservers
        directory.mkdir()
        self.settings(directory, nameservers, dnssec)
        log = open(directory / "log", "wb")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", f"{country.name}-inside", "sh", "-e", SOURCES / "house", front or "none", directory,
             unpacked("usr/bin/resolvectl") or "-", unpacked("usr/sbin/nscd") or "-"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        country.until(f"{front} serves", lambda: self.ready() or self.process.poll() is not None, 10)
        assert self.process.poll() is None, (directory / "log").read_text()[-2000:]

    def settings(self, directory, nameservers, dnssec):
        (directory / "nsswitch.conf").write_text("hosts: files dns\n")
        (directory / "nscd.conf").write_text("enable-cache hosts yes\npersistent hosts no\nenable-cache passwd no\nenable-cache group no\n")
        (directory / "resolved.conf").write_text(
            f"[Resolve]\nDNS={' '.join(nameservers)}\nDomains=~.\nLLMNR=no\nMulticastDNS=no\nDNSSEC={dnssec}\n")
        # The country's root is not signed: signed.test has an anchor of its own, and these are not to be validated.
        (directory / "country.negative").write_text("bulk.example\nhush.example\nnowhere.test\n")
        anchors = (self.country.dir / "anchors").read_text().splitlines()
        (directory / "country.positive").write_text("".join(line.partition(";")[0] + "\n" for line in anchors if line.startswith("signed.test.")))
        (directory / "bus.conf").write_text("""<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
            <auth>EXTERNAL</auth><policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
            <allow user="*"/></policy></busconfig>""")
        self.write_resolv_conf("")

    def write_resolv_conf(self, options):
        lines = [f"nameserver {address}" for address in self.nameservers] + ([f"options {options}"] if options else [])
        path = self.directory / f"resolv.conf.{options.replace(' ', '_')}"
        if not path.exists():  # others may be reading it
            written = path.with_suffix(f".{threading.get_ident()}")
            written.write_text("\n".join(lines) + "\n")
            written.rename(path)
        return path

    def ready(self):
        return (self.directory / "ready").exists()

    def run(self, argv, options=""):
        """argv as one of its programs, with these options in its resolv.conf."""
        enter = ["nsenter", "-t", str(self.process.pid), "--net", "--mount", "unshare", "--mount", "sh", "-c",
                 'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.write_resolv_conf(options)]
        return subprocess.run([*enter, *argv], capture_output=True, text=True, timeout=100, check=False)

    def close(self):
        """With all that runs in it."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.process.kill()
        self.process.wait()


def read(client, done):
    """(seconds or None, word, rest) of what it printed."""
    text = done.stdout + done.stderr
    if client.words is None:
        said = re.match(r"([\d.]+) (\w+)(.*)", text)
        assert said, f"{done.args[-3:]}: {text}"
        return float(said[1]), said[2], said[3].split()
    word = next((word for pattern, word in client.words.items() if re.search(pattern, text)), None)
    assert word, f"{done.args[-3:]}: {text}"
    return None, word, []


def look_up(house, directory, name, kind, domain):
    """The client called `name` looks `domain` up."""
    client = CLIENTS[name]
    words = {"KIND": kind, "LOWER": kind.lower(), "NAME": domain}
    argv = [words.get(word, str(word).replace("BIN", str(directory)).replace("RESOLVED", str(unpacked("usr/bin/resolvectl"))))
            for word in client.argv]
    began = time.monotonic()
    done = house.run(argv, client.options)
    seconds, word, rest = read(client, done)
    return Look(name, kind, domain, time.monotonic() - began if seconds is None else seconds, word, rest)


def look_up_all(jobs):
    """All at once; jobs: the arguments of look_up()."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(jobs))) as pool:
        return list(pool.map(lambda job: look_up(*job), jobs))
