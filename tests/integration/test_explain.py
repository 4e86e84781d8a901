"""`explain` between scripted upstreams: what is found of a domain, which is the cause, and what is left alone."""

import time

import pytest

from conftest import learn
from explaining import HOST, NEXT, cause, explain, finding, tags, world_with
from upstream import Forge, Nxdomain, Refused, Servfail, Silent, Truncate


INCLUDES = """
    @   MX  10 mail
    @   TXT "v=spf1 include:_spf.partner.test -all"
    mail A  198.51.100.30
"""
POLICY = "<recipient>: Recipient address rejected: "  # what Postfix puts before the words of policyd-spf


@pytest.fixture
def between(stage, forwarder, domestic, external):
    """between(config, zones …): a bywayd, its two upstreams with a world of their own."""
    def start(config=None, **zones):
        domestic.world = external.world = world_with(**zones)
        return forwarder(config)
    return start


def test_nothing_is_wrong_with_a_good_domain(between):
    result = explain(between(), "fine.test", ip=HOST, helo="mail.fine.test", sender="a@fine.test", selector="k")
    assert result["domain"] == "fine.test." and result["verdict"] == "fine" and cause(result) is None
    assert tags(result, "problem") == [] and result["replies"] == [] and not result["bounded"]
    assert {"mx", "spf", "dmarc", "dkim", "ptr", "helo"} <= set(tags(result, "ok"))
    assert result["cure"] == "nothing to do"
    assert [(host["host"], host["addresses"]) for host in result["hosts"]] == [
        ("mail.fine.test.", [HOST]), ("mail2.fine.test.", [NEXT])]
    (mx,) = [fact for fact in result["facts"] if (fact["name"], fact["type"]) == ("fine.test.", "MX")]
    assert mx["domestic"]["outcome"] == mx["external"]["outcome"] == "answer" and len(mx["domestic"]["records"]) == 2
    assert finding(result, "spf-result")["text"].startswith(f'SPF for {HOST}, a@fine.test: pass, by "mx"')


@pytest.mark.parametrize("behaviour, outcome", [(Silent(), "timeout"), (Servfail(), "servfail"), (Refused(), "refused")])
def test_a_blocked_domain(between, domestic, behaviour, outcome):
    daemon = between()
    domestic.set("fine.test", behaviour)
    result = explain(daemon, "fine.test", sender="a@fine.test")
    assert (result["verdict"], cause(result)) == ("blocked", "blocked")
    assert result["cause"]["zone"] == "fine.test." and result["cause"]["side"] == "here"
    assert "is blocked here" in result["cause"]["text"] and "zones pin fine.test. external" in result["cure"]
    zone = result["zones"][0]
    assert (zone["zone"], zone["domestic"], zone["external"]) == ("fine.test.", outcome, "answer")
    assert zone["role"].split()[0] == "domain" and (zone["state"], zone["via"]) == ("clear", "domestic")
    said = {(reply["server"], reply["check"]): f"{reply['code']} {reply['text']}" for reply in result["replies"]}
    assert said["postfix", "sender"] == "450 4.1.8 <a@fine.test>: Sender address rejected: Domain not found"
    assert said["qmail", "sender"] == "451 DNS temporary failure (#4.3.0)" and ("exim", "spf") in said
    assert not {"mx-none", "spf-none"} & set(tags(result))  # a failure is never "no record"


def test_what_byway_already_carries_is_fine(between, domestic):
    daemon = between(user_test=INCLUDES.replace("_spf.partner", "fine") + "    * A $MARK\n")
    learn(daemon, domestic, "user.test", Servfail())
    result = explain(daemon, "user.test")
    assert (result["verdict"], cause(result)) == ("fine", None) and result["replies"] == []
    assert "goes through external since" in finding(result, "carried")["text"]
    assert result["cure"] == "nothing to do: what is blocked goes through external already"
    assert (result["zones"][0]["state"], result["zones"][0]["via"]) == ("blocked", "external")


