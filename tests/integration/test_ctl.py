"""bywayctl's command line: what it takes, what it says of what it does not, and how it ends."""

import grp
import json
import os
import pathlib
import pwd
import shlex
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from daemon import environment, program, run

ZONES = """usage: bywayctl zones [--state STATE] [--under NAME]
usage: bywayctl zones show ZONE
usage: bywayctl zones pin ZONE domestic|external [--for DURATION] [--note TEXT] [--everywhere]
usage: bywayctl zones unpin ZONE [--everywhere]
usage: bywayctl zones forget ZONE [--everywhere]
usage: bywayctl zones probe ZONE
usage: bywayctl zones export
usage: bywayctl zones import FILE
"""
PIN = "usage: bywayctl zones pin ZONE domestic|external [--for DURATION] [--note TEXT] [--everywhere]\n"

FORMS = ('"192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53", "tcp://192.0.2.1", "tls://192.0.2.1#dns.example.net" or '
         '"https://192.0.2.1/dns-query#dns.example.net"')

# arguments, exit code, what is said behind "bywayctl: "; @SOCKET is the daemon's, @DIR a directory, @FILE a file
MESSAGES = [
    ("", 2, "no command given (see bywayctl --help)"),
    ("-s", 2, "-s needs a value"),
    ("status -s", 2, "-s needs a value"),
    ("-s '' status", 2, "the path of the socket is empty"),
    ("status --socket=", 2, "the path of the socket is empty"),
    ("-s " + "x" * 200 + " status", 2, 'the path of the socket is longer than 107 bytes: "' + "x" * 40 + '..."'),
    ("-s @DIR status", 3, "no daemon listens at @DIR: it is a directory"),
    ("-s @FILE status", 3, "no daemon listens at @FILE: it is no socket"),
    ("-s @FILE/below status", 3, "no daemon listens at @FILE/below: there is no such socket"),
    ("-s @DIR/nothing zones", 3, "no daemon listens at @DIR/nothing: there is no such socket"),
    ("--jsno status", 2, 'unknown option "--jsno" (did you mean "--json"?)'),
    ("-x status", 2, 'unknown option "-x" (see bywayctl --help)'),
    ("stauts", 2, 'unknown command "stauts" (did you mean "status"?)\nusage: bywayctl status'),
    ("zone show a.example", 2, 'unknown command "zone" (did you mean "zones show"?)\nusage: bywayctl zones show ZONE'),
    ("diagnose a.example", 2, 'unknown command "diagnose" (see bywayctl --help)'),
    ("explain", 2, "explain: no DOMAIN given\nusage: bywayctl explain DOMAIN [--ip A] [--helo N] [--sender ADDR] [--selector S] [--connect] "
                   "[--report]"),
    ("zones shwo a", 2, 'zones: unexpected "shwo" (did you mean "zones show"?)\n' + ZONES),
    ("zones --state foo", 2, 'zones: "foo" is none of suspect|blocked|broken|recovering|clear\n' + ZONES.splitlines()[0]),
    ("zones --sate broken", 2, 'zones: unexpected "--sate" (did you mean "--state"?)\n' + ZONES.splitlines()[0]),
    ("zones show", 2, "zones show: no ZONE given\nusage: bywayctl zones show ZONE"),
    ("zones pin a.example abroad", 2, 'zones pin: "abroad" is none of domestic|external\n' + PIN),
    ("zones pin a.example external --for '2 hours'", 2, 'zones pin: not a duration: "2 hours" ("10m", "1d")\n' + PIN),
    ("zones pin bücher.example external", 2, 'zones pin: not a domain name: "bücher.example" (write "xn--bcher-kva.example")\n' + PIN),
    ("zones pin a\x9b.example external", 2,
     'zones pin: not a domain name: "a\\xc2\\x9b.example" (write it in its xn-- form)\n' + PIN),
    ("zones pin a.example external extra", 2, 'zones pin: unexpected "extra"\n' + PIN),
    ("-s @SOCKET zones pin *.a.example external", 2, 'zones pin: zone: a wildcard matches nothing: "*.a.example" (write "a.example")'),
    ("-s @SOCKET zones show zz.example", 1, "zones show: nothing is known of zz.example."),
    ("-s @SOCKET zones unpin zz.example", 1, "zones unpin: zz.example. is not pinned"),
    ("-s @SOCKET zones forget zz.example", 1, "zones forget: nothing is known of zz.example."),
    ("-s @SOCKET zones probe zz.example", 1, "zones probe: nothing is known of zz.example."),
    ("-s @SOCKET cache show zz.example", 1, "cache show: the cache has nothing for zz.example."),
    ("-s @SOCKET cache flush zz.example", 1, "cache flush: the cache has nothing for zz.example."),
    ("-s @SOCKET cache flush a.example --all", 2,
     "cache flush: exactly one is needed of NAME|--under NAME|--all\nusage: bywayctl cache flush NAME|--under NAME|--all"),
    ("-s @SOCKET zones import @DIR/nothing", 1, "zones import: @DIR/nothing: No such file or directory"),
    ("-s @SOCKET zones import @DIR", 1, "zones import: @DIR: a directory, where a file is expected"),
    ("-s @SOCKET zones import /dev/null", 1, "zones import: /dev/null: empty, where an export is expected"),
    ("-s @SOCKET zones import @FILE", 1, "zones import: @FILE:1:1: '[' or '{' expected near 'x'"),
    ("try", 2, "try: no UPSTREAM given\nusage: bywayctl try UPSTREAM [--censored NAME]"),
    ("-s @SOCKET try tsl://192.0.2.1", 2, 'try: upstream: unknown form "tsl://" in "tsl://192.0.2.1" (expected @FORMS)'),
    ("-s @SOCKET reload now", 2, 'reload: unexpected "now"\nusage: bywayctl reload'),
]


