"""What a conductor answers about nodes, their requests, and what has happened to them."""

from typing import Any

from msgspec import Struct, field

from castiron.transport.events import EventView
from castiron.transport.vocabulary import (
    AlarmState,
    CheckPace,
    Fault,
    OnRestart,
    Policy,
    PowerState,
    ProvisionState,
    RequestState,
    StepState,
)

MASK = "******"
"""Stands where a secret is stored, as in Ironic's answers; sent back, it leaves the secret as it is."""


class StepView(Struct, frozen=True, kw_only=True):
    """A step of a request that moves a node, as it stands."""

    name: str
    """Unique in its list: "management.check_bmc", "power_on", "reboot#2"."""
    state: StepState
    attempts: int = 0
    """How often it has begun."""
    started_at: float | None = None
    """When its latest attempt began."""
    ended_at: float | None = None
    result: dict[str, Any] | None = None
    """What came of it."""
    error: dict[str, Any] | None = None
    """Why its latest attempt failed, in the form of the wire."""


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
    ahead: int | None = None
    """Of one that is the node's next and waits for a permit: how many requests get theirs first, those who ask taking
    turns; nil: it does not wait for one, or that was not looked at, as in lists."""
    aborted_by: str | None = None
    """Who wants it ended while it runs."""
    callback_urls: list[str] = field(default_factory=list[str])
    """What is called once it has ended; a query is masked."""
    attempts: int = 0
    """How often a conductor has begun or resumed it."""
    step: str | None = None
    """What it is doing now, for people."""
    runbook: str | None = None
    """What the runbook was called that its steps were taken from; nil: it was none."""
    steps: list[StepView] = field(default_factory=list[StepView])
    """Of a request that moves a node: all that it works through, done, under way, and yet to come; not in lists."""
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


class LockView(Struct, frozen=True, kw_only=True):
    """Who keeps a node to themselves."""

    owner: str
    """An identity, as in a request's `requester`, without what the peer called itself."""
    reason: str | None
    since: float
    """Seconds since 1970-01-01 UTC."""


class AlarmView(Struct, frozen=True, kw_only=True):
    """How an alarm rule stands at a node."""

    state: AlarmState
    since: float
    """Seconds since 1970-01-01 UTC."""
    sensor: str | None = None
    """Whose reading decided it, as it was then; nil: none could be read."""
    value: float | None = None


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
    power_check_pace: CheckPace = CheckPace.OFF
    """How often it is checked, and so why."""
    power_check_due_at: float | None = None
    """When its next power check comes at the latest; in the past: it is under way; nil: none comes."""
    protected: bool = False
    """It is not given back, rebuilt or forgotten."""
    protected_reason: str | None = None
    retired: bool = False
    """It is not offered to anybody."""
    retired_reason: str | None = None
    disable_power_off: bool = False
    """It must not be powered off, not even for a reboot."""
    resource_class: str | None = None
    traits: list[str] = field(default_factory=list[str])
    """What the machine has or can, sorted."""
    allocation_uuid: str | None = None
    """The allocation that holds the node; nil: none."""
    instance_uuid: str | None = None
    """What is, or is to be, on the machine: its allocation's uuid; nil: the node has no allocation."""
    lock: LockView | None = None
    """Nil: nobody keeps it to themselves."""
    sensor_data_interval_s: float | None = None
    """Nil: as the conductor is set; 0: its sensors are not read."""
    alarms: dict[str, AlarmView] = field(default_factory=dict[str, AlarmView])
    """Name of an alarm rule → how it stands; of one that is not here, nothing has been known yet."""
    active_request: RequestSummary | None = None
    queued_requests: list[RequestSummary] = field(default_factory=list[RequestSummary])
    accepts: list[str] = field(default_factory=list[str])
    """Verbs that would be accepted now; of a locked node, from others than the lock's owner."""
    refuses: dict[str, str] = field(default_factory=dict[str, str])
    """Verbs that would be refused now, each with the code and the reason."""


class ListedStep(Struct, frozen=True, kw_only=True):
    """Where one step stands of a list that is worked through."""

    name: str
    state: StepState
    attempts: int
    """How often it has begun."""
    started_at: float | None = None
    """When it began the latest time; this and the other times: seconds since 1970-01-01 UTC."""
    ended_at: float | None = None
    until: float | None = None
    """When it is given up; nil: it is not under way."""
    error: dict[str, Any] | None = None
    """How its latest attempt failed, in the form of the wire."""
    token: str | None = None
    """For whoever says how it ended; nil: it waits for nobody."""


class StepListed(Struct, frozen=True, kw_only=True):
    """The steps that are worked through on a node, in their order."""

    request: str | None = None
    """Id of the request that they are of; nil: nothing is worked through."""
    steps: list[ListedStep] = field(default_factory=list[ListedStep])


class SensorView(Struct, frozen=True, kw_only=True):
    """A sensor, as it was read."""

    number: int
    name: str
    kind: str
    """Such as Temperature, Fan, Power Supply."""
    value: float | None
    """Nil: it has states only, or could not be read."""
    units: str
    states: list[str]
    """What it says of itself."""
    health: str | None
    """The worst of its states: ok, warning, critical, failed; nil: unknown, as it could not be read."""


class SensorListed(Struct, frozen=True, kw_only=True):
    """The latest readings of a node's sensors."""

    node: str
    node_uuid: str
    interval_s: float
    """From one reading to the next; 0: its sensors are not read."""
    read_at: float | None = None
    """When these were read, seconds since 1970-01-01 UTC; nil: never since the conductor started."""
    is_stale: bool = True
    """They are older than two intervals, or there are none: how the machine is now, is unknown."""
    passed_over: str | None = None
    """Why they are not read at present: off, maintenance, silent, failing; nil: they are."""
    tried_at: float | None = None
    """When a reading was tried last."""
    error: dict[str, Any] | None = None
    """Why the latest reading failed, in the form of the wire."""
    sensors: list[SensorView] = field(default_factory=list[SensorView])
    left_out_count: int = 0
    """Sensors that are not asked: of other controllers than the BMC, or beyond the limits."""


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
    """A page of requests, without their steps (in `arguments`, `steps`, `result`, `error`): `request.show` has them."""

    requests: list[RequestView]
    next_marker: str | None = None


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
