"""What a conductor publishes: events, the heartbeat between them, and the topics that they are sent under.

    event       events/NODE/TYPE   castiron/1   body: EventView
    heartbeat   heartbeat          castiron/1   body: Heartbeat

Numbers carry the stream: `seq` has no gap, so whoever finds one has missed something, and reads it from the store
(`event.list`). Shapes and words only; no sockets, and no msgpack, which is the codec's.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from msgspec import Struct, field

from castiron.transport.errors import FrameMalformed
from castiron.transport.frames import HEADER
from castiron.transport.vocabulary import EventType

ALL: Final = b"events/"
"""Beginning of every event's topic: subscribe to it for the whole stream."""

HEARTBEAT: Final = b"heartbeat"
"""Topic of the heartbeat. It sorts behind those of events, so that a socket that sends its subscriptions in order sends
it last, and a heartbeat that arrives says that the others are in place."""

NO_NODE: Final = "-"
"""Stands in a topic where an event is of no node."""

PUBLISHED_FRAMES: Final = 3

MAX_EVENT_BYTES: Final = 1_048_576
"""Of one frame that a subscriber takes: sixteen times the largest request, whose words an event may repeat."""


_POWER: Final = ("requester", "to_power", "power_state")
_BOOT: Final = ("requester", "boot_device", "persistent", "uefi")
_PROVISION: Final = (
    "requester",
    "event",
    "previous_provision_state",
    "previous_target_provision_state",
    "provision_state",
    "target_provision_state",
    "runbook",
)
_RUNBOOK: Final = ("requester", "runbook", "uuid", "revision")
_STEP: Final = ("requester", "provision_state", "interface", "step", "name", "position", "count", "attempt", "runbook")
_ALLOCATION: Final = (
    "requester",
    "allocation",
    "name",
    "state",
    "resource_class",
    "traits",
    "candidate_nodes",
    "owner",
    "node_uuid",
)

_ALARM: Final = (
    *("alarm", "severity", "state", "previous_state", "sensor", "value"),
    *("comparison_operator", "threshold", "evaluation_periods"),
)
PAYLOADS: Final[Mapping[EventType, tuple[str, ...]]] = {
    EventType.NODE_CREATE_END: ("requester", "driver"),
    EventType.NODE_UPDATE_END: ("requester", "changed", "changes", "previous_name"),
    EventType.NODE_DELETE_END: ("requester",),
    EventType.POWER_SET_START: _POWER,
    EventType.POWER_SET_END: (*_POWER, "power_state_at", "sent"),
    EventType.POWER_SET_ERROR: (*_POWER, "error"),
    EventType.POWER_STATE_CORRECTED: ("from_power", "power_state"),
    EventType.BOOT_DEVICE_SET_START: _BOOT,
    EventType.BOOT_DEVICE_SET_END: _BOOT,
    EventType.BOOT_DEVICE_SET_ERROR: (*_BOOT, "error"),
    EventType.PROVISION_SET_START: _PROVISION,
    EventType.PROVISION_SET_SUCCESS: (*_PROVISION, "reason"),
    EventType.PROVISION_SET_END: _PROVISION,
    EventType.PROVISION_SET_ERROR: (*_PROVISION, "error"),
    EventType.STEP_START: (*_STEP, "revert"),
    EventType.STEP_PROGRESS: (*_STEP, "progress"),
    EventType.STEP_END: (*_STEP, "revert", "result"),
    EventType.STEP_ERROR: (*_STEP, "revert", "error", "retry_at"),
    EventType.MAINTENANCE_SET_END: (
        "requester",
        "maintenance",
        "reason",
        "previous_maintenance",
        "previous_reason",
        "previous_fault",
    ),
    EventType.LOCK_SET_END: ("requester", "owner", "reason", "previous_owner", "previous_reason"),
    EventType.ALLOCATION_CREATE_START: (*_ALLOCATION, "deadline_at"),
    EventType.ALLOCATION_CREATE_END: _ALLOCATION,
    EventType.ALLOCATION_CREATE_ERROR: (*_ALLOCATION, "error"),
    EventType.ALLOCATION_UPDATE_END: (*_ALLOCATION, "changed", "changes"),
    EventType.ALLOCATION_DELETE_END: ("requester", "allocation", "node_uuid", "reason"),
    EventType.REQUEST_END: ("requester", "verb", "state", "error"),
    EventType.WEBHOOK_ERROR: ("node", "node_uuid", "verb", "state", "delivery", "url", "attempts", "reason"),
    EventType.NODE_FAULT_SET: ("fault", "reason", "from_power", "power_state", "error", "error_id"),
    EventType.NODE_FAULT_CLEARED: ("fault", "power_state"),
    EventType.RUNBOOK_CREATE_END: (*_RUNBOOK, "steps"),
    EventType.RUNBOOK_UPDATE_END: (*_RUNBOOK, "changed", "changes", "previous_name"),
    EventType.RUNBOOK_DELETE_END: _RUNBOOK,
    EventType.SENSOR_ALARM_OK: _ALARM,
    EventType.SENSOR_ALARM_ALARM: _ALARM,
    EventType.SENSOR_ALARM_INSUFFICIENT_DATA: _ALARM,
    EventType.LIMIT_WARNING: ("what", "used", "limit", "setting", "whose"),
    EventType.LIMIT_CLEARED: ("what", "used", "limit", "setting", "whose"),
}
"""Type → keys that its payload may have, in Ironic's words where it has them."""


