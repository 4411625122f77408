"""Why a node does not take something now.

One function an obstacle: each returns the error that says so, or None. The node's decisions ask them, and so do the
views, which tell beforehand what would be refused. May come in: a new obstacle. Must not: what is done about it.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from castiron.actors.core.messages import Amendment
from castiron.actors.core.provision.courses import EVENTS_OF
from castiron.actors.core.provision.states import WORKING, after
from castiron.actors.core.requests.compatibility import (
    ADMITTANCE,
    HINDRANCES,
    PROVISION,
    SET_WAY,
    Hindrance,
    condition_of,
    conflicting,
)
from castiron.actors.core.requests.guards import guarded_whole
from castiron.actors.core.state import NodeState
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.errors import (
    CastironError,
    MailboxFull,
    NodeAllocated,
    NodeInMaintenance,
    NodeLocked,
    NodeStateInvalid,
    RevisionStale,
)
from castiron.transport.verbs import VERBS, NodeDelete, NodeRequest, tag_of
from castiron.transport.vocabulary import Fault, Instant, ProvisionState, ProvisionTarget
from castiron.transport.vocabulary import ProvisionEvent as On

RETRY_AFTER_S: Final = 1.0
"""For a place in a node's line: the fastest requests are over by then."""

UNDER_WAY: Final = frozenset(WORKING | {to for at in WORKING for to in (after(at, On.WAIT), after(at, On.HOLD)) if to})
"""States in which a request is under way; it is ended first."""

_BY_POLICY: Final = ", or ask with another policy: after, or supersede"

OTHERWISE: Final[Mapping[str, str]] = {
    tag_of(NodeDelete): ", or force the deletion: that one ends as failed then",
    SET_WAY: ", or abort it",
}
"""Verb without a policy → what else there is to do where a request is in its way."""

_DELETE: Final = tag_of(NodeDelete)

