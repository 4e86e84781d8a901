"""bywayd --check: every error with its path in one go, and no socket opened."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from daemon import Daemon, environment, program, run
from upstream import free_port

BASE = {"upstreams": {"domestic": ["192.0.2.1"], "external": ["198.51.100.1"]}}


@pytest.fixture
def check(tmp_path):
    """check(object or text) -> exit code, what was said."""
    def run_check(config):
        path = tmp_path / "byway.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        done = run(program("bywayd"), "-c", str(path), "--check")
        return done.returncode, done.stdout + done.stderr
    return run_check


def merged(**keys):
    return {**BASE, **keys}


GOOD = [
    BASE,
    merged(listen=["127.0.0.1:5353", "[::1]:5353", "0.0.0.0:53"]),
    merged(allow=["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"], workers=4),
    merged(upstreams={"domestic": ["192.0.2.1:5353", "[2001:db8::1]:53", "2001:db8::2", "tcp://192.0.2.1"],
                      "external": [{"address": "198.51.100.1", "trusted": True}], "office": ["10.0.0.1"]},
           zones=[{"zone": "corp.example", "via": "office"}, {"zone": ".", "via": "auto"},
                  {"zone": "x.", "via": "refuse"}, {"zone": "a.*.example", "via": "refuse"}, {"zone": "_dmarc.x.example", "via": "auto"},
                  {"zone": "0/25.2.0.192.in-addr.arpa", "via": "domestic"}]),
    merged(fallback={"on": ["timeout"], "patience": "auto", "deadline": "4500ms"}),
    merged(fallback={"on": [], "patience": "300ms"}),
    merged(learning={"mode": "observe", "recheck_first": "10m", "recheck_max": "1d", "recover_after": 3,
                     "max_zones": 5000}),
    merged(cache={"memory": "64MiB", "min_ttl": "0s", "max_ttl": "1d", "stale": "1w"}),
    merged(log={"level": "debug", "format": "json"}, presets=[], state="/nonexistent/byway"),
    merged(**{"#": "a comment", "#listen": ["anything", 7]}),
    '{"#": 1, "#": 2, "upstreams": {"#": "twice", "#": "again", "domestic": ["192.0.2.1"], "external": ["192.0.2.2"]}}',
]


def test_good_configurations(check):
    for config in GOOD:
        code, said = check(config)
        assert code == 0, (config, said)


BAD = [  # configuration, what the message must have
    (merged(listn=["127.0.0.1:53"]), ["listn", "listen"]),
    (merged(fallback={"patiense": "1s"}), ["fallback.patiense", "patience"]),
    (merged(**{"cache.memory": "1GiB"}), ['write {"cache": {"memory": …}}']),
    ({"upstreams": {"domestc": ["192.0.2.1"], "external": ["198.51.100.1"]}}, ['upstreams.domestc: did you mean "domestic"?']),
    (merged(listen=["127.0.0.1:99999"]), ["listen[0]"]),
    (merged(listen=["127.0.0.1:53", "nonsense"]), ["listen[1]", "nonsense"]),
    (merged(listen="127.0.0.1:53"), ["listen"]),
    (merged(listen=[]), ["listen"]),
    (merged(allow=["10.0.0.0/40"]), ["allow[0]"]),
    (merged(workers=0), ["workers"]),
    (merged(workers="four"), ["workers"]),
    (merged(workers=1.5), ["workers"]),
    ({"upstreams": {"domestic": ["192.0.2.1"]}}, ["upstreams.external"]),
    ({}, ["upstreams"]),
    (merged(upstreams={"domestic": ["192.0.2.1"], "external": []}), ["upstreams.external"]),
    (merged(upstreams={"domestic": ["1.2.3"], "external": ["198.51.100.1"]}), ["upstreams.domestic[0]", "1.2.3"]),
    (merged(upstreams={"domestic": [{"address": "192.0.2.1", "trust": True}], "external": ["198.51.100.1"]}),
     ["upstreams.domestic[0].trust", "trusted"]),
    (merged(upstreams={"domestic": ["192.0.2.1"], "external": ["tls://198.51.100.1:853#dns..example.net"]}),
     ["upstreams.external[0]", "certificate"]),
    (merged(zones=[{"zone": "a.test", "via": "office"}]), ["zones[0].via", "office"]),
    (merged(zones=[{"zone": "a.test", "via": "domestic"}, {"zone": "A.TEST.", "via": "external"}]), ["zones[1]"]),
    (merged(zones=[{"zone": "a..test", "via": "auto"}]), ["zones[0].zone"]),
    (merged(zones=[{"zone": "a.test"}]), ["zones[0]", "via"]),
    (merged(presets=["dnsbll"]), ["presets[0]"]),
    (merged(fallback={"on": ["timeouts"]}), ["fallback.on[0]", "timeout"]),
    (merged(fallback={"deadline": 4500}), ["fallback.deadline"]),
    (merged(fallback={"deadline": "soon"}), ["fallback.deadline"]),
    (merged(fallback={"deadline": "-1s"}), ["fallback.deadline"]),
    (merged(learning={"mode": "maybe"}), ["learning.mode"]),
    (merged(learning={"recover_after": 0}), ["learning.recover_after"]),
    (merged(learning={"max_zones": -1}), ["learning.max_zones"]),
    (merged(cache={"memory": "64 apples"}), ["cache.memory"]),
    (merged(cache={"memory": "99999999999999999999TiB"}), ["cache.memory"]),
    (merged(log={"level": "loud"}), ["log.level"]),
    (merged(state=7), ["state"]),
    (merged(control={"group": "no-such-group-here"}), ["control.group"]),
    (merged(user="no-such-user-here"), ["user"]),
    ("[]", ["object"]),
]


MESSAGES = [  # configuration, all that is said
    (merged(zones=[{"zone": zone, "via": "domestic"} for zone in ("*.corp.example", "10.0.0.0/8", "1.2.3.4", "user@corp.example",
                                                                  "https://corp.example/path", "bücher.example")]),
     'zones[0].zone: a wildcard matches nothing: "*.corp.example" (write "corp.example")\n'
     'zones[1].zone: an address block is no domain name: "10.0.0.0/8" (write "10.in-addr.arpa")\n'
     'zones[2].zone: an address is no domain name: "1.2.3.4" (write "4.3.2.1.in-addr.arpa")\n'
     'zones[3].zone: a mail address is no domain name: "user@corp.example" (write "corp.example")\n'
     'zones[4].zone: a URL is no domain name: "https://corp.example/path" (write "corp.example")\n'
     'zones[5].zone: not a domain name: "bücher.example" (write "xn--bcher-kva.example")'),
    (merged(listen=["[fe80::1%eth9]:53"]), 'listen[0]: not an address: "[fe80::1%eth9]:53" (there is no interface "eth9")'),
    (merged(listen=["::1:53"]), 'listen[0]: "::1:53" is an IPv6 address without a port: write "[::1]:53"'),
    (merged(listen=["[::ffff:127.0.0.1]:53"]),
     """listen[0]: "[::ffff:127.0.0.1]:53" is an IPv4 address in IPv6's form: write "127.0.0.1\""""),
    (merged(listen=["224.0.0.251:53"]), 'listen[0]: "224.0.0.251:53" is a multicast address, no machine\'s own'),
    (merged(listen=["127.0.0.1:0"]), 'listen[0]: port 0 in "127.0.0.1:0" (expected 1 to 65535)'),
    (merged(upstreams={"domestic": ["fe80::1"], "external": ["255.255.255.255", "0.0.0.0", "ff02::1", "192.0.2.1:0"]}),
     'upstreams.domestic[0]: "fe80::1" is link-local, and of no use without its interface: write "fe80::1%eth0"\n'
     'upstreams.external[0]: "255.255.255.255" is the broadcast address, no machine\'s own\n'
     'upstreams.external[1]: nobody can be asked at "0.0.0.0": it stands for every address of a machine\n'
     'upstreams.external[2]: "ff02::1" is a multicast address, no machine\'s own\n'
     'upstreams.external[3]: port 0 in "192.0.2.1:0" (expected 1 to 65535)'),
    (merged(allow=["192.168.1.5/24", "::ffff:10.0.0.0/104"]),
     'allow[0]: not a CIDR block: "192.168.1.5/24" (bits are set behind its prefix: write "192.168.1.0/24", or "192.168.1.5" '
     'for this address alone)\n'
     """allow[1]: "::ffff:10.0.0.0/104" is an IPv4 block in IPv6's form: write "10.0.0.0/8\""""),
]


