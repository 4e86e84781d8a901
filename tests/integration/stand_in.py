"""Plays bywayd on a control socket by a script, for what bywayctl makes of answers that no bywayd would give today."""

import inspect
import itertools
import json
import socket
import threading


class Failure(Exception):
    """An answer that is an error: Failure(code, message)."""


_serial = itertools.count()


class StandIn:
    """`answers`: method → the result, or a function of the parameters that returns it; what it yields before that
    is told as an event each. A Failure is an error; bytes go out as they are; None closes
    the connection. `asked` has all requests."""

    def __init__(self, directory, answers):
        self.socket = str(directory / f"control{next(_serial)}.sock")
        self.answers = answers
        self.asked = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as lines:
                for line in lines:
                    request = json.loads(line)
                    self.asked.append((request["method"], request["params"]))
                    if not self._answer(connection, request):
                        return
        except OSError:  # it went
            pass

    def _answer(self, connection, request):
        method, number = request["method"], request["id"]
        answer = self.answers.get(method, Failure(-32601, f"unknown method \"{method}\""))
        value = answer(request["params"]) if callable(answer) else answer
        if inspect.isgenerator(value):
            value = self._tell(connection, request, value)
        if value is None or isinstance(value, bytes):
            connection.sendall(value or b"")
            return False
        if isinstance(value, Failure):
            self._send(connection, {"id": number, "error": {"code": value.args[0], "message": value.args[1]}})
        else:
            self._send(connection, {"id": number, "result": value})
        return True

    def _tell(self, connection, request, events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                return end.value
            self._send(connection, {"method": request["method"], "params": {"id": request["id"], "event": event}})

    @staticmethod
    def _send(connection, message):
        connection.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
