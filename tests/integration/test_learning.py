"""A blocked zone is learned, a broken one and a dead network are not, and the operator has the last word."""

import json
import statistics
import time

import pytest

from client import together
from conftest import DOMESTIC, EXTERNAL, GOOD, learn, warm
from daemon import quick, wait_for
from upstream import Nxdomain, Refused, Resolve, Servfail, Silent

RTT = 0.03
NOISE = 0.20  # a busy machine's, for the whole wait of a client
SOON = {"learning.recheck_first": "2s", "learning.recheck_max": "8s"}


# ---- blocked ----


def test_a_silent_zone_is_blocked_after_confirmation(forwarder, domestic, external, fresh):
    external.rtt = RTT
    daemon = forwarder()
    warm(daemon)
    zone = fresh("blocked")
    domestic.set(zone, Silent())
    first, second, *later = [daemon.ask(f"n{n}.{zone}") for n in range(7)]
    assert all(reply.addresses == [EXTERNAL] and reply.ede for reply in (first, second, *later))
    assert first.elapsed < 1.2 + RTT + NOISE
    assert second.elapsed < first.elapsed + NOISE
    # two strikes: both sides are asked at once, long before the confirmation is through
    assert statistics.median(reply.elapsed for reply in later) < RTT + quick()

    entry = daemon.wait_state(f"{zone}.", "blocked")
    assert (entry["scope"], entry["type"], entry["via"], entry["source"], entry["reason"]) == (
        "zone", None, "external", "learned", "timeout")
    assert entry["since"].endswith("Z") and entry["last_failure"] and entry["next_recheck"] > entry["since"]

    learned = time.monotonic()
    external.forget()
    replies = [daemon.ask(f"m{n}.{zone}", qtype) for n in range(5) for qtype in ("A", "TXT", "MX")]
    assert statistics.median(reply.elapsed for reply in replies) < RTT + quick()
    assert all(reply.rcode == "NOERROR" and reply.ede for reply in replies)
    time.sleep(0.5)
    assert domestic.count(zone, since=learned) == 0, "only rechecks go to domestic, and none is due"
    assert domestic.count() - domestic.count(zone) < 30, "others were not asked for it"
    assert daemon.zones()[f"{zone}."]["answered"] >= 15
    assert daemon.ask(f"other.{GOOD[0]}").addresses == [DOMESTIC]


@pytest.mark.parametrize("failure, reason", [(Servfail(), "servfail"), (Refused(), "refused")],
                         ids=["servfail", "refused"])
def test_a_zone_that_domestic_fails_is_blocked(forwarder, domestic, external, fresh, failure, reason):
    daemon = forwarder()
    entry = learn(daemon, domestic, fresh("blocked"), failure)
    assert entry["reason"] == reason and entry["scope"] == "zone"
    shown = daemon.control("zones", "show", entry["zone"])
    assert shown["state"] == "blocked" and shown["history"]
    lines = [line for line in shown["evidence"] if line["group"] == "domestic"]
    assert {line["outcome"] for line in lines if line["about"] in ("apex", "question")} == {reason}
    controls = [line for line in lines if line["about"] == "control"]
    assert controls, "why the failures count"
    assert {(line["outcome"], line["question"]) for line in controls} <= {("nxdomain", None), ("nodata", None)}


def test_one_block_that_shows_itself_in_both_ways(forwarder, domestic, external, fresh):
    """Silence first, SERVFAIL for another type, silence again: as Unbound does before a dropped zone."""
    daemon = forwarder()
    warm(daemon)
    zone = fresh("blocked")
    domestic.set(zone, Silent())
    domestic.set(zone, Servfail(), types=("MX",))
    for n in range(3):
        for qtype in ("A", "MX", "TXT"):
            assert daemon.ask(f"n{n}.{zone}", qtype).rcode == "NOERROR"
    daemon.wait_state(f"{zone}.", "blocked")


