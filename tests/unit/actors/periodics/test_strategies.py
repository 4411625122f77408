"""When a periodic task runs next, by each strategy."""

import pytest

from castiron.actors.periodics.strategies import Strategy, first_run, next_run
from castiron.transport.vocabulary import Instant


@pytest.mark.parametrize(
    ("strategy", "due_at"),
    [
        (Strategy.LAST_STARTED, 112.0),
        (Strategy.LAST_STARTED_JITTER, 112.5),
        (Strategy.LAST_FINISHED, 117.0),
        (Strategy.LAST_FINISHED_JITTER, 117.5),
        (Strategy.ALIGNED_LAST_FINISHED, 110.0),
        (Strategy.ALIGNED_LAST_FINISHED_JITTER, 110.5),
    ],
)
def test_each_strategy_counts_from_its_own_point(strategy: Strategy, due_at: float) -> None:
    jitter = 0.05 if strategy.has_jitter else 0.0
    assert next_run(strategy, 10.0, Instant(102.0), Instant(107.0), jitter=jitter) == due_at


def test_the_first_run_waits_for_the_spacing_or_comes_at_once_and_never_before_its_time() -> None:
    now = Instant(100.0)
    assert first_run(10.0, now, None, run_immediately=False) == 110.0
    assert first_run(10.0, now, None, run_immediately=True) == 100.0
    assert first_run(10.0, now, Instant(105.0), run_immediately=True) == 105.0
    assert first_run(10.0, now, Instant(105.0), run_immediately=False) == 110.0
