"""A mail server's log of any length, in which some lines tell of DNS trouble, and the texts by which bywayctl finds them."""

import pathlib
import random
import re

TEXTS = pathlib.Path(__file__).resolve().parents[2] / "resolver" / "ctl" / "maillog_texts.def"
PIECES = 64 << 20  # bytes that are made; a longer log has them again and again
TROUBLE = 0.02  # of the lines: a mail server that has half a day's trouble with a few partners, and spammers always

# What a server writes of a mail that comes and goes, by the line.
PLAIN = """\
postfix/postscreen[{p}]: CONNECT from [198.51.100.{b}]:{p} to [192.0.2.25]:25
postfix/smtpd[{p}]: connect from mail{b}.partner{d}.example[198.51.100.{b}]
postfix/smtpd[{p}]: Anonymous TLS connection established from mail{b}.partner{d}.example[198.51.100.{b}]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256
policyd-spf[{p}]: prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=198.51.100.{b}; helo=mail{b}.partner{d}.example; envelope-from=user{p}@partner{d}.example; receiver=us@our.example
postfix/smtpd[{p}]: {q}: client=mail{b}.partner{d}.example[198.51.100.{b}]
postfix/cleanup[{p}]: {q}: message-id=<20261129{p}.{q}@partner{d}.example>
opendkim[{p}]: {q}: DKIM verification successful
postfix/qmgr[811]: {q}: from=<user{p}@partner{d}.example>, size={p}, nrcpt=1 (queue active)
dovecot: lmtp(us)<{p}><{q}>: sieve: msgid=<20261129{p}.{q}@partner{d}.example>: stored mail into mailbox 'INBOX'
postfix/lmtp[{p}]: {q}: to=<us@our.example>, relay=mx1.our.example[private/dovecot-lmtp], delay=0.31, delays=0.28/0.01/0/0.02, dsn=2.0.0, status=sent (250 2.0.0 <us@our.example> {q} Saved)
postfix/qmgr[811]: {q}: removed
postfix/smtpd[{p}]: disconnect from mail{b}.partner{d}.example[198.51.100.{b}] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7
postfix/smtpd[{p}]: NOQUEUE: reject: RCPT from unknown[203.0.113.{b}]: 550 5.1.1 <info{p}@our.example>: Recipient address rejected: User unknown in virtual mailbox table; from=<x{p}@bulk{d}.example> to=<info{p}@our.example> proto=ESMTP helo=<bulk{d}.example>
postfix/smtp[{p}]: {q}: to=<them@partner{d}.example>, relay=mx.partner{d}.example[198.51.100.{b}]:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {q})
""".splitlines()
DNS = """\
postfix/smtpd[{p}]: NOQUEUE: reject: RCPT from unknown[198.51.100.{b}]: 450 4.1.8 <user{p}@partner{d}.example>: Sender address rejected: Domain not found; from=<user{p}@partner{d}.example> to=<us@our.example> proto=ESMTP helo=<mail{b}.partner{d}.example>
postfix/smtpd[{p}]: NOQUEUE: reject: RCPT from unknown[198.51.100.{b}]: 450 4.7.25 Client host rejected: cannot find your hostname, [198.51.100.{b}]; from=<user{p}@partner{d}.example> to=<us@our.example> proto=ESMTP helo=<mail{b}.partner{d}.example>
postfix/smtp[{p}]: {q}: to=<them@partner{d}.example>, relay=none, delay=5, delays=0.1/0/4.9/0, dsn=4.4.3, status=deferred (Host or domain name not found. Name service error for name=partner{d}.example type=MX: Host not found, try again)
postfix/smtpd[{p}]: NOQUEUE: reject: RCPT from unknown[198.51.100.{b}]: 450 4.7.1 <mail{b}.partner{d}.example>: Helo command rejected: Host not found; from=<user{p}@partner{d}.example> to=<us@our.example> proto=ESMTP helo=<mail{b}.partner{d}.example>
""".splitlines()


def texts():
    """The texts of the table, as they stand in a log."""
    table = re.sub(r"/\*.*?\*/", "", TEXTS.read_text(encoding="ascii"), flags=re.S)
    found = []
    for row in re.findall(r"^MAILLOG_TEXT\((.*?)\)$", table, flags=re.M | re.S):
        strings = re.findall(r'"((?:[^"\\]|\\.)*)"(,?)', row)
        mark = next(i for i, (_, comma) in enumerate(strings) if comma)
        found.append("".join(string for string, _ in strings[mark + 1:]).replace('\\"', '"'))
    return sorted(set(found))


def write(path, size):
    """The log, at least `size` bytes, and how many of its lines tell of DNS trouble."""
    chance = random.Random(18)
    lines, length, second, troubles = [], 0, 0, 0
    while length < min(PIECES, size):
        second += 1
        trouble = chance.random() < TROUBLE
        troubles += trouble
        body = chance.choice(DNS if trouble else PLAIN).format(
            p=chance.randrange(1000, 60000), b=chance.randrange(256), d=int(chance.paretovariate(0.5)) % 20000,
            q=f"4{chance.getrandbits(44):011X}")
        lines.append(f"Nov {1 + second // 86400:2} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02} mx1 {body}\n")
        length += len(lines[-1])
    piece, times = "".join(lines).encode("ascii"), -(-size // length)
    with open(path, "wb") as log:
        for _ in range(times):
            log.write(piece)
    return troubles * times
