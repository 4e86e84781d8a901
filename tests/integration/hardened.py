#!/usr/bin/python3
"""hardened.py UNIT PROGRAM [ARGUMENT ...]: runs the program as nobody, with the capabilities, groups and system calls
that the unit leaves to its service (systemd.exec(5)). systemd would answer other calls with an error; here they kill, so
that a test sees each. Ends with 77 where the kernel has no such filters."""

import ctypes
import os
import pathlib
import re
import subprocess
import sys

KILL, ALLOW, ENOSYS = 0x80000000, 0x7FFF0000, 0x00050000 | 38
EQUAL, MASKED = 4, 7  # enum scmp_compare
NAMESPACES = 0x7E020080  # CLONE_NEW*
WRITE, EXECUTE = 2, 4  # PROT_*
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
# What these options take away, as far as it is a call as a whole.
TAKES = {"ProtectClock": "@clock", "ProtectKernelModules": "@module", "ProtectKernelLogs": "syslog", "PrivateDevices": "@raw-io",
         "ProtectHostname": "sethostname setdomainname", "LockPersonality": "personality",
         "RestrictRealtime": "sched_setscheduler", "RestrictNamespaces": "unshare setns"}


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def calls(words):
    """The names of the calls; a @set is what systemd says of it."""
    for word in words.split():
        if word.startswith("@"):
            text = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
            lines = text.stdout.splitlines()[1:]
            yield from calls(" ".join(line for line in lines if not line.strip().startswith("#")))
        else:
            yield word


def conditions(options):
    """call -> the conditions of which one must hold; those of mmap() are of its protection, the third argument."""
    if "MemoryDenyWriteExecute" in options:
        yield "mmap", [Comparison(2, MASKED, WRITE | EXECUTE, bits) for bits in (0, WRITE, EXECUTE)]
        for call in ("mprotect", "pkey_mprotect"):
            yield call, [Comparison(2, MASKED, EXECUTE, 0)]
    if "RestrictNamespaces" in options:
        yield "clone", [Comparison(0, MASKED, NAMESPACES, 0)]
    if "RestrictAddressFamilies" in options:
        yield "socket", [Comparison(0, EQUAL, FAMILIES[name]) for name in options["RestrictAddressFamilies"].split()]


def load(options):
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(KILL))
    taken = {call for key, words in TAKES.items() if options.get(key) == "yes" for call in calls(words)}
    special = dict(conditions(options))
    for call in set(calls(options["SystemCallFilter"])) - taken:
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:  # of another architecture
            continue
        if call == "clone3" and "RestrictNamespaces" in options:
            assert library.seccomp_rule_add_array(context, ENOSYS, number, 0, None) == 0
        for condition in special.get(call, [None]) if call != "clone3" else ():
            compared = 0 if condition is None else 1
            if library.seccomp_rule_add_array(context, ALLOW, number, compared, condition and ctypes.byref(condition)) != 0:
                sys.exit(f"cannot allow {call}")
    if library.seccomp_load(context) != 0:
        sys.exit(77)


def become_nobody(unit):
    """Comes back here, as nobody."""
    capabilities = "-all" + "".join(f",+{name[len('CAP_'):].lower()}" for name in unit["AmbientCapabilities"].split())
    groups = unit.get("SupplementaryGroups", "").split()
    os.execvp("setpriv", ["setpriv", "--reuid=nobody", "--regid=nogroup",
                          f"--groups={','.join(groups)}" if groups else "--clear-groups", "--no-new-privs",
                          f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}", f"--bounding-set={capabilities}",
                          sys.executable, *sys.argv])


if __name__ == "__main__":
    service = dict(re.findall(r"^(\w+)=(.*)$", pathlib.Path(sys.argv[1]).read_text(), re.MULTILINE))
    if os.geteuid() == 0:
        become_nobody(service)
    load(service)
    os.execvp(sys.argv[2], sys.argv[2:])
