"""Scripted upstream resolvers on loopback, UDP and TCP on one port each.

What a server says comes from a World of small zones; what it does instead (nothing, late, SERVFAIL, lies) is a
behaviour set for a name or everything below it, and may be changed while it runs. It records all that it was asked.
All servers of a Stage share one thread. Arrival times are the kernel's, so that a busy interpreter does not blur them.
"""

import asyncio
import contextlib
import copy
import random
import socket
import struct
import threading
import time
import traceback
from dataclasses import dataclass, field

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

SO_TIMESTAMPNS = 35  # asm-generic; the socket module has no name for it
NEGATIVE_TTL = 60
FORGED = "203.0.113.66"  # what every forged answer carries


def name(text):
    return text if isinstance(text, dns.name.Name) else dns.name.from_text(text)


def lower(text):
    return name(text).canonicalize()


def free_port(*addresses):
    """A port that is free for UDP and TCP on all the addresses, outside of the range the kernel hands out itself."""
    for _ in range(500):
        port = random.randrange(10000, 32000)
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses:
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        probe = stack.enter_context(socket.socket(family, kind))
                        if kind == socket.SOCK_STREAM:
                            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        probe.bind((address, port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port on " + ", ".join(addresses))


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


# ---- what the world holds ----


class World:
    """Zones as resolvers see them. $MARK in a record becomes the mark of the server that answers, so that an answer
    tells whose it is."""

    USUAL = """
        @        A    $MARK
        @        MX   10 mail
        @        TXT  "v=spf1 mx -all"
        mail     A    $MARK
        *        A    $MARK
        *        TXT  "$MARK"
    """

    def __init__(self):
        self.records = {}  # (name, type) -> list of (ttl, text)
        self.names = set()
        self.zones = {}  # name -> TTL of negative answers
        self.add(".", "")
        for top in ("test.", "org.", "uk.", "co.uk.", "arpa.", "in-addr.arpa."):
            self.add(top, "")

    def add(self, zone, text=USUAL, ttl=300, negative=NEGATIVE_TTL):
        """Lines of `owner TYPE rdata`, owner relative to the zone unless it ends with a dot, @ for the apex."""
        apex = lower(zone)
        self.zones[apex] = negative
        self._put(apex, "SOA", ttl, f"ns.invalid. host.invalid. 1 3600 600 86400 {negative}")
        self._put(apex, "NS", ttl, "ns.invalid.")
        for line in text.strip().splitlines():
            owner, kind, rdata = line.split(None, 2)
            self._put(lower(dns.name.from_text(owner, apex)), kind, ttl, rdata.strip(), apex)
        return self

    def _put(self, owner, kind, ttl, text, apex=dns.name.root):
        self.names.add(owner)
        self.records.setdefault((owner, dns.rdatatype.from_text(kind)), []).append((ttl, text, apex))

    def zone_of(self, qname):
        while qname not in self.zones:
            qname = qname.parent()
        return qname

    def soa(self, zone, mark):
        rrset = self._rrset(zone, zone, dns.rdatatype.SOA, mark)
        return dns.rrset.from_rdata_list(rrset.name, min(rrset.ttl, self.zones[zone]), list(rrset))

    def _rrset(self, owner, source, kind, mark):
        rows = self.records[(source, kind)]
        rdatas = [dns.rdata.from_text("IN", kind, text.replace("$MARK", mark), apex, relativize=False)
                  for _, text, apex in rows]
        return dns.rrset.from_rdata_list(owner, rows[0][0], rdatas)

    def _source(self, owner):
        """The name whose records answer for `owner`: itself, a wildcard, or None."""
        if owner in self.names or any(n.is_subdomain(owner) for n in tuple(self.names)):
            return owner
        zone = self.zone_of(owner)
        parent = owner
        while parent != zone:
            parent = parent.parent()
            star = dns.name.Name((b"*",) + parent.labels)
            if star in self.names:
                return star
        return None

    def lookup(self, qname, qtype, mark):
        """-> rcode, answer rrsets, authority rrsets; aliases are followed as a resolver does."""
        answer, owner, shown = [], qname.canonicalize(), qname
        for _ in range(12):
            source = self._source(owner)
            if source is None:
                return dns.rcode.NXDOMAIN, answer, [self.soa(self.zone_of(owner), mark)]
            if (source, qtype) in self.records:
                return dns.rcode.NOERROR, answer + [self._rrset(shown, source, qtype, mark)], []
            if (source, dns.rdatatype.CNAME) not in self.records:
                return dns.rcode.NOERROR, answer, [self.soa(self.zone_of(owner), mark)]
            alias = self._rrset(shown, source, dns.rdatatype.CNAME, mark)
            answer.append(alias)
            shown = alias[0].target
            owner = shown.canonicalize()
        return dns.rcode.SERVFAIL, [], []


# ---- what was asked ----


@dataclass
class Seen:
    """One question as it came in."""

    at: float  # time.monotonic() of its arrival
    transport: str  # udp, tcp
    peer: tuple
    wire: bytes
    id: int = 0
    flags: int = 0
    opcode: int = 0
    qname: dns.name.Name = None  # in the case it came in
    qtype: str = ""
    edns: int = -1  # version; -1: no OPT
    size: int = 0
    do: bool = False
    options: list = field(default_factory=list)  # EDNS option codes
    answered: float = None  # time.monotonic() just before the first reply left

    @property
    def text(self):
        return self.qname.canonicalize().to_text()

    def has(self, flag):
        return bool(self.flags & dns.flags.from_text(flag))

    def below(self, zone):
        return self.qname.canonicalize().is_subdomain(lower(zone))


def is_echo(seen):
    return (seen.qtype == "TXT" and [len(label) for label in seen.qname.labels] == [16, 16, 7, 0]
            and seen.below("example"))


class Asked(Seen):
    """A Seen with the way back, handed to behaviours."""

    server = None
    message = None
    writer = None  # of the TCP connection that it came by
    _send = None

    async def send(self, wire):
        if self.answered is None:
            self.answered = time.monotonic()
        await self._send(wire)

    def reply(self, rcode=dns.rcode.NOERROR, edns=True):
        reply = dns.message.make_response(self.message, recursion_available=True, our_payload=1232)
        reply.question = copy.deepcopy(reply.question)  # or a behaviour that changes it would change what was asked
        reply.set_rcode(rcode)
        if not edns:
            reply.use_edns(False)
        return reply

    def from_world(self):
        reply = self.reply()
        rcode, answer, authority = self.server.world.lookup(self.qname, self.message.question[0].rdtype,
                                                            self.server.mark)
        reply.set_rcode(rcode)
        reply.answer.extend(answer)
        reply.authority.extend(authority)
        return reply

    def wire_of(self, reply):
        """As it goes out over this transport: cut with TC where it does not fit; records in the order they were
        given."""
        if self.transport == "tcp":
            return reply.to_wire(max_size=65535, want_shuffle=False)
        limit = max(512, self.size) if self.edns >= 0 else 512
        try:
            return reply.to_wire(max_size=limit, want_shuffle=False)
        except dns.exception.TooBig:
            return self.truncated()

    def truncated(self):
        reply = self.reply()
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    def forged(self):
        reply = self.reply()
        reply.answer.append(dns.rrset.from_text(self.qname, 300, "IN", "A", FORGED))
        return reply


def read_question(wire, transport, peer, at):
    asked = Asked(at=at, transport=transport, peer=peer, wire=wire)
    try:
        message = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return asked
    asked.message, asked.id, asked.flags, asked.opcode = message, message.id, message.flags, message.opcode()
    if message.question:
        asked.qname = message.question[0].name
        asked.qtype = dns.rdatatype.to_text(message.question[0].rdtype)
    asked.edns = message.edns
    if message.edns >= 0:
        asked.size = message.payload
        asked.do = bool(message.ednsflags & dns.flags.DO)
        asked.options = [int(option.otype) for option in message.options]
    return asked


# ---- what it does ----


class Resolve:
    """Answers from the world."""

    async def play(self, asked):
        await asked.send(asked.wire_of(asked.from_world()))


class Silent:
    async def play(self, asked):
        pass


@dataclass
class Slow:
    seconds: float
    then: object = field(default_factory=Resolve)

    async def play(self, asked):
        await asyncio.sleep(self.seconds)
        await self.then.play(asked)


@dataclass
class Rcode:
    """Fails with `rcode`; with an Extended DNS Error if `ede` is one; without OPT if `edns` is False."""

    rcode: str
    ede: int = None
    edns: bool = True

    async def play(self, asked):
        reply = asked.reply(dns.rcode.from_text(self.rcode), self.edns)
        if self.ede is not None and asked.edns >= 0:
            option = dns.edns.GenericOption(15, struct.pack("!H", self.ede))
            reply.use_edns(0, payload=1232, options=[option])
        await asked.send(reply.to_wire())


def Servfail(ede=None):
    return Rcode("SERVFAIL", ede)


def Refused():
    return Rcode("REFUSED")


@dataclass
class NoEdns:
    """A server of before EDNS: FORMERR without OPT to a question with one, else as usual."""

    then: object = field(default_factory=Resolve)

    async def play(self, asked):
        await (Rcode("FORMERR", edns=False) if asked.edns >= 0 else self.then).play(asked)


class DropEdns:
    """Answers, but its OPT is lost on the way."""

    async def play(self, asked):
        reply = asked.from_world()
        reply.use_edns(False)
        await asked.send(asked.wire_of(reply))


class Truncate:
    """TC over UDP, all of it over TCP."""

    async def play(self, asked):
        await asked.send(asked.truncated() if asked.transport == "udp" else asked.wire_of(asked.from_world()))


@dataclass
class ByTransport:
    udp: object
    tcp: object

    async def play(self, asked):
        await (self.udp if asked.transport == "udp" else self.tcp).play(asked)


def TcpOnly():
    return ByTransport(Silent(), Resolve())


class Reset:
    """Over TCP the connection is reset instead of an answer."""

    async def play(self, asked):
        raise ConnectionResetError


@dataclass
class Nxdomain:
    """NXDOMAIN with the SOA of `zone`; without any for None."""

    zone: str = None

    async def play(self, asked):
        reply = asked.reply(dns.rcode.NXDOMAIN)
        if self.zone is not None:
            reply.authority.append(asked.server.world.soa(lower(self.zone), asked.server.mark))
        await asked.send(reply.to_wire())


@dataclass
class Answer:
    """These records, `owner TTL TYPE rdata` each, whatever was asked."""

    lines: list

    async def play(self, asked):
        reply = asked.reply()
        for line in self.lines:
            owner, ttl, kind, rdata = line.split(None, 3)
            reply.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, rdata))
        await asked.send(asked.wire_of(reply))