def test_a_blocked_zone_behind_an_include(between, domestic):
    daemon = between(user_test=INCLUDES, partner_test=f'_spf TXT "v=spf1 ip4:{HOST} -all"')
    domestic.set("partner.test", Silent())
    result = explain(daemon, "user.test", ip=HOST, sender="a@user.test")
    assert (result["verdict"], cause(result)) == ("blocked", "depends-on-blocked")
    assert result["cause"]["zone"] == "partner.test." and "_spf.partner.test." in result["cause"]["text"]
    assert {zone["zone"]: zone["role"] for zone in result["zones"]}["partner.test."] == "spf"
    assert {(reply["server"], reply["check"]): f"{reply['code']} {reply['text']}" for reply in result["replies"]} == {
        ("postfix", "spf"): f"450 4.7.24 {POLICY}Message deferred due to: SPF Temporary Error: DNS",
        ("exim", "spf"): "451 Temporary DNS error while checking SPF record.  Try again later."}
    assert finding(result, "spf-result")["text"].startswith(f"SPF for {HOST}, a@user.test: pass")


def test_a_zone_cut_below_the_registrable_domain(between, domestic):
    daemon = between(user_test=INCLUDES.replace("_spf.partner", "a.deep.partner"), partner_test="@ A 192.0.2.9",
                     deep_partner_test='a TXT "v=spf1 -all"')
    domestic.set("deep.partner.test", Servfail())
    result = explain(daemon, "user.test")
    assert cause(result) == "depends-on-blocked" and result["cause"]["zone"] == "deep.partner.test."


def test_an_alias_of_a_dkim_key_into_a_blocked_zone(between, domestic):
    daemon = between(user_test=INCLUDES.replace("include:_spf.partner.test ", "")
                     + "    s._domainkey CNAME s.keys.test.\n", keys_test='s TXT "v=DKIM1; p=AAAA"')
    domestic.set("keys.test", Servfail())
    domestic.set_name("s._domainkey.user.test", Servfail())
    result = explain(daemon, "user.test", selector="s")
    assert cause(result) == "depends-on-blocked" and result["cause"]["zone"] == "keys.test."
    assert {zone["zone"]: zone["role"] for zone in result["zones"]}["keys.test."] == "dkim"


def test_a_name_that_does_not_exist(between):
    result = explain(between(), "nowhere.fine.test")
    assert (result["verdict"], cause(result)) == ("broken", "no-domain") and result["cause"]["side"] == "domain"
    assert result["replies"][0]["code"] == "450 4.1.8" and len(tags(result)) == 1


def test_what_fails_everywhere_is_not_blocked(between, domestic, external):
    daemon = between()
    for upstream in (domestic, external):
        upstream.set("fine.test", Servfail())
    result = explain(daemon, "fine.test")
    assert (result["verdict"], cause(result)) == ("broken", "unresolvable")
    assert not {"blocked", "mx-none", "spf-none", "dmarc-none"} & set(tags(result))
    assert [tag for tag in tags(result) if tag.endswith("unresolvable")] == ["unresolvable"]  # said once


def test_domestic_that_is_down(between, domestic):
    daemon = between()
    domestic.set(".", Silent())
    result = explain(daemon, "fine.test")
    assert (result["verdict"], cause(result)) == ("unknown", "domestic-down")


def test_external_that_is_down(between, domestic, external):
    daemon = between()
    external.set(".", Silent())
    domestic.set("fine.test", Servfail())
    result = explain(daemon, "fine.test")
    assert (result["verdict"], cause(result)) == ("unknown", "unresolvable") and "external-down" in tags(result)


def test_a_fence_is_not_crossed(between, domestic, external):
    daemon = between({"zones": [{"zone": "fine.test", "via": "domestic"}]})
    domestic.set("fine.test", Servfail())
    result = explain(daemon, "fine.test")
    assert external.count("fine.test") == 0
    assert result["verdict"] == "unknown" and "fenced" in tags(result) and result["cause"]["side"] == "here"
    assert 'give it "via": "auto"' in result["cure"]
    (mx,) = [fact for fact in result["facts"] if (fact["name"], fact["type"]) == ("fine.test.", "MX")]
    assert mx["external"] == {"skipped": "fence"}


