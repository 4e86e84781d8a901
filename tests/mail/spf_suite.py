#!/usr/bin/python3
"""The public RFC 7208 test suite against spf_check: every case of every scenario, without exception.

spf_suite.py SPF_CHECK plays the DNS of each scenario. The suite is in the documentation of Debian's python3-spf; without it this fails, since a suite
that is left out looks like one that passes.
"""

import gzip
import pathlib
import socket
import struct
import subprocess
import sys

import yaml

SUITE = pathlib.Path("/usr/share/doc/python3-spf")
TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SPF": 99}
NXDOMAIN = 3


def scenarios():
    for path in sorted(SUITE.glob("rfc7208-tests.yml*")):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [scenario for scenario in yaml.safe_load_all(text) if scenario]
    raise SystemExit(f"spf_suite: no rfc7208-tests.yml in {SUITE}: install python3-spf, with its documentation")


def octets(text):
    return text.encode("latin-1", "strict") if max(map(ord, text), default=0) < 256 else text.encode()


def wire(name):
    labels = [octets(label) for label in name.rstrip(".").split(".")] if name.strip(".") else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def address(kind, text):
    """Four bytes, or sixteen."""
    return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, text)


def strings(value):
    """The strings of a TXT: one is cut where a length byte wants it."""
    pieces = [octets(text) for text in ([value] if isinstance(value, str) else value)]
    cut = [piece[at:at + 255] for piece in pieces for at in range(0, len(piece) or 1, 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in cut)


def rdata(kind, value):
    if kind in ("TXT", "SPF"):
        return strings(value)
    if kind == "MX":
        return struct.pack("!H", value[0]) + wire(value[1])
    return wire(value) if kind in ("CNAME", "PTR") else address(kind, value)


class Zones:
    """A scenario's DNS. A name's SPF records are its TXT records too, where it has none (the suite's own rule)."""

    def __init__(self, data):
        self.names = {}
        for name, entries in data.items():
            records = [entry if isinstance(entry, str) else next(iter(entry.items())) for entry in entries]
            if not any(record[0] == "TXT" for record in records):
                records += [("TXT", value) for kind, value in [record for record in records if record != "TIMEOUT"] if kind == "SPF"]
            self.names[wire(name).lower()] = [record for record in records if record == "TIMEOUT" or record[1] != "NONE"]

    def find(self, name, kind):
        """Records of the name and type; None: it times out. TIMEOUT is the end of what a name answers."""
        found = []
        for record in self.names.get(name.lower(), []):
            if record == "TIMEOUT":
                return found or None
            if TYPES[record[0]] == kind:
                found.append(rdata(*record))
        return found

    def reply(self, name, kind):
        """A message, or None: no reply."""
        answers, owner = [], name
        for _ in range(10):
            records = self.find(owner, kind)
            if records is None:
                return None
            answers += [(owner, kind, data) for data in records]
            aliases = [] if records else self.find(owner, TYPES["CNAME"]) or []
            if not aliases:
                rcode = 0 if owner.lower() in self.names else NXDOMAIN
                return message(name, kind, rcode, answers)
            answers.append((owner, TYPES["CNAME"], aliases[0]))
            owner = aliases[0]
        return None  # a loop: resolvers give up


def message(name, kind, rcode, answers):
    head = struct.pack("!6H", 0, 0x8180 | rcode, 1, len(answers), 0, 0) + name + struct.pack("!2H", kind, 1)
    return head + b"".join(owner + struct.pack("!2HIH", its_kind, 1, 300, len(data)) + data for owner, its_kind, data in answers)


class Checker:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def check(self, case, zones):
        """(result, explanation)"""
        helo, sender = (octets(case[key] or "").hex() or "-" for key in ("helo", "mailfrom"))
        self.say(f"begin {case['host']} {helo} {sender}")
        while True:
            verb, *words = self.process.stdout.readline().split()
            if verb == "result":
                return words[0], bytes.fromhex(words[1].strip("-")).decode("latin-1")
            reply = zones.reply(bytes.fromhex(words[1]), int(words[0]))
            self.say("fail" if reply is None else f"reply {reply.hex()}")

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


def wrong_in(case, result, explanation):
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    found = [] if result in wanted else [f"{result} instead of {' or '.join(wanted)}"]
    given = explanation or ("DEFAULT" if result == "fail" else "")
    if "explanation" in case and case["explanation"] != given:
        found.append(f"explained {given!r} instead of {case['explanation']!r}")
    return found


def main(program):
    checker, count, failed = Checker(program), 0, 0
    for scenario in scenarios():
        zones = Zones(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            wrong = wrong_in(case, *checker.check(case, zones))
            count += 1
            failed += bool(wrong)
            for what in wrong:
                print(f"{scenario['description']}: {name} (RFC 7208, {case.get('spec')}): {what}")
    print(f"spf_suite: {count - failed} of {count} cases pass")
    return 1 if checker.end() or failed or count < 150 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
