"""Blocklists are asked at domestic alone, and their errors (codes in 127.255.255.0/24, a list's own way to refuse, what
is outside 127.0.0.0/8) are no listings: the mail is deferred, not rejected."""

import contextlib
import json
import shutil
import time

import dns.edns
import pytest

from client import together
from conftest import warm
from daemon import Daemon, program, wait_for
from upstream import Answer, Refused, Servfail, Silent, Slow

ZEN, DBL, URIBL = "zen.spamhaus.org", "dbl.spamhaus.org", "multi.uribl.com"
LISTED = "127.0.0.2"
PARKED = "203.0.113.9"
PUBLIC, TOO_MANY = "127.255.255.254", "127.255.255.255"
TEXT = "the blocklist answered with an error code"


@pytest.fixture(scope="module", autouse=True)
def zones(world):
    world.add("nolist.test")
    for zone in (ZEN, DBL, URIBL):
        world.add(zone, f"@ A $MARK\n* A {LISTED}")


def says(*addresses, qname="2.0.0.127.zen.spamhaus.org", ttl=300):
    return Answer([f"{qname}. {ttl} A {address}" for address in addresses])


def refuse(upstream, *qnames, code=PUBLIC):
    for qname in qnames:
        upstream.set(qname, says(code, qname=qname))


def ede_texts(reply):
    return [option.to_wire()[2:].decode() for option in reply.message.options if option.otype == dns.edns.EDE]


def deferred(reply):
    return reply.rcode == "SERVFAIL" and not reply.message.answer and ede_texts(reply) == [TEXT]


def warned(daemon, count):
    """The warnings in the log, which another thread writes."""
    wait_for(lambda: len(daemon.warnings()) >= count, 5, f"{count} warnings")
    assert len(daemon.warnings()) == count
    return daemon.warnings()


@pytest.fixture
def filtering(forwarder):
    """forwarder() with the preset, which it leaves out otherwise."""
    return lambda config=None, **options: forwarder({"presets": None, **(config or {})}, **options)


@pytest.fixture
def daemon(filtering):
    return filtering()


def test_an_error_code_becomes_servfail(daemon, domestic, external):
    refuse(domestic, f"2.0.0.127.{ZEN}")
    for tcp in (False, True):
        reply = daemon.ask(f"2.0.0.127.{ZEN}", tcp=tcp)
        assert deferred(reply) and reply.elapsed < 0.5
    assert domestic.count(ZEN) == 1  # the second came from the cache
    stats = daemon.control("stats")
    assert stats["blocklist_errors"] == 1 and stats["failed"] == 1 and stats["cache_failures"] == 1
    assert external.count("org") == 0 and daemon.zones() == {}
    upstream, = (u for u in daemon.control("upstreams") if u["address"] == str(domestic))
    assert upstream["state"] == "up"


def test_without_edns_it_is_a_plain_servfail(daemon, domestic):
    refuse(domestic, f"2.0.0.127.{ZEN}")
    reply = daemon.ask(f"2.0.0.127.{ZEN}", edns=None)
    assert reply.rcode == "SERVFAIL" and reply.message.edns < 0


def test_it_is_asked_again_after_a_while(daemon, domestic):
    refuse(domestic, f"2.0.0.127.{ZEN}")
    assert deferred(daemon.ask(f"2.0.0.127.{ZEN}"))
    domestic.set(f"2.0.0.127.{ZEN}", says(LISTED))
    time.sleep(5.2)
    assert daemon.ask(f"2.0.0.127.{ZEN}").addresses == [LISTED]


def test_listings_pass(daemon, domestic):
    listings = ["127.0.0.2", "127.0.0.11", "127.0.1.254", "127.0.0.1", "127.255.254.1"]
    for n, address in enumerate(listings):
        domestic.set(f"{n}.{DBL}", says(address, qname=f"{n}.{DBL}"))
        assert daemon.ask(f"{n}.{DBL}").addresses == [address]
    domestic.set("8." + DBL, says(*listings, qname="8." + DBL))
    assert sorted(daemon.ask("8." + DBL).addresses) == sorted(listings)
    domestic.set("9." + DBL, says(*listings, TOO_MANY, qname="9." + DBL))
    assert deferred(daemon.ask("9." + DBL))
    warned(daemon, 1)


@pytest.mark.parametrize("lines", [
    [f"@ 300 A {PARKED}"], ["@ 300 A 0.0.0.0"], [f"@ 300 A {LISTED}", f"@ 300 A {PARKED}"],
    ["@ 300 CNAME portal.example.", f"portal.example. 300 A {PARKED}"], ["@ 300 AAAA 2001:db8::9"],
    ["@ 300 AAAA ::ffff:127.0.0.2"]], ids=["parked", "null", "mixed", "alias", "ipv6", "mapped"])
