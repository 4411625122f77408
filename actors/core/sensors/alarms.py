"""When an alarm changes: one event for each change, of each node and rule. Pure.

A rule's state at a node is in the node's record, and changes in the commit that tells of it: nothing is told twice, or
forgotten, by a conductor that dies in between. Before it changes, `evaluation_periods` readings in a row must say the
same, in whichever direction; a reading that says otherwise begins the count anew, and so does a new owner.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from castiron.actors.core.draft import Draft
from castiron.actors.core.messages import Sensed
from castiron.actors.core.sensors.rules import AlarmRule
from castiron.actors.core.state import Streak
from castiron.actors.drivers.findings import Sensors
from castiron.store.records import NodeAlarm
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import AlarmState, EventType, Instant

EVENTS: Final[Mapping[AlarmState, EventType]] = {
    AlarmState.OK: EventType.SENSOR_ALARM_OK,
    AlarmState.ALARM: EventType.SENSOR_ALARM_ALARM,
    AlarmState.INSUFFICIENT_DATA: EventType.SENSOR_ALARM_INSUFFICIENT_DATA,
}
"""State → the event that tells of it."""


class Verdict(NamedTuple):
    """What one reading says of one rule."""

    state: AlarmState
    sensor: str | None = None
    value: float | None = None


class Outcome(NamedTuple):
    """What follows of it."""

    alarm: NodeAlarm | None
    streak: Streak | None
    is_told: bool
    """There is an event."""


def judge(rule: AlarmRule, sensors: Sensors | None) -> Verdict:
    """Return what a reading says: of several sensors the worst counts, of those that could be read."""
    readings = () if sensors is None else sensors.readings
    values = {
        one.name: one.value
        for one in readings
        if one.is_available and one.value is not None and rule.is_about(one.name)
    }
    if not values:
        return Verdict(AlarmState.INSUFFICIENT_DATA)
    sensor, value = rule.worst(values)
    return Verdict(AlarmState.ALARM if rule.is_beyond(value) else AlarmState.OK, sensor, value)


def follow(rule: AlarmRule, alarm: NodeAlarm | None, streak: Streak | None, verdict: Verdict, now: Instant) -> Outcome:
    """Return how a rule stands after one more reading.

    Args:
        rule: which.
        alarm: how it stood; None: nothing has been known yet, which is insufficient data that nobody was told of.
        streak: readings in a row that said otherwise.
        verdict: what the reading says.
        now: what time it is.
    """
    before = AlarmState.INSUFFICIENT_DATA if alarm is None else alarm.state
    if verdict.state is before:
        return Outcome(alarm, None, is_told=False)
    length = streak.length + 1 if streak is not None and streak.state is verdict.state else 1
    if length < rule.evaluation_periods:
        return Outcome(alarm, Streak(verdict.state, length), is_told=False)
    changed = NodeAlarm(state=verdict.state, since=now, sensor=verdict.sensor, value=verdict.value)
    # That all is well at first sight is no news.
    return Outcome(changed, None, is_told=alarm is not None or verdict.state is not AlarmState.OK)


def sensed(draft: Draft, message: Sensed) -> None:
    """Take a reading in: change what has changed, and tell it."""
    state, names = draft.state, {rule.name for rule in message.rules}
    alarms = {name: alarm for name, alarm in state.record.alarms.items() if name in names}
    streaks: dict[str, Streak] = {}
    told: list[tuple[EventType, dict[str, Any]]] = []
    for rule in message.rules:
        verdict = judge(rule, message.sensors)
        before = alarms.get(rule.name)
        alarm, streak, is_told = follow(rule, before, state.streaks.get(rule.name), verdict, draft.now)
        if alarm is not None:
            alarms[rule.name] = alarm
        if streak is not None:
            streaks[rule.name] = streak
        if is_told:
            told.append((EVENTS[verdict.state], _payload(rule, before, verdict)))
    if streaks != state.streaks:
        draft.state = replace(draft.state, streaks=streaks)
    if alarms != state.record.alarms:
        draft.record(alarms=alarms)
    for event, payload in told:
        draft.tell(event, payload)


def _payload(rule: AlarmRule, before: NodeAlarm | None, verdict: Verdict) -> dict[str, Any]:
    return {
        "alarm": rule.name,
        "severity": rule.severity,
        "state": verdict.state.value,
        "previous_state": (AlarmState.INSUFFICIENT_DATA if before is None else before.state).value,
        "sensor": verdict.sensor or rule.sensor,
        "value": verdict.value,
        "comparison_operator": rule.comparison_operator,
        "threshold": rule.threshold,
        "evaluation_periods": rule.evaluation_periods,
    }
