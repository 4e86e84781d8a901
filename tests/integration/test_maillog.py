"""bywayctl maillog: files and what they may be, what is printed, and that nothing of them goes anywhere."""

import ctypes
import gzip
import json
import os
import socket
import subprocess
import time

import pytest

from daemon import ROOT, environment, program, run
from stand_in import Failure, StandIn
from test_terminal import after, on_terminal

SENDER = ("{stamp} mx1 postfix/smtpd[4711]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 450 4.1.8 <bob@{domain}>: Sender address "
          "rejected: Domain not found; from=<bob@{domain}> to=<us@our.example> proto=ESMTP helo=<mail.{domain}>\n")
QUEUED = ("{stamp} mx1 postfix/smtp[815]: 4F7q: to=<u@{domain}>, relay=none, delay=4, dsn=4.4.3, status=deferred (Host or domain name not "
          "found. Name service error for name={domain} type=MX: Host not found, try again)\n")
PLAIN = "{stamp} mx1 postfix/smtpd[4711]: connect from mail.{domain}[192.0.2.7]\n"


def line(form, domain="partner.example", stamp="2026-11-29T15:41:00+00:00"):
    return form.format(stamp=stamp, domain=domain)


def maillog(*arguments, **how):
    return run(program("bywayctl"), "maillog", *map(str, arguments), **{"TZ": "UTC", **how})


def found(*arguments, **how):
    done = maillog("--json", "--offline", *arguments, **how)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def domains(entries):
    return [(entry["domain"], entry["count"]) for entry in entries]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "mail.log"
    path.write_text(line(PLAIN) + line(SENDER) + 2 * line(QUEUED, "dom.example", "2026-11-29T16:00:00+01:00") + line(PLAIN))
    return path


def test_worst_first(log):
    assert found(log) == [
        {"domain": "dom.example.", "count": 2, "first": "2026-11-29T15:00:00Z", "last": "2026-11-29T15:00:00Z",
         "reply": "Host or domain name not found. Name service error for name=dom.example type=MX: Host not found, try again",
         "kind": "recipient", "cured": None, "explain": None},
        {"domain": "partner.example.", "count": 1, "first": "2026-11-29T15:41:00Z", "last": "2026-11-29T15:41:00Z",
         "reply": "450 4.1.8 <bob@partner.example>: Sender address rejected: Domain not found", "kind": "sender", "cured": None,
         "explain": None}]


def test_for_people(log):
    done = maillog("--offline", log)
    header, first, second = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "") and header.split() == "COUNT DOMAIN KIND FIRST LAST CURED REPLY".split()
    assert first.split()[:3] == ["2", "dom.example.", "recipient"] and first.endswith("Host not found, try again")
    assert second.split()[:3] == ["1", "partner.example.", "sender"]
    done = maillog("--offline", "/dev/null")
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing that DNS held up\n", "")


def test_files_and_standard_input(log, tmp_path):
    packed = tmp_path / "mail.log.2.gz"
    packed.write_bytes(gzip.compress(line(SENDER).encode()) + gzip.compress(line(SENDER, "old.example").encode()))
    assert domains(found(log, packed)) == [("partner.example.", 2), ("dom.example.", 2), ("old.example.", 1)]
    text = line(SENDER, "stdin.example")
    for arguments in ((), ("-",)):
        assert domains(found(*arguments, stdin=text)) == [("stdin.example.", 1)]
    assert domains(found(packed, "-", stdin=text)) == [("old.example.", 1), ("partner.example.", 1), ("stdin.example.", 1)]
    with open(packed, "rb") as source:
        done = subprocess.run([program("bywayctl"), "--json", "maillog", "--offline"], stdin=source, capture_output=True, timeout=30,
                              env=environment(), check=True)
    assert len(json.loads(done.stdout)) == 2


