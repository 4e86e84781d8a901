#!/usr/bin/python3
"""The lookups that qmail makes for a domain, by the C library as qmail makes them: ANY, for an alias, in a buffer of 512
bytes, then MX, then A of each mail host. Debian has no qmail; nothing of it is here.

usage: qmail_lookups.py DOMAIN
Prints a line each: the type, the name, and what came: "soft" (qmail tries again later), "hard" (it gives up), or how many
records are in the answer.
"""

import ctypes
import sys

import dns.message

A, MX, ANY = 1, 15, 255
TRY_AGAIN = 2
SMALL, LARGE = 512, 65536

libc = ctypes.CDLL("libc.so.6", use_errno=True)
libc.__h_errno_location.restype = ctypes.POINTER(ctypes.c_int)


def ask(name, rdtype, size):
    """(word, message or None)"""
    answer = ctypes.create_string_buffer(size)
    length = libc.res_query(name.encode(), 1, rdtype, answer, size)
    if length <= 0:
        return "soft" if libc.__h_errno_location().contents.value == TRY_AGAIN else "hard", None
    message = dns.message.from_wire(answer.raw[:min(length, size)], ignore_trailing=True, raise_on_truncation=False)
    return str(sum(len(rrset) for rrset in message.answer)), message


def main():
    domain = sys.argv[1]
    print("ANY", domain, ask(domain, ANY, SMALL)[0])
    word, message = ask(domain, MX, LARGE)
    print("MX", domain, word)
    hosts = [record.exchange.to_text() for rrset in message.answer for record in rrset if record.rdtype == MX] if message else []
    for host in hosts:
        print("A", host, ask(host, A, LARGE)[0])


if __name__ == "__main__":
    main()
