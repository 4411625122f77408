"""The published views: what was true after each node's latest commit, for everybody to read without asking an actor.

Actors publish, the front door reads; and whoever waits for the end of a request is told from here. Frozen states only.
What a view looks like is `core.views`' matter; what is on disk and no longer here is the store's.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from castiron.actors.allocations.market import Market
from castiron.actors.allocations.register import Register
from castiron.actors.core.allocations.fitness import stands_as
from castiron.actors.core.state import NodeState
from castiron.actors.metrics.census import Census
from castiron.actors.metrics.happenings import Endings
from castiron.actors.published.watermark import Watermark
from castiron.store.records import AllocationWrite, Commit, RequestRecord, whole_of
from castiron.store.records.copying import replace
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.requester import identity_of
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, EventSeq, NodeName, NodeUUID, RequestID, RequestState

MAX_ENDED: Final = 10_000
"""Ended requests kept in memory, about 18 MB: enough that clients which poll rarely reach the disk."""

Told = Callable[[RequestRecord, EventSeq], None]
"""Called with a request's final record; must not block."""

Withdraw = Callable[[], bool]
"""Takes a wish back; returns whether nothing had been told yet. Idempotent, any thread."""


@dataclass(frozen=True, slots=True)
class Published:
    """A node after a commit."""

    state: NodeState
    seq: EventSeq
    """The event number at which it holds."""
    generation: int
    """Of the owner who published it."""


Attend = Callable[[NodeUUID, Published | None], None]
"""Called with a node whose record is another one than before; None: the node is gone. Must not block, nor ask the board
for more than one node."""


