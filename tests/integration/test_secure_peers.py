"""Debian's own servers of DNS over TLS and HTTPS as upstreams, with right certificates and each kind of wrong one."""

import pytest

import peers
from certificates import GOOD, NAME, WRONG
from daemon import Daemon, wait_for
from peers import TEXT, ZONE, address_of, all_at_once

HOSTS = {"unbound": "127.0.0.42", "kresd": "127.0.0.43", "dnsdist": "127.0.0.44", "named": "127.0.0.1"}
ALL = (*GOOD, *WRONG)


@pytest.fixture(scope="module")
def authority():
    peer = peers.knotd("127.0.0.41")
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def unbound(authority, certificates):
    peer = peers.secure_unbound(HOSTS["unbound"], authority, certificates)
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def kresd(authority, certificates):
    peer = peers.kresd(HOSTS["kresd"], authority, certificates)
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def dnsdist(authority, certificates):
    peer = peers.secure_dnsdist(HOSTS["dnsdist"], authority, certificates, ALL)
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def named(authority, certificates):
    peer = peers.secure_named(HOSTS["named"], authority, certificates, ALL)
    yield peer
    peer.close()


def upstream(peer, form, kind, certificates, **more):
    """`kind` address: verified by its address, for no name is given."""
    name = "" if kind == "address" else f"#{NAME}"
    return {"address": peer.ways[form, kind] + name, "ca": str(certificates.ca), **more}


@pytest.fixture(params=["unbound", "kresd", "dnsdist", "named"])
def peer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["tls", "https"])
def form(request):
    return request.param


def one(daemon, group="external"):
    (entry,) = [entry for entry in daemon.control("upstreams") if entry["group"] == group]
    return entry


def test_answers_come(peer, form, certificates, domestic):
    with_way = upstream(peer, form, "good", certificates)
    daemon = Daemon([domestic], [], {"upstreams.external": [with_way], "zones": [{"zone": ZONE, "via": "external"}]})
    daemon.start()
    try:
        assert daemon.ask(ZONE, "A").addresses == ["192.0.2.80"]
        assert daemon.ask(f"large.{ZONE}", "TXT", tcp=True).texts == [TEXT]
        assert daemon.ask(f"nothing.{ZONE}", "MX").rcode == "NXDOMAIN"
        names = [f"n{n}.{ZONE}" for n in range(100)]
        assert all_at_once(daemon.where, names) == {name: [address_of(n)] for n, name in enumerate(names)}
        entry = one(daemon)
        assert (entry["state"], entry["problem"], entry["problem_since"]) == ("up", None, None)
        assert (entry["tls"], entry["transport"]) == ("TLSv1.3", form)
        assert entry["upstream"] == with_way["address"]
        assert entry["certificate"]["subject"] == NAME and entry["certificate"]["issuer"] == "Test CA"
        assert entry["certificate"]["pin"] == certificates["good"].pin
        assert entry["certificate"]["not_after"] == certificates["good"].not_after
        assert domestic.count(ZONE) == 0
    finally:
        daemon.close()


def with_pins(certificates):
    """{group: (upstream's kind, its keys)}: pins stand for name, dates and issuer; with a `ca` both must hold."""
    right, other = certificates["expired"].pin, certificates["good"].pin
    return {
        "pinned": ("expired", {"pins": [other, right]}),
        "mispinned": ("expired", {"pins": [other]}),
        "both": ("expired", {"pins": [right], "ca": str(certificates.ca)}),
        "narrow": ("whole", {"pins": [other], "ca": str(certificates.ca)}),
    }


@pytest.fixture(params=["dnsdist", "named"])
def many(request):
    return request.getfixturevalue(request.param)


def test_each_certificate_is_believed_or_not(request, many, form, certificates, domestic, external):
    """Each is a group of its own, so that nothing hides what it does."""
    groups = {kind: [upstream(many, form, kind, certificates)] for kind in ALL}
    for group, (kind, keys) in with_pins(certificates).items():
        groups[group] = [{"address": f"{many.ways[form, kind]}#{NAME}", **keys}]
    believed = {*GOOD, "pinned"}
    problems = {**WRONG, "mispinned": "which is not among \"pins\"", "both": WRONG["expired"],
                "narrow": "which is not among \"pins\""}
    config = {f"upstreams.{group}": list_ for group, list_ in groups.items()}
    config["zones"] = [{"zone": f"n{n}.{ZONE}", "via": group} for n, group in enumerate(groups)]
    daemon = Daemon([domestic], [external], {**config, "log.level": "info"})
    daemon.start()
    try:
        replies = {group: daemon.ask(f"n{n}.{ZONE}") for n, group in enumerate(groups)}
        assert {group for group, reply in replies.items() if reply.rcode == "NOERROR"} == believed
        assert {reply.rcode for reply in replies.values()} == {"NOERROR", "SERVFAIL"}
        for group in groups:
            entry = one(daemon, group)
            if group in believed:
                assert entry["problem"] is None and entry["tls"] == "TLSv1.3", entry
                continue
            wait_for(lambda group=group: problems[group] in one(daemon, group)["problem"], 6, f"told: {entry}")
            entry = one(daemon, group)
            assert entry["problem_since"] is not None and entry["certificate"]["subject"], entry

        def are_told():
            """Each by its reason; a server that resets the very first connection takes the place of one."""
            downs = [line for line in daemon.warnings() if "is down" in line]
            resets = [line for line in downs if "was reset" in line]
            missing = [text for text in problems.values() if not any(text in line for line in downs)]
            return len(missing) <= (len(resets) if "dnsdist" in request.node.name else 0)
        wait_for(are_told, 10, "the log says why each is down")
        assert domestic.count(ZONE) == 0
    finally:
        daemon.close()
