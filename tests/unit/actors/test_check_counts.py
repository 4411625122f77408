"""What is counted of power checks: results, pace and lateness, also of a conductor that has just begun."""

import pytest

from castiron.actors.published.checks import PACE_S, Checks, Pace
from castiron.transport.vocabulary import CheckResult, Instant


class Counted:
    """Counts, and the time by which they are kept."""

    def __init__(self) -> None:
        self.now = Instant(1000.0)
        self.checks = Checks(lambda: self.now)

    def checked(self, count: int, *, every_s: float) -> None:
        for _ in range(count):
            self.now = Instant(self.now + every_s)
            self.checks.count(CheckResult.AGREED, 0.001)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_before_the_first_check_nothing_is_known_of_their_lateness(counted: Counted) -> None:
    assert counted.checks.pace() == Pace(0.0, None, None)


@pytest.mark.parametrize(("count", "every_s"), [(10, 0.5), (100, 0.1), (1000, 0.01), (2000, 0.1)])
def test_the_pace_is_right_from_the_beginning(counted: Counted, count: int, every_s: float) -> None:
    counted.checked(count, every_s=every_s)

    assert counted.checks.pace().per_s == pytest.approx(1 / every_s, rel=0.01)


def test_the_pace_is_that_of_the_last_minute(counted: Counted) -> None:
    counted.checked(100, every_s=0.1)
    counted.checked(60, every_s=2.0)

    assert counted.checks.pace().per_s == pytest.approx(0.5, rel=0.05)
    counted.now = Instant(counted.now + PACE_S + 1)
    assert counted.checks.pace() == Pace(0.0, None, None)


def test_lateness_is_told_at_the_median_and_at_its_worst_percent(counted: Counted) -> None:
    for late_ms in range(100):
        counted.checks.count(CheckResult.AGREED, late_ms / 1000)

    pace = counted.checks.pace()
    assert [pace.late_p50_ms, pace.late_p99_ms] == pytest.approx([50.0, 99.0], rel=0.03)
    assert counted.checks.counts()["agreed"] == 100
