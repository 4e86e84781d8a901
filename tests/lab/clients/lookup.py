"""One lookup by dnspython, which reads /etc/resolv.conf, with the library's own times.

usage: lookup.py TYPE NAME
Says what lookup.c says."""

import sys
import time

import dns.exception
import dns.resolver

rdtype, name = sys.argv[1:]
began = time.monotonic()
try:
    word = f"found {len(dns.resolver.resolve(name + '.', rdtype).response.to_wire())}"
except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
    word = "absent"
except (dns.exception.Timeout, dns.resolver.NoNameservers) as failure:
    word = f"temporary {type(failure).__name__}"
print(f"{time.monotonic() - began:.3f} {word}")
