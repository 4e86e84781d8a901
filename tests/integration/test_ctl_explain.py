"""bywayctl explain: what an administrator reads first, the letter to the partner, port 25, and what no answer may do to it."""

import contextlib
import copy
import itertools
import json
import re
import socket
import struct
import threading
import time

import pytest

from daemon import program, run
from stand_in import Failure, StandIn
from test_terminal import after, on_terminal, width


def finding(tag, grade, text, side=None, **record):
    return {"tag": tag, "grade": grade, "text": text, "side": side, **{"zone": None, "name": None, "type": None, "record": None, **record}}


def server(name, address, outcome, over="udp"):
    return {"name": name, "address": address, "over": over, "outcome": outcome, "ms": None if outcome == "timeout" else 12,
            "authoritative": None if outcome == "timeout" else True, "serial": None}


CAUSE = finding("servers-unreachable", "cause", "none of its 2 name servers answers this machine; external reaches them", "here",
                zone="partner.example.")
BLOCKED = {
    "domain": "partner.example.", "took_ms": 4210, "bounded": False, "verdict": "blocked", "cause": CAUSE,
    "cure": "nothing to do: byway sends it through external since 10:42",
    "replies": [{"server": "postfix", "check": "sender", "code": "450 4.1.8", "text": "<a@partner.example>: Sender address rejected: Domain not found"},
                {"server": "exim", "check": "helo", "code": "451", "text": "Temporary local problem"}],
    "findings": [
        finding("dmarc-none", "note", "it has no DMARC record", "domain"),
        finding("mx-one", "ok", "all MX hosts have addresses"),
        finding("agree", "ok", "domestic and external agree on MX"),
        finding("mx-duplicate", "problem", "mail.partner.example stands there twice", "domain", zone="partner.example.",
                name="partner.example.", type="MX", record="10 mail.partner.example."),
        CAUSE,
        finding("spf-lookups", "problem", "14 lookups, 9 of them by include:y", "domain", zone="partner.example.", name="partner.example.",
                type="TXT", record="\"v=spf1 " + "include:_spf.a-long-name.example " * 6 + "-all\""),
        finding("spf-pass", "ok", "SPF passes for 192.0.2.7")],
    "zones": [
        {"zone": "partner.example.", "role": "domain name-servers", "state": "blocked", "via": "external", "domestic": "timeout",
         "external": "answer", "servers": [
             server("ns1.partner.example.", "192.0.2.1:53", "timeout"), server("ns1.partner.example.", "192.0.2.1:53", "timeout", "tcp"),
             server("ns2.partner.example.", "[2001:db8::2]:53", "timeout"), server("ns2.partner.example.", "198.51.100.2:5353", "timeout")]},
        {"zone": "y.example.", "role": "SPF", "state": "clear", "via": "domestic", "domestic": "answer", "external": None,
         "servers": [server("ns.y.example.", "192.0.2.9:53", "timeout"), server("ns.y.example.", "192.0.2.9:53", "answer", "tcp")]}],
    "hosts": [{"host": "mail.partner.example.", "preference": 10, "addresses": ["192.0.2.25"]}],
    "facts": [{"name": "partner.example.", "type": "MX", "domestic": {"outcome": "timeout", "ms": 5000, "records": [], "ede": None},
               "external": {"skipped": "fence"}}]}
FINE = {**BLOCKED, "verdict": "fine", "cause": None, "cure": "", "replies": [], "findings": [finding("exists", "ok", "it exists")],
        "zones": [], "hosts": [], "facts": []}
PRINTED = """\
partner.example. is blocked here: none of its 2 name servers answers this machine; external reaches them
cure: nothing to do: byway sends it through external since 10:42

a mail server that asks here replies
SERVER   CHECK   CODE       REPLY
postfix  sender  450 4.1.8  <a@partner.example>: Sender address rejected: Domain not found
exim     helo    451        Temporary local problem

problem  mx-duplicate: mail.partner.example stands there twice
         partner.example. MX: 10 mail.partner.example.
problem  spf-lookups: 14 lookups, 9 of them by include:y
         partner.example. TXT: "v=spf1 """ + "include:_spf.a-long-name.example " * 6 + """-all"
note     dmarc-none: it has no DMARC record
ok       all MX hosts have addresses; domestic and external agree on MX; SPF passes for 192.0.2.7

zones that its mail depends on
ZONE              ROLE                 STATE    VIA       DOMESTIC  EXTERNAL  SERVERS
partner.example.  domain name-servers  blocked  external  timeout   answer    0 of 2 answer directly
y.example.        SPF                  clear    domestic  answer    -         1 of 1 answers directly

took 4.2 s
"""
USAGE = "usage: bywayctl explain DOMAIN [--ip A] [--helo N] [--sender ADDR] [--selector S] [--connect] [--report]\n"


