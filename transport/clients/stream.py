"""A client's side of the stream: events in the order of their numbers, each once, through whatever happens between.

Subscribe first, then read from the store what is missing, then take what comes (12/CHP). Whenever a number is missing,
what lies between is read from the store; whenever the connection breaks or falls silent, all of this begins anew. Only
what the store does not have any more is lost, and that is told.
"""

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from castiron.transport import codec, events
from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.sockets.subscription import Subscription
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import (
    CapacityError,
    ConductorDraining,
    ConductorLost,
    EventsLost,
    FrameMalformed,
    ReplyTimeout,
    VersionUnsupported,
)
from castiron.transport.events import EventView
from castiron.transport.replies import EventListed, Welcome
from castiron.transport.verbs import MAX_LIST, EventList

log = logging.getLogger(__name__)

PAUSE_S: Final = 0.2
"""Before a conductor that is away is looked for again, or a question asked again that was refused."""

LOSSES: Final = (ConductorLost, ConductorDraining, ReplyTimeout)
"""What a stream that follows outlives: the conductor is away, and comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events a stream yields."""

    node_uuids: frozenset[str] | None = None
    """Of these nodes; None: of all, and of none."""
    types: tuple[str, ...] | None = None
    """Of these types, which may be patterns; None: of all."""

    def has(self, event: EventView) -> bool:
        """Return whether it is one of them."""
        if self.node_uuids is not None and event.node_uuid not in self.node_uuids:
            return False
        return self.types is None or events.matches(event.type, self.types)

    def question(self, since: int | None) -> EventList:
        """Return the verb that asks the store for them."""
        uuids = self.node_uuids
        nodes = sorted(uuids) if uuids is not None and len(uuids) <= MAX_LIST else None
        return EventList(since=since, nodes=nodes, types=None if self.types is None else list(self.types))