def test_messages(check):
    for config, message in MESSAGES:
        assert check(config) == (1, message + "\n")


def test_errors_name_their_path(check):
    for config, words in BAD:
        code, said = check(config)
        assert code == 1, (config, said)
        for word in words:
            assert word in said, (config, word, said)


def test_where_it_lies_does_not_matter(tmp_path, certificates):
    """So that a file can be looked at before it is put in its place, by whatever name its folder has."""
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    config = merged(upstreams={"domestic": ["192.0.2.1"],
                               "external": [{"address": "tls://198.51.100.1#dns.example.net", "ca": str(certificates.ca),
                                             "proxy": {"address": "socks5://192.0.2.9:1080", "user": "byway", "password_file": str(password)}}]})
    said = set()
    for folder in ("here", "a folder/.x"):
        path = tmp_path / folder / "source"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(config))
        for named, where in ((str(path), "/"), ("source", path.parent), (f"../{path.parent.name}/./source", path.parent)):
            done = subprocess.run([program("bywayd"), "-c", named, "--check"], capture_output=True, text=True, cwd=where, check=False,
                                  env=environment())
            said.add((done.returncode, (done.stdout + done.stderr).replace(named, "FILE")))
    (code, words), = said
    assert (code, words.splitlines()[0]) == (0, "FILE: usable")


