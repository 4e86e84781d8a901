"""Real mail that goes out by DANE: whether Postfix believes the key that a signed zone has for a mail host depends on
whether AD reaches it, so on which upstreams are marked trusted. The zone sealed.example is signed and blocked."""

import pytest

from country import DOMESTIC, EXTERNAL

POSTFIX = ["smtp_tls_security_level=dane", "smtp_dns_support_level=dnssec", "smtp_tls_loglevel=1", "dnssec_probe=ns:dane.test"]
ZONES = ["dane.test", "sealed.example"]


@pytest.fixture
def deliver(country):
    """Has Postfix deliver to `domains` abroad through a byway whose `upstreams` are as given; what it did."""
    def go(domestic, external, *domains):
        country.start(upstreams={
            "domestic": [{"address": DOMESTIC, "trusted": domestic}],
            "external": [{"address": f"tls://{EXTERNAL}#dns.abroad.example", "ca": str(country.dir / "ca.pem"), "trusted": external}]})
        country.lab("taker-start")
        country.lab("mail-start", "byway", *POSTFIX)
        for domain in domains:
            assert country.send_out(f"bob@{domain}").startswith("250 ")
        return {domain: country.until_logged("mail.log", rf"to=<bob@{domain}>, relay=(\S+),? .*status=(\w+) \((.*)\)").groups()
                for domain in domains}
    return go


def tls_connections(country):
    """Mail host → how Postfix has taken its certificate."""
    found, log = {}, (country.dir / "mail.log").read_text()
    for line in log.splitlines():
        if " TLS connection established to " in line:
            how, _, host = line.partition(" TLS connection established to ")
            found[host.split("[")[0]] = how.split()[-1]
    return found


def arrived(country):
    return {domain for domain in ZONES + [f"wrong.{zone}" for zone in ZONES] if f"to=<bob@{domain}>" in (country.dir / "taker.log").read_text()}


def test_trusted(country, deliver):
    """A key is believed, and its being another keeps the mail back, in a blocked zone as in an open one."""
    done = deliver(True, True, "dane.test", "sealed.example", "wrong.dane.test", "wrong.sealed.example")
    for zone in ZONES:
        assert done[zone][1] == "sent"
        assert done[f"wrong.{zone}"][1:] == ("deferred", "Server certificate not verified")
    assert tls_connections(country) == {f"{host}.{zone}": how for zone in ZONES
                                        for host, how in (("mail", "Verified"), ("other", "Untrusted"))}
    assert arrived(country) == set(ZONES)
    assert "DNSSEC validation may be unavailable" not in (country.dir / "mail.log").read_text()
    assert country.ctl("status")["ad"]["reaches_clients"]


@pytest.mark.parametrize("domestic, external", [(True, False), (False, False)])
def test_untrusted(country, deliver, domestic, external):
    """Without AD Postfix knows of no key: it encrypts to whoever answers, and delivers where the key is another."""
    done = deliver(domestic, external, "sealed.example", "wrong.sealed.example", "wrong.dane.test")
    assert [done[domain][1] for domain in ("sealed.example", "wrong.sealed.example")] == ["sent", "sent"]
    assert done["wrong.dane.test"][1] == ("deferred" if domestic else "sent")
    assert tls_connections(country) == {"mail.sealed.example": "Untrusted", "other.sealed.example": "Untrusted", "other.dane.test": "Untrusted"}
    assert ("DNSSEC validation may be unavailable" in (country.dir / "mail.log").read_text()) == (not domestic)
