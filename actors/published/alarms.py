"""Warns before a bound is met: an event at four fifths of it, and one when that is over.

Pure decisions with the time handed in, and a thin shell that looks once a second and has the events written. May come
in: another way to tell. Must not: what the bounds are, and what happens beyond them.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from castiron.actors.dispatch.clock import Clock
from castiron.actors.services import Writer
from castiron.store.errors import StoreError
from castiron.store.records import Change, Commit, EventDraft
from castiron.transport.crowd import FLOOR
from castiron.transport.replies import Gauge
from castiron.transport.vocabulary import EventType, Instant

log = logging.getLogger(__name__)

HIGH: Final = 0.8
"""Of a bound: from here on it is worth a warning."""

LOW: Final = FLOOR
"""Of a bound: below this the warning is over. Lower than HIGH, so that what hovers there is told once."""

PAUSE_S: Final = 60.0
"""Between two events of one kind about one bound."""

PACES: Final = frozenset({"logins", "webhooks_in_flight", "engine_turns", "sensor_readings", "sensor_data_bytes"})
"""Bounds that are met whenever there is much to do: what is beyond them only comes a little later."""


class Tells(StrEnum):
    """What is to be told of a bound."""

    WARNING = "warning"
    CLEARED = "cleared"


class Alarm:
    """One bound's. What may not be told yet is not forgotten: it is told later, if it is still so."""

    def __init__(self) -> None:
        self.is_raised = False
        self._told_at: dict[Tells, float] = {}

    def look(self, used: int, limit: int, now: float) -> Tells | None:
        """Return what is to be told now."""
        if self.is_raised:
            tells = Tells.CLEARED if used < LOW * limit else None
        else:
            tells = Tells.WARNING if used >= HIGH * limit else None
        if tells is None or now < self._told_at.get(tells, -PAUSE_S) + PAUSE_S:
            return None
        self._told_at[tells] = now
        self.is_raised = tells is Tells.WARNING
        return tells


class Alarms:
    """All bounds'. One thread looks; any may ask."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}

    def look(self, gauges: Mapping[str, Gauge], now: Instant) -> list[EventDraft]:
        """Return the events that are due."""
        return [event for name, gauge in gauges.items() for event in self._look_at(name, gauge, now)]

    def is_marked(self, name: str, gauge: Gauge) -> bool:
        """Return whether a bound is nearly met, or was, and the end of it has not been told."""
        if gauge.limit is None or name in PACES:
            return False
        alarm = self._alarms.get(name)
        return gauge.used >= HIGH * gauge.limit or (alarm is not None and alarm.is_raised)

    def _look_at(self, name: str, gauge: Gauge, now: Instant) -> Iterable[EventDraft]:
        if gauge.limit is None or name in PACES:
            return
        tells = self._alarms.setdefault(name, Alarm()).look(gauge.used, gauge.limit, now)
        if tells is not None:
            event = EventType.LIMIT_WARNING if tells is Tells.WARNING else EventType.LIMIT_CLEARED
            told = {"used": gauge.used, "limit": gauge.limit, "setting": gauge.setting, "whose": gauge.whose}
            payload = {"what": name, **told}
            yield EventDraft(type=event, at=now, payload=payload)


class Lookout:
    """Looks at all gauges when it is told to, and has written what is to be told."""

    def __init__(self, gauges: Callable[[], Mapping[str, Gauge]], writer: Writer, clock: Clock) -> None:
        self.alarms = Alarms()
        self._gauges = gauges
        self._writer = writer
        self._clock = clock

    def look(self) -> None:
        """Look once. One thread; never blocks."""
        events = self.alarms.look(self._gauges(), self._clock.now())
        if events:
            self._writer.submit(Change(events=tuple(events)), _unless_written)


def _unless_written(outcome: Commit | StoreError) -> None:
    if isinstance(outcome, StoreError):
        log.warning("a warning of a limit could not be written: %s", outcome)
