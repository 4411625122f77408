"""The ipmi driver on BMCs with everything that can be wrong with them, over real UDP, all at the same time.

Every case has two BMCs: one that the driver has never spoken to, and one whose session is open when the fault sets in.
Beside them are healthy ones, which must not notice. All of it runs once; each test looks at one part of what happened.
"""

import gc
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import Done, NotDone, SetPower, Target
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.ipmi.inline import InlineIPMIDriver
from castiron.actors.drivers.ipmi.pending import Pending
from castiron.actors.drivers.ipmi.sessions.session import Session
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.testing import BMCFarm, Faults, Forgery
from castiron.testing.bmc import BMC, BMCSettings
from castiron.testing.simulation.network import SimNetwork
from castiron.transport.errors import BMCError, DeadlineExceeded
from castiron.transport.vocabulary import Applied, Instant, PowerState, Seconds
from tests.faults.faulty_stage import (
    CALLS,
    CASES,
    HASTY,
    HEALTHY,
    NEVER_S,
    ON,
    READ,
    SILENCE,
    UNKNOWN,
    Stage,
    said,
)
from tests.support.driver_calls import Caller, Ticket

PATIENT: Final = Timing(waits_s=(600.0,), control_wait_s=600.0, close_waits_s=(0.1,))


@pytest.fixture(scope="module")
def clock() -> Iterator[SystemClock]:
    made = SystemClock()
    yield made
    made.stop(5)


@pytest.fixture(scope="module")
def make_caller(clock: SystemClock) -> Iterator[Callable[[Timing], Caller]]:
    """Make drivers, and stop them at the end of the module."""
    drivers: list[IPMIDriver] = []

    def make(timing: Timing) -> Caller:
        drivers.append(IPMIDriver(clock, timing=timing, rng=random.Random(1)))
        return Caller(drivers[-1], clock)

    yield make
    for driver in drivers:
        driver.stop(5)
        assert not driver.is_alive()


@pytest.fixture(scope="module")
def farm() -> Iterator[BMCFarm]:
    with BMCFarm(bmcs=2 * len(CASES) + HEALTHY) as made:
        yield made


@pytest.fixture(scope="module")
def stage(farm: BMCFarm, make_caller: Callable[[Timing], Caller]) -> Stage:
    """Everything has happened on it."""
    made = Stage(farm, make_caller(HASTY))
    made.run()
    return made


@pytest.mark.parametrize("is_known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("name", CASES)
class TestEachFault:
    def test_it_ends_as_it_must(self, stage: Stage, name: str, is_known: bool) -> None:
        expected = CASES[name].known if is_known else CASES[name].new

        told = stage.cases[name, is_known].told

        assert expected is None or told == expected

    def test_every_outcome_is_typed_and_comes_once(self, stage: Stage, name: str, is_known: bool) -> None:
        story = stage.cases[name, is_known]
        for ticket, operation in zip(story.tickets, story.operations, strict=True):
            (outcome,) = ticket.outcomes
            if isinstance(outcome, NotDone):
                assert isinstance(outcome.error, BMCError | DeadlineExceeded)
                assert outcome.error.details["address"] == f"{story.bmc.address}:{story.bmc.port}"
                assert isinstance(operation, SetPower) or outcome.applied is Applied.NO

    def test_what_it_says_was_applied_was(self, stage: Stage, name: str, is_known: bool) -> None:
        story = stage.cases[name, is_known]
        outcomes = [
            ticket.outcome() for ticket, asked in zip(story.tickets, story.operations, strict=True) if asked == ON
        ]
        done = sum(isinstance(outcome, Done) for outcome in outcomes)
        unknown = sum(isinstance(outcome, NotDone) and outcome.applied is Applied.UNKNOWN for outcome in outcomes)

        assert done <= len(story.bmc.controls) <= done + unknown

    def test_it_is_well_again_when_the_bmc_is(self, stage: Stage, name: str, is_known: bool) -> None:
        story = stage.cases[name, is_known]
        assert story.healed is not None

        # One read may still find the end of a session that the fault has spoilt, and repeats itself once.
        assert said(story.healed.outcome()) == ("on" if story.bmc.power is PowerState.ON else "off")


class TestTheOthers:
    def test_healthy_neighbours_get_every_answer(self, stage: Stage) -> None:
        assert [story.told for story in stage.healthy] == [("off",) * CALLS] * HEALTHY

    def test_and_log_in_once(self, stage: Stage) -> None:
        assert [story.bmc.login_count for story in stage.healthy] == [1] * HEALTHY

    def test_calls_of_one_bmc_end_in_the_order_in_which_they_came(self, stage: Stage) -> None:
        place = {id(ticket): number for number, ticket in enumerate(stage.caller.ended)}
        for story in stage.stories:
            places = [place[id(ticket)] for ticket in story.tickets]
            assert places == sorted(places)

    def test_nothing_is_left_under_way(self, stage: Stage) -> None:
        counters = stage.caller.driver.counters()

        assert (counters["in_flight"], counters["waiting"]) == (0, 0)
        assert counters["dropped"] > 100
        assert counters["stray"] > 100
        assert stage.caller.driver.is_alive()


def footprint() -> Counter[str]:
    """Count what a leak would leave behind."""
    gc.collect()
    kinds = (Pending, Session)
    found = Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, kinds))
    found["descriptors"] = sum(1 for _ in Path("/proc/self/fd").iterdir())
    found["threads"] = threading.active_count()
    return found