def test_a_forged_domain(between, domestic):
    daemon = between()
    domestic.set("fine.test", Forge("plainly"))
    result = explain(daemon, "fine.test")
    assert (result["verdict"], cause(result)) == ("forged", "forged")
    assert [host["host"] for host in result["hosts"]] == ["mail.fine.test.", "mail2.fine.test."]


def test_a_denial_that_domestic_alone_gives(between, domestic):
    daemon = between()
    domestic.set("fine.test", Nxdomain())
    assert cause(explain(daemon, "fine.test")) == "forged"


def test_signatures_that_have_expired(between, domestic, external):
    daemon = between()
    for upstream in (domestic, external):
        upstream.set("fine.test", Servfail(7))
    result = explain(daemon, "fine.test")
    assert (result["verdict"], cause(result)) == ("broken", "dnssec-bogus")
    assert "expired" in result["cause"]["text"] and result["cause"]["side"] == "domain"


def test_signatures_that_external_does_not_look_at(between, domestic):
    """A domestic resolver that validates, an external one that does not: not a block."""
    daemon = between()
    domestic.set("fine.test", Servfail(7))
    result = explain(daemon, "fine.test")
    assert cause(result) == "dnssec-bogus" and "blocked" not in tags(result)


MX = {
    "mx-null": ("@ MX 0 .", "mx-null", "problem"),
    "mx-none": ('@ TXT "v=spf1 -all"', "mx-none", "problem"),
    "own address": (f"@ A {HOST}", "mx-none", "note"),
    "duplicate": (f"@ MX 10 mail\n@ MX 20 mail\nmail A {HOST}", "mx-duplicate", "note"),
    "alias": (f"@ MX 10 mail\nmail CNAME real\nreal A {HOST}", "mx-cname", "problem"),
    "literal": ("@ MX 10 198.51.100.25.", "mx-literal", "problem"),
    "missing": ("@ MX 10 gone", "mx-no-address", "problem"),
    "empty": ('@ MX 10 mail\nmail TXT "x"', "mx-no-address", "problem"),
    "private": ("@ MX 10 mail\nmail A 10.1.2.3", "mx-private", "problem"),
    "null beside": (f"@ MX 0 .\n@ MX 10 mail\nmail A {HOST}", "mx-null", "problem"),
}


@pytest.mark.parametrize("text, tag, grade", MX.values(), ids=MX.keys())
def test_mail_hosts(between, text, tag, grade):
    result = explain(between(user_test=text), "user.test")
    assert finding(result, tag)["grade"] == grade, result["findings"]
    assert result["verdict"] == ("misconfigured" if grade == "problem" else result["verdict"])
    if tag in ("mx-null", "mx-duplicate"):
        assert " IN MX " in finding(result, tag)["record"]


def test_a_null_mx_is_what_postfix_refuses(between):
    result = explain(between(user_test="@ MX 0 ."), "user.test", sender="a@user.test")
    assert cause(result) == "mx-null" and result["replies"][0]["code"] == "550 5.7.27"


SPF = {  # and what policyd-spf says
    "several": ('@ TXT "v=spf1 -all"\n@ TXT "v=spf1 ~all"', "spf-several", "more than one",
                ": Two or more type TXT spf records found."),
    "syntax": ('@ TXT "v=spf1 ip4:1.2.3.4.5 -all"', "spf-syntax", "at byte 7", ""),
    "void": ('@ TXT "v=spf1 a:a.fine.test a:b.fine.test a:c.fine.test -all"', "spf-void", "b.fine.test.",
             ": Void lookup limit of 2 exceeded"),
    "loop": ('@ TXT "v=spf1 include:user.test -all"', "spf-loop", "leads back", ""),
    "pass all": ('@ TXT "v=spf1 +all"', "spf-pass-all", "everybody", None),
    "lookups": ('@ TXT "v=spf1 include:many.test a -all"', "spf-lookups", "include of many.test.", ": Too many DNS lookups"),
    "none": ('@ TXT "hello"', "spf-none", "no SPF", None),
}


