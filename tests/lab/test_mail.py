"""Real mail: Postfix, as a careful administrator has it, between a resolver that cannot reach all of the world and byway.
What it says and logs, what `maillog` and `explain` make of that, and that byway ends it."""

import concurrent.futures
import contextlib
import datetime
import os
import pathlib
import re
import subprocess
import time

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
    "duplicate": ({"sender": "b@twice.test"}, ACCEPTED, ACCEPTED),
    # Not byway's to cure, and not cured. Who may not send is found out, now that the client has its name.
    "unauthorised": ({"sender": "d@fine.test", "at": "203.0.113.35", "helo": "out.twice.test"},
                     "450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.35]",
                     "550 5.7.23 <u@home.inland>: Recipient address rejected: Message rejected due to: SPF fail - not authorized"),
    "null": ({"sender": "a@nullmx.test"}, *2 * (
        "550 5.7.27 <a@nullmx.test>: Sender address rejected: Domain nullmx.test does not accept mail (nullMX)",)),
    "gone": ({"sender": "c@fine.test", "helo": "gone.fine.test"},
             *2 * ("450 4.7.1 <gone.fine.test>: Helo command rejected: Host not found",)),
    "lame": ({"sender": "a@lame.test"}, *2 * ("450 4.1.8 <a@lame.test>: Sender address rejected: Domain not found",)),
}


def send_all(country):
    """Every story's mail at once; its reply."""
    with concurrent.futures.ThreadPoolExecutor(len(STORIES)) as pool:
        return dict(zip(STORIES, pool.map(lambda story: country.send(**story[0]), STORIES.values())))


def log_of(country):
    return (country.dir / "mail.log").read_text()


def until_logged(country, pattern, seconds=30):
    end = time.monotonic() + seconds
    while not (found := re.search(pattern, log_of(country))):
        assert time.monotonic() < end, f"not logged in {seconds} s: {pattern}\n{log_of(country)}"
        time.sleep(0.1)
    return found


def cause(entry):
    """Tag and zone of the cause that explain names."""
    found = entry["explain"]["cause"]
    return found and (found["tag"], found["zone"] and found["zone"].rstrip("."))


def test_mail_in(country):
    """What Postfix defers while it asks domestic, it takes as soon as it asks byway; in between the log is read."""
    country.lab("mail-start", "domestic")
    before = send_all(country)
    for story, (_, said, _) in STORIES.items():
        assert before[story].startswith(said), (story, before[story])
    country.lab("mail-stop")
    country.start()
    found = country.maillog(country.dir / "mail.log")
    assert {domain: (entry["kind"], entry["count"]) for domain, entry in found.items()} == {
        "silent.test": ("sender", 1), "partner.test": ("spf", 1), "mail.hush.example": ("helo", 1), "gone.fine.test": ("helo", 1),
        "35.113.0.203.in-addr.arpa": ("client", 2), "lame.test": ("sender", 1)}
    for domain, story in (("silent.test", "sender"), ("mail.hush.example", "helo"), ("35.113.0.203.in-addr.arpa", "client")):
        assert found[domain]["reply"] == before[story]
    assert before["spf"].startswith(found["partner.test"]["reply"])
    assert {domain: cause(entry) for domain, entry in found.items() if not entry["cured"]} == {
        "silent.test": ("blocked", "silent.test"), "partner.test": ("depends-on-blocked", "silent.test"),
        "mail.hush.example": ("blocked", "hush.example"), "gone.fine.test": ("helo-missing", None),
        "35.113.0.203.in-addr.arpa": ("blocked", "113.0.203.in-addr.arpa"), "lame.test": ("lame", "lame.test")}
    country.lab("mail-start", "byway")
    after = send_all(country)
    for story, (_, _, said) in STORIES.items():
        assert after[story].startswith(said), (story, after[story])


def test_explain_in_the_words_of_postfix(country):
    """Word by word, as far as it goes, what test_mail_in heard."""
    country.start()
    for story, domain, check in (("sender", "silent.test", "sender"), ("spf", "partner.test", "spf"), ("helo", "fine.test", "helo"),
                                 ("client", "twice.test", "client"), ("unauthorised", "fine.test", "spf"), ("null", "nullmx.test", "sender"),
                                 ("lame", "lame.test", "sender"), ("gone", "fine.test", "helo")):
        mail = {"at": "192.0.2.25", "helo": "mail.fine.test", **STORIES[story][0]}
        result = country.ctl("explain", domain, "--ip", mail["at"], "--helo", mail["helo"], "--sender", mail["sender"])
        said = {reply["check"]: f"{reply['code']} {reply['text']}" for reply in result["replies"] if reply["server"] == "postfix"}
        assert said[check].replace("<recipient>", "<u@home.inland>") == STORIES[story][2 if story == "unauthorised" else 1], (story, said)


