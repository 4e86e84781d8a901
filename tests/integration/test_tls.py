"""DNS over TLS from servers that break it, stall, close and lie, and on lines that go dead: what a client sees, what an
operator reads, and that nothing is ever said in plain text."""

import asyncio
import collections
import struct
import subprocess
import time

import dns.edns
import pytest

from certificates import NAME, OTHER
from client import together
from conftest import EXTERNAL, SECOND
from daemon import wait_for
from secure import Dot
from upstream import Resolve, Silent

IN_TIME = 1.5  # s, generous: a stall is seen after 0.6 s
FEW_LINES = 8  # of the log


def lines_of(daemon):
    """What the log says at `info` and above, but for how it started."""
    return [line for line in daemon.log().splitlines() if "upstream" in line and "plain" not in line]


def entry_of(daemon, server):
    (entry,) = [entry for entry in daemon.control("upstreams") if entry["upstream"] == str(server)]
    return entry


def wait_problem(daemon, server, words, seconds=6.0):
    return wait_for(lambda: words in (entry_of(daemon, server)["problem"] or ""), seconds,
                    f"{words}: {entry_of(daemon, server)}")


def at_rate(daemon, zone, count, rate, prefix="q"):
    """`count` questions, `rate` a second, each on time; their replies."""
    began = time.monotonic()

    def at(number):
        time.sleep(max(0, began + number / rate - time.monotonic()))
        return daemon.ask(f"{prefix}{number}.{zone}")
    return together([lambda n=n: at(n) for n in range(count)])


# ---- servers that break the connection ----


class Stalling(Dot):
    """Says nothing behind the client's first words."""

    async def shake(self, line):
        await line.more()
        await asyncio.sleep(60)


class Garbage(Dot):
    async def shake(self, line):
        await line.more()
        await line.raw(b"SSH-2.0-OpenSSH_9.2p1\r\n" * 10)
        await asyncio.sleep(60)


class CutAtHello(Dot):
    """As a border that has read the name."""

    async def shake(self, line):
        await line.more()
        line.reset()


class CutInHandshake(Dot):
    async def shake(self, line):
        await line.more()
        try:
            line.tls.do_handshake()
        except OSError:
            pass
        await line.raw(line.outgoing.read()[:200])
        line.reset()


def fails_over(abroad, tls, second, problem, conduct=None):
    """It cannot be talked to: each question is answered by the other external upstream, and the operator is told why."""
    if conduct:
        tls.conduct = conduct
    daemon = abroad([tls.upstream(), str(second)], {"log.level": "info"})
    before = daemon.descriptors()
    replies = [daemon.ask(f"n{n}.good0.test") for n in range(3)]
    assert {tuple(reply.addresses) for reply in replies} == {(SECOND,)}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    wait_problem(daemon, tls, problem)
    for n in range(40):
        assert daemon.ask(f"m{n}.good0.test").addresses == [SECOND]
        time.sleep(0.05)
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()
    assert len(tls.lines) <= 12
    wait_for(lambda: daemon.descriptors() <= before + 4, 6, "its descriptors are closed")


@pytest.mark.parametrize("conduct, problem", [
    (Stalling(), "silent: no answer to the handshake"),
    (Garbage(), "what answers does not speak TLS"),
    (CutAtHello(), "the connection was reset behind the ClientHello"),
    (CutInHandshake(), "the connection was reset in the handshake"),
])
def test_a_handshake_that_goes_wrong(abroad, tls, second, conduct, problem):
    fails_over(abroad, tls, second, problem, conduct)


def test_tls_of_before_1_2(abroad, tls, second):
    tls.show("good", old=True)
    fails_over(abroad, tls, second, "it speaks no TLS as new as 1.2")


@pytest.mark.parametrize("form", ["udp", "tcp"])
def test_a_server_that_is_alone_fails_closed(abroad, tls, form):
    """Expired, and nobody else there: SERVFAIL, told as what it is, and not a byte in plain text."""
    tls.show("expired")
    daemon = abroad([tls.upstream()])
    assert daemon.ask("n.good0.test", tcp=form == "tcp").rcode == "SERVFAIL"
    entry = entry_of(daemon, tls)
    assert "its certificate expired at" in entry["problem"] and "refused" not in entry["problem"]
    assert tls.count(transport="udp") == 0