def test_nothing_grows(farm: BMCFarm, make_caller: Callable[[Timing], Caller]) -> None:
    caller = make_caller(HASTY)
    footprints: list[Counter[str]] = []

    for _ in range(3):
        for bmc in farm:
            bmc.power = PowerState.OFF
        Stage(farm, caller).run()
        caller.ended.clear()
        footprints.append(footprint())

    assert footprints[0]["Session"] >= len(farm)
    assert footprints[2] <= footprints[0]


STUCK: Final = {
    "silent": Faults(silent=True),
    "slow": Faults(slow_s=NEVER_S),
    "forging": Faults(forgeries=(Forgery.SESSION,)),
    "flooding": Faults(flood_count=200, loss_percent=100),
    "restarting": Faults(),
}


@pytest.mark.parametrize("name", STUCK)
def test_neighbours_go_on_for_as_long_as_a_bmc_owes_its_answer(
    make_caller: Callable[[Timing], Caller], name: str
) -> None:
    caller = make_caller(PATIENT)
    with BMCFarm(bmcs=3) as farm:
        stuck, *others = (caller.target(bmc.driver_info, bmc.name) for bmc in farm)
        for target in (stuck, *others):
            caller.submit(target, READ).value()
        farm[0].set_faults(STUCK[name])
        if name == "restarting":
            farm[0].cold_reset(NEVER_S)
        caller.ended.clear()

        owed = caller.submit(stuck, ON, deadline_s=NEVER_S)
        tickets = [caller.submit(target, READ) for _ in range(CALLS) for target in others]
        told = {said(ticket.outcome()) for ticket in tickets}

        assert told == {"off"}
        assert owed.outcomes == []
        caller.driver.forget(stuck.node)
        assert owed.failure().applied is Applied.UNKNOWN
        assert caller.ended[-1] is owed
        assert [bmc.login_count for bmc in farm] == [1, 1, 1]


def test_a_bmc_that_restarts_costs_its_calls_until_it_is_back_and_then_a_login(
    make_caller: Callable[[Timing], Caller],
) -> None:
    caller = make_caller(HASTY)
    with BMCFarm(bmcs=1) as farm:
        target = caller.target(farm[0].driver_info)
        caller.submit(target, READ).value()
        farm[0].cold_reset(NEVER_S)
        assert said(caller.submit(target, READ).outcome()) == SILENCE
        assert farm[0].is_restarting

        farm[0].cold_reset()

        assert said(caller.submit(target, ON).outcome()) == "done"
        assert farm[0].login_count == 2
        assert len(farm[0].controls) == 1


