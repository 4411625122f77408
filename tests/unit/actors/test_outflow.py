"""When there will be room: as fast as requests end, one after the other, within bounds."""

import math

from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.reception.outflow import GAP_S, LEAST_S, MARGIN, MAX_PROMISES, MOST_S, UNKNOWN_S, Outflow

RATES = st.floats(0.5, 1000)


def steady(per_s: float, *, until_s: float = 20.0) -> Outflow:
    """An outflow that has been crowded for long, and requests ended at one rate."""
    outflow = Outflow()
    for tick in range(int(until_s * 2) + 1):
        outflow.count(math.floor(tick / 2 * per_s), tick / 2)
    return outflow


def test_what_nobody_knows_is_told_as_a_second() -> None:
    assert Outflow().room_after_s("", 1.0, 5.0) == UNKNOWN_S


@given(RATES)
def test_places_are_promised_one_after_the_other_as_fast_as_they_come_free(per_s: float) -> None:
    outflow = steady(per_s)
    now, promised = 20.0, [0.0]
    for place in range(1, 40):
        promised.append(outflow.room_after_s("", 1.0, now))
        if LEAST_S < promised[-1] < MOST_S:
            assert promised[-1] * per_s >= place * 0.9, "no sooner than that many have ended"
            assert promised[-1] * per_s <= place * MARGIN * 1.5 + 1
    assert promised == sorted(promised)
    assert promised[1] >= LEAST_S
    assert promised[-1] <= MOST_S


def test_a_line_has_its_share_and_does_not_wait_for_others() -> None:
    outflow = steady(10.0)

    assert outflow.room_after_s("a", 0.5, 20.0) > 1.9 * MARGIN / 10
    assert outflow.room_after_s("b", 1.0, 20.0) < 1.1 * MARGIN / 10


def test_where_nothing_ends_it_is_bounded_and_quiet_times_say_nothing() -> None:
    stuck = steady(0.0)
    assert stuck.room_after_s("", 1.0, 20.0) == MOST_S

    outflow = steady(100.0)
    before = outflow.per_s
    outflow.count(2001, 20.0 + GAP_S * 100)
    assert outflow.per_s == before


def test_what_is_remembered_is_bounded() -> None:
    outflow = steady(10.0)
    for number in range(2 * MAX_PROMISES):
        outflow.room_after_s(str(number), 1.0, 20.0)

    assert len(outflow._promised_at) == MAX_PROMISES
