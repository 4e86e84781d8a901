"""What the tests share: upstreams that answer by a script."""

import socketserver
import sys
import threading
import time

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

DOMESTIC, EXTERNAL = "192.0.2.1", "198.51.100.1"  # an answer's address tells whose it is


def upstream(address, mark, failing):
    """Answers A with `mark`, and SERVFAIL for names that end with `failing`."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            data, sock = self.request
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query, recursion_available=True)
            question = query.question[0]
            if failing and question.name.to_text().endswith(failing):
                reply.set_rcode(dns.rcode.SERVFAIL)
            elif question.rdtype == dns.rdatatype.A:
                reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", mark))
            sock.sendto(reply.to_wire(), self.client_address)

    server = socketserver.ThreadingUDPServer((address, 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"{address}:{server.server_address[1]}"


def wait(what, condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"not within 10 s: {what}")
