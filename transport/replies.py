"""What a conductor answers: one frozen Struct a kind of answer.

Fields that the field's systems know carry Ironic's names. Clients ignore fields that they do not know, so that a newer
conductor can say more. Results only: failures are in errors, what is asked is in verbs.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from castiron.transport.events import EventView
from castiron.transport.vocabulary import (
    Fault,
    OnRestart,
    Policy,
    PowerState,
    ProvisionState,
    RequestState,
    TraceWord,
    Would,
)

MASK = "******"
"""Stands where a secret is stored, as in Ironic's answers; sent back, it leaves the secret as it is."""


class RequestView(Struct, frozen=True, kw_only=True):
    """A request as it stands."""

    id: str
    node: str
    """Name of the node when the request was accepted."""
    node_uuid: str
    verb: str
    arguments: dict[str, Any]
    """As sent, secrets masked."""
    requester: str
    """Who asked: "ipc:uid=1000" as the system says, "curve:" and whose key it is in the allow-list, or "tcp:" and the
    peer's address; then in parentheses what the peer called itself in its hello, which nobody has checked."""
    state: RequestState
    accepted_at: float
    """This and the other times: seconds since 1970-01-01 UTC."""
    started_at: float | None = None
    ended_at: float | None = None
    deadline_at: float | None = None
    """If it has not started by then, it expires; nil: it has no deadline."""
    overdue_at: float | None = None
    """When it will be ended if it has not ended by itself; known once it is running."""
    policy: Policy = Policy.STRICT
    hold: bool = False
    on_restart: OnRestart = OnRestart.RESUME
    key: str | None = None
    """The key of whoever asked first."""
    depends_on: str | None = None
    """Id of the request that must succeed before this one may start."""
    requesters: list[str] = field(default_factory=list[str])
    """Who wants it: equal requests were merged into this one."""
    merged: int = 0
    """How often that happened."""
    position: int | None = None
    """Its place among the requests that wait for the node, from 1; nil: it does not wait."""
    aborted_by: str | None = None
    """Who wants it ended while it runs."""
    callback_urls: list[str] = field(default_factory=list[str])
    """What is called once it has ended; a query is masked."""
    attempts: int = 0
    """How often a conductor has begun or resumed it."""
    step: str | None = None
    """What it is doing now, for people."""
    result: dict[str, Any] | None = None
    """What the verb promises, once it has succeeded."""
    error: dict[str, Any] | None = None
    """A failure in the form of the wire, once it has failed, or why it was cancelled."""


class RequestSummary(Struct, frozen=True, kw_only=True):
    """A request as a node names it."""

    id: str
    verb: str
    requester: str
    state: RequestState
    accepted_at: float
    step: str | None = None
    position: int | None = None
    """Its place among those that wait, from 1."""
    deadline_at: float | None = None
    overdue_at: float | None = None
    hold: bool = False
    depends_on: str | None = None
    requesters: list[str] = field(default_factory=list[str])


class NodeView(Struct, frozen=True, kw_only=True):
    """A node as it stands."""

    uuid: str
    name: str
    driver: str
    driver_info: dict[str, str | int | float | bool | None]
    """Secrets masked."""
    properties: dict[str, Any]
    extra: dict[str, Any]
    power_state: PowerState | None
    """As the BMC reported it last; nil: unknown."""
    power_state_at: float | None
    """When the BMC reported it."""
    target_power_state: str | None
    """Where a power action is going; nil: nowhere."""
    provision_state: ProvisionState
    target_provision_state: ProvisionState | None
    maintenance: bool
    maintenance_reason: str | None
    fault: Fault | None
    last_error: str | None
    power_state_change_timeout_s: float | None
    soft_power_off_timeout_s: float | None
    power_check_interval_s: float | None
    """Nil: the conductor's; 0: no checks."""
    power_check_failures: int
    """Checks in a row that got no power state."""
    created_at: float
    updated_at: float
    revision: int
    active_request: RequestSummary | None = None
    queued_requests: list[RequestSummary] = field(default_factory=list[RequestSummary])
    accepts: list[str] = field(default_factory=list[str])
    """Verbs that would be accepted now."""
    refuses: dict[str, str] = field(default_factory=dict[str, str])
    """Verbs that would be refused now, each with the code and the reason."""


class NodeListed(Struct, frozen=True, kw_only=True):
    """A page of nodes."""

    nodes: list[NodeView]
    next_marker: str | None = None
    """Pass it as `marker` for the next page; nil: this was the last."""


class NodeDeleted(Struct, frozen=True, kw_only=True):
    """A node that is known no more."""

    uuid: str
    name: str


class RequestListed(Struct, frozen=True, kw_only=True):
    """A page of requests."""

    requests: list[RequestView]
    next_marker: str | None = None