def test_a_bmc_that_forgets_its_sessions_costs_a_login_and_no_control(make_caller: Callable[[Timing], Caller]) -> None:
    caller = make_caller(HASTY)
    with BMCFarm(bmcs=1) as farm:
        target = caller.target(farm[0].driver_info)
        caller.submit(target, READ).value()
        farm[0].cold_reset()

        assert said(caller.submit(target, READ).outcome()) == "off"
        assert said(caller.submit(target, ON).outcome()) == "done"

        assert farm[0].login_count == 2
        assert len(farm[0].controls) == 1


def test_a_machine_that_is_switched_late_is_seen_off_and_then_on(make_caller: Callable[[Timing], Caller]) -> None:
    caller = make_caller(HASTY)
    with BMCFarm(bmcs=1) as farm:
        target = caller.target(farm[0].driver_info)
        farm[0].set_faults(Faults(late_power_s=1.0))

        told = [said(caller.submit(target, operation).outcome()) for operation in (ON, READ)]
        farm[0].wait_for_power(PowerState.ON, timeout_s=10)

        assert told == ["done", "off"]
        assert said(caller.submit(target, READ).outcome()) == "on"


class TestMinutesLate:
    """In virtual time: what comes minutes late comes to a driver that has gone on."""

    def world(self, faults: Faults) -> tuple[VirtualClock, Caller, BMC]:
        clock = VirtualClock(Instant(1_000_000.0))
        network = SimNetwork(clock)
        driver = InlineIPMIDriver(clock, network, rng=random.Random(1), timing=Timing(jitter=0))
        network.driver = driver
        bmc = BMC("bmc1", BMCSettings(), random.Random(2))
        network.bmcs["127.0.0.1", 623] = bmc.receive
        bmc.faults = faults
        return clock, Caller(driver, clock), bmc

    def target(self, caller: Caller) -> Target:
        info: dict[str, Any] = {"ipmi_address": "127.0.0.1", "ipmi_username": "admin", "ipmi_password": "password"}
        return caller.target(info)

    def test_a_late_answer_to_a_control_is_not_taken_for_that_of_another(self) -> None:
        clock, caller, bmc = self.world(Faults())
        target = self.target(caller)
        caller.submit(target, READ)
        clock.advance(Seconds(1))
        bmc.faults = Faults(forgeries=(Forgery.LATE,))
        lost = caller.submit(target, ON)
        clock.advance(Seconds(20))
        assert said(lost.outcome()) == UNKNOWN

        bmc.faults = Faults()
        before = caller.driver.counters()
        tickets: list[Ticket] = []
        for _ in range(20):  # ten of them before the late answer comes, ten after it
            tickets.append(caller.submit(target, READ))
            clock.advance(Seconds(10))
        after = caller.driver.counters()

        assert {said(ticket.outcome()) for ticket in tickets} == {"on"}
        assert after["dropped"] - before["dropped"] + after["stray"] - before["stray"] >= 1
        assert after["logins"] == 2
        assert len(bmc.device.chassis.controls) == 1

    def test_a_bmc_that_is_always_minutes_late_is_silent_and_its_answers_do_not_pile_up(self) -> None:
        clock, caller, _ = self.world(Faults(forgeries=(Forgery.LATE,)))
        target = self.target(caller)

        tickets: list[Ticket] = []
        for _ in range(60):
            tickets.append(caller.submit(target, READ))
            clock.advance(Seconds(10))
        clock.advance(Seconds(600))

        counters = caller.driver.counters()
        assert {said(ticket.outcome()) for ticket in tickets} == {SILENCE}
        assert counters["stray"] + counters["dropped"] >= 60
        assert (counters["in_flight"], counters["waiting"], counters["sessions"]) == (0, 0, 0)
