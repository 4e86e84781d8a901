"""Real mail: Postfix, as a careful administrator has it, between a resolver that cannot reach all of the world and byway.
What it says and logs, what `maillog` and `explain` make of that, and that byway ends it."""

import contextlib
import os
import pathlib
import re
import subprocess

from country import DESK, cause

# Each a mail: who sends it, from where, with which HELO name; what Postfix says while it asks domestic, and with byway.
ACCEPTED = "250 2.0.0 Ok"
SPF = "450 4.7.24 <u@home.inland>: Recipient address rejected: Message deferred due to: SPF Temporary Error: DNS"
STORIES = {
    "good": ({"sender": "a@fine.test"}, ACCEPTED, ACCEPTED),
    "sender": ({"sender": "a@silent.test"}, "450 4.1.8 <a@silent.test>: Sender address rejected: Domain not found", ACCEPTED),
    "spf": ({"sender": "a@partner.test"}, SPF, ACCEPTED),
    "helo": ({"sender": "b@fine.test", "helo": "mail.hush.example"},
             "450 4.7.1 <mail.hush.example>: Helo command rejected: Host not found", ACCEPTED),
    "client": ({"sender": "a@twice.test", "at": "203.0.113.35", "helo": "out.twice.test"},
               "450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.35]", ACCEPTED),
    "refused": ({"sender": "a@geo.test"}, "450 4.1.8 <a@geo.test>: Sender address rejected: Domain not found", ACCEPTED),
    "duplicate": ({"sender": "b@twice.test"}, ACCEPTED, ACCEPTED),
    # Not byway's to cure, and not cured. Who may not send is found out, now that the client has its name.
    "unauthorised": ({"sender": "d@fine.test", "at": "203.0.113.35", "helo": "out.twice.test"},
                     "450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.35]",
                     "550 5.7.23 <u@home.inland>: Recipient address rejected: Message rejected due to: SPF fail - not authorized"),
    "null": ({"sender": "a@nullmx.test"}, *2 * (
        "550 5.7.27 <a@nullmx.test>: Sender address rejected: Domain nullmx.test does not accept mail (nullMX)",)),
    "gone": ({"sender": "c@fine.test", "helo": "gone.fine.test"},
             *2 * ("550 5.7.1 <gone.fine.test>: Helo command rejected: Host not found",)),
    "nosuch": ({"sender": "a@nosuch.test"}, *2 * ("550 5.1.8 <a@nosuch.test>: Sender address rejected: Domain not found",)),
    # In a blocked zone, where only byway can tell that it does not exist.
    "nosuch there": ({"sender": "a@gone.silent.test"}, "450 4.1.8 <a@gone.silent.test>: Sender address rejected: Domain not found",
                     "550 5.1.8 <a@gone.silent.test>: Sender address rejected: Domain not found"),
    "nameless": ({"sender": "e@fine.test", "at": "192.0.2.26"},
                 *2 * ("550 5.7.25 Client host rejected: cannot find your hostname, [192.0.2.26]",)),
    "listed": ({"sender": "f@fine.test", "at": "192.0.2.44", "helo": "listed.fine.test"}, *2 * (
        "554 5.7.1 Service unavailable; Client host [192.0.2.44] blocked using zen.spamhaus.org; listed",)),
    "lame": ({"sender": "a@lame.test"}, *2 * ("450 4.1.8 <a@lame.test>: Sender address rejected: Domain not found",)),
    "dead": ({"sender": "a@nowhere.test"}, *2 * ("450 4.1.8 <a@nowhere.test>: Sender address rejected: Domain not found",)),
    "desk": ({"sender": "a@desk.any.fine.test", "at": DESK, "helo": "desk.home.inland"}, ACCEPTED, ACCEPTED),
}
MAILS = {name: story[0] for name, story in STORIES.items()}
CAUSES = {  # of what is not cured
    "silent.test": ("blocked", "silent.test"), "gone.silent.test": ("no-domain", None), "geo.test": ("blocked", "geo.test"),
    "partner.test": ("depends-on-blocked", "silent.test"), "mail.hush.example": ("blocked", "hush.example"),
    "35.113.0.203.in-addr.arpa": ("blocked", "113.0.203.in-addr.arpa"), "26.2.0.192.in-addr.arpa": ("ptr-unconfirmed", None),
    "gone.fine.test": ("helo-missing", None), "lame.test": ("lame", "lame.test"), "nosuch.test": ("no-domain", None),
    "nowhere.test": ("servers-unreachable", "nowhere.test")}