class TraceStep(Struct, frozen=True, kw_only=True):
    """An entry of a request's trace."""

    word: TraceWord
    """What happened; section 9.2 has the words and their details."""
    at: float
    until: float | None = None
    """When it was over; nil: it was a moment, or is not over."""
    count: int = 1
    """How often it happened alike in that time: equal polls are one entry."""
    details: dict[str, Any] = field(default_factory=dict[str, Any])


class TraceView(Struct, frozen=True, kw_only=True):
    """A request's whole life."""

    request: RequestView
    entries: list[TraceStep]
    """In the order in which it happened, 64 at the most."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that explains what a node does, or does not do."""

    code: str
    """For programs, as "request.queued"."""
    text: str
    """For people."""
    since: float | None = None
    """When it began; nil: unknown, or it never did."""
    advice: str | None = None
    """What helps; nil: nothing needs to be done."""
    details: dict[str, Any] = field(default_factory=dict[str, Any])


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a node is not doing what it was asked for."""

    node: str
    node_uuid: str
    findings: list[Finding]
    """What stands in the way most comes first."""


class RecordHeader(Struct, frozen=True, kw_only=True):
    """What a node's record begins with."""

    format: str
    """"castiron node record 1"."""
    version: str
    """Of the program."""
    conductor: str
    node: NodeView
    """As it was when the page was read, secrets masked."""
    seq: int
    """The event number up to which the record is complete, but for what is kept no more."""


class RecordPage(Struct, frozen=True, kw_only=True):
    """A page of a node's record."""

    header: RecordHeader
    lines: list[dict[str, Any]]
    """Each with its `kind`: "event" (an EventView), or "request" (a RequestView with its `trace`); the latest first."""
    next_marker: str | None = None
    """Pass it as `marker` for the next page; nil: this was the last."""


class Forecast(Struct, frozen=True, kw_only=True):
    """What a verb would do that was asked with `dry_run`: nothing was done. A refusal would be that of the verb."""

    would: Would
    text: str
    """For people."""
    node: str | None = None
    request: str | None = None
    """Id of the request that it would be merged into, or that it would end; nil: none that there is."""
    position: int | None = None
    """The place that it would have among those that wait, from 1."""
    behind: str | None = None
    """Id of the request before it."""
    depends_on: str | None = None
    """Id of the request that would have to succeed first."""
    ends: list[str] = field(default_factory=list[str])
    """Ids of the requests that it would end: superseded, cancelled, or failed."""
    changed: list[str] = field(default_factory=list[str])
    """Names of the node's fields that it would change."""


class EventListed(Struct, frozen=True, kw_only=True):
    """A page of events. Those between `since` and `oldest_seq` are lost; where `since` was nil, nothing is."""

    events: list[EventView]
    next_since: int
    """Pass it as `since` for the next page; `latest_seq`: this was the last for now."""
    oldest_seq: int
    """Number of the oldest event that is kept; 0: there has been none."""
    latest_seq: int
    """Number of the latest event; less than `since`: the numbers are not those of the store that `since` is from."""


class HistoryListed(Struct, frozen=True, kw_only=True):
    """A page of a node's events, the latest first."""

    events: list[EventView]
    next_before: int | None = None
    """Pass it as `before` for the next page; nil: this was the last."""


class Welcome(Struct, frozen=True, kw_only=True):
    """Who answers, and its limits."""

    conductor: str
    """The conductor's id: the same after a restart on the same store."""
    boot_id: str
    """Changes with each start of the conductor."""
    version: str
    """Of the program."""
    speaks: list[str]
    """Protocol versions, the newest first."""
    heartbeat_interval_s: float
    liveness: int
    """A peer that was silent for `liveness` heartbeat intervals is taken for gone."""
    limits: dict[str, int]
    """max_message_bytes, max_list, mailbox, in_flight, in_flight_per_peer."""
    events_endpoint: str | None = None
    """Where events are published, since 1.1; nil: nowhere."""


class Pong(Struct, frozen=True, kw_only=True):
    """A sign of life."""

    boot_id: str


class Gauge(Struct, frozen=True, kw_only=True):
    """How full something is that has a bound."""

    used: int
    """Now."""
    limit: int | None = None
    """The bound; nil: it has none of its own."""
    setting: str | None = None
    """The setting that holds the bound; nil: it is fixed, or the operating system's."""
    warned: bool = False
    """It is, or was a moment ago, at four fifths of the bound or more: see `conductor.limit.warning`."""


def marked(gauge: Gauge) -> Gauge:
    """Return a gauge with the mark of a warning."""
    return replace(gauge, warned=True)


