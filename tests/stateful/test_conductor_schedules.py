"""Any order in which the conductor's threads can meet, drawn from seeds: nothing is lost, told twice, or kept."""

from collections.abc import Generator
from random import Random

import pykka
import pytest

from castiron.transport.vocabulary import PowerTarget, Seconds
from tests.support.conductor_sim import Simulation

NAMES = ("a", "b", "c")


@pytest.fixture(autouse=True)
def no_actor_is_left() -> Generator[None]:
    yield
    for ref in pykka.ActorRegistry.get_all():
        pykka.ActorRegistry.unregister(ref)


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


@pytest.mark.parametrize("seed", range(60))
def test_whatever_order_things_happen_in(seed: int) -> None:
    rng = Random(seed)
    simulation = Simulation(seed)
    for name in NAMES:
        simulation.create(name)
    simulation.dispatcher.run_until_idle()

    for _ in range(rng.randrange(5, 60)):
        disturb(simulation, rng)
    simulation.settle()

    simulation.check()
