"""What can be asked of a store, as peewee's queries.

Queries only: who asks, and what rows become, is store's. None is bound to a database.
"""

from collections.abc import Collection
from typing import Any, Final

from peewee import fn

from castiron.store.records import Wanted
from castiron.store.sql import tables
from castiron.store.sql.rows import identity_of
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    EventSeq,
    EventType,
    Instant,
    NodeSeq,
    NodeUUID,
    RequestID,
    RequestState,
)

Query = Any
"""peewee's own types leave most of a query unknown, to type checkers too; here that is said once."""

_INFO: Final[Any] = tables.StoreInfo
_NODE: Final[Any] = tables.Node
_ALLOCATION: Final[Any] = tables.Allocation
_REQUEST: Final[Any] = tables.Request
_KEY: Final[Any] = tables.RequestKey
_CALLBACK: Final[Any] = tables.Callback
_RUNBOOK: Final[Any] = tables.Runbook
_EVENT: Final[Any] = tables.Event
_HISTORY: Final[Any] = tables.HistoryEvent

_ENDED_AT: Final = _REQUEST.ended_at + 0
"""In a list. The sum keeps it off the index of those that ended, which would be read and sorted as a whole: 255 ms for
100,000 requests, where the index of the list's own order takes 6 ms at the most."""

_OPEN: Final = sorted(set(RequestState) - FINAL_REQUEST_STATES)


def info(store_format: str) -> Query:
    """The row that says whose store this is."""
    return _INFO.select().where(_INFO.format == store_format)


def nodes() -> Query:
    """All nodes, sorted by name."""
    return _NODE.select().order_by(_NODE.name)


def node(uuid: NodeUUID) -> Query:
    """One node."""
    return _NODE.select().where(_NODE.uuid == uuid)


def allocations() -> Query:
    """All allocations, the oldest first."""
    return _ALLOCATION.select().order_by(_ALLOCATION.created_at, _ALLOCATION.uuid)


def request(request_id: RequestID) -> Query:
    """One request."""
    return _REQUEST.select().where(_REQUEST.id == request_id)


def key(text: str) -> Query:
    """One idempotency key."""
    return _KEY.select().where(_KEY.key == text)


def keys() -> Query:
    """All idempotency keys, nothing else of them."""
    return _KEY.select(_KEY.key)


def keys_of(request_ids: Collection[RequestID]) -> Query:
    """The idempotency keys of some requests."""
    return _KEY.select(_KEY.key).where(_KEY.request_id.in_(sorted(request_ids)))


def outbox() -> Query:
    """All calls that are owed, the longest owed first."""
    owed = _CALLBACK.select().where(_CALLBACK.ended_at.is_null())
    return owed.order_by(_CALLBACK.owed_since, _CALLBACK.seq, _CALLBACK.id)


def callbacks_of(request_id: RequestID) -> Query:
    """The calls that are or were owed for a request."""
    return _CALLBACK.select().where(_CALLBACK.request_id == request_id).order_by(_CALLBACK.id)


def accepted_at(request_id: RequestID) -> Query:
    """When a request was accepted: one column."""
    return _REQUEST.select(_REQUEST.accepted_at).where(_REQUEST.id == request_id)


def open_requests(node_uuid: NodeUUID | None = None) -> Query:
    """Requests that have not ended, the oldest first."""
    query = _REQUEST.select().where(_REQUEST.state.in_(_OPEN)).order_by(_REQUEST.accepted_at, _REQUEST.id)
    return query if node_uuid is None else query.where(_REQUEST.node_uuid == node_uuid)


def requests(wanted: Wanted, limit: int) -> Query:
    """Requests, the latest accepted first."""
    query = _REQUEST.select().order_by(_REQUEST.accepted_at.desc(), _REQUEST.id.desc()).limit(limit)
    conditions = [
        condition
        for value, condition in (
            (wanted.node_uuid, _REQUEST.node_uuid == wanted.node_uuid),
            (wanted.states, _REQUEST.state.in_(sorted(wanted.states or ()))),
            (wanted.verb, _REQUEST.verb == wanted.verb),
            (wanted.requester, _from(wanted.requester or "")),
            (wanted.error, _REQUEST.error_code == wanted.error),
            (wanted.accepted_since, _REQUEST.accepted_at >= wanted.accepted_since),
            (wanted.accepted_until, _REQUEST.accepted_at < wanted.accepted_until),
            (wanted.ended_since, wanted.ended_since <= _ENDED_AT),
            (wanted.ended_until, wanted.ended_until > _ENDED_AT),
        )
        if value is not None
    ]
    return query.where(*conditions) if conditions else query