CONCERNED: Final = tuple(tag for tag, verb in VERBS.items() if issubclass(verb, NodeRequest) or tag in HINDRANCES)
"""The verbs that change a node or reach its BMC, in the order of the documents."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType(dict.fromkeys(CONCERNED))
"""What is in the way of each of them at a node that is free."""


def aside(record: NodeRecord) -> NodeInMaintenance | None:
    """Return why nobody answers for a node whose actor failed too often."""
    if record.fault is not Fault.ACTOR_FAILURE:
        return None
    return NodeInMaintenance(
        f"{record.name} was put aside: {record.last_error} "
        f"`castiron node maintenance unset {record.name}` tries it again.",
        details={"node": record.name, "reason": record.last_error, "fault": record.fault.value},
    )


def leaving(state: NodeState) -> NodeLocked | None:
    """Return why a node that is being deleted takes nothing more."""
    if not state.leaving:
        return None
    name = state.record.name
    return NodeLocked(
        f"{name} is being deleted.",
        details={"node": name, "request": None, "verb": "node.delete", "age_s": None, "requester": None},
    )


def held(state: NodeState) -> NodeAllocated | None:
    """Return why a node that somebody holds is not forgotten, but in maintenance or by force."""
    record = state.record
    if record.allocation_uuid is None or record.maintenance:
        return None
    return NodeAllocated(
        f"{record.name} is held by allocation {record.allocation_uuid}. Delete that first, put the node into "
        "maintenance, or force the deletion: the allocation ends with the node then.",
        details={"node": record.name, "allocation": record.allocation_uuid},
    )


def admittance(state: NodeState, tag: str) -> CastironError | None:
    """Return why a node that stands as it does takes no such verb."""
    is_taken, _ = ADMITTANCE[tag, condition_of(state.record, is_leaving=state.leaving)]
    return None if is_taken else leaving(state) or aside(state.record) or in_maintenance(state.record)


def misplaced(state: NodeState, target: ProvisionTarget) -> NodeStateInvalid | None:
    """Return why a node cannot be moved there from the state that it is in."""
    record = state.record
    at = record.provision_state
    if after(at, EVENTS_OF[target]) is not None and at not in UNDER_WAY:
        return None
    accepts = targets_of(at)
    allowed = f"It takes {', '.join(accepts)}." if accepts else "It takes nothing but abort while it is worked on."
    return NodeStateInvalid(
        f"{record.name} is {at}: {target} means nothing there. {allowed}",
        details={"node": record.name, "provision_state": at.value, "target": target.value, "accepts": list(accepts)},
    )


@cache  # of thirty states, whenever a node is shown
def targets_of(at: ProvisionState) -> tuple[ProvisionTarget, ...]:
    """Return what may be asked of a node in a state, and becomes a request."""
    return tuple(one for one in ProvisionTarget if after(at, EVENTS_OF[one]) is not None and at not in UNDER_WAY)


def in_maintenance(record: NodeRecord) -> NodeInMaintenance:
    """Return why a node in maintenance is not moved."""
    return NodeInMaintenance(
        f"{record.name} is in maintenance: {record.maintenance_reason or 'no reason given'}. "
        "End that first, or ask with `hold` to wait for its end.",
        details={"node": record.name, "reason": record.maintenance_reason, "fault": record.fault},
    )


def hindered(state: NodeState, tag: str, now: Instant) -> CastironError | None:
    """Return what is in the way of a verb that is decided at once; `tag` as in HINDRANCES."""
    if state.leaving:
        return leaving(state)
    match HINDRANCES[tag][0]:
        case Hindrance.OPEN if state.running is not None or state.queue:
            return busy_with(state, tag, state.running or state.queue[0], now)
        case Hindrance.STARTED if state.running is not None:
            return busy_with(state, tag, state.running, now)
        case _:
            return None


def busy_with(state: NodeState, tag: str, other: RequestRecord, now: Instant) -> NodeLocked:
    """Return the refusal of a verb that does not go together with another request; `tag` as in ADMITTANCE."""
    record = state.record
    age_s = max(0.0, now - other.accepted_at)  # the clock may have been set back while the conductor was down
    return NodeLocked(
        f"{record.name} is busy: {other.verb} from {other.requester}, {age_s:.1f} s ago, is not finished. "
        f"Wait for request {other.id}{OTHERWISE.get(tag, _BY_POLICY)}.",
        details={
            "node": record.name,
            "request": other.id,
            "verb": other.verb,
            "age_s": age_s,
            "requester": other.requester,
            "power_state": record.power_state,
            "maintenance": record.maintenance,
            "accepts": [tag for tag, obstacle in obstacles(state).items() if obstacle is None],
        },
    )


def crowded(state: NodeState, count: int, limit: int, what: str = "node_queue") -> MailboxFull | None:
    """Return why a node takes no more where there are so many already; see `NodeState.queue_limit`."""
    if count < limit:
        return None
    return MailboxFull(
        f"{count} wait for {state.record.name}, and the limit is {limit}. Try again when one has ended.",
        details={"node": state.record.name, "limit": limit, "what": what},
        retry_after_s=RETRY_AFTER_S,
    )


def stale(record: NodeRecord, revision: int | None) -> RevisionStale | None:
    """Return why a change made for another revision of the node does not count; None where none was named."""
    have = record.revision
    if revision is None or revision == have:
        return None
    return RevisionStale(
        f"{record.name} has changed: its revision is {have}, not {revision}. Read it again and decide anew.",
        details={"node": record.name, "have": have, "want": revision},
    )


def overtaken(record: NodeRecord, amendment: Amendment) -> NodeLocked | None:
    """Return why a change made of what the node had does not count: a step, or an inspection, has changed it since.

    It was made from what is on disk, and what the node has decided may not be there yet: a new BMC password, say.
    """
    fields = amendment.outdated(record)
    if not fields:
        return None
    return NodeLocked(
        f"{record.name}: {', '.join(fields)} became another one in this moment. Try again.",
        details={"node": record.name, "request": None, "verb": "node.set", "age_s": None, "requester": None},
    )


def obstacles(state: NodeState) -> Mapping[str, RequestRecord | CastironError | None]:
    """Return for each verb that concerns a node what is in its way now: a refusal, or a request that has not ended.

    Of requests it is told for strict ones that are like none of those that have not ended.
    """
    return NOTHING if is_free(state) else {tag: _obstacle(state, tag) for tag in CONCERNED}


def is_free(state: NodeState) -> bool:
    """Return whether nothing can be in the way of anything: so it is of nearly all nodes, whenever one is shown.

    A verb that is judged by itself costs 0.6 µs, and there are a dozen of them: half of what a view takes.
    """
    record = state.record
    is_marked = record.maintenance or record.protected or record.retired or record.disable_power_off or state.leaving
    if is_marked or record.lock is not None or record.fault is not None or record.allocation_uuid is not None:
        return False
    return not state.queue and state.running is None and bool(targets_of(record.provision_state))


def _obstacle(state: NodeState, tag: str) -> RequestRecord | CastironError | None:
    refusal = admittance(state, tag) or guarded_whole(state.record, tag)
    if refusal is not None:
        return refusal
    if tag == _DELETE and held(state) is not None:
        return held(state)
    if tag == PROVISION and state.running is None and not targets_of(state.record.provision_state):
        return misplaced(state, ProvisionTarget.DEPLOY)
    if tag not in HINDRANCES:
        return conflicting(state, tag) or crowded(state, len(state.queue), state.queue_limit)
    return None if HINDRANCES[tag][0] is not Hindrance.STARTED else state.running
