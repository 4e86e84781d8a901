"""What asks byway in a mail server: the resolvers of C libraries, of languages and of daemons, each with its own times.

Whatever becomes of a zone, each has its answer within its whole patience, and the trace names the way to it. What a client
says is a word of clients/lookup.c: found, absent (the name or type does not exist: mail bounces), temporary."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import dns.message
import pytest

from country import BUILD, Country
from habits import CLIENTS, House, build, look_up_all, unpacked

UPSTREAMS = {"domestic": [{"address": "198.18.1.53", "trusted": True}], "external": [{"address": "198.51.100.53", "trusted": True}]}
CROWD = "203.0.113.90"  # serves m1.test, m2.test, …
HALF = "203.0.113.12"  # serves later.test
STRANGERS = ["192.0.2.66", "2001:db8::66"]
DATAGRAMS, ANEW = 6, 4  # LIMIT_UDP_SENDS and QUERY_ANEW: to upstreams for one question, however often its client repeats it
STARTING = 3  # s that four dozen programs may take to start at once
NO_TCP = {"musl": "absent", "udns": "temporary", "ldns": "temporary"}  # what they make of an answer that fits into no datagram


# ---- the stage ----


class Trace:
    """`bywayctl trace`, kept beside the control socket."""

    def __init__(self, socket):
        self.path = socket.with_suffix(".trace")
        with open(self.path, "wb") as output:
            self.process = subprocess.Popen([BUILD / "bywayctl", "-s", socket, "--json", "trace"], stdout=output)
        time.sleep(0.3)  # until it watches

    def lines(self):
        """Name without its final dot → what was told of it."""
        time.sleep(0.3)
        told = {}
        for line in map(json.loads, self.path.read_text().splitlines()):
            told.setdefault(line["name"].rstrip("."), []).append(line)
        return told

    def close(self):
        self.process.terminate()
        self.process.wait()


def slack(client):
    """Seconds by which it may outlast its patience: its own clock begins with the lookup, or there is none."""
    return STARTING if CLIENTS[client].words or CLIENTS[client].nightly else 0.6


class Town:
    """A country with byway, and clients that ask it, each in the house that it needs."""

    def __init__(self, country, directory, clients, nameservers=("127.0.0.1",), settings=None):
        self.country, self.directory, self.clients, self.nameservers = country, directory, clients, list(nameservers)
        self.zones, self.trace = 0, None
        self.houses = {}  # front → the house, and its DNSSEC setting
        build(directory, clients)
        country.start(upstreams=UPSTREAMS, **(settings or {}))
        try:
            self.trace = Trace(country.dir / "control.sock")
            for client in clients.values():
                self.house(client.front)
        except BaseException:
            self.close()
            raise

    def house(self, front, dnssec="no"):
        """One at a time for each front: 127.0.0.53 is the whole country's."""
        house, now = self.houses.get(front, (None, None))
        if now != dnssec:
            if house:
                house.close()
            house = House(self.country, self.directory / f"{front}-{dnssec}", self.nameservers, front, dnssec)
            self.houses[front] = house, dnssec
        return house

    def close(self):
        for house, _ in self.houses.values():
            house.close()
        if self.trace:
            self.trace.close()

    def next_zone(self):
        """One that nobody has asked for."""
        self.zones += 1
        return f"m{self.zones}.test"

    def ask(self, name_of, kinds=("host", "MX", "TXT"), only=CLIENTS, but=(), dnssec="no"):
        """All clients at once, in each of these kinds that it has; `name_of`(client): what for."""
        jobs = [(self.house(client.front, dnssec), self.directory, name, kind, name_of(client)) for name, client in self.clients.items()
                if name in only and name not in but for kind in client.kinds if kind in kinds]
        looks = look_up_all(jobs)
        lines = self.trace.lines()
        for look in looks:
            look.lines = lines.get(look.name, [])
            assert look.seconds < CLIENTS[look.client].patience + slack(look.client), told([look])
        return looks

    def below(self, zone):
        """Names for ask(), each new, below zone(); for who looks for an SPF record, which a domain has, zone() itself."""
        return lambda client: zone() if client.apex else self.country.fresh(zone())


