"""Operations without an engine: their requests are answered by a script, or by the farm's BMC without its packets."""

from collections.abc import Callable
from random import Random

from castiron.actors.drivers.base import Operation, Value
from castiron.actors.drivers.ipmi.operations.table import steps
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Request
from castiron.testing.bmc import BMCSettings, Device, Privilege
from castiron.testing.bmc.commands import execute
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session

MAX_REQUESTS = 5_000
"""More than any operation makes."""

Answering = Callable[[Request], bytes]
"""A request → completion code and data."""


def talk(operation: Operation, answering: Answering) -> tuple[Value, list[Request]]:
    """Carry an operation out; return its value and its requests. What it raises is the caller's."""
    asked: list[Request] = []
    going = steps(operation)
    request = next(going)
    while True:
        asked.append(request)
        assert len(asked) <= MAX_REQUESTS, "the operation has no end"
        answer = answering(request)
        try:
            request = going.send(Answer(answer[0], answer[1:]))
        except StopIteration as end:
            return end.value, asked


class Desk:
    """The farm's BMC as something that answers requests. `device` is all of it; time is `now`."""

    def __init__(self) -> None:
        self.device = Device("bmc1", BMCSettings(), Random(1))
        self.now = 1000.0
        self.asked: list[Request] = []
        self._session = Session.outside(("127.0.0.1", 1), 0.0)
        self._session.privilege = Privilege.ADMINISTRATOR

    def __call__(self, request: Request) -> bytes:
        self.now += request.after_s
        self.asked.append(request)
        message = Message(request.netfn, request.command, request.data, b"\0\0", 0)
        return execute(self.device, self._session, message, self.now)

    def talk(self, operation: Operation) -> Value:
        return talk(operation, self)[0]