def test_concurrent_lookups_in_one_zone_cost_one_confirmation(forwarder, domestic, external, fresh):
    daemon = forwarder()
    warm(daemon)
    zone = fresh("blocked")
    domestic.set(zone, Servfail())
    replies = together([lambda n=n: daemon.ask(f"n{n}.{zone}") for n in range(40)])
    assert all(reply.addresses == [EXTERNAL] for reply in replies)
    daemon.wait_state(f"{zone}.", "blocked")
    assert domestic.count(zone) <= 40 + 8 and domestic.count(zone, qtype="SOA") <= 2


def test_a_child_that_works_stays_domestic(forwarder, domestic, external, world, fresh):
    """A sub-zone with servers of its own under a blocked parent, and the other way round."""
    daemon = forwarder()
    parent = fresh("parent")
    child = f"child.{parent}"
    world.add(child)
    domestic.set(child, Servfail())
    warm(daemon)
    for n in range(4):
        assert daemon.ask(f"n{n}.{child}").addresses == [EXTERNAL]
    daemon.wait_state(f"{child}.", "blocked")
    assert daemon.ask(f"www.{parent}").addresses == [DOMESTIC]
    assert f"{parent}." not in daemon.zones()


def test_an_alias_into_a_blocked_zone_blocks_only_the_target(forwarder, domestic, external, world, fresh):
    daemon = forwarder()
    warm(daemon)
    target = fresh("target")
    zone = fresh("alias", text=f"www CNAME mail.{target}.\n* A $MARK")
    domestic.set(target, Servfail())
    domestic.set_name(f"www.{zone}", Servfail())
    for _ in range(3):
        assert daemon.ask(f"www.{zone}").addresses == [EXTERNAL]
        daemon.control("cache", "flush", "--all")
    wait_for(lambda: {f"www.{zone}.", f"{target}."} & set(daemon.zones(state="blocked")), 15, "alias or target learned")
    assert daemon.ask(f"ok.{zone}").addresses == [DOMESTIC], "the alias's own zone works"
    assert daemon.zones().get(f"{zone}.", {"state": None})["state"] != "blocked"


def test_one_name_that_fails_gets_an_entry_of_its_own(forwarder, domestic, external, fresh):
    daemon = forwarder()
    warm(daemon)
    zone = fresh("narrow")
    domestic.set_name(f"bad.{zone}", Servfail())
    for _ in range(3):
        assert daemon.ask(f"bad.{zone}").addresses == [EXTERNAL]
        daemon.control("cache", "flush", "--all")
    entry = wait_for(lambda: daemon.zones(state="blocked").get(f"bad.{zone}."), 15, "the name is learned")
    assert entry["scope"] in ("name", "type")
    assert (entry["type"] == "A") == (entry["scope"] == "type")
    assert f"{zone}." not in daemon.zones()
    for qname in (zone, f"other.{zone}", f"below.bad.{zone}"):
        assert daemon.ask(qname).addresses == [DOMESTIC]


def test_one_of_two_domestic_upstreams_failing_blocks_nothing(forwarder, domestic, second, external, fresh):
    daemon = forwarder(domestics=[domestic, second])
    warm(daemon)
    zone = fresh("half")
    domestic.set(zone, Servfail())
    for n in range(10):
        assert daemon.ask(f"n{n}.{zone}").rcode == "NOERROR"
    time.sleep(1)
    assert external.count() == 0 and daemon.zones(state="blocked") == {}


def test_a_passing_failure_is_forgiven(forwarder, domestic, external, fresh):
    """Domestic is well again when it is asked to confirm: nothing is learned."""
    daemon = forwarder()
    warm(daemon)
    zone = fresh("hiccup")
    domestic.set_name(f"n.{zone}", Servfail())
    assert daemon.ask(f"n.{zone}").addresses == [EXTERNAL]
    domestic.clear(f"n.{zone}")
    time.sleep(7)
    assert daemon.ask(f"m.{zone}").addresses == [DOMESTIC]
    assert daemon.zones(state="blocked") == {}