def ctl(*arguments, **how):
    return run(program("bywayctl"), *arguments, **how)


def test_messages(byway, tmp_path):
    (tmp_path / "file").write_text("x\n")
    places = {"@SOCKET": byway.socket, "@DIR": str(tmp_path), "@FILE": str(tmp_path / "file")}
    for line, code, message in MESSAGES:
        message = message.replace("@FORMS", FORMS)
        for word, place in places.items():
            line, message = line.replace(word, place), message.replace(word, place)
        done = ctl(*shlex.split(line))
        assert (done.returncode, done.stdout, done.stderr.rstrip("\n")) == (code, "", "bywayctl: " + message.rstrip("\n")), line


def test_files_that_are_no_export(byway):
    for text, message in (("{}", 'no export: it has neither "version" nor "zones"'), ('{"zones":[]}', 'no export: "version" is missing'),
                          ('{"version":1}', 'no export: "zones" is missing'),
                          ('{"version":2,"zones":[]}', 'no export that this version knows: "version" must be 1'),
                          ('{"version":1,"zones":{}}', 'no export: "zones" must be an array'),
                          ("", "empty, where an export is expected")):
        done = byway.ctl("zones", "import", "-", stdin=text)
        assert (done.returncode, done.stderr) == (1, f"bywayctl: zones import: standard input: {message}\n")


def test_many_refusals_are_one_message(byway):
    zones = json.dumps([{"zone": f"*.z{n}.example", "state": "blocked"} for n in range(500)])
    done = byway.ctl("zones", "import", "-", stdin=zones)
    assert done.returncode == 1 and done.stderr == (
        'bywayctl: zones import: zones refused: 500, the first: *.z0.example: a wildcard matches nothing: "*.z0.example" '
        '(write "z0.example")\n')
    lines = done.stdout.splitlines()
    assert lines[0] == "imported: 0, skipped: 0, refused: 500" and lines[-1] == "and 490 more" and len(lines) == 13


def test_an_import_is_one_line_in_the_log(forwarder):
    """Of either kind; what happens to each zone is told at debug."""
    daemon = forwarder({"log.level": "info"})
    daemon.ctl("zones", "import", "-", stdin=json.dumps([{"zone": f"z{n}.example", "state": "blocked"} for n in range(500)]))
    daemon.ctl("zones", "import", "-", stdin=json.dumps([{"zone": f"*.z{n}.example", "state": "blocked"} for n in range(500)] + [7]))
    assert "clear -> blocked" not in daemon.log()
    assert [line for line in daemon.log().splitlines() if " import: " in line] == [
        "info import: zones taken: 500, skipped: 0, refused: 0",
        "warning import: zones refused: 501, the first: " + ", ".join(
            f'*.z{n}.example (a wildcard matches nothing: "*.z{n}.example" (write "z{n}.example"))' for n in range(3))]
    daemon.set({"log.level": "debug"})
    daemon.control("reload")
    daemon.ctl("zones", "import", "-", stdin=json.dumps([{"zone": "more.example", "state": "blocked"}]))
    assert "debug zone more.example.: clear -> blocked: restored" in daemon.log()


def test_options_stand_anywhere(byway):
    for line in ("-s SOCKET --json status", "status --json -s SOCKET", "--json status -sSOCKET", "status --socket=SOCKET --json",
                 "--socket /nowhere --json -s SOCKET status"):
        done = ctl(*line.replace("SOCKET", byway.socket).split())
        assert done.returncode == 0 and json.loads(done.stdout)["version"], line
    for line in ("zones --no-headers --state blocked", "--no-headers zones --state blocked", "zones --state blocked --no-headers",
                 "zones --state=blocked --no-headers --", "-- zones"):
        done = byway.ctl(*line.split())
        assert (done.returncode, done.stderr) == (0, ""), line
    done = ctl("zones", "--json", "pin", "note.example", "-s", byway.socket, "external", "--note", "--json")
    assert json.loads(done.stdout)["note"] == "--json"
    assert byway.ctl("zones", "unpin", "note.example").returncode == 0


