"""When an alarm changes: one event for each change, whatever is read, whoever dies in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.core.messages import Recover, Remove, Sensed
from castiron.actors.core.sensors.alarms import Verdict, follow, judge
from castiron.actors.core.sensors.rules import AlarmRule
from castiron.actors.core.state import Streak
from castiron.actors.drivers.findings import Health, SensorReading, Sensors
from castiron.store.records import EventDraft, NodeAlarm
from castiron.transport.vocabulary import AlarmState, EventType, Instant
from tests.support.node_world import World

OK, ALARM, UNKNOWN = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
NOW = Instant(50.0)


def rule(periods: int = 1, name: str = "hot", sensor: str = "CPU*") -> AlarmRule:
    return AlarmRule(
        name=name,
        sensor=sensor,
        comparison_operator="gt",
        threshold=80.0,
        evaluation_periods=periods,
        severity="critical",
    )


def reading(name: str, value: float | None, *, is_available: bool = True) -> SensorReading:
    return SensorReading(
        number=1,
        name=name,
        kind="Temperature",
        value=value,
        units="°C",
        states=(),
        health=Health.OK,
        is_available=is_available,
    )


def read(*values: float | None) -> Sensors:
    readings = [reading(f"CPU{number}", value) for number, value in enumerate(values)]
    return Sensors(readings=(reading("Fan 1", 9_000.0), *readings))


def started() -> World:
    world = World()
    world.tell(Recover())
    return world


def told(world: World) -> list[EventDraft]:
    return [event for event in world.events if event.type.value.startswith("sensor.alarm.")]


@pytest.mark.parametrize(
    ("sensors", "verdict"),
    [
        (None, Verdict(UNKNOWN)),
        (Sensors(readings=()), Verdict(UNKNOWN)),
        (read(), Verdict(UNKNOWN)),
        (read(None), Verdict(UNKNOWN)),
        (Sensors(readings=(reading("CPU0", 99.0, is_available=False),)), Verdict(UNKNOWN)),
        (read(80.0), Verdict(OK, "CPU0", 80.0)),
        (read(80.5), Verdict(ALARM, "CPU0", 80.5)),
        (read(20.0, 85.0, 90.0, 30.0), Verdict(ALARM, "CPU2", 90.0)),
        (read(None, 20.0), Verdict(OK, "CPU1", 20.0)),
    ],
)
def test_what_a_reading_says(sensors: Sensors | None, verdict: Verdict) -> None:
    assert judge(rule(), sensors) == verdict


@pytest.mark.parametrize(
    ("before", "streak", "seen", "state", "after", "is_told"),
    [
        # nothing was known
        (None, None, UNKNOWN, None, None, False),
        (None, None, OK, None, Streak(OK, 1), False),
        (None, Streak(OK, 1), OK, OK, None, False),
        (None, Streak(ALARM, 1), ALARM, ALARM, None, True),
        # it stays
        (OK, None, OK, OK, None, False),
        (ALARM, Streak(OK, 1), ALARM, ALARM, None, False),
        (UNKNOWN, Streak(OK, 1), UNKNOWN, UNKNOWN, None, False),
        # it may change
        (OK, None, ALARM, OK, Streak(ALARM, 1), False),
        (OK, Streak(UNKNOWN, 1), ALARM, OK, Streak(ALARM, 1), False),
        # it changes
        (OK, Streak(ALARM, 1), ALARM, ALARM, None, True),
        (ALARM, Streak(OK, 1), OK, OK, None, True),
        (ALARM, Streak(UNKNOWN, 1), UNKNOWN, UNKNOWN, None, True),
        (UNKNOWN, Streak(OK, 1), OK, OK, None, True),
    ],
)
def test_how_a_rule_follows_two_readings_in_a_row(
    before: AlarmState | None,
    streak: Streak | None,
    seen: AlarmState,
    state: AlarmState | None,
    after: Streak | None,
    *,
    is_told: bool,
) -> None:
    alarm = None if before is None else NodeAlarm(state=before, since=Instant(1.0))

    outcome = follow(rule(periods=2), alarm, streak, Verdict(seen, "CPU0", 1.0), NOW)

    assert (None if outcome.alarm is None else outcome.alarm.state) is state
    assert (outcome.streak, outcome.is_told) == (after, is_told)
    if outcome.alarm is not None and outcome.alarm.state is not before:
        assert (outcome.alarm.since, outcome.alarm.sensor) == (NOW, "CPU0")


def test_an_event_says_all_that_somebody_needs() -> None:
    world = started()
    world.tell(Sensed(rules=(rule(),), sensors=read(20.0, 93.5)))
    (event,) = told(world)
    assert event.type is EventType.SENSOR_ALARM_ALARM
    assert event.payload == {
        "alarm": "hot",
        "severity": "critical",
        "state": "alarm",
        "previous_state": "insufficient data",
        "sensor": "CPU1",
        "value": 93.5,
        "comparison_operator": "gt",
        "threshold": 80.0,
        "evaluation_periods": 1,
    }
    assert world.record.alarms["hot"].value == 93.5


def test_rules_change_apart_and_one_that_is_gone_is_forgotten() -> None:
    world = started()
    rules = (rule(), rule(name="fan", sensor="Fan*"))
    world.tell(Sensed(rules=rules, sensors=read(20.0)))
    assert [(event.type, event.payload["alarm"]) for event in told(world)] == [(EventType.SENSOR_ALARM_ALARM, "fan")]
    assert {name: alarm.state for name, alarm in world.record.alarms.items()} == {"hot": OK, "fan": ALARM}
    revision = world.record.revision
    world.tell(Sensed(rules=rules, sensors=read(21.0)))
    assert world.record.revision == revision, "what changes nothing writes nothing"
    world.tell(Sensed(rules=rules[:1], sensors=read(20.0)))
    assert list(world.record.alarms) == ["hot"]
    world.tell(Sensed(rules=(), sensors=read(20.0)))
    assert (world.record.alarms, len(told(world))) == ({}, 1)


def test_a_node_that_is_leaving_is_told_of_nothing() -> None:
    world = started()
    world.tell(Remove(requester="ipc", reply_to="asked"))
    world.tell(Sensed(rules=(rule(),), sensors=read(99.0)))
    assert told(world) == []


CRASH, DISK_FAILS = "crash", "disk fails"

happenings = st.lists(
    st.one_of(st.sampled_from([20.0, 80.0, 81.0, None]), st.sampled_from([CRASH, DISK_FAILS])), max_size=30
)


@given(happenings, st.integers(1, 3))
def test_each_change_is_told_once_whatever_happens(what: list[float | str | None], periods: int) -> None:
    """Against a model that keeps all readings since its owner began, and looks at the last few."""
    world, asked, state = started(), rule(periods), UNKNOWN
    expected: list[tuple[str, str]] = []
    seen: list[AlarmState] = []
    is_known = False
    for one in what:
        if one == CRASH:
            world.crash()
            seen.clear()
            continue
        world.writes_fail = one == DISK_FAILS
        value = 81.0 if one == DISK_FAILS else one
        assert not isinstance(value, str)
        kept = list(seen)
        seen.append(UNKNOWN if value is None else ALARM if value > 80.0 else OK)
        says = seen[-1]
        is_change = says is not state and seen[-periods:] == [says] * periods
        if is_change and world.writes_fail:
            seen = kept
        elif is_change:
            if is_known or says is not OK:
                expected.append((state.value, says.value))
            state, is_known, seen = says, True, []
        world.tell(Sensed(rules=(asked,), sensors=None if value is None else read(value)))
        world.writes_fail = False

    assert [(event.payload["previous_state"], event.payload["state"]) for event in told(world)] == expected
    alarm = world.record.alarms.get("hot")
    assert (UNKNOWN if alarm is None else alarm.state) is state
