"""One start of a conductor in virtual time ends as a killed process does: nothing of it runs on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import pykka

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import Driver
from castiron.actors.settings import Settings
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.workers import Workers
from castiron.store.store import Store
from castiron.testing.simulation.direct import DirectDriver
from castiron.testing.simulation.evidence import Question
from castiron.testing.simulation.house import Ground, House, MortalClock
from castiron.testing.simulation.machines import Machine
from castiron.testing.simulation.users import create
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.events import EventView
from castiron.transport.vocabulary import Instant, Seconds
from tests.support.store_records import counting_ids


def test_the_timers_of_a_clock_that_has_ended_call_nobody() -> None:
    world, called = VirtualClock(Instant(5.0)), list[str]()
    mortal = MortalClock(world)
    mortal.call_at(Instant(6.0), lambda: called.append("before"))
    mortal.call_at(Instant(8.0), lambda: called.append("after"))
    world.run_until(Instant(7.0))

    mortal.end()
    world.run_until(Instant(9.0))

    assert called == ["before"]
    assert mortal.now() == 9.0


class Street:
    """A machine, a store, and what was published."""

    def __init__(self) -> None:
        self.machine = Machine(0, "direct", Random(1))
        self.clock = VirtualClock(Instant(100.0))
        self.published: list[EventView] = []
        ids = counting_ids()
        self.store = Store.open(None, key_path=None, new_id=ids)
        self.ground = Ground(
            clock=self.clock,
            rng=Random(2),
            new_id=ids,
            settings=Settings(),
            drivers=self.drivers,
            workers=lambda clock, settings: Workers(Shelf(), Bulkhead("steps", settings.max_workers, clock)),
            stream=self,
            lateness=Counter(),
        )

    def drivers(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        del settings, shares
        return {"direct": DirectDriver(clock, {self.machine.bmc_address: self.machine})}

    def publish(self, happened: Sequence[EventView]) -> None:
        self.published.extend(happened)

    def enrol(self, house: House) -> Question:
        question = Question("user", create(self.machine), self.clock.now())
        house.reception.handle(question.verb, PeerInfo("user", "test"), question)
        return question


def test_a_house_that_has_ended_leaves_no_actor_and_the_next_one_finds_what_is_on_disk() -> None:
    street, alive = Street(), len(pykka.ActorRegistry.get_all())
    house = House(street.ground, street.store)
    question = street.enrol(house)
    house.dispatcher.run_until_idle()
    assert question.told_count == 1
    assert len(pykka.ActorRegistry.get_all()) == alive + 4  # supervisor, fleet, keeper of allocations, node

    house.end()
    assert len(pykka.ActorRegistry.get_all()) == alive
    street.clock.advance(Seconds(60.0))
    assert [event.type for event in street.published] == ["node.create.end"], "a dead conductor looked at a machine"

    following = House(street.ground, street.store)
    assert following.owner("n1") is not None
    assert following.failure is None
    following.end()
    street.store.close()


def test_what_is_asked_of_a_house_that_ends_before_its_turn_is_not_on_disk() -> None:
    street = Street()
    house = House(street.ground, street.store)
    question = street.enrol(house)
    house.dispatcher.run_turns(1)

    house.end()

    assert question.told_count == 0
    assert street.store.nodes() == []
    street.store.close()


def test_a_full_disk_refuses_and_takes_again() -> None:
    street = Street()
    house = House(street.ground, street.store)
    house.writer.is_full = True
    refused = street.enrol(house)
    house.dispatcher.run_until_idle()
    house.writer.is_full = False
    accepted = street.enrol(house)
    house.dispatcher.run_until_idle()

    assert refused.error is not None
    assert (refused.error.code, accepted.error) == ("store.unavailable", None)
    house.end()
    street.store.close()
