"""A conductor in virtual time whose driver awaits: the same seed has the same day, however its coroutines nap."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import castiron
from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import Driver, DriverInfo, GetPower
from castiron.actors.drivers.methods import Asked, MethodDriver
from castiron.actors.drivers.registry import places_in
from castiron.actors.settings import Settings
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.workers import Workers
from castiron.store.store import Store
from castiron.testing.simulation.evidence import Question
from castiron.testing.simulation.house import Ground, House
from castiron.testing.simulation.machines import Machine
from castiron.testing.simulation.users import create
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.errors import BMCUnreachable
from castiron.transport.events import EventView
from castiron.transport.vocabulary import Instant, PowerState, Seconds
from tests.support.store_records import counting_ids

NODES = 5
DAY_S = 1.5 * 3_600.0


class Napping(MethodDriver):
    """Answers after a nap; now and then never. One periodic task of its own awaits, too."""

    name = "direct"

    def __init__(self, clock: Clock, shares: Shares, rng: Random, trace: list[Any]) -> None:
        super().__init__(clock, places_in(shares))
        self._rng = rng
        self._trace = trace

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        return DriverInfo(info=driver_info, secret_keys=frozenset(), bmc_address=None)

    async def get_power(self, asked: Asked[GetPower]) -> PowerState:
        nap_s = self._rng.expovariate(1.0)
        self._trace.append((self.clock.now(), asked.target.node, nap_s))
        await asyncio.sleep(nap_s if nap_s < 3.0 else 1_000.0)
        if nap_s > 2.5:
            raise BMCUnreachable("It naps.")
        return PowerState.ON

    @castiron.periodic(spacing_s=600.0, per="node")
    async def look(self, node: castiron.NodeContext) -> None:
        async with asyncio.timeout(60.0):
            await asyncio.sleep(self._rng.uniform(0.0, 30.0))
        self._trace.append((self.clock.now(), node.node, node.power_state))


class Day:
    """A conductor from its start to noon."""

    def __init__(self, seed: int) -> None:
        self.trace: list[Any] = []
        self._rng, self._clock = Random(seed), VirtualClock(Instant(100.0))
        ids = counting_ids()
        store = Store.open(None, key_path=None, new_id=ids)
        ground = Ground(
            clock=self._clock,
            rng=self._rng,
            new_id=ids,
            settings=Settings(),
            drivers=self._drivers,
            workers=lambda clock, settings: Workers(Shelf(), Bulkhead("steps", settings.max_workers, clock)),
            stream=self,
            lateness=Counter(),
        )
        house = House(ground, store)
        house.services.periodics.start()
        for number in range(NODES):
            question = Question("user", create(Machine(number, "direct", Random(number))), self._clock.now())
            house.reception.handle(question.verb, PeerInfo("user", "test"), question)
        self._clock.run(house.dispatcher, until=Instant(self._clock.now() + Seconds(DAY_S)))
        self.counters = dict(house.drivers["direct"].counters())
        house.end()
        store.close()

    def publish(self, happened: Sequence[EventView]) -> None:
        self.trace += [(event.seq, event.type, event.node) for event in happened]

    def _drivers(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        del settings
        return {"direct": Napping(clock, shares, self._rng, self.trace)}


def test_a_morning_of_napping_coroutines_are_the_same_each_time() -> None:
    one, other, third = Day(1), Day(1), Day(2)

    assert one.trace == other.trace
    assert one.trace != third.trace
    assert one.counters == other.counters
    assert one.counters["calls"] > 500
    assert one.counters["late"] > 5, "those that nap for too long are ended at their deadlines"
    looks = [line for line in one.trace if line[2] in {PowerState.ON, None}]
    assert len(looks) > NODES * 6
