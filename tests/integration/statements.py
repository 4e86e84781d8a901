"""What a node states of a zone, as bytes: resolver/cluster/statement.h, written once more from docs/state.md."""

import struct
import subprocess
import time

import dns.name

KINDS = {"evidence": 0, "pin": 1, "forget": 2}


def text(data):
    return struct.pack("!H", len(data)) + data


def wire(zone):
    return text(dns.name.from_text(zone).to_wire())


class Statement:
    """Of a node that a test plays. `at`: its stamp, seconds since 1970, now unless given."""

    def __init__(self, node, zone, kind="evidence", vantage="cn", at=None, count=0, good=0):
        self.node, self.zone, self.kind, self.vantage = node, zone, kind, vantage
        self.milliseconds = int((time.time() if at is None else at) * 1000)
        self.count, self.good = count, good

    def field(self):
        return f"{self.kind} {self.vantage or '*'} zone - {self.zone}. {self.node}".encode()

    def bytes(self):
        head = struct.pack("!cBBH", b"A", KINDS[self.kind], 0, 0) + text(self.vantage.encode()) + text(self.node.encode())
        head += struct.pack("!QI", self.milliseconds, self.count) + wire(self.zone)
        if self.kind == "evidence":  # failed by timeout, or good since; an hour; the question for its SOA
            head += struct.pack("!BBQ", self.good, 0 if self.good else 1, 3600000) + wire(self.zone) + struct.pack("!H", 6)
        elif self.kind == "pin":  # to external, for ever
            head += struct.pack("!BQ", 2, (1 << 63) - 1) + text(b"")
        return head


def command(*words):
    """As Redis reads it."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def writing(statement, name="byway"):
    return [("HSET", f"{name}:zones", statement.field(), statement.bytes()), ("XADD", f"{name}:changes", "*", "s", statement.bytes())]


def pour(redis, commands):
    """Many commands at once; fails if Redis refuses one."""
    done = subprocess.run(["redis-cli", "-s", str(redis.path), "--pipe"], input=b"".join(command(*words) for words in commands),
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and b"errors: 0" in done.stdout, done.stdout[-500:] + done.stderr[-500:]