@pytest.mark.parametrize("text, tag, words, said", SPF.values(), ids=SPF.keys())
def test_sender_policies(between, text, tag, words, said):
    many = '@ TXT "v=spf1 ' + " ".join(f"a:n{n}.many.test" for n in range(11)) + ' -all"\n* A 192.0.2.3'
    result = explain(between(user_test=f"@ MX 10 mail.fine.test.\n{text}", many_test=many), "user.test")
    found = finding(result, tag)
    assert words in found["text"] and found["grade"] == "problem" and found["side"] == "domain"
    if tag not in ("spf-none",):
        assert "v=spf1" in found["record"]
    assert [reply["text"] for reply in result["replies"] if reply["check"] == "spf"] == (
        [] if said is None else [f"{POLICY}Message rejected due to: SPF Permanent Error{said}"])


def test_an_include_that_nobody_can_resolve(between, domestic, external):
    daemon = between(user_test=INCLUDES, partner_test="@ A 192.0.2.9")
    for upstream in (domestic, external):
        upstream.set_name("_spf.partner.test", Servfail())
    result = explain(daemon, "user.test")
    assert (result["verdict"], cause(result)) == ("broken", "spf-unresolvable")
    assert "domestic: servfail; external: servfail" in result["cause"]["text"]


def test_a_client_that_may_not_send(between):
    result = explain(between(), "fine.test", ip="203.0.113.5", sender="a@fine.test")
    assert cause(result) in ("spf-fail",) and 'by "-all" of fine.test.' in finding(result, "spf-fail")["text"]


CLIENTS = [
    ({"ip": HOST}, "ptr"), ({"ip": NEXT}, "ptr-unconfirmed"), ({"ip": "198.51.100.27"}, "ptr-unconfirmed"),
    ({"ip": "198.51.100.28"}, "ptr-none"), ({"ip": "2001:db8::1"}, "ptr-none"),
    ({"helo": "mail.fine.test"}, "helo"), ({"helo": "gone.fine.test"}, "helo-missing"),
    ({"helo": "_dmarc.fine.test"}, "helo-no-address"), ({"helo": "[192.0.2.1]"}, None),
]


@pytest.mark.parametrize("params, tag", CLIENTS)
def test_clients(between, params, tag):
    found = explain(between(), "fine.test", **params)
    assert [t for t in tags(found) if t.startswith(("ptr", "helo"))] == ([tag] if tag else [])
    if tag and tag not in ("ptr", "helo"):
        assert finding(found, tag)["grade"] == "problem"
    if tag == "helo-missing":
        assert cause(found) == tag and found["replies"][0]["code"] == "450 4.7.1"


def test_a_name_of_a_client_that_does_not_exist(between):
    """As maillog asks about it: the name that the server blamed, and who sent."""
    daemon = between()
    helo = explain(daemon, "gone.fine.test", ip=HOST, helo="gone.fine.test", sender="a@fine.test")
    assert (helo["verdict"], cause(helo)) == ("misconfigured", "helo-missing")
    assert helo["cure"] == "the administrator of that server has to give it a name that exists"
    assert [(reply["check"], reply["code"]) for reply in helo["replies"]] == [("helo", "450 4.7.1")]
    client = explain(daemon, "9.8.7.44.in-addr.arpa", ip="44.7.8.9", sender="a@fine.test")
    assert (client["verdict"], cause(client)) == ("misconfigured", "ptr-none")
    assert client["cure"] == "its owner has to have one set by the provider of that network"
    assert {reply["check"] for reply in client["replies"]} == {"client"}


def test_a_helo_name_in_a_blocked_zone(between, domestic):
    """It is the HELO name that is refused, whoever sends; not the client, whose name is elsewhere."""
    daemon = between(partner_test=f"mail A {HOST}")
    domestic.set("partner.test", Silent())
    asked = {"ip": HOST, "helo": "mail.partner.test", "sender": "a@fine.test"}
    refused = [("postfix", "helo", "450 4.7.1", "<mail.partner.test>: Helo command rejected: Host not found")]
    for domain, tag in (("fine.test", "depends-on-blocked"), ("mail.partner.test", "blocked")):
        result = explain(daemon, domain, **asked)
        assert cause(result) == tag and result["cause"]["zone"] == "partner.test."
        assert [(r["server"], r["check"], r["code"], r["text"]) for r in result["replies"]] == refused
    assert "the HELO name is mail.partner.test." in explain(daemon, "fine.test", **asked)["cause"]["text"]


