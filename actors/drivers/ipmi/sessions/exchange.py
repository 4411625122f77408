"""One request to a BMC and its answer, and what an operation is made of: a generator of requests. Pure.

An operation yields requests, is sent their answers, and returns its value. It knows nothing of sessions, time or
repetition; a break between two requests is a request with `after_s`.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from castiron.actors.drivers.base import Value
from castiron.actors.drivers.ipmi.sessions.codes import CHASSIS


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a BMC."""

    netfn: int
    command: int
    data: bytes = field(default=b"", repr=False)
    """Kept out of repr: a password may be in it."""
    acts: bool = False
    """It changes the machine: sent and not answered, its outcome is unknown."""
    once: bool = False
    """It must leave this machine at most once: a BMC executes a retransmission, which has a new sequence number."""
    ends_session: bool = False
    """When the BMC has said yes to it, it has forgotten the session."""
    after_s: float = 0.0
    """It leaves no earlier than this many seconds after the answer before it. Shorter than a keepalive's interval."""


class Answer(NamedTuple):
    """A BMC's answer to a request."""

    code: int
    """Completion code, 0 for success."""
    data: bytes
    """What follows the completion code."""


class Refused(Exception):
    """The BMC refused a request that its operation needs."""

    def __init__(self, request: Request, code: int, *, is_in_doubt: bool = False) -> None:
        super().__init__(request, code)
        self.request = request
        self.code = code
        self.is_in_doubt = is_in_doubt
        """The refusal may come from an earlier copy of the request having been carried out."""


class Nonsense(Exception):
    """The BMC's answer cannot be read. The text ends a sentence that begins with the BMC's address."""


class Unable(Exception):
    """The BMC, as it is, cannot do what was asked. The text ends a sentence that begins with the BMC's address."""


Steps = Generator[Request, Answer, Value]
"""An operation."""

GET_CHASSIS_STATUS: Final = Request(CHASSIS, 0x01)
"""One datagram each way; also the keepalive."""


def needed(request: Request, answer: Answer, *, length: int = 0) -> bytes:
    """Return an answer's data.

    Raises:
        Refused: it is no success.
        Nonsense: it is shorter than `length` bytes.
    """
    if answer.code:
        raise Refused(request, answer.code)
    if len(answer.data) < length:
        raise Nonsense(f"answered command {request.netfn:#04x} {request.command:#04x} too briefly")
    return answer.data
