"""byway beside the resolvers that mail stacks bring along: what docs/stacks.md tells to do is done here, with the stacks'
own settings, and so are the traps that it names. Docker's resolver, 127.0.0.11, is not among them."""

import time

import pytest

from country import DOMESTIC
from stacks import EXTERNALS, HOST, RECURSES, RESOLVER, VALIDATES, Stack

OWN = ("ede: yes", "discard-timeout: 4800")  # what a resolver gets that byway asks
FRONT = ("do-not-query-localhost: no", "discard-timeout: 0", "infra-cache-min-rtt: 4800")  # and one that asks byway
HARDENED = ("use-caps-for-id: yes", "qname-minimisation: yes", "qname-minimisation-strict: yes", "aggressive-nsec: yes",
            "harden-referral-path: yes", "harden-below-nxdomain: yes", "harden-algo-downgrade: yes", "harden-large-queries: yes",
            "serve-expired: yes", "prefetch: yes", "prefetch-key: yes")
FRESH = 0.5  # s that a name of a zone that is known to be blocked may take on a busy machine


def forwards(address):
    return ("forward-zone:", 'name: "."', f"forward-addr: {address}")


@pytest.fixture
def stack(country):
    stack = Stack(country)
    yield stack
    stack.close()


def is_authentic(answer):
    assert answer and answer[0] in ("NOERROR", "NXDOMAIN"), answer
    return "ad" in answer[1]


def check_chain(stack, *server):
    """A resolver that has byway at one of its ends answers as it should, whatever the border does to a zone."""
    for name, rdtype in (("mail.fine.test", "A"), ("_25._tcp.mail.fine.test", "TLSA"), ("mail.silent.test", "A"),
                         ("_25._tcp.mail.silent.test", "TLSA"), ("n1.any.silent.test", "MX"), ("mail.geo.test", "AAAA"),
                         ("shop.fine.test", "A"), ("test", "SOA")):
        assert is_authentic(stack.flags(name, rdtype, *server)), name
    for name in ("gone.fine.test", "gone.silent.test"):
        answer = stack.flags(name, "MX", *server)
        assert answer[0] == "NXDOMAIN" and is_authentic(answer), name
    for name in ("mail.bulk.example", "mail.hush.example"):
        assert not is_authentic(stack.flags(name, "A", *server)), name
    assert "198.51.119.109" in stack.dig("+short", "spf.silent.test", "TXT", *server)  # 4 kB: over TCP
    for name in ("lame.test", "expired.test"):
        assert stack.flags(name, "MX", *server) == ("SERVFAIL", []), name


def check_learning(stack, *server):
    """What is asked by way of a validating resolver teaches as well."""
    stack.country.until("blocked", lambda: stack.country.state("hush.example") == stack.country.state("silent.test") == "blocked", 20)
    for zone in ("hush.example", "silent.test"):
        began = time.monotonic()
        assert stack.flags(f"fresh.{zone}", "AAAA", *server)[0] == "NXDOMAIN"
        assert time.monotonic() - began < FRESH, zone


# --- byway in front: mailcow, Mailu, docker-mailserver, Mail-in-a-Box, Proxmox, iRedMail, Modoboa ---


def test_in_front_of_a_stacks_resolver(stack):
    """Containers ask byway on the machine, and byway the Unbound that is a container among them."""
    stack.unbound(RESOLVER, *RECURSES, *OWN)
    stack.start({"address": RESOLVER, "trusted": True}, fallback={"deadline": "3500ms"})
    for name in ("fine.test", "silent.test"):  # as mailcow's health check asks
        assert stack.dig("+short", "+timeout=2", "+tries=1", name, f"@{HOST}"), name
    check_chain(stack, f"@{HOST}")
    began = time.monotonic()
    assert stack.flags("nowhere.test", "MX", f"@{HOST}") == ("SERVFAIL", [])
    assert time.monotonic() - began < 4, "Docker's resolver has given up"
    stack.country.lab("byway-stop")
    stack.start(RESOLVER)
    assert not is_authentic(stack.flags("mail.fine.test", "A", f"@{HOST}"))
    assert is_authentic(stack.flags("mail.silent.test", "A", f"@{HOST}"))


def test_in_front_of_bind(stack):
    """Mail-in-a-Box."""
    stack.named(5335, forward=False)
    stack.start({"address": "127.0.0.1:5335", "trusted": True})
    check_chain(stack, "@127.0.0.1")