def test_nothing_behind_two_dashes_is_an_option(byway):
    done = byway.ctl("cache", "show", "--", "--json")
    assert done.returncode == 1 and "cache show: the cache has nothing for --json." in done.stderr
    done = byway.ctl("zones", "--", "--state", "blocked")
    assert done.returncode == 2 and 'zones: unexpected "--state"' in done.stderr
    done = byway.ctl("zones", "pin", "note.example", "external", "--note", "--", "--json")
    assert json.loads(done.stdout)["note"] == "--"
    assert byway.ctl("zones", "unpin", "note.example").returncode == 0


def test_help_for_each_command():
    overview = ctl("--help").stdout
    for words in ("status", "zones show", "zones pin", "zones unpin", "zones forget", "zones probe", "zones export", "zones import",
                  "cache show", "cache flush", "upstreams", "try", "maillog", "stats", "reload"):
        assert f"\n  {words}" in overview
        for line in ([*words.split(), "--help"], ["--help", *words.split()], [*words.split(), "-h"]):
            done = ctl(*line)
            usage, text = done.stdout.splitlines()
            assert done.returncode == 0 and usage.startswith(f"usage: bywayctl {words}") and text.strip() and not done.stderr
    assert len(ctl("cache", "--help").stdout.splitlines()) == 4
    done = ctl("nosuch", "--help")
    assert done.returncode == 2 and "nosuch" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_who_may_not_connect(forwarder):
    daemon = forwarder()
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"}

    def said():
        done = subprocess.run([program("bywayctl"), "-s", daemon.socket, "status"], capture_output=True, text=True, timeout=30,
                              env=environment(), check=False, **nobody)
        assert done.returncode == 1
        return done.stderr
    assert said() == (f"bywayctl: status: cannot connect to {daemon.socket}: the user nobody may not, only root, the user root and the "
                      "group root may\n")
    os.chmod(daemon.directory, 0o700)
    assert said() == f"bywayctl: status: cannot connect to {daemon.socket}: a directory above it is closed to the user nobody\n"
    os.chmod(daemon.directory, 0o755)

    os.chown(daemon.socket, pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid)
    done = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", program("bywayctl"), "-s", daemon.socket, "status"],
                          capture_output=True, text=True, timeout=30, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (1, f"bywayctl: status: cannot connect to {daemon.socket}: root without CAP_DAC_OVERRIDE "
                                                 "may not, only the user nobody and the group nogroup may\n")


def test_a_stopped_daemon_is_waited_for_no_longer_than_10_s(forwarder):
    daemon = forwarder()
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        start = time.monotonic()
        done = daemon.ctl("status")
        assert 9 < time.monotonic() - start < 15
        assert (done.returncode, done.stderr) == (1, "bywayctl: status: the daemon does not answer within 10 s: is it stopped, or busy?\n")
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_a_queue_that_is_full():
    """Nobody takes connections from it any more: connect() itself waits."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as first:
        path = str(pathlib.Path(name, "sock"))
        full.bind(path)
        full.listen(0)
        first.connect(path)
        done = ctl("-s", path, "status")
        assert (done.returncode, done.stderr) == (
            1, f"bywayctl: status: the daemon at {path} takes no connection within 10 s: is it stopped?\n")


def test_output_that_cannot_be_written(byway):
    for arguments in (f"-s {byway.socket} status", f"-s {byway.socket} --json stats", f"-s {byway.socket} zones export", "--help", "--version",
                      "zones pin --help"):
        done = run("sh", "-c", f"{program('bywayctl')} {arguments} >/dev/full")
        assert (done.returncode, done.stderr) == (1, "bywayctl: cannot write the answer: No space left on device\n"), arguments


def test_who_stops_reading_hears_nothing(byway):
    """Whether or not SIGPIPE was ignored by who started it."""
    for ignored in (True, False):
        read, write = os.pipe()
        os.close(read)
        ignore = (lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN)) if ignored else None
        done = subprocess.run([program("bywayctl"), "-s", byway.socket, "stats"], stdout=write, stderr=subprocess.PIPE, text=True, timeout=30,
                              env=environment(), restore_signals=not ignored, preexec_fn=ignore, check=False)
        os.close(write)
        assert done.returncode == -signal.SIGPIPE and not done.stderr