def test_blocklists_are_asked_at_domestic_alone(between, domestic, external):
    lists = {"spamhaus_org": "25.100.51.198.zen A 127.0.0.2", "spamcop_net": "25.100.51.198.bl A 127.255.255.254"}
    daemon = between({"presets": ["dnsbl"]}, net="@ TXT x", **lists)
    result = explain(daemon, "fine.test", ip=HOST)
    assert "zen.spamhaus.org." in finding(result, "listed")["text"]
    assert "bl.spamcop.net." in finding(result, "list-refuses")["text"]
    for zone in ("spamhaus.org", "spamcop.net", "dronebl.org"):
        assert domestic.count(zone) > 0 and external.count(zone) == 0
    assert 12 <= len({seen.text for seen in domestic.seen() if seen.text.startswith("25.100.51.198.")
                      and not seen.text.endswith("arpa.")}) <= 16


def test_bounds_and_time(between, domestic, external):
    """Everything silent, and a record that wants more than may be asked."""
    daemon = between(user_test='@ TXT "v=spf1 ' + " ".join(f"include:i{n}.test" for n in range(10)) + '"',
                     **{f"i{n}_test": '@ TXT "v=spf1 ' + " ".join(f"mx:h{m}.test" for m in range(9)) + '"'
                        for n in range(10)})
    for upstream in (domestic, external):
        upstream.set("test", Silent(), types=["A", "AAAA", "MX"])
    began = time.monotonic()
    result = explain(daemon, "user.test", ip=HOST)
    assert time.monotonic() - began < 17 and len(result["facts"]) <= 200
    assert sum(upstream.count("test") for upstream in (domestic, external)) < 800


def test_two_at_once_and_no_more(between, domestic):
    daemon = between()
    domestic.set(".", Silent())
    lines = daemon.rpc(*[{"jsonrpc": "2.0", "id": n, "method": "explain", "params": {"domain": f"fine{n}.test"}}
                         for n in range(3)], until="error")
    assert lines[-1]["id"] == 2 and "already" in lines[-1]["error"]["message"]
    assert daemon.ask("mail.fine.test").rcode == "NOERROR"


@pytest.mark.parametrize("params, words", [
    ({}, "domain: missing"), ({"domain": "a..b"}, "domain: "), ({"domain": "fine.test", "ip": "x"}, "ip: expected an address"),
    ({"domain": "fine.test", "ip": "192.0.2.1:25"}, "ip: expected"), ({"domain": "fine.test", "helo": "a b"}, "helo: "),
    ({"domain": "fine.test", "selector": ""}, "selector: "), ({"domain": "fine.test", "selector": "a b"}, "selector: "),
    ({"domain": "fine.test", "sender": "x" * 300}, "sender: longer than"), ({"domain": "fine.test", "what": "x"}, "unknown parameter"),
])
def test_wrong_parameters(between, params, words):
    (line,) = between().rpc({"jsonrpc": "2.0", "id": 1, "method": "explain", "params": params})
    assert words in line["error"]["message"]


def test_a_stop_in_the_midst_of_one(between, domestic):
    daemon = between()
    domestic.set(".", Silent())
    daemon.rpc({"jsonrpc": "2.0", "id": 1, "method": "explain", "params": {"domain": "fine.test"}}, seconds=0.3)
    daemon.stop()


def test_answers_that_come_over_tcp(between, domestic):
    daemon = between()
    domestic.set("fine.test", Truncate())
    assert explain(daemon, "fine.test")["verdict"] == "fine"


# ---- what looks alike and is not ----


@pytest.mark.parametrize("via", ["external", "office"])
def test_a_fence_keeps_domestic_out(between, domestic, external, office, via):
    """What the operator sends elsewhere is asked there alone, and that is the word on it."""
    daemon = between({"zones": [{"zone": "fine.test", "via": via}], "upstreams.office": [str(office)]})
    office.world = external.world
    domestic.set("fine.test", Nxdomain())
    result = explain(daemon, "fine.test")
    assert domestic.count("fine.test") == 0 and (via == "external" or external.count("fine.test") == 0)
    assert (result["verdict"], cause(result)) == ("fine", None)
    if via == "office":
        (mx,) = [fact for fact in result["facts"]
                 if (fact["name"], fact["type"]) == ("fine.test.", "MX") and "other" in fact]
        assert (mx["domestic"], mx["external"], mx["other"]["group"]) == (None, None, "office")


