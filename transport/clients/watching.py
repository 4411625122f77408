"""An always-current view of nodes: a look at all of them, then at each whose events say that it has changed.

    async with client.watch() as watch:
        print(watch.nodes)
        async for change in watch: ...

The stream begins at the number at which the first look holds, so no change falls between them. An event may be heard a
moment before the conductor shows what it tells of; the number in each answer says whether it does, and if not, the node
is looked at again.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple, Self

from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.stream import AsyncEventStream
from castiron.transport.errors import (
    CapacityError,
    ConductorDraining,
    ConductorLost,
    EventsLost,
    NodeNotFound,
    ReplyTimeout,
)
from castiron.transport.events import EventView
from castiron.transport.replies import NodeView
from castiron.transport.verbs import MAX_SEQ, NodeShow
from castiron.transport.vocabulary import EventType

AGAIN_S: Final = 0.05
"""Before a node is looked at again whose event was heard before it could be seen, or whose conductor is away."""

UNTIL_GONE: Final = MAX_SEQ
"""Stands for the event that deletes a node: no look that still finds the node can have seen it."""

AWAY: Final = (ConductorLost, ConductorDraining, ReplyTimeout, CapacityError)
"""What a watch outlives."""


class Change(NamedTuple):
    """What has become of a node since it was looked at before."""

    uuid: str
    before: NodeView | None
    """None: there was none."""
    after: NodeView | None
    """None: it was deleted."""


class LiveViews:
    """Views of nodes, and which of them may be old. One reader."""

    def __init__(self, conversation: Conversation, views: Sequence[NodeView], *, grows: bool = False) -> None:
        """Begin with what has been seen.

        Args:
            conversation: for looks at nodes.
            views: the nodes, as they were.
            grows: whether nodes come in that are made later.
        """
        self._conversation = conversation
        self._views = {view.uuid: view for view in views}
        self._grows = grows
        self._unsure: dict[str, int] = {}
        """Nodes that may have changed → the event that says so, or 0: as they are now will do."""

    @property
    def views(self) -> Mapping[str, NodeView]:
        """The nodes by their uuids, as they were seen last."""
        return MappingProxyType(self._views)

    @property
    def is_sure(self) -> bool:
        """Whether everything that was heard of has been seen."""
        return not self._unsure

    def hear(self, event: EventView) -> None:
        """Take note that a node may have changed."""
        uuid = event.node_uuid
        if uuid is not None and (uuid in self._views or self._grows):
            self._unsure[uuid] = UNTIL_GONE if event.type == EventType.NODE_DELETE_END else event.seq

    def doubt(self) -> None:
        """Look at all of them again: they may have changed without an event."""
        for uuid in self._views:
            self._unsure.setdefault(uuid, 0)

    def lose(self, lost: EventsLost) -> None:
        """Look at all of them again: nobody knows what has been missed."""
        self.doubt()
        # Numbers that have gone back: what was heard of before will never be seen at its number.
        next_since = int(lost.details["next_since"])
        self._unsure = {uuid: min(seq, next_since) for uuid, seq in self._unsure.items()}

    def replace(self, views: Sequence[NodeView]) -> list[Change]:
        """Take over what has been seen of all of them anew, and return what has changed."""
        seen = {view.uuid: view for view in views}
        gone = [Change(uuid, self._views.pop(uuid), None) for uuid in [*self._views] if uuid not in seen]
        self._unsure = {}
        return gone + [change for uuid, view in seen.items() if (change := self._see(uuid, view)) is not None]

    async def look(self, answer_s: float) -> list[Change]:
        """Look at the nodes that may have changed, and return what has; those that cannot be seen now stay unsure."""
        changes: list[Change] = []
        for uuid, seq in list(self._unsure.items()):
            try:
                view, seen_at = await self._conversation.ask_with_seq(NodeShow(node=uuid), NodeView, answer_s)
            except NodeNotFound:
                del self._unsure[uuid]
                if uuid in self._views:
                    changes.append(Change(uuid, self._views.pop(uuid), None))
                continue
            except AWAY:
                break
            if (change := self._see(uuid, view)) is not None:
                changes.append(change)
            if seen_at >= seq:
                del self._unsure[uuid]
        return changes

    def _see(self, uuid: str, view: NodeView) -> Change | None:
        before = self._views.get(uuid)
        self._views[uuid] = view
        return None if view == before else Change(uuid, before, view)


class AsyncWatch(AsyncIterator[Change]):
    """An always-current view of nodes; made by `AsyncClient.watch`. One reader; a context manager opens and closes it.

    It is brought up to date by iterating: each change is yielded once it has been seen. Restarts of the conductor are
    outlived; what happened meanwhile is made up for. Fields that change without an event, as when its power state was
    looked at last, are as old as the last change.
    """

    def __init__(
        self,
        conversation: Conversation,
        stream: AsyncEventStream,
        *,
        look: Callable[[], Awaitable[Sequence[NodeView]]],
        grows: bool,
        answer_s: float,
    ) -> None:
        """Prepare it; it begins when it is opened.

        Args:
            conversation: for looks at nodes.
            stream: of the nodes' events.
            look: returns all of the nodes, as they are now.
            grows: whether nodes come in that are made later.
            answer_s: how long an answer may take.
        """
        self._stream = stream
        self._look = look
        self._grows = grows
        self._live = LiveViews(conversation, (), grows=grows)
        self._answer_s = answer_s
        self._changes: deque[Change] = deque()
        self._is_open = False

    @property
    def nodes(self) -> Mapping[str, NodeView]:
        """The nodes by their uuids, as they were seen last."""
        return self._live.views

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def open(self) -> None:
        """Look at all of the nodes; whatever changes from then on is yielded. Idempotent.

        Raises:
            NodeNotFound: some node is unknown.
            ConductorLost: nobody answers.
        """
        if not self._is_open:
            await self._stream.open()  # first, so that nothing falls between it and the look
            self._live.replace(await self._look())
            self._is_open = True

    def close(self) -> None:
        """Let go of the socket, while nobody waits for it; iteration ends. Idempotent."""
        self._stream.close()

    async def __anext__(self) -> Change:
        """Return the next change, once there is one.

        Raises:
            StopAsyncIteration: the time is up, or it was closed.
        """
        await self.open()
        while not self._changes:
            self._changes.extend(await self._live.look(self._answer_s))
            if not self._changes:
                await self._listen()
        return self._changes.popleft()

    async def _listen(self) -> None:
        """Wait for an event, and take in all that have come by then."""
        try:
            event: EventView | None
            if self._live.is_sure:
                event = await anext(self._stream)
            else:
                event = await self._stream.within(AGAIN_S)
                if self._stream.is_over:
                    raise StopAsyncIteration
            while event is not None:
                self._live.hear(event)
                event = await self._stream.within(0)
        except EventsLost as lost:
            if self._grows:
                self._changes.extend(self._live.replace(await self._look_again()))
            else:
                self._live.lose(lost)

    async def _look_again(self) -> Sequence[NodeView]:
        while True:
            try:
                return await self._look()
            except AWAY:
                await self._stream.within(AGAIN_S)
                if self._stream.is_over:
                    raise