# ---- whose fault ----


def test_a_public_suffix_is_never_learned(forwarder, domestic, external, world):
    """The SOA that external shows is that of co.uk: the registrable domain is the candidate, and no more."""
    daemon = forwarder()
    warm(daemon)
    domestic.set("co.uk", Servfail())
    for n in range(4):
        external.set(f"missing{n}.co.uk", Nxdomain("co.uk"))
        for host in ("a", "b", "c"):
            assert daemon.ask(f"{host}.missing{n}.co.uk").rcode == "NXDOMAIN"
    time.sleep(3)
    daemon.ask("once.more.missing1.co.uk")
    time.sleep(3)
    assert not {"co.uk.", "uk.", "."} & set(daemon.zones())
    done = daemon.ctl("zones", "pin", "co.uk", "external")
    assert done.returncode in (0, 1), "the operator's word may be taken or refused, but not crash"


def test_a_broken_zone_is_not_blocked_and_costs_little(forwarder, domestic, external, fresh):
    """50 identical lookups in 5 s, silence or SERVFAIL on both sides: at most 12 upstream packets."""
    for behaviour in (Silent(), Servfail()):
        daemon = forwarder()
        warm(daemon)
        time.sleep(0.2)
        zone = fresh("broken")
        for upstream in (domestic, external):
            upstream.set(zone, behaviour)
            upstream.forget()

        def look(delay):
            time.sleep(delay)
            return daemon.ask(f"www.{zone}")
        replies = together([lambda n=n: look(n / 10) for n in range(50)])
        assert {reply.rcode for reply in replies} == {"SERVFAIL"}
        assert max(reply.elapsed for reply in replies) < 4.5 + NOISE
        packets = domestic.count() + external.count()
        assert packets <= 12, [(u.mark, s.transport, s.text, s.qtype, round(s.at, 2))
                               for u in (domestic, external) for s in u.seen()]
        time.sleep(1)
        assert daemon.zones(state="blocked") == {}
        daemon.stop()


def test_a_broken_zone_stays_unblocked_for_other_names(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "2s"})
    warm(daemon)
    zone = fresh("broken")
    for upstream in (domestic, external):
        upstream.set(zone, Servfail())
    for n in range(10):
        assert daemon.ask(f"n{n}.{zone}").rcode == "SERVFAIL"
        time.sleep(0.3)
    assert f"{zone}." not in daemon.zones(state="blocked")
    for upstream in (domestic, external):
        upstream.clear(zone)
    assert daemon.ask(f"well.{zone}").rcode == "NOERROR"


@pytest.mark.parametrize("how", ["silent", "closed"])
def test_a_domestic_outage_is_no_block(forwarder, domestic, external, fresh, how):
    external.rtt = RTT
    daemon = forwarder()
    warm(daemon)
    zones = [fresh("outage") for _ in range(6)]
    if how == "silent":
        domestic.default = Silent()
    else:
        domestic.stop()
    for zone in zones:
        reply = daemon.ask(zone)
        assert reply.addresses == [EXTERNAL] and reply.elapsed < 1.6 + RTT + NOISE
    wait_for(lambda: any(u["group"] == "domestic" and u["state"] == "down" for u in daemon.control("upstreams")), 15,
             "domestic is known to be down", every=0.3)
    times = [daemon.ask(f"n{n}.{zone}").elapsed for n, zone in enumerate(zones)]
    assert statistics.median(times) < RTT + quick(), times
    time.sleep(6)  # time enough for whatever confirmation may be under way
    assert daemon.zones(state="blocked") == {}, "an outage is no evidence"
    if how == "silent":
        domestic.clear()
    else:
        domestic.start()
    count = iter(range(1000))
    wait_for(lambda: daemon.ask(f"back{next(count)}.{GOOD[0]}").addresses == [DOMESTIC], 5 + NOISE, "back at domestic",
             every=0.2)
    for zone in zones:
        assert daemon.ask(f"after.{zone}").addresses == [DOMESTIC]
    assert daemon.zones(state="blocked") == {}