class EventView(Struct, frozen=True, kw_only=True):
    """Something that has happened, and is on disk."""

    seq: int
    """Its number among all events of this conductor: from 1, without a gap, also over restarts."""
    node_seq: int | None = None
    """Its number among the events of its node: from 1, without a gap; nil: it is of no node."""
    type: str
    """What happened: section 13 has the words. A client MUST ignore those it does not know."""
    at: float
    """When: seconds since 1970-01-01 UTC."""
    node: str | None = None
    """Name of the node when it happened."""
    node_uuid: str | None = None
    request: str | None = None
    """Id of the request that brought it about, if one did."""
    payload: dict[str, Any] = field(default_factory=dict[str, Any])
    """What there is to tell about it; section 13 has the keys. `requester` where somebody asked for it."""


class Heartbeat(Struct, frozen=True, kw_only=True):
    """A sign of life between events, and how far the stream has come."""

    conductor: str
    """The conductor's id: numbers of another conductor have nothing to do with this one's."""
    boot_id: str
    """Changes with each start of the conductor."""
    seq: int
    """Number of the last event that was published before; a subscriber that has a lower one has missed some."""


class Published(NamedTuple):
    """A message of the stream as it came off the wire."""

    topic: bytes
    body: bytes

    @property
    def is_heartbeat(self) -> bool:
        """Whether its body is a Heartbeat, not an EventView."""
        return self.topic == HEARTBEAT


def topic_of(event: EventView) -> bytes:
    """Return the topic that an event is published under."""
    return topics_of_node(event.node_uuid or NO_NODE) + event.type.encode()


def topics_of_node(node_uuid: str) -> bytes:
    """Return the beginning of the topics of a node's events: subscribe to it for the events of one node."""
    return ALL + node_uuid.encode() + b"/"


def build(topic: bytes, body: bytes) -> list[bytes]:
    """Return the frames of a message of the stream."""
    return [topic, HEADER, body]


def parse(frames: Sequence[bytes]) -> Published:
    """Read what a subscriber has received.

    Raises:
        FrameMalformed: these are not the frames of the stream.
    """
    if len(frames) != PUBLISHED_FRAMES or frames[1] != HEADER:
        reason = "not the frames of an event"
        raise FrameMalformed(f"What publishes there sent {reason}.", details={"reason": reason})
    return Published(frames[0], frames[2])


def matches(type_: str, patterns: Iterable[str]) -> bool:
    """Return whether an event's type is one of those asked for; `*` stands for any characters, dots included."""
    return any(fnmatchcase(type_, pattern) for pattern in patterns)
