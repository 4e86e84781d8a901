"""Questions as mail software asks them, and what came back, down to the bytes."""

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

EDE = 15


def parse_endpoint(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@dataclass
class Reply:
    wire: bytes
    elapsed: float  # seconds
    message: dns.message.Message

    @property
    def rcode(self):
        return dns.rcode.to_text(self.message.rcode())

    @property
    def truncated(self):
        return bool(self.message.flags & dns.flags.TC)

    @property
    def addresses(self):
        return [r.address for rrset in self.message.answer if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
                for r in rrset]

    @property
    def texts(self):
        return [b"".join(r.strings).decode() for rrset in self.message.answer if rrset.rdtype == dns.rdatatype.TXT
                for r in rrset]

    @property
    def ede(self):
        """Info-codes of its Extended DNS Errors."""
        return [struct.unpack("!H", o.to_wire()[:2])[0] for o in self.message.options if o.otype == EDE]

    @property
    def ttls(self):
        return [rrset.ttl for rrset in self.message.answer + self.message.authority]

    def has(self, flag):
        return bool(self.message.flags & dns.flags.from_text(flag))

    def records(self):
        return records(self.wire)


def records(wire):
    """Every record but OPT as (section, owner, type, class, rdata bytes), in the order it stands there; rdata as it
    is in the message, names in it uncompressed."""
    message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    return [(section, rrset.name.canonicalize().to_text(), rrset.rdtype, rrset.rdclass, rdata.to_wire())
            for section, rrsets in enumerate(message.sections[1:]) for rrset in rrsets for rdata in rrset]


def question(qname, qtype="A", edns=1232, do=False, ad=False, cd=False, rd=True, options=(), ident=None):
    """A query; `edns` is the UDP size, None for a client without EDNS."""
    message = dns.message.make_query(qname, qtype)
    message.use_edns(-1 if edns is None else 0, dns.flags.DO if do else 0, payload=edns or 0, options=list(options))
    message.flags = (dns.flags.RD if rd else 0) | (dns.flags.AD if ad else 0) | (dns.flags.CD if cd else 0)
    if ident is not None:
        message.id = ident
    return message


def read_reply(wire, started):
    return Reply(wire, time.monotonic() - started, dns.message.from_wire(wire))


def udp_exchange(where, wire, timeout=6.0, source=None):
    """The datagram that comes back, None for silence."""
    host, port = parse_endpoint(where)
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as sock:
        if source:
            sock.bind((source, 0))
        sock.settimeout(timeout)
        sock.connect((host, port))
        sock.send(wire)
        try:
            return sock.recv(65535)
        except (TimeoutError, ConnectionError):
            return None


class TcpClient:
    """One connection; questions may be pipelined."""

    def __init__(self, where, timeout=6.0, source=None):
        host, port = parse_endpoint(where)
        self.sock = socket.create_connection((host, port), timeout, (source, 0) if source else None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *wires):
        self.sock.sendall(b"".join(struct.pack("!H", len(wire)) + wire for wire in wires))

    def receive(self):
        """The next message; None if the other side closed."""
        head = self._exactly(2)
        return head and self._exactly(struct.unpack("!H", head)[0])

    def _exactly(self, length):
        data = b""
        while len(data) < length:
            try:
                piece = self.sock.recv(length - len(data))
            except ConnectionError:
                return None
            if not piece:
                return None
            data += piece
        return data


def ask(where, qname, qtype="A", tcp=False, timeout=6.0, source=None, **flags):
    """One question to `where`; fails on silence, as on any reply that does not belong to it."""
    message = question(qname, qtype, **flags)
    started = time.monotonic()
    if tcp:
        with TcpClient(where, timeout, source) as client:
            client.send(message.to_wire())
            wire = client.receive()
    else:
        wire = udp_exchange(where, message.to_wire(), timeout, source)
    assert wire is not None, f"no answer to {qname} {qtype} in {time.monotonic() - started:.2f} s"
    reply = read_reply(wire, started)
    assert reply.message.id == message.id and reply.has("QR")
    if reply.message.question:
        assert reply.message.question[0].name.labels == message.question[0].name.labels, "the client's case is lost"
    return reply


def together(calls):
    """Runs the calls at the same time; their results in order."""
    results = [None] * len(calls)

    def run(index):
        try:
            results[index] = calls[index]()
        except BaseException as error:  # handed to the asker's thread below
            results[index] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


class Flood:
    """Many questions over a few sockets with a window of outstanding ones; for counting, not for timing."""

    def __init__(self, where, window=64):
        host, port = parse_endpoint(where)
        self.window = window
        self.socks = []
        for _ in range(8):
            sock = socket.socket(family_of(host), socket.SOCK_DGRAM)
            sock.connect((host, port))
            sock.setblocking(False)
            self.socks.append(sock)

    def run(self, names, qtype="A", timeout=6.0):
        """-> {rcode: count}; the key None counts questions without an answer."""
        counts, waiting, names = {}, {}, iter(names)
        exhausted = False
        ident = 0
        while waiting or not exhausted:
            while not exhausted and len(waiting) < self.window:
                qname = next(names, None)
                if qname is None:
                    exhausted = True
                    break
                ident = (ident + 1) & 0xFFFF
                sock = self.socks[ident % len(self.socks)]
                sock.send(question(qname, qtype, ident=ident).to_wire())
                waiting[ident] = time.monotonic()
            readable, _, _ = select.select(self.socks, [], [], 0.2)
            for sock in readable:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        wire = sock.recv(4096)
                        if waiting.pop(struct.unpack("!H", wire[:2])[0], None) is not None:
                            counts[wire[3] & 15] = counts.get(wire[3] & 15, 0) + 1
            late = [i for i, sent in waiting.items() if time.monotonic() - sent > timeout]
            for i in late:
                del waiting[i]
                counts[None] = counts.get(None, 0) + 1
        return counts

    def close(self):
        for sock in self.socks:
            sock.close()


class Load:
    """A steady stream of fresh questions in the background, until stop(); every one must be answered. `stalled`: the
    longest that the machine let a thread of it sleep beyond what it wanted, s."""

    def __init__(self, where, pattern, rate=100, tcp=False):
        self.where, self.pattern, self.rate, self.tcp = where, pattern, rate, tcp
        self.sent, self.replies, self.lost, self.stalled = 0, [], [], 0.0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(8)]
        for thread in self._threads:
            thread.start()

    def _run(self, number):
        count, pause = 0, len(self._threads) / self.rate
        while not self._slept(pause):
            count += 1
            qname = self.pattern.format(f"{number}-{count}")
            self.sent += 1
            try:
                self.replies.append(ask(self.where, qname, tcp=self.tcp))
            except (AssertionError, OSError, dns.exception.DNSException) as error:
                self.lost.append((qname, str(error)))

    def _slept(self, pause):
        began = time.monotonic()
        stopped = self._stop.wait(pause)
        self.stalled = max(self.stalled, time.monotonic() - began - pause)
        return stopped

    def stop_asking(self):
        """No new questions; those under way are still waited for by stop()."""
        self._stop.set()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self
