"""What can be wrong with a Redis, each made and mended while nodes use it; for test_cluster_faults.py."""

import contextlib
import os
import socket
import threading
import time

from certificates import Certificates
from daemon import wait_for
from redis_server import Redis
from statements import pour
from upstream import free_port

PASSWORD = "hunter 2"


class Delay:
    """Stands between nodes and Redis; each piece of an answer comes `seconds` later."""

    def __init__(self, redis, seconds=0.0):
        self.seconds = seconds
        self.path = redis.directory / "delay.sock"
        self.target = str(redis.path)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.path))
        self.server.listen()
        self.sockets = [self.server]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.server.accept()
                redis = socket.socket(socket.AF_UNIX)
                self.sockets += [client, redis]
                redis.connect(self.target)
                threading.Thread(target=self._carry, args=(client, redis, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(redis, client, True), daemon=True).start()

    def _carry(self, source, target, late):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if late and self.seconds:
                    time.sleep(self.seconds)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        for end in self.sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Fault:
    """A Redis that is well until begin(), and again after end(). `problem`: what a node says in between, None: it stays
    connected; `fleeting`: so shortly that its log is looked at."""
    problem = ""
    fleeting = False
    options = ()

    def __init__(self, directory):
        self.redis = Redis(directory, *self.options)
        self.setup()
        self.redis.start()
        self.ready()

    def setup(self):
        """Before Redis starts."""

    def ready(self):
        """Once it answers, before there are nodes."""

    def begin(self):
        raise NotImplementedError

    def end(self):
        raise NotImplementedError

    def keys(self):
        """More of the nodes' `cluster`."""
        return {}

    def set(self, **options):
        for name, value in options.items():
            self.cli("CONFIG", "SET", name.replace("_", "-"), value)

    def cli(self, *words):
        said = self.redis.cli(*words)
        assert "ERR" not in said, f"{words}: {said}"
        return said

    def drop_clients(self):
        self.redis.cli("CLIENT", "KILL", "TYPE", "normal", bare=True)

    def close(self):
        self.redis.kill()


class Slow(Fault):
    """1 s for each answer."""
    problem = None

    def ready(self):
        self.delay = Delay(self.redis)

    def keys(self):
        return {"redis": f"unix://{self.delay.path}"}

    def begin(self):
        self.delay.seconds = 1.0

    def end(self):
        self.delay.seconds = 0.0

    def close(self):
        self.delay.close()
        super().close()


class Paused(Fault):
    problem = "no reply for 3s"

    def begin(self):
        self.cli("CLIENT", "PAUSE", "14000", "ALL")

    def end(self):
        wait_for(lambda: "PONG" in self.redis.cli("PING", bare=True), 20, "the pause ends")


class Stopped(Fault):
    """A process that stands still: connections open, and nothing comes."""
    problem = "no reply for 3s"

    def begin(self):
        self.stop = self.redis.stopped()
        self.stop.__enter__()  # pylint: disable=unnecessary-dunder-call

    def end(self):
        self.stop.__exit__(None, None, None)


class Down(Fault):
    problem = "no such file or directory"

    def begin(self):
        self.redis.kill()

    def end(self):
        self.redis.start()


class Emptied(Fault):
    problem = "Redis has lost what it had"
    fleeting = True

    def begin(self):
        self.cli("FLUSHALL")

    def end(self):
        pass


class Full(Fault):
    problem = "HSET: Redis says: OOM command not allowed when used memory > 'maxmemory'"

    def begin(self):
        self.set(maxmemory="1mb")

    def end(self):
        self.set(maxmemory="0")


class ReadOnly(Fault):
    problem = "HSET: Redis says: READONLY You can't write against a read only replica"

    def begin(self):
        self.cli("REPLICAOF", "127.0.0.1", "1")

    def end(self):
        self.cli("REPLICAOF", "NO", "ONE")


class NoReplicas(Fault):
    problem = "HSET: Redis says: NOREPLICAS Not enough good replicas to write"

    def begin(self):
        self.set(min_replicas_to_write="1")

    def end(self):
        self.set(min_replicas_to_write="0")


class Loading(Fault):
    """It reads its disk for a while."""
    problem = "Redis says: LOADING Redis is loading the dataset in memory"
    options = ("--enable-debug-command", "yes")

    def begin(self):
        self.cli("DEBUG", "POPULATE", "400")
        self.cli("SAVE")
        self.redis.kill()
        self.redis.start("--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024", says=("LOADING",))

    def end(self):
        wait_for(lambda: "PONG" in self.redis.cli("PING", bare=True), 60, "it has loaded")


class CannotSave(Fault):
    problem = "HSET: Redis says: MISCONF Redis is configured to save RDB snapshots"

    def begin(self):
        (self.redis.directory / "dump.rdb").mkdir()
        self.set(save="3600 1")
        self.save("err")

    def end(self):
        (self.redis.directory / "dump.rdb").rmdir()
        self.save("ok")

    def save(self, outcome):
        self.cli("BGSAVE")
        wait_for(lambda: f"rdb_last_bgsave_status:{outcome}" in self.cli("INFO", "persistence"), 10, f"BGSAVE is {outcome}")


class WrongStream(Fault):
    problem = "XINFO: Redis says: WRONGTYPE Operation against a key holding the wrong kind of value"
    key = "byway:changes"

    def begin(self):
        self.cli("SET", self.key, "gone")

    def end(self):
        self.cli("DEL", self.key)


class WrongNodes(WrongStream):
    problem = "HGETALL: Redis says: WRONGTYPE Operation against a key holding the wrong kind of value"
    key = "byway:nodes"


class WrongZones(WrongStream):
    """Nobody looks at it until there is news, or a node connects."""
    problem = "HSCAN: Redis says: WRONGTYPE Operation against a key holding the wrong kind of value"
    key = "byway:zones"

    def begin(self):
        super().begin()
        self.drop_clients()


class Garbage(Fault):
    problem = None

    def begin(self):
        noise = [os.urandom(length) for length in (0, 1, 40, 2000, 300000)]
        pour(self.redis, [("HSET", f"byway:{key}", bit, other) for key in ("zones", "nodes") for bit in noise for other in noise] +
             [("HSET", "byway:nodes", node, text) for node in ("c", "d" * 63, "e" * 64, "a b")
              for text in ("", "cn", "cn x 1 1", "cn 0 -1 1", "cn " + "f" * 40 + " " + "9" * 40 + " 1", "cn 1 1 " + "x" * 300)] +
             [("XADD", "byway:changes", "*", bit, other) for bit in noise for other in noise] +
             [("XADD", "byway:changes", "*", "s", "A", "t", "B"), ("XADD", "byway:changes", "*", "s", b"A" + bytes(40))])

    def end(self):
        self.drop_clients()  # the hash is read as well


class Rotated(Fault):
    """Another password; the nodes' file has it later."""
    problem = "AUTH: Redis says: WRONGPASS invalid username-password pair or user is disabled"

    def setup(self):
        self.password = PASSWORD
        self.file = self.redis.directory / "password"
        self.file.write_text(f"{PASSWORD}\n")

    def ready(self):
        self.redis.cli("CONFIG", "SET", "requirepass", PASSWORD)

    def keys(self):
        return {"password_file": str(self.file)}

    def cli(self, *words):
        return super().cli("--no-auth-warning", "-a", self.password, *words)

    def begin(self):
        self.set(requirepass="another")
        self.password = "another"
        self.cli("CLIENT", "KILL", "TYPE", "normal")

    def end(self):
        self.file.write_text("another")


class PasswordGone(Rotated):
    """The file is missing when a node connects anew."""
    problem = "password: No such file or directory"

    def begin(self):
        self.file.unlink()
        self.cli("CLIENT", "KILL", "TYPE", "normal")

    def end(self):
        self.file.write_text(PASSWORD)


class NoPassword(Fault):
    """Redis wants one, and the nodes have none."""
    problem = "Redis says: NOAUTH Authentication required."

    def begin(self):
        self.set(requirepass=PASSWORD)
        self.redis.cli("--no-auth-warning", "-a", PASSWORD, "CLIENT", "KILL", "TYPE", "normal")

    def end(self):
        self.redis.cli("--no-auth-warning", "-a", PASSWORD, "CONFIG", "SET", "requirepass", "")


# What a node needs; docs/security.md has it, too.
RIGHTS = "~byway:* resetchannels -@all +hgetall +hset +hscan +hget +hdel +xadd +xread +xinfo|stream +set +get +del +eval +time".split()


class Forbidden(Rotated):
    """A user with no right too many, and then one too few."""
    problem = "write: Redis says: ERR The user executing the script can't run this command or subcommand"
    fleeting = True

    def ready(self):
        self.password = ""
        self.user("on", f">{PASSWORD.replace(' ', '')}", *RIGHTS)
        self.file.write_text(PASSWORD.replace(" ", ""))

    def user(self, *rules):
        Fault.cli(self, "ACL", "SETUSER", "node", *rules)

    def keys(self):
        return {**super().keys(), "user": "node"}

    def begin(self):
        self.user("-xadd")

    def end(self):
        self.user("+xadd")


class Crowded(Fault):
    problem = "Redis says: ERR max number of clients reached"

    def begin(self):
        self.drop_clients()
        self.set(maxclients="1")

    def end(self):
        self.set(maxclients="1000")

    def set(self, **options):
        wait_for(lambda: self.redis.cli("CONFIG", "SET", "maxclients", options["maxclients"], bare=True) == "OK", 20, "a place is free")


class SpeaksTls(Fault):
    """The port is one for TLS, which byway does not speak."""
    problem = "connection reset by peer"

    def ready(self):
        shown = Certificates(self.redis.directory, "127.0.0.1")["address"]
        self.port = free_port("127.0.0.1")
        self.set(tls_auth_clients="no")
        self.cli("CONFIG", "SET", "tls-cert-file", str(shown.chain), "tls-key-file", str(shown.key_file), "port", str(self.port))

    def keys(self):
        return {"redis": f"redis://127.0.0.1:{self.port}"}

    def begin(self):
        self.set(port="0", tls_port=str(self.port))
        self.drop_clients()

    def end(self):
        self.set(tls_port="0", port=str(self.port))


EVERYDAY = (Slow, Stopped, Down, Emptied, Full, ReadOnly, Garbage, WrongStream, Rotated, Forbidden)
NIGHTLY = (Paused, NoReplicas, Loading, CannotSave, WrongNodes, WrongZones, PasswordGone, NoPassword, Crowded, SpeaksTls)
FAULTS = {fault.__name__: fault for fault in EVERYDAY + NIGHTLY}
