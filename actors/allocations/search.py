"""How nodes are found: drawn from those that can be had, waited for in line, or given up.

What the keeper of allocations knows of the searches that are going on; none of it is on disk, and a successor begins
them anew. Only the keeper's thread.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from castiron.actors.core.allocations.fitness import wish_of
from castiron.actors.core.allocations.lines import Lines
from castiron.actors.core.allocations.offers import Choose, Count
from castiron.actors.core.allocations.races import Races
from castiron.actors.published.board import Board
from castiron.store.records import AllocationRecord
from castiron.transport.errors import CapacityError, CastironError, InternalError
from castiron.transport.vocabulary import AllocationUUID, Instant, NodeUUID

RETRY_S: Final = 0.5
"""Until a node is asked again that could not answer; doubled each time. Actors are replaced within two seconds."""

MAX_ROUNDS: Final = 6
"""After so many times, half a minute in all, what refuses for the moment counts as what cannot be had."""


@dataclass(frozen=True, slots=True)
class Found:
    """A node that can be had, and is kept from others until its answer has been noted."""

    node: NodeUUID
    ticket: int


@dataclass(frozen=True, slots=True)
class Stay:
    """There is none now, and there may be."""

    again_at: Instant | None
    """When to look again by the clock; None: it is told when there is something to look for."""


@dataclass(slots=True)
class _Attempt:
    tried: dict[NodeUUID, None] = field(default_factory=dict[NodeUUID, None])
    """Nodes that have refused."""
    is_for_now: bool = False
    """One of them did so only for the moment."""
    rounds: int = 0


class Search:
    """The searches of one conductor.

    Args:
        board: where nodes are published.
        choose: draws one of several.
    """

    def __init__(self, board: Board, choose: Choose) -> None:
        self._board = board
        self._choose = choose
        self._lines = Lines()
        self._races = Races()
        self._attempts: dict[AllocationUUID, _Attempt] = {}

    def look(self, record: AllocationRecord, now: Instant, preferred: NodeUUID | None = None) -> Found | Stay | Count:
        """Look for a node.

        Returns:
            A node; or that it is waited for; or, where it is not, how many nodes lack what.
        """
        attempt = self._attempts.setdefault(record.uuid, _Attempt())
        wanted = preferred or self._namesake(record)
        found = self._board.market.draw(wish_of(record), self._choose, attempt.tried, wanted)
        if isinstance(found, Count):
            return self._without(record, attempt, found, now)
        self._leave_line(record)
        return Found(found, self._races.begin(record.resource_class))

    def inherit(self, record: AllocationRecord) -> int:
        """Take over a claim that a predecessor has begun, and return its ticket here."""
        return self._races.begin(record.resource_class)

    def refused(self, uuid: AllocationUUID, node: NodeUUID, error: CastironError) -> None:
        """Note that a node could not be had after all."""
        attempt = self._attempts.setdefault(uuid, _Attempt())
        attempt.tried[node] = None
        attempt.is_for_now |= isinstance(error, (CapacityError, InternalError))

    def ended(self, record: AllocationRecord, ticket: int) -> list[AllocationUUID]:
        """Note that a claim has an outcome; return those who have waited for it, and need not any more."""
        return self._races.end(record.resource_class, ticket)

    def settled(self, record: AllocationRecord) -> None:
        """Forget a search that is over. Idempotent."""
        self._leave_line(record)
        self._attempts.pop(record.uuid, None)

    def next_for(self, node: NodeUUID, busy: Container[AllocationUUID], *, is_anew: bool) -> AllocationUUID | None:
        """Return who has waited longest of those whom a node suits; None: nobody.

        Args:
            busy: not these.
            is_anew: the node has changed, so it is asked again by those whom it has refused.
        """
        resource_class = self._board.market.class_of(node)
        if resource_class is None:
            return None

        def suits(uuid: AllocationUUID) -> bool:
            record = self._board.allocations.get(uuid)
            tried = self._attempts[uuid].tried if uuid in self._attempts else {}
            may_ask = uuid not in busy and (is_anew or node not in tried)
            return record is not None and may_ask and self._board.market.is_for(node, wish_of(record))

        uuid = self._lines.first(resource_class, suits)
        if uuid is not None and uuid in self._attempts:
            self._attempts[uuid].tried.pop(node, None)
        return uuid

    def _without(self, record: AllocationRecord, attempt: _Attempt, count: Count, now: Instant) -> Stay | Count:
        is_patient = record.deadline_at is not None and now < record.deadline_at
        is_late = record.deadline_at is not None and not is_patient
        is_again = attempt.is_for_now and attempt.rounds < MAX_ROUNDS and not is_late
        if not is_patient and not is_again and (is_late or not count.reserved):
            self.settled(record)
            return count
        self._lines.join(record)
        if is_again:
            self._attempts[record.uuid] = _Attempt(rounds=attempt.rounds + 1)
            return Stay(Instant(now + RETRY_S * 2**attempt.rounds))
        if not is_patient:
            self._races.watch(record.resource_class, record.uuid)
        return Stay(None)

    def _leave_line(self, record: AllocationRecord) -> None:
        if self._lines.leave(record):
            self._board.market.unwant(record.resource_class)

    def _namesake(self, record: AllocationRecord) -> NodeUUID | None:
        """Return the node of the same name: whoever names allocations as nodes means it, as Ironic has it."""
        published = None if record.name is None else self._board.node(record.name)
        return None if published is None else published.state.record.uuid
