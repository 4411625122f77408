"""The machine's clock is set between two lives of a conductor, by an hour or a day, to either side.

While a conductor lives, a step changes nothing: it reads the wall clock once, at its start; see the clock's own tests.
"""

from collections.abc import Generator
from dataclasses import replace

import pytest

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.testing.simulation.house import PRUNING_PAUSE_S
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import EventSeq, Instant, Policy, PowerTarget, RequestID, RequestState, Seconds
from tests.support.conductor_process import Audit
from tests.support.conductor_sim import Heard, Simulation

HOUR_S, DAY_S = 3_600.0, 86_400.0
STEPS = [-DAY_S, -HOUR_S, HOUR_S, DAY_S]
NOON = Instant(1_700_000_000.0)
CHECKED = Settings(
    sync_power_state_interval_s=25.0,
    unknown_outcome_settle_s=1.0,
    request_retention_s=2 * HOUR_S,
    event_retention_s=2 * HOUR_S,
)


class World:
    """A conductor that lives, ends, and lives again at another time of day."""

    def __init__(self) -> None:
        self.simulation = Simulation(1)
        self._be_at(NOON)
        self.simulation.create("n1")
        self.simulation.live(Seconds(60.0))

    def _be_at(self, at: float) -> None:
        one = self.simulation
        one.house.end()
        one.clock = VirtualClock(Instant(at))
        one._ground = replace(one._ground, clock=one.clock, settings=CHECKED)
        one._start()

    def set_clock(self, step_s: float) -> None:
        self._be_at(self.simulation.clock.now() + step_s)

    def power(self, target: PowerTarget, **how: object) -> RequestID:
        published = self.simulation.services.board.node("n1")
        assert published is not None
        heard, verb = Heard(str(target)), NodePowerSet(node="n1", target=target, **how)  # type: ignore[arg-type]  # a test's
        self.simulation.house.intake.submit(published.state, verb, "test", heard)
        self.simulation.run(20)
        assert heard.accepted_id is not None, heard.error
        return RequestID(heard.accepted_id)

    def request(self, request_id: RequestID) -> RequestRecord | None:
        return self.simulation.store.request(request_id)

    def seen_at(self) -> float:
        (node,) = self.simulation.store.nodes()
        published = self.simulation.services.board.node(node.uuid)
        assert published is not None
        assert published.state.power_state_at is not None
        return published.state.power_state_at


@pytest.fixture
def world() -> Generator[World]:
    one = World()
    yield one
    one.simulation.house.end()
    one.simulation.store.close()


@pytest.mark.parametrize("step_s", STEPS)
def test_what_was_under_way_ends_and_a_deadline_is_what_the_clock_says(world: World, step_s: float) -> None:
    running = world.power(PowerTarget.REBOOT)
    deadline_at = world.simulation.clock.now() + 600.0
    waiting = world.power(PowerTarget.OFF, policy=Policy.AFTER, deadline_at=deadline_at)
    latest = world.simulation.store.latest_seq()

    world.set_clock(step_s)
    began_at = world.simulation.clock.now()
    world.simulation.live(Seconds(120.0))

    states = [request.state for request in map(world.request, (running, waiting)) if request is not None]
    assert states == [RequestState.SUCCEEDED, RequestState.EXPIRED if step_s > 0 else RequestState.SUCCEEDED]
    told = world.simulation.store.events(since=latest, limit=100)
    assert [event.seq for event in told] == list(range(latest + 1, latest + 1 + len(told)))
    assert all(began_at <= event.draft.at <= world.simulation.clock.now() for event in told)
    Audit(world.simulation.store).check()


@pytest.mark.parametrize("step_s", STEPS)
def test_checks_go_on_within_an_interval(world: World, step_s: float) -> None:
    world.set_clock(step_s)
    began_at = world.simulation.clock.now()
    world.simulation.live(Seconds(CHECKED.power_check_start_spread_s + CHECKED.sync_power_state_interval_s))

    assert began_at <= world.seen_at() <= world.simulation.clock.now()
    counts = world.simulation.services.checks.counts()
    assert sum(counts.values()) <= 3, "no burst"


@pytest.mark.parametrize("step_s", STEPS)
def test_what_is_kept_for_a_time_is_kept_as_long_as_the_clock_says(world: World, step_s: float) -> None:
    ended = world.power(PowerTarget.ON)
    world.simulation.live(Seconds(60.0))
    request = world.request(ended)
    assert request is not None
    assert request.ended_at is not None

    world.set_clock(step_s)
    kept_until = request.ended_at + CHECKED.request_retention_s
    world.simulation.live(Seconds(PRUNING_PAUSE_S + 1.0))  # one round
    assert (world.request(ended) is None) == (kept_until < world.simulation.clock.now())

    world.simulation.live(Seconds(max(0.0, kept_until - world.simulation.clock.now()) + PRUNING_PAUSE_S + 1.0))
    assert world.request(ended) is None
    (node,) = world.simulation.store.nodes()
    numbers = [event.node_seq or 0 for event in world.simulation.store.history(node.uuid, limit=100)]
    assert numbers == sorted(numbers, reverse=True)
    assert world.simulation.store.oldest_seq() > EventSeq(1)
