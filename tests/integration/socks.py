"""SOCKS5 proxies: a scripted one, and Dante's."""

import asyncio
import contextlib
import socket
import struct

import peers
from daemon import wait_for
from upstream import endpoint, free_port

NO_METHOD, BY_WORD, NONE_FITS = 0, 2, 0xff


class Proxy:
    """RFC 1928 and 1929. `word`: (user, password) that it wants. `refuse`: the code with which it answers CONNECT.
    `ends`: where it closes, "greeting", "word", "connect", or "open" behind so many `bytes` from the upstream."""

    def __init__(self, stage, address, word=None):
        self.stage, self.address, self.port, self.word = stage, address, free_port(address), word
        self.refuse, self.ends, self.bytes = 0, None, 0
        self.mute = False
        self.greetings, self.words, self.targets = [], [], []  # what it was asked, connection by connection
        self._server = stage.run(self._start())
        self._writers = set()

    def __str__(self):
        return f"socks5://{endpoint(self.address, self.port)}"

    async def _start(self):
        return await asyncio.start_server(self._connection, self.address, self.port)

    def stop(self):
        self.stage.run(self._stop())

    async def _stop(self):
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connection(self, reader, writer):
        self._writers.add(writer)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader, writer):
        version, count = await reader.readexactly(2)
        self.greetings.append((version, list(await reader.readexactly(count))))
        if self.mute:
            await asyncio.sleep(60)
        if self.ends == "greeting":
            return
        wanted = BY_WORD if self.word else NO_METHOD
        method = wanted if wanted in self.greetings[-1][1] else NONE_FITS
        writer.write(bytes([5, method]))
        if method == NONE_FITS or (self.word and not await self._login(reader, writer)) or self.ends == "word":
            return
        head = await reader.readexactly(4)
        host = ".".join(map(str, await reader.readexactly(4)))
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        self.targets.append((tuple(head), host, port))
        if self.ends == "connect":
            return
        writer.write(bytes([5, self.refuse, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self.refuse == 0:
            await self._carry(reader, writer, host, port)

    async def _login(self, reader, writer):
        (_, length) = await reader.readexactly(2)
        user = await reader.readexactly(length)
        (length,) = await reader.readexactly(1)
        self.words.append((user.decode(), (await reader.readexactly(length)).decode()))
        good = self.words[-1] == self.word
        writer.write(bytes([1, 0 if good else 1]))
        return good

    async def _carry(self, reader, writer, host, port):
        there, here = await asyncio.open_connection(host, port)
        self._writers.add(here)
        up = asyncio.create_task(self._pump(reader, here))
        try:
            await self._pump(there, writer, self.bytes if self.ends == "open" else None)
        finally:
            up.cancel()
            self._writers.discard(here)
            here.close()

    @staticmethod
    async def _pump(reader, writer, most=None):
        with contextlib.suppress(ConnectionError, OSError):
            while data := await reader.read(65536 if most is None else max(1, min(most, 65536))):
                writer.write(data)
                await writer.drain()
                if most is not None:
                    most -= len(data)
                    if most <= 0:
                        return


class Dante(peers.Peer):
    """Debian's danted, which lets everybody go everywhere. `host` is an interface's own address."""

    def __init__(self, host):
        self.host = host
        super().__init__("danted", host, ["{program}", "-f", "{config}", "-p", "{directory}/pid"], """
logoutput: stderr
internal: {host} port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass {
    from: 0.0.0.0/0 to: 0.0.0.0/0
    command: connect
    log: connect error
}
""")

    def __str__(self):
        return f"socks5://{self.where}"

    def wait(self):
        def listens():
            with contextlib.suppress(OSError):
                socket.create_connection((self.host, self.port), 1).close()
                return True
        wait_for(listens, 10, "danted listens")
        return self
