"""What an allocation is made of, and what is told of it: records, events, views, and why no node could be had. Pure.

May come in: another thing that is said of an allocation. Must not: which node it gets.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from castiron.actors.core.allocations.offers import Count
from castiron.actors.core.audit import told_changes
from castiron.store.records import AllocationRecord, EventDraft
from castiron.store.records.copying import replace
from castiron.transport.errors import AllocationFailed, ArgumentInvalid
from castiron.transport.replies import AllocationView
from castiron.transport.requester import identity_of
from castiron.transport.verbs import AllocationCreate, AllocationSet, to_map
from castiron.transport.vocabulary import AllocationState, AllocationUUID, EventType, Instant, NodeUUID, Revision

MAX_EXTRA_BYTES: Final = 65_536
"""What an allocation's extra may take as JSON, as a node's properties and extra."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Ids and circumstances of an allocation that is about to be made."""

    uuid: AllocationUUID
    candidates: tuple[NodeUUID, ...]
    requester: str
    now: Instant


def first_record(verb: AllocationCreate, newcomer: Newcomer) -> AllocationRecord:
    """Return the record of a new allocation."""
    deadline_at = None if verb.timeout_s is None else Instant(newcomer.now + verb.timeout_s)
    return AllocationRecord(
        uuid=newcomer.uuid,
        name=verb.name,
        resource_class=verb.resource_class,
        traits=tuple(sorted(set(verb.traits))),
        candidate_nodes=tuple(sorted(set(newcomer.candidates))),
        owner=identity_of(newcomer.requester),
        requester=newcomer.requester,
        extra=verb.extra,
        deadline_at=deadline_at,
        created_at=newcomer.now,
        updated_at=newcomer.now,
    )


def amended(record: AllocationRecord, verb: AllocationSet) -> dict[str, Any]:
    """Return the fields that become other ones, with their new values.

    Raises:
        ArgumentInvalid: extra would be too large.
    """
    given = to_map(verb)
    wanted: dict[str, Any] = {"name": given["name"]} if "name" in given else {}
    if "extra" in given:
        merged = {**record.extra, **given["extra"]}
        wanted["extra"] = {key: value for key, value in merged.items() if value is not None}
        _judge_size(record.extra, wanted["extra"])
    return {name: value for name, value in wanted.items() if value != getattr(record, name)}


def updated(record: AllocationRecord, now: Instant, **changes: Any) -> AllocationRecord:
    """Return the record after its next change."""
    return replace(record, **changes, updated_at=now, revision=Revision(record.revision + 1))


def failed(record: AllocationRecord, error: AllocationFailed, now: Instant) -> AllocationRecord:
    """Return the record of an allocation that gets no node."""
    return updated(record, now, state=AllocationState.ERROR, error=error.to_wire())


def told(record: AllocationRecord, requester: str) -> dict[str, Any]:
    """Return what every event tells of an allocation."""
    return {
        "requester": requester,
        "allocation": record.uuid,
        "name": record.name,
        "state": record.state.value,
        "resource_class": record.resource_class,
        "traits": list(record.traits),
        "candidate_nodes": list(record.candidate_nodes),
        "owner": record.owner,
        "node_uuid": record.node_uuid,
    }


def event(kind: EventType, record: AllocationRecord, requester: str, now: Instant, **details: Any) -> EventDraft:
    """Return an event of an allocation that is of no node."""
    return EventDraft(type=kind, at=now, payload={**told(record, requester), **details})


def amendment_told(before: AllocationRecord, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event tells of a change."""
    return {"changed": sorted(changes), "changes": told_changes(before, changes)}


def gone(record: AllocationRecord, requester: str, now: Instant) -> tuple[EventDraft, ...]:
    """Return what is told of an allocation without a node that is deleted; one that was looked for ends before."""
    payload = {"requester": requester, "allocation": record.uuid, "node_uuid": None, "reason": "deleted"}
    end = EventDraft(type=EventType.ALLOCATION_DELETE_END, at=now, payload=payload)
    if record.state is not AllocationState.ALLOCATING:
        return (end,)
    error = AllocationFailed("It was deleted before a node was found.", details={"allocation": record.uuid})
    return (event(EventType.ALLOCATION_CREATE_ERROR, record, requester, now, error=error.to_wire()), end)


def shortage(record: AllocationRecord, count: Count, now: Instant) -> AllocationFailed:
    """Return why an allocation gets no node, with how many nodes matched what."""
    matched = {"resource_class": count.of_class, "traits": count.suitable}
    if count.candidates is not None:
        matched["candidate_nodes"] = count.candidates
    details: dict[str, Any] = {
        "allocation": record.uuid,
        "resource_class": record.resource_class,
        "matched": matched,
        "hindered": dict(count.hindered),
    }
    is_late = record.deadline_at is not None and now >= record.deadline_at
    if is_late:
        details["deadline_at"] = record.deadline_at
    beginning = "No node could be had in time" if is_late else "No node can be had"
    return AllocationFailed(f"{beginning}: {_counted(record, count)}.", details=details)


def allocation_view(record: AllocationRecord) -> AllocationView:
    """Return the allocation as it stands."""
    error = None if record.error is None else dict(record.error)
    return AllocationView(
        uuid=record.uuid,
        name=record.name,
        state=record.state,
        node_uuid=record.node_uuid,
        resource_class=record.resource_class,
        traits=list(record.traits),
        candidate_nodes=list(record.candidate_nodes),
        owner=record.owner,
        extra=dict(record.extra),
        last_error=None if error is None else str(error.get("message")),
        error=error,
        deadline_at=record.deadline_at,
        created_at=record.created_at,
        updated_at=record.updated_at,
        revision=record.revision,
    )


def _counted(record: AllocationRecord, count: Count) -> str:
    kind = f"the resource class {record.resource_class}"
    if not count.of_class:
        return f"no node has {kind}"
    parts = [f"{_nodes(count.of_class)} {kind}"]
    if count.candidates is not None:
        parts.append(f"{count.candidates} of these were named")
    if record.traits:
        parts.append(f"{count.suitable} of these {_have(count.suitable)} the traits {', '.join(record.traits)}")
    hindered = [f"{number} {'is' if number == 1 else 'are'} {why}" for why, number in count.hindered]
    if hindered:
        parts.append(f"of these {', '.join(hindered)}")
    return "; ".join(parts)


def _nodes(number: int) -> str:
    return f"{number} {'node has' if number == 1 else 'nodes have'}"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _judge_size(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    size = _size_bytes(after)
    if size > MAX_EXTRA_BYTES and size > _size_bytes(before):
        raise ArgumentInvalid(
            f"extra would take {size} bytes; the limit is {MAX_EXTRA_BYTES}. Remove something first.",
            details={"path": "$.extra"},
        )


def _size_bytes(free: Mapping[str, Any]) -> int:
    return len(json.dumps(dict(free), ensure_ascii=False, default=str).encode())