@pytest.mark.parametrize("qname", [f"2.0.0.127.{ZEN}", f"example.com.{DBL}", f"{'0123456789abcdef' * 2}.ebl.msbl.org"],
                         ids=["address", "domain", "hash"])
def test_what_no_list_says_becomes_servfail(daemon, domestic, external, qname, lines):
    """A list has ended and its domain is parked, or the resolver puts its own address in the place of NXDOMAIN."""
    domestic.set(qname, Answer([line.replace("@", f"{qname}.") for line in lines]))
    qtype = "AAAA" if "AAAA" in lines[0] else "A"
    for tcp in (False, True):
        assert deferred(daemon.ask(qname, qtype, tcp=tcp))
    line, = warned(daemon, 1)
    assert "outside 127.0.0.0/8" in line and str(domestic) in line and lines[-1].split()[-1] in line
    assert domestic.count(qname) == 1 and external.count() == 0 and daemon.zones() == {}
    assert daemon.control("stats")["blocklist_errors"] == 1


def test_the_hosts_of_a_lists_owner_have_addresses(daemon, domestic):
    """Mail to and from those who run lists."""
    for qname in ("spamhaus.org", "www.spamhaus.org", "vmx.spamcop.net", "ebl.msbl.org"):
        domestic.set(qname, Answer([f"{qname}. 300 A {PARKED}"]))
        assert daemon.ask(qname).addresses == [PARKED], qname
    domestic.set("uribl.com", Answer(["uribl.com. 300 MX 10 mx.uribl.com."]))
    assert daemon.ask("uribl.com", "MX").rcode == "NOERROR"
    assert daemon.warnings() == []


@pytest.mark.parametrize("zone, code", [("multi.uribl.com", "127.0.0.1"), ("multi.surbl.org", "127.0.0.1"),
                                        ("list.dnswl.org", "127.0.0.255"), ("dwl.dnswl.org", "127.0.0.255"),
                                        ("dbl.spamhaus.org", "127.0.1.255")])
def test_a_list_refuses_in_its_own_way(daemon, domestic, zone, code):
    refuse(domestic, f"example.com.{zone}", code=code)
    assert deferred(daemon.ask(f"example.com.{zone}"))
    line, = warned(daemon, 1)
    assert f"error code {code} (this list refuses so) from upstream {domestic} for example.com.{zone}." in line
    refuse(domestic, f"example.org.{zone}", code=LISTED)
    assert daemon.ask(f"example.org.{zone}").addresses == [LISTED]


def test_a_preset_of_ones_own(domestic, external, tmp_path):
    """Presets lie beside the program; another list, with its own way to refuse, is another file there."""
    presets = tmp_path / "config" / "presets"
    presets.mkdir(parents=True)
    (tmp_path / "sbin").mkdir()
    copy = shutil.copy(program("bywayd"), tmp_path / "sbin")
    own = presets / "own.zones"
    own.write_text("# ours\n  bl.corp.test\t127.0.0.99   # and its code\n")
    with contextlib.closing(Daemon([domestic], [external], {"presets": ["own"]})) as daemon:
        daemon.program[-1] = copy
        daemon.start()
        for n in (98, 99):
            refuse(domestic, f"{n}.0.0.127.bl.corp.test", code=f"127.0.0.{n}")
        assert deferred(daemon.ask("99.0.0.127.bl.corp.test"))
        assert daemon.ask("98.0.0.127.bl.corp.test").addresses == ["127.0.0.98"]
        own.write_text("bl.corp.test 127.0.0.98\n")  # what was an answer, and is in the cache, is none now
        daemon.control("reload")
        assert deferred(daemon.ask("98.0.0.127.bl.corp.test"))
        own.write_text("bl.corp.test 127.0.0.98\nbl2.corp.test 192.0.2.1\n")
        done = daemon.ctl("reload")
        assert done.returncode == 1 and 'own.zones:2: not an address in 127.0.0.0/8: "192.0.2.1"' in done.stderr


def test_other_zones_are_not_looked_at(daemon, domestic):
    domestic.set("2.nolist.test", says(PUBLIC, qname="2.nolist.test"))
    assert daemon.ask("2.nolist.test").addresses == [PUBLIC]
    domestic.set("4.3.2.1.nolist.test", says(PARKED, qname="4.3.2.1.nolist.test"))
    assert daemon.ask("4.3.2.1.nolist.test").addresses == [PARKED]
    assert daemon.control("stats")["blocklist_errors"] == 0 and daemon.warnings() == []