@pytest.fixture
def stand_in(tmp_path):
    with contextlib.ExitStack() as stack:
        def start(result):
            return stack.enter_context(contextlib.closing(StandIn(tmp_path, {"explain": result})))
        yield start


def explain(daemon, *arguments, **how):
    return run(program("bywayctl"), "-s", daemon.socket, "explain", "partner.example", *arguments, **how)


def explained(daemon, *arguments, **how):
    done = explain(daemon, *arguments, **how)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_sentence_first(stand_in):
    assert explained(stand_in(BLOCKED)) == PRINTED


@pytest.mark.parametrize("changes, first", [
    ({}, "partner.example. is fine: seen from here its DNS has what mail needs"),
    ({"verdict": "unknown"}, "partner.example.: no cause was found"),
    ({"verdict": "unknown", "cause": CAUSE}, f"partner.example.: {CAUSE['text']}"),
    ({"verdict": "forged", "cause": finding("forged", "cause", "forged here: the canary was answered for it")},
     "partner.example.: forged here: the canary was answered for it"),
    ({"verdict": "blocked", "cause": finding("blocked", "cause", "partner.example. is blocked here: domestic is silent, external answers")},
     "partner.example. is blocked here: domestic is silent, external answers"),
    ({"verdict": "blocked", "cause": finding("depends-on-blocked", "cause", "its SPF needs _spf.y.example., and y.example. is blocked here")},
     "partner.example.: its SPF needs _spf.y.example., and y.example. is blocked here"),
    ({"verdict": "broken", "cause": finding("lame", "cause", "both its servers refuse")},
     "partner.example. is broken, not only here: both its servers refuse"),
    ({"verdict": "misconfigured", "cause": finding("spf-syntax", "cause", "a slip at column 7", name="x.", type="TXT", record="v=spf1 ipv4:")},
     "partner.example. is misconfigured: a slip at column 7\n  x. TXT: v=spf1 ipv4:"),
    ({"verdict": "later", "cause": None}, "partner.example. is later")])
def test_verdicts(stand_in, changes, first):
    assert explained(stand_in({**FINE, **changes})) == first + "\n\nok       it exists\n\ntook 4.2 s\n"


def test_a_bound_is_told(stand_in):
    assert explained(stand_in({**FINE, "bounded": True})).endswith("\ntook 4.2 s, and then a bound left something unasked\n")


def test_json_is_the_answer(stand_in):
    daemon = stand_in(BLOCKED)
    for line in (["--json"], ["--json", "--ip", "192.0.2.7"]):
        assert json.loads(explained(daemon, *line)) == BLOCKED


def test_what_is_sent(stand_in):
    daemon = stand_in(FINE)
    explained(daemon, "--helo=h.example", "--ip", "192.0.2.7", "--sender", "a@b.example", "--selector", "s1", "--connect", "--json")
    explained(daemon, "--report")
    assert daemon.asked == [
        ("explain", {"domain": "partner.example.", "ip": "192.0.2.7", "helo": "h.example", "sender": "a@b.example", "selector": "s1"}),
        ("explain", {"domain": "partner.example."})]


def test_usage(stand_in):
    daemon = stand_in(FINE)
    for arguments, said in ((["--report", "--json"], "--report is a text for people: not with --json"),
                            (["--conect"], 'unexpected "--conect" (did you mean "--connect"?)'), (["--ip"], "--ip needs a value"),
                            (["--connect=yes"], "--connect takes no value"), (["x.example"], 'unexpected "x.example"')):
        done = explain(daemon, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"bywayctl: explain: {said}\n{USAGE}")
    assert daemon.asked == []