class AsyncEventStream(AsyncIterator[EventView]):
    """Yields events; made by `AsyncClient.events`. One reader; a context manager closes it, and so does its end.

    After EventsLost the iteration may go on: it does so behind what was lost.
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        since: int | None,
        wanted: Callable[[], Awaitable[Wanted]],
        follow: bool,
        answer_s: float,
        timeout_s: float | None,
        told: Callable[[str], object] | None,
        now: Callable[[], float],
    ) -> None:
        """Prepare it: `open` begins, and so does whatever else is asked of it first.

        Args:
            conversation: for questions to the conductor.
            since: number of the event to begin after; None: with the next one, or with the oldest if not `follow`.
            wanted: finds out which to yield.
            follow: go on when all have been yielded, instead of ending.
            answer_s: how long an answer may take.
            timeout_s: end after so long; None: never.
            told: hears in words that the stream was interrupted, and that it goes on.
            now: seconds of a clock that never goes back.
        """
        self._conversation = conversation
        self._find_wanted = wanted
        self._wanted = Wanted()
        self._is_open = False
        self._follow = follow
        self._answer_s = answer_s
        self._told = told
        self._now = now
        self._ends_at = None if timeout_s is None else now() + timeout_s
        self._ready: deque[EventView] = deque()
        self._read = since
        self._known: int | None = None
        self._conductor: str | None = None
        self._subscription: Subscription | None = None
        self._silence_s = 0.0
        self._heard_at = now()
        self._is_away = False

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def seq(self) -> int | None:
        """Number of the last event before the next that will be yielded: pass it as `since` to go on there.

        None: of a stream from the oldest event on, before its first one.
        """
        return self._ready[0].seq - 1 if self._ready else self._read

    async def open(self) -> None:
        """Begin; one that follows is subscribed when this returns, so nothing that happens from now on is missed.

        Idempotent.

        Raises:
            NodeNotFound: some node is unknown.
            ConductorLost: nobody answers.
            VersionUnsupported: the conductor publishes no events.
        """
        if not self._is_open:
            self._wanted = await self._find_wanted()
            if self._follow:
                await self._join()
            self._is_open = True

    def finish(self) -> None:
        """Have the iteration end, with the wait that is under way at the latest. Idempotent."""
        self._ends_at = self._now()

    def close(self) -> None:
        """Let go of the socket, while nobody waits for it; iteration ends. Idempotent."""
        self.finish()
        self._leave()

    @property
    def is_over(self) -> bool:
        """Whether its time is up."""
        return self._rest_s() <= 0

    async def __anext__(self) -> EventView:
        """Return the next event, once there is one.

        Raises:
            StopAsyncIteration: the time is up, or all have been yielded and the stream does not follow.
            EventsLost: some are not kept any more; the next call goes on behind them.
            ConductorLost: no conductor answers a stream that does not follow, or the client was closed.
        """
        event = await self._next()
        if event is None:
            self._leave()
            raise StopAsyncIteration
        return event

    async def within(self, timeout_s: float) -> EventView | None:
        """Return the next event; None when the time is up, after which the stream goes on. Raises as `__anext__`."""
        ends_at, until = self._ends_at, self._now() + timeout_s
        self._ends_at = until if ends_at is None else min(until, ends_at)
        try:
            return await self._next()
        finally:
            self._ends_at = ends_at

    async def _next(self) -> EventView | None:
        await self.open()
        while True:
            if self._ready:
                return self._ready.popleft()
            if self._rest_s() <= 0 or self._is_over():
                return None
            event = await self._step()
            if event is not None:
                return event

    def _is_over(self) -> bool:
        return not self._follow and self._known is not None and self._read is not None and self._read >= self._known

    def _rest_s(self) -> float:
        return float("inf") if self._ends_at is None else self._ends_at - self._now()

    async def _step(self) -> EventView | None:
        """Do the one thing that is to be done next; return the event that it brought, if one is wanted."""
        try:
            if self._follow and self._subscription is None:
                await self._rejoin()
            elif self._known is None or self._read is None or self._read < self._known:
                await self._read_on()
            else:
                return await self._listen()
        except LOSSES as lost:
            if not self._follow or self._conversation.is_closed:
                raise
            await self._lose(lost.message)
        except CapacityError as busy:
            await self._conversation.idle(min(busy.retry_after_s or PAUSE_S, self._rest_s()))
        return None

    async def _join(self) -> None:
        """Subscribe, and find out how far the stream has come."""
        welcome = await self._conversation.greet(self._answer_s)
        if welcome.events_endpoint is None:
            raise VersionUnsupported(
                "This conductor publishes no events: it is older than version 1.1 of the protocol. "
                "Poll with `castiron node list`, or run a newer one.",
                details={"speaks": welcome.speaks},
            )
        endpoint = parse_endpoint(welcome.events_endpoint).seen_from(self._conversation.endpoint)
        self._subscription = Subscription(endpoint, self._conversation.readable, keys=self._conversation.keys)
        self._silence_s = welcome.heartbeat_interval_s * welcome.liveness
        beat = await self._first_heartbeat(welcome)
        before, self._conductor = self._conductor, beat.conductor
        if before not in {None, beat.conductor}:
            self._start_over(beat.seq, "Another conductor listens there now, and its numbers are others.")
        if self._read is None:
            self._read = beat.seq
        # Less than was read: its publisher lags behind its store, or the store is an older copy. The store knows.
        self._known = None if beat.seq < self._read else beat.seq

    async def _first_heartbeat(self, welcome: Welcome) -> events.Heartbeat:
        """Wait for the heartbeat that answers a subscription: what comes before it is in the store by now."""
        until = self._now() + self._answer_s
        while (rest_s := until - self._now()) > 0:
            published = await self._receive(rest_s)
            if published is not None and published.is_heartbeat:
                return codec.decode_heartbeat(published.body)
        self._leave()
        raise ConductorLost(
            f"The conductor answers, but nothing comes from {welcome.events_endpoint}, where it publishes events.",
            details={"endpoint": welcome.events_endpoint},
        )

    async def _rejoin(self) -> None:
        await self._join()
        if self._is_away:
            self._is_away = False
            self._tell(f"The conductor is back; events go on after number {self.seq}.")

    def _leave(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    async def _lose(self, why: str) -> None:
        self._leave()
        if not self._is_away:
            self._is_away = True
            self._tell(f"{why} Waiting for the conductor; events since number {self.seq} will be made up for.")
        else:
            await self._conversation.idle(max(0.0, min(PAUSE_S, self._rest_s())))

    def _tell(self, what: str) -> None:
        if self._told is not None:
            self._told(what)

    async def _read_on(self) -> None:
        """Read the next page from the store."""
        since = self._read
        listed = await self._conversation.ask(self._wanted.question(since), EventListed, self._answer_s)
        if since is not None and listed.latest_seq < since:
            why = f"The conductor knows no event {since}, the latest is number {listed.latest_seq}"
            self._start_over(listed.latest_seq, f"{why}: its store is an older copy, or the number is wrong.")
        self._ready.extend(event for event in listed.events if self._wanted.has(event))
        self._read = listed.next_since
        if self._follow or self._known is None:  # what a stream that ends began with stays its end
            self._known = listed.latest_seq
        if since is not None and since + 1 < listed.oldest_seq:
            raise _lost(since + 1, listed.oldest_seq - 1, "They are not kept any more.")

    def _start_over(self, seq: int, why: str) -> None:
        first = 1 if self._read is None else self._read + 1
        self._read = self._known = seq
        raise _lost(first, None, why, next_since=seq)

    async def _listen(self) -> EventView | None:
        published = await self._receive(min(self._rest_s(), self._heard_at + self._silence_s - self._now()))
        if published is None:
            await self._check_connection()
            return None
        if published.is_heartbeat:
            self._hear(codec.decode_heartbeat(published.body))
            return None
        event = codec.decode_event(published.body)
        read = self._read or 0
        if event.seq > read + 1:
            self._known = event.seq  # some are missing: read them from the store, this one with them
        if event.seq != read + 1:
            return None
        self._read = self._known = event.seq
        return event if self._wanted.has(event) else None

    def _hear(self, beat: events.Heartbeat) -> None:
        if beat.conductor != self._conductor:
            self._leave()
        self._known = max(self._known or 0, beat.seq)

    async def _check_connection(self) -> None:
        if self._subscription is not None and self._subscription.is_broken:
            await self._lose("The connection to the conductor broke.")
        elif self._now() - self._heard_at >= self._silence_s:
            await self._lose("The conductor has fallen silent.")

    async def _receive(self, timeout_s: float) -> events.Published | None:
        """Return the next message of the stream; None when the time is up, or what came is not of the stream."""
        frames = None if self._subscription is None else await self._subscription.receive(max(0.0, timeout_s))
        if frames is None:
            return None
        self._heard_at = self._now()
        try:
            return events.parse(frames)
        except FrameMalformed as error:
            log.warning("%s", error.message)
            return None


def wanted_events(node_uuids: Collection[str] | None, types: Collection[str] | None) -> Wanted:
    """Return what a stream yields if these nodes and types are asked for; None: all."""
    return Wanted(
        node_uuids=None if node_uuids is None else frozenset(node_uuids),
        types=None if types is None else tuple(types),
    )


def _lost(first: int, last: int | None, why: str, *, next_since: int | None = None) -> EventsLost:
    which = f"Events {first} to {last} are" if last is not None else f"Events from number {first} on are"
    return EventsLost(
        f"{which} lost. {why} Look at the nodes anew, for example with `castiron node list`.",
        details={"first": first, "last": last, "next_since": last if next_since is None else next_since},
    )
