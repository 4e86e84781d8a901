"""A signed country with a stack of containers in it, and the resolvers that mail stacks bring along.

Their configuration is what their projects have of it as far as DNS goes (docs/stacks.md names the files), written here
afresh and as short as it can be. What byway makes of it is the tests' business.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time

from country import EXTERNAL

SIGNED = ("fine.test", "silent.test", "geo.test")  # and "test" and the root above them
HOST = "10.53.0.53"  # an address of the machine that byway runs on, which containers reach
RESOLVER, PROGRAMS = "172.22.1.254", "172.22.1.253"  # in the stack's network
EXTERNALS = [f"tls://{EXTERNAL}#dns.abroad.example"]

UNBOUND = """server:
    username: ""
    chroot: ""
    directory: "{dir}"
    pidfile: ""
    use-syslog: no
    interface: {address}
    num-threads: 1
    do-ip6: no
    local-zone: "test." nodefault
    local-zone: "2.0.192.in-addr.arpa." nodefault
    local-zone: "113.0.203.in-addr.arpa." nodefault
{lines}
"""
VALIDATES = ('trust-anchor-file: "{dir}/anchors"',)
# mailcow's and Mailu's, but for what they log and hide.
RECURSES = (*VALIDATES, 'root-hints: "{dir}/root.hints"', "access-control: 172.16.0.0/12 allow", "private-address: 10.0.0.0/8",
            "private-address: 172.16.0.0/12", "private-address: 192.168.0.0/16", "max-udp-size: 4096")
# Mail-in-a-Box's named.conf.options; the keys are the lab's.
NAMED = """options {{
    directory "{dir}/named"; managed-keys-directory "{dir}/named"; pid-file none; session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    dnssec-validation yes; max-recursion-queries 100; disable-empty-zone "2.0.192.in-addr.arpa"; {options}
}};
controls {{ }};
trust-anchors {{ . static-key {key}; }};
{zones}
"""
RSPAMD = """options {{
    pidfile = false; tempdir = "{dir}/rspamd"; cache_file = "{dir}/rspamd/cache"; history_file = ""; control_socket = "";
    stats_file = ""; rrd = ""; url_tld = "{dir}/rspamd/tlds"; filters = "spf";
    local_addrs = []; task_timeout = 8s;
    dns {{ timeout = 1s; sockets = 16; retransmits = 5; {dns} }}
}}
logging {{ type = "console"; level = "info"; systemd = false; color = false; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
modules {{ path = "/usr/share/rspamd/plugins/"; }}
spf {{ }}
worker "normal" {{ bind_socket = "127.0.0.1:11333"; count = 1; }}
"""


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
    return done.stdout.strip()


def sign_zone(country, zone):
    """In its file's place; its DS record and its key."""
    where, file = country.dir / "zones", ("root" if zone == "." else zone) + ".zone"
    key = run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone], cwd=where)
    run(["ldns-signzone", "-b", "-o", zone, "-f", file, file, key], cwd=where)
    return (where / f"{key}.ds").read_text(), (where / f"{key}.key").read_text()


def append(path, text):
    with open(path, "a", encoding="ascii") as file:
        file.write(text)


def sign(country):
    """Signs SIGNED, "test" and the root, in that order, and has the resolvers validate; the root's key."""
    for zone in SIGNED:
        append(country.dir / "zones/test.zone", sign_zone(country, zone)[0])
    for ds in (country.dir / "zones").glob("Kexpired.test.*.ds"):
        append(country.dir / "zones/test.zone", ds.read_text())
    append(country.dir / "zones/root.zone", sign_zone(country, "test")[0])
    _, key = sign_zone(country, ".")
    append(country.dir / "anchors", key)
    for role in ("roots", "leaves"):
        os.kill(int((country.dir / f"{role}.pid").read_text()), signal.SIGHUP)
    for role in ("domestic", "external"):
        country.lab("kill", role)
        country.lab("revive", role)
    return key