class LowerCase:
    """Answers with the question's name in lower case."""

    async def play(self, asked):
        reply = asked.from_world()
        for section in (reply.question, reply.answer):
            for rrset in section:
                rrset.name = rrset.name.canonicalize()
        await asked.send(asked.wire_of(reply))


@dataclass
class Forge:
    """A forged reply first, then `then`. How: id, port, question, query (QR=0), case, garbage, short, empty."""

    how: str
    then: object = field(default_factory=Silent)

    async def play(self, asked):
        reply = asked.forged()
        if self.how == "id":
            reply.id ^= 0x5555
        if self.how == "query":
            reply.flags &= ~dns.flags.QR
        if self.how == "question":
            reply.question[0].name = reply.answer[0].name = dns.name.from_text("other.test")
        wire = reply.to_wire()
        if self.how == "garbage":
            wire = wire[:2] + random.randbytes(60)
        if self.how == "short":
            wire = wire[:7]
        if self.how == "empty":
            wire = b""
        if self.how == "port" and asked.transport == "udp":
            with socket.socket(asked.server.family, socket.SOCK_DGRAM) as other:
                other.bind((asked.server.address, 0))
                other.sendto(wire, asked.peer)
        else:
            await asked.send(wire)
        await self.then.play(asked)


@dataclass
class Sequence:
    """The first question gets the first behaviour, and so on; the last one stays."""

    steps: list

    async def play(self, asked):
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        await step.play(asked)


