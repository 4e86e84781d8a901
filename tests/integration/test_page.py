"""The status page: what it says is so; names in it are nobody's markup; a browser finds nothing wrong with it; however
many zones there are, and whoever asks for it how, nothing else waits."""

import base64
import concurrent.futures
import contextlib
import hashlib
import html
import html.parser
import json
import random
import re
import socket
import time

import pytest

from client import parse_endpoint
from conftest import GOOD, learn, warm
from daemon import wait_for
from upstream import Servfail, Silent, endpoint, free_port
from web import Browser, request, send

SHOWN = 200
MANY = 3000


@pytest.fixture
def where():
    return endpoint("127.0.0.1", free_port("127.0.0.1"))


@pytest.fixture
def daemon(forwarder, where):
    return forwarder({"metrics.listen": where})


class Page(html.parser.HTMLParser):
    """What is in the page: its text, its elements with their attributes, the rows of each table with cards."""

    def __init__(self, text):
        super().__init__()
        self.text, self.elements, self.tables, self._open = "", [], [], []
        self.source = text
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "path", "rect"):
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if "td" in self._open or ("th" in self._open and "small" not in self._open):  # that is a note
            self.tables[-1][-1][-1] += data

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def zones(self):
        """{name: cells}; the last table has them, if there are any."""
        return {row[0].strip(): row[1:] for row in self.tables[-1][1:]} if len(self.tables) == 3 else {}


def load(where, path="/"):
    status, headers, text = request(where, path)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(text)


def import_zones(daemon, directory, count):
    path = directory / "zones.json"
    path.write_text(json.dumps({"version": 1, "zones": [{"zone": f"blocked{n}.example{n % 97}.test.", "state": "blocked"}
                                                        for n in range(count)]}))
    assert daemon.control("zones", "import", str(path))["imported"] == count


# ---- what it says ----

def test_all_is_well(daemon, domestic, external, where):
    warm(daemon)
    page = load(where)
    assert "All is well: every upstream answers, and no zone is blocked." in page.text
    assert "No zone is blocked, broken or pinned." in page.text and page.zones() == {}
    upstreams = {row[0]: row[1:] for row in page.tables[0][1:]}
    assert upstreams[str(domestic)][0] == "domestic" and upstreams[str(external)][0] == "external"
    assert "up" in upstreams[str(domestic)][1] and upstreams[str(domestic)][2].endswith(" ms")


def test_a_blocked_zone_is_shown_and_found(daemon, domestic, where, fresh):
    learn(daemon, domestic, zone := fresh("shut"), Servfail())
    page = load(where)
    state, reason, since, recheck, _ = page.zones()[f"{zone}."]
    assert "blocked" in state and reason == "servfail" and since[:3] in ("now", "0 s", "1 s", "2 s")
    assert recheck in ("in 8 min", "in 9 min", "in 10 min", "in 11 min")
    assert "All is well: every upstream answers, and 1 blocked zone goes to external." in page.text
    for typed in (zone, f"{zone}.", f"a.b.{zone}", zone.split(".")[1], f"%20{zone.upper()}+"):
        assert list(load(where, f"/?under={typed}").zones()) == [f"{zone}."], typed
    page = load(where, "/?under=another.test")
    assert page.zones() == {} and "Nothing was learned of it" in page.text
    assert [box["value"] for box in page.of("input")] == ["another.test"]


def test_a_pin_and_a_broken_zone(daemon, domestic, external, where, fresh):
    daemon.control("zones", "pin", pinned := fresh("open"), "external", "--for", "1h", "--note", "ask <Anna> & Bob")
    warm(daemon)
    zone = fresh("broken")
    domestic.set(zone, Servfail())
    external.set(zone, Servfail())
    for n in range(3):
        daemon.ask(f"a{n}.{zone}")
    zones = wait_for(lambda: f"{zone}." in (found := load(where).zones()) and found, 10, "it is broken")
    assert "broken" in zones[f"{zone}."][0] and "pinned to external, ends in 59 min" in zones[f"{pinned}."][0]
    assert "ask <Anna> & Bob" in load(where).text


