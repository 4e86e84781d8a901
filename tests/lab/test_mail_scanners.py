"""Real mail: what rspamd and OpenDKIM find out about a mail of a blocked domain, between a resolver that cannot reach all
of the world and byway."""

import json
import re

import dkim
import pytest

from country import BYWAY, DOMESTIC, EXIM, ROOT

ZONE = "hush.example"  # and not below test, which OpenDKIM's libunbound answers itself


@pytest.fixture
def write(bare):
    """Writes a mail of a domain with a signature by its key, which `selector` is the name of; its path in the lab."""
    def go(zone=ZONE, selector="lab"):
        text = (f"From: A <a@{zone}>\r\nTo: u@home.inland\r\nSubject: hello\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\n"
                f"Message-ID: <1@{zone}>\r\n\r\nHello.\r\n").encode()
        path = bare.dir / f"{selector}.{zone}.eml"
        path.write_bytes(dkim.sign(text, selector.encode(), zone.encode(), (bare.dir / "dkim.key").read_bytes()) + text)
        return path
    return go


def scan(country, path, ip="192.0.2.25", zone=ZONE):
    """Symbol of rspamd's → its options."""
    out = country.lab("exec-inside", "rspamc", "-h", f"{EXIM}:11333", "--json", "--ip", ip, "--from", f"a@{zone}", "--helo",
                      "mail.fine.test", "--hostname", "mail.fine.test", "--rcpt", "u@home.inland", "symbols", path)
    return {name: symbol.get("options", []) for name, symbol in json.loads(out)["symbols"].items()}


def of_dns(symbols):
    """Those that come of lookups: SPF, DKIM, DMARC, blocklists."""
    return {name for name in symbols if re.match(r"R_|DMARC_|RBL_|SPAMHAUS|HFILTER_FROMHOST", name)}


def test_rspamd(country, write):
    """It asks for a second, five times: that is longer than byway takes for a zone that it does not know yet. What does not
    exist it knows with byway even there, and what is broken it still cannot tell."""
    mail, broken = write(), write("lame.test")
    failed = {"R_SPF_DNSFAIL", "R_DKIM_TEMPFAIL", "DMARC_DNSFAIL", "HFILTER_FROMHOST_NORES_A_OR_MX"}
    country.lab("rspamd-start", "domestic")
    assert of_dns(scan(country, mail)) == of_dns(scan(country, broken, zone="lame.test")) == failed
    country.lab("rspamd-stop")
    country.start()
    country.lab("rspamd-start", "byway")
    good = {"R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"}
    symbols = scan(country, mail)
    assert of_dns(symbols) == good
    assert (symbols["R_DKIM_ALLOW"], symbols["DMARC_POLICY_ALLOW"]) == ([f"{ZONE}:s=lab"], [ZONE, "reject"])
    listed = scan(country, mail, "192.0.2.44")
    assert of_dns(listed) == good | {"RBL_SPAMHAUS_SBL"} and listed["RBL_SPAMHAUS_SBL"] == ["192.0.2.44:from"]
    assert "SPAMHAUS_BLOCKED_OPENRESOLVER" not in symbols.keys() | listed.keys()
    assert of_dns(scan(country, mail, "203.0.113.35")) == good - {"R_SPF_ALLOW"} | {"R_SPF_FAIL", "DMARC_POLICY_ALLOW_WITH_FAILURES"}
    assert of_dns(scan(country, broken, zone="lame.test")) == failed
    assert of_dns(scan(country, write("gone.silent.test"), zone="gone.silent.test")) == {
        "R_SPF_NA", "R_DKIM_PERMFAIL", "DMARC_POLICY_REJECT", "HFILTER_FROMHOST_NORES_A_OR_MX"}
    assert of_dns(scan(country, write(selector="none"))) == good - {"R_DKIM_ALLOW"} | {"R_DKIM_PERMFAIL"}
    assert country.asked_below("external", "spamhaus.org") == []


def verify(country, path, resolver):
    """What OpenDKIM says of a mail, and how its milter would answer."""
    config = country.dir / "opendkim.conf"
    text = (ROOT / "tests/lab/config/opendkim.conf").read_text()
    config.write_text(text.replace("@LAB@", str(country.dir)).replace("@ADDRESS@", resolver))
    return country.lab("exec-inside", "opendkim", "-x", config, "-vvv", "-t", path)


def test_opendkim(country, write):
    """A key that cannot be looked up is asked for later, and one that does not exist is not."""
    mail = write()
    said = verify(country, mail, DOMESTIC)
    assert "replytxt='DKIM key retrieval failed'" in said and "rcode='451' xcode='4.7.5'" in said, said
    assert "failed: key DNS query failed" in said, said
    country.start()
    said = verify(country, mail, BYWAY)
    assert f"dkim=pass (2048-bit key; unprotected) header.d={ZONE}" in said and "SETREPLY" not in said, said
    mail.write_bytes(mail.read_bytes().replace(b"Hello.", b"Hullo."))
    assert "dkim=fail" in verify(country, mail, BYWAY)
    said = verify(country, write(selector="none"), BYWAY)
    assert 'dkim=fail reason="key not found in DNS"' in said and "SETREPLY" not in said, said
    country.lab("external-down")
    country.ctl("cache", "flush", "--all")
    said = verify(country, write(selector="late"), BYWAY)
    assert "rcode='451' xcode='4.7.5'" in said and "failed: key DNS query failed" in said, said
