"""Why a node does not take a request now.

One function an obstacle: each returns the error that says so, or None. The node's decisions ask them, and so do the
views, which tell beforehand what would be refused. May come in: a new obstacle. Must not: what is done about it.
"""

from castiron.actors.core.state import NodeState
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.errors import NodeInMaintenance, NodeLocked, RevisionStale
from castiron.transport.vocabulary import Fault, Instant


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


def locked(state: NodeState, now: Instant) -> NodeLocked | None:
    """Return why a node with a request that has not ended takes no other."""
    return leaving(state) if state.first is None else _busy_with(state, state.first, now)


def running(state: NodeState, now: Instant) -> NodeLocked | None:
    """Return why a node whose machine a request may have touched is not forgotten; one that waits does not count."""
    return None if state.running is None else _busy_with(state, state.running, now)


def _busy_with(state: NodeState, first: RequestRecord, now: Instant) -> NodeLocked:
    name = state.record.name
    age_s = max(0.0, now - first.accepted_at)  # the clock may have been set back while the conductor was down
    return NodeLocked(
        f"{name} is busy: {first.verb} from {first.requester}, {age_s:.1f} s ago, is not finished. "
        f"Wait for request {first.id}, or try again later.",
        details={
            "node": name,
            "request": first.id,
            "verb": first.verb,
            "age_s": age_s,
            "requester": first.requester,
        },
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