@contextlib.contextmanager
def live(directory, clients, crowd=0, **options):
    for program in ("usr/bin/resolvectl", "usr/sbin/nscd"):
        if any(client.front for client in clients.values()) and not unpacked(program):
            pytest.skip(f"no {program}; scripts/test unpacks it")
    country, town = Country(crowd=crowd), None
    try:
        town = Town(country, directory, clients, **options)
        yield town
    finally:
        if town:
            town.close()
        country.lab("byway-stop")
        output = country.output()
        country.down()
    print(output[-4000:])
    assert not re.search(r"Sanitizer|runtime error:|Assertion", output), "bywayd broke; see its output"


def those(*names, nightly=False):
    """These clients, or all."""
    return {name: client for name, client in CLIENTS.items() if (name in names if names else client.nightly == nightly)}


# ---- what was said ----


def steps(line):
    return [(step["step"], step["group"]) for step in line["steps"]]


def told(looks):
    return "\n".join(
        f"{look.client}: {look.kind} {look.name}: {look.word} {look.rest[:3]} in {look.seconds:.3f} s\n" + "".join(
            f"    {line['type']} {line['rcode']} by {line['way']} ({line['why']}) in {line['ms']} ms: "
            f"{[(step['at'], step['step'], step['group'], step['outcome']) for step in line['steps']]}\n" for line in look.lines)
        for look in looks)


def check(looks, word, ways, least=0, most=1000):
    """All said `word`; every question is in the trace, by one of these ways or from the cache, into which it came by one of
    these; nor did byway take longer than `most` ms for one; and all took `least` seconds."""
    wrong = [look for look in looks if look.word != word or look.seconds < least or
             not any(line["way"] in ways for line in look.lines) or
             any(line["way"] not in {*ways, "cache"} or line["ms"] > most for line in look.lines)]
    assert not wrong, f"expected {word}, {ways}:\n{told(wrong)}"


def check_joined(looks):
    """A question that is repeated joins the first, begins it anew, with fewer datagrams, if that has none left
    (docs/decisions/0034), or hears from the cache what became of it."""
    for look in looks:
        sent = {}  # type → when each datagram of a question was sent; who has joined it tells of the same ones, or of more
        for line in look.lines:
            sent.setdefault(line["type"], set()).add(tuple(step["at"] for step in line["steps"] if (step["step"], step["over"]) == ("ask", "udp")))
        for asked in sent.values():
            first, *anew = sorted((len(one) for one in asked if not any(one == other[:len(one)] for other in asked - {one})), reverse=True)
            assert first <= DATAGRAMS and len(anew) <= 3 and max(anew, default=0) <= ANEW, told([look])


# ---- zones of every kind ----


def healthy(town):
    check(town.ask(town.below(town.next_zone)), "found", {"domestic"})


def absent(town, zone=lambda: "fine.test", way="domestic", **bounds):
    looks = town.ask(lambda client: town.country.fresh(zone()).replace(".any.", ".gone."))
    check(looks, "absent", {way}, **bounds)
    assert {line["rcode"] for look in looks for line in look.lines} == {"NXDOMAIN"}


def blocked_since_now(town):
    """Nobody has asked for the zone before: what domestic's patience costs, each client has to spare."""
    looks = town.ask(town.below(town.next_zone))
    check(looks, "found", {"external"}, least=0.5, most=2000)
    check_joined(looks)
    for line in (line for look in looks for line in look.lines if line["way"] == "external"):
        taken = steps(line)
        assert {("ask", "domestic"), ("judge", "external")} <= set(taken) or ("join", None) in taken, line
    absent(town, town.next_zone, "external", most=2000)


