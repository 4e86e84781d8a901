"""DNS over HTTPS from servers that are busy, leave, refuse, break HTTP/2 and lie: what a client sees, and what an operator
reads."""

import asyncio
import struct
import time

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from client import together
from conftest import EXTERNAL, SECOND
from daemon import wait_for
from secure import Doh
from test_tls import FEW_LINES, IN_TIME, at_rate, entry_of, lines_of, wait_problem

DATA, HEADERS, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 4, 6, 7, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, body=b""):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack("!I", stream) + body


def field(name, value):
    """HPACK: a literal that is not indexed, both short."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


# ---- servers that are as they should be, each in its way ----


class Backwards(Doh):
    """Holds answers for 50 ms, and gives the last first, each in pieces with those of others between."""

    async def reply(self, line, stream, wire):
        line.held = [*getattr(line, "held", []), (stream, wire)]
        await asyncio.sleep(0.05)
        held, line.held = line.held, []
        for one, _ in reversed(held):
            line.http.send_headers(one, [(":status", "200"), ("content-type", "application/dns-message")])
        for one, body in reversed(held):
            line.http.send_data(one, body[:20])
        for one, body in held:
            line.http.send_data(one, body[20:], end_stream=True)
        await self.flush(line)


class Narrow(Doh):
    """Takes few questions at once, says so, and refuses what goes beyond."""

    def __init__(self, few):
        self.few = few

    async def opened(self, line):
        line.open = 0
        await line.write(frame(SETTINGS, 0, 0, struct.pack("!HI", SettingCodes.MAX_CONCURRENT_STREAMS, self.few)))

    async def request(self, line, stream, wire):
        if line.open == self.few:
            line.http.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        line.open += 1
        await super().request(line, stream, wire)

    async def reply(self, line, stream, wire):
        await asyncio.sleep(0.02)
        line.open -= 1
        await super().reply(line, stream, wire)


class Chatty(Doh):
    """Says more than an answer: early hints, a ping, a frame of a kind that nobody knows, trailers."""

    async def reply(self, line, stream, wire):
        await line.write(frame(0x77, 0xff, stream, b"unknown"))
        line.http.ping(b"01234567")
        line.http.send_headers(stream, [(":status", "103"), ("link", "</style.css>")])
        line.http.send_headers(stream, [(":status", "200"), ("content-type", "Application/DNS-message; charset=x")])
        line.http.send_data(stream, wire)
        line.http.send_headers(stream, [("trailer", "yes")], end_stream=True)
        await self.flush(line)


class Dripping(Doh):
    """One byte in a frame."""

    async def reply(self, line, stream, wire):
        line.http.send_headers(stream, [(":status", "200"), ("content-type", "application/dns-message")])
        for byte in wire:
            line.http.send_data(stream, bytes([byte]))
        line.http.send_data(stream, b"", end_stream=True)
        await self.flush(line)


class Patience(Doh):
    """Closes what is idle for so long without a word."""

    async def reply(self, line, stream, wire):
        await super().reply(line, stream, wire)
        count = line.answers
        await asyncio.sleep(0.2)
        if line.answers == count:
            line.close()


@pytest.mark.parametrize("conduct", [Backwards(), Narrow(1), Narrow(5), Chatty(), Dripping(), Patience()],
                         ids=["backwards", "one at once", "five at once", "chatty", "drip", "closes"])
def test_answers_in_time(abroad, https, conduct):
    https.conduct = conduct
    daemon = abroad([https.upstream()], {"log.level": "info"})
    replies = at_rate(daemon, "good0.test", 40, 30)
    time.sleep(0.4)
    replies += at_rate(daemon, "good0.test", 40, 30, "r")
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    entry = entry_of(daemon, https)
    assert entry["problem"] is None and entry["state"] == "up", entry
    assert lines_of(daemon) == [], daemon.log()


@pytest.mark.parametrize("few", [1, 10])
def test_a_burst_at_a_server_that_takes_few_at_once(abroad, https, few):
    """None waits but for its turn."""
    https.conduct = Narrow(few)
    daemon = abroad([https.upstream()], {"log.level": "info"})
    replies = together([lambda n=n: daemon.ask(f"n{n}.good0.test") for n in range(80)])
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    assert max(reply.elapsed for reply in replies) < 1 + 0.02 * 80 / few
    assert len(https.lines) <= 10


def test_the_request_is_as_rfc_8484_has_it(abroad, https):
    daemon = abroad([https.upstream(sni="off")])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    (seen,) = https.seen("good0.test")
    head = https.heads[-1]
    assert head[":method"] == "POST" and head[":scheme"] == "https" and head[":path"] == "/dns-query"
    assert head[":authority"] == f"dns.example.net:{https.port}"
    assert head["content-type"] == head["accept"] == "application/dns-message"
    assert seen.id == 0 and seen.edns == 0 and len(seen.wire) % 128 == 0


class Aged(Doh):
    headers = (("age", "100"),)


def test_age_is_taken_off_the_ttls(abroad, https):
    https.conduct = Aged()
    assert abroad([https.upstream()]).ask("n.good0.test").ttls == [200]


# ---- servers that leave ----


class Leaving(Doh):
    """GOAWAY behind so many requests, as nginx has it at 1,000: it answers these and no others. `kind`: "late" tells it
    when more have come; "reset" closes at once behind it."""

    def __init__(self, few, kind="plain"):
        self.few, self.kind = few, kind

    async def opened(self, line):
        if self.few == 0:
            await self.leave(line, 0)

    async def leave(self, line, last):
        line.left = True
        await line.write(frame(GOAWAY, 0, 0, struct.pack("!II", last, 0)))
        if self.kind == "reset" or self.few == 0:
            line.close()

    async def request(self, line, stream, wire):
        if line.requests <= self.few:
            line.last = stream
            await super().request(line, stream, wire)
        if line.requests == self.few + (self.kind == "late"):
            await self.leave(line, line.last)

    async def reply(self, line, stream, wire):
        await super().reply(line, stream, wire)
        if getattr(line, "left", False) and line.answers == self.few:
            line.close()


def test_goaway_at_a_thousand_loses_nothing(abroad, https):
    https.conduct = Leaving(1000)
    daemon = abroad([https.upstream()], {"log.level": "info"})
    assert daemon.flood(f"n{n}.good0.test" for n in range(2500)) == {0: 2500}
    assert 3 <= len(https.lines) <= 8
    assert lines_of(daemon) == [], daemon.log()


@pytest.mark.parametrize("kind", ["plain", "late"])
def test_goaway_each_few_loses_nothing(abroad, https, kind):
    https.conduct = Leaving(20, kind)
    daemon = abroad([https.upstream()], {"log.level": "info"})
    got = daemon.flood(f"n{n}.good0.test" for n in range(300))
    assert got == {0: 300}
    assert len(https.lines) <= 60
    assert lines_of(daemon) == [], daemon.log()


def test_goaway_that_is_cut_off(abroad, https, second):
    """What it had taken and did not answer is asked elsewhere."""
    https.conduct = Leaving(20, "reset")
    daemon = abroad([https.upstream(), str(second)], {"log.level": "info"})
    replies = at_rate(daemon, "good0.test", 80, 40)
    assert {reply.rcode for reply in replies} == {"NOERROR"}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()


def other_answers(abroad, https, second, problem, lines, seconds=2.0, also=()):
    """Each question is answered by the other external upstream, few connections are made, the operator is told."""
    daemon = abroad([https.upstream(), str(second)], {"log.level": "info"})
    replies = at_rate(daemon, "good0.test", int(seconds * 20), 20)
    assert {tuple(reply.addresses) for reply in replies} <= {(SECOND,), *also}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    if problem:
        wait_problem(daemon, https, problem)
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()
    assert len(https.lines) <= lines
    return daemon


def test_goaway_at_once(abroad, https, second):
    https.conduct = Leaving(0)
    other_answers(abroad, https, second, None, lines=40)


class Refusing(Doh):
    """REFUSED_STREAM for every so many."""

    def __init__(self, every):
        self.every = every

    async def request(self, line, stream, wire):
        if line.requests % self.every == 0:
            line.http.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        await super().request(line, stream, wire)


def test_a_stream_that_is_refused_is_asked_again(abroad, https):
    https.conduct = Refusing(4)
    daemon = abroad([https.upstream()], {"log.level": "info"})
    assert daemon.flood(f"n{n}.good0.test" for n in range(200)) == {0: 200}
    assert lines_of(daemon) == [], daemon.log()


def test_all_streams_are_refused(abroad, https, second):
    https.conduct = Refusing(1)
    other_answers(abroad, https, second, None, lines=40)


# ---- servers that say no ----


class Saying(Doh):
    def __init__(self, status, body=b"<html>", kind="text/html", headers=()):
        self.status, self.body, self.kind, self.headers = status, body, kind, headers

    async def reply(self, line, stream, wire):
        await self.respond(line, stream, self.status, self.body, self.kind)


@pytest.mark.parametrize("conduct, problem", [
    (Saying(404), "HTTP status 404"),
    (Saying(301, headers=(("location", "https://192.0.2.1/"),)), "HTTP status 301"),
    (Saying(415), "HTTP status 415"),
    (Saying(200), "not of the type application/dns-message"),
    (Saying(200, b"", "application/dns-message"), "gives a question up"),
    (Saying(200, b"x" * 70000, "application/dns-message"), "gives a question up"),
], ids=["404", "redirect", "415", "html", "empty", "70 kB"])
def test_what_is_no_answer(abroad, https, second, conduct, problem):
    https.conduct = conduct
    other_answers(abroad, https, second, problem, lines=6)


@pytest.mark.parametrize("status", [429, 503])
def test_too_many_requests(abroad, https, second, status):
    """It is left in peace for as long as it says, and then asked again."""
    https.conduct = Saying(status, headers=(("retry-after", "2"),))
    daemon = abroad([https.upstream(), str(second)], {"log.level": "info"})
    began = time.monotonic()
    replies = at_rate(daemon, "good0.test", 30, 20)
    assert {tuple(reply.addresses) for reply in replies} == {(SECOND,)}
    assert f"HTTP status {status}" in entry_of(daemon, https)["problem"]
    assert https.count(since=began) <= 4
    https.conduct = Doh()
    https.hang_up()
    wait_for(lambda: daemon.ask(f"m{time.monotonic_ns()}.good0.test").addresses == [EXTERNAL], 8, "asked again")
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()


# ---- servers that break HTTP/2, or lie ----


class Raw(Doh):
    """These bytes in the place of an answer."""

    def __init__(self, make):
        self.make = make

    async def reply(self, line, stream, wire):
        await line.write(self.make(stream, wire))


def huge_headers(stream, _):
    """1 MB in one header block."""
    many = field(b"x-long", b"y" * 120) * 120
    pieces = [frame(CONTINUATION, 0, stream, many[:16000]) for _ in range(66)]
    return frame(HEADERS, 0, stream, field(b":status", b"200")) + b"".join(pieces) + frame(CONTINUATION, END_HEADERS, stream)


def data_first(stream, wire):
    return frame(DATA, END_STREAM, stream, wire)


def headers_in_two(stream, wire):
    """With another stream's frame between a block's two."""
    return frame(HEADERS, 0, stream, field(b":status", b"200")) + frame(DATA, 0, stream, wire)


def lone_continuation(stream, _):
    return frame(CONTINUATION, END_HEADERS, stream, field(b":status", b"200"))


def even_stream(_, wire):
    return frame(HEADERS, END_HEADERS, 4, field(b":status", b"200")) + frame(DATA, END_STREAM, 4, wire)


def http_1(_stream, _wire):
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


def flood_of_pings(_stream, _wire):
    return frame(PING, 0, 0, b"12345678") * 20000


@pytest.mark.parametrize("make, problem", [
    (huge_headers, ""), (data_first, ""), (headers_in_two, "broke HTTP/2"), (lone_continuation, "broke HTTP/2"),
    (even_stream, "broke HTTP/2"), (http_1, "broke HTTP/2"), (flood_of_pings, ""),
])
def test_broken_frames(abroad, https, second, make, problem):
    https.conduct = Raw(make)
    other_answers(abroad, https, second, problem, lines=80)


class Swapping(Doh):
    """Each answer on the stream of the question before."""

    async def reply(self, line, stream, wire):
        before, line.before = getattr(line, "before", None), wire
        await super().reply(line, stream, before or wire)


def test_the_answer_to_another_question(abroad, https, second):
    https.conduct = Swapping()
    daemon = abroad([https.upstream(), str(second)], {"log.level": "info"})
    replies = at_rate(daemon, "good0.test", 40, 20)
    assert {reply.rcode for reply in replies} == {"NOERROR"}
    for reply in replies:
        assert reply.message.answer[0].name == reply.message.question[0].name
    assert max(reply.elapsed for reply in replies) < IN_TIME
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()


class Endless(Doh):
    """Headers, and half of the answer; no end."""

    async def reply(self, line, stream, wire):
        line.http.send_headers(stream, [(":status", "200"), ("content-type", "application/dns-message")])
        line.http.send_data(stream, wire[:20])
        await self.flush(line)


class Shut(Doh):
    """A window of nothing: the question's body cannot be sent."""

    async def opened(self, line):
        line.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        await self.flush(line)


@pytest.mark.parametrize("conduct", [Endless(), Shut()])
def test_silence_in_mid_answer(abroad, https, second, conduct):
    https.conduct = conduct
    other_answers(abroad, https, second, None, lines=40, also={(EXTERNAL,)})


def test_a_server_without_http_2(abroad, https, second):
    https.context.set_alpn_protocols(["http/1.1"])
    other_answers(abroad, https, second, "HTTP/2", lines=12)


def test_connections_that_died_while_idle(abroad, https):
    daemon = abroad([https.upstream()])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    for again in range(2):
        https.freeze()
        replies = at_rate(daemon, "good0.test", 30, 20, f"q{again}-")
        assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
        assert max(reply.elapsed for reply in replies) < IN_TIME
        assert replies[-1].elapsed < 0.3
