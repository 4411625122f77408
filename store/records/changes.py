"""Nodes, requests and events as they are on disk, and the changes that the store commits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from castiron.store.records.allocations import AllocationWrite
from castiron.store.records.maps import empty
from castiron.store.records.runbooks import RunbookPut, RunbookRemove
from castiron.transport.vocabulary import (
    AlarmState,
    AllocationUUID,
    Applied,
    ConductorID,
    DeliveryID,
    EventSeq,
    EventType,
    Fault,
    Instant,
    NodeName,
    NodeSeq,
    NodeUUID,
    OnRestart,
    Policy,
    PowerState,
    ProvisionState,
    RequestID,
    RequestState,
    Revision,
    TraceWord,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLock:
    """Who keeps a node to themselves, and why."""

    owner: str
    """An identity, whatever the peer called itself."""
    reason: str | None
    since: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAlarm:
    """How one alarm rule stands at a node."""

    state: AlarmState
    since: Instant
    sensor: str | None = None
    """Whose reading decided it; None: none could be read."""
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One node as it is on disk."""

    uuid: NodeUUID
    name: NodeName
    driver: str
    driver_info: Mapping[str, Any] = field(default_factory=empty, repr=False)
    """Whole, secrets in the clear; the store encrypts the values that `secret_keys` names. Kept out of repr."""
    secret_keys: frozenset[str] = frozenset()
    """Keys of driver_info whose values are encrypted at rest and masked in answers; the driver names them."""
    bmc_address: str | None = None
    """Where the driver reaches the BMC, in one spelling (host, port): what must not be shared between nodes."""
    properties: Mapping[str, Any] = field(default_factory=empty)
    extra: Mapping[str, Any] = field(default_factory=empty)
    power_state: PowerState | None = None
    power_state_at: Instant | None = None
    target_power_state: PowerState | None = None
    provision_state: ProvisionState = ProvisionState.ENROLL
    target_provision_state: ProvisionState | None = None
    maintenance: bool = False
    maintenance_reason: str | None = None
    fault: Fault | None = None
    last_error: str | None = None
    power_state_change_timeout_s: float | None = None
    soft_power_off_timeout_s: float | None = None
    power_check_interval_s: float | None = None
    """None: the conductor's; 0.0: no checks."""
    created_at: Instant
    updated_at: Instant
    owner: ConductorID
    """The conductor that may write this node."""
    epoch: int = 1
    """Counts changes of owner; a write with an older epoch is refused."""
    revision: Revision = Revision(1)
    """Counts committed changes of this record; a write must carry the next one."""
    node_seq: NodeSeq = NodeSeq(0)
    """Number of the node's latest event."""
    protected: bool = False
    protected_reason: str | None = None
    retired: bool = False
    retired_reason: str | None = None
    disable_power_off: bool = False
    resource_class: str | None = None
    traits: tuple[str, ...] = ()
    """Sorted, no two the same."""
    lock: NodeLock | None = None
    other_passwords: Mapping[str, Any] = field(default_factory=empty, repr=False)
    """Beside the one in driver_info, while the BMC's password is changed: which holds may not be known. Encrypted whole
    at rest, and never told. Kept out of repr."""
    allocation_uuid: AllocationUUID | None = None
    """The allocation that holds it, whose `node_uuid` is this node's; one commit writes both."""
    sensor_data_interval_s: float | None = None
    """None: as the conductor is set; 0.0: its sensors are not read."""
    alarms: Mapping[str, NodeAlarm] = field(default_factory=empty)
    """Name of a rule → how it stands; one that is not here has never been known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEntry:
    """A step of a request's life, by the conductor's clock."""

    word: TraceWord
    at: Instant
    until: Instant | None = None
    """When it was over; None: it was a moment, or is not over."""
    count: int = 1
    """How often it happened alike in that time."""
    details: Mapping[str, Any] = field(default_factory=empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request as it is on disk."""

    id: RequestID
    key: str | None = None
    """Idempotency key of whoever asked first, made by the client; see KeyRecord."""
    node_uuid: NodeUUID
    node_name: NodeName
    verb: str
    arguments: Mapping[str, Any] = field(default_factory=empty, repr=False)
    """Whole, secrets in the clear; values under `secret_keys` are encrypted at rest. Kept out of repr."""
    secret_keys: frozenset[str] = frozenset()
    requester: str
    """Who asked first."""
    state: RequestState
    accepted_at: Instant
    started_at: Instant | None = None
    ended_at: Instant | None = None
    overdue_at: Instant | None = None
    """When a running request is ended if it has not ended by itself."""
    attempts: int = 0
    progress: Mapping[str, Any] = field(default_factory=empty)
    """What a successor must know to go on: the power machine's place, committed before each command to the BMC."""
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    """The failure in the form of the wire."""
    applied: Applied | None = None
    policy: Policy = Policy.STRICT
    hold: bool = False
    """It waits while the node is in maintenance."""
    on_restart: OnRestart = OnRestart.RESUME
    deadline_at: Instant | None = None
    """If it has not started by then, it expires; the latest of those who want it."""
    depends_on: RequestID | None = None
    """The request that must succeed before it may start."""
    requesters: Mapping[str, Instant | None] = field(default_factory=empty)
    """See `wanted_by`; empty: only `requester` wants it."""
    merged: int = 0
    """How often it was asked for again, and that was taken for the same."""
    abort_by: str | None = None
    """Who wants it ended while it runs; it is on the way to its end."""
    callbacks: Mapping[str, tuple[str, ...]] = field(default_factory=empty, repr=False)
    """URLs that are called once it has ended, each with the identities that want it. Kept out of repr: a query may hold
    a token."""
    trace: tuple[TraceEntry, ...] = ()
    """Its life so far, bounded; of what happened since the latest commit its owner knows more."""
    runbook: str | None = None
    """What the runbook was called that its steps were taken from; they stand in `arguments` and do not change."""

    @property
    def wanted_by(self) -> Mapping[str, Instant | None]:
        """The identities of those who want it → until when it is to start."""
        return self.requesters or {self.requester: self.deadline_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which requests are asked for: those of which all holds that is not None."""

    node_uuid: NodeUUID | None = None
    states: frozenset[RequestState] | None = None
    verb: str | None = None
    requester: str | None = None
    """Who asked first: an identity, whatever the peer called itself, or the whole of it."""
    error: str | None = None
    """The code that it ended with."""
    accepted_since: Instant | None = None
    accepted_until: Instant | None = None
    """Before that."""
    ended_since: Instant | None = None
    ended_until: Instant | None = None
    """Before that."""


ALL: Final = Wanted()
"""All requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An idempotency key that was used, for as long as its request is kept."""

    key: str
    request_id: RequestID


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRecord:
    """A call that is owed to a URL since a request has ended; kept, once it was made or given up, for its trace."""

    id: DeliveryID
    request_id: RequestID
    url: str = field(repr=False)
    owed_since: Instant
    """When the request ended."""
    body: Mapping[str, Any] = field(default_factory=empty, repr=False)
    """What is told: all that was known when the request ended."""
    attempts: int = 0
    """How often it was tried."""
    seq: EventSeq = EventSeq(0)
    """The event number at which the body holds; given by the writer."""
    trace: tuple[TraceEntry, ...] = ()
    """What came of each attempt, bounded."""
    ended_at: Instant | None = None
    """When it was made or given up; from then on its body is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackTried:
    """A call was tried and not taken; it is still owed."""

    id: DeliveryID
    attempts: int
    trace: tuple[TraceEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettled:
    """A call was made, or given up: nothing is owed any more."""

    id: DeliveryID
    ended_at: Instant
    trace: tuple[TraceEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An event before the writer has numbered it."""

    type: EventType
    at: Instant
    node_uuid: NodeUUID | None = None
    node_name: NodeName | None = None
    request_id: RequestID | None = None
    payload: Mapping[str, Any] = field(default_factory=empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An event as it is on disk."""

    seq: EventSeq
    """Its number among all events of this conductor; given by the writer, without a gap."""
    node_seq: NodeSeq | None
    """Its number among the events of its node; None for events of no node."""
    draft: EventDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInsert:
    """A new node. `record.revision` must be 1. Fails if the uuid or the name exists."""

    record: NodeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUpdate:
    """A changed node: written only if the row still has this epoch and `record.revision - 1`."""

    record: NodeRecord
    before: NodeRecord | None = None
    """As it is on disk, of the revision before: then only what has changed need be written. None: all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRemove:
    """A node to forget: removed only if the row still has this epoch and `record.revision`. Its requests stay."""

    record: NodeRecord


NONE_BEFORE: Final[Mapping[RequestID, RequestRecord]] = MappingProxyType({})


def none_before() -> Mapping[RequestID, RequestRecord]:
    """Return no requests; a factory, as `empty` is."""
    return NONE_BEFORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one actor wants committed: all of it, or nothing.

    Events of a node are numbered by the writer from `node.record.node_seq` *backwards*: the record carries the number
    of its latest event after this change, so k events get node_seq - k + 1 … node_seq. `seq` follows the order of
    `events` within the change and the order of submission between changes.
    """

    node: NodeInsert | NodeUpdate | NodeRemove | None = None
    requests: tuple[RequestRecord, ...] = ()
    """Inserted where the id is new, replaced where it is not. Guarded by the node's revision, so `node` must be set."""
    before: Mapping[RequestID, RequestRecord] = field(default_factory=none_before)
    """Those of the requests that are on disk, as the node's change before this one left them there: then only what has
    changed of them need be written."""
    events: tuple[EventDraft, ...] = ()
    keys: tuple[KeyRecord, ...] = ()
    """Idempotency keys of those requests, or of others that are kept."""
    outbox: tuple[CallbackRecord | CallbackTried | CallbackSettled, ...] = ()
    """Calls that are owed from now on, and what became of others. One of an id that is owed already changes nothing."""
    runbook: RunbookPut | RunbookRemove | None = None
    allocations: tuple[AllocationWrite, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A change that is on disk."""

    events: tuple[EventRecord, ...]
    seq: EventSeq
    """Number of the latest event in the store after this change: what a view made from it is stamped with."""
    callbacks: tuple[CallbackRecord, ...] = ()
    """Calls that are owed since this change."""
    allocations: tuple[AllocationWrite, ...] = ()
    """What has become of allocations with it."""
