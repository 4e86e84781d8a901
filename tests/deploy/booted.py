"""Boots the systemd of a tree of Debian as a container's, with processes, mounts, network and control groups of its own,
runs a script there, and powers it off. Nothing of it is left when boot() returns. What stays up longer is nodes.py's."""

import contextlib
import os
import pathlib
import subprocess

from daemon import wait_for

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# The two ways in which systemd knows the kernel's control groups: a hierarchy for it, with that of version 2 beside it, or
# that of version 2 alone. In each that it would find it gets a group of its own, which it takes for all there is.
NAMED, BESIDE, ALONE = CGROUPS / "systemd", CGROUPS / "unified", CGROUPS / "cgroup.procs"
START = r"""
    set -e
    root=$1 how=$2 unit=$3 network=$4
    shift 4
    for group; do echo $$ >"$group/cgroup.procs"; done
    exec unshare --mount --pid $network --uts --ipc --cgroup --fork --kill-child sh -ec '
        root=$1 how=$2 unit=$3
        mount --bind "$root" "$root"
        cd "$root"
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        for where in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $where; done
        chmod 1777 tmp
        for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 dev/${node%:*} c 1 ${node#*:}; done
        mknod -m 666 dev/tty c 5 0
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
        ln -s pts/ptmx dev/ptmx
        if [ $how = named ]; then
            mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
            mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
            mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
            mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
        else
            mount -t cgroup2 cgroup2 sys/fs/cgroup
        fi
        pivot_root . mnt
        exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . \
            sh -c "umount -l /mnt && exec /lib/systemd/systemd --unit=$unit"
    ' sh "$root" "$how" "$unit"
"""
STAGE = "stage"  # where in the tree the script and its end are
UNIT = f"""[Unit]
Requires=basic.target
After=basic.target
[Service]
ExecStart=/bin/sh -c 'PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /{STAGE}/script >>/{STAGE}/said 2>&1; echo $? >/{STAGE}/ended; /bin/systemctl --force --force poweroff'
"""


def possible():
    return ALONE.exists() or (NAMED.is_dir() and BESIDE.is_dir())


def remove(group):
    """Whether it is gone, with all below it: a moment after its last process."""
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def groups(name):
    """What START has after the unit, until all that runs in it has ended."""
    how, hierarchies = ("alone", [CGROUPS]) if ALONE.exists() else ("named", [NAMED, BESIDE])
    made = [hierarchy / f"byway-{name}-{os.getpid()}" for hierarchy in hierarchies]
    for group in made:
        group.mkdir()
    try:
        yield how, made
    finally:
        for group in made:
            wait_for(lambda group=group: remove(group), 10, "the control groups are empty")


def start(root, unit, how, made, network=True):
    """The command that boots it, to `unit`, in a network of its own or in that of the command."""
    return ["sh", "-c", START, "sh", str(root), how, unit, "--net" if network else "", *map(str, made)]


def boot(root, script, seconds):
    """(how the script ended, what it said); None as its end if it did not."""
    stage = root / STAGE
    stage.mkdir(exist_ok=True)
    (stage / "script").write_text(script)
    (root / "etc/systemd/system/script.service").write_text(UNIT)
    ended = stage / "ended"
    ended.unlink(missing_ok=True)
    said = stage / "said"
    said.write_text("")
    with groups("boot") as (how, made), open(said, "ab") as log, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(start(root, "script.service", how, made), check=False, timeout=seconds, stdin=subprocess.DEVNULL, stdout=log,
                       stderr=log)
    return int(ended.read_text()) if ended.exists() else None, said.read_text()
