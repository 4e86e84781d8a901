"""podman with images, containers, volumes and control groups of its own, without a registry, in the network of who calls."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

from booted import CGROUPS, remove
from daemon import wait_for


class Podman:
    def __init__(self, archive, outside):
        """`outside`: a network that is not the containers', since runc lets them set nothing in its own."""
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="byway-podman-", dir="/var/tmp"))
        self._group = f"byway-podman-{os.getpid()}"
        # runc: crun does not start where both versions of control groups are in use.
        self._program = ["nsenter", f"--net={outside}", "podman", "--root", self._directory / "root",
                         "--runroot", self._directory / "run", "--tmpdir", self._directory / "tmp", "--storage-driver", "vfs",
                         "--cgroup-manager", "cgroupfs", "--runtime", "runc"]
        self("load", "-i", archive)

    def ran(self, *words, seconds=60):
        return subprocess.run([*self._program, *words], check=False, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)

    def __call__(self, *words, **options):
        done = self.ran(*words, **options)
        assert done.returncode == 0, f"podman {words}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def start(self, name, *words):
        """With limits that this machine lets it set."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return self("run", "--detach", "--name", name, "--cgroup-parent", f"/{self._group}", f"--ulimit=nofile={files}:{files}",
                    "--ulimit=nproc=1000:1000", "--network", f"ns:/proc/{os.getpid()}/ns/net", *words)

    def inspect(self, name):
        return json.loads(self("inspect", name))[0]

    def process(self, name):
        return self.inspect(name)["State"]["Pid"]

    def remove(self, name):
        self("rm", "--force", "--time", "0", name)

    def close(self):
        try:
            self("rm", "--force", "--all", "--time", "0")
        finally:
            for group in [*CGROUPS.glob(f"*/{self._group}"), *CGROUPS.glob(self._group)]:
                wait_for(lambda group=group: remove(group), 10, "the control groups are empty")
            shutil.rmtree(self._directory)
