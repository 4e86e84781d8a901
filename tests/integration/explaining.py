"""Asking a bywayd to explain, over its control socket, and worlds with domains to be explained."""

from conftest import GOOD as WORKING
from upstream import World

HOST = "198.51.100.25"  # a mail host's address, and its client address: a public one
NEXT = "198.51.100.26"

GOOD = f"""
    @            A    {HOST}
    @            MX   10 mail
    @            MX   20 mail2
    @            TXT  "v=spf1 mx -all"
    _dmarc       TXT  "v=DMARC1; p=reject"
    mail         A    {HOST}
    mail2        A    {NEXT}
    other        A    198.51.100.99
    k._domainkey TXT  "v=DKIM1; p=AAAA"
"""

REVERSE = f"""
    25       PTR  mail.fine.test.
    26       PTR  other.fine.test.
    27       PTR  gone.fine.test.
"""


def world_with(**zones):
    """A world with fine.test, its client's reverse zone, and others: name with "_" for ".", lines of records."""
    world = World()
    for zone in WORKING:
        world.add(zone)
    world.add("fine.test", GOOD)
    world.add("100.51.198.in-addr.arpa", REVERSE)
    for top in ("com", "org", "example"):
        world.add(top, "")
    world.add("invalid", "ns A 203.0.113.53")  # every zone's name server, and nobody is there
    world.add("example.com", "@ A 192.0.2.80")
    world.add("iana.org", "@ A 192.0.2.81")
    for zone, text in zones.items():
        world.add(zone.replace("_", "."), text)
    return world


def explain(daemon, domain, seconds=25.0, **params):
    """The result; every notification before it is progress."""
    lines = daemon.rpc({"jsonrpc": "2.0", "id": 7, "method": "explain", "params": {"domain": domain, **params}},
                       until="result", seconds=seconds)
    for line in lines[:-1]:
        assert line["method"] == "explain" and line["params"]["id"] == 7
        assert set(line["params"]["event"]) == {"asked", "known", "question"}
    assert lines and "result" in lines[-1], lines
    return lines[-1]["result"]


def tags(result, *grades):
    return [finding["tag"] for finding in result["findings"] if not grades or finding["grade"] in grades]


def finding(result, tag):
    (found,) = [finding for finding in result["findings"] if finding["tag"] == tag]
    return found


def cause(result):
    """Its tag, or None; one at most has that grade."""
    assert tags(result, "cause").count(result["cause"]["tag"] if result["cause"] else None) <= 1
    assert len(tags(result, "cause")) <= 1
    return result["cause"] and result["cause"]["tag"]
