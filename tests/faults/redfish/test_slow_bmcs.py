"""Slow and dead BMCs hold up nobody else: shown by who has answered while they still hang, never by the clock."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import Call, GetPower, SetPower
from castiron.actors.drivers.redfish import RedfishDriver
from castiron.transport.errors import BMCBusy, BMCUnreachable, DeadlineExceeded
from castiron.transport.vocabulary import Instant, PowerControl, PowerState
from tests.support.deadline import until
from tests.support.driver_calls import Caller, Ticket
from tests.support.redfish_bmc import SYSTEM, RedfishBMC, running_redfish_bmc
from tests.support.redfish_faults import hang

DEAD = 12
"""Six times as many as have a place."""


@pytest.fixture
def dead() -> Iterator[list[dict[str, str]]]:
    """BMCs that take connections and say nothing."""
    with ExitStack() as stack:
        deaf = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64)) for _ in range(DEAD)]
        yield [{"redfish_address": f"127.0.0.1:{each.getsockname()[1]}"} for each in deaf]


def check(caller: Caller, clock: SystemClock, info: dict[str, str], node: str, deadline_s: float) -> Ticket:
    """Submit what a power check submits: it gives way."""
    ticket = Ticket(caller.ended.append)
    deadline = Instant(clock.now() + deadline_s)
    call = Call(target=caller.target(info, node), operation=GetPower(), deadline=deadline, gives_way=True)
    caller.driver.submit(call, ticket.done)
    return ticket


def meets_silence(caller: Caller, clock: SystemClock, info: dict[str, str], node: str) -> bool:
    """Return whether a BMC was asked and said nothing; on a busy machine there may have been no time to ask."""
    return isinstance(check(caller, clock, info, node, 0.1).failure().error, BMCUnreachable)


def test_healthy_bmcs_are_asked_while_dead_ones_hold_every_place(
    bmc: RedfishBMC, caller: Caller, driver: RedfishDriver, clock: SystemClock, dead: list[dict[str, str]]
) -> None:
    bmc.max_sessions = 64
    for index, info in enumerate(dead):
        until(partial(meets_silence, caller, clock, info, f"dead{index}"))

    # Whoever was met as silent waits among its like from now on.
    again = [check(caller, clock, info, f"dead{index}", 30) for index, info in enumerate(dead)]
    healthy = [caller.submit(caller.target(bmc.driver_info, f"n{index}"), GetPower(), 30) for index in range(20)]

    assert [ticket.value() for ticket in healthy] == [PowerState.OFF] * 20
    assert not any(ticket.outcomes for ticket in again[6:])
    counts = driver.counters()
    assert counts["long"] <= 2 < counts["queued"]


def test_a_bmc_has_one_place_however_many_calls_wait_for_it(
    bmc: RedfishBMC, caller: Caller, driver: RedfishDriver
) -> None:
    with running_redfish_bmc() as slow:
        slow.next(hang, count=10)
        target = caller.target(slow.driver_info, "slow")
        waiting = [caller.submit(target, GetPower(), 30) for _ in range(10)]
        until(lambda: slow.count("GET", SYSTEM) == 1)

        healthy = caller.target(bmc.driver_info)
        assert [caller.submit(healthy, GetPower()).value() for _ in range(10)] == [PowerState.OFF] * 10

        counts = driver.counters()
        assert (counts["in_flight"], counts["waiting"]) == (1, 9)
        assert not any(ticket.outcomes for ticket in waiting)
        slow.released.set()
        assert [ticket.value() for ticket in waiting] == [PowerState.OFF] * 10
        assert slow.most_at_once == 1


def test_machines_that_share_a_bmc_take_turns(bmc: RedfishBMC, caller: Caller) -> None:
    targets = [
        caller.target({**bmc.driver_info, **more}, name)
        for name, more in (("n1", {}), ("n2", {"redfish_system_id": SYSTEM}), ("n3", {"redfish_auth_type": "basic"}))
    ]
    bmc.next(hang)
    first = caller.submit(targets[0], GetPower(), 30)
    until(lambda: bmc.count("GET", SYSTEM) == 1)
    late = caller.submit(targets[1], GetPower(), 0.2)
    others = [caller.submit(target, SetPower(PowerControl.ON), 30) for target in (*targets, *targets)]

    assert isinstance(late.failure().error, DeadlineExceeded)
    caller.driver.forget(targets[2].node)
    assert isinstance(others[2].failure().error, BMCUnreachable)
    assert not any(ticket.outcomes for ticket in (first, others[0], others[1]))
    bmc.released.set()

    assert first.value() is PowerState.OFF
    assert [others[place].value() for place in (0, 1, 3, 4)] == [None] * 4
    assert bmc.most_at_once == 1


def test_an_order_for_a_slow_bmc_does_not_wait_behind_checks_of_dead_ones(
    caller: Caller, clock: SystemClock, dead: list[dict[str, str]], bmc: RedfishBMC
) -> None:
    for index, info in enumerate(dead[:4]):
        until(partial(meets_silence, caller, clock, info, f"dead{index}"))
    bmc.next(hang, count=100)
    until(partial(meets_silence, caller, clock, bmc.driver_info, "n1"))
    bmc.forgive()

    hanging = [check(caller, clock, info, f"dead{index}", 30) for index, info in enumerate(dead[:4])]
    order = caller.submit(caller.target(bmc.driver_info, "n1"), SetPower(PowerControl.ON), 30)

    assert order.value() is None
    assert not any(ticket.outcomes for ticket in hanging[2:])


def test_a_check_gives_way_to_an_order(bmc: RedfishBMC, caller: Caller, clock: SystemClock) -> None:
    target = caller.target(bmc.driver_info, "n1")
    caller.submit(target, GetPower()).value()
    bmc.next(hang)
    under_way = check(caller, clock, bmc.driver_info, "n1", 30)
    until(lambda: bmc.count("GET", SYSTEM) == 2)
    waiting = check(caller, clock, bmc.driver_info, "n1", 30)

    order = caller.submit(target, SetPower(PowerControl.ON), 30)

    assert isinstance(under_way.failure().error, BMCBusy)
    assert isinstance(waiting.failure().error, BMCBusy)
    assert not order.outcomes
    bmc.released.set()
    assert order.value() is None
    assert bmc.most_at_once == 1


def test_no_more_connections_are_kept_than_the_limit(clock: SystemClock) -> None:
    driver = RedfishDriver(clock, max_kept=2)
    caller = Caller(driver, clock)
    with ExitStack() as stack:
        bmcs = [stack.enter_context(running_redfish_bmc()) for _ in range(4)]
        for index, bmc in enumerate(bmcs):
            caller.submit(caller.target(bmc.driver_info, f"n{index}"), GetPower()).value()

        until(lambda: driver.counters()["connections"] == 2)
        assert driver.counters()["sessions"] == 4
        assert caller.submit(caller.target(bmcs[0].driver_info, "n0"), GetPower()).value() is PowerState.OFF
        assert (bmcs[0].logins, bmcs[0].connections) == (1, 2)
        driver.stop(5)
        assert [bmc.sessions for bmc in bmcs] == [{}] * 4


def test_stopping_ends_what_hangs_and_logs_out_of_the_others(
    bmc: RedfishBMC, caller: Caller, driver: RedfishDriver
) -> None:
    caller.submit(caller.target(bmc.driver_info), GetPower()).value()
    with running_redfish_bmc() as slow:
        slow.next(hang)
        ticket = caller.submit(caller.target(slow.driver_info, "slow"), GetPower(), 30)
        until(lambda: slow.count("GET", SYSTEM) == 1)

        driver.stop(5)

        assert isinstance(ticket.failure().error, BMCUnreachable)
        assert (bmc.sessions, slow.sessions) == ({}, {})
        assert driver.counters()["running"] == 0