def test_mail_out(country):
    """Postfix keeps what it cannot look up, and delivers it at the next try once it asks byway."""
    country.lab("mail-start", "domestic")
    assert country.send_out("bob@silent.test").startswith(ACCEPTED)
    until_logged(country, r"to=<bob@silent\.test>, .*status=deferred \(Host or domain name not found\. Name service error for "
                          r"name=silent\.test type=MX: Host not found, try again\)")
    country.lab("mail-stop")
    country.start()
    (entry,) = country.maillog(country.dir / "mail.log").values()
    assert (entry["domain"], entry["kind"], entry["cured"]) == ("silent.test.", "recipient", False)
    assert entry["reply"].startswith("Host or domain name not found.") and cause(entry) == ("blocked", "silent.test")
    country.lab("mail-start", "byway")
    country.lab("mail-flush")
    until_logged(country, r"to=<bob@silent\.test>, relay=mail\.silent\.test\[192\.0\.2\.25\]:25, .*status=sent")
    country.until("silent.test learned", lambda: country.state("silent.test") == "blocked", 15)
    (entry,) = country.maillog(country.dir / "mail.log").values()
    assert entry["cured"] and entry["explain"] is None


# The same stories, as Exim and qmail write them.
EXIM = """\
DAY 10:00:01 H=mail.fine.test [192.0.2.25] sender verify defer for <a@silent.test>: host lookup did not complete
DAY 10:00:01 H=mail.fine.test [192.0.2.25] F=<a@silent.test> temporarily rejected RCPT <u@home.inland>: Could not complete sender verify
DAY 10:00:02 H=mail.fine.test [192.0.2.25] F=<a@partner.test> temporarily rejected RCPT <u@home.inland>: Temporary DNS error while checking SPF record
DAY 10:00:03 H=(out.twice.test) [203.0.113.35] F=<a@twice.test> temporarily rejected RCPT <u@home.inland>: host lookup deferred for reverse lookup check
DAY 10:00:04 1vPHCt-000001-00 == bob@hush.example R=dnslookup defer (-1): host lookup did not complete
DAY 10:00:05 H=mail.fine.test [192.0.2.25] F=<a@lame.test> temporarily rejected RCPT <u@home.inland>: Could not complete sender verify
"""
QMAIL = """\
@400000006a0b0c160de0b6b3 4711 < MAIL FROM:<a@silent.test>
@400000006a0b0c160de0b6b3 4711 > 451 DNS temporary failure (#4.3.0)
@400000006a0b0c160de0b6b3 starting delivery 17: msg 4711 to remote bob@hush.example
@400000006a0b0c160de0b6b3 delivery 17: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/
@400000006a0b0c160de0b6b3 4712 < MAIL FROM:<a@lame.test>
@400000006a0b0c160de0b6b3 4712 > 451 DNS temporary failure (#4.3.0)
"""


def test_the_same_in_logs_of_exim_and_qmail(country):
    """Each names the causes that Postfix's log names; and how much of it byway has come to cure is said."""
    country.start()
    logs = {name: country.dir / name for name in ("exim", "qmail")}
    logs["exim"].write_text(EXIM.replace("DAY", datetime.date.today().isoformat()))
    logs["qmail"].write_text(QMAIL)
    expected = {
        "silent.test": ("sender", ("blocked", "silent.test")), "partner.test": ("spf", ("depends-on-blocked", "silent.test")),
        "35.113.0.203.in-addr.arpa": ("client", ("blocked", "113.0.203.in-addr.arpa")),
        "hush.example": ("recipient", ("blocked", "hush.example")), "lame.test": ("sender", ("lame", "lame.test"))}
    found = country.maillog(logs["exim"])
    assert {domain: (entry["kind"], cause(entry)) for domain, entry in found.items()} == expected
    for zone in ("silent.test", "113.0.203.in-addr.arpa", "hush.example"):
        country.learn(zone)
    found = country.maillog(logs["exim"])
    assert {domain for domain, entry in found.items() if not entry["cured"]} == {"lame.test"}
    found = country.maillog(logs["qmail"])
    assert {domain: (entry["kind"], entry["cured"]) for domain, entry in found.items()} == {
        domain: (expected[domain][0], domain != "lame.test") for domain in ("silent.test", "hush.example", "lame.test")}


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
    assert len(running) >= 5 and files <= {"/"}, files
    bare.lab("down")
    assert not [pid for pid in running if pathlib.Path("/proc", pid, "exe").exists()]
