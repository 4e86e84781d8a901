#!/usr/bin/python3
"""Does byway serve on this host? Fails if a check that is not `excused` fails for PATIENCE; with `remember` it only tells what fails."""

import json
import pathlib
import random
import re
import socket
import struct
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: byway_checks
short_description: Sees whether byway serves
description: What bywayctl status says, and lookups of byway itself and of the host's resolv.conf, each by a client's own means.
options:
  asked: {type: str, required: true, description: "Where byway listens, as byway.json has it."}
  lookups: {type: list, elements: str, required: true, description: "Names that must have an address."}
  remember: {type: path, description: "A file of what failed before the deploy, which is made if there is none; nothing is a failure then."}
  excused: {type: list, elements: str, default: [], description: "Checks that may fail."}
author: byway authors
"""
RETURN = """
failing: {type: dict, returned: always, description: "The checks that fail, each with what is wrong."}
"""
EXAMPLES = """
- byway_checks: {asked: "127.0.0.1:53", lookups: [debian.org]}
"""

TIMEOUT = 5  # s; a client has its answer within fallback.deadline, 4.5 s
PATIENCE, PAUSE = 10, 2  # s; how long what was just started may take to become right
RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
STATUS = "bywayctl status"


def called(*argv):
    try:
        return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(argv, 1, "", str(error))


def status_failing():
    """What bywayctl status shows to be wrong."""
    said = called("bywayctl", "--json", "status")
    if said.returncode != 0:
        return {STATUS: said.stderr.strip()}
    status = json.loads(said.stdout)
    failing = {f"upstreams of {group}": f"none of {count['total']} is up"
               for group, count in status["upstreams"].items() if count["up"] == 0}
    if status["store"]["failing"]:
        failing["state"] = "it cannot be written"
    return failing


def socket_address(where):
    """Of one in byway's "listen": 127.0.0.1, 127.0.0.1:53, [::1]:53 or ::1; of all of a machine's, loopback."""
    found = re.fullmatch(r"(?:\[(.+)\]|([0-9.]+))(?::([0-9]+))?", where)
    address, port = (found[1] or found[2], int(found[3] or 53)) if found else (where, 53)
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address), port


def asked_of(where, name):
    """None, or why `where` gives no address for the name: as a client asks, with one question by UDP."""
    address, port = socket_address(where)
    wire = b"".join(struct.pack("B", len(label)) + label for label in name.rstrip(".").encode("ascii").split(b"."))
    query = struct.pack("!6H", random.randrange(65536), 0x0100, 1, 0, 0, 0) + wire + struct.pack("!BHH", 0, 1, 1)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT)
        try:
            client.connect((address, port))
            client.send(query)
            reply = client.recv(4096)
        except OSError as error:
            return str(error)
    if len(reply) < 12 or reply[:2] != query[:2]:
        return "what came is no reply"
    rcode, answers = reply[3] & 15, struct.unpack("!H", reply[6:8])[0]
    if rcode != 0:
        return RCODES.get(rcode, f"rcode {rcode}")
    return None if answers else "no address"


def lookups_failing(where, names):
    failing = {}
    for name in names:
        called("bywayctl", "cache", "flush", name)
        reason = asked_of(where, name)
        if reason:
            failing[f"lookup of {name}"] = reason
        if called("getent", "ahosts", name).returncode != 0:
            failing[f"lookup of {name} by resolv.conf"] = "no address"
    return failing


def all_failing(where, names):
    return {**status_failing(), **lookups_failing(where, names)}


def remembered(path, find):
    """What failed before a deploy: found now, or by one that did not come to its end."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        failing = find()
        path.write_text(json.dumps(failing))
        return failing


def main():
    module = AnsibleModule(argument_spec={
        "asked": {"type": "str", "required": True}, "lookups": {"type": "list", "elements": "str", "required": True},
        "remember": {"type": "path"}, "excused": {"type": "list", "elements": "str", "default": []}})
    until = time.monotonic() + PATIENCE

    def find():
        return all_failing(module.params["asked"], module.params["lookups"])
    if module.params["remember"]:
        module.exit_json(changed=False, failing=remembered(pathlib.Path(module.params["remember"]), find))
    while True:
        failing = find()
        counted = {check: reason for check, reason in failing.items() if check not in module.params["excused"]}
        if not counted:
            module.exit_json(changed=False, failing=failing)
        if time.monotonic() > until:
            module.fail_json(msg="; ".join(f"{check}: {reason}" for check, reason in counted.items()), failing=failing)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
