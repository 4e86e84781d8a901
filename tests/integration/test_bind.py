"""`bind`: from which address, or on which interface, an upstream is asked, in each form."""

import pytest

from conftest import DOMESTIC, EXTERNAL

SOURCE, OTHER = "127.0.0.71", "127.0.0.72"


def sources(server, zone="good0.test", **filters):
    return {seen.peer[0] for seen in server.seen(zone, **filters)}


@pytest.fixture(params=["udp", "tcp", "tls", "https"])
def bound(request, external, tls, https):
    """The upstream's entry without `bind`, and the server."""
    if request.param in ("udp", "tcp"):
        return {"address": f"{'tcp://' if request.param == 'tcp' else ''}{external}"}, external
    server = tls if request.param == "tls" else https
    return server.upstream(), server


def test_the_server_sees_the_source(abroad, bound):
    entry, server = bound
    daemon = abroad([{**entry, "bind": SOURCE}])
    for n in range(20):
        assert daemon.ask(f"n{n}.good0.test").addresses == [EXTERNAL]
    assert sources(server) == {SOURCE}
    daemon.set({"upstreams.external": [{**entry, "bind": OTHER}]})
    daemon.hang_up()
    server.forget()
    for n in range(20):
        assert daemon.ask(f"m{n}.good0.test").addresses == [EXTERNAL]
    assert sources(server) == {OTHER}


def test_an_answer_that_is_cut_comes_over_tcp_from_there_too(abroad, external, world, fresh):
    zone = fresh("cut")
    world.add(zone, "@ TXT " + " ".join(['"' + "x" * 200 + '"'] * 12) + "\n")
    daemon = abroad([{"address": str(external), "bind": SOURCE}])
    assert daemon.ask(zone, "TXT", tcp=True).rcode == "NOERROR"
    assert sources(external, zone, transport="udp") == sources(external, zone, transport="tcp") == {SOURCE}


def test_sources_do_not_mix(abroad, external, domestic):
    """Many questions a second to two upstreams, one of which is bound: sockets of the one never ask the other."""
    daemon = abroad([{"address": str(external), "bind": SOURCE}], {"zones": [{"zone": "good0.test", "via": "external"},
                                                                          {"zone": "test", "via": "domestic"}]})
    names = (f"n{n}.good{n % 2}.test" for n in range(3000))
    assert daemon.flood(names) == {0: 3000}
    assert sources(external) == {SOURCE}
    assert sources(domestic, "good1.test") == {"127.0.0.1"}
    assert daemon.ask("last.good1.test").addresses == [DOMESTIC]


def test_an_interface(abroad, bound):
    entry, server = bound
    daemon = abroad([{**entry, "bind": "lo"}])
    for n in range(5):
        assert daemon.ask(f"n{n}.good0.test").addresses == [EXTERNAL]
    assert sources(server) == {"127.0.0.1"}


def test_ipv6(abroad, stage, world, needs_ipv6):
    server = stage.upstream(world, "::1", EXTERNAL)
    try:
        for way in (str(server), f"tcp://{server}"):
            daemon = abroad([{"address": way, "bind": "::1"}])
            assert daemon.ask("n.good0.test").addresses == [EXTERNAL]
    finally:
        server.stop()


def test_an_address_that_is_not_here(abroad, bound, second):
    """Another upstream answers; the daemon starts all the same, for the address may come."""
    entry, server = bound
    daemon = abroad([{**entry, "bind": "198.51.100.77"}, str(second)])
    for n in range(5):
        reply = daemon.ask(f"n{n}.good0.test")
        assert reply.rcode == "NOERROR" and reply.elapsed < 1
    assert server.count("good0.test") == 0
