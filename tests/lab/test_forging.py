"""Mail lookups across a border that forges, with a canary beyond it: nobody hears what is forged, names that are served
inside stay home, and healthy zones notice nothing.
"""

import concurrent.futures
import re
import time

import pytest

from country import Country

CANARY = "203.0.113.251"  # abroad, where nobody listens
STRANGERS = ["192.0.2.66", "192.0.2.67", "192.0.2.68"]
GIVEN = [word for address in STRANGERS for word in ("--address", address)]
CROWD, FORGED = 200, 40
CLIENTS = 8  # each meets a new domain every quarter of a second or more: below 50 a second
FRESH = 0.25  # forged.wait
NOISE = 0.5


@pytest.fixture
def crowded():
    country = Country(CROWD)
    yield country
    country.lab("byway-stop")
    output = country.output()
    country.down()
    print(output[-4000:])
    assert not re.search(r"Sanitizer|runtime error:|Assertion", output), "bywayd broke; see its output"


def watch(country, *words):
    """The border forges: `words` for its injector. byway has a canary, and an external that cannot be forged."""
    country.lab("inject", *GIVEN, *words)
    country.lab("external-by", "tls")
    country.start(forged={"canary": CANARY})


def is_true(zone, rdtype, reply):
    return reply.rcode == "NOERROR" and reply.texts == {
        "A": ["192.0.2.99"], "MX": [f"10 mail.{zone}."], "TXT": ['"any"']}[rdtype]


def mail(country, zone):
    """What mail servers ask about four hosts of the zone; what was not true: (name, type, reply)."""
    questions = [(f"h{host}.any.{zone}", rdtype) for host in range(4) for rdtype in ("MX", "A", "TXT")]
    replies = [(name, rdtype, country.ask(name, rdtype)) for name, rdtype in questions]
    return [entry for entry in replies if not is_true(zone, entry[1], entry[2])]


def mails(country, zones):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return dict(zip(zones, pool.map(lambda zone: mail(country, zone), zones)))


def test_nobody_hears_what_is_forged(crowded):
    zones = [f"m{n}.test" for n in range(1, CROWD + 1)]
    forged, healthy = zones[:FORGED], zones[FORGED:]
    watch(crowded, "--loss", "2", "--seed", "3", *forged)
    for _ in range(2):  # the cache has its say
        wrong = {zone: entries for zone, entries in mails(crowded, zones).items() if entries}
        assert not set(wrong) & set(healthy), wrong
        # a domain of which both datagrams to the canary were lost, one in a thousand, is believed for its first name
        assert sum(map(len, wrong.values())) <= 3, wrong
    crowded.until("learned", lambda: {z for z, e in crowded.zones().items() if e["state"] == "blocked"} == set(forged), 30)
    assert {entry["reason"] for entry in crowded.zones().values()} == {"forged"}
    # a datagram that is lost behind domestic may take longer than its patience
    assert len([zone for zone in healthy if crowded.asked_below("external", zone)]) <= 5
    assert not any(mails(crowded, forged).values())


def test_names_that_are_served_inside_stay_home(country):
    watch(country, "home.inland", "fine.test")
    for _ in range(2):
        assert mail(country, "home.inland") == [] and mail(country, "fine.test") == []
        time.sleep(5)
    assert country.state("home.inland") == "clear" and country.state("fine.test") == "blocked"
    asked = country.asked_below("external", "home.inland")
    assert not [entry for entry in asked if entry[0].startswith("h") and entry[1] in ("mx", "a", "txt")], asked
    country.check_accounts()


def test_a_first_lookup_waits_and_no_other_does(country):
    watch(country, "fine.test")
    first = country.ask_fresh("bulk.example")
    assert FRESH <= first.seconds < FRESH + NOISE and not first.external
    later = sorted(country.ask_fresh("bulk.example").seconds for _ in range(20))
    assert later[10] < 0.1, later


def test_a_redirecting_border_is_no_canary(country):
    """Whatever is asked abroad is answered by the border's own resolver."""
    country.lab("external-by", "tls")
    country.start(forged={"canary": CANARY})
    country.lab("redirect", "nxdomain", "fine.test")
    for _ in range(3):
        assert not country.ask_fresh("bulk.example").external
    country.until("blind", lambda: country.ctl("status")["canary"]["blind"], 5)
    assert country.zones() == {}
    assert country.ask_fresh("later.test").seconds < FRESH
    country.lab("redirect", "off")
    country.until("silent again", lambda: not country.ctl("status")["canary"]["blind"], 25)


def test_plain_external_is_deceived_at_the_same_border(country):
    """And is not believed for it: its denials without SOA are none, and TCP is asked where an answer lacks OPT."""
    country.start(forged={"canary": CANARY})
    country.learn("geo.test")  # so that it is known how external answers
    country.lab("inject", *GIVEN, "bulk.example")
    wrong = [entry for _ in range(3) for entry in mail(country, "bulk.example") if entry[2].rcode == "NOERROR"]
    assert wrong == []
