"""Real resolvers that freeze, die and are started anew, connections that one side alone knows of, and a network that
goes away under all: mail flows on as far as anybody answers, nothing is learned of it, and the way back is found.
"""

import time

NOISE = 0.5  # a busy machine's, for one lookup
BACK = 5.0  # seconds from an upstream's return to its use
OPEN = ["fine.test", "bulk.example"]
BLOCKED = "geo.test"  # domestic refuses it at once, so that it is learned soon


def state(country, group):
    return next(u["state"] for u in country.ctl("upstreams") if u["group"] == group)


def until_down(country, group):
    country.until(f"{group} down", lambda: state(country, group) == "down", 15)


def until_back(country, zone, external):
    """Until fresh names of the zone are answered by domestic or external as they should be."""
    def back():
        reply = country.ask_fresh(zone)
        return reply.rcode == "NOERROR" and reply.external == external
    country.until(f"{zone} answered as before", back, BACK + NOISE)


def check_nothing_learned(country):
    learned = {name for name, zone in country.zones().items() if zone["state"] != "suspect"}
    assert learned == {BLOCKED}
    country.check_accounts()


def test_resolvers_that_go_and_come_back(country):
    """Frozen, they hear and say nothing, and answer all of it when they go on; killed, they have forgotten all."""
    country.start()
    country.learn(BLOCKED)
    for zone in OPEN:
        assert country.ask_fresh(zone).ede is None
    for gone, back in (("freeze", "thaw"), ("kill", "revive")):
        with country.steady(*OPEN) as replies:
            country.lab(gone, "domestic")
            until_down(country, "domestic")
            time.sleep(1)
            country.lab(back, "domestic")
            until_back(country, OPEN[0], external=False)
        assert {reply.rcode for reply in replies} == {"NOERROR"}
        assert max(reply.seconds for reply in replies) < 1.6 + NOISE, max(replies, key=lambda reply: reply.seconds)
        assert [reply for reply in replies if reply.external]
        assert [country.ask_fresh(zone).ede for zone in OPEN] == [None, None]

        with country.steady(OPEN[1]) as replies:
            country.lab(gone, "external")
            reply = country.ask_fresh(BLOCKED)
            assert reply.rcode == "SERVFAIL" and reply.seconds < 4.5 + NOISE
            until_down(country, "external")
            country.lab(back, "external")
            until_back(country, BLOCKED, external=True)
        assert {(reply.rcode, reply.ede) for reply in replies} == {("NOERROR", None)}
    outcomes = {u["group"]: u["outcomes"] for u in country.ctl("upstreams")}
    assert all(outcomes[group]["timeout"] and outcomes[group]["unreachable"] for group in ("domestic", "external"))
    check_nothing_learned(country)


def test_connections_that_one_side_alone_knows_of(country):
    """Upstreams over TCP alone that reboot: their kernels have forgotten the connections, and say so to whoever goes on
    with one; until then nothing at all is heard from there, and a connection that is being opened waits ever longer."""
    country.start(upstreams={"domestic": ["tcp://198.18.1.53"], "external": ["tcp://198.51.100.53"]})
    country.learn(BLOCKED)
    assert country.ask_fresh(OPEN[0]).ede is None
    for role in ("domestic", "external"):
        country.lab(f"{role}-down")
        country.lab("kill", role)
        country.lab("revive", role)
    assert country.ask_fresh(OPEN[0]).rcode == "SERVFAIL"
    for group in ("domestic", "external"):
        until_down(country, group)
    time.sleep(6)  # a SYN is sent again 1, 3 and 7 s after the first
    for role in ("domestic", "external"):
        country.lab(f"{role}-up")
    began = time.monotonic()
    until_back(country, OPEN[0], external=False)
    until_back(country, BLOCKED, external=True)
    assert time.monotonic() - began < BACK + NOISE
    check_nothing_learned(country)


def test_the_network_goes_and_comes_back(country):
    """Without its link, domestic (on this machine) still answers what it knows and fails at the rest; without addresses
    the kernel itself refuses whatever is sent. No suspicion becomes a verdict, and nothing spins."""
    country.start(listen=["127.0.0.1:53", "198.18.1.2:53"], allow=["127.0.0.0/8", "198.18.1.0/24"])
    country.learn(BLOCKED)
    assert country.ask("mail.fine.test").rcode == "NOERROR"
    for gone, back in (("link-down", "link-up"), ("address-gone", "address-back")):
        with country.steady(*OPEN) as replies:
            country.until("answers before", lambda: len(replies) > 1, 5)
            country.lab(gone)
            cpu, began = country.cpu(), time.monotonic()
            until_down(country, "external")
            time.sleep(3)
            assert country.ask("mail.fine.test").rcode == "NOERROR", "from the cache"
            assert country.cpu() - cpu < 0.3 * (time.monotonic() - began)
            country.lab(back)
            until_back(country, OPEN[0], external=False)
            until_back(country, BLOCKED, external=True)
        assert {reply.rcode for reply in replies} == {"NOERROR", "SERVFAIL"}
        assert max(reply.seconds for reply in replies) < 4.5 + NOISE
        assert country.ask_fresh(OPEN[1], server="198.18.1.2").ede is None
    check_nothing_learned(country)