def test_syntax_errors_have_line_and_column(check):
    for text, line in (("{\n  \"listen\": [,]\n}", 2), ("", 1), ("{\n\n\"a\": 1,,\n}", 3), ("{} trailing", 1)):
        code, said = check(text)
        assert code == 1, text
        match = re.search(r"byway\.json:(\d+):(\d+)", said)
        assert match and abs(int(match.group(1)) - line) <= 1, (text, said)


def test_a_file_that_is_no_text(check):
    code, said = check('{"a": \x00}')
    assert code == 1 and "byway.json" in said


def test_comments_and_trailing_commas(check):
    code, said = check("""// who serves
{ "upstreams": { /* near, then
                    far */ "domestic": ["192.0.2.1",], "external": ["198.51.100.1", ], },
  "#": "// is no comment in a string", "#": "and this key may repeat",
  "zones": [ { "zone": "corp.example", "via": "domestic", }, ], // the last
}
""")
    assert code == 0 and "byway.json: usable\n" in said, said
    code, said = check('{ // ein Bücherwurm\n/* 中文 */ "listen" [] }')
    assert code == 1 and said.endswith("byway.json:2:19: ':' expected near '['\n"), said
    code, said = check('{} /* no end')
    assert code == 1 and said.endswith('byway.json:1:4: this comment does not end (expected "*/")\n'), said


def test_a_key_given_twice_is_an_error(check):
    code, said = check('{"upstreams": {"external": ["198.51.100.1"], "domestic": ["192.0.2.1"]}, '
                       '"cache": {"stale": "1d", "stale": "2d"}}')
    assert code == 1 and "stale" in said


def test_all_errors_in_one_go(check):
    code, said = check(merged(listen=["bad1", "127.0.0.1:53", "bad2"], workers=-1, unknown=1,
                              cache={"memory": "x", "stale": 5}, log={"level": "loud", "format": "xml"}))
    assert code == 1
    for path in ("listen[0]", "listen[2]", "workers", "unknown", "cache.memory", "cache.stale", "log.level",
                 "log.format"):
        assert path in said, (path, said)


def said_of(path, **how):
    done = subprocess.run([program("bywayd"), "-c", str(path), "--check"], capture_output=True, text=True, timeout=30,
                          env=environment(), check=False, **how)
    assert done.returncode == 1 and not done.stdout
    return done.stderr