def blocked_long_since(town):
    check(town.ask(town.below(lambda: "twin.test")), "found", {"external"})
    absent(town, lambda: "twin.test", "external")


def refused(town):
    """Domestic fails at once, so nobody need wait."""
    check(town.ask(town.below(lambda: "geo.test")), "found", {"external"})


def half_silent(town):
    """The border drops questions for AAAA alone. All the names have one length, or they could not be told from others."""
    names = (f"h{n:03}.any.later.test" for n in range(100, 1000))
    offset = (8 + 12 + len("h000.any.later.test") + 2) * 8
    subprocess.run(["ip", "netns", "exec", f"{town.country.name}-border", "nft", "add", "rule", "inet", "border", "forward", "ip",
                    "daddr", HALF, "udp", "dport", "53", f"@th,{offset},16", "28", "drop"], check=True)
    looks = town.ask(lambda client: next(names), kinds=("host",))
    check(looks, "found", {"domestic", "external"}, least=0.5, most=2000)
    for look in looks:
        ways = {line["type"]: line["way"] for line in look.lines if line["way"] != "cache"}
        assert look.rest == ["192.0.2.99"] and ways == {"A": "domestic", "AAAA": "external"}, told([look])


def dead(town):
    """It was never reached by anybody: that is no word on whether it exists. nscd tells programs that it does not,
    whoever answers SERVFAIL (test_nscd)."""
    looks = town.ask(town.below(lambda: "nowhere.test"))
    check([look for look in looks if look.client != "nscd"], "temporary", {"none"}, most=4600)
    assert {look.word for look in looks if look.client == "nscd"} <= {"absent"}
    check_joined(looks)
    assert {line["rcode"] for look in looks for line in look.lines} == {"SERVFAIL"}
    assert any(("join", None) in steps(line) for look in looks for line in look.lines), "who asked again did not wait with the first"


def long(town):
    """What fits into no datagram comes by TCP. Who has none has what fits of several records, and of one nothing."""
    for kind, name, whole in (("TXT", "spf.fine.test", 4400), ("TXT", "medium.fine.test", 800), ("host", "many.fine.test", 40)):
        looks = town.ask(lambda client, name=name: name, kinds=(kind,), but=NO_TCP)
        check(looks, "found", {"domestic"})
        for look in looks:
            size = len(look.rest) if kind == "host" else int(look.rest[0]) if look.rest else whole
            assert size >= whole, told([look])
    for look in town.ask(lambda client: "spf.fine.test", kinds=("TXT",), only=NO_TCP):
        assert look.word == NO_TCP[look.client], told([look])
    for look in town.ask(lambda client: "many.fine.test", kinds=("host",), only=NO_TCP):
        assert look.word == "found" and len(look.rest) == 30, told([look])


def authentic(town):
    """Signed, and looked up by who wants to know; through systemd-resolved nobody hears of it that does not validate itself."""
    looks = town.ask(lambda client: "signed.test", kinds=("MX",))
    check(looks, "found", {"domestic"})
    assert {look.client for look in looks if "ad" in look.rest} == {"glibc edns0 trust-ad", "glibc dnssec", "musl"} & set(town.clients)


