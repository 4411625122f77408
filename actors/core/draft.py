"""A decision while it is being made: what has been gathered so far.

Lives for one call of `decide` and never leaves it; so the decision functions stay short, and pure for everybody else.
"""

from collections.abc import Mapping
from typing import Any, Final

from castiron.actors.core.effects import AcquirePermit, Decision, Effect, ReleasePermit
from castiron.actors.core.requests.callbacks import callbacks_of
from castiron.actors.core.state import NodeState, Ticket
from castiron.store.records import AllocationWrite, Change, EventDraft, KeyRecord, NodeRemove, NodeUpdate, RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.verbs import NodeProvisionSet, tag_of
from castiron.transport.vocabulary import EventType, Instant, NodeSeq, RequestID, Revision

PROVISION: Final = tag_of(NodeProvisionSet)


class Draft:
    """Gathers the new state, the effects, and what must be on disk before them."""

    def __init__(self, state: NodeState, now: Instant) -> None:
        self._before = state
        self.state = state
        """All but what stands below, which joins it at the end: copies of a state are what a decision costs."""
        self.check = state.check
        self.now = now
        self._tickets = state.tickets
        self._effects: list[Effect] = []
        self._requests: dict[RequestID, RequestRecord] = {}
        self._events: list[EventDraft] = []
        self._keys: list[KeyRecord] = []
        self._allocations: list[AllocationWrite] = []
        self._commit = False
        self._removed = False

    def order(self, *effects: Effect) -> None:
        """Add effects, in this order."""
        self._effects.extend(effects)

    def ticket(self) -> Ticket:
        """Give out a ticket."""
        self._tickets += 1
        return Ticket(self._tickets)

    def record(self, **changes: Any) -> None:
        """Change the node's record, and see to it that it is committed."""
        self.state = self.state.recording(**changes)
        self._commit = True

    def keep(self, request: RequestRecord) -> None:
        """See to it that the request is committed as it is now."""
        self._requests[request.id] = request
        self._commit = True

    def enqueue(self, request: RequestRecord) -> None:
        """Put a request that has been taken on behind those that wait, and see to it that it is committed."""
        self.keep(request)
        self.state = replace(self.state, queue=(*self.state.queue, request))

    def tend_permit(self) -> None:
        """Bring the permit in step with what is first now: after every decision, whatever has changed."""
        first, permit = self.state.first, self.state.permit
        wanted = None if first is None else first.id
        if wanted == permit:
            return
        if permit is not None:
            self.order(ReleasePermit(permit))
        if first is not None:
            needs_engine = first.verb == PROVISION and self.state.interrupted is None
            self.order(
                AcquirePermit(
                    first.id, first.verb, _target(first), needs_engine=needs_engine, requester=first.requester
                )
            )
        self.state = replace(self.state, permit=wanted)

    def kept(self, request_id: RequestID) -> RequestRecord:
        """Return a request as this decision leaves it, which has changed it."""
        return self._requests[request_id]

    def note(self, key: KeyRecord) -> None:
        """See to it that an idempotency key is committed."""
        self._keys.append(key)
        self._commit = True

    def hold(self, allocation: AllocationWrite) -> None:
        """See to it that what becomes of the node's allocation is committed with it."""
        self._allocations.append(allocation)
        self._commit = True

    def remove(self) -> None:
        """See to it that the node is removed from the store."""
        self._commit = self._removed = True

    def tell(self, event: EventType, payload: Mapping[str, Any], request: RequestRecord | None = None) -> None:
        """Add an event."""
        record = self.state.record
        self._events.append(
            EventDraft(
                type=event,
                at=self.now,
                node_uuid=record.uuid,
                node_name=record.name,
                request_id=None if request is None else request.id,
                payload=payload,
            )
        )
        self._commit = True

    def finish(self) -> Decision:
        """Return the decision: one change at the most, with the record's counters moved on."""
        if not self._commit:
            if self.check is not self.state.check or self._tickets != self.state.tickets:
                self.state = replace(self.state, check=self.check, tickets=self._tickets)
            return Decision(self.state, tuple(self._effects))
        record = self.state.record
        numbered = replace(
            record,
            revision=record.revision if self._removed else Revision(record.revision + 1),
            node_seq=NodeSeq(record.node_seq + len(self._events)),
            updated_at=self.now,
        )
        self.state = replace(self.state, record=numbered, check=self.check, tickets=self._tickets)
        before = self._before
        change = Change(
            node=NodeRemove(record=numbered) if self._removed else NodeUpdate(record=numbered, before=before.record),
            requests=tuple(self._requests.values()),
            before={one.id: one for one in before.open if one.id in self._requests},
            events=tuple(self._events),
            keys=tuple(self._keys),
            outbox=callbacks_of(self._requests.values(), numbered),
            allocations=tuple(self._allocations),
        )
        return Decision(self.state, tuple(self._effects), change)


def _target(request: RequestRecord) -> str | None:
    """Return where a request is to move its node; None: it does not."""
    return request.arguments["target"] if request.verb == PROVISION else None
