#!/usr/bin/python3
"""A mail server that sends one mail, and says how it was answered: the last reply, with its code.

usage: send.py [--at ADDRESS] [--helo NAME] SERVER SENDER RECIPIENT
"""

import argparse
import smtplib
import sys


def send(server, sender, recipient, helo, at=None):
    """(code, text) of the first reply that is a refusal, or of what is said to the mail."""
    with smtplib.SMTP(server, 25, helo, timeout=100, source_address=(at, 0) if at else None) as client:
        for step in (client.ehlo, lambda: client.mail(sender), lambda: client.rcpt(recipient),
                     lambda: client.data("Subject: hello\r\n\r\nHello.\r\n")):
            try:
                code, text = step()
            except smtplib.SMTPResponseException as refused:
                code, text = refused.smtp_code, refused.smtp_error
            if code >= 400:
                break
    return code, text.decode("ascii", "replace").replace("\n", " ")


def main():
    parser = argparse.ArgumentParser(description="send one mail, and print the reply")
    parser.add_argument("--at", help="the client's address")
    parser.add_argument("--helo", default="mail.fine.test")
    parser.add_argument("server")
    parser.add_argument("sender")
    parser.add_argument("recipient")
    options = parser.parse_args()
    print(*send(options.server, options.sender, options.recipient, options.helo, options.at))
    return 0


if __name__ == "__main__":
    sys.exit(main())
