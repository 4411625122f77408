"""Lengths of time in a fixed number of counts: how right they are, and the last minute of them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.metrics.sketch import (
    BUCKETS,
    NOTHING,
    STEP_S,
    WINDOW_S,
    Sketch,
    Window,
    merged,
    spread,
    upper_s,
)


def counted(*lengths_s: float) -> Sketch:
    sketch = Sketch()
    for length_s in lengths_s:
        sketch.add(length_s)
    return sketch


@given(st.floats(min_value=2.0**-20, max_value=4095.0))
def test_a_length_falls_into_the_bucket_that_it_belongs_to(length_s: float) -> None:
    (bucket,) = [number for number, count in enumerate(counted(length_s).counts) if count]

    assert (upper_s(bucket - 1) if bucket else 0.0) <= length_s < upper_s(bucket)
    assert upper_s(bucket) <= length_s * 1.0626


@pytest.mark.parametrize(
    ("length_s", "bucket"), [(0.0, 0), (-5.0, 0), (1e-9, 0), (4096.0, BUCKETS - 1), (1e9, BUCKETS - 1)]
)
def test_what_is_beyond_the_buckets_is_counted_in_the_first_or_the_last(length_s: float, bucket: int) -> None:
    assert counted(length_s).counts[bucket] == 1


def test_median_and_worst_percent_are_right_to_a_few_percent() -> None:
    rng = Random(7)
    lengths_s = sorted(rng.expovariate(1 / 0.02) for _ in range(20_000))

    told = spread(counted(*lengths_s).counts)

    assert told.samples == 20_000
    assert told.p50_ms == pytest.approx(lengths_s[10_000] * 1000, rel=0.03)
    assert told.p99_ms == pytest.approx(lengths_s[19_800] * 1000, rel=0.03)
    assert told.most_ms is not None
    assert 1.0 <= told.most_ms / (lengths_s[-1] * 1000) <= 1.07


def test_of_nothing_nothing_is_known() -> None:
    assert spread([0] * BUCKETS) == NOTHING


def test_several_are_taken_together() -> None:
    one = merged([counted(0.1, 0.2), counted(0.4)])

    assert sum(one.counts) == 3
    assert one.total_s == pytest.approx(0.7)


def test_a_window_forgets_what_is_older_than_a_minute() -> None:
    sketch, window = Sketch(), Window(began_at=0.0)
    for second in range(200):
        sketch.add(0.5 if second < 100 else 0.001)
        if second >= window.due_at:
            window.look(sketch.counts, second)

    length_s, counts = window.look(sketch.counts, 200.0)

    assert WINDOW_S <= length_s <= WINDOW_S + STEP_S
    assert sum(counts) == pytest.approx(length_s, abs=1)
    assert (told := spread(counts)).most_ms is not None
    assert told.most_ms < 2.0


def test_a_window_that_has_just_begun_is_as_long_as_it_is() -> None:
    assert Window(began_at=100.0).look(counted(0.1).counts, 101.5)[0] == 1.5