def test_what_is_wrong_is_said_first(daemon, domestic, where):
    warm(daemon)
    daemon.set({"fallback.patience": "soon"})
    assert daemon.ctl("reload").returncode == 1
    assert "Worth a look: The configuration has an error" in load(where).text
    domestic.set(".", Silent())
    for n in range(6):
        daemon.ask(f"a{n}.{GOOD[0]}")
    wait_for(lambda: "Something is wrong: domestic is down: none of its upstreams answers" in load(where).text, 15, "it says so")
    assert "The configuration has an error" in load(where).text and "All is well" not in load(where).text


def test_the_day_has_what_was_answered(daemon, domestic, external, where, fresh):
    warm(daemon)
    before = load(where).tables[1][1]
    zone, shut = fresh("open"), fresh("shut")
    domestic.set(shut, Servfail())
    external.set(shut, Servfail())
    for _ in range(7):
        daemon.ask(f"a.{zone}")
    daemon.ask(f"a.{shut}")
    after = load(where).tables[1][1]
    assert after[0] == "the last"
    moved = [int(new) - int(old) for new, old in zip(after[1:6], before[1:6])]
    assert moved == [6, 1, 0, 0, 1]  # here, domestic, external, stale, SERVFAIL


def test_a_reload_does_not_count_anew(daemon, domestic, second, where):
    """An upstream that goes and comes back brings no old counts with it."""
    for n in range(30):
        daemon.ask(f"before{n}.{GOOD[1]}")
    for upstreams in ([str(second)], [str(domestic)]):
        daemon.set({"upstreams.domestic": upstreams})
        daemon.control("reload")
        warm(daemon)
    assert sum(map(int, load(where).tables[1][1][1:6])) == daemon.control("stats")["queries"]


# ---- what it is made of ----

def test_headers_forbid_what_it_does_not_need(daemon, where):
    _, headers, text = request(where, "/")
    digest = base64.b64encode(hashlib.sha256(re.search("<style>(.*)</style>", text, re.S)[1].encode()).digest()).decode()
    assert headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert request(where, "/metrics")[1]["Content-Security-Policy"] is None


def test_who_hears_it_is_told_as_much(daemon, domestic, where, fresh):
    learn(daemon, domestic, fresh("shut"), Servfail())
    page = load(where)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "aria-describedby", "for"):
        for reference in " ".join(attributes.get(name, "") for _, attributes in page.elements).split():
            assert reference in ids, reference
    assert page.of("html") == [{"lang": "en"}] and len(page.of("h1")) == 1 and len(page.of("main")) == 1
    assert all(cell.get("scope") in ("col", "row") for cell in page.of("th"))
    assert [label["for"] for label in page.of("label")] == [box["id"] for box in page.of("input")]
    for drawing in page.of("svg"):
        assert drawing.get("aria-hidden") == "true" or (drawing["role"] == "img" and drawing["aria-labelledby"])
    assert page.of("script") == [] and not any(key.startswith("on") or key == "style" for _, attributes in page.elements
                                               for key in attributes)
    targets = [attributes[key] for _, attributes in page.elements for key in ("href", "src", "action") if key in attributes]
    assert {target for target in targets if not target.startswith("/")} == {"data:,"}


def test_names_are_no_markup(daemon, where):
    names = [r"\<script\>alert\(1\)\</script\>.test", r"\"\>\<b\>.test", r"a\000\255\010\&amp\;.test", r"\<!--.test"]
    for name in names:
        daemon.control("zones", "pin", name, "external", "--note", "</small><script>alert(2)</script>")
    for path in ("/", "/?under=test", "/?under=%22%3E%3Cscript%3Ealert(3)%3C/script%3E", "/?under=%00%ff%0d%0aX:%20y", "/?under=%E2%80%AE",
                 "/?under=" + "%3C" * 3000, "/?x=%3Cscript%3E&under=%3Cscript%3E", "/?under", "/?under=&under=%3C"):
        page = load(where, path)
        assert page.of("script") == [] and page.of("b") == [], path
    assert len(load(where).zones()) == len(names)
    shown = load(where).source
    assert "&lt;/small&gt;&lt;script&gt;alert(2)" in shown and "<!--" not in shown


