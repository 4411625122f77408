"""From the writer to the front door and the log: what has landed on disk, in the order of its numbers, each event once.

Called on the writer's thread after each group of commits, before anybody else hears of them; so it does little: it
tells the board what is to be shown, and hands the events on. They are encoded on the front door's thread. A line of the
log carries the numbers under which the same is found elsewhere: event, request, node, error_id.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from castiron.actors.core.views import event_view
from castiron.actors.published.board import Board
from castiron.store.records import CallbackRecord, Commit
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventType

log = logging.getLogger(__name__)

WARNED: Final = frozenset(
    {
        EventType.POWER_STATE_CORRECTED,
        EventType.NODE_FAULT_SET,
        EventType.LIMIT_WARNING,
        EventType.SENSOR_ALARM_ALARM,
        EventType.SENSOR_ALARM_INSUFFICIENT_DATA,
    }
)
"""Events that somebody should look at though they tell of no failure of a request."""

_SAID: Final = (
    "to_power",
    "from_power",
    "power_state",
    "boot_device",
    "driver",
    "maintenance",
    "fault",
    "url",
    "reason",
    "what",
    "used",
    "limit",
    "whose",
    "alarm",
    "severity",
    "sensor",
    "value",
    "threshold",
)
"""Keys of payloads that belong into a line."""


class Stream(Protocol):
    """Where events go."""

    def publish(self, happened: Sequence[EventView]) -> None:
        """Take events in the order of their numbers. Never blocks."""
        ...


Owed = Callable[[Sequence[CallbackRecord]], None]
"""Takes calls that are owed from now on. Never blocks."""


def _nobody(callbacks: Sequence[CallbackRecord]) -> None:
    """Leave them in the store."""


class Herald:
    """Announces what has landed. One thread, the writer's."""

    def __init__(self, board: Board, stream: Stream, owed: Owed = _nobody) -> None:
        self._board = board
        self._stream = stream
        self._owed = owed

    def landed(self, commits: Sequence[Commit]) -> None:
        """Announce a group of commits."""
        self._board.landed([commit for commit in commits if commit.events])
        if callbacks := [callback for commit in commits for callback in commit.callbacks]:
            self._owed(callbacks)
        happened = [event_view(event) for commit in commits for event in commit.events]
        self._stream.publish(happened)
        for event in happened:
            level = level_of(event)
            if log.isEnabledFor(level):
                log.log(level, "%s", line_of(event), extra=extra_of(event))


def level_of(event: EventView) -> int:
    """Return how loud an event is: what failed or should be looked at, what was done, what has begun.

    A machine that is seen for the first time, or for the first time after a fault, was not changed by anybody.
    """
    is_first_sight = event.type == EventType.POWER_STATE_CORRECTED and event.payload.get("from_power") is None
    if event.type.endswith(".error") or (event.type in WARNED and not is_first_sight):
        return logging.WARNING
    return logging.DEBUG if event.type.endswith(".start") else logging.INFO


def line_of(event: EventView) -> str:
    """Return an event in a line: what happened to which node, how, and who asked."""
    payload = event.payload
    error = _error(payload)
    parts = [f"{error.get('code')}: {error.get('message')}"] if error else []
    way = _way(payload)
    parts += way or [f"{key} {payload[key]}" for key in _SAID if payload.get(key) is not None]
    parts += [f"changed {', '.join(payload['changes'])}"] if payload.get("changes") else []
    parts += [f"by {payload['requester']}"] if payload.get("requester") else []
    return f"{event.node or 'conductor'}: {event.type}" + (f": {', '.join(parts)}" if parts else "")


def extra_of(event: EventView) -> dict[str, Any]:
    """Return what connects the line with the event, the request, the node, and an internal error's own line."""
    return {
        "event": event.seq,
        "node": event.node,
        "node_uuid": event.node_uuid,
        "request": event.request,
        "error_id": event.payload.get("error_id") or _error(event.payload).get("error_id"),
    }


def _way(payload: Mapping[str, Any]) -> list[str]:
    """Return which step an event tells of, or from where to where the node has moved; nothing, if of neither."""
    if "previous_provision_state" in payload:
        return [f"{payload['previous_provision_state']} -> {payload['provision_state']}"]
    return [f"{payload['name']}, {payload['position']} of {payload['count']}"] if "position" in payload else []


def _error(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    error = payload.get("error")
    return cast("Mapping[str, Any]", error) if isinstance(error, Mapping) else {}