class RequesterUse(Struct, frozen=True, kw_only=True):
    """What one identity has used of what it may."""

    requester: str
    """The identity: "ipc:uid=1000", "tcp:127.0.0.1", "curve:" and the name of a key."""
    work: int
    """Messages that make work, of its burst; falls by the rate, each second."""
    reads: int
    """The same, of those that only look."""
    open: int
    """Its requests that have not ended."""


class StatusView(Struct, frozen=True, kw_only=True):
    """The conductor itself. Counts are since its start."""

    conductor: str
    boot_id: str
    version: str
    started_at: float
    uptime_s: float
    endpoint: str
    store: dict[str, Any]
    """path, size_bytes, wal_bytes (its part of size_bytes), free_bytes (of the disk), schema_version, state ("ok" or
    why it cannot be written), backlog, changes, commits, failures, events_seq."""
    nodes: dict[str, int]
    """total, and nodes by power state: "power on", "power off", "unknown"; maintenance, fault; failing: those whose BMC
    did not do what it was asked last, as far as the log has told it."""
    requests: dict[str, int]
    """open, running, waiting_for_permit, waiters."""
    checks: dict[str, Any]
    """Power checks: agreed, corrected, forced, failed, faulted, recovered, skipped; of the latest ones per_s, and
    late_p50_ms and late_p99_ms, nil while there are none."""
    actors: dict[str, Any]
    """nodes, restarts, put_aside, threads, ready (actors that wait for a turn), turns, slow_turns, and more."""
    drivers: dict[str, Any]
    """For each driver its own counts; ipmi: sessions, logging_in, login_queue, logins, in_flight, sent, received,
    retransmitted, dropped, and more."""
    transport: dict[str, int]
    """peers, received, answered, malformed, dropped, in_flight; events_published, events_waiting, events_skipped."""
    threads: dict[str, str]
    """Name of each thread that is watched → "alive", "hung" (at the same piece of work for long) or "dead"."""
    limits: dict[str, int | float]
    """As in Welcome, and max_running_actions."""
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the conductor goes by: every setting under its name; `castiron settings` says what each means."""
    timers: dict[str, float] = field(default_factory=dict[str, float])
    """waiting, due (called since the start), failed, late_max_ms; late_p50_ms and late_p99_ms of the last 1,024."""
    queues: dict[str, Gauge] = field(default_factory=dict[str, Gauge])
    """Whatever has a bound, and how full it is."""
    requesters: list[RequesterUse] = field(default_factory=list[RequesterUse])
    """The five identities that have used most of what they may."""
    mailboxes: dict[str, Any] = field(default_factory=dict[str, Any])
    """waiting (messages, all nodes), longest, and node, whose it is; nil: nothing waits."""
    slow_turns: dict[str, Any] = field(default_factory=dict[str, Any])
    """count (turns of actors that took slow_turn_s or more), and of the latest: actor, message (nil: unknown),
    lasted_s; running: those that go on now."""
    events: dict[str, int] = field(default_factory=dict[str, int])
    """oldest_seq and latest_seq of those that are kept."""
    webhooks: dict[str, Any] = field(default_factory=dict[str, Any])
    """waiting (calls that are owed), in_flight, destinations, and those of them that are failing; since the start
    delivered, failed (attempts), given_up, dropped (of those: because too many waited)."""
    process: dict[str, int] = field(default_factory=dict[str, int])
    """rss_bytes, threads, descriptors: what the operating system says about the conductor; what it does not say is
    missing."""


AnyResult = (
    Welcome
    | Pong
    | StatusView
    | NodeView
    | NodeListed
    | NodeDeleted
    | RequestView
    | RequestListed
    | EventListed
    | HistoryListed
    | TraceView
    | Explanation
    | RecordPage
    | Forecast
)
"""Everything that a verb can be answered with, beside failures."""

RESULTS: Final[Mapping[str, type[Struct]]] = {
    "hello": Welcome,
    "ping": Pong,
    "status": StatusView,
    "node.create": NodeView,
    "node.list": NodeListed,
    "node.show": NodeView,
    "node.set": NodeView,
    "node.delete": NodeDeleted,
    "node.maintenance.set": NodeView,
    "node.maintenance.unset": NodeView,
    "node.power.set": RequestView,
    "node.boot_device.set": RequestView,
    "node.boot_device.get": RequestView,
    "request.show": RequestView,
    "request.wait": RequestView,
    "request.list": RequestListed,
    "request.cancel": RequestView,
    "request.abort": RequestView,
    "event.list": EventListed,
    "node.history": HistoryListed,
    "request.trace": TraceView,
    "node.explain": Explanation,
    "node.record": RecordPage,
}
"""Verb → what answers it. A verb that becomes a request is answered with the request, in all its replies. With
`dry_run`, a Forecast answers any verb that has it."""