# ---- a browser ----

def test_a_browser_finds_nothing_wrong(daemon, domestic, where, fresh, tmp_path):
    browser = Browser()
    learn(daemon, domestic, zone := fresh("shut"), Servfail())
    document = browser.document(f"http://{where}/?under={zone}")
    assert f"{zone}.</th>" in document and "All is well" in document
    light = browser.picture(f"http://{where}/", tmp_path / "light.png")
    dark = browser.picture(f"http://{where}/", tmp_path / "dark.png", dark=True)
    assert light.first == (0xff, 0xff, 0xff) and dark.first == (0x16, 0x18, 0x1b)  # of the style: it was heeded
    assert (light.width, light.height) == (1000, 1200)
    assert browser.complaints == []


def test_a_browser_heeds_the_policy(daemon, where, tmp_path):
    """As a trial of the trial: what is not in the hash is complained of."""
    browser = Browser()
    path = tmp_path / "page.html"
    _, headers, text = request(where, "/")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{headers["Content-Security-Policy"].split(" frame")[0]}">'
    path.write_text(text.replace("<title>", policy + "<title>").replace("</style>", " </style><script>1</script>"))
    browser.document(path.as_uri())
    assert any("style" in line for line in browser.complaints) and any("script" in line for line in browser.complaints)


def test_a_phone_is_wide_enough(daemon, domestic, where, fresh, tmp_path):
    learn(daemon, domestic, fresh("shut"), Servfail())
    daemon.control("zones", "pin", ".".join(["a-label-of-some-length" * 2] * 4), "external", "--note", "w" * 250)
    path = tmp_path / "frames.html"
    shown = html.escape(load(where).source)
    frames = "".join(f'<iframe width="{width}" srcdoc="{shown}"></iframe>' for width in (320, 400, 1200))
    measure = "Array.from(frames).map(frame => frame.document.documentElement.scrollWidth + ' of ' + frame.innerWidth)"
    path.write_text(f"<!DOCTYPE html><title>none</title>{frames}<script>onload = () => document.title = {measure}</script>")
    document = Browser().document(path.as_uri())
    found = re.findall("(\\d+) of (\\d+)", re.search("<title>(.*)</title>", document)[1])
    assert [int(width) for _, width in found] == [320, 400, 1200]
    assert all(int(wanted) <= int(width) for wanted, width in found), found


# ---- many zones ----

def test_many_zones_are_a_page_of_some(daemon, where, tmp_path):
    import_zones(daemon, tmp_path, MANY)
    daemon.control("zones", "pin", "newest.test", "domestic")
    page = load(where)
    assert len(page.zones()) == SHOWN and "newest.test." in page.zones()
    assert f"The {SHOWN} that changed last, of {MANY + 1:,}; a search finds the others." in page.text
    assert len(page.source) < 200_000
    for n in (0, MANY - 1):
        assert list(load(where, f"/?under=blocked{n}.example{n % 97}.test").zones()) == [f"blocked{n}.example{n % 97}.test."]
    below = sum(n % 97 == 5 for n in range(MANY))
    assert len(load(where, "/?under=example5.test").zones()) == below


def test_a_page_is_whole_while_zones_come_and_go(daemon, where, tmp_path):
    import_zones(daemon, tmp_path, MANY)

    def churn():
        for n in range(40):
            daemon.ctl("zones", "pin", f"new{n}.test", "external")
            daemon.ctl("zones", "forget", f"blocked{n}.example{n % 97}.test")
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        work = pool.submit(churn)
        while not work.done():
            for page in pool.map(load, [where] * 4):
                assert len(page.zones()) == SHOWN
    assert daemon.alive()


