"""A bulk, for those who wait: see `transport.clients.bulk`."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import TracebackType
from typing import Self

from castiron.transport.clients.blocking.running import Blocking, blocking, each, run
from castiron.transport.clients.bulk import AsyncBulk, BulkCourse
from castiron.transport.errors import CastironError
from castiron.transport.replies import BulkOutcome, BulkView


class Bulk(Blocking[AsyncBulk]):
    """One bulk: an iterator over its outcomes, each node's once. One thread."""

    cancel = blocking(AsyncBulk.cancel)

    def __init__(self, held: AsyncBulk) -> None:
        super().__init__(held)
        self._coming = each(aiter(held))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing behind: a bulk that is left before its end is cancelled."""
        run(self.held.__aexit__(kind, error, traceback))

    def __iter__(self) -> Iterator[BulkOutcome]:
        """Yield what became of each node, in any order. Raises as AsyncBulk's iteration."""
        return self._coming

    @property
    def course(self) -> BulkCourse:
        """How it stands, as far as it has been heard."""
        return self.held.course

    @property
    def key(self) -> str:
        """The key under which it can be sent again."""
        return self.held.key

    @property
    def names(self) -> list[str]:
        """Names of all its nodes, in the order in which they are started; empty until it was accepted."""
        return self.course.names

    @property
    def started(self) -> AbstractSet[str]:
        """Names of those whose requests were accepted."""
        return self.course.started

    @property
    def outcomes(self) -> Mapping[str, BulkOutcome]:
        """Those that have come, by the names of their nodes."""
        return self.course.outcomes

    @property
    def lost(self) -> CastironError | None:
        """Why the conductor is waited for; None while it is there."""
        return self.course.lost

    @property
    def summary(self) -> BulkView:
        """How it stands, as far as it has been heard; at the end of the iteration: how it ended."""
        return self.course.summary