def test_refusals(stand_in):
    for failure, code in ((Failure(-32602, 'no address: "x"'), 2), (Failure(-32000, "two are being explained already"), 1),
                          (Failure(-32601, 'unknown method "explain"'), 1)):
        done = explain(stand_in(failure))
        assert (done.returncode, done.stdout, done.stderr) == (code, "", f"bywayctl: explain: {failure.args[1]}\n")


# ---- what no answer may do ----

def places(value, path=()):
    """Where in it something stands: the paths of all its parts."""
    yield path
    if isinstance(value, (dict, list)):
        for key in (value if isinstance(value, dict) else range(len(value))):
            yield from places(value[key], (*path, key))


def changed(value, path, new):
    """A copy with something else at `path`; ...: it is taken away."""
    if not path:
        return new
    ret = copy.deepcopy(value)
    *parents, last = path
    at = ret
    for key in parents:
        at = at[key]
    if new is ...:
        del at[last]
    else:
        at[last] = new
    return ret


STRANGE = ["\x1b[2J\r\n\x9b\u202e\x07", 7, -1, 2 ** 62, 1.5, True, None, [], {}, [[]], [None, 7, "x", {}], {"": {}}, "x" * 100000, ""]


def harmless(done):
    assert done.returncode in (0, 1) and all(char == "\n" or " " <= char <= "~" for char in done.stdout + done.stderr), done


def test_strange_answers(stand_in):
    """Of each kind of place one is taken away or has another value, and the next, and the next."""
    connect = {**BLOCKED, "hosts": [{"host": "h.example.", "preference": 1, "addresses": ["127.0.25.99"]}]}
    paths = [path for path in places(connect) if path and ("findings" not in path or 3 in path or len(path) < 3)]
    variants = [changed(connect, path, new) for path, new in zip(paths, itertools.cycle([..., *STRANGE]))]
    whole = iter([*STRANGE, *variants])
    daemon = stand_in(lambda params: next(whole))
    for arguments, _ in zip(itertools.cycle(([], ["--report"], ["--connect"])), [*STRANGE, *variants]):
        harmless(explain(daemon, *arguments, LC_ALL="C"))


@pytest.mark.parametrize("key", ["domain", "cause", "findings", "zones", "hosts", "replies", "connect", "verdict", "cure"])
def test_strange_values_of_a_key(stand_in, key):
    values = iter(STRANGE * 3)
    daemon = stand_in(lambda params: {**BLOCKED, key: next(values)})
    for argument in ("--no-headers", "--report", "--connect"):
        for _ in STRANGE:
            harmless(explain(daemon, argument, LC_ALL="C"))


def test_no_answer_at_all(stand_in):
    for raw in (None, b"\n\n", b"\x1b[2J\n", b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 100000 + b"\n", b'{"id":1,"error":{"code":"x","message":"\\u001b[2J"}}\n',
                b'{"method":"explain","params":{"id":1,"event":"x"}}\n{"method":7,"params":{"id":1,"event":{"asked":"\\u001b","question":{}}}}\n'):
        done = explain(stand_in(raw))
        harmless(done)
        assert done.returncode == 1 and done.stdout == ""


# ---- while it works ----

def slowly(_):
    yield {"asked": 40, "known": 12, "question": "x.example. MX"}
    time.sleep(0.3)
    yield {"asked": 41, "known": 30, "question": "\x1b[2J" + "y" * 300}
    time.sleep(2.3)
    yield {"asked": 41, "known": 40}
    return FINE


def test_progress(stand_in):
    shown, answer, code = on_terminal(stand_in(slowly), "explain", "partner.example", stream="stderr", columns=60)
    assert code == 0 and answer.startswith("partner.example. is fine") and after(shown) == "" and "\n" not in shown and "\x1b" not in shown
    lines = [line.rstrip() for line in shown.split("\r") if line.strip()]
    assert lines[0] == "explain: 12 of 40 answers, x.example. MX" and lines[1].startswith("explain: 30 of 41 answers, \\x1b[2Jyyy")
    assert lines[-1] == "explain: 40 of 41 answers" and all(width(line) < 60 for line in lines)