@pytest.mark.release
def test_a_hundred_thousand_zones_keep_nobody_waiting(forwarder, where, tmp_path):
    """While pages are made one after another, what else the keeper does is done within some ms."""
    daemon = forwarder({"metrics.listen": where, "workers": 1})
    import_zones(daemon, tmp_path, 100_000)
    began, times = time.monotonic(), []
    assert len(load(where).zones()) == SHOWN
    took = time.monotonic() - began
    status = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "status"}).encode() + b"\n"
    with concurrent.futures.ThreadPoolExecutor(3) as pool, socket.socket(socket.AF_UNIX) as control:
        control.connect(daemon.socket)
        pages = [pool.submit(request, where, "/?under=nothing.test") for _ in range(60)]
        while not all(page.done() for page in pages):
            began = time.monotonic()
            control.sendall(status)
            control.recv(65536)
            times.append(time.monotonic() - began)
    times.sort()
    print(f"a page: {1000 * took:.0f} ms; status meanwhile: {1000 * times[len(times) // 2]:.2f} ms, "
          f"99 of 100 within {1000 * times[len(times) * 99 // 100]:.2f} ms, {len(times)} times")
    assert took < 0.5 and len(times) > 50 and times[len(times) * 9 // 10] < 0.005


# ---- bad company ----

def test_methods_and_bodies(daemon, where):
    status, headers, body = request(where, "/", "HEAD")
    assert status == 200 and body == "" and int(headers["Content-Length"]) > 5000
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = request(where, "/", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD"), method
    assert request(where, "/", body=b"x" * 100_000)[0] == 200
    for path in ("//", "/index.html", "/favicon.ico", "/.", "/%2e"):
        assert request(where, path)[0] == 404, path


def test_junk_harms_nothing(daemon, where, fresh, tmp_path):
    import_zones(daemon, tmp_path, MANY)
    chance = random.Random(8)
    wholes = [b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n\r\n", b"GET /?under=" + b"%" * 9000 + b" HTTP/1.0\r\n\r\n",
              b"GET /?" + b"under=a&" * 900 + b" HTTP/1.0\r\n\r\n", b"GET /?under=%zz%4 HTTP/1.0\r\n\r\n",
              b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000,
              b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", 50 * b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]
    wholes += [b"GET /?under=" + chance.randbytes(chance.randrange(1, 300)) + b" HTTP/1.1\r\nHost: a\r\n\r\n" for _ in range(50)]
    for whole in wholes:
        send(where, whole)
    assert daemon.ask(fresh("open")).rcode == "NOERROR"
    assert len(load(where).zones()) == SHOWN


def begin(where, stack, count, path=b"/"):
    """So many clients that have asked and read nothing yet."""
    clients = [stack.enter_context(socket.create_connection(parse_endpoint(where), timeout=10)) for _ in range(count)]
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    return clients


def test_who_asks_and_goes_costs_nothing(daemon, where, fresh, tmp_path):
    import_zones(daemon, tmp_path, MANY)
    before = daemon.descriptors()
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            begin(where, stack, 100)
    assert len(load(where).zones()) == SHOWN and daemon.ask(fresh("open")).rcode == "NOERROR"
    wait_for(lambda: daemon.descriptors() <= before + 2, 15, "all connections are closed")


def test_who_does_not_read_keeps_nobody_out(daemon, where, tmp_path):
    import_zones(daemon, tmp_path, MANY)
    with contextlib.ExitStack() as stack:
        begin(where, stack, 60)
        began = time.monotonic()
        assert len(load(where).zones()) == SHOWN and time.monotonic() - began < 5
        assert daemon.alive()


def test_a_stop_and_a_reload_while_pages_are_made(daemon, where, tmp_path):
    import_zones(daemon, tmp_path, MANY)
    with contextlib.ExitStack() as stack:
        begin(where, stack, 30)
        moved = endpoint("127.0.0.2", free_port("127.0.0.2"))
        daemon.set({"metrics.listen": moved})
        daemon.control("reload")
        assert len(load(moved).zones()) == SHOWN
        begin(moved, stack, 30)
        daemon.stop()
