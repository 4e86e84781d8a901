"""Real name servers on loopback, in a directory of their own, with one zone that all of them can answer for."""

import contextlib
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from client import TcpClient, ask, parse_endpoint, question, read_reply
from daemon import wait_for
from upstream import endpoint, free_port

ZONE = "mail.example"
TEXT = "v=spf1 " + " ".join(f"ip4:198.51.100.{n}/32" for n in range(180)) + " -all"  # 4 kB
MANY = 400
MANY_TCP = 200


def address_of(number):
    return f"198.18.{number // 256}.{number % 256}"


def zone_text():
    pieces = " ".join(f'"{TEXT[at:at + 255]}"' for at in range(0, len(TEXT), 255))
    lines = ["@ SOA ns host 1 3600 600 86400 60", "@ NS ns", "ns A 192.0.2.53", "@ A 192.0.2.80", "@ MX 5 mx1",
             "@ MX 10 mx2.other.example.", "mx1 A 192.0.2.25", f"large TXT {pieces}",
             *(f"n{n} A {address_of(n)}" for n in range(MANY)), *(f"n{n}.tcp A {address_of(n)}" for n in range(MANY_TCP))]
    return f"$ORIGIN {ZONE}.\n$TTL 300\n" + "\n".join(lines) + "\n"


class Peer:
    """`argv` and `config` may name {directory}, {program}, {config}, {host}, {port}, and the words of `more`."""

    def __init__(self, program, host, argv, config, **more):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"byway-{program}-"))
        self.port = free_port(host)
        self.where = endpoint(host, self.port)
        self.ways = {}  # of those that speak TLS: (form, kind of certificate) -> "tls://…"
        self.log = self.directory / "log"
        (self.directory / "zone").write_text(zone_text())
        # A copy: the AppArmor profile of the packaged program keeps it out of this directory.
        names = {"directory": self.directory, "config": self.directory / "config", "host": host, "port": self.port,
                 "program": shutil.copy(shutil.which(program), self.directory / program), **more}
        names["config"].write_text(re.sub(r"{(\w+)}", lambda match: str(names[match[1]]), config))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word).format(**names) for word in argv], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.directory)

    def __str__(self):
        return self.where

    def answers(self, zone=ZONE):
        with contextlib.suppress(AssertionError, OSError):
            return ask(self.where, zone, "SOA", timeout=0.5).rcode == "NOERROR"

    def wait(self):
        try:
            wait_for(self.answers, 20, f"{self.process.args[0]} answers")
        except AssertionError as error:
            said = self.log.read_text(errors="replace")[-4000:]
            self.close()
            raise AssertionError(f"{error}\n{said}") from None
        return self

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def knotd(host):
    """Authoritative, and it signs."""
    return Peer("knotd", host, ["{program}", "-c", "{config}"], """
server:
    rundir: "{directory}"
    listen: {host}@{port}
database:
    storage: "{directory}"
zone:
  - domain: mail.example
    file: "{directory}/zone"
    dnssec-signing: on
""").wait()


def trust_anchor(knot):
    """DS records of its zone's keys."""
    return subprocess.run(["keymgr", "-c", str(knot.directory / "config"), f"{ZONE}.", "ds"], capture_output=True,
                          text=True, check=True).stdout.strip().splitlines()


def nsd(host):
    return Peer("nsd", host, ["{program}", "-d", "-c", "{config}"], """
server:
    ip-address: {host}@{port}
    username: ""
    chroot: ""
    database: ""
    zonesdir: "{directory}"
    pidfile: ""
    xfrdfile: "{directory}/xfrd"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/list"
    server-count: 1
remote-control:
    control-enable: no
zone:
    name: mail.example
    zonefile: zone
""").wait()


def named(host, authority, blocks=(), options=()):
    """Asks `authority` for everything; what that refuses is SERVFAIL. `host` is an interface's own address, for it listens
    on no other."""
    address, port = parse_endpoint(str(authority))
    return Peer("named", host, ["{program}", "-g", "-c", "{config}"], """
options {
    directory "{directory}";
    pid-file none;
    session-keyfile "{directory}/session.key";
    listen-on port {port} { {host}; };
    listen-on-v6 { none; };
    dnssec-validation no;
    empty-zones-enable no;
    forward only;
    forwarders { ADDRESS port PORT; };
    OPTIONS
};
controls { };
BLOCKS
""".replace("ADDRESS", address).replace("PORT", str(port)).replace("OPTIONS", "\n    ".join(options))
                .replace("BLOCKS", "\n".join(blocks)))


