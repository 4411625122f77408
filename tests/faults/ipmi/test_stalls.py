"""The engine's thread stands still, as under SIGSTOP: answers that came meanwhile and are not read are no silence."""

import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import Done, GetPower
from castiron.actors.drivers.ipmi import IPMIDriver, driver
from castiron.actors.drivers.ipmi.wire.network import MAX_BATCH, SOCKETS_PER_FAMILY
from castiron.testing import BMCFarm, Faults
from castiron.transport.vocabulary import Instant, PowerState
from tests.support.driver_calls import WAIT_S, Caller
from tests.support.udp import PROBE, exchange_with

BMCS = MAX_BATCH * SOCKETS_PER_FAMILY + 44
"""More answers than one turn reads."""

STALL_S = 60.0
"""Longer than anybody is patient, and than any call's deadline."""


class LeapingClock(SystemClock):
    """A clock that stands `leap_s` later than it would."""

    leap_s = 0.0

    def now(self) -> Instant:
        return Instant(super().now() + self.leap_s)


class Hold:
    """Work for the engine's thread that does not end until it is let go."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> None:
        self.is_reached.set()
        assert self.let_go.wait(WAIT_S)


@pytest.fixture
def clock() -> Iterator[LeapingClock]:
    made = LeapingClock()
    yield made
    made.stop(5)


@pytest.fixture
def caller(clock: LeapingClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    monkeypatch.setattr(driver, "MAX_INBOX_BATCH", 2 * BMCS)  # so that all is asked before anything is read
    made = IPMIDriver(clock, rng=random.Random(1))
    yield Caller(made, clock)
    made.stop(5)


class Spring(socket.socket):
    """A socket that never runs empty, once it has been given a datagram: each one that is read is followed by another.

    As if a BMC flooded faster than anybody can read.
    """

    def recvfrom(self, *sizes: int) -> Any:
        received = super().recvfrom(*sizes)
        self.pour()
        return received

    def pour(self) -> None:
        self.sendto(b"garbage", ("127.0.0.1", self.getsockname()[1]))


def post(caller: Caller, work: Hold) -> None:
    assert isinstance(caller.driver, IPMIDriver)
    assert caller.driver._post(work)


def test_answers_that_wait_in_the_sockets_after_a_stall_are_read_before_silence_is_judged(
    caller: Caller, clock: LeapingClock
) -> None:
    with BMCFarm(bmcs=BMCS) as farm:
        targets = [caller.target(bmc.driver_info, bmc.name) for bmc in farm]
        opening = [caller.submit(target, GetPower()) for target in targets]
        assert all(ticket.value() is PowerState.OFF for ticket in opening)
        before = caller.driver.counters()
        busy, stalled = Hold(), Hold()

        post(caller, busy)
        assert busy.is_reached.wait(WAIT_S)
        tickets = [caller.submit(target, GetPower()) for target in targets]
        post(caller, stalled)
        busy.let_go.set()
        assert stalled.is_reached.wait(WAIT_S)
        with exchange_with(farm[0].driver_info) as exchange:
            exchange(PROBE)  # the farm takes one datagram after the other: it has answered all that came before
        clock.leap_s = STALL_S
        stalled.let_go.set()

        assert {ticket.outcome() for ticket in tickets} == {Done(value=PowerState.OFF)}
        after = caller.driver.counters()
        assert (after["retransmitted"], after["logins"]) == (before["retransmitted"], before["logins"])


def test_sockets_that_never_run_empty_do_not_put_off_time_outs_for_ever(clock: LeapingClock) -> None:
    springs: list[Spring] = []

    def make_socket(family: int, kind: int) -> socket.socket:
        springs.append(Spring(family, kind))
        return springs[-1]

    made = IPMIDriver(clock, rng=random.Random(1), make_socket=make_socket)
    caller = Caller(made, clock)
    with BMCFarm(bmcs=1) as farm:
        target = caller.target(farm[0].driver_info)
        caller.submit(target, GetPower()).value()
        farm[0].set_faults(Faults(silent=True))
        for spring in springs:
            if spring.getsockname()[1]:  # it has sent something
                spring.pour()

        unanswered = caller.submit(target, GetPower(), deadline_s=0.5).failure()

        assert unanswered.error.code == "bmc.unreachable"
        assert made.counters()["stray"] > MAX_BATCH, "it was no flood"
    made.stop(1)