def test_mail_in(country):
    """What Postfix defers while it asks domestic, it takes as soon as it asks byway; in between the log is read."""
    country.lab("mail-start", "domestic")
    before = country.send_all(MAILS)
    for story, (_, said, _) in STORIES.items():
        assert before[story].startswith(said), (story, before[story])
    country.lab("mail-stop")
    country.start()
    found = country.maillog("mail.log")
    assert {domain: (entry["kind"], entry["count"]) for domain, entry in found.items()} == {
        "silent.test": ("sender", 1), "partner.test": ("spf", 1), "mail.hush.example": ("helo", 1), "gone.fine.test": ("helo", 1),
        "35.113.0.203.in-addr.arpa": ("client", 2), "26.2.0.192.in-addr.arpa": ("client", 1), "lame.test": ("sender", 1),
        "nosuch.test": ("sender", 1), "geo.test": ("sender", 1), "gone.silent.test": ("sender", 1), "nowhere.test": ("sender", 1)}
    for domain, story in (("silent.test", "sender"), ("mail.hush.example", "helo"), ("35.113.0.203.in-addr.arpa", "client")):
        assert found[domain]["reply"] == before[story]
    assert before["spf"].startswith(found["partner.test"]["reply"])
    assert sum(entry["explain"] is not None for entry in found.values()) == 10
    assert {domain: of for domain, (_, of) in country.causes("mail.log", found).items()} == CAUSES
    country.lab("mail-start", "byway")
    after = country.send_all(MAILS)
    for story, (_, _, said) in STORIES.items():
        assert after[story].startswith(said), (story, after[story])
    assert "client=desk.home.inland[10.0.0.7]" in (country.dir / "mail.log").read_text()
    assert country.asked_below("external", "10.in-addr.arpa") == []


def test_explain_in_the_words_of_postfix(country):
    """Word by word, as far as it goes, what test_mail_in heard; but for what does not exist the code is Postfix's default."""
    country.start()
    stories = (("sender", "silent.test", "sender"), ("spf", "partner.test", "spf"), ("helo", "fine.test", "helo"),
               ("client", "twice.test", "client"), ("unauthorised", "fine.test", "spf"), ("null", "nullmx.test", "sender"),
               ("lame", "lame.test", "sender"), ("gone", "fine.test", "helo"), ("nosuch", "nosuch.test", "sender"))
    for (story, _, check), said in zip(stories, country.heard_all("postfix", [(domain, MAILS[story]) for story, domain, _ in stories])):
        heard = STORIES[story][2 if story == "unauthorised" else 1]
        if story in ("gone", "nosuch"):
            heard = heard.replace("550 5.", "450 4.")
        assert said[check].replace("<recipient>", "<u@home.inland>") == heard, (story, said)


def test_mail_out(country):
    """Postfix keeps what it cannot look up, and delivers it at the next try once it asks byway."""
    country.lab("mail-start", "domestic")
    assert country.send_out("bob@silent.test").startswith(ACCEPTED)
    country.until_logged("mail.log", r"to=<bob@silent\.test>, .*status=deferred \(Host or domain name not found\. Name service error for "
                          r"name=silent\.test type=MX: Host not found, try again\)")
    country.lab("mail-stop")
    country.start()
    (entry,) = country.maillog("mail.log").values()
    assert (entry["domain"], entry["kind"], entry["cured"]) == ("silent.test.", "recipient", False)
    assert entry["reply"].startswith("Host or domain name not found.") and cause(entry) == ("blocked", "silent.test")
    country.lab("mail-start", "byway")
    country.lab("mail-flush")
    country.until_logged("mail.log", r"to=<bob@silent\.test>, relay=mail\.silent\.test\[192\.0\.2\.25\]:25, .*status=sent")
    country.until("silent.test learned", lambda: country.state("silent.test") == "blocked", 15)
    (entry,) = country.maillog("mail.log").values()
    assert entry["cured"] and entry["explain"] is None


