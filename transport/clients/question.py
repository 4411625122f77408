"""What a client has asked and not been told yet: one verb in flight, and what has come of it."""

import math
from collections import deque
from typing import TypeVar

from msgspec import Struct

from castiron.transport.errors import CastironError
from castiron.transport.verbs import Verb

_Result = TypeVar("_Result", bound=Struct)


class Question:
    """A verb in flight and, once it is known, its outcome."""

    __slots__ = ("asked_at", "deadline", "ends_at", "message_id", "outcome", "parts", "seq", "verb")

    def __init__(self, verb: Verb, message_id: bytes, asked_at: float, deadline: float) -> None:
        self.verb = verb
        self.message_id = message_id
        self.asked_at = asked_at
        self.deadline = deadline
        self.ends_at = math.inf
        """Its deadline once it has been announced."""
        self.outcome: Struct | CastironError | None = None
        self.parts: deque[Struct] = deque()
        """What has come before the outcome, and nobody has taken yet."""
        self.seq = 0
        """Number of the last event that the outcome takes into account."""


def expect(outcome: Struct | CastironError | None, result: type[_Result]) -> _Result:
    """Return the outcome if it is such a result, and raise it if it is an error."""
    if isinstance(outcome, result):
        return outcome
    raise outcome if isinstance(outcome, CastironError) else TypeError(result)
