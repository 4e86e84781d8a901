"""Asks a bywayd over HTTP, as a scraper or a browser does."""

import contextlib
import http.client
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import zlib

from client import parse_endpoint


def request(where, path, method="GET", body=None):
    """Status, headers, body."""
    connection = http.client.HTTPConnection(*parse_endpoint(where), timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, body=body)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()


def send(where, whole):
    """Sends these bytes and no more; reads what comes until the end."""
    with socket.create_connection(parse_endpoint(where), timeout=0.3) as client, contextlib.suppress(OSError):
        client.sendall(whole)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


class Browser:
    """Chromium without a window. `complaints`: what it said of the pages so far."""

    def __init__(self):
        self.complaints = []

    def run(self, url, *arguments, width=1000, height=1200, dark=False):
        profile = tempfile.mkdtemp(prefix="byway-browser-")
        look = ["--blink-settings=preferredColorScheme=0"] if dark else []
        try:
            done = subprocess.run(
                ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                 f"--user-data-dir={profile}", f"--window-size={width},{height}", "--enable-logging=stderr", "--v=0",
                 "--virtual-time-budget=5000", *look, *arguments, url],
                capture_output=True, text=True, timeout=60, check=True)
        finally:
            shutil.rmtree(profile, ignore_errors=True)
        self.complaints += [line for line in done.stderr.splitlines()
                            if "CONSOLE" in line and "source: chrome://" not in line]  # those are about pages of its own
        return done.stdout

    def document(self, url, **options):
        """The document as it is once all is loaded."""
        return self.run(url, "--dump-dom", **options)

    def picture(self, url, path, **options):
        self.run(url, f"--screenshot={path}", **options)
        return Picture(pathlib.Path(path).read_bytes())


class Picture:
    """A PNG: its size, and the colour of its first pixel, which no filter changes."""

    def __init__(self, data):
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        at, packed = 8, b""
        while at < len(data):
            length, kind = struct.unpack_from(">I4s", data, at)
            if kind == b"IHDR":
                self.width, self.height = struct.unpack_from(">II", data, at + 8)
            elif kind == b"IDAT":
                packed += data[at + 8:at + 8 + length]
            at += 12 + length
        self.first = tuple(zlib.decompress(packed)[1:4])