def test_silence_within_progress(stand_in):
    def answer(_):
        yield {"asked": 4, "known": 1, "question": "x. A"}
        time.sleep(2.3)
        return FINE
    shown, _, code = on_terminal(stand_in(answer), "explain", "partner.example", stream="stderr")
    assert code == 0 and re.findall(r"explain: 1 of 4 answers, x\. A … (\d) s", shown) == ["1", "2"]


def test_no_progress_in_a_pipe(stand_in):
    assert explained(stand_in(slowly)).startswith("partner.example. is fine")


# ---- for the partner ----

LETTER = """\
Hello,

mail between our users and partner.example depends on what DNS says of
that domain. We have looked at it, from our network and from elsewhere,
on DAY at TIME UTC.

What is wrong on your side:

1.  mail.partner.example stands there twice
    partner.example. MX:
        10 mail.partner.example.

2.  14 lookups, 9 of them by include:y
    partner.example. TXT:
        "v=spf1 include:_spf.a-long-name.example
        include:_spf.a-long-name.example
        include:_spf.a-long-name.example
        include:_spf.a-long-name.example
        include:_spf.a-long-name.example
        include:_spf.a-long-name.example -all"

What is not your fault:

partner.example (domain name-servers) cannot be looked up from our
network; elsewhere it can.

These of its name servers do not answer us:
    ns1.partner.example 192.0.2.1
    ns2.partner.example 2001:db8::2
    ns2.partner.example 198.51.100.2:5353

A name server more for the zone, in another network or another country
than these, or one of them moved there, would let mail servers here find
it again.

What we have looked at, and found in order:

- all MX hosts have addresses
- SPF passes for 192.0.2.7

Kind regards
"""


def test_a_letter_to_the_partner(stand_in):
    letter = explained(stand_in(BLOCKED), "--report")
    assert re.sub(r"on \d{4}-\d\d-\d\d at \d\d:\d\d UTC", "on DAY at TIME UTC", letter) == LETTER


def test_no_line_of_a_letter_is_longer(stand_in):
    wide = [finding("x", "problem", text, "domain", name="x" * 100 + ".example.", type="TXT", record=record)
            for text, record in (("y" * 200, "z" * 500), ("\u4e2d" * 100, "a b " * 90), ("q" * 68 + " " + "r" * 68, None))]
    letter = explained(stand_in({**BLOCKED, "domain": "d" * 63 + ".example.", "findings": wide}), "--report", LC_ALL="C.UTF-8")
    assert max(width(line) for line in letter.splitlines()) == 72 and not any(line.endswith(" ") for line in letter.splitlines())
    assert "".join(letter.split()).count("z" * 500) == 1 and letter.count("\u4e2d") == 100


@pytest.mark.parametrize("changes, says, says_not", [
    ({}, "We have found nothing wrong with it.", "your side"),
    ({"zones": BLOCKED["zones"]}, "On your side we have found nothing wrong.", "What is wrong"),
    ({"zones": [{**BLOCKED["zones"][0], "domestic": "forged", "state": "suspect"}]},
     "partner.example (domain name-servers) are forged on their way to our network.", "do not answer us"),
    ({"zones": [{**BLOCKED["zones"][0], "servers": []}]}, "cannot be looked up from our network", "name server"),
    ({"findings": [finding("lame", "cause", "ns2 refuses", "domain"), finding("listed", "problem", "our address is listed", "here")]},
     "1. ns2 refuses", "listed"),
    ({"findings": [finding("no-domain", "cause", "it does not exist, say domestic and external", "domain")]},
     "1. it does not exist, say our resolver and a resolver elsewhere", "domestic"),
    ({"findings": [finding("lame", "cause", "(external) a.external.example. and my-domestic do not answer external.", "domain")]},
     "1. (a resolver elsewhere) a.external.example. and my-domestic do not answer a resolver elsewhere.", "our resolver"),
    ({"findings": [finding("direct-unknown", "note", "no DNS leaves from here", "here")], "zones": BLOCKED["zones"]},
     "cannot be looked up from our network", "do not answer us"),
    ({"findings": [finding("x", "ok", "domestic 192.0.2.53 answers"), finding("y", "ok", "its zone is well")]}, "- its zone is well", "192.0.2.53")])
