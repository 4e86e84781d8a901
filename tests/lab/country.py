"""The lab for tests: brings it up, asks from inside, reads what the resolvers were asked.

Knows tests/lab/lab's verbs and files; what byway should do is the tests' business.
"""

import concurrent.futures
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/integration"))
from daemon import ENDS  # noqa: E402
LAB = ROOT / "tests/lab/lab"
BUILD = ROOT / os.environ.get("BYWAY_BUILD", "build-test")
DOMESTIC, EXTERNAL, BYWAY = "198.18.1.53", "198.51.100.53", "127.0.0.1"
POSTFIX, EXIM = "198.18.1.25", "198.18.1.26"
DESK = "10.0.0.7"  # a machine inside, whose name domestic alone knows

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def cause(entry):
    """Tag and zone of the cause that explain names for an entry of maillog."""
    found = entry["explain"]["cause"]
    return found and (found["tag"], found["zone"] and found["zone"].rstrip("."))


class Reply:
    """What came back: `rcode` as text (None: nothing came), `ede` (None: none), `seconds`, `texts` of the answer."""

    def __init__(self, message, seconds):
        self.message, self.seconds = message, seconds
        self.rcode = dns.rcode.to_text(message.rcode()) if message else None
        options = message.options if message else []
        self.ede = next((int(o.code) for o in options if o.otype == dns.edns.OptionType.EDE), None)
        self.texts = [record.to_text() for rrset in (message.answer if message else []) for record in rrset]

    @property
    def external(self):
        """It says that it came the external way."""
        return self.ede == 0

    def __repr__(self):
        return f"{self.rcode} ede={self.ede} {self.seconds * 1000:.0f} ms {self.texts[:2]}"