def test_the_log_says_it_once_for_each_list(daemon, domestic):
    codes = [(254, "(asked through a public resolver)", "bl.spamcop.net"), (255, "(too many queries)", URIBL),
             (252, "(typing error in the list's name)", "list.dnswl.org"), (1, None, "b.barracudacentral.org")]
    refuse(domestic, *(f"{n}.{ZEN}" for n in range(20)))
    for reply in together([lambda n=n: daemon.ask(f"{n}.{ZEN}") for n in range(20)]):
        assert deferred(reply)
    refuse(domestic, f"1.{DBL}", code=TOO_MANY)  # the preset has all of spamhaus.org as one
    daemon.ask(f"1.{DBL}")
    line, = warned(daemon, 1)
    assert "blocklist spamhaus.org." in line and PUBLIC in line and str(domestic) in line
    for code, _, zone in codes:
        refuse(domestic, f"2.{zone}", code=f"127.255.255.{code}")
        assert deferred(daemon.ask(f"2.{zone}"))
    lines = warned(daemon, 5)
    for code, words, zone in codes:
        line, = [line for line in lines if f"2.{zone}." in line]
        assert f"127.255.255.{code}" in line and str(domestic) in line
        assert words in line if words else "(" not in line
    assert daemon.control("stats")["blocklist_errors"] == 25


def test_it_is_said_with_learning_off_and_as_json(filtering, domestic):
    daemon = filtering({"learning.mode": "off", "log.format": "json"})
    refuse(domestic, f"2.0.0.127.{ZEN}")
    assert deferred(daemon.ask(f"2.0.0.127.{ZEN}"))
    line, = map(json.loads, warned(daemon, 1))
    assert line["level"] == "warning" and PUBLIC in line["message"]


@pytest.mark.parametrize("refused", ["first", "second"])
def test_a_public_resolver_among_the_domestic_ones(filtering, domestic, second, external, refused):
    daemon = filtering(domestics=[domestic, second])
    bad, good = (domestic, second) if refused == "first" else (second, domestic)
    for n in range(8):
        qname = f"{n}.0.0.127.{ZEN}"
        refuse(bad, qname)
        good.set(qname, says(LISTED, qname=qname))
        reply = daemon.ask(qname)
        assert reply.addresses == [LISTED] and reply.ede == [] and reply.elapsed < 0.5
        assert domestic.count(qname) + second.count(qname) <= 2
    assert external.count("org") == 0


def test_one_is_refused_and_one_is_silent(filtering, domestic, second, external):
    daemon = filtering({"fallback.deadline": "1500ms"}, domestics=[domestic, second])
    refuse(domestic, f"2.0.0.127.{ZEN}")
    second.set(ZEN, Silent())
    reply = daemon.ask(f"2.0.0.127.{ZEN}")
    assert deferred(reply) and reply.elapsed < 1.7
    assert external.count("org") == 0 and daemon.zones() == {}


def test_who_waits_gets_the_same(daemon, domestic):
    domestic.set(f"2.0.0.127.{ZEN}", Slow(0.2, says(PUBLIC)))
    for reply in together([lambda: daemon.ask(f"2.0.0.127.{ZEN}") for _ in range(8)]):
        assert deferred(reply)
    assert domestic.count(ZEN) == 1


def test_passed_on_by_setting_and_back(filtering, domestic):
    """What was passed on does not outlive the setting in the cache: neither fresh nor stale."""
    daemon = filtering({"blocklists.errors": "pass"})
    refuse(domestic, f"2.0.0.127.{ZEN}")
    for _ in range(2):
        assert daemon.ask(f"2.0.0.127.{ZEN}").addresses == [PUBLIC]
    assert domestic.count(ZEN) == 1 and daemon.control("stats")["blocklist_errors"] == 1
    warned(daemon, 1)
    daemon.set({"blocklists.errors": "servfail"})
    daemon.control("reload")
    assert deferred(daemon.ask(f"2.0.0.127.{ZEN}"))
    assert deferred(daemon.ask(f"2.0.0.127.{ZEN}"))
    daemon.set({"blocklists.errors": "pass"})
    daemon.control("reload")
    assert daemon.ask(f"2.0.0.127.{ZEN}").addresses == [PUBLIC]


def test_a_preset_that_comes_by_reload(forwarder, domestic):
    daemon = forwarder()
    refuse(domestic, f"2.0.0.127.{ZEN}")
    assert daemon.ask(f"2.0.0.127.{ZEN}").addresses == [PUBLIC]
    daemon.set({"presets": ["dnsbl"]})
    daemon.control("reload")
    assert deferred(daemon.ask(f"2.0.0.127.{ZEN}"))