def test_a_pipe_that_comes_in_pieces(log):
    process = subprocess.Popen([program("bywayctl"), "maillog", "--json", "--offline"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=environment())
    for byte in log.read_bytes():
        process.stdin.write(bytes([byte]))
        process.stdin.flush()
    assert domains(json.loads(process.communicate(timeout=30)[0])) == [("dom.example.", 2), ("partner.example.", 1)]


def test_the_year_and_the_zone_of_the_machine(tmp_path):
    path = tmp_path / "mail.log"
    path.write_text(line(SENDER, stamp="Jan  2 03:04:05"))
    entry = found(path, TZ="CET-1")[0]
    assert entry["first"] == entry["last"] and entry["first"].endswith("-01-02T02:04:05Z")
    path.write_text(line(SENDER, stamp="some day"))
    entry = found(path)[0]
    assert (entry["first"], entry["last"], entry["count"]) == (None, None, 1)


def test_what_cannot_be_read_is_said_and_the_rest_is_printed(log, tmp_path):
    packed = tmp_path / "cut.gz"
    whole = gzip.compress(b"".join(line(SENDER, f"d{n}.example").encode() for n in range(2000)), mtime=0)
    packed.write_bytes(whole[:len(whole) // 2])
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(whole[:1000] + b"\xff" * 100 + whole[1100:])
    for path, why in ((tmp_path / "nothing", "No such file or directory"), (tmp_path, "a directory, where a log is expected"),
                      (packed, "it ends in the middle of what gzip packed: cut off, or still being written"),
                      (damaged, "what gzip packed is damaged")):
        done = maillog("--json", "--offline", path, log)
        assert (done.returncode, done.stderr) == (1, f"bywayctl: maillog: {path}: {why}\n")
        assert {("dom.example.", 2), ("partner.example.", 1)} <= set(domains(json.loads(done.stdout)))
    assert len(json.loads(maillog("--json", "--offline", packed).stdout)) > 500


def test_junk(tmp_path):
    path = tmp_path / "junk"
    chance = os.urandom(1 << 20).replace(b"\x1f\x8b", b"..")
    good = line(SENDER).encode()
    path.write_bytes(b"\0" * 100000 + b"\n" + good + chance + b"\n" + b"x" * (3 << 20) + good + good + chance.replace(b"\n", b"") + b"\n" + good)
    assert domains(found(path)) == [("partner.example.", 3)]  # one good line is the end of one of 3 MiB


def test_terminals_are_not_obeyed(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(line(SENDER).encode().replace(b"<bob@", b"<\x1b[2J\xc2\x9b@", 1))
    done = maillog("--offline", path)
    assert "<\\x1b[2J" in done.stdout and all(byte == "\n" or " " <= byte <= "~" for byte in done.stdout)
    assert "\x1b" not in maillog("--json", "--offline", path).stdout


def test_lines_without_a_name_are_counted():
    done = maillog("--json", "--offline", stdin=2 * "2026-11-29 10:00:00 delivery 9: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/\n")
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert done.stderr == "bywayctl: maillog: lines that name no domain, and are left out: 2\n"


def test_more_domains_than_there_is_room_for(tmp_path):
    path = tmp_path / "mail.log"
    path.write_text("".join(line(SENDER, f"d{n}.example") for n in range(100100)) + line(SENDER, "d7.example"))
    done = maillog("--json", "--offline", path, timeout=120)
    assert done.returncode == 0 and len(json.loads(done.stdout)) == 100000 and domains(json.loads(done.stdout))[0] == ("d7.example.", 2)
    assert done.stderr == "bywayctl: maillog: more than 100000 domains; lines of further ones, which are left out: 100\n"


def test_usage(log):
    for arguments, said in ((("--offlin", log), 'unexpected "--offlin" (did you mean "--offline"?)'),
                            (("--offline", "--offline"), "--offline given twice"),
                            (("--offline=yes",), "--offline takes no value")):
        done = maillog(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (
            2, "", f"bywayctl: maillog: {said}\nusage: bywayctl maillog [--offline] [FILE ...]\n")
    assert domains(json.loads(maillog(log, "--offline", "--json", log).stdout)) == [("dom.example.", 4), ("partner.example.", 2)]


def without_sockets():
    """From here on this process is killed if it opens one."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    kill, allow = 0x80000000, 0x7fff0000
    context = ctypes.c_void_p(library.seccomp_init(allow))
    for call in (b"socket", b"socketpair", b"connect"):
        assert library.seccomp_rule_add_array(context, kill, library.seccomp_syscall_resolve_name(call), 0, None) == 0
    assert library.seccomp_load(context) == 0


def test_offline_opens_no_socket(log, tmp_path):
    def status(*arguments):
        return subprocess.run([program("bywayctl"), "-s", str(tmp_path / "sock"), "maillog", "--json", *arguments, str(log)],
                              capture_output=True, timeout=30, env=environment(), preexec_fn=without_sockets, check=False).returncode
    assert status("--offline") == 0
    assert status() < 0


def test_without_a_daemon_all_else_is_there(log, tmp_path):
    nowhere = str(tmp_path / "sock")
    done = maillog("--json", "-s", nowhere, log)
    assert (done.returncode, done.stderr) == (
        0, f"bywayctl: maillog: what is cured by now is not known: no daemon listens at {nowhere}: there is no such socket\n")
    assert [entry["cured"] for entry in json.loads(done.stdout)] == [None, None]
    with socket.socket(socket.AF_UNIX) as listener:  # an empty log asks nobody
        listener.bind(nowhere)
        listener.listen()
        assert maillog("-s", nowhere, "/dev/null").returncode == 0


def test_what_the_daemon_cures(byway, tmp_path):
    for zone, via in (("blocked.example", "external"), ("home.blocked.example", "domestic"), ("7.44.in-addr.arpa", "external")):
        assert byway.ctl("zones", "pin", zone, via).returncode == 0
    zones = [{"zone": "learned.example", "state": "blocked"}, {"zone": "name.example", "scope": "name", "state": "blocked"}]
    assert byway.ctl("zones", "import", "-", stdin=json.dumps(zones)).returncode == 0
    expected = {"blocked.example.": True, "a.b.blocked.example.": True, "home.blocked.example.": False, "x.home.blocked.example.": False,
                "other.example.": False, "notblocked.example.": False, "mail.learned.example.": True, "name.example.": True,
                "x.name.example.": False, "example.": False, "9.8.7.44.in-addr.arpa.": True}
    path = tmp_path / "mail.log"
    path.write_text("".join(line(SENDER, "[44.7.8.9]" if "arpa" in domain else domain) for domain in expected))
    done = maillog("--json", "-s", byway.socket, path, timeout=90)
    assert done.returncode == 0
    assert {entry["domain"]: entry["cured"] for entry in json.loads(done.stdout)} == expected
    assert all(entry["explain"] is None for entry in json.loads(done.stdout) if entry["cured"])
    remote = ("2026-11-29T15:41:00Z mx1 postfix/smtp[8]: 4F: to=<u@d.example>, relay=mx[192.0.2.1]:25, dsn=4.1.8, status=deferred (host mx "
              "said: 450 4.1.8 <us@blocked.example>: Sender address rejected: Domain not found (in reply to RCPT TO command))\n")
    done = maillog("--json", "-s", byway.socket, stdin=remote, timeout=90)
    assert [(entry["kind"], entry["cured"]) for entry in json.loads(done.stdout)] == [("remote", False)]


def test_what_real_servers_wrote():
    """Postfix 3.7 and Exim 4.96 of Debian 12, whose resolver answered SERVFAIL for fail.example and NXDOMAIN for gone.example."""
    corpus = ROOT / "tests" / "fuzz" / "corpus" / "maillog"
    assert {entry["domain"]: (entry["kind"], entry["count"]) for entry in found(corpus / "postfix-3.7")} == {
        "a.fail.example.": ("sender", 1), "a.gone.example.": ("sender", 1), "v.fail.example.": ("sender", 1),
        "helo.fail.example.": ("helo", 1), "helo.gone.example.": ("helo", 1), "7.2.0.192.in-addr.arpa.": ("client", 2),
        "spf.example.": ("spf", 1), "native.fail.example.": ("recipient", 1), "out.fail.example.": ("recipient", 1),
        "out.gone.example.": ("recipient", 1), "mx.fail.example.": ("recipient", 1)}
    assert {entry["domain"]: (entry["kind"], entry["count"]) for entry in found(corpus / "exim-4.96")} == {
        "a.fail.example.": ("sender", 2), "a.gone.example.": ("sender", 1), "ok.example.": ("recipient", 2), "spf.example.": ("spf", 1),
        "7.2.0.192.in-addr.arpa.": ("client", 1), "r.fail.example.": ("recipient", 1), "out.fail.example.": ("recipient", 1),
        "relay.fail.example.": ("recipient", 2), "relay.gone.example.": ("recipient", 1)}


# ---- the cause and the cure ----

ZONES = [{"zone": "cured.example.", "scope": "zone", "via": "external", "state": "blocked"}]


def cause_of(params):
    return {"domain": params["domain"], "verdict": "blocked", "cause": {"tag": "blocked", "text": f"domestic is silent about \x1b {params['domain']}"},
            "cure": "wait"}


@pytest.fixture
def stand_in(tmp_path):
    started = []

    def start(explain=None, zones=None):
        answers = {"zones.list": ZONES if zones is None else zones, **({"explain": explain} if explain is not None else {})}
        started.append(StandIn(tmp_path, answers))
        return started[-1]
    yield start
    for daemon in started:
        daemon.close()


def asked(daemon):
    return [params for method, params in daemon.asked if method == "explain"]


def test_the_worst_are_explained(stand_in, tmp_path):
    daemon = stand_in(cause_of)
    path = tmp_path / "mail.log"
    path.write_text("".join((20 - n) * line(SENDER, f"d{n}.example") for n in range(14)) + 30 * line(SENDER, "a.cured.example"))
    done = maillog("--json", "-s", daemon.socket, path)
    assert (done.returncode, done.stderr) == (0, "")
    entries = json.loads(done.stdout)
    assert [entry["explain"] for entry in entries] == [None, *(cause_of({"domain": f"d{n}.example."}) for n in range(10)), *4 * [None]]
    assert asked(daemon) == [{"domain": f"d{n}.example.", "ip": "192.0.2.7", "helo": f"mail.d{n}.example", "sender": f"bob@d{n}.example"}
                             for n in range(10)]


def test_causes_for_people(stand_in, log):
    shown = maillog("-s", stand_in(cause_of).socket, log).stdout.split("\n\n")
    assert shown[0].startswith("COUNT ") and len(shown[0].splitlines()) == 3 and shown[1] == "cured by now: 0 of 3"
    assert shown[2] == ("dom.example. is blocked here: domestic is silent about \\x1b dom.example.\n  cure: wait\n"
                        "partner.example. is blocked here: domestic is silent about \\x1b partner.example.\n  cure: wait\n")
    assert "cure" not in maillog("--offline", log).stdout


def test_what_is_cured_by_the_zone_behind_it(stand_in, tmp_path):
    """Its own domain goes to nobody but domestic; what explain says decides."""
    def carried(params):
        tag = "delegation" if params["domain"] == "good.example." else "carried"
        verdict = "broken" if params["domain"] == "lame.example." else "fine"
        return {"domain": params["domain"], "verdict": verdict, "cause": None, "cure": "", "findings": [{"tag": "mx"}, {"tag": tag}]}
    daemon = stand_in(carried)
    path = tmp_path / "mail.log"
    path.write_text(4 * line(SENDER, "partner.example") + 2 * line(SENDER, "good.example") + line(SENDER, "lame.example"))
    assert [entry["cured"] for entry in json.loads(maillog("--json", "-s", daemon.socket, path).stdout)] == [True, False, False]
    assert "\n\ncured by now: 4 of 7\n\n" in maillog("-s", daemon.socket, path).stdout


def test_what_is_told_of_the_log(stand_in):
    exim = ("2026-11-29 15:41:00 H=(helo.example) [192.0.2.8] F=<a@exim.example> temporarily rejected RCPT <us@our.example>: "
            "Could not complete sender verify\n")
    daemon = stand_in(cause_of)
    text = (3 * line(QUEUED, "out.example") + 2 * exim +
            line(SENDER, "odd.example").replace("unknown[192.0.2.7]", "unknown[unknown]").replace("helo=<mail.odd.example>", "helo=<[192.0.2.7]>")
            .replace("from=<bob@odd.example>", "from=<>"))
    assert maillog("--json", "-s", daemon.socket, stdin=text).returncode == 0
    assert asked(daemon) == [{"domain": "out.example."},
                             {"domain": "exim.example.", "ip": "192.0.2.8", "helo": "helo.example", "sender": "a@exim.example"},
                             {"domain": "odd.example."}]


@pytest.mark.parametrize("explain, count, why", [
    (None, 1, "this daemon is older, and has no explain"),
    (Failure(-32000, "busy"), 2, "dom.example.: busy"),
    (b"", 1, "dom.example.: the daemon closed the connection without an answer"),
    (b"x\n", 1, "dom.example.: the answer is not JSON-RPC")])
def test_what_cannot_be_explained_is_said_once(stand_in, log, explain, count, why):
    daemon = stand_in(explain)
    done = maillog("--json", "-s", daemon.socket, log)
    assert (done.returncode, done.stderr) == (0, f"bywayctl: maillog: not all causes are known: {why}\n")
    assert [(entry["cured"], entry["explain"]) for entry in json.loads(done.stdout)] == 2 * [(False, None)] and len(asked(daemon)) == count


def test_strange_explanations(stand_in, log):
    for strange in (7, [], {}, "x", {"cause": 7, "cure": [], "verdict": {}, "domain": "\x1b"}, {"cause": {"text": "\x1b[2J"}}):
        done = maillog("-s", stand_in(lambda _, strange=strange: strange).socket, log)
        assert (done.returncode, done.stderr) == (0, "") and all(char == "\n" or " " <= char <= "~" for char in done.stdout)


def test_progress_of_explanations(stand_in, log):
    def explain(params):
        yield {"asked": 4, "known": 2, "question": "x. MX"}
        time.sleep(1.2)
        return cause_of(params)
    shown, _, code = on_terminal(stand_in(explain), "maillog", str(log), stream="stderr")
    assert code == 0 and after(shown) == ""
    for said in ("explain dom.example. (1 of 2): 2 of 4 answers, x. MX", "explain partner.example. (2 of 2): 2 of 4 answers, x. MX … 1 s"):
        assert said in shown


def test_an_endless_explanation_ends(stand_in, log):
    def explain(params):
        for _ in range(44 if params["domain"] == "dom.example." else 0):
            yield {"asked": 4, "known": 2, "question": "x. MX"}
            time.sleep(0.5)
        return cause_of(params)
    begun = time.monotonic()
    done = maillog("--json", "-s", stand_in(explain).socket, log, timeout=90)
    assert 20 <= time.monotonic() - begun < 30 and done.returncode == 0
    assert [entry["explain"] for entry in json.loads(done.stdout)] == [None, cause_of({"domain": "partner.example."})]
    assert done.stderr == "bywayctl: maillog: not all causes are known: dom.example.: the daemon has not come to an end in the time that there is\n"
