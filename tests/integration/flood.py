"""A client that asks for a new name each time, faster than they can be answered; a process of its own, so that it takes
no time from the upstreams of the tests. flood.py HOST PORT SUFFIX RATE SECONDS -> {"sent": N, "rcodes": {"2": N}}"""

import collections
import json
import socket
import struct
import sys
import time

TICK = 0.005  # seconds
LAST = 6  # seconds to wait for answers: longer than any deadline here


def wire_of(number, suffix):
    label = b"f%d" % number
    return (struct.pack("!HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + bytes([len(label)]) + label + suffix +
            struct.pack("!HH", 1, 1))


def drain(sock, rcodes):
    try:
        while True:
            rcodes[sock.recv(512)[3] & 15] += 1
    except BlockingIOError:
        pass


def main(host, port, suffix, rate, seconds):
    suffix = b"".join(bytes([len(label)]) + label.encode() for label in suffix.split(".")) + b"\0"
    rcodes = collections.Counter()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.connect((host, int(port)))
    sock.setblocking(False)
    begun, sent = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < float(seconds):
        while sent < passed * float(rate):
            try:
                sock.send(wire_of(sent, suffix))
            except BlockingIOError:
                break
            sent += 1
        drain(sock, rcodes)
        time.sleep(TICK)
    print(json.dumps({"sent": sent}), flush=True)
    ended = time.monotonic()
    while sum(rcodes.values()) < sent and time.monotonic() - ended < LAST:
        drain(sock, rcodes)
        time.sleep(TICK)
    print(json.dumps({"sent": sent, "rcodes": rcodes}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