class Board:
    """Any thread may use any method. Reading a node or a request is O(1) and takes no lock.

    Attributes:
        market: the nodes that can be had, by what they are.
        allocations: which nodes are held, and for whom.
        census: how many nodes are in which state.
        endings: how requests have ended.
    """

    def __init__(self, *, max_waiters: int, seq: EventSeq) -> None:
        self._lock = threading.Lock()
        self._nodes: dict[NodeUUID, Published] = {}
        self._names: dict[NodeName, NodeUUID] = {}
        self._sorted: list[NodeName] = []
        self._open: dict[RequestID, RequestRecord] = {}
        self._running: dict[RequestID, RequestRecord] = {}
        self._openers: Counter[str] = Counter()
        self._ended: OrderedDict[RequestID, RequestRecord] = OrderedDict()
        self._waiters: dict[RequestID, dict[int, Told]] = {}
        self._followers: dict[RequestID, list[Told]] = {}
        self._ended_count = 0
        self._waiting = 0
        self._tickets = 0
        self._max_waiters = max_waiters
        self.market: Final = Market()
        self.allocations: Final = Register(max_waiters=max_waiters)
        self.census: Final = Census()
        self.endings: Final = Endings()
        self._mark = Watermark(seq)
        self._attend: tuple[Attend, ...] = ()

    @property
    def seq(self) -> EventSeq:
        """The event number up to which everything is here that has happened; some of what came after may be, too.

        Read it before what is here; then what is here is no older.
        """
        return self._mark.seq

    def attend(self, told: Attend) -> None:
        """Tell of each node whose record changes from now on, in the order of the changes; before there are any."""
        self._attend = (*self._attend, told)

    def landed(self, commits: Iterable[Commit]) -> None:
        """Note what is on disk and will be shown; in the order of the numbers, before anybody is told of it."""
        with self._lock:
            for commit in commits:
                if commit.events[0].draft.node_uuid is None:  # with a node's commit they are shown as the node is
                    self.allocations.show(commit.allocations)
                first, last = commit.events[0], commit.events[-1]
                self._mark.land(first.draft.node_uuid, first.seq, last.seq)

    def admit(
        self, state: NodeState, seq: EventSeq, requests: Iterable[RequestRecord] = (), *, generation: int
    ) -> None:
        """Show a node that is new here, or has a new owner, with its requests that have not ended.

        What that owner has published meanwhile is newer and stays.
        """
        is_wanted = False
        with self._lock:
            before = self._nodes.get(state.record.uuid)
            if before is None or before.generation < generation:
                is_wanted = self._show(Published(state, seq, generation))
        self._tell_all(state, seq, requests, is_wanted=is_wanted)

    def publish(
        self,
        state: NodeState,
        seq: EventSeq,
        requests: Iterable[RequestRecord] = (),
        allocations: Iterable[AllocationWrite] = (),
        *,
        generation: int,
    ) -> None:
        """Show a node as it is after a commit, and the requests that the commit changed; tell who waited for them.

        The node of an owner who has been replaced, or a node that is gone, is not shown; what is on disk of its
        requests, and of its allocation, is.
        """
        is_wanted = False
        with self._lock:
            before = self._nodes.get(state.record.uuid)
            if before is not None and before.generation <= generation:
                is_wanted = self._show(Published(state, seq, generation), allocations)
            else:
                self.allocations.show(allocations)
        self._tell_all(state, seq, requests, is_wanted=is_wanted)

    def publish_request(self, request: RequestRecord, seq: EventSeq) -> None:
        """Show a request as it is after a commit; if it has ended, tell who waited for it. One that has ended stays."""
        told: list[Told] = []
        with self._lock:
            if request.state in FINAL_REQUEST_STATES:
                # In this order: whoever looks without the lock finds it in one place or the other.
                self._ended[request.id] = _remembered(request)
                self._close(request)
                self._running.pop(request.id, None)
                if len(self._ended) > MAX_ENDED:
                    self._ended.popitem(last=False)
                told = list(self._waiters.pop(request.id, {}).values())
                self._waiting -= len(told)
                told += self._followers.pop(request.id, [])
            elif request.id not in self._ended:
                if request.id not in self._open:
                    self._openers[identity_of(request.requester)] += 1
                self._open[request.id] = request
                if request.state is RequestState.RUNNING:
                    self._running[request.id] = request
        for tell in told:
            tell(request, seq)

    def remove(self, uuid: NodeUUID, seq: EventSeq) -> None:
        """Show a node no more. Idempotent."""
        with self._lock:
            gone = self._nodes.pop(uuid, None)
            self.census.move(None if gone is None else gone.state.record, None)
            self._forget_name(gone)
            self.market.drop(uuid)
            self._mark.show(uuid, seq)
            for told in self._attend:
                told(uuid, None)

    def node(self, name_or_uuid: str) -> Published | None:
        """Return a node by uuid or name, None if there is none."""
        uuid = self._names.get(NodeName(name_or_uuid), NodeUUID(name_or_uuid))
        return self._nodes.get(uuid)

    def page(self, *, after: str | None, limit: int) -> list[Published]:
        """Return up to `limit` nodes sorted by name, those behind the name `after`, which need not exist."""
        with self._lock:
            start = 0 if after is None else bisect_right(self._sorted, after)
            return [self._nodes[self._names[name]] for name in self._sorted[start : start + limit]]

    def nodes(self) -> list[Published]:
        """Return all nodes. O(all nodes)."""
        with self._lock:
            return list(self._nodes.values())

    def request(self, request_id: RequestID) -> RequestRecord | None:
        """Return a request that is open or ended lately; None if it is not here: the store may have it.

        One that has ended is without its trace, which the store has.
        """
        return self._open.get(request_id) or self._ended.get(request_id)

    def running(self) -> list[RequestRecord]:
        """Return the requests that have begun and not ended. O(those)."""
        with self._lock:
            return list(self._running.values())

    def open_count(self) -> int:
        """Return how many requests have not ended."""
        return len(self._open)

    def ended_count(self) -> int:
        """Return how many have ended since the start."""
        return self._ended_count

    def open_of(self, identity: str) -> int:
        """Return how many of them an identity asked for first."""
        return self._openers.get(identity, 0)

    def openers(self) -> list[str]:
        """Return the identities that asked for those that have not ended. O(identities)."""
        with self._lock:
            return list(self._openers)

    def most_open(self) -> tuple[int, str | None]:
        """Return how many have not ended of the identity that has most, and who it is. O(identities)."""
        with self._lock:
            return max(((count, identity) for identity, count in self._openers.items()), default=(0, None))

    def waiting(self) -> int:
        """Return how many clients wait for the end of a request."""
        return self._waiting

    def expect(self, request_id: RequestID, tell: Told) -> Withdraw:
        """Tell once a request has ended that is about to be submitted.

        Returns:
            A function that withdraws the wish; it returns whether nothing had been told yet.

        Raises:
            ConductorOverloaded: as many wait as may.
        """
        with self._lock:
            return self._add_waiter(request_id, tell)

    def wait(self, request_id: RequestID, tell: Told) -> Withdraw | None:
        """Tell once the request has ended: at once if it has, on this thread; see `expect`.

        Returns:
            None: it is not here; it ended too long ago, or never was.
        """
        with self._lock:
            ended = self._ended.get(request_id)
            if ended is None:
                return self._add_waiter(request_id, tell) if request_id in self._open else None
        tell(ended, self.seq)
        return _told_already

    def follow(self, request_id: RequestID, tell: Told) -> bool:
        """Tell once the request has ended, as `wait` does; for bulks, whose nodes have a bound of their own.

        Returns:
            False: it is not here, and nothing will be told.
        """
        with self._lock:
            ended = self._ended.get(request_id)
            if ended is None:
                if request_id not in self._open:
                    return False
                self._followers.setdefault(request_id, []).append(tell)
                return True
        tell(ended, self.seq)
        return True

    def _close(self, ended: RequestRecord) -> None:
        before = self._open.pop(ended.id, None)
        if before is None:
            return
        self.endings.note(ended)
        self._ended_count += 1
        identity = identity_of(before.requester)
        self._openers[identity] -= 1
        if not self._openers[identity]:
            del self._openers[identity]

    def _tell_all(self, state: NodeState, seq: EventSeq, requests: Iterable[RequestRecord], *, is_wanted: bool) -> None:
        """Tell whoever waits; without the lock."""
        if is_wanted:
            self.market.announce(state.record.uuid)
        for request in requests:
            self.publish_request(request, seq)

    def _show(self, published: Published, allocations: Iterable[AllocationWrite] = ()) -> bool:
        """Show a node, then what holds it, then up to where all is shown; return whether somebody waits for it."""
        record = published.state.record
        before = self._nodes.get(record.uuid)
        if before is not None and not allocations and stands_as(published.state, before.state):  # nearly always
            self._nodes[record.uuid] = published
            self._mark.show(record.uuid, published.seq)
            return False
        if before is None or before.state.record.name != record.name:
            self._forget_name(before)
            insort(self._sorted, record.name)
        self._nodes[record.uuid] = published
        self._names[record.name] = record.uuid
        self.allocations.show(allocations)
        is_unchanged = before is not None and stands_as(published.state, before.state)
        is_wanted = not is_unchanged and self.market.show(published.state)
        self._mark.show(record.uuid, published.seq)
        if before is None or before.state.record is not record:
            self.census.move(None if before is None else before.state.record, record)
            for told in self._attend:
                told(record.uuid, published)
        return is_wanted

    def _forget_name(self, gone: Published | None) -> None:
        if gone is None:
            return
        name = gone.state.record.name
        if self._names.get(name) == gone.state.record.uuid:
            del self._names[name]
        del self._sorted[bisect_left(self._sorted, name)]

    def _add_waiter(self, request_id: RequestID, tell: Told) -> Withdraw:
        if self._waiting >= self._max_waiters:
            raise ConductorOverloaded(
                f"{self._waiting} clients wait for requests, which is the limit. Poll with request.show instead.",
                details={"limit": self._max_waiters, "what": "waiters"},
                retry_after_s=1.0,
            )
        self._tickets += 1
        ticket = self._tickets
        self._waiters.setdefault(request_id, {})[ticket] = tell
        self._waiting += 1

        def withdraw() -> bool:
            with self._lock:
                waiters = self._waiters.get(request_id, {})
                if waiters.pop(ticket, None) is None:
                    return False
                if not waiters:
                    self._waiters.pop(request_id, None)
                self._waiting -= 1
                return True

        return withdraw


def _told_already() -> bool:
    return False


def _remembered(request: RequestRecord) -> RequestRecord:
    """Return what is kept here of a request that has ended: what answers show. Most of it was its trace."""
    arguments, requesters = whole_of(request.arguments), whole_of(request.requesters)
    return replace(request, trace=(), arguments=arguments, requesters=requesters)
