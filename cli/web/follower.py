"""Where the board hears of the conductor: one watch, one stream of events and one round of questions, for all browsers.

A conductor that restarts is outlived, and its absence shown. What waiting cannot mend, as a key that is refused, ends
all of it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from castiron.cli.output.faults import error_map
from castiron.cli.reach import absence
from castiron.cli.watch.glance import as_json
from castiron.cli.web import views
from castiron.cli.web.board import RECENT, Board
from castiron.transport.clients.awaitable.client import AsyncClient
from castiron.transport.clients.stream import AsyncEventStream
from castiron.transport.clients.watching import AWAY, AsyncWatch
from castiron.transport.errors import CastironError, EventsLost
from castiron.transport.replies import NodeView, StatusView

GATHER_S: Final = 0.2
"""Changes of so long are told together: an eye sees no difference, and 10,000 nodes at once are one message."""

REFRESH_S: Final = 2.0
"""Between two looks at the figures: as often as `castiron status --watch` looks."""

AWAY_S: Final = 0.5
"""Between two looks whether the conductor is back."""


class Follower:
    """Keeps a board current. One loop's thread only."""

    def __init__(self, client: AsyncClient, board: Board, *, now: Callable[[], float] = time.time) -> None:
        """Prepare it; `open` looks, `start` follows.

        Args:
            client: asks.
            board: is told.
            now: seconds since 1970-01-01 UTC.
        """
        self._client = client
        self._board = board
        self._now = now
        self._watch: AsyncWatch = client.watch(told=lambda _: self._doubt.set())
        self._events: AsyncEventStream = client.events()
        self._doubt = asyncio.Event()
        """The stream of events said that the conductor is away, or back."""

    @property
    def nodes(self) -> Mapping[str, NodeView]:
        """The nodes by their uuids, as they were seen last."""
        return self._watch.nodes

    async def open(self) -> None:
        """Look at the whole fleet, and at how far the events have come; from then on nothing is missed.

        Raises:
            ConductorLost: nobody answers.
            CastironError: what waiting cannot mend.
        """
        await self._watch.open()
        self._board.begin(map(views.row, self._watch.nodes.values()))
        kept = (await self._client.status()).events
        since = max(kept.oldest_seq - 1, kept.latest_seq - RECENT, 0)
        self._events = self._client.events(since)
        await self._events.open()

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Follow, in tasks that last until they are cancelled; what waiting cannot mend ends them and their group."""
        works = (self._follow_nodes(), self._follow_events(), self._follow_figures(), self._publish())
        return [group.create_task(work) for work in works]

    async def _follow_nodes(self) -> None:
        async for change in self._watch:
            self._board.note_row(change.uuid, None if change.after is None else views.row(change.after))

    async def _follow_events(self) -> None:
        while True:
            try:
                async for event in self._events:
                    self._board.note_event(views.event(event))
            except EventsLost:
                continue  # what is lost of them is lost to a list of the latest

    async def _follow_figures(self) -> None:
        before: StatusView | None = None
        while True:
            outcome = await self._ask()
            if isinstance(outcome, StatusView):
                self._board.report(as_json(before, outcome, self._now()))
                before = outcome
            else:
                self._board.miss({"at": self._now(), **error_map(outcome)})
            await self._pause(AWAY_S if self._board.is_away else REFRESH_S)

    async def _ask(self) -> StatusView | CastironError:
        """Ask how the conductor is; where it may be away, look first whether anybody listens, which is quicker."""
        is_in_doubt = self._board.is_away or self._doubt.is_set()
        self._doubt.clear()
        if is_in_doubt and (absent := await asyncio.to_thread(absence, self._client.endpoint)) is not None:
            return absent
        try:
            return await self._client.status()
        except AWAY as lost:
            return lost

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._doubt.wait()

    async def _publish(self) -> None:
        while True:
            await self._board.changed.wait()
            self._board.publish()
            await asyncio.sleep(GATHER_S)