def play(town):
    """In an order in which none spoils the next: servers that a resolver has given up are given up for minutes."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        learning = pool.submit(town.country.learn, "twin.test")
        for situation in (healthy, absent, refused, long, authentic, half_silent):
            situation(town)
        learning.result()
    blocked_long_since(town)
    town.country.lab("block", CROWD)
    blocked_since_now(town)
    dead(town)
    town.country.check_accounts()


def test_zones_of_every_kind(tmp_path):
    with live(tmp_path, those(), crowd=160) as town:
        play(town)


def test_a_resolved_that_validates(tmp_path):
    """It asks for signatures, and again in another form after each SERVFAIL."""
    with live(tmp_path, those("systemd-resolved", "resolvectl")) as town:
        for dnssec in ("allow-downgrade", "yes"):
            def ask(zone, dnssec=dnssec):
                return town.ask(town.below(lambda: zone), ("host", "MX"), dnssec=dnssec)
            check(ask("bulk.example"), "found", {"domestic"})
            check(ask("hush.example"), "found", {"external"}, most=2000)
            looks = town.ask(lambda client: "signed.test", ("MX",), dnssec=dnssec)
            check(looks, "found", {"domestic"})
            assert looks[0].rest[1:] == ["ad"], told(looks)
        check(ask("nowhere.test"), "temporary", {"none"}, most=4600)


# ---- a second nameserver ----


@contextlib.contextmanager
def second_byway(country):
    """At 127.0.0.2; its control socket."""
    config = json.loads((country.dir / "byway.json").read_text())
    config.update(listen=["127.0.0.2:53"], control={"socket": str(country.dir / "second.sock")}, state=str(country.dir / "second"))
    path = country.dir / "second.json"
    path.write_text(json.dumps(config))
    with open(country.dir / "second.out", "wb") as output:
        process = subprocess.Popen(["ip", "netns", "exec", f"{country.name}-inside", BUILD / "bywayd", "-c", path], stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output)
    try:
        country.until("the second byway serves", lambda: country.ask("fine.test", server="127.0.0.2", timeout=1).rcode, 10)
        yield country.dir / "second.sock"
    finally:
        process.terminate()
        assert process.wait(15) == 0


@contextlib.contextmanager
def frozen(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_second_byway(tmp_path):
    """The first stands still, has ended, or is restarted: the second answers within everybody's patience. But glibc has
    no bound over TCP, and waits for who stands still for ever; ldns and nscd take 15 and 10 s, and are left out here."""
    with live(tmp_path, those(), nameservers=("127.0.0.1", "127.0.0.2")) as town, second_byway(town.country) as second:
        pid, first = int((town.country.dir / "byway.pid").read_text()), town.trace
        with contextlib.closing(first):
            town.trace = Trace(second)
            with frozen(pid):
                check(town.ask(town.below(lambda: "fine.test"), ("host", "MX"), but=("glibc use-vc", "ldns", "nscd")), "found", {"domestic"})
            town.country.lab("byway-stop")
            check(town.ask(town.below(lambda: "fine.test"), ("host", "MX")), "found", {"domestic"})
            with concurrent.futures.ThreadPoolExecutor() as pool:
                restarting = pool.submit(lambda: [town.country.lab(verb) for verb in ("byway-start", "byway-stop", "byway-start")])
                looks = [look for _ in range(2) for look in town.ask(town.below(lambda: "fine.test"), ("MX",))]
                assert not [look for look in looks if look.word != "found"], told(looks)
                restarting.result()


def test_a_second_that_is_no_byway(tmp_path):
    """A forging border, and the domestic resolver as a second nameserver: musl asks both at once, and believes who is first;
    the others turn to it as soon as byway has no answer. With byway alone nobody hears what is forged."""
    clients, true = those("glibc", "musl", "c-ares"), ["192.0.2.99"]
    forged = {"forged": {"addresses": STRANGERS}}
    with live(tmp_path, clients, nameservers=("127.0.0.1", "198.18.1.53"), settings=forged) as town, \
            contextlib.closing(House(town.country, tmp_path / "alone", ["127.0.0.1"])) as alone:
        def hear():
            """Client → what it heard beside the domestic resolver, and by byway alone. External takes its time, or musl's own
            question to domestic might come behind all that byway does."""
            town.country.lab("freeze", "external")
            thaw = threading.Timer(0.5, town.country.lab, ("thaw", "external"))
            thaw.start()
            looks = look_up_all([(house, tmp_path, name, "host", town.country.fresh("fine.test"))
                                 for name in clients for house in (town.house(None), alone)])
            thaw.join()
            return {name: [sorted(look.rest) or look.word for look in looks if look.client == name] for name in clients}
        town.country.lab("inject", "--address", STRANGERS[0], "--address", STRANGERS[1], "fine.test")
        assert hear() == {"glibc": [true, true], "c-ares": [true, true], "musl": [STRANGERS, true]}
        town.country.lab("external-down")
        assert hear() == {name: [STRANGERS, "temporary"] for name in clients}


# ---- more than a client may ask ----


def test_over_the_limit(tmp_path):
    """Half of what is too much is dropped, the rest cut: who knows TCP has its answer all the same, and asks again for what
    was dropped. musl takes what is cut for an empty answer, so it belongs into limits.client_exempt."""
    settings = {"limits": {"client_qps": 20, "client_exempt": []}}
    with live(tmp_path, those(), settings=settings) as town:
        looks = town.ask(town.below(lambda: "fine.test"), but=("udns", "ldns", "musl", "rspamd"))
        assert not [look for look in looks if look.word != "found"], told(looks)
        stats = town.country.ctl("stats")
        assert stats["rate_limited"] > 10 and stats["rate_truncated"] > 3
        looks = look_up_all([(town.house(None), tmp_path, "musl", "MX", town.country.fresh("fine.test")) for _ in range(40)])
        assert {look.word for look in looks} == {"found", "absent"}, told(looks)


# ---- by hand ----


@pytest.mark.nightly
def test_languages(tmp_path):
    """Go and Java, whose packages are large. In Debian 12's Java, InetAddress asks the C library."""
    with live(tmp_path, those(nightly=True), crowd=20) as town:
        play(town)


