"""Many messages, in and out, through a Postfix that asks byway, while the border opens and closes, byway is killed, told
to reload, and upgraded, and Redis killed: none is lost, none refused, and none deferred longer than one retry.

Its service manager keeps byway's sockets, as systemd does (tests/integration/manager.py).
"""

import collections
import concurrent.futures
import json
import re
import threading
import time

import pytest

from country import BUILD, DOMESTIC, EXTERNAL, POSTFIX, ROOT
from manager import Managed
from redis_server import Redis

ZONES = ["fine.test", "silent.test", "later.test", "geo.test", "bulk.example", "hush.example", "twin.test"]
EVERY = 3  # seconds something happens
SERVERS = {"silent.test": "203.0.113.20", "later.test": "203.0.113.12"}
# Without the SPF service, which would be slower than all the rest; what is kept is tried again after 5 s.
SETTINGS = ["default_process_limit=60", "smtpd_client_connection_count_limit=0", "enable_long_queue_ids=yes", "queue_run_delay=2s",
            "minimal_backoff_time=5s", "maximal_backoff_time=5s",
            "smtpd_recipient_restrictions=permit_mynetworks, reject_rbl_client zen.spamhaus.org"]


@pytest.fixture
def redis(country):
    server = Redis(country.dir / "redis").start()
    yield server
    server.kill()


@pytest.fixture
def managed(country, redis):
    """A bywayd inside that is started as its service manager starts it."""
    config = json.loads((country.dir / "byway.json").read_text())
    daemon = Managed([DOMESTIC], [EXTERNAL], {"listen": ["127.0.0.1:53"], "zones": config["zones"], "presets": None, "log.level": "info",
                                              "learning.recheck_first": "2s", **redis.settings("inside")}, directory=country.dir)
    daemon.program = ["ip", "netns", "exec", f"{country.name}-inside", str(BUILD / "bywayd")]
    daemon.start()
    yield daemon
    daemon.close()


def reload(daemon):
    workers = 2 if daemon.config.get("workers") == 3 else 3
    daemon.set({"workers": workers})
    daemon.hang_up()


def kill(daemon):
    daemon.kill()
    time.sleep(0.5)
    daemon.start()


def meanwhile_asking(country, happens):
    """External stands still around what happens, so that it befalls questions whose answer is still to come."""
    def go():
        country.lab("freeze", "external")
        thaw = threading.Timer(1.3, country.lab, ("thaw", "external"))
        thaw.start()
        time.sleep(1)
        happens()
        thaw.join()
    return go


def events(country, daemon, redis):
    """What happens meanwhile, in turn."""
    return [lambda: country.lab("block", SERVERS["later.test"]), lambda: kill(daemon),
            lambda: country.lab("unblock", SERVERS["silent.test"]), redis.kill, meanwhile_asking(country, lambda: reload(daemon)),
            meanwhile_asking(country, daemon.restart), redis.start,
            lambda: country.lab("unblock", SERVERS["later.test"]), lambda: country.lab("block", SERVERS["silent.test"]), lambda: kill(daemon)]


def load(country, where, at, sender, recipient, count, rate):
    out = country.lab(f"exec-{where}", "/usr/bin/python3", ROOT / "tests/lab/load.py", "--at", at, "--rate", str(rate), POSTFIX, sender,
                      recipient, str(count), timeout=count / rate + 120)
    return json.loads(out)


def check_delivered(country, count):
    """Each message is out of the queue, sent, and was deferred once at most, for a lookup that failed."""
    def sent():
        return re.findall(r"postfix/(?:smtp|discard)\[\d+\]: (\w+): .* status=sent", (country.dir / "mail.log").read_text())
    country.until(f"{count} sent", lambda: len(sent()) >= count, 60)
    log = (country.dir / "mail.log").read_text()
    lines = [line for line in log.splitlines() if "status=deferred" in line]
    deferred = collections.Counter(re.search(r"postfix/\w+\[\d+\]: (\w+): ", line)[1] for line in lines)
    assert len(set(sent())) == len(sent()) == count and "status=bounced" not in log
    assert max(deferred.values(), default=0) <= 1, lines[:5]
    # Who was told that there is no MX has tried the name's own address, which nobody has.
    assert [line for line in lines if "Host not found, try again" not in line] == []
    return sum(deferred.values())


def flow(country, daemon, redis, count, rate):
    """`count` messages or some more, `rate` a second, one half each way; says what came of them."""
    country.lab("mail-start", "byway", *SETTINGS)
    meanwhile = events(country, daemon, redis)
    each = -(-count // (2 * len(ZONES)))
    jobs = [(where, at, sender.replace("ZONE", zone), recipient.replace("ZONE", zone), each, rate / 2 / len(ZONES)) for zone in ZONES
            for where, at, sender, recipient in (("abroad", "192.0.2.25,203.0.113.35", "a@n{n}.any.ZONE", "u{n}@home.inland"),
                                                 ("inside", POSTFIX, "ops@home.inland", "u{n}@n{n}.any.ZONE"))]
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        loads = [pool.submit(load, country, *job) for job in jobs]
        turn, began = 0, time.monotonic()
        while not any(job.done() for job in loads):
            if time.monotonic() > began + EVERY * (turn + 1):
                meanwhile[turn % len(meanwhile)]()
                turn += 1
            time.sleep(0.1)
        results = [job.result() for job in loads]
    assert turn >= len(meanwhile), turn
    assert [r["refused"] + r["twice"] for r in results if r["refused"] or r["twice"]] == []
    assert {r["accepted"] for r in results} == {each}
    outbound = check_delivered(country, 2 * each * len(ZONES))
    inbound = sum(len(result["deferred"]) for result in results)
    print(f"{2 * each * len(ZONES)} messages, {turn} events; deferred, once: {inbound} on their way in, {outbound} on their way out")
    assert min(len(country.asked_below("external", zone)) for zone in SERVERS) > 20, "the border was open all the time"
    assert country.asked_below("external", "fine.test") == []
    country.check_accounts()
    if not redis.process:
        redis.start()
    country.until("connected again", lambda: country.ctl("status")["cluster"]["connected"], 15)


def test_a_thousand_messages(country, managed, redis):
    flow(country, managed, redis, 1000, 25)


@pytest.mark.nightly
def test_ten_thousand_messages(country, managed, redis):
    flow(country, managed, redis, 10000, 60)
