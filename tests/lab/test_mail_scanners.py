"""Real mail: what rspamd and OpenDKIM find out about a mail of a blocked domain, between a resolver that cannot reach all
of the world and byway."""

import json
import re

import dkim
import pytest

from country import BYWAY, DOMESTIC, EXIM, ROOT

ZONE = "hush.example"  # and not below test, which OpenDKIM's libunbound answers itself


@pytest.fixture
def mail(bare):
    """A mail of the blocked domain with a signature by its key; its path in the lab."""
    text = (f"From: A <a@{ZONE}>\r\nTo: u@home.inland\r\nSubject: hello\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\n"
            f"Message-ID: <1@{ZONE}>\r\n\r\nHello.\r\n").encode()
    path = bare.dir / "mail.eml"
    path.write_bytes(dkim.sign(text, b"lab", ZONE.encode(), (bare.dir / "dkim.key").read_bytes()) + text)
    return path


def scan(country, path, ip="192.0.2.25"):
    """Symbol of rspamd's → its options."""
    out = country.lab("exec-inside", "rspamc", "-h", f"{EXIM}:11333", "--json", "--ip", ip, "--from", f"a@{ZONE}", "--helo",
                      "mail.fine.test", "--hostname", "mail.fine.test", "--rcpt", "u@home.inland", "symbols", path)
    return {name: symbol.get("options", []) for name, symbol in json.loads(out)["symbols"].items()}


def of_dns(symbols):
    """Those that come of lookups: SPF, DKIM, DMARC, blocklists."""
    return {name for name in symbols if re.match(r"R_|DMARC_|RBL_|SPAMHAUS|HFILTER_FROMHOST", name)}


def test_rspamd(country, mail):
    """It asks for a second, five times: that is longer than byway takes for a zone that it does not know yet."""
    country.lab("rspamd-start", "domestic")
    assert of_dns(scan(country, mail)) == {"R_SPF_DNSFAIL", "R_DKIM_TEMPFAIL", "DMARC_DNSFAIL", "HFILTER_FROMHOST_NORES_A_OR_MX"}
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
    assert country.asked_below("external", "spamhaus.org") == []


def verify(country, path, resolver):
    """What OpenDKIM says of a mail, and how its milter would answer."""
    config = country.dir / "opendkim.conf"
    text = (ROOT / "tests/lab/config/opendkim.conf").read_text()
    config.write_text(text.replace("@LAB@", str(country.dir)).replace("@ADDRESS@", resolver))
    return country.lab("exec-inside", "opendkim", "-x", config, "-vvv", "-t", path)


def test_opendkim(country, mail):
    said = verify(country, mail, DOMESTIC)
    assert "replytxt='DKIM key retrieval failed'" in said and "rcode='451' xcode='4.7.5'" in said, said
    assert "failed: key DNS query failed" in said, said
    country.start()
    said = verify(country, mail, BYWAY)
    assert f"dkim=pass (2048-bit key; unprotected) header.d={ZONE}" in said and "SETREPLY" not in said, said
    mail.write_bytes(mail.read_bytes().replace(b"Hello.", b"Hullo."))
    assert "dkim=fail" in verify(country, mail, BYWAY)
