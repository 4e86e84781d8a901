"""Real mail: Exim, with Debian's configuration and what that offers against senders who cannot be looked up turned on.
What it says and logs, what `maillog` and `explain` make of that, and that byway ends it."""

from country import DESK, EXIM

# Each a mail: who sends it, from where, with which HELO name; what Exim says while it asks domestic, and with byway.
ACCEPTED = "250 OK id="
LATER = "451 Temporary local problem - please try later"
STORIES = {
    "good": ({"sender": "a@fine.test"}, ACCEPTED, ACCEPTED),
    "sender": ({"sender": "a@silent.test"}, LATER, ACCEPTED),
    "spf": ({"sender": "a@partner.test"}, "451 Temporary DNS error while checking SPF record.  Try again later.", ACCEPTED),
    "client": ({"sender": "a@twice.test", "at": "203.0.113.35", "helo": "out.twice.test"}, LATER, ACCEPTED),
    "refused": ({"sender": "a@geo.test"}, LATER, ACCEPTED),
    # Without an MX its own address is its mail host; but not if it is denied that the name exists.
    "no MX": ({"sender": "a@www.silent.test"}, LATER, ACCEPTED),
    # In a blocked zone, where only byway can tell that it does not exist.
    "nosuch there": ({"sender": "a@gone.silent.test"}, LATER, "550 Verification failed for <a@gone.silent.test>"),
    # Not byway's to cure, and not cured.
    "unauthorised": ({"sender": "d@fine.test", "at": "203.0.113.35", "helo": "out.twice.test"},
                     *2 * ("550 [SPF] 203.0.113.35 is not allowed to send mail from fine.test.",)),
    "null": ({"sender": "a@nullmx.test"}, *2 * ("550 Sender verification failed",)),
    "nosuch": ({"sender": "a@nosuch.test"}, *2 * ("550 Verification failed for <a@nosuch.test>",)),
    "nameless": ({"sender": "e@wrong.dane.test", "at": "192.0.2.26"}, *2 * ("550 Administrative prohibition",)),
    "listed": ({"sender": "f@fine.test", "at": "192.0.2.44", "helo": "listed.fine.test"},
               *2 * ("550 192.0.2.44 is listed at zen.spamhaus.org",)),
    "lame": ({"sender": "a@lame.test"}, LATER, LATER),
    "dead": ({"sender": "a@nowhere.test"}, LATER, LATER),
    "desk": ({"sender": "a@desk.any.fine.test", "at": DESK, "helo": "desk.home.inland"}, ACCEPTED, ACCEPTED),
}
MAILS = {name: story[0] for name, story in STORIES.items()}
CAUSES = {
    "silent.test": ("sender", ("blocked", "silent.test")), "partner.test": ("spf", ("depends-on-blocked", "silent.test")),
    "35.113.0.203.in-addr.arpa": ("client", ("blocked", "113.0.203.in-addr.arpa")),
    "26.2.0.192.in-addr.arpa": ("client", ("ptr-unconfirmed", None)), "hush.example": ("recipient", ("blocked", "hush.example")),
    "lame.test": ("sender", ("lame", "lame.test")), "nosuch.test": ("sender", ("no-domain", None)),
    "geo.test": ("sender", ("blocked", "geo.test")), "gone.silent.test": ("sender", ("no-domain", None)),
    "www.silent.test": ("sender", ("blocked", "silent.test")), "nowhere.test": ("sender", ("servers-unreachable", "nowhere.test")),
    "away.fine.test": ("recipient", ("depends-on-blocked", "silent.test"))}
LOG = "exim/mainlog"


def test_exim(country):
    """What Exim defers while it asks domestic, it takes as soon as it asks byway, and so for mail that goes out; in between
    the log is read."""
    country.lab("exim-start", "domestic")
    for recipient in ("bob@hush.example", "bob@away.fine.test"):
        assert country.send_out(recipient, EXIM).startswith(ACCEPTED)
    before = country.send_all(MAILS, EXIM)
    for story, (_, said, _) in STORIES.items():
        assert before[story].startswith(said), (story, before[story])
    for domain in ("hush.example", "away.fine.test"):
        country.until_logged(LOG, rf" == bob@{domain} R=dnslookup defer \(-1\): host lookup did not complete")
    country.lab("exim-stop")
    country.start()
    found = country.maillog(LOG)
    assert sum(entry["explain"] is not None for entry in found.values()) == 10 and country.causes(LOG, found) == CAUSES
    country.lab("exim-start", "byway")
    after = country.send_all(MAILS, EXIM)
    for story, (_, _, said) in STORIES.items():
        assert after[story].startswith(said), (story, after[story])
    for domain, host in (("hush.example", "mail.hush.example"), ("away.fine.test", "mail.silent.test")):
        country.until_logged(LOG, rf" => bob@{domain} R=dnslookup T=remote_smtp H={host} \[192\.0\.2\.25\] C=\"250 ")
    country.until_logged(LOG, r" <= a@desk\.any\.fine\.test H=desk\.home\.inland \[10\.0\.0\.7\]")
    assert country.asked_below("external", "10.in-addr.arpa") == []
    for zone in ("silent.test", "113.0.203.in-addr.arpa", "hush.example", "geo.test"):
        country.until(f"{zone} learned", lambda zone=zone: country.state(zone) == "blocked", 15)
    assert {domain for domain, entry in country.maillog(LOG).items() if not entry["cured"]} == {
        "lame.test", "nosuch.test", "nowhere.test", "26.2.0.192.in-addr.arpa"}


def test_explain_in_the_words_of_exim(country):
    """Word by word what a client heard."""
    country.start()
    stories = (("sender", "silent.test", "sender"), ("spf", "partner.test", "spf"), ("client", "twice.test", "client"),
               ("unauthorised", "fine.test", "spf"), ("null", "nullmx.test", "sender"), ("nosuch", "nosuch.test", "sender"),
               ("nameless", "fine.test", "client"), ("lame", "lame.test", "sender"))
    for (story, _, check), said in zip(stories, country.heard_all("exim", [(domain, MAILS[story]) for story, domain, _ in stories])):
        assert said[check] == STORIES[story][1], (story, said)
