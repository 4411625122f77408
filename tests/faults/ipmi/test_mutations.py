"""Real sessions, with somebody in the middle who changes what passes, either way, as hypothesis has it.

Whatever it is, each call ends once and in a typed way, no fault of ours is logged, and the neighbours' sessions stay.
"""

import logging
import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import Done, GetPower, NotDone, Target
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.ipmi.sessions.drops import Drop
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.testing import BMCFarm
from castiron.transport.errors import BMCError, DeadlineExceeded
from castiron.transport.vocabulary import Applied, PowerState
from tests.faults.ipmi.drivers import ON, through
from tests.support.deadline import until
from tests.support.driver_calls import Caller
from tests.support.relay import Relay, pass_on, running_relay
from tests.support.tampering import Change, Middle, changes

OFTEN = Timing(waits_s=(*(0.05,) * 20, *(0.5,) * 12), control_wait_s=0.3, close_waits_s=(0.05,))
"""Asks again soon, so that what is lost costs no time; gives up late, so that a busy machine costs no session."""


class Scene:
    """A BMC that is to be attacked, and two neighbours: one by itself, one whose traffic is known."""

    def __init__(self, farm: BMCFarm, beside: Relay, caller: Caller) -> None:
        self.farm = farm
        self.caller = caller
        self.others: list[bytes] = []
        beside.judge_answer = self._overheard
        self.neighbours = [
            caller.target(farm[0].driver_info, "n0"),
            caller.target(through(beside, farm[1].driver_info), "n1"),
        ]
        self.see_neighbours()

    @contextmanager
    def attack(self, answers: list[Change], requests: list[Change]) -> Generator[tuple[Relay, Target]]:
        """Put somebody in the middle of a session that does not exist yet, for the length of a `with`."""
        bmc = self.farm[2]
        bmc.power = PowerState.OFF
        with running_relay((bmc.address, self.farm.port)) as middle:
            middle.judge_answer, middle.judge_request = (Middle(each, self.others) for each in (answers, requests))
            target = self.caller.target(through(middle, bmc.driver_info), f"attacked{middle.address[1]}")
            yield middle, target
            self.caller.driver.forget(target.node)
        bmc.cold_reset()  # so that sessions whose end was lost on the way take no room

    def see_neighbours(self) -> None:
        """Both answer, in the sessions that they had."""
        for target in self.neighbours:
            assert self.caller.submit(target, GetPower()).value() is PowerState.OFF
        assert [self.farm[number].login_count for number in range(2)] == [1, 1]

    def _overheard(self, datagram: bytes) -> list[bytes]:
        self.others.append(datagram)
        del self.others[:-200]
        return pass_on(datagram)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    clock = SystemClock()
    driver = IPMIDriver(clock, timing=OFTEN, rng=random.Random(1))
    with (
        BMCFarm(bmcs=3) as farm,
        running_relay((farm[1].address, farm.port)) as beside,
    ):
        yield Scene(farm, beside, Caller(driver, clock))
        driver.stop(5)
    assert not driver.is_alive()
    clock.stop(5)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(answers=changes(14), requests=changes(14))
def test_whatever_is_done_to_its_datagrams_one_bmc_suffers_and_no_other(
    scene: Scene, caplog: pytest.LogCaptureFixture, answers: list[Change], requests: list[Change]
) -> None:
    caplog.set_level(logging.ERROR)
    before = len(scene.farm[2].controls)
    with scene.attack(answers, requests) as (middle, target):
        tickets = [scene.caller.submit(target, operation, 1.0) for operation in (GetPower(), ON, GetPower())]
        outcomes = [ticket.outcome() for ticket in tickets]
        scene.see_neighbours()
        middle.judge_answer = middle.judge_request = pass_on
        # A login that was spoilt may have to end first, and whatever waits for it ends with it.
        until(lambda: isinstance(scene.caller.submit(target, GetPower()).outcome(), Done), timeout_s=40)

    assert [len(ticket.outcomes) for ticket in tickets] == [1, 1, 1]
    for outcome in outcomes:
        assert isinstance(outcome, Done) or isinstance(outcome.error, BMCError | DeadlineExceeded)
    sure = len(scene.farm[2].controls) - before
    match outcomes[1]:
        case Done():
            assert sure == 1
        case NotDone(applied=Applied.NO):
            assert sure == 0
        case NotDone():
            assert sure <= 1
    counters = scene.caller.driver.counters()
    assert counters["dropped"] == sum(counters[each] for each in Drop)
    assert caplog.records == []