def test_a_zone_that_is_refused_here(between, domestic, external):
    daemon = between({"zones": [{"zone": "fine.test", "via": "refuse"}]})
    result = explain(daemon, "fine.test")
    assert domestic.count("fine.test") == external.count("fine.test") == 0 and "fenced" in tags(result)
    assert result["verdict"] == "unknown"


def test_a_denial_of_what_its_mail_needs(between, domestic):
    """A resolver that censors by NXDOMAIN: external's word counts, and the zone is named."""
    daemon = between(user_test=INCLUDES + "    @ MX 20 mx.partner.test.\n",
                     partner_test='_spf TXT "v=spf1 -all"\n@ A 198.51.100.31\nmx A 198.51.100.32')
    domestic.set("partner.test", Nxdomain("test"))
    result = explain(daemon, "user.test")
    assert (result["verdict"], cause(result)) == ("blocked", "depends-on-blocked")
    assert result["cause"]["zone"] == "partner.test." and "does not exist" in result["cause"]["text"]
    assert '"nxdomain" into "fallback.on"' in result["cure"]
    assert not {"mx-no-address", "spf-none", "spf-syntax"} & set(tags(result))


def test_a_denial_with_its_zone_may_be_old(between, domestic):
    daemon = between()
    domestic.set("fine.test", Nxdomain("test"))
    result = explain(daemon, "fine.test")
    assert cause(result) == "blocked" and "says that it does not exist" in result["cause"]["text"]


def test_a_domain_of_too_many_questions(between):
    """A bound is no failure of anybody's."""
    terms = " ".join(f"mx:h{n}.many.test" for n in range(9))
    hosts = "\n".join(f"h{n} MX {m} h{m}.z{n}.many.test.\nh{m}.z{n} A 198.51.100.{m + 1}"
                      for n in range(9) for m in range(9))
    result = explain(between(user_test=f'@ MX 10 mail\nmail A {HOST}\n@ TXT "v=spf1 {terms} -all"', many_test=hosts),
                     "user.test")
    assert result["bounded"] and cause(result) is None and result["replies"] == []
    assert "explain-bounded" in tags(result) and "spf-unresolvable" not in tags(result)


def test_without_a_quota_nobody_has_failed(between):
    result = explain(between({"limits.external_qps": 4}), "fine.test")
    assert (result["verdict"], cause(result)) == ("fine", None)


def test_a_hiccup_of_domestic_is_no_bad_signature(between, domestic, external):
    daemon = between()
    domestic.set_name("fine.test", Servfail(), types=["SOA"])
    assert "dnssec-bogus" not in tags(explain(daemon, "fine.test"))
    domestic.clear()
    external.set("fine.test", Servfail(7))
    result = explain(daemon, "fine.test")
    assert (result["verdict"], cause(result)) == ("fine", None)


def test_one_question_that_fails_blocks_no_zone(between, domestic):
    daemon = between()
    domestic.set("_25._tcp.mail.fine.test", Refused(), types=["TLSA"])
    domestic.set("_dmarc.fine.test", Silent())
    result = explain(daemon, "fine.test", sender="a@fine.test")
    assert cause(result) is None and "450 4.1.8" not in {reply["code"] for reply in result["replies"]}
    domestic.clear()
    domestic.set_name("mail2.fine.test", Servfail())
    result = explain(daemon, "fine.test")
    assert "mail2.fine.test. A fails here" in result["cause"]["text"]


def test_a_subdomain_that_is_an_alias_into_a_blocked_zone(between, domestic):
    daemon = between(user_test=INCLUDES.replace("include:_spf.partner.test ", "") + "    news CNAME n.keys.test.\n",
                     keys_test=f'n A {HOST}\nn MX 10 n\nn TXT "v=spf1 -all"')
    domestic.set("keys.test", Servfail())
    domestic.set_name("news.user.test", Servfail())
    result = explain(daemon, "news.user.test")
    assert cause(result) == "depends-on-blocked" and result["cause"]["zone"] == "keys.test."
    assert "it is an alias of n.keys.test." in result["cause"]["text"]


