"""The keeper of allocations: the one actor that finds a node for each, and gives it back.

A thin shell around `core.allocations`. For each allocation one thing is under way at a time: it is written, or a node
is asked. A node that is asked is kept from others meanwhile, so that each node is asked by one at a time; the node's
actor decides, in one commit of the node and the allocation. What is said of an allocation while something is under way
waits for its outcome. If the actor fails, a successor takes its seat: what there is, is in the register and on disk,
and what is under way is handed over. Blocks never.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Final, assert_never

from castiron.actors.allocations.judging import (
    already_there,
    changeable,
    first_of,
    not_written,
    too_many_changes,
)
from castiron.actors.allocations.messages import (
    Answered,
    Asking,
    CreateAllocation,
    DeleteAllocation,
    Expired,
    Freed,
    Holding,
    KeepersMessage,
    Kind,
    Resume,
    SetAllocation,
    Step,
    UsersMessage,
    Writing,
    Written,
)
from castiron.actors.allocations.search import RETRY_S, Found, Search, Stay
from castiron.actors.asking import Asked
from castiron.actors.core.allocations import ledger
from castiron.actors.core.allocations.offers import Count
from castiron.actors.core.messages import Claim, Release
from castiron.actors.delivery import deliver, node_not_found
from castiron.actors.dispatch.clock import Timer
from castiron.actors.dispatch.pooled import DispatchedActor, failure_text, leftovers_of
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Seat
from castiron.store.errors import StoreError
from castiron.store.records import (
    AllocationInsert,
    AllocationRecord,
    AllocationRemove,
    AllocationUpdate,
    Change,
    Commit,
)
from castiron.transport.errors import CastironError, InternalError
from castiron.transport.vocabulary import (
    AllocationState,
    AllocationUUID,
    Applied,
    EventSeq,
    EventType,
    Instant,
    NodeUUID,
)

log = logging.getLogger(__name__)

MAX_PENDING: Final = 8
"""Changes of one allocation that wait for what is under way, which takes milliseconds."""

Underway = Mapping[AllocationUUID, Step]

Failed = Callable[[str, Underway, list[Any]], None]
"""Told why the keeper ended, what it had under way, and what it had not looked at."""


class Keeper(DispatchedActor):
    """Keeps all allocations of a conductor.

    Args:
        seat: its own, where outcomes find it or its successor.
        underway: what a predecessor had under way.
        failed: told when it ends, for whatever reason.
    """

    def __init__(self, services: Services, seat: Seat, underway: Underway, failed: Failed) -> None:
        super().__init__(dispatcher=services.dispatcher, inbox_limit=services.settings.fleet_mailbox_limit)
        self._services = services
        self._seat = seat
        self._failed = failed
        self._register = services.board.allocations
        self._market = services.board.market
        self._search = Search(services.board, services.rng.randrange)
        self._timers: dict[AllocationUUID, Timer] = {}
        self._pending: dict[AllocationUUID, deque[UsersMessage]] = {}
        self._in_hand: KeepersMessage | None = None
        self._underway: dict[AllocationUUID, Step] = {uuid: self._inherited(step) for uuid, step in underway.items()}
        claims = [step for step in underway.values() if isinstance(step, Asking) and step.ticket is not None]
        self._market.reserve_only({step.node for step in claims})  # what is being given back was never reserved

    def on_start(self) -> None:
        """See to it that everybody is looked for who has no node yet."""
        for record in self._register.all():
            if record.state is AllocationState.ALLOCATING and record.uuid not in self._underway:
                self._seat.tell(Resume(record.uuid))

    def on_receive(self, message: KeepersMessage) -> None:
        """Decide about a message. Runs on a dispatcher thread; never blocks."""
        self._in_hand = message
        match message:
            case CreateAllocation() | SetAllocation() | DeleteAllocation():
                self._take(message)
            case Written():
                self._written(message)
            case Answered():
                self._answered(message)
            case Freed(node=node):
                self._offer(node, is_anew=True)
            case Resume(uuid=uuid) | Expired(uuid=uuid):
                self._look(uuid)
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(message)
        self._in_hand = None

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer whoever asked for what it failed at, and hand everything else over to a successor."""
        del traceback
        reason, message = failure_text(exception_type, exception_value), self._in_hand
        asked = message.asked if isinstance(message, UsersMessage) else None
        if isinstance(message, (Written, Answered)):  # its outcome is known: a successor takes it from the register
            step = self._underway.pop(message.uuid, None)
            asked = None if step is None else step.asked
        self._end(reason)
        if asked is not None:  # answered last: who asks again finds a successor
            self._give_up(asked, reason)

    def on_stop(self) -> None:
        """Hand everything over."""
        self._end("it was stopped")

    def _end(self, reason: str) -> None:
        for timer in self._timers.values():
            timer.cancel()
        pending = [message for waiting in self._pending.values() for message in waiting]
        self._failed(reason, self._underway, [*leftovers_of(self.actor_ref), *pending])

    def _give_up(self, asked: Asked, reason: str) -> None:
        error_id = self._services.new_id()
        log.error(
            "%s: the keeper of allocations failed at a message: %s", error_id, reason, extra={"error_id": error_id}
        )
        text = "The keeper of allocations failed at this message and is replaced; the conductor's log says why."
        asked.refused(InternalError(text, applied=Applied.UNKNOWN, error_id=error_id), self._seq)

    # What users want.

    def _take(self, message: UsersMessage) -> None:
        try:
            match message:
                case CreateAllocation():
                    self._create(message)
                case SetAllocation() | DeleteAllocation():
                    self._change(message)
        except CastironError as error:
            message.asked.refused(error, self._seq)

    def _create(self, message: CreateAllocation) -> None:
        record = first_of(self._services, message.verb, message.requester)
        if record.uuid in self._underway:
            raise already_there(None, record.uuid)
        event = ledger.event(
            EventType.ALLOCATION_CREATE_START,
            record,
            message.requester,
            record.created_at,
            deadline_at=record.deadline_at,
        )
        change = Change(allocations=(AllocationInsert(record=record),), events=(event,))
        self._write(change, Writing(kind=Kind.CREATE, record=record, asked=message.asked))

    def _change(self, message: SetAllocation | DeleteAllocation) -> None:
        record = changeable(self._register, message.verb, message.requester)
        if record.uuid in self._underway:
            pending = self._pending.setdefault(record.uuid, deque())
            if len(pending) >= MAX_PENDING:
                raise too_many_changes(record, MAX_PENDING)
            pending.append(message)
        elif isinstance(message, SetAllocation):
            self._set(record, message)
        else:
            self._delete(record, message)

    def _set(self, record: AllocationRecord, message: SetAllocation) -> None:
        changes = ledger.amended(record, message.verb)
        if not changes:
            return message.asked.answered(ledger.allocation_view(record), self._seq)
        now = self._services.clock.now()
        after = ledger.updated(record, now, **changes)
        told = ledger.amendment_told(record, changes)
        event = ledger.event(EventType.ALLOCATION_UPDATE_END, after, message.requester, now, **told)
        change = Change(allocations=(AllocationUpdate(record=after),), events=(event,))
        return self._write(change, Writing(kind=Kind.SET, record=after, asked=message.asked))

    def _delete(self, record: AllocationRecord, message: DeleteAllocation) -> None:
        if record.node_uuid is not None:
            reply_to = Holding(self._seat, record.uuid, record.node_uuid)
            release = Release(allocation_uuid=record.uuid, requester=message.requester, reply_to=reply_to)
            step = Asking(node=record.node_uuid, record=record, asked=message.asked)
            return self._ask(record.uuid, step, release)
        now = self._services.clock.now()
        gone = AllocationRemove(uuid=record.uuid, revision=record.revision)
        change = Change(allocations=(gone,), events=ledger.gone(record, message.requester, now))
        return self._write(change, Writing(kind=Kind.REMOVE, record=record, asked=message.asked))

    # What has come of it.

    def _write(self, change: Change, writing: Writing) -> None:
        uuid = writing.record.uuid
        self._underway[uuid] = writing
        self._services.writer.submit(change, partial(_tell_written, self._seat, uuid, writing))

    def _written(self, message: Written) -> None:
        writing, outcome = message.writing, message.outcome
        if not isinstance(outcome, Commit):
            if writing.asked is not None:
                writing.asked.refused(not_written(writing.record, outcome), self._seq)
            if writing.kind is Kind.FAIL:  # it still looks for a node, and is to be told once more that there is none
                self._later(self._services.clock.now() + RETRY_S, Resume(message.uuid))
                return self._over(message.uuid)
        else:
            if writing.asked is not None:
                writing.asked.answered(ledger.allocation_view(writing.record), outcome.seq)
            if writing.kind in {Kind.REMOVE, Kind.FAIL}:
                self._is_settled(writing.record)
        self._over(message.uuid)
        return self._look(message.uuid)

    def _ask(self, uuid: AllocationUUID, step: Asking, message: Claim | Release) -> None:
        self._underway[uuid] = step
        published = self._services.board.node(step.node)
        try:
            if published is None:
                raise node_not_found(step.node)
            deliver(self._services, published.state, message)
        except CastironError as error:
            self._seat.tell(Answered(uuid=uuid, node=step.node, error=error, seq=self._seq))

    def _answered(self, message: Answered) -> None:
        step = self._underway.get(message.uuid)
        if not isinstance(step, Asking) or step.node != message.node:
            return
        if step.ticket is None:
            self._released(message, step)
        else:
            self._claimed(message, step, step.ticket)

    def _released(self, message: Answered, step: Asking) -> None:
        if step.asked is not None and message.error is not None:
            step.asked.refused(message.error, message.seq)
        elif step.asked is not None:
            step.asked.answered(ledger.allocation_view(step.record), message.seq)
        self._over(message.uuid)

    def _claimed(self, message: Answered, step: Asking, ticket: int) -> None:
        is_left_over = self._market.release(step.node)
        if message.error is None:
            self._is_settled(step.record)
        else:
            self._search.refused(message.uuid, step.node, message.error)
        self._over(message.uuid)
        self._look(message.uuid)
        if is_left_over:
            self._offer(step.node, is_anew=False)
        for uuid in self._search.ended(step.record, ticket):
            self._look(uuid)

    def _over(self, uuid: AllocationUUID) -> None:
        """Take what has waited for the end of what was under way."""
        self._underway.pop(uuid, None)
        while uuid not in self._underway and (pending := self._pending.get(uuid)):
            message = pending.popleft()
            self._take(message)
        if not self._pending.get(uuid):
            self._pending.pop(uuid, None)

    def _is_settled(self, record: AllocationRecord) -> None:
        """Forget what was done to find a node, and tell whoever waits that it was found, or is not looked for."""
        self._search.settled(record)
        timer = self._timers.pop(record.uuid, None)
        if timer is not None:
            timer.cancel()
        self._register.tell(record.uuid)

    # How a node is found.

    def _look(self, uuid: AllocationUUID, preferred: NodeUUID | None = None) -> None:
        """Look for a node, if the allocation has none and nothing is under way for it."""
        record, now = self._register.get(uuid), self._services.clock.now()
        if record is None or record.state is not AllocationState.ALLOCATING or uuid in self._underway:
            return
        match self._search.look(record, now, preferred):
            case Found(node=node, ticket=ticket):
                claim = Claim(allocation=record, reply_to=Holding(self._seat, uuid, node))
                self._ask(uuid, Asking(node=node, record=record, ticket=ticket), claim)
            case Stay(again_at=again_at):
                if again_at is not None:
                    self._later(again_at, Resume(uuid))
                if record.deadline_at is not None and uuid not in self._timers:
                    self._timers[uuid] = self._later(record.deadline_at, Expired(uuid))
            case Count() as count:
                self._fail(record, count, now)

    def _fail(self, record: AllocationRecord, count: Count, now: Instant) -> None:
        error = ledger.shortage(record, count, now)
        after = ledger.failed(record, error, now)
        event = ledger.event(EventType.ALLOCATION_CREATE_ERROR, after, record.requester, now, error=error.to_wire())
        change = Change(allocations=(AllocationUpdate(record=after),), events=(event,))
        self._write(change, Writing(kind=Kind.FAIL, record=after))

    def _offer(self, node: NodeUUID, *, is_anew: bool) -> None:
        """Give a node that can be had to whoever has waited longest of those whom it suits."""
        uuid = self._search.next_for(node, self._underway, is_anew=is_anew)
        if uuid is not None:
            self._look(uuid, node)

    def _inherited(self, step: Step) -> Step:
        """Take over what a predecessor had under way: a node that is asked is kept from others."""
        if not isinstance(step, Asking) or step.ticket is None:
            return step
        return replace(step, ticket=self._search.inherit(step.record))

    def _later(self, at: float, message: Resume | Expired) -> Timer:
        return self._services.clock.call_at(Instant(at), partial(self._seat.tell, message))

    @property
    def _seq(self) -> EventSeq:
        return self._services.board.seq


def _tell_written(seat: Seat, uuid: AllocationUUID, writing: Writing, outcome: Commit | StoreError) -> None:
    """Bring the outcome to whoever keeps allocations now. Runs on the writer's thread."""
    seat.tell(Written(uuid=uuid, writing=writing, outcome=outcome))
