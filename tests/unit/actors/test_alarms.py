"""A bound that is nearly met is told once on the way up, and once when that is over."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.published.alarms import PACES, PAUSE_S, Alarm, Alarms, Tells
from castiron.transport.replies import Gauge
from castiron.transport.vocabulary import EventType, Instant


def told(*used: int, step_s: float = 1.0) -> list[tuple[int, Tells]]:
    alarm = Alarm()
    looks = [(place, alarm.look(one, 100, place * step_s)) for place, one in enumerate(used)]
    return [(place, tells) for place, tells in looks if tells is not None]


def test_it_is_told_at_four_fifths_once_and_below_seven_tenths_once() -> None:
    assert told(79, 80, 90, 100, 75, 70, 69, 10) == [(1, Tells.WARNING), (6, Tells.CLEARED)]


def test_what_hovers_is_told_once_a_minute_at_the_most() -> None:
    assert told(*(90, 10) * 200) == [
        (place, tells)
        for minute in range(0, 400, 60)
        for place, tells in ((minute, Tells.WARNING), (minute + 1, Tells.CLEARED))
    ]


def test_what_could_not_be_told_is_told_later_if_it_is_still_so() -> None:
    assert told(90, 10, *[90] * 70) == [(0, Tells.WARNING), (1, Tells.CLEARED), (60, Tells.WARNING)]


@given(st.lists(st.integers(0, 100), max_size=300), st.floats(0.5, 30))
def test_warnings_and_all_clears_take_turns_and_keep_their_pause(used: list[int], step_s: float) -> None:
    events = told(*used, step_s=step_s)

    assert [tells for _, tells in events] == [Tells.WARNING, Tells.CLEARED] * (len(events) // 2) + (
        [Tells.WARNING] * (len(events) % 2)
    )
    for kind in Tells:
        times = [place * step_s for place, tells in events if tells is kind]
        assert all(later - earlier >= PAUSE_S - 1e-6 for earlier, later in pairwise(times))


def test_the_event_names_the_bound_and_the_gauge_is_marked_until_the_end_is_told() -> None:
    alarms, full, half = Alarms(), Gauge(used=9, limit=10, setting="max_x"), Gauge(used=5, limit=10, setting="max_x")

    (event,) = alarms.look({"x": full}, Instant(1.0))

    assert (event.type, event.node_uuid) == (EventType.LIMIT_WARNING, None)
    assert event.payload == {"what": "x", "used": 9, "limit": 10, "setting": "max_x", "whose": None}
    assert alarms.is_marked("x", full)
    assert alarms.is_marked("x", half)
    assert [one.type for one in alarms.look({"x": half}, Instant(2.0))] == [EventType.LIMIT_CLEARED]
    assert not alarms.is_marked("x", half)


def test_what_has_no_bound_or_only_a_pace_is_never_told() -> None:
    gauges = {"y": Gauge(used=9), **{name: Gauge(used=9, limit=9) for name in PACES}}

    assert Alarms().look(gauges, Instant(1.0)) == []
