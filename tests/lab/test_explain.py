"""The story that byway is for, step by step, with real resolvers, real servers and a border that drops packets: `explain`
names the cause, and finds none where there is none."""

import pytest

SENDER = "192.0.2.25"  # of every domain's mail host


def tags(result, *grades):
    return {finding["tag"] for finding in result["findings"] if not grades or finding["grade"] in grades}


def explain(country, domain, *options):
    """What bywayctl says; it keeps its time, asks no more than it may, and has one cause at most."""
    result = country.ctl("explain", domain, *options)
    assert result["took_ms"] < 15500 and len(result["facts"]) <= 200
    assert [f["grade"] for f in result["findings"]].count("cause") <= 1
    return result


def cause(result):
    return result["cause"] and result["cause"]["tag"]


@pytest.fixture
def started(country):
    country.start()
    return country


def test_what_is_wrong_with_a_domain_or_its_client(started):
    """Of a good domain nothing; of the others exactly that."""
    good = explain(started, "fine.test", "--ip", SENDER, "--helo", "mail.fine.test", "--sender", "a@fine.test")
    assert (good["verdict"], cause(good), good["replies"]) == ("fine", None, [])
    assert tags(good, "problem") == set() and {"delegation", "mx", "spf", "dmarc", "ptr", "helo", "tlsa"} <= tags(good)
    assert [(s["address"], s["over"], s["outcome"], s["authoritative"], s["serial"]) for s in good["zones"][0]["servers"]
            ] == [("203.0.113.10:53", over, "answer", True, 1) for over in ("udp", "tcp")]
    twice = explain(started, "twice.test")
    assert (twice["verdict"], cause(twice)) == ("fine", None) and "mx-duplicate" in tags(twice, "note")
    null = explain(started, "nullmx.test")
    assert (null["verdict"], cause(null)) == ("misconfigured", "mx-null")
    for options, tag in ((("--helo", "gone.fine.test"), "helo-missing"), (("--ip", "192.0.2.7"), "ptr-unconfirmed")):
        wrong = explain(started, "fine.test", *options)
        assert (wrong["verdict"], cause(wrong), tags(wrong, "problem")) == ("misconfigured", tag, {tag})


def test_name_servers_that_are_blocked(started):
    result = explain(started, "silent.test", "--sender", "a@silent.test")
    assert (result["verdict"], cause(result)) == ("blocked", "blocked")
    (servers,) = [f for f in result["findings"] if f["tag"] == "servers-unreachable"]
    assert "does not answer this machine; external reaches it" in servers["text"] and "203.0.113.20" in servers["text"]
    assert "spf-none" not in tags(result) and "mx-none" not in tags(result)
    assert ("postfix", "sender", "450 4.1.8") in {(r["server"], r["check"], r["code"]) for r in result["replies"]}
    assert result["took_ms"] < 6000
    started.learn("silent.test")
    carried = explain(started, "silent.test")
    assert (carried["verdict"], cause(carried)) == ("fine", None) and "carried" in tags(carried, "note")


def test_a_domain_whose_spf_needs_a_blocked_zone(started):
    result = explain(started, "partner.test", "--ip", SENDER, "--sender", "a@partner.test")
    assert (result["verdict"], cause(result)) == ("blocked", "depends-on-blocked")
    assert result["cause"]["zone"] == "silent.test." and "spf.silent.test." in result["cause"]["text"]
    assert {reply["check"] for reply in result["replies"]} == {"spf"} and result["took_ms"] < 8000


def test_a_client_whose_reverse_zone_is_blocked(started):
    result = explain(started, "fine.test", "--ip", "203.0.113.25", "--sender", "a@twice.test")
    assert cause(result) == "depends-on-blocked" and result["cause"]["zone"] == "113.0.203.in-addr.arpa."


def test_what_is_broken_for_everybody(started):
    lame = explain(started, "lame.test")
    assert (lame["verdict"], cause(lame)) == ("broken", "lame") and "203.0.113.50" in lame["cause"]["text"]
    expired = explain(started, "expired.test")
    assert (expired["verdict"], cause(expired)) == ("broken", "dnssec-bogus")
    assert "expired" in expired["cause"]["text"] and "days ago" in expired["cause"]["text"]
    nowhere = explain(started, "nowhere.test")
    assert (nowhere["verdict"], cause(nowhere)) == ("broken", "servers-unreachable")
    gone = explain(started, "no-such-domain.test")
    assert (gone["verdict"], cause(gone)) == ("broken", "no-domain")
    for result in (lame, expired, nowhere, gone):
        assert result["cause"]["side"] == "domain"


def test_half_of_the_name_servers(started):
    """Some blocked, some not: no cause, but told."""
    started.lab("block", "203.0.113.18")
    result = explain(started, "half.test")
    assert (result["verdict"], cause(result)) == ("fine", None)
    (half,) = [f for f in result["findings"] if f["tag"] == "servers-unreachable"]
    assert "1 of the 2 addresses" in half["text"] and "203.0.113.18" in half["text"]


def test_no_dns_leaves_this_machine(started):
    """Where the border lets no question through but the resolvers', silence says nothing of a zone's servers."""
    for server in ("203.0.113.71", "203.0.113.10"):
        started.lab("block", server)
    started.ask("fine.test", "SOA", "198.18.1.53")
    result = explain(started, "fine.test")
    assert "direct-unknown" in tags(result, "note") and "servers-unreachable" not in tags(result)


def test_a_border_that_forges(country):
    country.lab("external-by", "tls")
    country.start(forged={"canary": "203.0.113.250"})
    country.lab("inject", "fine.test")
    result = explain(country, "fine.test")
    assert (result["verdict"], cause(result)) == ("forged", "forged")
    assert [host["host"] for host in result["hosts"]] == ["mail.fine.test."]