def _from(requester: str) -> Any:
    """Those of an identity, whatever the peer called itself; or, with that, of the whole of it."""
    identity = identity_of(requester)
    found = _REQUEST.identity == identity
    return found if identity == requester else found & (_REQUEST.requester == requester)


def after(query: Query, at: Instant, request_id: RequestID) -> Query:
    """Of `requests`, those that come after a request which was accepted at `at`."""
    # The first condition alone can use the index; the second sorts out those of the same instant.
    return query.where(_REQUEST.accepted_at <= at, (_REQUEST.accepted_at < at) | (_REQUEST.id < request_id))


def ended_before(before: Instant) -> Query:
    """Ids of the requests that ended before an instant, the first ended first."""
    return _REQUEST.select(_REQUEST.id).where(_REQUEST.ended_at < before).order_by(_REQUEST.ended_at)


def events(
    since: EventSeq,
    until: EventSeq | None,
    limit: int,
    node_uuids: Collection[NodeUUID] | None,
    types: Collection[EventType] | None,
) -> Query:
    """Events after one number, up to and with another, in their order."""
    query = _EVENT.select().where(_EVENT.seq > since).order_by(_EVENT.seq).limit(limit)
    if until is not None:
        query = query.where(_EVENT.seq <= until)
    if node_uuids is not None:
        query = query.where(_EVENT.node_uuid.in_(sorted(node_uuids)))
    return query if types is None else query.where(_EVENT.type.in_(sorted(types)))


def history(node_uuid: NodeUUID, limit: int, before: NodeSeq | None, *, ring: bool) -> Query:
    """A node's events in the ring, or those that have left it, the latest first.

    Args:
        before: only those that have a lower number within the node.
    """
    table, order = (_EVENT, _EVENT.seq) if ring else (_HISTORY, _HISTORY.node_seq)
    query = table.select().where(table.node_uuid == node_uuid).order_by(order.desc()).limit(limit)
    return query if before is None else query.where(table.node_seq < before)


def runbooks() -> Query:
    """All runbooks, sorted by name."""
    return _RUNBOOK.select().order_by(_RUNBOOK.name)


def oldest_seq() -> Query:
    """The lowest event number, or None."""
    return _EVENT.select(fn.MIN(_EVENT.seq))


def latest_seq() -> Query:
    """The highest event number, or None."""
    return _EVENT.select(fn.MAX(_EVENT.seq))


def first_since(at: Instant) -> Query:
    """The number of the first event that is not older than an instant; no row if there is none."""
    return _EVENT.select(_EVENT.seq).where(_EVENT.at >= at).order_by(_EVENT.seq).limit(1)


def below(seq: EventSeq, limit: int) -> Query:
    """The numbers of the oldest events before one, and their nodes."""
    return _EVENT.select(_EVENT.seq, _EVENT.node_uuid).where(_EVENT.seq < seq).order_by(_EVENT.seq).limit(limit)


def node_secrets(after_uuid: str, limit: int) -> Query:
    """Uuids and sealed secrets of the next nodes that have some."""
    return _sealed(_NODE, _NODE.uuid, _NODE.driver_secrets, after_uuid, limit)


def node_passwords(after_uuid: str, limit: int) -> Query:
    """Uuids and sealed other passwords of the next nodes that have some."""
    return _sealed(_NODE, _NODE.uuid, _NODE.other_passwords, after_uuid, limit)


def request_secrets(after_id: str, limit: int) -> Query:
    """Ids and sealed secrets of the next requests that have some."""
    return _sealed(_REQUEST, _REQUEST.id, _REQUEST.argument_secrets, after_id, limit)


def runbook_secrets(after_uuid: str, limit: int) -> Query:
    """Uuids and sealed secrets of the next runbooks that have some."""
    return _sealed(_RUNBOOK, _RUNBOOK.uuid, _RUNBOOK.step_secrets, after_uuid, limit)


def _sealed(table: Any, row_id: Any, secrets: Any, after_id: str, limit: int) -> Query:
    return (
        table.select(row_id, secrets)
        .where(row_id > after_id, secrets.is_null(is_null=False))
        .order_by(row_id)
        .limit(limit)
    )
