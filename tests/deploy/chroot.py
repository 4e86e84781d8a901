"""A Debian of its own, made by mmdebstrap from where this machine's apt has it, and what is done in it. What is asked of
systemd there is written down by stand-ins."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from daemon import ROOT

STAGE = "/stage"  # what is the test's own in the chroot
TOOLS = ["systemd", "man-db", "python3-dnspython"]
# A network and processes of its own, so that nothing outlives a command, mounts included.
ENTER = 'ip link set lo up && mount -t proc proc "$0/proc" && exec '
ALONE = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c"]
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What needs no running systemd is the real one's: which units are enabled.
STAND_IN = '#!/bin/sh\ncase $1 in --root=*) exec "/bin/${0##*/}" "$@" ;; esac\necho "${0##*/} $*" >>/stage/asked\n'
SERVE = """
    install -d -o byway -g byway /run/byway /var/lib/byway
    setpriv --reuid=byway --regid=byway --clear-groups bywayd -c /etc/byway/byway.json 2>/stage/log &
    for try in $(seq 100); do bywayctl status >/dev/null 2>&1 && break; sleep 0.1; done
    "$@"; result=$?
    kill $!
    wait $! && rm -r /run/byway && exit $result
    cat /stage/log >&2; exit 99
"""


def run(*argv, **options):
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=400, **{"stdin": subprocess.DEVNULL, **options})
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


class Chroot:
    def __init__(self, root):
        self.root = root

    def path(self, name):
        return self.root / name.lstrip("/")

    def run(self, *argv):
        return run(*ALONE, ENTER + 'chroot "$0" "$@"', str(self.root), *argv,
                   env={"PATH": PATHS, "HOME": STAGE, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})

    def rpm(self, *words):
        """What this machine's rpm says when it does that to the tree; it finds none of what Debian's packages bring there."""
        return run(*ALONE, ENTER + 'rpm --root "$0" "$@" 2>&1', str(self.root), "--dbpath", f"{STAGE}/rpm",
                   "--define", f"_install_script_path {PATHS}", "--nodeps", *words)

    def serve(self, *argv):
        """What `argv` says while bywayd serves there, as the unit would have it."""
        return self.run("sh", "-c", SERVE, "sh", *argv)

    def install(self, package):
        shutil.copy(package, self.path("/stage/byway.deb"))
        return self.run("sh", "-c", "dpkg -i /stage/byway.deb 2>&1")

    def asked(self):
        """What was asked of systemd since the last call, but to read its units again."""
        asked = self.path("/stage/asked")
        lines = asked.read_text().splitlines() if asked.exists() else []
        asked.unlink(missing_ok=True)
        return [line for line in lines if not line.endswith(" daemon-reload")]

    def files(self):
        """All but what other programs write about packages and users, and what the test itself puts there."""
        elsewhere = ("/proc", "/dev", STAGE, "/run/systemd", "/var/lib/dpkg", "/var/log", "/var/cache", "/etc/passwd", "/etc/group", "/etc/shadow",
                     "/etc/gshadow", "/etc/.pwd.lock")
        found = set()
        for folder, folders, names in os.walk(self.root):
            for name in folders + names:
                path = "/" + str(pathlib.Path(folder, name).relative_to(self.root))
                if not path.startswith(elsewhere):
                    found.add(path)
        return found


@contextlib.contextmanager
def debian(package):
    """With what `package` depends on."""
    depends = run("dpkg-deb", "-f", str(package), "Depends")
    needed = [alternatives.split("|")[0].split("(")[0].strip() for alternatives in depends.split(",")]
    # One that others may enter: not all that runs there is root.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="byway-chroot-", dir="/var/tmp"))
    root = directory / "root"
    try:
        run(str(ROOT / "scripts/lib/tree"), str(root), "--variant=minbase", f"--include={','.join([*TOOLS, *needed])}")
        directory.chmod(0o755)
        for name in ("systemctl", "deb-systemd-invoke"):
            path = root / "usr/local/sbin" / name
            path.write_text(STAND_IN)
            path.chmod(0o755)
        (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        (root / STAGE[1:]).mkdir(mode=0o755)
        yield Chroot(root)
    finally:
        shutil.rmtree(directory)