def test_mail_out_to_hosts_elsewhere(country):
    """The domain is open, its mail host in a blocked zone. And what does not exist comes back, though the zone be blocked, and
    what is broken waits."""
    country.lab("mail-start", "domestic")
    for recipient in ("bob@away.fine.test", "bob@gone.hush.example", "bob@lame.test"):
        assert country.send_out(recipient).startswith(ACCEPTED)
    for domain, name in (("away.fine.test", "mail.silent.test type=A"), ("gone.hush.example", "gone.hush.example type=MX"),
                         ("lame.test", "lame.test type=MX")):
        country.until_logged("mail.log", rf"to=<bob@{domain}>, .*status=deferred \(Host or domain name not found\. Name service error for "
                              rf"name={name}: Host not found, try again\)")
    country.lab("mail-stop")
    country.start()
    found = country.maillog("mail.log")
    assert {domain: (entry["kind"], cause(entry)) for domain, entry in found.items()} == {
        "mail.silent.test": ("recipient", ("blocked", "silent.test")), "gone.hush.example": ("recipient", ("no-domain", None)),
        "lame.test": ("recipient", ("lame", "lame.test"))}
    country.lab("mail-start", "byway")
    deferred = len(re.findall(r"to=<bob@lame\.test>.*status=deferred", (country.dir / "mail.log").read_text()))
    country.lab("mail-flush")
    country.until_logged("mail.log", r"to=<bob@away\.fine\.test>, relay=mail\.silent\.test\[192\.0\.2\.25\]:25, .*status=sent")
    country.until_logged("mail.log", r"to=<bob@gone\.hush\.example>, .*status=bounced \(Host or domain name not found\. Name service error for "
                          r"name=gone\.hush\.example type=A: Host not found\)")
    country.until_logged("mail.log", rf"(?s)(to=<bob@lame\.test>[^\n]*status=deferred.*){{{deferred + 1}}}")


# What qmail writes of such mail, by its sources; Debian has no qmail.
QMAIL = """\
@400000006a0b0c160de0b6b3 4711 < MAIL FROM:<a@silent.test>
@400000006a0b0c160de0b6b3 4711 > 451 DNS temporary failure (#4.3.0)
@400000006a0b0c160de0b6b3 starting delivery 17: msg 4711 to remote bob@hush.example
@400000006a0b0c160de0b6b3 delivery 17: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/
@400000006a0b0c160de0b6b3 4712 < MAIL FROM:<a@lame.test>
@400000006a0b0c160de0b6b3 4712 > 451 DNS temporary failure (#4.3.0)
"""


def test_how_much_is_cured(country):
    """Of the mail that a log has byway has come to cure what it has learned meanwhile, and that is said."""
    country.start()
    (country.dir / "qmail").write_text(QMAIL)
    for zone in ("silent.test", "hush.example"):
        country.learn(zone)
    found = country.maillog("qmail")
    assert {domain: (entry["kind"], entry["cured"]) for domain, entry in found.items()} == {
        "silent.test": ("sender", True), "hush.example": ("recipient", True), "lame.test": ("sender", False)}


def mail_processes(country):
    """pid → what it has open, of Postfix and its policy service."""
    found = {}
    pids = subprocess.run(["ip", "netns", "pids", f"{country.name}-inside"], capture_output=True, text=True, check=True).stdout
    for proc in (pathlib.Path("/proc", pid) for pid in pids.split()):
        with contextlib.suppress(OSError):
            if "/postfix/" in os.readlink(proc / "exe") or b"policyd-spf" in (proc / "cmdline").read_bytes():
                found[proc.name] = {os.readlink(link) for link in (proc / "cwd", *(proc / "fd").iterdir())}
    return found


def test_postfix_is_the_labs_own(bare):
    """It has nothing of the machine's Postfix open, and ends with the lab, whatever it is doing."""
    bare.lab("mail-start", "domestic")
    assert bare.send("a@fine.test").startswith(ACCEPTED)
    running = mail_processes(bare)
    files = {path for opened in running.values() for path in opened if path.startswith("/") and not path.startswith(("/dev/", f"{bare.dir}/"))}
    assert len(running) >= 5 and files <= {"/", "/etc/postfix/dynamicmaps.cf"}, files  # the package's, read when one begins
    bare.lab("down")
    assert not [pid for pid in running if pathlib.Path("/proc", pid, "exe").exists()]