class Country:
    """One lab, up."""

    def __init__(self, crowd=0):
        """`crowd`: so many more open zones, m1.test and so on."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="byway-lab.", dir="/tmp"))
        self.serial = 0
        try:
            self.lab("up", str(crowd))
        except BaseException:
            self.down()
            raise
        self.name = (self.dir / "name").read_text().strip()

    def lab(self, *arguments, check=True, timeout=60):
        """Runs tests/lab/lab; its standard output."""
        done = subprocess.run([LAB, "-d", self.dir, *arguments], capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "BYWAY_BUILD": str(BUILD)}, check=False)
        assert not check or done.returncode == 0, f"lab {' '.join(map(str, arguments))}: {done.stderr or done.stdout}"
        return done.stdout

    def down(self):
        self.lab("down")
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, **settings):
        """Starts bywayd, with `settings` above those of the lab's byway.json."""
        path = self.dir / "byway.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
        self.lab("byway-start")

    def output(self):
        """What bywayd has said on standard error since its last start."""
        path = self.dir / "byway.out"
        return path.read_text(errors="replace") if path.exists() else ""

    @contextlib.contextmanager
    def inside(self):
        """This thread's new sockets are inside."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}-inside") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def ask(self, name, rdtype="A", server=BYWAY, timeout=7.0):
        """One lookup as a mail server makes it: UDP with EDNS, TCP when truncated."""
        query = dns.message.make_query(name, rdtype, use_edns=0, payload=1232)
        began = time.monotonic()
        try:
            with self.inside():
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with udp:
                if server == BYWAY:  # or what comes late for a resolver that had the port before comes here
                    udp.bind((BYWAY, 0))
                udp.setblocking(False)
                message = dns.query.udp(query, server, timeout=timeout, sock=udp)
            if message.flags & dns.flags.TC:
                with self.inside():
                    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                with tcp:
                    tcp.settimeout(timeout)
                    tcp.connect((server, 53))
                    tcp.setblocking(False)
                    message = dns.query.tcp(query, server, timeout=timeout, sock=tcp)
        except dns.exception.Timeout:
            message = None
        return Reply(message, time.monotonic() - began)

    def fresh(self, zone):
        """A name below `zone` that exists and that nobody has asked for."""
        self.serial += 1
        return f"n{self.serial}.any.{zone}" if "arpa" not in zone else f"{self.serial}.{zone}"

    def ask_fresh(self, zone, **options):
        return self.ask(self.fresh(zone), "PTR" if "arpa" in zone else "A", **options)

    def ask_many(self, questions):
        """All at once, each in a thread of its own."""
        with concurrent.futures.ThreadPoolExecutor(len(questions)) as pool:
            return list(pool.map(lambda question: self.ask(*question), questions))

    def asked(self, role):
        """What the resolver `role` (domestic, external) was asked by byway: (name, type) in order."""
        lines = (self.dir / f"{role}.log").read_text().lower()
        return re.findall(r"info: 198\.18\.1\.\d+ (\S+) (\S+) in$", lines, re.M)

    def asked_below(self, role, zone):
        return [(name, rdtype) for name, rdtype in self.asked(role) if f".{name}".endswith(f".{zone}.")]

    def ctl(self, *arguments, timeout=15):
        """bywayctl --json; what it printed, parsed."""
        done = subprocess.run([BUILD / "bywayctl", "-s", self.dir / "control.sock", "--json", *arguments],
                              capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"bywayctl {' '.join(map(str, arguments))}: {done.stderr}"
        return json.loads(done.stdout)

    def send(self, sender, recipient="u@home.inland", at="192.0.2.25", helo="mail.fine.test", server=POSTFIX):
        """One mail to a mail server of the lab's, from the mail host `at` abroad or from DESK; how it was answered."""
        where = "exec-inside" if at == DESK else "exec-abroad"
        return self.lab(where, "/usr/bin/python3", ROOT / "tests/lab/send.py", "--at", at, "--helo", helo, server, sender,
                        recipient).strip()

    def send_all(self, mails, server=POSTFIX):
        """Name → the arguments of a mail, all sent at once; name → how it was answered."""
        with concurrent.futures.ThreadPoolExecutor(len(mails)) as pool:
            return dict(zip(mails, pool.map(lambda mail: self.send(**mail, server=server), mails.values())))

    def send_out(self, recipient, server=POSTFIX):
        """One mail to a mail server of the lab's, from inside, that goes abroad."""
        return self.lab("exec-inside", "/usr/bin/python3", ROOT / "tests/lab/send.py", server, "ops@home.inland",
                        recipient).strip()

    def until_logged(self, path, pattern, seconds=30):
        """Until the lab's file `path` has `pattern`; where."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, (self.dir / path).read_text(errors="replace"))):
            assert time.monotonic() < end, f"not logged in {seconds} s: {pattern}\n{(self.dir / path).read_text()[-3000:]}"
            time.sleep(0.1)
        return found

    def maillog(self, path):
        """What bywayctl makes of a mail server's log in the lab; domain without its final dot → its entry."""
        return {entry["domain"].rstrip("."): entry for entry in self.ctl("maillog", self.dir / path, timeout=75)}

    def causes(self, path, found):
        """Of each domain of `found` that is not cured its kind and cause. Ten of a log are explained: the others from their own lines."""
        left = [domain for domain, entry in found.items() if not entry["cured"] and not entry["explain"]]
        lines = (self.dir / path).read_text().splitlines(keepends=True)
        (self.dir / "left.log").write_text("".join(line for line in lines if any(domain in line for domain in left)))
        all_of = {**found, **{domain: entry for domain, entry in self.maillog("left.log").items() if domain in left}}
        return {domain: (entry["kind"], cause(entry)) for domain, entry in all_of.items() if not entry["cured"]}

    def heard_by(self, server, domain, mail):
        """What explain has the mail server say about the domain, of a mail as send() has it: check → code and text."""
        mail = {"at": "192.0.2.25", "helo": "mail.fine.test", **mail}
        result = self.ctl("explain", domain, "--ip", mail["at"], "--helo", mail["helo"], "--sender", mail["sender"])
        return {reply["check"]: f"{reply['code']} {reply['text']}" for reply in result["replies"] if reply["server"] == server}

    def heard_all(self, server, questions):
        """heard_by() for each (domain, mail), in order; byway explains two at once."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda question: self.heard_by(server, *question), questions))

    def zones(self):
        """Zone name without its final dot → what bywayctl shows of it."""
        return {zone["zone"].rstrip("."): zone for zone in self.ctl("zones")}

    def state(self, zone):
        """The zone's state; clear when it is not listed."""
        return self.zones().get(zone, {"state": "clear"})["state"]

    def until(self, what, condition, seconds):
        """Waits until condition() holds; how long that took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, f"not {what} after {seconds} s; zones: {self.zones()}"
            time.sleep(0.1)
        return time.monotonic() - began

    def check_accounts(self):
        """Once all is quiet every query has had one end (docs/operating.md)."""
        def add_up():
            stats = self.ctl("stats")
            return stats["queries"] == sum(stats[end] for end in ENDS)
        self.until("the queries add up", add_up, 15)

    def cpu(self):
        """Seconds of CPU time that bywayd has had."""
        pid = (self.dir / "byway.pid").read_text().strip()
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @contextlib.contextmanager
    def steady(self, *zones):
        """Meanwhile fresh names in the zones are asked for, one every 100 ms in each; the list of the replies."""
        replies, end = [], threading.Event()

        def go_on(zone):
            while not end.wait(0.1):
                replies.append(self.ask_fresh(zone))

        threads = [threading.Thread(target=go_on, args=(zone,)) for zone in zones]
        for thread in threads:
            thread.start()
        try:
            yield replies
        finally:
            end.set()
            for thread in threads:
                thread.join()

    def learn(self, zone):
        """Lookups in `zone` until it is listed as blocked."""
        for _ in range(3):
            self.ask_fresh(zone)
        self.until(f"{zone} blocked", lambda: self.state(zone) == "blocked", 15)