# ---- the servers ----


class Upstream:
    def __init__(self, stage, world, address, port, mark):
        self.stage, self.world, self.address, self.port, self.mark = stage, world, address, port, mark
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.default = Resolve()
        self.rtt = 0.0  # seconds by which everything it says is late
        self._rules = {}  # lower-case name -> list of (behaviour, types or None, subtree)
        self._seen = []
        self.echoes = []  # questions by which bywayd finds out whether it is asked in turn; in nobody's count
        self._udp = self._tcp = None
        self._connections = set()
        self.start()

    def __str__(self):
        return endpoint(self.address, self.port)

    # -- script --

    def set(self, zone, behaviour, types=None, subtree=True):
        """`behaviour` for the zone and all below it; only for `types`, only for that name, if said."""
        key = lower(zone)
        rows = [row for row in self._rules.get(key, []) if (row[1], row[2]) != (types, subtree)]
        self._rules[key] = [(behaviour, types, subtree)] + rows

    def set_name(self, owner, behaviour, types=None):
        self.set(owner, behaviour, types, subtree=False)

    def clear(self, zone=None):
        """As if never set, for that name; for all names and the default without one."""
        if zone is None:
            self._rules, self.default = {}, Resolve()
        else:
            self._rules.pop(lower(zone), None)

    def behaviour(self, asked):
        owner = at = asked.qname.canonicalize()
        while True:
            for behaviour, types, subtree in self._rules.get(at, []):
                if (subtree or at == owner) and (types is None or asked.qtype in types):
                    return behaviour
            if at == dns.name.root:
                return self.default
            at = at.parent()

    # -- record --

    def seen(self, zone=None, qtype=None, transport=None, since=0.0):
        """What it was asked, oldest first: at or below `zone`, after `since`."""
        return [s for s in list(self._seen)
                if s.at >= since and (zone is None or (s.qname is not None and s.below(zone)))
                and (qtype is None or s.qtype == qtype) and (transport is None or s.transport == transport)]

    def count(self, zone=None, **filters):
        return len(self.seen(zone, **filters))

    def open_connections(self):
        """Peers, as in Seen."""
        return {writer.get_extra_info("peername") for writer in list(self._connections)}

    def forget(self):
        self._seen = []

    # -- life --

    def start(self, tcp=True):
        self.stage.run(self._start(tcp))

    def stop(self):
        """Sockets closed: the kernel says unreachable or refuses."""
        self.stage.run(self._stop())

    def stop_tcp(self):
        self.stage.run(self._stop_tcp())

    async def _start(self, tcp):
        self._udp = socket.socket(self.family, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._udp.setblocking(False)
        self._udp.bind((self.address, self.port))
        asyncio.get_running_loop().add_reader(self._udp, self._readable)
        if tcp:
            self._tcp = await asyncio.start_server(self._connection, self.address, self.port)

    async def _stop(self):
        if self._udp:
            asyncio.get_running_loop().remove_reader(self._udp)
            self._udp.close()
            self._udp = None
        await self._stop_tcp()

    async def _stop_tcp(self):
        if self._tcp:
            self._tcp.close()
            self._tcp = None
        for writer in list(self._connections):
            writer.transport.abort()

    def _readable(self):
        for _ in range(64):
            try:
                wire, ancillary, _, peer = self._udp.recvmsg(65535, 64)
            except (BlockingIOError, AttributeError):
                return
            at = time.monotonic()
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", data[:16])
                    at -= max(0.0, time.time() - seconds - nanoseconds / 1e9)
            asked = read_question(wire, "udp", peer, at)
            udp = self._udp

            async def send(reply, udp=udp, peer=peer):
                if udp.fileno() >= 0:
                    udp.sendto(reply, peer)

            asked._send = send
            self._handle(asked)

    async def _connection(self, reader, writer):
        self._connections.add(writer)
        peer = writer.get_extra_info("peername")
        lock = asyncio.Lock()
        tasks = set()

        async def send(reply):
            async with lock:
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()

        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                asked = read_question(await reader.readexactly(length), "tcp", peer, time.monotonic())
                asked._send, asked.writer = send, writer
                task = self._handle(asked)
                if task:
                    tasks.add(task)
                    task.add_done_callback(lambda done: self._settled(done, tasks, writer))
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            self._connections.discard(writer)
            writer.close()

    @staticmethod
    def _settled(task, tasks, writer):
        tasks.discard(task)
        if not task.cancelled() and isinstance(task.exception(), ConnectionResetError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _handle(self, asked):
        asked.server = self
        (self.echoes if is_echo(asked) else self._seen).append(asked)
        if asked.message is None or asked.qname is None:
            return None
        return self.stage.loop.create_task(self._play(asked))

    async def _play(self, asked):
        if self.rtt:
            await asyncio.sleep(self.rtt)
        try:
            await self.behaviour(asked).play(asked)
        except (OSError, asyncio.CancelledError):  # a reset that was asked for, or a peer that has gone
            raise
        except Exception:
            self.stage.errors.append(traceback.format_exc())


class Stage:
    """The thread on which upstreams play."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self._on_exception)
        self.errors = []
        self._upstreams = []
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def _on_exception(self, _loop, context):
        error = context.get("exception")
        if not isinstance(error, (OSError, asyncio.CancelledError)):
            self.errors.append(str(context))

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def upstream(self, world, address="127.0.0.1", mark="192.0.2.1", port=None, kind=Upstream, **more):
        upstream = kind(self, world, address, port or free_port(address), mark, **more)
        self._upstreams.append(upstream)
        return upstream

    def close(self):
        for upstream in self._upstreams:
            upstream.stop()
        self.run(self._drain())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _drain(self):
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
