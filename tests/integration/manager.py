"""Stands in for the service manager: keeps the descriptors that bywayd gives it (sd_notify(3), FDSTORE) and passes them
to the next one that it starts (sd_listen_fds(3))."""

import contextlib
import fcntl
import os
import socket
import subprocess
import threading

from daemon import Daemon, environment

# The descriptors have to be 3, 4, ... and LISTEN_PID the number of the process that gets them.
PASS = 'n=3; for fd in $PASSED; do eval "exec $n<&$fd $fd<&-"; n=$((n + 1)); done; unset PASSED; LISTEN_PID=$$ exec "$@"'
HIGH = 500  # where the copies that are passed lie meanwhile


class Managed(Daemon):
    """A bywayd whose sockets outlive it. `forgets`: the manager takes no notice of FDSTOREREMOVE."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.stored = {}  # name -> descriptors
        self.forgets = False
        self._lock = threading.Lock()

    def spawn(self, *arguments):
        path = self._begin_listening()
        with self._lock:
            pairs = [(name, fd) for name, fds in self.stored.items() for fd in fds]
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH) for _, fd in pairs]
        passing = {"LISTEN_FDS": str(len(pairs)), "LISTEN_FDNAMES": ":".join(name for name, _ in pairs),
                   "PASSED": " ".join(map(str, copies))} if pairs else {}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["bash", "-c", PASS, "bash", *self.program, "-c", str(self.path), *arguments],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=copies,
                                            env=environment(NOTIFY_SOCKET=str(path), **passing, **self.extra))
        for fd in copies:
            os.close(fd)
        return self.process

    def _listen(self, notify, notices):
        while True:
            data, fds, _, _ = socket.recv_fds(notify, 4096, 64)
            if not data:
                break
            lines = data.decode().split("\n")
            name = next((line[len("FDNAME="):] for line in lines if line.startswith("FDNAME=")), "stored")
            with self._lock:
                if "FDSTORE=1" in lines:
                    fds = [fd for fd in fds if not self._keep(name, fd)]
                if "FDSTOREREMOVE=1" in lines and not self.forgets:
                    fds += self.stored.pop(name, [])
            for fd in fds:  # those of BARRIER=1 too: the sender waits for that
                os.close(fd)
            notices.append(data.decode())
        notify.close()

    def _keep(self, name, fd):
        """A second one of the same socket is not kept."""
        if any(os.fstat(other).st_ino == os.fstat(fd).st_ino for others in self.stored.values() for other in others):
            return False
        self.stored.setdefault(name, []).append(fd)
        return True

    def close(self):
        try:
            super().close()
        finally:
            with self._lock:
                for fds in self.stored.values():
                    for fd in fds:
                        with contextlib.suppress(OSError):
                            os.close(fd)
                self.stored = {}