def test_whose_fault_it_is(stand_in, changes, says, says_not):
    letter = " ".join(explained(stand_in({**FINE, **changes}), "--report").split())
    assert says in letter and says_not not in letter and letter.startswith("Hello, mail between our users and partner.example depends")


# ---- port 25 ----

class MailServer:
    """Listens on port 25 of an address: sends `pieces`, one by one, and then waits for the end of the client's words; None: sends
    nothing and closes, or with `reset` resets."""

    def __init__(self, address, pieces=(), closes=False, reset=False):
        self.pieces, self.closes, self.reset, self.heard = pieces, closes, reset, []
        self._listener = socket.create_server((address, 25), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._greet, args=[connection], daemon=True).start()

    def _greet(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in self.pieces:
                connection.sendall(piece)
                time.sleep(0.001)
            if self.reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if self.closes or self.reset:
                return
            heard = b""
            while more := connection.recv(100):
                heard += more
            self.heard.append(heard)


@pytest.fixture
def mail_server():
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **how: stack.enter_context(contextlib.closing(MailServer(*arguments, **how)))


@contextlib.contextmanager
def full(address):
    """No connection to it is taken or refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, 25))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, 25))
        time.sleep(0.1)
        yield


def hosts(*lists):
    return [{"host": f"mx{n}.example.", "preference": n, "addresses": list(addresses)} for n, addresses in enumerate(lists, 1)]


def connected(stand_in, mx, base=FINE):
    return json.loads(explained(stand_in({**base, "hosts": mx}), "--connect", "--json"))


GREETINGS = [  # pieces, how, outcome, the first line
    ([b"220 mail.example ESMTP\r\n"], {}, "greeted", "220 mail.example ESMTP"),
    ([b"220-mail.example\r\n220-be nice\r\n", b"220 \r\n"], {}, "greeted", "220-mail.example"),
    ([bytes([byte]) for byte in b"220-a\r\n220 b\r\n"], {}, "greeted", "220-a"),
    ([b"220\n"], {}, "greeted", "220"),
    ([b"220-wait\r\n"], {}, "greeted", "220-wait"),  # five seconds
    ([b"554 5.7.1 not you\r\n"], {}, "refused", "554 5.7.1 not you"),
    ([b"421-busy\r\n421 later\r\n"], {"closes": True}, "refused", "421-busy"),
    ([], {}, "silent", None),
    ([b"22"], {}, "silent", None),
    ([], {"closes": True}, "closed", None),
    ([b"220-a\r\n"], {"closes": True}, "closed", "220-a"),
    ([], {"reset": True}, "reset", None),
    ([b"SSH-2.0-OpenSSH_9\r\n"], {}, "garbage", "SSH-2.0-OpenSSH_9"),
    ([b"\x1b[2J\0\xff\xe2\x80\xae\r\n"], {}, "garbage", "\\x1b[2J?\\xff\\xe2\\x80\\xae"),
    ([b"220-" + b"a" * 3000] * 9, {}, "garbage", None),
    ([b"220 " + b"a" * 3000 + b"\n"], {}, "greeted", "220 " + "a" * 508),
]


def test_each_kind_of_greeting(stand_in, mail_server):
    servers = [mail_server(f"127.0.25.{n}", pieces, **how) for n, (pieces, how, *_) in enumerate(GREETINGS, 1)]
    addresses = [f"127.0.25.{n}" for n in range(1, 17)]
    begun = time.monotonic()
    result = connected(stand_in, hosts(*(addresses[n::8] for n in range(8))))
    assert 5 <= time.monotonic() - begun < 9  # all at once
    rows = {row["address"]: row for row in result["connect"]}
    assert [(rows[address]["outcome"], rows[address]["greeting"]) for address in addresses] == [tuple(row[2:]) for row in GREETINGS]
    assert servers[0].heard == [b"QUIT\r\n"] and rows["127.0.25.1"]["ms"] < 2000 and 4900 < rows["127.0.25.8"]["ms"] < 7000
    assert [row["host"] for row in result["connect"]] == [f"mx{n}.example." for n in range(1, 9) for _ in range(2)]


def test_where_nobody_can_be_reached(stand_in):
    with full("127.0.25.40"):
        result = connected(stand_in, hosts(["127.0.25.99"], ["192.0.2.25", "2001:db8::25"], ["127.0.25.40"]))
    assert [(row["host"], row["address"], row["outcome"], row["greeting"]) for row in result["connect"]] == [
        ("mx1.example.", "127.0.25.99", "refused", None), ("mx2.example.", "192.0.2.25", "unreachable", None),
        ("mx2.example.", "2001:db8::25", "unreachable", None), ("mx3.example.", "127.0.25.40", "timeout", None)]
    text = "none of its 3 MX hosts answers from here at port 25: mx1.example. (refused), mx2.example. (unreachable), mx3.example. (timeout)"
    assert result["cause"] == finding("port25-unreachable", "cause", text) == result["findings"][-1]
    assert result["verdict"] == "unknown" and result["cure"].startswith("see whether this network lets port 25 out")


def test_the_finding_beside_another_cause(stand_in):
    result = connected(stand_in, hosts(["127.0.25.99"]), BLOCKED)
    assert result["findings"] == [*BLOCKED["findings"], finding("port25-unreachable", "problem",
                                                               "its MX host does not answer from here at port 25: mx1.example. (refused)")]
    assert {key: value for key, value in result.items() if key not in ("connect", "findings", "hosts")} == {
        key: value for key, value in BLOCKED.items() if key not in ("findings", "hosts")}


def test_one_of_some(stand_in, mail_server):
    mail_server("127.0.25.1", [b"220 hi\r\n"])
    mx = hosts(["127.0.25.99", "127.0.25.1"], ["127.0.25.98"], ["127.0.25.1"], [])
    result = connected(stand_in, mx)
    assert result["findings"][-1] == finding("port25-unreachable", "problem",
                                             "1 of 3 MX hosts do not answer from here at port 25: mx2.example. (refused)")
    assert (result["verdict"], result["cause"], result["cure"]) == ("fine", None, "")
    result = connected(stand_in, [mx[0], mx[2], mx[0]])
    assert result["findings"] == FINE["findings"] and len(result["connect"]) == 3


def test_port_25_for_people(stand_in, mail_server):
    mail_server("127.0.25.1", [b"220 \x1b[2Jhi\r\n"])
    shown = explained(stand_in({**FINE, "hosts": hosts(["127.0.25.1"], ["127.0.25.99"])}), "--connect")
    assert "problem  port25-unreachable: 1 of 2 MX hosts do not answer from here at port 25: mx2.example. (refused)\n" in shown
    table = shown.split("\nport 25, from this machine\n")[1].splitlines()
    assert table[0].split() == ["HOST", "ADDRESS", "OUTCOME", "MS", "GREETING"]
    assert re.fullmatch(r"mx1\.example\.  127\.0\.25\.1   greeted +\d+  220 \\x1b\[2Jhi", table[1])
    assert re.fullmatch(r"mx2\.example\.  127\.0\.25\.99  refused +\d+  -", table[2])
    shown = explained(stand_in({**FINE, "hosts": hosts(["127.0.25.99"])}), "--connect")
    assert shown.startswith("partner.example.: its MX host does not answer from here at port 25: mx1.example. (refused)\n"
                            "cure: see whether this network lets port 25 out")
    assert "\nport 25: no MX host with an address\n" in explained(stand_in(FINE), "--connect")


def test_no_more_than_so_many(stand_in):
    mx = hosts([f"127.0.26.{n}" for n in range(50)], *([f"127.0.27.{n}"] for n in range(20)))
    rows = connected(stand_in, mx)["connect"]
    assert [row["host"] for row in rows] == ["mx1.example."] * 9 + [f"mx{n}.example." for n in range(2, 9)]
    rows = connected(stand_in, hosts(["x", None, "127.0.0.1:25", "127.0.26.1"]))["connect"]
    assert [row["address"] for row in rows] == ["127.0.26.1"]


def test_progress_of_port_25(stand_in, mail_server):
    mail_server("127.0.25.1")
    shown, *_ = on_terminal(stand_in({**FINE, "hosts": hosts(["127.0.25.1"])}), "explain", "partner.example", "--connect", stream="stderr")
    assert re.findall(r"connecting to port 25 … (\d) s", shown)[:4] == ["1", "2", "3", "4"] and after(shown) == ""
