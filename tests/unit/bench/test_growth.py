"""The judge of the soak: what grows is found, what only moves is not."""

from random import Random

import pytest

from bench.growth import LEAST_SAMPLES, Bound, judge, slope

TIMES_S = [float(second) for second in range(100)]


def noisy(seed: int, *, growth: float = 0.0, noise: float = 1.0) -> list[float]:
    rng = Random(seed)
    return [1_000 + growth * at / 99 + rng.gauss(0, noise) for at in TIMES_S]


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_growth_and_growth_is_found_in_noise(seed: int) -> None:
    flat, grown = noisy(seed), noisy(seed, growth=10.0)
    verdicts = judge(TIMES_S, {"flat": flat, "grown": grown}, {"flat": Bound(growth=5), "grown": Bound(growth=5)})

    assert [verdict.is_held for verdict in verdicts] == [True, False]
    assert verdicts[1].growth == pytest.approx(10, abs=1.5)


def test_a_burst_does_not_bend_the_slope_but_meets_the_ceiling() -> None:
    values = noisy(1)
    values[60:80] = [5_000.0] * 20

    assert abs(slope(TIMES_S, values)) * 99 < 5
    [below] = judge(TIMES_S, {"it": values}, {"it": Bound(growth=5, ceiling=6_000)})
    [above] = judge(TIMES_S, {"it": values}, {"it": Bound(growth=5, ceiling=4_000)})
    assert below.is_held
    assert not above.is_held
    assert above.highest == 5_000


def test_a_step_in_the_middle_is_growth() -> None:
    [verdict] = judge(TIMES_S, {"it": [0.0] * 50 + [20.0] * 50}, {"it": Bound(growth=5)})

    assert not verdict.is_held
    assert (verdict.first, verdict.last) == (0, 20)


def test_shrinking_is_no_growth() -> None:
    [verdict] = judge(TIMES_S, {"it": noisy(3, growth=-500.0)}, {"it": Bound(growth=5)})

    assert verdict.is_held


def test_too_few_samples_and_unknown_gauges_are_errors() -> None:
    few = TIMES_S[: LEAST_SAMPLES - 1]
    with pytest.raises(ValueError, match="too few"):
        judge(few, {"it": few}, {"it": Bound(growth=1)})
    with pytest.raises(KeyError):
        judge(TIMES_S, {}, {"it": Bound(growth=1)})
