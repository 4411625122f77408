"""Any order in which the conductor's threads can meet, drawn from seeds: nothing is lost, told twice, or kept."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from random import Random

import pykka
import pytest

from castiron.transport.vocabulary import PowerTarget, Seconds
from tests.support.conductor_sim import Simulation

Simulate = Callable[..., Simulation]

NAMES = ("a", "b", "c")


@pytest.fixture(autouse=True)
def no_actor_is_left() -> Generator[None]:
    yield
    for ref in pykka.ActorRegistry.get_all():
        pykka.ActorRegistry.unregister(ref)


@pytest.fixture
def simulate() -> Generator[Simulate]:
    """Make simulations whose stores are closed in the end."""
    with ExitStack() as stores:

        def make(seed: int, **settings: int) -> Simulation:
            simulation = Simulation(seed, **settings)
            stores.callback(simulation.store.close)
            return simulation

        yield make


def disturb(simulation: Simulation, rng: Random) -> None:
    """Do one thing at random."""
    name = rng.choice(NAMES)
    match rng.choice(("create", "rename", "set", "delete", "power", "power", "power", "fault", "time", "run")):
        case "create":
            simulation.create(name)
        case "rename":
            simulation.set(name, name=rng.choice(NAMES))
        case "set":
            simulation.set(name, extra={"a": rng.random()})
        case "delete":
            simulation.delete(name)
        case "power":
            simulation.power(name, rng.choice(list(PowerTarget)), waits=rng.random() < 0.3)
        case "time":
            simulation.clock.advance(Seconds(rng.choice((0.01, 0.3, 1.5))))
        case "run":
            simulation.run(rng.randrange(1, 8))
        case _:
            fault(simulation, rng, name)


def fault(simulation: Simulation, rng: Random, name: str) -> None:
    match rng.choice(("stop", "hung", "bug", "fleet", "disk", "disk", "crash")):
        case "stop":
            simulation.stop_actor(name)
        case "hung":
            simulation.declare_hung(name)
        case "bug":
            simulation.break_driver(name)
        case "fleet":
            simulation.stop_fleet()
        case "disk":
            simulation.writer.is_full = rng.random() < 0.5
        case _:
            if rng.random() < 0.3:
                simulation.crash()


def begun(simulate: Simulate, seed: int, **settings: int) -> Simulation:
    """Return a simulation in the middle of everything."""
    rng = Random(seed)
    simulation = simulate(seed, **settings)
    for name in NAMES:
        simulation.create(name)
    simulation.dispatcher.run_until_idle()
    for _ in range(rng.randrange(5, 60)):
        disturb(simulation, rng)
    return simulation


@pytest.mark.parametrize("seed", range(30))
def test_whatever_order_things_happen_in(simulate: Simulate, seed: int) -> None:
    simulation = begun(simulate, seed)

    simulation.settle()

    simulation.check()


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_put_aside_is_taken_back_by_a_restart(simulate: Simulate, seed: int) -> None:
    simulation = begun(simulate, seed, restart_intensity=1)
    simulation.settle()
    simulation.check_index()

    simulation.crash()
    simulation.settle()

    simulation.check()


@pytest.mark.parametrize("seed", range(20))
def test_a_rename_that_waits_at_an_actor_which_is_put_aside_gives_its_name_back(simulate: Simulate, seed: int) -> None:
    simulation = simulate(seed, restart_intensity=1)
    simulation.create("a")
    simulation.dispatcher.run_until_idle()
    simulation.declare_hung("a")
    simulation.live(Seconds(2.0))

    renamed = simulation.set("a", name="b")
    simulation.run(1)  # the fleet has judged, and the node has not looked
    simulation.declare_hung("a")
    simulation.live(Seconds(2.0))

    assert renamed.told in (["NodeInMaintenance"], ["ConductorOverloaded"], ["final"])
    assert simulation.tally.put_aside == 1
    simulation.check_index()


def test_what_was_decided_upon_a_change_that_failed_fails_with_it_and_the_actor_lives(simulate: Simulate) -> None:
    simulation = simulate(0)
    simulation.create("a")
    simulation.dispatcher.run_until_idle()

    simulation.writer.is_held = True
    power = simulation.power("a", PowerTarget.ON, waits=False)
    changed = simulation.set("a", extra={"a": 1})
    simulation.dispatcher.run_until_idle()
    assert simulation.writer.backlog() == 2
    simulation.writer.is_held, simulation.writer.is_full = False, True
    simulation.writer.run_turn(1)
    simulation.dispatcher.run_until_idle()
    simulation.writer.is_full = False
    simulation.writer.run_turn(1)
    simulation.settle()

    assert (power.told, changed.told) == (["StoreUnavailable"], ["StoreUnavailable"])
    assert simulation.tally.restarts == 0


@pytest.mark.parametrize("turns", range(6))
def test_who_waits_for_a_look_at_the_machine_is_answered_though_the_actor_hangs(simulate: Simulate, turns: int) -> None:
    simulation = simulate(0)
    simulation.create("a")
    simulation.dispatcher.run_until_idle()

    power = simulation.power("a", PowerTarget.ON, waits=False, fresh=True)
    simulation.run(turns)  # the look is under way from the first on, and takes time, which does not pass
    assert power.told == []
    simulation.declare_hung("a")
    simulation.settle()

    assert power.told == ["accepted"]
    simulation.check()