def test_what_is_forged_fails_to_validate_and_goes_abroad(stack):
    """And nobody hears of a signed zone what nobody vouches for, if the own resolver says why it fails."""
    stack.unbound(RESOLVER, *RECURSES, *OWN)
    stack.unbound("127.0.0.2", *RECURSES)
    stack.country.lab("inject", "fine.test")
    vouching = {"address": EXTERNALS[0], "ca": str(stack.country.dir / "ca.pem"), "trusted": True}
    for domestic, trusted, answer in ((RESOLVER, True, ("NOERROR", True)), (RESOLVER, False, ("SERVFAIL", False)),
                                      ("127.0.0.2", False, ("NOERROR", False))):
        stack.start({"address": domestic, "trusted": True}, {**vouching, "trusted": trusted})
        assert stack.flags("www.fine.test", "A", f"@{domestic}") == ("SERVFAIL", [])
        rcode, flags = stack.flags("www.fine.test", "A", f"@{HOST}")
        assert (rcode, "ad" in flags) == answer, (domestic, trusted)
        stack.country.lab("byway-stop")


# --- byway behind: Zimbra, and who cannot do otherwise ---


def test_behind_an_unbound(stack):
    """One that validates, plain and with all that it can be hardened by; and Zimbra's, which does not validate unless told
    to: AD does not come through it."""
    stack.start({"address": DOMESTIC, "trusted": True})
    stack.unbound("127.0.0.3", *VALIDATES, *FRONT, *forwards("127.0.0.1"))
    check_chain(stack, "@127.0.0.3")
    check_learning(stack, "@127.0.0.3")
    for zone in stack.country.zones():
        stack.country.ctl("zones", "forget", zone)
    stack.country.ctl("cache", "flush", "--all")
    stack.unbound("127.0.0.4", *VALIDATES, *FRONT, *HARDENED, *forwards("127.0.0.1"))
    check_chain(stack, "@127.0.0.4")
    stack.unbound("127.0.0.5", "do-tcp: yes", "do-udp: yes", "tcp-upstream: no", *forwards(HOST))
    for name in ("mail.fine.test", "mail.silent.test"):
        assert is_authentic(stack.flags(name, "A", "@127.0.0.1"))
        assert not is_authentic(stack.flags(name, "A", "@127.0.0.5"))


def test_what_the_lines_for_an_unbound_in_front_are_for(stack):
    """An answer that comes late, in byway's time, reaches the client with them, and without them it never does."""
    stack.start({"address": DOMESTIC, "trusted": True})
    stack.unbound("127.0.0.3", *VALIDATES, *FRONT, *forwards("127.0.0.1"))
    stack.unbound("127.0.0.4", *VALIDATES, *FRONT[:1], *forwards("127.0.0.1"))
    stack.unbound("127.0.0.5", *VALIDATES, *FRONT[1:], *forwards("127.0.0.1"))
    for server, answer in (("@127.0.0.3", "NOERROR"), ("@127.0.0.4", None), ("@127.0.0.5", "SERVFAIL")):
        with stack.external_frozen(2.5):
            asking = stack.asking(f"late{server[-1]}.any.hush.example", "A", server)
        got = asking()
        assert (got and got[0]) == answer, (server, got)


def test_behind_bind(stack):
    """It asks everything with CD, and byway learns all the same."""
    stack.start({"address": DOMESTIC, "trusted": True})
    stack.named(5335, forward=True)
    for name, rcode in (("mail.silent.test", "NOERROR"), ("gone.silent.test", "NXDOMAIN")):
        answer = stack.flags(name, "A", "@127.0.0.1", "-p", 5335)
        assert answer[0] == rcode and is_authentic(answer)
    assert stack.flags("mail.hush.example", "A", "@127.0.0.1", "-p", 5335)[0] == "NOERROR"
    check_learning(stack, "@127.0.0.1", "-p", 5335)
    assert is_authentic(stack.flags("_25._tcp.mail.fine.test", "TLSA", "@127.0.0.1", "-p", 5335))


# --- rspamd ---


def test_rspamd(stack):
    """With its own 1 s, 5 times: the first look into a blocked zone is in time, and a long record is read."""
    stack.start(DOMESTIC)
    stack.rspamd('nameserver = ["127.0.0.1"]; enable_dnssec = true;')
    for sender, symbol in (("a@silent.test", "R_SPF_ALLOW"), ("a@hush.example", "R_SPF_ALLOW"), ("a@fine.test", "R_SPF_ALLOW"),
                           ("a@spf.silent.test", "R_SPF_FAIL"), ("a@spf.fine.test", "R_SPF_FAIL"), ("a@lame.test", "R_SPF_DNSFAIL"),
                           ("a@gone.fine.test", "R_SPF_NA")):
        assert symbol in stack.scan(sender), sender