def test_a_reload_that_changes_no_list_keeps_the_cache(daemon, domestic):
    domestic.set(f"2.0.0.127.{ZEN}", says(LISTED))
    assert daemon.ask(f"2.0.0.127.{ZEN}").addresses == [LISTED]
    daemon.set({"zones": [{"zone": "nolist.test", "via": "domestic"}]})
    daemon.control("reload")
    assert daemon.ask(f"2.0.0.127.{ZEN}").addresses == [LISTED]
    assert domestic.count(ZEN) == 1


def test_the_operators_way_is_still_a_blocklist(filtering, domestic, external, office):
    """zones says which way, the preset what it is."""
    daemon = filtering({"upstreams.office": [str(office)],
                        "zones": [{"zone": "spamhaus.org", "via": "office"}, {"zone": URIBL, "via": "auto"}]})
    warm(daemon)
    refuse(office, f"2.0.0.127.{ZEN}")
    assert deferred(daemon.ask(f"2.0.0.127.{ZEN}"))
    assert daemon.ask(f"3.0.0.127.{ZEN}").addresses == [LISTED] and office.count(f"3.0.0.127.{ZEN}") == 1
    assert domestic.count("spamhaus.org") == external.count("spamhaus.org") == 0
    for n in range(4):  # external may be asked for this one, but not because the list refuses domestic
        refuse(domestic, f"{n}.{URIBL}")
        assert deferred(daemon.ask(f"{n}.{URIBL}"))
    time.sleep(1)
    assert external.count(URIBL) == 0 and daemon.zones() == {}
    domestic.set(f"5.{URIBL}", Servfail())
    # The trial that the failure begins asks external whose zone it is, by an SOA.
    assert daemon.ask(f"5.{URIBL}").addresses == [LISTED] and external.count(f"5.{URIBL}", qtype="A") == 1


# ---- never external ----


@pytest.mark.parametrize("failure", [Servfail(), Refused(), Silent(), says(PUBLIC)],
                         ids=["servfail", "refused", "silent", "error"])
def test_nothing_of_byways_own_goes_abroad(filtering, domestic, external, fresh, failure):
    """An alias into the list, the operator's probes and pins, an import, rechecks of what is blocked beside it."""
    daemon = filtering({"fallback.deadline": "1500ms", "learning.recheck_first": "1s", "learning.recheck_max": "1s"})
    warm(daemon)
    zone = fresh("beside", text=f"www CNAME 2.0.0.127.{ZEN}.\n* A $MARK")
    domestic.set("spamhaus.org", failure)
    domestic.set(zone, Servfail())
    for n in range(3):
        together([lambda q=q: daemon.ask(q) for q in (f"{n}.{ZEN}", f"2.0.0.127.{ZEN}", ZEN, f"www.{zone}", f"{n}.{zone}")])
        daemon.control("cache", "flush", "--all")
    daemon.wait_state(f"{zone}.", "blocked")
    for name in ("spamhaus.org", ZEN, f"2.0.0.127.{ZEN}"):
        pinned = daemon.ctl("zones", "pin", name, "external")
        assert pinned.returncode == 1 and "presets" in pinned.stderr and len(pinned.stderr.strip().splitlines()) == 1
        probed = daemon.ctl("zones", "probe", name)
        assert probed.returncode == 1 and len(probed.stderr.strip().splitlines()) == 1
    daemon.ctl("zones", "pin", "org", "external")  # above the fence: it does not reach behind it
    daemon.ask(f"7.{ZEN}")
    entry = {**daemon.zones()[f"{zone}."], "zone": "spamhaus.org."}
    daemon.ctl("zones", "import", "-", stdin=json.dumps({"version": 1, "zones": [entry]}))
    for n in range(3):
        daemon.ask(f"{n}.after.{ZEN}")
    time.sleep(2.5)
    assert external.count("spamhaus.org") == 0
    assert external.count(zone) > 0 and domestic.count("spamhaus.org") > 0


def test_a_probe_of_what_was_learned_before_the_fence(forwarder, domestic, external):
    daemon = forwarder({"fallback.deadline": "1500ms", "learning.recheck_first": "2s"})
    warm(daemon)
    domestic.set("spamhaus.org", Servfail())
    for n in range(3):
        assert daemon.ask(f"{n}.{ZEN}").addresses == [LISTED]
    assert external.count(ZEN) >= 3
    zone = daemon.wait_state(f"{ZEN}.", "blocked")["zone"]
    daemon.set({"presets": ["dnsbl"]})
    daemon.control("reload")
    external.forget()
    done = daemon.ctl("zones", "probe", zone)
    assert done.returncode == 1 and "presets" in done.stderr
    time.sleep(3)
    assert external.count("spamhaus.org") == 0 and daemon.zones() == {}
