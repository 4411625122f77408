"""Who asks, and how they are answered: the one contract between actors and whoever brings them requests.

The front door's answers satisfy it, and so does whatever a simulation or an embedding program brings. Nothing is
decided here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from castiron.store.records import RequestRecord
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


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that somebody waits for."""

    answer: Answer

    def answered(self, result: AnyResult, seq: EventSeq) -> None:
        """Give the result."""
        self.answer.final(result, seq)

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """Say why not."""
        self.answer.fail(error, seq)


class Submitted(Protocol):
    """A request that somebody waits for. Any thread; never blocks; told one thing once."""

    def taken(self, request: RequestRecord, seq: EventSeq) -> None:
        """Say that it is on disk: as this request, which may be an older one that it was merged into."""
        ...

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """Say why not."""
        ...
