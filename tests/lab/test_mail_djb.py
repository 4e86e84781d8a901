"""Real mail: programs with the resolver library of djbdns, which asks without EDNS, waits 1, 3, 11 and 45 s, and takes no
SERVFAIL for an answer before its last; rblsmtpd is one of them. And the lookups of qmail, which Debian does not have, by the C library (qmail_lookups.py)."""

import concurrent.futures
import os
import re
import subprocess
import time

import pytest

from country import BUILD, DESK, DOMESTIC, LAB, ROOT

PATIENCE = 8  # seconds, of the test: that is in the third of their tries
REFUSED = 20  # a SERVFAIL that comes in the third try they do not take, and wait for 11 s
LOOKUPS = {  # what is asked, and how the answer begins
    ("dnsmx", "silent.test"): "10 mail.silent.test",
    ("dnsip", "www.hush.example"): "192.0.2.80",
    ("dnstxt", "spf.twin.test"): "v=spf1 ip4:198.51.100.100/32 ",
    ("dnsname", "203.0.113.35"): "out.twice.test",
    ("dnsqr", "any", "geo.test"): "255 geo.test:",
    ("dnsip", "gone.silent.test"): "\n",  # that is, it does not exist; what failed they say on standard error
}
HOME = {  # what every resolver at home can tell
    ("dnsip", "gone.fine.test"): "\n",
    ("dnsname", DESK): "desk.home.inland\n",
}
QMAIL = ("/usr/bin/python3", ROOT / "tests/lab/qmail_lookups.py")


def run(country, *command, stdin="", patience=PATIENCE):
    """-> (standard output, standard error, seconds); the output is what came until then if it was not patient enough."""
    began = time.monotonic()
    done = subprocess.run([LAB, "-d", country.dir, "exec-inside", "timeout", str(patience), *map(str, command)], input=stdin, text=True,
                          capture_output=True, timeout=60, check=False, env={**os.environ, "BYWAY_BUILD": str(BUILD)})
    return done.stdout, done.stderr, time.monotonic() - began


def run_all(country, commands):
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
        return dict(zip(commands, pool.map(lambda command: run(country, *command), commands)))


def test_lookups(country):
    """What a resolver that cannot reach all of the world leaves them waiting for, byway answers at one of the first tries."""
    commands = [*LOOKUPS, *HOME, *((*QMAIL, domain) for domain in ("silent.test", "lame.test", "gone.hush.example", "gone.fine.test"))]
    (country.dir / "resolv.conf").write_text(f"nameserver {DOMESTIC}\noptions timeout:2\n")
    before = run_all(country, commands)
    assert {before[command][0] for command in LOOKUPS} == {""}, before
    for domain in ("silent.test", "gone.hush.example"):
        assert before[*QMAIL, domain][0] in ("", f"ANY {domain} soft\n"), before[*QMAIL, domain]
    for domain, word in (("lame.test", "soft"), ("gone.fine.test", "hard")):
        assert before[*QMAIL, domain][0] == f"ANY {domain} {word}\nMX {domain} {word}\n"
    (country.dir / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:2\n")
    country.start()
    after = run_all(country, commands)
    for command, start in {**LOOKUPS, **HOME}.items():
        out, said, seconds = after[command]
        assert out.startswith(start) and said == "" and seconds < 4.5, after[command]
    assert all(before[command][:2] == after[command][:2] for command in HOME), before
    assert len(after["dnstxt", "spf.twin.test"][0]) > 4000
    found = after[*QMAIL, "silent.test"]
    assert re.fullmatch(r"ANY silent\.test \d+\nMX silent\.test 1\nA mail\.silent\.test\. 1\n", found[0]), found
    for domain, word in (("lame.test", "soft"), ("gone.hush.example", "hard"), ("gone.fine.test", "hard")):
        assert after[*QMAIL, domain][0] == f"ANY {domain} {word}\nMX {domain} {word}\n"
    assert country.asked_below("external", "10.in-addr.arpa") == []


@pytest.fixture
def rblsmtpd(country):
    """Has rblsmtpd serve a client; what it told the client, and what it logged."""
    def go(client, *options):
        return run(country, "env", f"TCPREMOTEIP={client}", "rblsmtpd", *options, "-b", "-r", "zen.spamhaus.org", "echo", "passed",
                   stdin="HELO x\r\nMAIL FROM:<a@fine.test>\r\nRCPT TO:<u@home.inland>\r\nQUIT\r\n", patience=REFUSED)[:2]
    country.start()
    return go


def test_rblsmtpd(country, rblsmtpd):
    """A listed client is refused, another passed on; and what it says while the list fails maillog finds."""
    told, log = rblsmtpd("192.0.2.44")
    assert "553 listed" in told.splitlines() and "rblsmtpd: 192.0.2.44 pid " in log
    assert rblsmtpd("192.0.2.25") == ("passed\n", "")
    country.lab("kill", "domestic")
    country.ask("1.2.0.192.zen.spamhaus.org")
    told, log = rblsmtpd("192.0.2.26", "-c")
    assert "451 temporary RBL lookup error" in told.splitlines(), told
    (country.dir / "qmail").write_text(log)
    country.lab("revive", "domestic")
    (entry,) = country.maillog("qmail").values()
    assert (entry["domain"], entry["kind"], entry["reply"]) == ("26.2.0.192.in-addr.arpa.", "blocklist", "451 temporary RBL lookup error")
    assert country.asked_below("external", "spamhaus.org") == []
