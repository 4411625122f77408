"""Keepalives: a check is one; the driver sends its own only where none comes in time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.drivers.base import Call, GetPower
from castiron.actors.drivers.ipmi.sessions.keeping import keepalive_at
from castiron.testing.bmc import BMC
from castiron.transport.vocabulary import Instant, PowerState
from tests.support.driver_calls import Ticket
from tests.unit.actors.drivers.ipmi.lab import HOST, LOGIN, SILENCE_S, STEADY, Lab

KEPT_S = 57.0
"""A BMC ends a session that was idle for 60 s, or for 3 s less."""


def check(lab: Lab, every_s: float) -> Ticket:
    """Ask as a power check does that comes again after so many seconds."""
    ticket = Ticket(lab.caller.ended.append)
    now = lab.clock.now()
    target = lab.caller.target(LOGIN, HOST)
    call = Call(
        target=target,
        operation=GetPower(),
        deadline=Instant(now + 15),
        gives_way=True,
        next_by=Instant(now + every_s),
    )
    lab.driver.submit(call, ticket.done)
    return ticket


def checked(lab: Lab, bmc: BMC, every_s: float) -> float:
    """Check for a while; return how many commands there were for each check."""
    lab.ask(GetPower())
    commands, checks = bmc.device.command_count, 0
    until = lab.clock.now() + 20 * every_s
    while lab.clock.now() < until:
        ticket = check(lab, every_s)
        lab.wait(every_s)
        assert ticket.value() is PowerState.OFF
        checks += 1
    return (bmc.device.command_count - commands) / checks


@pytest.mark.parametrize(
    ("every_s", "commands"), [(6.0, 1), (25.0, 1), (40.0, 1), (48.0, 1), (60.0, 2), (90.0, 2), (120.0, 3), (600.0, 13)]
)
def test_a_check_is_its_sessions_keepalive_and_others_are_sent_only_into_gaps(every_s: float, commands: int) -> None:
    lab = Lab()
    bmc = lab.bmc()

    assert checked(lab, bmc, every_s) == pytest.approx(commands, abs=0.05)
    assert lab.counted("logins") == 1
    gaps = [moment for moment, _, _ in lab.network.sent]
    assert max(later - earlier for earlier, later in pairwise(gaps)) <= STEADY.longest_idle_s


def test_a_check_that_does_not_come_is_made_up_for_before_the_session_ends() -> None:
    lab = Lab()
    bmc = lab.bmc()
    lab.ask(GetPower())
    check(lab, 25.0)
    lab.wait(0.1)
    commands = bmc.device.command_count

    lab.wait(STEADY.longest_idle_s)

    assert bmc.device.command_count == commands + 1
    lab.wait(10 * 60)
    assert bmc.device.command_count == commands + 1 + 20, "and as nobody says when the next one comes, each 30 s"
    assert lab.counted("logins") == 1


def test_a_bmc_that_forgets_sessions_early_is_asked_more_often_from_then_on() -> None:
    lab = Lab()
    bmc = lab.bmc()
    lab.ask(GetPower())
    check(lab, 45.0)
    lab.wait(44.0)
    bmc.cold_reset()
    lost = check(lab, 45.0)
    lab.wait(SILENCE_S + 1)
    assert lost.value() is PowerState.OFF
    commands = bmc.device.command_count

    lab.wait(STEADY.keepalive_s + 1)

    assert bmc.device.command_count == commands + 1


@given(next_in_s=st.none() | st.floats(-100, 100_000))
def test_no_session_is_left_alone_longer_than_a_bmc_bears(next_in_s: float | None) -> None:
    now = Instant(1_000_000.0)
    next_by = None if next_in_s is None else Instant(now + next_in_s)

    at = keepalive_at(now, next_by, STEADY)

    assert now < at <= now + STEADY.longest_idle_s
    assert at - now + STEADY.waits_s[0] * 1.25 + STEADY.waits_s[1] * 1.25 < KEPT_S, "it may be sent three times"
    if next_by is not None and now < next_by <= now + STEADY.longest_idle_s:
        assert at >= next_by, "no keepalive where a check comes in time"