def unbound(host, forward_to, *more):
    """Forwards all to `forward_to`; `more`: lines of its section `server`."""
    lines = "\n    ".join(more)
    address, port = parse_endpoint(str(forward_to))
    return Peer("unbound", host, ["{program}", "-d", "-c", "{config}"], f"""
server:
    username: ""
    chroot: ""
    directory: "{{directory}}"
    pidfile: ""
    use-syslog: no
    interface: {{host}}@{{port}}
    num-threads: 1
    do-ip6: no
    do-not-query-localhost: no
    num-queries-per-thread: 2048
    outgoing-range: 4096
    {lines}
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: {address}@{port}
""")


def dnsdist(host, behind, *more):
    """It asks for the zone once a second, and is content with NXDOMAIN. `more`: lines of its configuration."""
    lines = "\n".join(more)
    return Peer("dnsdist", host, ["{program}", "--supervised", "--disable-syslog", "-C", "{config}"], f"""
setLocal("{{host}}:{{port}}")
setACL("127.0.0.0/8")
newServer({{address="{behind}", checkName="{ZONE}."}})
setSecurityPollSuffix("")
{lines}
""")


def all_at_once(where, names):
    """Asks for the A of all names over one UDP socket without waiting; {name: addresses}."""
    host, port = parse_endpoint(where)
    replies = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.settimeout(6)
        sock.connect((host, port))
        for ident, qname in enumerate(names):
            sock.send(question(qname, ident=ident).to_wire())
        while len(replies) < len(names):
            take_reply(sock.recv(65535), names, replies)
    return replies


def all_over_tcp(where, names):
    """The same over one connection."""
    replies = {}
    with TcpClient(where) as connection:
        connection.send(*(question(qname, ident=ident).to_wire() for ident, qname in enumerate(names)))
        while len(replies) < len(names):
            take_reply(connection.receive(), names, replies)
    return replies


def take_reply(wire, names, replies):
    qname = names[struct.unpack("!H", wire[:2])[0]]
    assert qname not in replies, f"{qname} is answered twice"
    replies[qname] = read_reply(wire, time.monotonic()).addresses


# ---- that speak TLS and HTTPS ----


def doors(peer_host, kinds):
    """{(form, kind): port}, all free and different."""
    ports = {}
    for form in ("tls", "https"):
        for kind in kinds:
            while (port := free_port(peer_host)) in ports.values():
                pass
            ports[form, kind] = port
    return ports


def with_ways(peer, host, ports):
    paths = {"tls": "", "https": "/dns-query"}
    peer.ways = {(form, kind): f"{form}://{endpoint(host, port)}{paths[form]}" for (form, kind), port in ports.items()}
    return peer.wait()


def secure_unbound(host, authority, certificates, kind="good"):
    ports = doors(host, [kind])
    identity = certificates[kind]
    return with_ways(unbound(host, authority, f"interface: {host}@{ports['tls', kind]}",
                             f"interface: {host}@{ports['https', kind]}", f"tls-port: {ports['tls', kind]}",
                             f"https-port: {ports['https', kind]}", f'tls-service-key: "{identity.key_file}"',
                             f'tls-service-pem: "{identity.chain}"'), host, ports)


def secure_dnsdist(host, authority, certificates, kinds=("good",)):
    ports = doors(host, kinds)
    lines = []
    for (form, kind), port in ports.items():
        verb, path = ("addTLSLocal", "") if form == "tls" else ("addDOHLocal", ', "/dns-query"')
        identity = certificates[kind]
        lines.append(f'{verb}("{host}:{port}", "{identity.chain}", "{identity.key_file}"{path})')
    return with_ways(dnsdist(host, authority, *lines), host, ports)


def secure_named(host, authority, certificates, kinds=("good",)):
    ports = doors(host, kinds)
    blocks = [f'tls {kind} {{ cert-file "{certificates[kind].chain}"; key-file "{certificates[kind].key_file}"; }};'
              for kind in kinds]
    listens = [f"listen-on port {port} tls {kind} {'http default ' if form == 'https' else ''}{{ {host}; }};"
               for (form, kind), port in ports.items()]
    return with_ways(named(host, authority, blocks, listens), host, ports)


def kresd(host, authority, certificates, kind="good"):
    ports = doors(host, [kind])
    identity = certificates[kind]
    address, port = parse_endpoint(str(authority))
    peer = Peer("kresd", host, ["{program}", "-n", "-q", "-c", "{config}", "{directory}"], f"""
net.listen("{{host}}", {{port}}, {{ kind = "dns" }})
net.listen("{{host}}", {ports["tls", kind]}, {{ kind = "tls" }})
net.listen("{{host}}", {ports["https", kind]}, {{ kind = "doh2" }})
net.tls("{identity.chain}", "{identity.key_file}")
modules = {{ "policy" }}
trust_anchors.remove(".")
policy.add(policy.all(policy.FLAGS({{ "NO_EDNS", "NO_MINIMIZE" }})))
policy.add(policy.all(policy.FORWARD("{address}@{port}")))
cache.size = 10 * MB
""")
    return with_ways(peer, host, ports)