class Silent:
    """A server at 127.0.0.3 that says nothing; when it was asked, by name."""

    def __init__(self, country):
        self.asked = {}
        with country.inside():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.3", 53))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):
            while data := self.sock.recv(4096):
                name = dns.message.from_wire(data, ignore_trailing=True).question[0].name.to_text(omit_final_dot=True).lower()
                self.asked.setdefault(name, []).append(time.monotonic())

    def close(self):
        with contextlib.suppress(OSError):  # it has no peer, but ends who listens
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@pytest.mark.nightly
def test_nscd(bare, tmp_path):
    """It calls absent what has failed for now, without byway, too."""
    build(tmp_path, {})
    with contextlib.closing(House(bare, tmp_path / "house", [UPSTREAMS["domestic"][0]["address"]], "nscd")) as house:
        assert [look.word for look in look_up_all([(house, tmp_path, "glibc", "host", "lame.test")])] == ["absent"]


@pytest.mark.nightly
def test_patience(bare, tmp_path):
    """The times of docs/clients.md: how long a client waits for a server that is silent, and when it asks again."""
    clients = {name: client for name, client in CLIENTS.items() if client.again}
    build(tmp_path, clients)
    with contextlib.closing(Silent(bare)) as silent, contextlib.ExitStack() as stack:
        houses = {front: stack.enter_context(contextlib.closing(House(bare, tmp_path / f"{front}", ["127.0.0.3"], front)))
                  for front in (None, "nscd")}
        names = {name: f"p{number}.fine.test" for number, name in enumerate(clients)}
        jobs = [(houses[None], tmp_path, name, client.kinds[-1], names[name]) for name, client in clients.items()]
        for look in look_up_all([*jobs, (houses["nscd"], tmp_path, "nscd", "host", "nscd.fine.test")]):
            client, (first, *again) = CLIENTS[look.client], silent.asked[look.name]
            print(f"{look.client}: {look.word} after {look.seconds:.2f} s, again at {[round(at - first, 2) for at in again]}")
            if look.client == "nscd":  # glibc leaves it after 5 s, and asks by itself
                assert look.word == "temporary" and abs(look.seconds - client.patience) < 0.6, look
                continue
            assert look.word == "temporary" and -0.5 < look.seconds - client.patience < slack(look.client), look
            assert len(again) == len(client.again) and all(abs(at - first - due) < 0.3 for at, due in zip(again, client.again)), (look, again)
