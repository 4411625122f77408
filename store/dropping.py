"""Ends every open request of a store that no conductor has: who restores an old backup may want none of them any more.

What waits is cancelled. What had begun has failed, and nobody knows whether it was applied. Each start that was told
gets its error, the node is on its way nowhere, and all of it is one transaction. May come in: how requests end without
an actor. Must not: what an actor decides.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from castiron.store.errors import StoreError
from castiron.store.files import must_be_there
from castiron.store.records import Change, EventDraft, NodeRecord, NodeUpdate, RequestRecord
from castiron.store.store import Store
from castiron.transport.vocabulary import (
    ANNOUNCED,
    Applied,
    EventType,
    Instant,
    NodeSeq,
    NodeUUID,
    RequestState,
    Revision,
)

_BOOT_WORDS: Final = ("boot_device", "persistent", "uefi")

Why = Callable[[RequestRecord, Applied], Mapping[str, Any]]
"""The error of a request that is dropped, in the form of the wire, given what is known of whether it was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What has ended."""

    cancelled: int
    """Requests that waited."""
    failed: int
    """Requests that had begun."""


def drop_requests(
    store_path: Path, key_path: Path | None, *, now: Instant, why: Why, new_id: Callable[[], str]
) -> Dropped:
    """End all requests that have not ended. Blocks until that is on disk; idempotent.

    Args:
        store_path: the store.
        key_path: its key file; None: `<store_path>.key`.
        now: when they end.
        why: their errors.
        new_id: as of Store.open.

    Raises:
        StoreUnusable: there is no such store, a conductor has it, or it is damaged.
        SecretsUnreadable: the key file is not the store's.
        StoreUnwritable: the disk does not let us. Nothing has changed.
    """
    path = store_path.resolve()
    must_be_there(path)
    store = Store.open(path, key_path=key_path, new_id=new_id)
    try:
        of_nodes: dict[NodeUUID, list[RequestRecord]] = defaultdict(list)
        for request in store.open_requests():
            of_nodes[request.node_uuid].append(request)
        changes = [_change(node, of_nodes[node.uuid], now, why) for node in store.nodes() if node.uuid in of_nodes]
        for outcome in store.committer.commit(changes):
            if isinstance(outcome, StoreError):
                raise outcome
    finally:
        store.close()
    states = [request.state for change in changes for request in change.requests]
    return Dropped(cancelled=states.count(RequestState.CANCELLED), failed=states.count(RequestState.FAILED))


def _change(node: NodeRecord, requests: Sequence[RequestRecord], now: Instant, why: Why) -> Change:
    ended = tuple(_ended(request, now, why) for request in requests)
    events = tuple(
        _told(request, node, now) for request in ended if not request.started_at or request.verb in ANNOUNCED
    )
    record = replace(
        node,
        target_power_state=None,
        updated_at=now,
        revision=Revision(node.revision + 1),
        node_seq=NodeSeq(node.node_seq + len(events)),
    )
    return Change(node=NodeUpdate(record=record), requests=ended, events=events)


def _ended(request: RequestRecord, now: Instant, why: Why) -> RequestRecord:
    begun = request.started_at is not None
    applied = Applied.UNKNOWN if begun and request.verb in ANNOUNCED else Applied.NO
    return replace(
        request,
        state=RequestState.FAILED if begun else RequestState.CANCELLED,
        applied=applied,
        ended_at=now,
        error=why(request, applied),
        progress={},
    )


def _told(request: RequestRecord, node: NodeRecord, now: Instant) -> EventDraft:
    of_power = {"to_power": node.target_power_state, "power_state": node.power_state}
    of_boot = {word: request.arguments.get(word) for word in _BOOT_WORDS}
    of_waiting = {"verb": request.verb, "state": request.state.value}
    event = EventType.REQUEST_END if request.started_at is None else ANNOUNCED[request.verb].error
    kinds: dict[EventType, dict[str, Any]] = {EventType.REQUEST_END: of_waiting, EventType.POWER_SET_ERROR: of_power}
    of_what = kinds.get(event, of_boot)
    return EventDraft(
        type=event,
        at=now,
        node_uuid=node.uuid,
        node_name=node.name,
        request_id=request.id,
        payload={"requester": request.requester, **of_what, "error": request.error},
    )
