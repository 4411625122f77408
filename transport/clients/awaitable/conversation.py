"""How an awaitable client waits: many tasks ask at once, and one of the client's own reads for all of them.

The reader lives while a question is in flight and no longer, so a client that is idle leaves no task behind.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext

from castiron.transport.clients.awaitable.waits import Waits
from castiron.transport.clients.conversation import Conversation
from castiron.transport.endpoint import Endpoint
from castiron.transport.errors import ReplyTimeout
from castiron.transport.keys.protection import ClientKeys
from castiron.transport.replies import Welcome
from castiron.transport.session import Question
from castiron.transport.verbs import Verb, tag_of
from castiron.transport.vocabulary import Applied

log = logging.getLogger(__name__)


class AwaitableConversation(Conversation):
    """Questions and answers with one conductor. Tasks of one loop ask at the same time, as many as it allows a peer."""

    may_block = False

    def __init__(
        self, endpoint: Endpoint, *, name: str, now: Callable[[], float], keys: ClientKeys | None = None
    ) -> None:
        """Open the link; nothing is sent yet. See Conversation."""
        self._link_waits = Waits()
        self._stream_waits = Waits()
        super().__init__(endpoint, self._link_waits.readable, name=name, now=now, keys=keys)
        self.readable = self._stream_waits.readable
        self._hello = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._without_room: deque[asyncio.Event] = deque()

    async def end_waits(self) -> None:
        """End whatever is waited for, so that nobody waits for a socket that is about to be closed."""
        self._is_closed = True
        self._talk.lose("This client was closed")
        self._link_waits.wake()
        self._stream_waits.wake()
        if self._reader is not None:
            await asyncio.wait([self._reader])
        await asyncio.sleep(0)

    async def idle(self, seconds: float) -> None:
        """Let time pass; the loop goes on."""
        await asyncio.sleep(max(0.0, seconds))

    def _turn(self) -> AbstractContextManager[object]:
        return nullcontext()

    def _greeting(self) -> AbstractAsyncContextManager[object]:
        return self._hello

    async def _news(self, questions: Sequence[Question], until: float) -> None:
        heard = asyncio.Event()
        for question in questions:
            question.told = heard.set
        self._begin_reading()
        await self._within(heard, until)

    async def _catch_up(self) -> None:
        if not self._reading.locked():
            while await self._take_in(0):
                """Until nothing more is there."""

    async def _greeted(self, deadline: float) -> Welcome:
        limit = asyncio.timeout(max(0.0, deadline - self._now()))
        try:
            async with limit:
                return await super()._greeted(deadline)
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._talk.unanswered("Nothing was sent: no conductor answers", Applied.NO) from None

    async def _send(self, verb: Verb, deadline: float) -> Question:
        while not self._talk.room:
            room = asyncio.Event()
            self._without_room.append(room)
            self._begin_reading()
            try:
                await self._within(room, deadline)
            finally:
                self._leave_line(room)
            if not room.is_set():
                return self._unsent(verb, deadline)
        return await super()._send(verb, deadline)

    def _unsent(self, verb: Verb, deadline: float) -> Question:
        question, _ = self._talk.question(verb, self._now(), deadline)
        question.settle(
            ReplyTimeout(
                f"{tag_of(verb)} was not sent: {self._talk.window()} questions of this client wait for their answers. "
                "Ask for less at a time, or allow more time.",
                applied=Applied.NO,
            )
        )
        return question

    def _end(self, question: Question) -> None:
        super()._end(question)
        self._let_in()

    def _leave_line(self, room: asyncio.Event) -> None:
        """Wait for room no more; the place that may have come free is the next one's, unless it is taken."""
        if room in self._without_room:
            self._without_room.remove(room)
        else:
            self._let_in()

    def _let_in(self) -> None:
        """Let those who wait for room look again, one for each place that is free."""
        free = self._talk.room
        while free > 0 and self._without_room:
            self._without_room.popleft().set()
            free -= 1

    async def _is_connected(self, deadline: float) -> bool:
        if await self._link.is_connected(0):
            return True
        self._notice_break()
        self._link_waits.wake()
        async with self._reading:
            return await super()._is_connected(deadline)

    def _begin_reading(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="castiron-client")
        self._link_waits.wake()  # to look again: something may have been sent, or is due earlier

    async def _read(self) -> None:
        """Take in what comes, until nobody waits any more."""
        try:
            while (self._talk.is_awaited or self._without_room) and self._talk.waiting and not self._is_closed:
                async with self._reading:
                    await self._step()
                self._let_in()
                await asyncio.sleep(0)  # others have their turn, however much there is to read
        except BaseException:
            self._talk.lose("This client's reader ended")
            raise

    async def _within(self, event: asyncio.Event, until: float) -> None:
        """Wait for an event, at most until then."""
        if until == math.inf:
            await event.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, until - self._now())):
                await event.wait()
        except TimeoutError:
            return
