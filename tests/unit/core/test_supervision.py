"""What becomes of an actor that failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.core.supervision import LEAST_PAUSE_S, Policy, PutAside, Restart, judge, pause
from castiron.transport.vocabulary import Instant

POLICY = Policy(intensity=3, period_s=60.0, delay_initial_s=0.1, delay_max_s=0.3)


def instants(*seconds: float) -> tuple[Instant, ...]:
    return tuple(Instant(second) for second in seconds)


@pytest.mark.parametrize(
    ("before", "verdict"),
    [
        ((), Restart(0.1)),
        ((99.0,), Restart(0.2)),
        ((98.0, 99.0), Restart(0.3)),  # 0.4 is more than the most
        ((97.0, 98.0, 99.0), PutAside(4)),
        ((40.0, 98.0, 99.0), Restart(0.3)),  # exactly a period ago counts no more
        ((1.0, 2.0, 3.0, 4.0), Restart(0.1)),
    ],
)
def test_the_wait_doubles_with_each_failure_until_there_are_too_many(
    before: tuple[float, ...], verdict: Restart | PutAside
) -> None:
    recent, judged = judge(instants(*before), Instant(100.0), POLICY)

    assert judged == verdict
    assert recent == (*(second for second in before if second > 40.0), 100.0)


@given(
    gaps_s=st.lists(st.floats(0.0, 100.0), max_size=50),
    intensity=st.integers(1, 1000),
)
def test_what_is_remembered_and_the_wait_stay_bounded(gaps_s: list[float], intensity: int) -> None:
    policy = Policy(intensity=intensity, period_s=60.0, delay_initial_s=0.1, delay_max_s=1.5)
    failures, now = instants(), 0.0

    for gap_s in gaps_s:
        now += gap_s
        failures, verdict = judge(failures, Instant(now), policy)
        assert all(now - failure < policy.period_s for failure in failures)
        if isinstance(verdict, PutAside):
            assert verdict.failures == len(failures) == intensity + 1
            return
        assert policy.delay_initial_s <= verdict.after_s <= policy.delay_max_s


def test_the_largest_intensity_makes_no_wait_that_cannot_be_counted() -> None:
    policy = Policy(intensity=1000, period_s=60.0, delay_initial_s=0.1, delay_max_s=1.5)

    _, verdict = judge(instants(*[99.0] * 999), Instant(100.0), policy)

    assert verdict == Restart(1.5)


@pytest.mark.parametrize(
    ("before", "wait_s"),
    [
        ((), 0.0),
        ((98.0, 99.0), 0.0),
        ((97.0, 98.0, 99.0), 0.1),
        ((96.0,) * 4, 0.2),
        ((96.0,) * 5, 0.3),
        ((1.0,) * 9, 0.0),
    ],
)
def test_what_must_not_stay_down_is_started_at_once_and_beyond_the_intensity_after_a_growing_wait(
    before: tuple[float, ...], wait_s: float
) -> None:
    recent, waited_s = pause(instants(*before), Instant(100.0), POLICY)

    assert waited_s == wait_s
    assert recent == (*(second for second in before if second > 40.0), 100.0)


def test_no_setting_makes_a_storm() -> None:
    policy = Policy(intensity=1, period_s=60.0, delay_initial_s=0.0, delay_max_s=0.0)

    assert pause(instants(99.0), Instant(100.0), policy)[1] == LEAST_PAUSE_S