def test_a_file_that_cannot_be_read(tmp_path):
    missing, empty = tmp_path / "missing.json", tmp_path / "empty.json"
    empty.touch()
    assert said_of(missing) == f"{missing}: No such file or directory\n"
    assert said_of(missing / "below") == f"{missing}/below: No such file or directory\n"
    assert said_of(tmp_path) == f"{tmp_path}: a directory, where a file is expected\n"
    assert said_of("/dev/null") == "/dev/null: not a regular file\n"
    assert said_of(empty) == f"{empty}:1:1: the file is empty (expected one object: {{\"upstreams\": …}})\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_file_that_is_for_others():
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to others
        directory, path = pathlib.Path(name), pathlib.Path(name, "byway.json")
        path.write_text(json.dumps(BASE))
        path.chmod(0o600)
        directory.chmod(0o755)
        nobody = {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"}
        assert said_of(path, **nobody) == f"{path}: the user nobody may not read it\n"
        path.chmod(0o644)
        directory.chmod(0o700)
        assert said_of(path, **nobody) == f"{path}: the user nobody may not read it\n"


ROOT = "user: not set: started by root, as now, bywayd stays root (User= in its systemd unit is as good)"
STRANGER = "user: only root can become {}: started by another user, as now, bywayd stays that user"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_who_starts_it_and_whom_it_shall_become():
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"}
    rows = [  # who starts it, the key `user`, the warning
        ({}, None, ROOT), ({}, "root", None), ({}, "nobody", None), (nobody, None, None), (nobody, "nobody", None),
        (nobody, "mail", STRANGER.format("mail")), (nobody, "root", STRANGER.format("root"))]
    with tempfile.TemporaryDirectory() as name:
        directory, path = pathlib.Path(name), pathlib.Path(name, "byway.json")
        directory.chmod(0o777)
        for who, user, warning in rows:
            port = free_port("127.0.0.1")
            path.write_text(json.dumps(merged(listen=[f"127.0.0.1:{port}"], state=f"{name}/state", control={"socket": "/dev/null"},
                                              **({"user": user} if user else {}))))
            path.chmod(0o644)
            done = subprocess.run([program("bywayd"), "-c", path, "--check"], capture_output=True, text=True, timeout=30,
                                  env=environment(), check=False, **who)
            told = [line for line in done.stderr.splitlines() if "plain DNS" not in line]
            assert (done.returncode, told) == (0, [f"warning: {warning}"] if warning else []), (who, user)
            done = subprocess.run([program("bywayd"), "-c", path], capture_output=True, text=True, timeout=30, env=environment(),
                                  check=False, **who)  # it ends at the control socket
            assert done.returncode == 1 and (f"warning configuration: {warning}\n" in done.stderr) == bool(warning), done.stderr
            assert "error control.socket: /dev/null exists and is no socket" in done.stderr
            shutil.rmtree(f"{name}/state", ignore_errors=True)


def started(path, **how):
    done = subprocess.run([program("bywayd"), "-c", path], capture_output=True, text=True, timeout=30, env=environment(), check=False, **how)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_what_the_system_refuses_at_the_start():
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"}
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as other:
        directory, path = pathlib.Path(name), pathlib.Path(name, "byway.json")
        directory.chmod(0o777)
        other.bind(f"{name}/alive")
        other.listen()

        def write(listen, control):
            path.write_text(json.dumps(merged(listen=[listen], state=f"{name}/state", control={"socket": control})))
            path.chmod(0o644)
        port = free_port("127.0.0.1")
        write("127.0.0.1:53", f"{name}/control.sock")
        assert started(path, **nobody) == "error listen: cannot bind 127.0.0.1:53 (UDP): a port below 1024 needs root or CAP_NET_BIND_SERVICE"
        shutil.rmtree(f"{name}/state", ignore_errors=True)
        write(f"192.0.2.1:{port}", f"{name}/control.sock")
        assert started(path) == f"error listen: cannot bind 192.0.2.1:{port} (UDP): no interface of this machine has this address"
        for control, message in ((str(path), f"{path} exists and is no socket"), (name, f"{name} exists and is no socket"),
                                 (f"{name}/alive", f"another bywayd listens on {name}/alive"),
                                 (f"{name}/a/b/c", f"cannot make {name}/a/b/c: the directory above it is missing"),
                                 (f"{path}/c", f"cannot make {path}/c: the directory above it is missing")):
            write(f"127.0.0.1:{port}", control)
            assert started(path) == f"error control.socket: {message}"
        shutil.rmtree(f"{name}/state", ignore_errors=True)
        write(f"127.0.0.1:{port}", "/etc/control.sock")
        assert started(path, **nobody) == "error control.socket: the user nobody may not make /etc/control.sock"


def test_check_opens_nothing(check, tmp_path):
    """Its addresses are taken, its directories do not exist: no matter."""
    port = free_port("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", port))
        tcp.bind(("127.0.0.1", port))
        tcp.listen()
        code, said = check(merged(listen=[f"127.0.0.1:{port}"], state=str(tmp_path / "state"),
                                  control={"socket": str(tmp_path / "run" / "control.sock")}))
        assert code == 0, said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["byway.json"]


USAGE = [  # arguments, the first line on standard error
    (["--no-such-option"], 'unknown option "--no-such-option"'),
    (["-x"], 'unknown option "-x"'),
    (["-c"], "-c needs a value"),
    (["--config"], "--config needs a value"),
    (["-c", "", "--check"], "the path of the configuration is empty"),
    (["--check=yes"], '"--check=yes" takes no value'),
    (["stray"], 'unexpected argument: "stray"'),
    (["\x9b31m\x1b[2J"], 'unexpected argument: "\\xc2\\x9b31m\\x1b[2J"'),
    (["--\u202egnp"], 'unknown option "--\\xe2\\x80\\xaegnp"'),
]


def test_wrong_usage_is_2():
    for arguments, message in USAGE:
        done = run(program("bywayd"), *arguments)
        assert done.returncode == 2 and done.stderr.splitlines()[0] == f"bywayd: {message}", arguments
        assert "usage: bywayd" in done.stderr and not done.stdout
    for arguments in (["--version"], ["--help"]):
        done = run(program("bywayd"), *arguments)
        assert done.returncode == 0 and done.stdout and not done.stderr, arguments