class Stack:
    """What runs on the mail server beside byway, some of it in a network of containers ("box")."""

    def __init__(self, country):
        self.country, self.box, self.programs = country, f"{country.name}-box", []
        self.key = sign(country)
        try:
            self.make_box()
        except BaseException:
            self.close()
            raise

    def make_box(self):
        inside, border, abroad = (f"{self.country.name}-{place}" for place in ("inside", "border", "abroad"))
        for words in (f"ip netns add {self.box}", f"ip -n {self.box} link set lo up",
                      f"ip -n {inside} address add {HOST}/32 dev lo",
                      f"ip -n {inside} link add box type veth peer name host netns {self.box}",
                      f"ip -n {inside} address add 172.22.1.1/24 dev box", f"ip -n {inside} link set box up",
                      f"ip -n {self.box} address add {RESOLVER}/24 dev host", f"ip -n {self.box} address add {PROGRAMS}/24 dev host",
                      f"ip -n {self.box} link set host up", f"ip -n {self.box} route add default via 172.22.1.1",
                      f"ip netns exec {inside} sysctl -qw net.ipv4.ip_forward=1",
                      f"ip -n {border} route add 172.22.1.0/24 via 198.18.1.2",
                      f"ip -n {abroad} route add 172.22.1.0/24 via 198.18.0.1"):
            run(words.split())

    def close(self):
        for process in self.programs:
            process.kill()
            process.wait()
        subprocess.run(["ip", "netns", "delete", self.box], capture_output=True, check=False)

    # --- byway ---

    def start(self, domestic, external=None, **settings):
        """byway before or behind the stack; `domestic` and `external` are upstreams."""
        external = external or {"address": EXTERNALS[0], "ca": str(self.country.dir / "ca.pem"), "trusted": True}
        self.country.start(listen=["127.0.0.1:53", f"{HOST}:53"], allow=["127.0.0.0/8", f"{HOST}/32", "172.22.1.0/24"],
                           upstreams={"domestic": [domestic], "external": [external]}, **settings)

    # --- the stack's programs ---

    def program(self, place, name, command, ready):
        """Starts it; ready(): it serves."""
        out = self.country.dir / f"{name}.out"
        with open(out, "w", encoding="utf-8") as file:
            process = subprocess.Popen(["ip", "netns", "exec", place, *map(str, command)], stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=subprocess.STDOUT)
        self.programs.append(process)
        end = time.monotonic() + 15
        while not ready():
            assert process.poll() is None and time.monotonic() < end, f"{name} does not serve: {out.read_text()[-2000:]}"
            time.sleep(0.1)
        return process

    def unbound(self, address, *lines):
        """One in the box if its address is there, else on byway's machine; `lines` are of its server clause."""
        place = self.box if address.startswith("172.") else f"{self.country.name}-inside"
        path = self.country.dir / f"unbound-{address}.conf"
        text = UNBOUND.format(dir=self.country.dir, address=address,
                              lines="\n".join(f"    {line}".format(dir=self.country.dir) for line in lines))
        path.write_text(text)
        return self.program(place, path.stem, [self.country.dir / "unbound", "-d", "-c", path],
                            lambda: self.flags("fine.test", "SOA", "@" + address) is not None)

    def named(self, port, forward):
        """BIND: forwarding to 127.0.0.1, or recursive."""
        where = self.country.dir
        shutil.copy("/usr/sbin/named", where / "named-copy")  # out of its AppArmor profile's reach
        (where / "named").mkdir()
        _, _, fields = self.key.split(";")[0].partition("DNSKEY")
        fields = fields.split()
        (where / "named.conf").write_text(NAMED.format(
            dir=where, port=port, key=f'{" ".join(fields[:3])} "{"".join(fields[3:])}"',
            options="forward only; forwarders { 127.0.0.1; };" if forward else "",
            zones="" if forward else f'zone "." {{ type hint; file "{where}/root.hints"; }};'))
        return self.program(f"{self.country.name}-inside", "named", [where / "named-copy", "-f", "-4", "-c", where / "named.conf"],
                            lambda: self.flags("test", "SOA", "@127.0.0.1", "-p", port) is not None)

    def rspamd(self, dns):
        """`dns` is in the dns clause of its options, behind rspamd's own defaults."""
        where = self.country.dir
        (where / "rspamd").mkdir()
        (where / "rspamd/tlds").write_text("test\nexample\n")  # of the public ones it makes a pattern, for a minute
        (where / "rspamd.conf").write_text(RSPAMD.format(dir=where, dns=dns))
        run(["rspamadm", "configtest", "-c", where / "rspamd.conf"])
        return self.program(f"{self.country.name}-inside", "rspamd", ["rspamd", "-i", "-f", "-c", where / "rspamd.conf"],
                            lambda: self.scan("a@fine.test") is not None)

    def scan(self, sender):
        """What rspamd makes of a mail from `sender`, sent by 192.0.2.25: symbol → its options. None: it does not serve."""
        mail = f"From: {sender}\r\nTo: u@home.inland\r\nSubject: a mail\r\n\r\nHello\r\n"
        connection = http.client.HTTPConnection("127.0.0.1", 11333, timeout=20)
        try:
            with self.country.inside():
                connection.connect()
            connection.request("POST", "/checkv2", mail, {"IP": "192.0.2.25", "From": sender, "Helo": "mail.fine.test"})
            symbols = json.loads(connection.getresponse().read())["symbols"]
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()
        return {name: symbol.get("options", []) for name, symbol in symbols.items()}

    # --- questions ---

    def start_dig(self, *words):
        """In the box for an address there, or HOST; else on byway's machine."""
        boxed = any(str(word) in (f"@{RESOLVER}", f"@{HOST}") for word in words)
        place = [self.box, "dig", "-b", PROGRAMS] if boxed else [f"{self.country.name}-inside", "dig"]
        return subprocess.Popen(["ip", "netns", "exec", *place, *map(str, words)], stdout=subprocess.PIPE, text=True)

    def dig(self, *words):
        """What dig prints; None: it failed."""
        dig = self.start_dig(*words)
        printed = dig.communicate()[0]
        return printed if dig.returncode == 0 else None

    def asking(self, *words):
        """Asks with DO and AD; what is given back waits for (rcode, flags), or None if nothing comes."""
        dig = self.start_dig("+dnssec", "+adflag", "+bufsize=1232", "+tries=1", "+timeout=5", *words)

        def end():
            printed = dig.communicate()[0]
            if "status: " not in printed:
                return None
            rcode = printed.partition("status: ")[2].partition(",")[0]
            return (rcode, [] if rcode == "SERVFAIL" else printed.partition("flags: ")[2].partition(";")[0].split())
        return end

    def flags(self, *words):
        return self.asking(*words)()

    @contextlib.contextmanager
    def external_frozen(self, seconds):
        """It answers all it was asked only when the block ends, `seconds` later at the least."""
        self.country.lab("freeze", "external")
        began = time.monotonic()
        try:
            yield
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        finally:
            self.country.lab("thaw", "external")
