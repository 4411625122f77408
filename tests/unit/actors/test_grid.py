"""The grid brings together what may come early, and makes nothing late."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.dispatch.grid import BURST, PER_S, after, before, drawn, fineness
from castiron.testing.simulation.plan import Plan
from castiron.testing.simulation.simulation import Simulation
from castiron.testing.simulation.users import create
from castiron.transport.vocabulary import CheckPace, Instant, PowerTarget, Seconds
from tests.support import conductor_sim

moments = st.floats(1e9, 4e9).map(Instant)
STEP_S = 1 / PER_S


@given(moments)
def test_the_grids_moments_lie_around(at: Instant) -> None:
    assert at - STEP_S < before(at) <= at <= after(at) < at + STEP_S
    assert before(before(at)) == before(at)
    assert after(after(at)) == after(at)
    assert before(at) * PER_S == int(before(at) * PER_S)


@given(moments, st.floats(0, 100), st.floats(0, 1), st.sampled_from([1, 4, PER_S]))
def test_nothing_comes_late_or_earlier_than_it_may(at: Instant, early_s: float, draw: float, per_s: int) -> None:
    moment = drawn(at, early_s, draw, per_s)

    assert at - early_s <= moment <= at
    if early_s > STEP_S:
        assert moment * PER_S == int(moment * PER_S), "also where one so coarse does not fit"
    if early_s * per_s > 1:
        assert moment * per_s == int(moment * per_s)


@pytest.mark.parametrize(
    ("nodes", "interval_s", "per_s"),
    [
        (10_000, 6.0, PER_S),
        (100_000, 6.0, PER_S),
        (10_000, 25.0, 8),
        (10_000, 60.0, 2),
        (1_000, 25.0, 1),
        (1, 25.0, 1),
        (0, 25.0, 1),
        (10_000, 0.0, PER_S),
    ],
)
def test_a_smaller_fleet_has_a_coarser_grid(nodes: int, interval_s: float, per_s: int) -> None:
    assert fineness(nodes, interval_s) == per_s


@given(st.integers(1, 200_000), st.floats(1.0, 3600.0))
def test_a_moment_has_a_burst_or_the_grid_is_at_a_bound(nodes: int, interval_s: float) -> None:
    per_s = fineness(nodes, interval_s)

    checks = nodes / interval_s / per_s
    assert BURST <= checks < 2 * BURST or (per_s == 1 and checks < 2 * BURST) or (per_s == PER_S and checks >= BURST)


@pytest.mark.parametrize("early_s", [0.3, 1.25, 12.5])
def test_what_is_drawn_is_spread_evenly_over_the_grid(early_s: float) -> None:
    rng = Random(7)
    drawn_at = Counter(drawn(Instant(1_000.0), early_s, rng.random()) for _ in range(50_000))

    moments_count = int(early_s * PER_S)
    inner = [drawn_at[Instant(1_000.0 - number / PER_S)] for number in range(2, moments_count - 1)]
    assert min(inner) > 0.7 * 50_000 / moments_count
    assert max(drawn_at.values()) < 2.6 * 50_000 / moments_count  # the first takes in what is drawn before it


def test_power_checks_begin_at_the_grids_moments() -> None:
    plan = Plan(seed=3, nodes=12, ipmi_nodes=0, dead_percent=0, check_interval_s=20.0)
    with Simulation(plan) as simulation:
        for machine in simulation.machines:
            simulation.users.ask(create(machine))
        simulation.live(300)
        assert simulation.house is not None
        began_at = [node.state.check.started_at for node in simulation.house.services.board.nodes()]

    assert len(began_at) == 12
    assert len(set(began_at)) > 6
    assert all(at * PER_S == int(at * PER_S) for at in began_at)


def test_checks_that_are_closer_than_the_fleets_come_up_on_a_finer_grid() -> None:
    """Or those of all machines after an action, some times the fleet's, would come up in some times its bursts."""
    simulation = conductor_sim.Simulation(1)
    services = simulation.services
    services.go_by(replace(services.settings, sync_power_state_interval_s=300.0, power_check_after_action_s=3.0))
    for number in range(2_500):
        simulation.create(f"n{number}")
    simulation.live(Seconds(1.0))
    for number in range(40):
        simulation.power(f"n{number}", PowerTarget.ON, waits=False)
    simulation.live(Seconds(5.0))
    checks = [node.state.check for node in services.board.nodes()]
    began_at = [check.started_at for check in checks if check.pace is CheckPace.AFTER_ACTION]

    assert (services.fineness(300.0), services.fineness(3.0), services.fineness(3_600.0)) == (1, 16, 1)
    assert len(began_at) == 40
    assert all(at * 16 == int(at * 16) for at in began_at)
    assert any(at * 8 != int(at * 8) for at in began_at), "an early_s of 0.15 s alone would have a grid of eight"