def test_what_cannot_be_printed_is_said():
    for arguments in ("--help", "--version"):
        done = run("sh", "-c", f"{program('bywayd')} {arguments} >/dev/full")
        assert (done.returncode, done.stderr) == (1, "bywayd: cannot write: No space left on device\n")


def test_nothing_raw_reaches_a_terminal(tmp_path):
    """Neither of the file nor of its name: a terminal obeys U+009B as it does ESC [, and shows what comes after U+202E
    from its end."""
    path = tmp_path / "by\x9b2J\u202eway.json"
    path.write_text(json.dumps(merged(**{"\x9b31m": 1, "\u202eyek": 1}), ensure_ascii=False))
    done = run(program("bywayd"), "-c", str(path), "--check")
    assert done.returncode == 1 and done.stderr.splitlines() == ['["\\xc2\\x9b31m"]: unknown key', '["\\xe2\\x80\\xaeyek"]: unknown key']
    path.write_text(json.dumps(BASE))
    done = run(program("bywayd"), "-c", str(path), "--check")
    assert done.stdout.endswith("/by\\xc2\\x9b2J\\xe2\\x80\\xaeway.json: usable\n")


def test_a_bad_configuration_does_not_start(tmp_path):
    path = tmp_path / "byway.json"
    path.write_text(json.dumps(merged(listen=["nonsense"], state=str(tmp_path / "state"))))
    done = run(program("bywayd"), "-c", str(path), timeout=10)
    assert done.returncode == 1 and "listen[0]" in done.stderr
    assert not (tmp_path / "state").exists()


NO_AUTHORITIES = """mount --bind /dev/null /etc/ssl/certs/ca-certificates.crt && exec "$@" """


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("keys, told", [
    ({}, True), ({"pins": ["sha256/laJO+D4nukf4Zj5xKAsRuUZgg4HQSAaNCJMbUpFgGt4="]}, False)], ids=["system", "pins"])
def test_authorities_that_are_not_installed(tmp_path, keys, told):
    """A small image has none: nobody would be believed, and that is said before it is found out."""
    config = tmp_path / "byway.json"
    config.write_text(json.dumps({"upstreams": {"domestic": ["192.0.2.1"],
                                                "external": [{"address": "tls://198.51.100.1#dns.example.net", **keys}]}}))
    command = [program("bywayd"), "-c", str(config), "--check"]
    with_them = run(*command)
    done = run("unshare", "--mount", "sh", "-c", NO_AUTHORITIES, "sh", *command)
    assert with_them.returncode == done.returncode == 0, done.stderr
    assert "certificate authorities" not in with_them.stderr
    assert ("certificate authorities" in done.stderr and "tls://198.51.100.1" in done.stderr) == told, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_authorities_that_cannot_be_read_are_told_by_the_reload_that_needs_them(domestic, external):
    daemon = Daemon([domestic], [external])
    daemon.program = ["unshare", "--mount", "sh", "-c", NO_AUTHORITIES, "sh", *daemon.program]
    daemon.start()
    try:
        assert not any("authorities" in warning for warning in daemon.control("reload")["warnings"])
        daemon.set({"upstreams.external": ["tls://198.51.100.1#dns.example.net"]})
        assert any("authorities" in warning for warning in daemon.control("reload")["warnings"])
        assert "certificate authorities cannot be read" in daemon.log()
    finally:
        daemon.close()


EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "config/examples"
PLACEHOLDER = "tls://<address>#<name>"


@pytest.mark.parametrize("country", ["cn", "id", "ir", "ru", "tr"])
def test_country_examples(country, check):
    """One word is missing, and nothing else: that is said, and with it the file is usable as it stands."""
    text = (EXAMPLES / f"{country}.json").read_text()
    code, said = check(text.replace('"#domestic"', '"domestic"'))
    assert code == 1
    assert said == (f'upstreams.external[0]: "{PLACEHOLDER}" is a placeholder: write an upstream of your own there, like '
                    '"tls://192.0.2.1#dns.example.net", its address and the name that it must prove\n')
    for key in ("domestic", "canary", "addresses"):  # what is proposed is usable, too
        text = text.replace(f'"#{key}"', f'"{key}"')
    code, said = check(text.replace(PLACEHOLDER, "tls://198.51.100.53#dns.example.net"))
    assert code == 0, said
    assert [line for line in said.splitlines() if "warning" in line and "bywayd stays root" not in line] == []
    fence, = json.loads(text)["zones"]
    assert fence["via"] == "domestic" and fence["zone"].endswith(f".{country}")
