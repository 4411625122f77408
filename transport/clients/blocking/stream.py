"""The stream of events and watches over nodes, for those who wait: see `transport.clients.stream` and `.watching`."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from castiron.transport.clients.blocking.running import Blocking, blocking, run
from castiron.transport.clients.stream import AsyncEventStream
from castiron.transport.clients.watching import AsyncWatch, Change
from castiron.transport.events import EventView
from castiron.transport.replies import NodeView


class EventStream(Blocking[AsyncEventStream], Iterator[EventView]):
    """Yields events; made by `Client.events`. One thread; a context manager closes it, and so does its end.

    After EventsLost the iteration may go on: it does so behind what was lost.
    """

    within = blocking(AsyncEventStream.within)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> EventView:
        """Return the next event; blocks until there is one.

        Raises:
            StopIteration: the time is up, or all have been yielded and the stream does not follow.
            EventsLost: some are not kept any more; the next call goes on behind them.
            ConductorLost: no conductor answers a stream that does not follow, or the client was closed.
        """
        try:
            return run(self.held.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def seq(self) -> int | None:
        """Number of the last event before the next that will be yielded: pass it as `since` to go on there.

        None: of a stream from the oldest event on, before its first one.
        """
        return self.held.seq

    def close(self) -> None:
        """Let go of the socket; iteration ends. Idempotent."""
        self.held.close()


class Watch(Blocking[AsyncWatch], Iterator[Change]):
    """An always-current view of nodes; made by `Client.watch`. One thread; a context manager closes it.

    It is brought up to date by iterating; see AsyncWatch.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> Change:
        """Return the next change; blocks until there is one.

        Raises:
            StopIteration: the time is up, or it was closed.
        """
        try:
            return run(self.held.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def nodes(self) -> Mapping[str, NodeView]:
        """The nodes by their uuids, as they were seen last."""
        return self.held.nodes

    def close(self) -> None:
        """Let go of the socket; iteration ends. Idempotent."""
        self.held.close()
