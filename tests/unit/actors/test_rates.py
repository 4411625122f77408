"""Token buckets: exact, shared by an identity, bounded, and honest about when to come back."""

from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.reception.rates import TICK_S, Buckets, Use
from castiron.actors.settings import LEAST

RATES = st.floats(0.01, 10_000)  # above, a token is what a float of the time can hardly tell
BURSTS = st.integers(1, 50)
TIMES = st.floats(0, 4e9)


def drained(rate_per_s: float, burst: int, now: float) -> Buckets:
    buckets = Buckets(rate_per_s, burst)
    for _ in range(burst):
        assert buckets.take("a", now) == 0
    return buckets


@given(RATES, BURSTS, TIMES)
def test_whoever_waits_as_long_as_told_is_let_in(rate_per_s: float, burst: int, now: float) -> None:
    buckets = drained(rate_per_s, burst, now)

    wait_s = buckets.take("a", now)
    if wait_s:  # at high rates a token is there within what a float of the time can tell
        assert buckets.take("a", now + wait_s) == 0


def test_the_wait_is_no_longer_than_it_must_be() -> None:
    buckets = drained(10.0, 3, 0.0)

    wait_s = buckets.take("a", 0.0)

    assert 0.1 <= wait_s <= 0.1 + TICK_S
    assert buckets.take("a", wait_s - 2 * TICK_S) > 0


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60), BURSTS)
def test_no_more_are_let_in_than_the_burst_and_the_rate(gaps: list[float], burst: int) -> None:
    buckets, now, taken = Buckets(10.0, burst), 0.0, 0
    for gap in gaps:
        now += gap
        taken += buckets.take("a", now) == 0

    assert taken <= burst + now * 10.0 + 1e-3


def test_clients_of_one_identity_share_and_others_do_not_care() -> None:
    buckets = drained(1.0, 2, 5.0)

    assert buckets.take("a", 5.0) > 0
    assert buckets.take("b", 5.0) == 0


def test_a_refusal_costs_nothing() -> None:
    buckets = drained(1.0, 1, 0.0)

    assert {buckets.take("a", 0.5) for _ in range(100)} == {0.5}
    assert buckets.take("a", 1.0) == 0


def test_a_rate_of_zero_lets_everybody_in_and_remembers_nobody() -> None:
    buckets = Buckets(0.0, 1)

    assert [buckets.take("a", 0.0) for _ in range(100)] == [0.0] * 100
    assert len(buckets) == 0


def test_the_identity_heard_of_least_lately_is_forgotten_and_that_is_a_full_bucket() -> None:
    buckets = Buckets(1.0, 1, most=2)
    for one in "abac":
        buckets.take(one, 0.0 if one != "a" or not len(buckets) else 1.0)

    assert len(buckets) == 2
    assert buckets.take("b", 1.0) == 0


@given(st.sampled_from([LEAST, 1e6]), st.sampled_from([1, 1_000_000]), TIMES)
def test_the_rates_and_bursts_at_their_bounds_can_be_counted(rate_per_s: float, burst: int, now: float) -> None:
    buckets = Buckets(rate_per_s, burst)

    assert 0 <= buckets.take("a", now) <= 1 / LEAST
    assert all(0 <= one.used <= burst for one in buckets.used(now))


def test_use_is_what_is_missing_and_falls_by_the_rate() -> None:
    buckets = drained(2.0, 4, 0.0)

    assert buckets.used(0.0) == [Use("a", 4)]
    assert buckets.used(1.0) == [Use("a", 2)]
    assert buckets.used(2.0) == []
