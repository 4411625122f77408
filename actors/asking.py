"""Who asks, and how they are answered: the one contract between actors and whoever brings them requests.

The front door's answers satisfy it, and so does whatever a simulation or an embedding program brings. Nothing is
decided here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import EventSeq, ReplyWish


class Answer(Protocol):
    """The way back to one message. Any thread; never blocks; exactly one of `final` and `fail` ends it."""

    def accepted(self, result: Struct, seq: EventSeq) -> None:
        """Say that the request is on disk, and that more will follow."""
        ...

    def final(self, result: Struct, seq: EventSeq) -> None:
        """Give the result, which holds at event number `seq`."""
        ...

    def fail(self, error: CastironError, seq: EventSeq) -> None:
        """Give the failure."""
        ...


def _nothing() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that somebody waits for.

    Attributes:
        wish: which replies are wanted to a request; other messages have one.
        withdraw: undo the wish to hear the request's end, for a request that was refused.
    """

    answer: Answer
    wish: ReplyWish = ReplyWish.ACCEPTED
    withdraw: Callable[[], bool] = _nothing

    def accepted(self, view: Struct, seq: EventSeq) -> None:
        """Say that the request is on disk, if that was wanted."""
        match self.wish:
            case ReplyWish.ACCEPTED:
                self.answer.final(view, seq)
            case ReplyWish.BOTH:
                self.answer.accepted(view, seq)
            case ReplyWish.FINAL:
                pass

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """Say why not."""
        self.withdraw()
        self.answer.fail(error, seq)
