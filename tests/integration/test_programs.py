"""The tools that people ask with, each with a parser of its own: what they read of byway's answers is right."""

import subprocess
import time

import pytest

from client import parse_endpoint
from upstream import Answer

TEXT = "v=spf1 " + " ".join(f"ip4:198.51.100.{n}/32" for n in range(180)) + " -all"  # 4 kB


@pytest.fixture(scope="module", autouse=True)
def zones(world):
    pieces = " ".join(f'"{TEXT[at:at + 255]}"' for at in range(0, len(TEXT), 255))
    world.add("programs.test", f"@ MX 5 mx1\n@ MX 10 mx2.other.test.\n@ A $MARK\nlarge TXT {pieces}")


def dig(host, port, qname, qtype, tcp):
    return ["dig", f"@{host}", "-p", port, qname, qtype, "+tries=1", "+tcp" if tcp else "+notcp"]


def kdig(host, port, qname, qtype, tcp):
    return ["kdig", f"@{host}", "-p", port, qname, qtype, "+edns", *(["+tcp"] if tcp else [])]


def drill(host, port, qname, qtype, tcp):
    return ["drill", "-t" if tcp else "-u", "-p", port, qname, f"@{host}", qtype]


def delv(host, port, qname, qtype, tcp):
    """The world is not signed; -i: do not ask for the root's key."""
    return ["delv", "-i", f"@{host}", "-p", port, qname, qtype, "+tcp" if tcp else "+notcp"]


PROGRAMS = (dig, kdig, drill, delv)


def output(program, daemon, qname, qtype, tcp=False):
    """What it prints, blanks squeezed; it must not complain."""
    host, port = parse_endpoint(daemon.where)
    done = subprocess.run(program(host, str(port), qname, qtype, tcp), capture_output=True, text=True, timeout=20,
                          check=False)
    text = " ".join((done.stdout + done.stderr).split())
    for word in ("malformed", "timed out", "mismatch", "extra bytes", "no servers could be reached"):
        assert word not in text.lower(), f"{program.__name__}: {text[:2000]}"
    return text


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("program", PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def test_what_the_tools_read(byway, program, tcp):
    for _ in range(2):  # from upstream, then from the cache
        text = output(program, byway, "programs.test", "MX", tcp)
        for record in ("MX 5 mx1.programs.test.", "MX 10 mx2.other.test."):
            assert record in text, text
        text = output(program, byway, "large.programs.test", "TXT", tcp)  # over UDP they come again by TCP
        assert TEXT in text.replace('" "', "") or (program is drill and not tcp and "was truncated" in text), text[:2000]
        text = output(program, byway, "no.programs.test", "A", tcp)
        assert "NXDOMAIN" in text or "ncache nxdomain" in text, text
        assert "SOA ns.invalid. host.invalid." in text or program is delv, text
        text = output(program, byway, "localhost", "A", tcp)
        assert "127.0.0.1" in text, text


def test_dig_reads_a_large_any(byway, shared_domestic):
    """dig asks ANY over TCP unless told not to."""
    shared_domestic.set_name("any.programs.test",
                             Answer([f'any.programs.test. 300 TXT "{n} {"x" * 200}"' for n in range(20)]))
    assert 'HINFO "RFC8482" ""' in output(dig, byway, "any.programs.test", "ANY", tcp=False)
    text = output(dig, byway, "any.programs.test", "ANY", tcp=True)
    assert "HINFO" not in text and text.count("IN TXT") == 20


@pytest.mark.parametrize("program", [["dig", "+tries=1"], ["kdig"]], ids=["dig", "kdig"])
def test_one_connection_for_several_questions(byway, program):
    """They are done without complaint, and byway counts one connection."""
    host, port = parse_endpoint(byway.where)
    names = [f"{program[0]}{n}.programs.test" for n in range(3)]
    options = ["+tcp", "+keepopen", *(["+keepalive"] if program[0] == "dig" else ["+edns"])]
    before = connections(byway)
    done = subprocess.run([program[0], f"@{host}", "-p", str(port), *options, *program[1:], *names, "programs.test",
                           "MX"], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.count("status: NXDOMAIN") == 3 and "mx2.other.test." in done.stdout, done.stdout
    if program[0] == "dig":
        assert done.stdout.count("KEEPALIVE: 30.0 secs") == 4, done.stdout
    assert connections(byway) == before + 1


def connections(daemon):
    """Once all that were opened are counted."""
    last = None
    while last != (count := daemon.control("stats")["tcp_clients"]):
        last = count
        time.sleep(1.5)
    return count