def test_an_external_outage_changes_no_verdict(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "3s", **SOON})
    blocked = learn(daemon, domestic, fresh("blocked"), Servfail())["zone"]
    external.default = Silent()
    assert daemon.ask(f"x.{blocked}").rcode == "SERVFAIL"
    zone = fresh("open")
    assert daemon.ask(zone).addresses == [DOMESTIC]
    time.sleep(2)
    assert daemon.zones()[blocked]["state"] in ("blocked", "recovering")
    domestic.clear(blocked)  # the zone is open again, external still dead: 1 s of silence, then domestic
    reply = daemon.ask(f"y.{blocked}")
    assert reply.addresses == [DOMESTIC] and reply.elapsed < 1.5 + NOISE
    external.clear()


# ---- recovery ----


def test_a_zone_that_works_again_is_cleared(forwarder, domestic, external, fresh):
    daemon = forwarder(SOON)
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    healed = time.monotonic()
    domestic.clear(zone)
    while daemon.zones().get(f"{zone}.", {"state": "clear"})["state"] == "blocked":
        reply = daemon.ask(f"n{time.monotonic_ns()}.{zone}")  # clients wait for no recheck, and see none fail
        assert reply.rcode == "NOERROR" and reply.elapsed < NOISE + quick()
        assert time.monotonic() - healed < 8, "no recheck"
        time.sleep(0.2)
    daemon.wait_state(f"{zone}.", None, 10)
    external.forget()
    assert daemon.ask(f"after.{zone}").addresses == [DOMESTIC] and external.count() == 0


def test_a_zone_still_blocked_is_rechecked_ever_more_seldom(forwarder, domestic, external, fresh):
    daemon = forwarder(SOON)
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    learned = time.monotonic()
    time.sleep(13)
    rechecks = domestic.seen(zone, since=learned)
    moments = [s.at for n, s in enumerate(rechecks) if n == 0 or s.at - rechecks[n - 1].at > 0.5]
    assert 2 <= len(moments) <= 5, [s.at - learned for s in rechecks]
    gaps = [b - a for a, b in zip(moments, moments[1:])]
    assert all(b > a for a, b in zip(gaps, gaps[1:])), gaps
    assert daemon.zones()[f"{zone}."]["state"] == "blocked"


def test_one_good_recheck_is_not_enough(forwarder, domestic, external, fresh):
    daemon = forwarder({**SOON, "learning.recover_after": 3})
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    domestic.clear(zone)
    daemon.wait_state(f"{zone}.", "recovering", 10)
    assert daemon.ask(f"x.{zone}").addresses == [EXTERNAL]
    domestic.set(zone, Servfail())
    daemon.wait_state(f"{zone}.", "blocked", 10)


# ---- modes ----


def test_via_says_where_queries_go(forwarder, domestic, external, fresh, tmp_path):
    daemon = forwarder()
    zone = fresh("blocked")
    import_blocked(daemon, tmp_path / "zones.json", {"zone": f"{zone}."}, {"zone": f"sub.{zone}."})
    via = lambda: {name[:-len(zone) - 1]: entry["via"] for name, entry in daemon.zones().items()}
    assert via() == {"": "external", "sub.": "external"}
    daemon.control("zones", "pin", zone, "domestic")
    assert via() == {"": "domestic", "sub.": "domestic"}, "a pin is for all below"
    assert daemon.ask(f"x.sub.{zone}").addresses == [DOMESTIC]
    daemon.control("zones", "unpin", zone)
    daemon.set({"fallback.on": ["timeout"]})
    daemon.control("reload")
    assert via() == {"": "domestic", "sub.": "domestic"}, "its reason is servfail"
    daemon.set({"fallback.on": None, "zones": [{"zone": f"sub.{zone}", "via": "domestic"}]})
    daemon.control("reload")
    assert via() == {"": "external", "sub.": "domestic"}, "a fence"
    assert daemon.ask(f"y.sub.{zone}").addresses == [DOMESTIC]


