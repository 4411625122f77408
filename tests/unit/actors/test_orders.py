"""An order is carried out by the clock or revoked by the actor, and whoever is first decides which."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from castiron.actors.core.effects import SetTimer
from castiron.actors.core.messages import Began, Heard, TimerDue
from castiron.actors.core.state import Ticket
from castiron.actors.dispatch.dispatcher import Dispatcher
from castiron.actors.dispatch.pooled import DispatchedActor
from castiron.actors.drivers.base import Call, Done, NotDone, Outcome, Target
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.nodes.order import Order
from castiron.transport.errors import BMCFault
from castiron.transport.vocabulary import Instant, NodeUUID, PowerState, PowerTarget, Seconds
from tests.support.conductor_sim import Simulation

TICKET = Ticket(5)
TARGET = Target(node=NodeUUID("11111111-0000-4000-8000-000000000001"), generation=1, info={})


class Listener(DispatchedActor):
    """Keeps what it is told."""

    def __init__(self, dispatcher: Dispatcher, told: list[Any]) -> None:
        super().__init__(dispatcher=dispatcher)
        self._told = told

    def on_receive(self, message: Any) -> None:
        self._told.append(message)


class Failing(FakeDriver):
    """Its `submit` raises, which it must not."""

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        raise RuntimeError(f"a bug at {call.operation}, and {done} is never called")


class Room:
    """An actor that has given an order, due in three seconds."""

    def __init__(self, driver: type[FakeDriver] = FakeDriver) -> None:
        self.simulation = Simulation(1)
        self.clock = self.simulation.clock
        self.driver = driver(self.clock)
        self.told: list[Any] = []
        self.ref = Listener.start(self.simulation.dispatcher, self.told)
        self.at = Instant(self.clock.now() + 3.0)
        timer = SetTimer(TICKET, self.at, look_every_s=25.0)
        self.order = Order(self.ref, self.simulation.services, self.driver, TARGET, timer=timer, at=self.at)
        self.clock.call_at(self.at, self.order)

    def live(self) -> None:
        self.simulation.live(Seconds(10.0))
        self.simulation.dispatcher.run_until_idle()


@pytest.fixture
def room() -> Room:
    return Room()


def test_when_it_is_due_the_driver_is_asked_and_one_message_tells_of_it(room: Room) -> None:
    room.live()

    (heard,) = room.told
    assert isinstance(heard, Heard)
    assert (heard.ticket, heard.began) == (TICKET, Began(ticket=TICKET, at=room.at, began_at=room.at))
    assert isinstance(heard.outcome, Done)
    assert isinstance(heard.outcome.value, PowerState)
    assert room.order.is_answer(heard)


def test_one_that_is_revoked_in_time_says_that_it_is_due_and_asks_nobody(room: Room) -> None:
    assert room.order.revoke()
    room.live()

    assert room.told == [TimerDue(ticket=TICKET, at=room.at)]
    assert room.driver.counters()["submitted"] == 0


def test_one_that_has_begun_cannot_be_revoked(room: Room) -> None:
    room.live()

    assert not room.order.revoke()
    assert room.order.began == Began(ticket=TICKET, at=room.at, began_at=room.at)


def test_a_driver_that_fails_at_it_ends_the_check_and_not_the_clock() -> None:
    room = Room(Failing)

    room.live()

    (heard,) = room.told
    assert isinstance(heard.outcome, NotDone)
    assert isinstance(heard.outcome.error, BMCFault)


EVERY_S = Seconds(10.0)


def checked(latency_s: float = 0.0) -> Simulation:
    """A node that has been checked for a while, and whose next check is due within EVERY_S."""
    simulation = Simulation(1)
    simulation.driver.takes_orders = True
    simulation.create("n1")
    simulation.live(Seconds(1.0))
    info = {"fake_latency_s": str(latency_s)}
    simulation.set("n1", power_check_interval_s=EVERY_S, driver_info=info)
    simulation.live(Seconds(5 * EVERY_S))
    return simulation


def results(simulation: Simulation) -> Counter[str]:
    return Counter(simulation.services.checks.counts())


def test_a_check_of_a_node_that_is_left_alone_is_one_turn() -> None:
    simulation = checked()
    turns, before = simulation.dispatcher.counters()["turns"], results(simulation)

    simulation.live(Seconds(10 * EVERY_S))

    counted = results(simulation) - before
    assert set(counted) == {"agreed"}
    assert counted["agreed"] >= 10
    assert simulation.dispatcher.counters()["turns"] - turns == counted["agreed"]


def test_a_request_overtakes_a_check_that_was_ordered_and_is_under_way() -> None:
    simulation = checked(latency_s=0.5)
    before, submitted = results(simulation), simulation.driver.counters()["submitted"]
    while simulation.driver.counters()["submitted"] == submitted:
        simulation.live(Seconds(0.1))

    heard = simulation.power("n1", PowerTarget.ON, waits=True)
    simulation.live(Seconds(EVERY_S / 2))

    assert heard.told == ["accepted", "final"]
    counted = results(simulation) - before
    assert counted["skipped"] == 1
    assert counted["corrected"] == counted["failed"] == 0
    shown = simulation.services.board.node("n1")
    assert shown is not None
    assert shown.state.record.power_state is PowerState.ON


def test_whoever_waits_for_a_look_waits_for_the_one_that_is_under_way() -> None:
    simulation = checked(latency_s=0.5)
    submitted = simulation.driver.counters()["submitted"]
    while simulation.driver.counters()["submitted"] == submitted:
        simulation.live(Seconds(0.1))

    heard = simulation.power("n1", PowerTarget.OFF, waits=True, fresh=True)
    simulation.live(Seconds(0.1))
    assert (heard.told, simulation.driver.counters()["submitted"]) == ([], submitted + 1)
    simulation.live(Seconds(EVERY_S / 2))

    assert heard.told[-1] == "final"


def test_a_message_before_it_is_due_leaves_the_check_to_the_actor() -> None:
    simulation = checked()
    before, turns = results(simulation), simulation.dispatcher.counters()["turns"]

    simulation.set("n1", extra={"rack": 3})
    simulation.live(Seconds(1.05 * EVERY_S))

    assert (results(simulation) - before)["agreed"] >= 1
    assert simulation.dispatcher.counters()["turns"] - turns > 3
