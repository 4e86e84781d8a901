"""Scripted servers of DNS over TLS and HTTPS on loopback. How one talks on a connection is its *conduct*, an honest one
(Dot, Doh) or one that does something else at some point; what it answers is a behaviour, as for any Upstream.

TLS stands on memory BIOs here too, so that a conduct has each byte that goes out in its hands.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
import struct
import time
import warnings

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from certificates import NAME
from upstream import Upstream, endpoint, read_question

HANDSHAKE = 0x16  # the first byte of TLS


def server_context(identity, form, old=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.chain, identity.key_file)
    context.set_alpn_protocols(["h2"] if form == "https" else ["dot"])
    if old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1
    return context


class Line:
    """One connection."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = server.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.peer = writer.get_extra_info("peername")
        self.first = None  # byte that came
        self.opened = None  # time.monotonic() of the handshake's end
        self.resumed = False
        self.answers = self.sent = 0  # bytes sent
        self.frozen = False  # neither reads nor answers
        self.lock = asyncio.Lock()  # for a conduct that sends in pieces
        self._arriving = asyncio.Queue()
        self._pump = asyncio.get_running_loop().create_task(self._take())

    async def _take(self):
        """What comes is there `server.lag` later, as over a long line."""
        data = b"\0"
        while data:
            with contextlib.suppress(ConnectionError, OSError):
                data = await self.reader.read(65536)
                if self.first is None and data:
                    self.first = data[0]
                    self.server.firsts.append(data[0])
                self._arriving.put_nowait((time.monotonic() + self.server.lag, data))
                continue
            self._arriving.put_nowait((0, b""))
            return

    async def more(self):
        due, data = await self._arriving.get()
        await asyncio.sleep(max(0, due - time.monotonic()))
        while self.frozen:
            await asyncio.sleep(0.05)
        if not data:
            raise ConnectionError("the client has gone")
        self.incoming.write(data)

    async def shake(self):
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self.flush()
                await self.more()
            except ssl.SSLError:
                await self.flush()  # the alert
                raise
        self.opened = time.monotonic()
        self.resumed = self.tls.session_reused
        await self.flush()

    async def read(self):
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                await self.flush()
                await self.more()

    def sealed(self, plain):
        """The records that carry it."""
        self.tls.write(plain)
        return self.outgoing.read()

    async def raw(self, data):
        self.sent += len(data)
        self.writer.write(data)
        await self.writer.drain()

    async def write(self, plain):
        await self.raw(self.sealed(plain))

    async def flush(self):
        data = self.outgoing.read()
        if data:
            await self.raw(data)

    async def bye(self):
        """close_notify, and the connection stays."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        await self.flush()

    def close(self):
        """As it is: no close_notify."""
        self.writer.close()

    def reset(self):
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Dot:
    """DNS over TLS as it should be."""

    async def talk(self, line):
        await self.shake(line)
        buffer = b""
        while True:
            data = await line.read()
            if not data:
                return
            buffer += data
            while len(buffer) >= 2 and len(buffer) >= 2 + struct.unpack("!H", buffer[:2])[0]:
                length = struct.unpack("!H", buffer[:2])[0]
                wire, buffer = buffer[2:2 + length], buffer[2 + length:]
                await self.question(line, wire)

    async def shake(self, line):
        await line.shake()

    async def question(self, line, wire):
        line.server.take(wire, line, functools.partial(self.reply, line))

    async def reply(self, line, wire):
        line.answers += 1
        await line.write(struct.pack("!H", len(wire)) + wire)


class Doh:
    """DNS over HTTPS as it should be."""

    headers = ()  # more of them

    async def talk(self, line):
        await line.shake()
        line.http = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        line.requests = 0
        line.bodies, line.heads = {}, {}
        line.http.initiate_connection()
        await self.flush(line)
        await self.opened(line)
        while True:
            data = await line.read()
            if not data:
                return
            for event in line.http.receive_data(data):
                await self.event(line, event)
            await self.flush(line)

    async def flush(self, line):
        data = line.http.data_to_send()
        if data:
            await line.write(data)

    async def opened(self, line):
        pass

    async def event(self, line, event):
        if isinstance(event, h2.events.RequestReceived):
            line.bodies[event.stream_id] = b""
            line.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            line.bodies[event.stream_id] += event.data
            line.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            line.requests += 1
            line.server.heads.append(line.heads.pop(event.stream_id))
            await self.request(line, event.stream_id, line.bodies.pop(event.stream_id))

    async def request(self, line, stream, wire):
        line.server.take(wire, line, functools.partial(self.reply, line, stream))

    async def reply(self, line, stream, wire):
        line.answers += 1
        await self.respond(line, stream, 200, wire)

    async def respond(self, line, stream, status, body=b"", kind="application/dns-message"):
        line.http.send_headers(stream, [(":status", str(status)), ("content-type", kind),
                                        ("content-length", str(len(body))), *self.headers])
        while True:
            piece = body[:min(line.http.local_flow_control_window(stream), 16384)]
            body = body[len(piece):]
            if piece or not body:
                line.http.send_data(stream, piece, end_stream=not body)
            await self.flush(line)
            if not body:
                return
            await asyncio.sleep(0.01)


class Secure(Upstream):
    """One that speaks TLS alone on its TCP port; whatever comes by UDP is recorded, and answered."""

    def __init__(self, stage, world, address, port, mark, certificates, form="tls", kind="good"):
        self.form, self.certificates = form, certificates
        self.lag = 0.0  # s by which what it is sent is late
        self.firsts = []  # byte of each connection
        self.heads = []  # of each HTTP request
        self.lines = []  # all connections so far
        self.conduct = Dot() if form == "tls" else Doh()
        self.show(kind)
        super().__init__(stage, world, address, port, mark)

    def show(self, kind, **options):
        self.context = server_context(self.certificates[kind], self.form, **options)

    def __str__(self):
        return f"{self.form}://{endpoint(self.address, self.port)}{'/dns-query' if self.form == 'https' else ''}#{NAME}"

    def upstream(self, **more):
        """As the configuration has it."""
        return {"address": str(self), "ca": str(self.certificates.ca), **more}

    def open_lines(self):
        return [line for line in list(self.lines) if line.writer in self._connections]

    def freeze(self):
        """What is open is dead from now on, without an end."""
        for line in self.open_lines():
            line.frozen = True

    def hang_up(self, reset=False):
        """Ends what is open."""
        for line in self.open_lines():
            self.stage.loop.call_soon_threadsafe(line.reset if reset else line.close)

    def take(self, wire, line, send):
        asked = read_question(wire, "tcp", line.peer, time.monotonic())

        async def answer(reply):
            if not line.frozen:
                with contextlib.suppress(h2.exceptions.ProtocolError):  # the client has given the stream up
                    await send(reply)

        asked._send, asked.line = answer, line
        self._handle(asked)

    async def _connection(self, reader, writer):
        self._connections.add(writer)
        line = Line(self, reader, writer)
        self.lines.append(line)
        try:
            await self.conduct.talk(line)
        except (ConnectionError, OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(writer)
            line._pump.cancel()
            writer.close()
