"""How clients reach it: addresses, transports, pipelining, malformed packets, who may ask."""

import contextlib
import random
import socket
import struct
import threading
import time

import dns.edns
import pytest

from client import TcpClient, ask, question, read_reply, together, udp_exchange
from conftest import DOMESTIC
from daemon import Daemon, wait_for
from upstream import Servfail, Slow, endpoint

IDLE_AT_MOST = 40  # seconds after which a silent connection must have been closed
MESSAGE = 10  # seconds for a message that has begun
KEEPALIVE = 11


@pytest.fixture(scope="module")
def byway(shared_domestic, shared_external, needs_ipv6):
    daemon = Daemon([shared_domestic], [shared_external], {"workers": 2},
                    addresses=("127.0.0.1", "127.0.0.2", "::1"))
    daemon.start()
    yield daemon
    daemon.close()


@pytest.fixture(scope="module")
def idle_connection(byway):
    """A connection that never says a word, opened before all else, and when."""
    with TcpClient(byway.where) as client:
        yield client, time.monotonic()


@pytest.fixture(scope="module")
def chatty_connection(byway):
    """A connection that says nothing but what gets no answer, and a list: when it was opened, and when it ended."""
    times = [time.monotonic()]
    response = b"\0\x0c" + HEADER.pack(7, 0x8000, 0, 0, 0, 0)

    def chatter(client):
        with contextlib.suppress(OSError):
            while time.monotonic() < times[0] + 2 * IDLE_AT_MOST:
                client.sock.sendall(response + response[:3])  # one more has always begun
                client.sock.sendall(response[3:])
                time.sleep(0.3)
        times.append(time.monotonic())

    with TcpClient(byway.where) as client:
        thread = threading.Thread(target=chatter, args=(client,))
        thread.start()
        yield times
        with contextlib.suppress(OSError):  # it is closed already
            client.sock.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_every_address_and_transport(byway, idle_connection, chatty_connection, fresh):
    zone = fresh("open")
    for where in byway.listen:
        for tcp in (False, True):
            reply = ask(where, f"{'tcp' if tcp else 'udp'}.{zone}", tcp=tcp)
            assert (reply.rcode, reply.addresses) == ("NOERROR", [DOMESTIC]), where
            assert reply.has("RA") and not reply.has("AA")


def test_the_answer_leaves_from_the_address_that_was_asked(forwarder, fresh):
    daemon = forwarder(addresses=("0.0.0.0",))
    for address in ("127.0.0.1", "127.0.0.5"):  # a connected socket hears only the address it asked
        assert ask(endpoint(address, daemon.port), fresh("open")).rcode == "NOERROR"


def test_pipelined_questions_are_all_answered(byway, fresh):
    zone = fresh("open")
    wires = [question(f"n{n}.{zone}", ident=n).to_wire() for n in range(50)]
    with TcpClient(byway.where) as client:
        client.send(*wires)
        idents = {struct.unpack("!H", client.receive()[:2])[0] for _ in wires}
    assert idents == set(range(50))


def test_answers_come_out_of_order(byway, shared_domestic, fresh):
    zone = fresh("open")
    shared_domestic.set_name(f"slow.{zone}", Slow(0.4))
    with TcpClient(byway.where) as client:
        client.send(question(f"slow.{zone}", ident=1).to_wire(), question(f"quick.{zone}", ident=2).to_wire())
        assert [client.receive()[:2] for _ in range(2)] == [b"\0\2", b"\0\1"]


def test_a_frame_may_come_byte_by_byte(byway, fresh):
    wire = question(fresh("open"), ident=7).to_wire()
    with TcpClient(byway.where) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in struct.pack("!H", len(wire)) + wire:
            client.sock.sendall(bytes([byte]))
            time.sleep(0.002)
        assert client.receive()[:2] == b"\0\7"


def test_a_client_may_close_its_writing_side(byway, shared_domestic, fresh):
    zone = fresh("open")
    shared_domestic.set(zone, Slow(0.2))
    with TcpClient(byway.where) as client:
        client.send(question(zone, ident=9).to_wire())
        client.sock.shutdown(socket.SHUT_WR)
        assert client.receive()[:2] == b"\0\x09"


def test_a_client_that_leaves_disturbs_nobody(byway, shared_domestic, fresh):
    zone = fresh("open")
    shared_domestic.set(zone, Slow(0.2))
    for _ in range(5):
        with TcpClient(byway.where) as client:
            client.send(*[question(f"n{n}.{zone}").to_wire() for n in range(20)])
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ask(byway.where, f"after.{zone}", tcp=True).rcode == "NOERROR"


def test_idle_connections_do_not_shut_others_out(byway, fresh):
    zone = fresh("open")
    clients = [TcpClient(byway.where) for _ in range(400)]
    try:
        replies = together([lambda n=n: ask(byway.where, f"n{n}.{zone}", tcp=True) for n in range(5)])
        assert all(reply.rcode == "NOERROR" for reply in replies)
    finally:
        for client in clients:
            client.sock.close()


def test_nonsense_over_tcp_ends_at_worst_the_connection(byway, fresh):
    for frame in (b"\0\0", b"\0\1x", b"\0\x0b" + b"x" * 11, b"\xff\xff" + b"\xff" * 65535):
        with TcpClient(byway.where, timeout=0.3) as client:
            client.sock.sendall(frame)
            try:
                client.receive()
            except TimeoutError:
                pass
    assert ask(byway.where, fresh("open"), tcp=True).rcode == "NOERROR"


