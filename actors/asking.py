"""Who asks, and how they are answered: the one contract between actors and whoever brings them requests.

The front door's answers satisfy it, and so does whatever a simulation or an embedding program brings. Nothing is
decided here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from castiron.transport.errors import CastironError
from castiron.transport.replies import AnyResult
from castiron.transport.vocabulary import EventSeq


class Answer(Protocol):
    """The way back to one message. Any thread; never blocks. Tell all that happens; the client gets what it wished."""

    def accepted(self, result: AnyResult, seq: EventSeq) -> None:
        """Say that the request is on disk. It ends the message if the client wished no more than that."""
        ...

    def final(self, result: AnyResult, seq: EventSeq) -> None:
        """Give the result, which holds at event number `seq`."""
        ...

    def fail(self, error: CastironError, seq: EventSeq) -> None:
        """Give the failure."""
        ...

    def when_gone(self, call: Callable[[], None]) -> None:
        """Have `call` called, which must not block, if whoever asked goes before the last word; at once if gone."""
        ...


def _nothing() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that somebody waits for.

    Attributes:
        withdraw: undo the wish to hear a request's end, for a request that was refused.
    """

    answer: Answer
    withdraw: Callable[[], bool] = _nothing

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """Say why not."""
        self.withdraw()
        self.answer.fail(error, seq)