def test_observe_reports_and_reroutes_nothing(forwarder, domestic, external, fresh):
    daemon = forwarder({"learning.mode": "observe"})
    zone = fresh("blocked")
    assert learn(daemon, domestic, zone, Servfail())["via"] == "domestic", "where its queries go now"
    domestic.forget()
    assert daemon.ask(f"x.{zone}").addresses == [EXTERNAL]  # the usual way: domestic fails, external answers
    assert domestic.count(f"x.{zone}") == 1
    domestic.clear(zone)
    assert daemon.ask(f"y.{zone}").addresses == [DOMESTIC]


def test_off_learns_nothing(forwarder, domestic, external, fresh):
    daemon = forwarder({"learning.mode": "off"})
    warm(daemon)
    zone = fresh("blocked")
    domestic.set(zone, Servfail())
    for n in range(6):
        assert daemon.ask(f"n{n}.{zone}").addresses == [EXTERNAL]
    time.sleep(1)
    assert daemon.control("zones") == []
    assert domestic.count(zone) == 6, "no confirmation either"


# ---- the operator ----


def test_pins(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("pinned")
    entry = daemon.control("zones", "pin", zone, "external", "--note", "ticket 7")
    assert (entry["zone"], entry["state"], entry["via"], entry["source"], entry["note"]) == (
        f"{zone}.", "clear", "external", "pinned", "ticket 7")
    for qname in (zone, f"a.b.{zone}"):
        reply = daemon.ask(qname)
        assert reply.addresses == [EXTERNAL] and reply.ede
    assert domestic.count(zone) == 0

    daemon.control("zones", "pin", f"b.{zone}", "domestic")  # the closest pin decides
    daemon.control("cache", "flush", "--all")
    assert daemon.ask(f"a.b.{zone}").addresses == [DOMESTIC]
    assert daemon.ask(f"a.c.{zone}").addresses == [EXTERNAL]

    daemon.control("zones", "unpin", zone)
    daemon.control("cache", "flush", "--all")
    assert daemon.ask(zone).addresses == [DOMESTIC]
    assert daemon.ctl("zones", "unpin", zone).returncode == 1
    assert [e["zone"] for e in daemon.control("zones", "--under", zone)] == [f"b.{zone}."]


def test_a_pin_to_domestic_keeps_it_there(forwarder, domestic, external, fresh):
    daemon = forwarder({"fallback.deadline": "1500ms"})
    for behaviour in (Servfail(), Silent()):
        zone = fresh("pinned")
        daemon.control("zones", "pin", zone, "domestic")
        domestic.set(zone, behaviour)
        for n in range(3):
            assert daemon.ask(f"n{n}.{zone}").rcode == "SERVFAIL"
        assert external.count(zone) == 0
        assert daemon.zones()[f"{zone}."]["state"] == "clear"


def test_a_pin_outranks_what_is_learned(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    domestic.clear(zone)
    daemon.control("zones", "pin", zone, "domestic")
    assert daemon.ask(f"pinned.{zone}").addresses == [DOMESTIC]
    kept = daemon.control("zones", "unpin", zone)["kept"]
    assert kept["state"] == "blocked"
    assert daemon.ask(f"unpinned.{zone}").addresses == [EXTERNAL]


def test_a_pin_may_end_by_itself(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("pinned")
    assert daemon.control("zones", "pin", zone, "external", "--for", "2s")["until"]
    assert daemon.ask(f"a.{zone}").addresses == [EXTERNAL]
    wait_for(lambda: f"{zone}." not in daemon.zones(), 6, "the pin is gone", every=0.2)
    assert [daemon.ask(f"{label}.{zone}").addresses for label in "ab"] == [[DOMESTIC]] * 2, "the answer goes with the pin"


def test_forget(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    assert daemon.ask(f"x.{zone}").addresses == [EXTERNAL]
    domestic.clear(zone)
    forgotten = daemon.control("zones", "forget", zone.upper())
    assert forgotten["forgotten"] == 1 and forgotten["flushed"] >= 1
    assert daemon.ask(f"x.{zone}").addresses == [DOMESTIC], "the external answer is gone with the verdict"
    assert daemon.zones() == {}
    done = daemon.ctl("zones", "forget", zone)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1


def test_probe(forwarder, domestic, external, fresh):
    daemon = forwarder()
    zone = fresh("blocked")
    learn(daemon, domestic, zone, Servfail())
    result = daemon.control("zones", "probe", zone)
    outcomes = {(p["group"], p["outcome"]) for p in result["probes"]}
    assert ("domestic", "servfail") in outcomes and ("external", "answer") in outcomes
    assert result["zone"]["state"] == "blocked"
    domestic.clear(zone)
    result = daemon.control("zones", "probe", zone)
    assert ("domestic", "answer") in {(p["group"], p["outcome"]) for p in result["probes"]}
    assert result["zone"] is None or result["zone"]["state"] == "recovering"


def import_blocked(daemon, path, *entries):
    zones = [{"state": "blocked", "reason": "servfail", **entry} for entry in entries]
    path.write_text(json.dumps({"version": 1, "zones": zones}))
    assert daemon.control("zones", "import", str(path))["imported"] == len(entries)


@pytest.mark.parametrize("scope, qtype", [("type", "AAAA"), ("name", None)])
def test_probe_of_a_narrow_entry(forwarder, domestic, external, fresh, tmp_path, scope, qtype):
    """Its own question is asked, and the outcome counts as a recheck's."""
    daemon = forwarder({"learning.recheck_first": "1h"})
    name = f"h.{fresh('narrow')}"
    domestic.set(name, Servfail(), types=[qtype] if qtype else None)
    import_blocked(daemon, tmp_path / "zones.json", {"zone": f"{name}.", "scope": scope, "type": qtype})
    result = daemon.control("zones", "probe", name)
    question = f"{name}. {qtype or 'SOA'}"
    assert {(p["group"], p["question"], p["outcome"]) for p in result["probes"]} >= {("domestic", question, "servfail")}
    assert {p["question"] for p in result["probes"]} == {question}
    assert {p["group"] for p in result["probes"]} == {"domestic", "external"}
    assert (result["zone"]["scope"], result["zone"]["state"], result["zone"]["failures"]) == (scope, "blocked", 2)
    shown = daemon.control("zones", "show", name)
    assert {(line["group"], line["question"]) for line in shown["evidence"]} == {
        ("domestic", question), ("external", question)}
    domestic.clear(name)
    assert daemon.control("zones", "probe", name)["zone"]["state"] == "recovering"
    assert daemon.control("zones", "probe", name)["zone"] is None
    assert daemon.zones() == {}


def test_probe_of_several_narrow_entries(forwarder, domestic, external, fresh, tmp_path):
    """One after the other, and what was learned of the zone itself before them."""
    daemon = forwarder({"learning.recheck_first": "1h"})
    name = fresh("narrow")
    domestic.set(name, Servfail())
    import_blocked(daemon, tmp_path / "zones.json", *({"zone": f"{name}.", "scope": "type", "type": qtype}
                                                      for qtype in ("A", "MX", "TXT")))
    probed = set()
    for _ in range(3):
        time.sleep(0.01)
        probed.add(daemon.control("zones", "probe", name)["zone"]["type"])
    assert probed == {"A", "MX", "TXT"}
    daemon.control("zones", "pin", name, "external")
    assert daemon.control("zones", "probe", name)["zone"]["scope"] == "type", "a pin is nothing learned"
    import_blocked(daemon, tmp_path / "zones.json", {"zone": f"{name}."})
    assert daemon.control("zones", "probe", name)["zone"]["scope"] == "zone"


def test_an_imported_name_recovers(forwarder, domestic, external, fresh, tmp_path):
    daemon = forwarder(SOON)
    name = fresh("narrow")
    import_blocked(daemon, tmp_path / "zones.json", {"zone": f"{name}.", "scope": "name"})
    daemon.wait_state(f"{name}.", None, 15)


def test_export_seeds_another_node(forwarder, domestic, external, fresh, tmp_path):
    giver, taker = forwarder(), forwarder()
    zone, pinned, own = fresh("blocked"), fresh("pinned"), fresh("own")
    learn(giver, domestic, zone, Servfail())
    giver.control("zones", "pin", pinned, "external", "--note", "from the other node")
    giver.control("zones", "pin", own, "external")
    taker.control("zones", "pin", own, "domestic")
    done = giver.ctl("zones", "export")
    assert done.returncode == 0
    path = tmp_path / "zones.json"
    path.write_text(done.stdout)
    assert {z["zone"] for z in json.loads(done.stdout)["zones"]} == {f"{z}." for z in (zone, pinned, own)}

    domestic.forget()
    result = taker.control("zones", "import", str(path))
    assert (result["imported"], result["refused"]) == (2, 0)
    zones = taker.zones()
    assert (zones[f"{zone}."]["state"], zones[f"{zone}."]["source"]) == ("blocked", "imported")
    assert zones[f"{pinned}."]["note"] == "from the other node"
    assert zones[f"{own}."]["via"] == "domestic", "its own stays"
    assert taker.ask(f"x.{zone}").addresses == [EXTERNAL] and domestic.count(f"x.{zone}") == 0


def test_an_export_keeps_what_lies_beneath_a_pin_and_what_was_asked(forwarder, domestic, fresh):
    giver, taker = forwarder(), forwarder({"learning.recheck_first": "1s", "learning.recheck_max": "2s"})
    zone, part = fresh("blocked"), fresh("part")
    domestic.set(zone, Servfail())
    domestic.set_name(f"mail.{part}", Servfail())
    given = [{"zone": f"{zone}.", "state": "blocked", "asked": f"www.{zone}.", "asked_type": "AAAA"},
             {"zone": f"mail.{part}.", "scope": "name", "state": "blocked", "asked_type": "MX"},
             {"zone": "wrong.test.", "state": "blocked", "asked": "elsewhere.test."}]
    assert giver.rpc({"jsonrpc": "2.0", "id": 1, "method": "zones.import",
                      "params": {"zones": given}})[0]["result"]["refusals"][0]["why"].startswith("asked: ")
    giver.control("zones", "pin", zone, "domestic", "--note", "for a while")
    export = giver.control("zones", "export")["zones"]
    reply = taker.rpc({"jsonrpc": "2.0", "id": 1, "method": "zones.import", "params": {"zones": export}})[0]
    assert (reply["result"]["imported"], reply["result"]["skipped"]) == (2, 0)
    zones = taker.zones()
    assert (zones[f"{zone}."]["source"], zones[f"{zone}."]["state"]) == ("pinned", "blocked")
    assert (zones[f"{zone}."]["via"], zones[f"{zone}."]["note"]) == ("domestic", "for a while")
    assert (zones[f"{zone}."]["asked"], zones[f"{zone}."]["asked_type"]) == (f"www.{zone}.", "AAAA")
    assert (zones[f"mail.{part}."]["asked"], zones[f"mail.{part}."]["asked_type"]) == (f"mail.{part}.", "MX")
    taker.control("zones", "unpin", zone)
    assert taker.zones()[f"{zone}."]["source"] == "imported"
    wait_for(lambda: domestic.count(f"mail.{part}", qtype="MX") > 0, 10, "rechecked with that question")


@pytest.mark.parametrize("others", [0, 10])
def test_an_imported_word_counts_at_once(forwarder, domestic, external, fresh, tmp_path, others):
    """What was cached on the other way, an answer or a failure, does not outlive it."""
    daemon = forwarder()
    answered, failed = fresh("answered"), fresh("failed")
    domestic.set(answered, Refused())
    domestic.set(failed, Servfail())
    external.set(failed, Servfail())
    assert daemon.ask(answered).addresses == [EXTERNAL] and daemon.ask(failed).rcode == "SERVFAIL"
    domestic.set(answered, Resolve())
    external.set(failed, Resolve())
    path = tmp_path / "zones.json"
    path.write_text(json.dumps({"version": 1, "zones": [
        {"zone": f"{answered}.", "state": "clear", "source": "pinned", "via": "domestic"},
        {"zone": f"{failed}.", "state": "blocked"},
        *({"zone": f"{fresh('other')}.", "state": "blocked"} for _ in range(others))]}))
    assert daemon.control("zones", "import", str(path))["imported"] == 2 + others
    assert daemon.ask(answered).addresses == [DOMESTIC]
    assert daemon.ask(failed).addresses == [EXTERNAL]


def test_an_import_is_judged_entry_by_entry(forwarder, fresh, tmp_path):
    daemon = forwarder({"zones": [{"zone": "fenced.test", "via": "domestic"}]})
    zone = fresh("imported")
    path = tmp_path / "zones.json"
    path.write_text(json.dumps({"version": 1, "zones": [
        {"zone": f"{zone}.", "state": "blocked"}, {"zone": "fenced.test.", "state": "blocked"},
        {"zone": "co.uk.", "state": "blocked"}, {"zone": "suspect.test.", "state": "suspect"}, {"nonsense": 1}]}))
    done = daemon.ctl("--json", "zones", "import", str(path))
    result = json.loads(done.stdout)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, "some were refused"
    assert (result["imported"], result["skipped"], result["refused"]) == (1, 1, 3)
    assert set(daemon.zones()) == {f"{zone}."}
    path.write_text("{ no JSON")
    assert daemon.ctl("zones", "import", str(path)).returncode in (1, 2)


def test_list_filters(forwarder, domestic, external, fresh):
    daemon = forwarder()
    first, second = fresh("listed"), fresh("listed")
    daemon.control("zones", "pin", first, "external")
    learn(daemon, domestic, second, Servfail())
    assert [z["zone"] for z in daemon.control("zones", "--state", "blocked")] == [f"{second}."]
    assert [z["zone"] for z in daemon.control("zones", "--under", first)] == [f"{first}."]
    assert daemon.control("zones", "--under", "nothing.test") == []
    table = daemon.ctl("zones").stdout
    assert f"{first}." in table and f"{second}." in table and "blocked" in table


def test_max_zones_bounds_the_table_but_pins_stay(forwarder, domestic, external, fresh, tmp_path):
    daemon = forwarder({"learning.max_zones": 1000})
    pinned = fresh("pinned")
    daemon.control("zones", "pin", pinned, "external")
    path = tmp_path / "zones.json"
    path.write_text(json.dumps({"version": 1, "zones": [{"zone": f"full{n}.test.", "state": "blocked"} for n in range(1500)]}))
    result = json.loads(daemon.ctl("--json", "zones", "import", str(path)).stdout)
    assert result["imported"] <= 1000 and result["imported"] + result["refused"] == 1500
    learn(daemon, domestic, fresh("blocked"), Servfail())  # an older one gives way
    zones = daemon.zones()
    assert f"{pinned}." in zones and 990 <= len(zones) <= 1001