def test_an_alias_whose_own_zone_is_blocked(between, domestic):
    daemon = between(user_test="@ MX 10 mail\nmail CNAME mx.keys.test.", keys_test=f"mx A {HOST}")
    domestic.set("user.test", Servfail())
    result = explain(daemon, "user.test")
    assert cause(result) == "blocked" and result["cause"]["zone"] == "user.test."
    assert "depends-on-blocked" not in tags(result)


def test_what_only_this_sender_makes_spf_ask(between, domestic):
    daemon = between(user_test=INCLUDES.replace("_spf.partner.test", "%{i}._spf.partner.test"),
                     partner_test=f'{HOST}._spf TXT "v=spf1 +ip4:{HOST} -all"')
    domestic.set("partner.test", Silent())
    result = explain(daemon, "user.test", ip=HOST, sender="a@user.test")
    assert cause(result) == "depends-on-blocked" and result["cause"]["zone"] == "partner.test."


def test_an_include_of_what_has_no_spf(between):
    result = explain(between(user_test='@ TXT "v=spf1 include:mail.fine.test -all"'), "user.test")
    assert "spf-none" not in tags(result)
    assert "includes that of mail.fine.test., which has none" in finding(result, "spf-syntax")["text"]


@pytest.mark.parametrize("config, words", [({"learning.mode": "observe"}, 'would remember it with "learning.mode" set to "on"'),
                                           ({"fallback.on": ["timeout"]}, 'put "servfail" into "fallback.on"')])
def test_cures_that_are_in_the_configuration(between, domestic, config, words):
    daemon = between(config)
    domestic.set("fine.test", Servfail())
    assert words in explain(daemon, "fine.test")["cure"]


def test_two_roles_of_one_zone(between, domestic):
    daemon = between(user_test=INCLUDES + "    @ MX 5 mx.partner.test.\n",
                     partner_test=f'_spf TXT "v=spf1 -all"\nmx A {HOST}')
    domestic.set("partner.test", Servfail())
    text = explain(daemon, "user.test")["cause"]["text"]
    assert "its mail host is mx.partner.test." in text or "its SPF needs _spf.partner.test." in text


def test_more_mail_hosts_than_are_looked_at(between):
    hosts = "\n".join(f"@ MX {20 + n} h{n}\nh{n} A 198.51.100.{n + 1}" for n in range(10))
    result = explain(between(user_test=f"{hosts}\n@ MX 10 best\nbest A {HOST}\n@ MX 20 best\n@ MX 30 best"), "user.test")
    assert result["hosts"][0]["host"] == "best.user.test." and len(result["hosts"]) == 8 and result["bounded"]
    assert tags(result).count("mx-duplicate") == 1


def test_who_leaves_makes_room(between, domestic):
    daemon = between()
    domestic.set(".", Silent())
    for n in range(2):
        daemon.rpc({"jsonrpc": "2.0", "id": n, "method": "explain", "params": {"domain": f"n{n}.test"}}, seconds=0.1)
    time.sleep(0.6)
    lines = daemon.rpc({"jsonrpc": "2.0", "id": 7, "method": "explain", "params": {"domain": "fine.test"}},
                       seconds=0.5, until="result")
    assert not [line for line in lines if "error" in line], lines


def test_inner_addresses_are_nobodys_business(between, domestic):
    daemon = between({"presets": ["dnsbl"]},
                     user_test="@ MX 10 mail\nmail A 127.0.0.1\nmail A 198.51.100.7\nmail AAAA 64:ff9b::a00:1")
    result = explain(daemon, "user.test", ip="10.1.2.3")
    assert result["hosts"][0]["addresses"] == ["198.51.100.7"] and "mx-private" in tags(result)
    assert domestic.count("spamhaus.org") == 0


def test_an_address_as_a_socket_of_both_families_has_it(between):
    assert "ptr" in tags(explain(between(), "fine.test", ip=f"::ffff:{HOST}"))
