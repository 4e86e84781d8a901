"""Upstreams through a SOCKS5 proxy, in each form: one that serves, and one that refuses, closes or is gone. What byway
asks through a proxy it asks no other way."""

import time

import pytest

from conftest import EXTERNAL, SECOND
from daemon import wait_for
from socks import NO_METHOD, Dante, Proxy
from test_tls import FEW_LINES, IN_TIME, at_rate, entry_of, lines_of, wait_problem

WORD = ("postmaster", "correct horse battery staple")


@pytest.fixture
def proxy(stage):
    proxy = Proxy(stage, "127.0.0.61")
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def dante():
    proxy = Dante("127.0.0.1").wait()
    yield proxy
    proxy.close()


@pytest.fixture(params=["tcp", "tls", "https"])
def upstream(request, external, tls, https):
    """upstream(proxy): its entry in the configuration, and the server."""
    def make(proxy):
        if request.param == "tcp":
            return {"address": f"tcp://{external}", "proxy": proxy}, external
        server = tls if request.param == "tls" else https
        return server.upstream(proxy=proxy), server
    return make


def test_answers_by_way_of_a_proxy(abroad, proxy, upstream):
    entry, server = upstream(str(proxy))
    daemon = abroad([entry])
    replies = at_rate(daemon, "good0.test", 30, 40)
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    assert proxy.greetings[0] == (5, [NO_METHOD])
    assert set(proxy.targets) == {((5, 1, 0, 1), server.address, server.port)}
    assert len(proxy.targets) <= 3
    assert server.count(transport="udp") == 0


def test_answers_by_way_of_dante(abroad, dante, upstream):
    entry, _ = upstream(str(dante))
    daemon = abroad([entry])
    replies = at_rate(daemon, "good0.test", 30, 40)
    assert {tuple(reply.addresses) for reply in replies} == {(EXTERNAL,)}
    assert "127.0.0" in dante.log.read_text()


@pytest.fixture
def with_word(proxy, tmp_path):
    """with_word(password): the proxy's entry; it wants WORD."""
    proxy.word = WORD

    def make(password):
        path = tmp_path / "password"
        path.write_text(password + "\n")
        path.chmod(0o600)
        return {"address": str(proxy), "user": WORD[0], "password_file": str(path)}
    return make


def test_user_and_password(abroad, proxy, upstream, with_word):
    entry, _ = upstream(with_word(WORD[1]))
    daemon = abroad([entry])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    assert set(proxy.words) == {WORD}
    said = daemon.log() + str(daemon.control("upstreams")) + str(daemon.control("status"))
    assert WORD[1] not in said


def refused(daemon, server, problem):
    """Each question is answered by the other upstream, in time; the operator is told, in a few lines."""
    replies = at_rate(daemon, "good0.test", 40, 20)
    assert {tuple(reply.addresses) for reply in replies} == {(SECOND,)}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    (entry,) = [one for one in daemon.control("upstreams") if one["upstream"] == server]
    assert problem in (entry["problem"] or ""), entry
    assert len(lines_of(daemon)) <= FEW_LINES, daemon.log()



@pytest.mark.parametrize("password, problem", [("wrong", "refused the user or the password"),
                                               (None, "wants a user and a password")])
def test_a_proxy_that_does_not_know_the_user(abroad, proxy, tls, second, with_word, password, problem):
    entry = tls.upstream(proxy=with_word(password) if password else str(proxy))
    refused(abroad([entry, str(second)], {"log.level": "info"}), str(tls), problem)
    assert not tls.lines


@pytest.mark.parametrize("code, problem", [
    (1, "the proxy failed"), (2, "rules forbid"), (3, "network unreachable"), (4, "host unreachable"),
    (5, "connection refused"), (6, "time to live"), (7, "does not know CONNECT"), (8, "that kind of address"),
    (99, "nobody knows")])
def test_each_refusal_is_told(abroad, proxy, tls, code, problem):
    proxy.refuse = code
    daemon = abroad([tls.upstream(proxy=str(proxy))])
    began = time.monotonic()
    assert daemon.ask("n.good0.test").rcode == "SERVFAIL" and time.monotonic() - began < IN_TIME
    assert problem in entry_of(daemon, tls)["problem"]
    assert not tls.lines


@pytest.mark.parametrize("ends, problem", [("greeting", "the connection"), ("word", "the connection"),
                                           ("connect", "the connection"), ("open", "in the handshake")])
def test_a_proxy_that_closes(abroad, proxy, tls, second, ends, problem):
    proxy.ends, proxy.bytes = ends, 100
    refused(abroad([tls.upstream(proxy=str(proxy)), str(second)], {"log.level": "info"}), str(tls), problem)


def test_a_proxy_that_says_nothing(abroad, proxy, tls, second):
    proxy.mute = True
    daemon = abroad([tls.upstream(proxy=str(proxy)), str(second)], {"log.level": "info"})
    replies = at_rate(daemon, "good0.test", 20, 20)
    assert {tuple(reply.addresses) for reply in replies} == {(SECOND,)}
    assert max(reply.elapsed for reply in replies) < IN_TIME
    wait_problem(daemon, tls, "silent")


def test_a_proxy_that_is_gone_and_comes_back(abroad, proxy, tls):
    """Nothing goes round it meanwhile."""
    daemon = abroad([tls.upstream(proxy=str(proxy))])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    lines = len(tls.lines)
    proxy.stop()
    replies = at_rate(daemon, "good0.test", 10, 20)
    assert {reply.rcode for reply in replies} == {"SERVFAIL"} and len(tls.lines) == lines
    proxy._server = proxy.stage.run(proxy._start())
    asked = iter(range(1000))
    wait_for(lambda: daemon.ask(f"back{next(asked)}.good0.test").rcode == "NOERROR", 6, "it is used again")


def test_what_is_no_proxy(abroad, external, tls, second):
    """A DNS server in its place."""
    daemon = abroad([tls.upstream(proxy=f"socks5://{second}"), str(external)])
    assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    assert daemon.ask("m.good0.test").addresses == [EXTERNAL]
    assert not tls.lines