HEADER = struct.Struct("!HHHHHH")
QUESTION = b"\4open\4test\0" + struct.pack("!HH", 1, 1)
OPT_VERSION_1 = b"\0" + struct.pack("!HHIH", 41, 1232, 0x00010000, 0)

MALFORMED = [  # what it is, datagram, rcode (12 bits) of the reply, None for silence
    ("eleven bytes", b"\0\1\1\0\0\1\0\0\0\0\0", None),
    ("nothing", b"", None),
    ("a response", HEADER.pack(1, 0x8180, 1, 0, 0, 0) + QUESTION, None),
    ("two questions", HEADER.pack(1, 0x0100, 2, 0, 0, 0) + QUESTION + QUESTION, 1),
    ("a question cut short", HEADER.pack(1, 0x0100, 1, 0, 0, 0) + QUESTION[:-3], 1),
    ("a name that points at itself", HEADER.pack(1, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", 1),
    ("opcode STATUS", HEADER.pack(1, 0x1100, 1, 0, 0, 0) + QUESTION, 4),
    ("opcode UPDATE", HEADER.pack(1, 0x2900, 1, 0, 0, 0) + QUESTION, 4),
    ("a zone transfer", HEADER.pack(1, 0x0100, 1, 0, 0, 0) + QUESTION[:-4] + struct.pack("!HH", 252, 1), 4),
    ("EDNS version 1", HEADER.pack(1, 0x0100, 1, 0, 0, 1) + QUESTION + OPT_VERSION_1, 16),
]


def test_malformed_questions(byway, shared_domestic, shared_external):
    before = shared_domestic.count() + shared_external.count()
    for what, wire, expected in MALFORMED:
        reply = udp_exchange(byway.where, wire, 0.3 if expected is None else 3)
        if expected is None:
            assert reply is None, what
            continue
        assert reply is not None, what
        assert reply[:2] == wire[:2] and reply[2] & 0x80, what
        rcode = read_reply(reply, 0).message.rcode() if expected == 16 else reply[3] & 15
        assert rcode == expected, what
    assert byway.alive()
    assert shared_domestic.count() + shared_external.count() == before, "a malformed question travelled on"


def test_random_bytes_are_survived(byway, fresh):
    rng = random.Random(1)
    seed = question("www.open.test", do=True).to_wire()
    host, port = byway.where.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host, int(port)))
        for _ in range(2000):
            wire = bytearray(seed)
            for _ in range(rng.randrange(1, 6)):
                wire[rng.randrange(len(wire))] = rng.randrange(256)
            sock.send(bytes(wire[:rng.randrange(len(wire) + 1)] if rng.random() < 0.3 else wire))
    wait_for(byway.alive, 5, "an answer after random bytes")
    assert byway.ask(fresh("open")).rcode == "NOERROR"


def test_only_allowed_clients_are_served(forwarder, fresh, domestic, external):
    daemon = forwarder({"allow": ["127.0.0.1/32"]})
    for tcp in (False, True):
        zone = fresh("open")
        reply = ask(daemon.where, zone, tcp=tcp, source="127.0.0.9")
        assert (reply.rcode, reply.message.answer) == ("REFUSED", [])
        assert domestic.count(zone) == external.count(zone) == 0
        assert ask(daemon.where, zone, tcp=tcp, source="127.0.0.1").addresses == [DOMESTIC]
        # what the cache holds is no more theirs than what upstreams say
        assert ask(daemon.where, zone, tcp=tcp, source="127.0.0.9").rcode == "REFUSED"


def kept(reply):
    """Seconds that the answer says its connection is kept for; None: it does not say."""
    told = [option.to_wire() for option in reply.message.options if option.otype == KEEPALIVE]
    assert len(told) <= 1
    return int.from_bytes(told[0], "big") / 10 if told else None


def test_who_asks_is_told_how_long_a_connection_is_kept(byway, shared_domestic, shared_external, fresh):
    zone = fresh("kept")
    for upstream in (shared_domestic, shared_external):
        upstream.set_name(f"bad.{zone}", Servfail())
    asks = [dns.edns.GenericOption(KEEPALIVE, b"")]
    for qname in (f"a.{zone}", f"a.{zone}", f"bad.{zone}", "localhost"):  # the second one from the cache
        assert kept(ask(byway.where, qname, tcp=True, options=asks)) == 30, qname
        assert kept(ask(byway.where, qname, tcp=True)) is None, qname
        assert kept(ask(byway.where, qname, options=asks)) is None, "it means nothing over UDP"
    for nonsense in (b"\1\x2c", b"\0", b"\0\0\0"):  # a client must not say a time
        reply = ask(byway.where, f"a.{zone}", tcp=True, options=[dns.edns.GenericOption(KEEPALIVE, nonsense)])
        assert (reply.rcode, kept(reply)) == ("NOERROR", None)


def test_what_gets_no_answer_keeps_no_connection(chatty_connection):
    wait_for(lambda: len(chatty_connection) == 2, IDLE_AT_MOST + MESSAGE, "closed although it talks", every=0.2)
    assert chatty_connection[1] - chatty_connection[0] < IDLE_AT_MOST + MESSAGE


def test_a_silent_connection_is_closed(idle_connection):
    client, opened = idle_connection
    client.sock.settimeout(max(1.0, IDLE_AT_MOST - (time.monotonic() - opened)))
    assert client.receive() is None, "still open"