class Resetting(Dot):
    """Resets in the middle of the record that carries the answer, every so often."""

    def __init__(self, every):
        self.every, self.count = every, 0

    async def reply(self, line, wire):
        self.count += 1
        record = line.sealed(struct.pack("!H", len(wire)) + wire)
        if self.count % self.every == 0:
            await line.raw(record[:len(record) // 2])
            line.reset()
            return
        await line.raw(record)


class Closing(Dot):
    """Closes behind so many answers, or says that it does and does not."""

    def __init__(self, few, how="notify"):
        self.few, self.how = few, how

    async def reply(self, line, wire):
        await super().reply(line, wire)
        if line.answers < self.few:
            return
        if self.how != "abrupt":
            await line.bye()
        if self.how != "notify-only":
            line.close()


class Dripping(Dot):
    """One byte at a time, handshake and all."""

    async def shake(self, line):
        whole = line.raw

        async def drip(data):
            for byte in data:
                await whole(bytes([byte]))
                await asyncio.sleep(0)
        line.raw = drip
        await line.shake()

    async def reply(self, line, wire):
        async with line.lock:
            await super().reply(line, wire)


class Tiny(Dot):
    """Each byte of an answer in a record of its own."""

    async def reply(self, line, wire):
        async with line.lock:
            for byte in struct.pack("!H", len(wire)) + wire:
                await line.write(bytes([byte]))


class Backwards(Dot):
    """Holds answers until there are five, and gives the last first; what remains comes 50 ms later."""

    def __init__(self):
        self.held = []

    async def reply(self, line, wire):
        self.held.append(wire)
        await asyncio.sleep(0 if len(self.held) >= 5 else 0.05)
        while self.held:
            await super().reply(line, self.held.pop())


@pytest.mark.parametrize("conduct", [
    Closing(1), Closing(1, "abrupt"), Closing(1, "notify-only"), Closing(7), Dripping(), Tiny(), Backwards()],
    ids=["each", "each-abrupt", "each-notify-only", "seven", "drip", "tiny", "backwards"])
def test_answers_in_time_from_a_server_that_is_odd(abroad, tls, conduct):
    tls.conduct = conduct
    daemon = abroad([tls.upstream()], {"log.level": "info"})
    replies = at_rate(daemon, "good0.test", 60, 40)
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    entry = entry_of(daemon, tls)
    assert entry["problem"] is None and entry["state"] == "up", entry
    assert len(lines_of(daemon)) <= 1, daemon.log()


def test_a_reset_in_mid_record_costs_no_answer(abroad, tls, second):
    tls.conduct = Resetting(5)
    daemon = abroad([tls.upstream(), str(second)], {"log.level": "info"})
    replies = at_rate(daemon, "good0.test", 60, 40)
    assert {reply.rcode for reply in replies} == {"NOERROR"}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()


# ---- servers and lines that fall silent ----


class Mute(Dot):
    """Silent on a connection behind so many answers, or so many bytes, as a border that lets 15 kB through."""

    def __init__(self, answers=None, size=None):
        self.answers, self.size = answers, size

    async def reply(self, line, wire):
        if self.answers is not None and line.answers >= self.answers:
            return
        if self.size is not None and line.sent + len(wire) > self.size:
            return
        await super().reply(line, wire)


@pytest.mark.parametrize("conduct", [Mute(answers=3), Mute(answers=40), Mute(size=15000)],
                         ids=["3 answers", "40 answers", "15 kB"])
def test_silence_behind_so_much(abroad, tls, conduct):
    tls.conduct = conduct
    daemon = abroad([tls.upstream()])
    replies = [daemon.ask(f"n{n}.good0.test") for n in range(4)]
    replies += at_rate(daemon, "good0.test", 100, 40)
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    assert max(reply.elapsed for reply in replies) < IN_TIME


def test_connections_that_died_while_idle(abroad, tls):
    """All that are pooled, without a word; new questions do not put off that it is noticed."""
    daemon = abroad([tls.upstream()])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    for again in range(2):
        tls.freeze()
        replies = at_rate(daemon, "good0.test", 30, 20, prefix=f"q{again}-")
        assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
        assert max(reply.elapsed for reply in replies) < IN_TIME
        assert replies[-1].elapsed < 0.3


@pytest.fixture
def border(tls):
    """border(port): from then on nothing passes between that port of the client's and the server, either way."""
    table = "byway-border"

    def nft(text):
        return subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True, check=False)
    made = nft(f"table inet {table} {{\nchain c {{\ntype filter hook output priority 0;\n}}\n}}\n")
    if made.returncode != 0:
        pytest.skip(f"no nftables here: {made.stderr.strip()}")

    def cut(port):
        for one, other in ((port, tls.port), (tls.port, port)):
            done = nft(f"add rule inet {table} c tcp sport {one} tcp dport {other} drop")
            assert done.returncode == 0, done.stderr
    yield cut
    nft(f"delete table inet {table}")


def test_half_open_after_a_change_of_address(abroad, tls, border):
    daemon = abroad([tls.upstream()])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    for line in tls.open_lines():
        border(line.peer[1])
    replies = at_rate(daemon, "good0.test", 40, 20)
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    assert replies[-1].elapsed < 0.3


def test_back_after_the_server_was_away(abroad, tls):
    daemon = abroad([tls.upstream()], {"log.level": "info"})
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    tls.stop()
    replies = at_rate(daemon, "good0.test", 20, 20, prefix="away")
    assert {reply.rcode for reply in replies} == {"SERVFAIL"}
    assert "refused" in entry_of(daemon, tls)["problem"]
    tls.start()
    asked = iter(range(1000))
    wait_for(lambda: daemon.ask(f"back{next(asked)}.good0.test").rcode == "NOERROR", 6, "it is used again")
    assert entry_of(daemon, tls)["problem"] is None
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()


def test_an_unreachable_upstream_delays_no_start(abroad, tls):
    tls.conduct = Stalling()
    began = time.monotonic()
    daemon = abroad([tls.upstream(), {**tls.upstream(), "address": f"tls://127.0.0.99:853#{NAME}"}])
    assert time.monotonic() - began < 3
    assert daemon.alive()


class Late(Dot):
    """The handshake comes about long after those who waited for it have been answered."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def shake(self, line):
        await asyncio.sleep(self.seconds)
        await line.shake()


def test_who_waited_has_gone_when_the_handshake_ends(abroad, tls):
    tls.conduct = Late(1.5)
    daemon = abroad([tls.upstream()], {"fallback.deadline": "1s"})
    replies = together([lambda n=n: daemon.ask(f"n{n}.good0.test") for n in range(50)])
    assert {reply.rcode for reply in replies} == {"SERVFAIL"}
    wait_for(lambda: daemon.ask(f"m{time.monotonic_ns()}.good0.test").rcode == "NOERROR", 4, "answers")


# ---- how many connections, and for how long ----


def test_one_connection_for_all(abroad, tls):
    """A burst on a cold connection, and questions one by one: no reconnecting, no connection for each probe."""
    tls.lag = 0.05
    daemon = abroad([tls.upstream()])
    began = time.monotonic()
    replies = together([lambda n=n: daemon.ask(f"n{n}.good0.test") for n in range(60)])
    replies += at_rate(daemon, "good0.test", 40, 20)
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    # One in each of two threads, and where the machine stalls one more a second at most in each.
    assert len(tls.lines) <= 2 + 2 * int(time.monotonic() - began)


def test_probes_share_the_connection(abroad, tls, second):
    """Silent to its questions, but there: it is probed, on what is open."""
    daemon = abroad([tls.upstream(), str(second)])
    assert daemon.ask("n.good0.test").rcode == "NOERROR"
    tls.default = Silent()
    began = time.monotonic()
    while time.monotonic() - began < 6.5:
        assert daemon.ask(f"m{time.monotonic_ns()}.good0.test").rcode == "NOERROR"
        time.sleep(0.2)
    assert tls.count(".", qtype="NS") > 0
    assert len(tls.lines) <= 16  # one more a second at most for what stalls, in each of two threads


class Keeping(Resolve):
    """Says that it keeps a connection for 3 s (edns-tcp-keepalive)."""

    async def play(self, asked):
        reply = asked.from_world()
        reply.use_edns(0, payload=1232, options=[dns.edns.GenericOption(11, struct.pack("!H", 30))])
        await asked.send(reply.to_wire())


def test_an_idle_connection_is_closed_before_the_server_does(abroad, tls):
    tls.default = Keeping()
    daemon = abroad([tls.upstream()])
    assert daemon.ask("n.good0.test").rcode == "NOERROR"
    (seen,) = tls.seen("good0.test")
    assert seen.line in tls.open_lines()
    wait_for(lambda: seen.line not in tls.open_lines(), 3, "closed")


class Patience(Dot):
    """Closes what is idle for so long, with or without a word."""

    def __init__(self, seconds, notify):
        self.seconds, self.notify = seconds, notify

    async def reply(self, line, wire):
        await super().reply(line, wire)
        count = line.answers
        await asyncio.sleep(self.seconds)
        if line.answers == count:
            if self.notify:
                await line.bye()
            line.close()


@pytest.mark.parametrize("notify", [True, False])
def test_a_server_that_closes_when_idle_costs_nothing(abroad, tls, notify):
    tls.conduct = Patience(0.2, notify)
    daemon = abroad([tls.upstream()], {"log.level": "info"})
    for n in range(8):
        reply = daemon.ask(f"n{n}.good0.test")
        assert reply.addresses == [EXTERNAL] and reply.elapsed < 0.5
        time.sleep(0.35)
    used = {id(seen.line): seen.line for seen in tls.seen("good0.test")}
    assert len(used) == 8 and sum(line.resumed for line in used.values()) == 7
    assert entry_of(daemon, tls)["problem"] is None
    assert lines_of(daemon) == [], daemon.log()


def test_questions_that_met_a_cold_connection(abroad, tls):
    """With a server that closes behind each 40 answers: once that is known, none waits for a handshake, and what is
    under way at a close is asked once more and answered."""
    tls.lag, tls.conduct = 0.15, Closing(40)
    daemon = abroad([tls.upstream()], {"workers": 1})
    replies = at_rate(daemon, "good0.test", 300, 25)
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    later = [seen for seen in tls.seen("good0.test", qtype="A") if int(seen.text[1:seen.text.index(".")]) > 160]
    met = [(seen.text, round(seen.at - seen.line.opened, 3)) for seen in later if seen.at - seen.line.opened < 0.02]
    assert met == []
    asked = collections.Counter(seen.text for seen in later)
    assert len(asked) == 139 and max(asked.values()) <= 2


# ---- who it must be ----


def test_no_session_for_another_name(abroad, tls, second):
    """The same address and port with another name, right or wrong, shares neither connection nor session."""
    other = {**tls.upstream(), "address": str(tls).replace(NAME, OTHER)}
    daemon = abroad([tls.upstream()], {"upstreams.other": [other], "zones": [
        {"zone": "good1.test", "via": "other"}, {"zone": "test", "via": "external"}]})
    for n in range(3):
        assert daemon.ask(f"n{n}.good0.test").addresses == [EXTERNAL]
        assert daemon.ask(f"n{n}.good1.test").rcode == "SERVFAIL"
    (entry,) = [entry for entry in daemon.control("upstreams") if entry["group"] == "other"]
    assert f"is for {NAME}, not for {OTHER}" in entry["problem"]


def test_a_reload_with_another_pin_resumes_nothing(abroad, tls, certificates):
    daemon = abroad([tls.upstream(pins=[certificates["good"].pin])])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    daemon.set({"upstreams.external": [tls.upstream(pins=[certificates["other"].pin])]})
    daemon.hang_up()
    assert daemon.ask("m.good0.test").rcode == "SERVFAIL"
    assert "which is not among \"pins\"" in entry_of(daemon, tls)["problem"]


def test_a_new_certificate_authority_needs_a_reload_alone(abroad, tls, certificates, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificates["itself"].pem())
    daemon = abroad([tls.upstream(ca=str(ca))])
    assert daemon.ask("n.good0.test").rcode == "SERVFAIL"
    ca.write_bytes(certificates.ca.read_bytes())
    daemon.hang_up()
    wait_for(lambda: daemon.ask(f"m{time.monotonic_ns()}.good0.test").addresses == [EXTERNAL], 6, "believed")


def test_an_operator_reads_why_a_certificate_of_tomorrow_is_no_good(abroad, tls):
    tls.show("early")
    daemon = abroad([tls.upstream()])
    assert daemon.ask("n.good0.test").rcode == "SERVFAIL"
    wait_for(lambda: any("is down" in line and "is this machine's clock right?" in line for line in daemon.warnings()), 8, "told")

