#!/usr/bin/python3
"""Sends many mails to an SMTP server over some connections, so many a second, each once more if it is deferred.

usage: load.py --at ADDRESS,... --rate N --retry SECONDS SERVER FROM TO COUNT
In FROM and TO {n} stands for the number of the mail. Of each connection's mails, ten, MAIL and RCPT are sent at once.
Prints as JSON how many were accepted, and lists the number and the reply of those that were deferred, deferred twice, and
refused.
"""

import argparse
import asyncio
import json
import sys

CONNECTIONS = 16
MAILS = 10  # of a connection
HELO = "n{n}.any.hush.example"
TEXT = b"Subject: hello\r\n\r\nHello.\r\n.\r\n"


class Load:
    def __init__(self, options):
        self.options = options
        self.accepted, self.deferred, self.twice, self.refused = 0, [], [], []
        self.mails = asyncio.Queue()

    async def feed(self):
        loop = asyncio.get_running_loop()
        began = loop.time()
        for n in range(self.options.count):
            await asyncio.sleep(began + n / self.options.rate - loop.time())
            self.mails.put_nowait((n, False))

    async def connect(self, number):
        addresses = self.options.at.split(",")
        return await asyncio.open_connection(self.options.server, 25, local_addr=(addresses[number % len(addresses)], 0))

    async def send(self):
        """For ever: a connection, some mails, the next connection."""
        while True:
            mail = await self.mails.get()
            try:
                reader, writer = await self.connect(mail[0])
                await reply(reader)
                writer.write(f"EHLO {HELO.format(n=mail[0])}\r\n".encode())
                await reply(reader)
                for left in reversed(range(MAILS)):
                    self.judge(*mail, await self.talk(mail[0], reader, writer))
                    if left == 0 or self.mails.empty():
                        break
                    mail = self.mails.get_nowait()
                writer.close()
            except (OSError, EOFError) as error:
                self.judge(*mail, f"421 {error}")

    async def talk(self, n, reader, writer):
        writer.write(f"MAIL FROM:<{self.options.sender.format(n=n)}>\r\nRCPT TO:<{self.options.recipient.format(n=n)}>\r\n".encode())
        mail, rcpt = await reply(reader), await reply(reader)
        if not mail.startswith("2") or not rcpt.startswith("2"):
            writer.write(b"RSET\r\n")
            await reply(reader)
            return rcpt if mail.startswith("2") else mail
        writer.write(b"DATA\r\n")
        data = await reply(reader)
        if not data.startswith("3"):
            return data
        writer.write(TEXT)
        return await reply(reader)

    def judge(self, n, again, said):
        if said.startswith("2"):
            self.accepted += 1
        elif said.startswith("4"):
            (self.twice if again else self.deferred).append((n, said))
            if not again:
                asyncio.get_running_loop().call_later(self.options.retry, self.mails.put_nowait, (n, True))
        else:
            self.refused.append((n, said))

    async def run(self):
        tasks = [asyncio.create_task(self.send()) for _ in range(CONNECTIONS)]
        feeding = asyncio.create_task(self.feed())
        while self.accepted + len(self.twice) + len(self.refused) < self.options.count:
            for task in tasks:
                if task.done():
                    task.result()  # raises what ended it
            await asyncio.sleep(0.1)
        await feeding
        for task in tasks:
            task.cancel()


async def reply(reader):
    """The last line of a reply."""
    while True:
        line = (await reader.readline()).decode("ascii", "replace").rstrip()
        if not line:
            raise EOFError("the server has closed the connection")
        if line[3:4] != "-":
            return line


def main():
    parser = argparse.ArgumentParser(description="send many mails")
    parser.add_argument("--at", required=True)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--retry", type=float, default=5)
    parser.add_argument("server")
    parser.add_argument("sender")
    parser.add_argument("recipient")
    parser.add_argument("count", type=int)
    load = Load(parser.parse_args())
    asyncio.run(load.run())
    print(json.dumps({"accepted": load.accepted, "deferred": load.deferred, "twice": load.twice, "refused": load.refused}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
