"""Pacing: how many datagrams and logins a second, to all and to one address; who waits, and who goes first."""

from collections import Counter
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.drivers.base import Call, GetPower
from castiron.actors.drivers.ipmi.pacing.allowance import Allowance
from castiron.actors.drivers.ipmi.pacing.limits import LEAST_BURST, Limits
from castiron.actors.drivers.ipmi.pacing.queue import Queue, Urgency
from castiron.actors.drivers.operations import ReadSensors
from castiron.transport.errors import BMCUnreachable, DeadlineExceeded
from castiron.transport.vocabulary import Instant, PowerState
from tests.support.driver_calls import Ticket
from tests.unit.actors.drivers.ipmi.lab import ON, SILENCE_S, Lab, many

SHARED: Final = "127.0.0.1"
ANY: Final = 0.0


def limits(**changes: float) -> Limits:
    """No bound but the given ones."""
    none = {"logins_per_s": ANY, "datagrams_per_s": ANY, "datagrams_per_bmc_per_s": ANY, "calls_per_bmc": 64}
    return Limits(**{**none, **changes})  # type: ignore[arg-type]  # numbers all


def check(lab: Lab, host: str, *, node: str | None = None, deadline_s: float = 15.0) -> Ticket:
    """Ask as a power check does: nobody waits for it."""
    ticket = Ticket(lab.caller.ended.append)
    login = {"ipmi_address": host, "ipmi_username": "admin", "ipmi_password": "secret"}
    target = lab.caller.target(login, node or host)
    deadline = Instant(lab.clock.now() + deadline_s)
    call = Call(target=target, operation=GetPower(), deadline=deadline, gives_way=True)
    lab.driver.submit(call, ticket.done)
    return ticket


def read(lab: Lab, host: str, deadline_s: float = 60.0) -> Ticket:
    """Ask as a reading of sensors does, which lets everything else pass."""
    ticket = Ticket(lab.caller.ended.append)
    login = {"ipmi_address": host, "ipmi_username": "admin", "ipmi_password": "secret"}
    target = lab.caller.target(login, host)
    deadline = Instant(lab.clock.now() + deadline_s)
    call = Call(target=target, operation=ReadSensors(), deadline=deadline, steps_aside=True)
    lab.driver.submit(call, ticket.done)
    return ticket


def fleet(lab: Lab, count: int) -> list[str]:
    hosts = [f"127.0.{number // 200}.{number % 200 + 1}" for number in range(count)]
    for host in hosts:
        lab.bmc(host)
    return hosts


def logged_in(lab: Lab, hosts: list[str]) -> None:
    tickets = [lab.submit(GetPower(), host) for host in hosts]
    lab.wait(20)
    assert all(ticket.value() is PowerState.OFF for ticket in tickets)


def sent_since(lab: Lab, at: float) -> list[float]:
    return [moment - at for moment, _, _ in lab.network.sent if moment >= at]


# Arithmetic.


@given(
    rate_per_s=st.floats(0.5, 1000),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 30)), min_size=1, max_size=40),
)
def test_no_span_sees_more_than_its_share_and_two_bursts(
    rate_per_s: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    now = Instant(1_000_000.0)
    allowance = Allowance(rate_per_s, burst, now)
    used: list[float] = []
    for after_s, wanted in steps:
        now = Instant(now + after_s)
        for _ in range(wanted):
            if allowance.wait_s(now):
                break
            allowance.used += 1
            used.append(now)

    for first in range(len(used)):
        for last in range(first, len(used)):
            assert last - first + 1 <= 2 * burst + (used[last] - used[first]) * rate_per_s + 1


@given(rate_per_s=st.floats(0.5, 1000), overdrawn=st.integers(1, 100))
def test_what_was_overdrawn_is_waited_for_and_no_longer(rate_per_s: float, overdrawn: int) -> None:
    now = Instant(1_000_000.0)
    allowance = Allowance(rate_per_s, 1, now)
    allowance.used += 1 + overdrawn

    wait_s = allowance.wait_s(now)

    assert wait_s == pytest.approx((1 + overdrawn) / rate_per_s)
    assert allowance.wait_s(Instant(now + wait_s * 0.9)) > 0
    assert allowance.wait_s(Instant(now + wait_s * 1.001)) == 0


def test_a_rate_of_nothing_is_no_bound() -> None:
    allowance = Allowance(0.0, 1, Instant(0.0))
    allowance.used += 1_000_000

    assert allowance.wait_s(Instant(0.0)) == 0.0


def test_the_most_urgent_come_first_and_whoever_becomes_urgent_moves_up() -> None:
    queue: Queue[str] = Queue()
    for who, urgency in (("reading", 2), ("check", 1), ("user", 0), ("later", 1), ("late", 1)):
        queue.put(who, Urgency(urgency))
    queue.put("late", Urgency.USER)
    queue.put("user", Urgency.READING)  # it has lost nothing by asking again
    queue.leave("later")

    assert [queue.is_passed(urgency) for urgency in Urgency] == [False, False, False]
    assert [queue.pop() for _ in range(len(queue))] == ["user", "late", "check", "reading"]
    with pytest.raises(LookupError):
        queue.pop()


# All BMCs.


def test_datagrams_to_all_leave_at_their_rate_and_none_is_lost() -> None:
    lab = Lab(limits=limits(datagrams_per_s=100))
    hosts = fleet(lab, 150)
    logged_in(lab, hosts)
    lab.wait(10)
    at = lab.clock.now()

    tickets = [check(lab, host) for host in hosts]
    lab.wait(3)

    assert all(ticket.value() is PowerState.OFF for ticket in tickets)
    moments = sent_since(lab, at)
    assert len(moments) == 150
    for least_s in (0.2, 0.5, 1.0):
        assert sum(moment <= least_s for moment in moments) <= 2 * LEAST_BURST + 100 * least_s + 1
    assert moments[-1] < 1.6, "and at that rate, no slower"
    assert lab.counted("unsent") == 0


def test_a_request_passes_all_checks_that_wait_and_they_pass_long_readings() -> None:
    lab = Lab(limits=limits(datagrams_per_s=50))
    hosts = fleet(lab, 60)
    lab.bmc(hosts[-1]).device.repository.sensors = many(5)
    logged_in(lab, hosts)
    lab.wait(10)

    reading = read(lab, hosts[-1])
    tickets = [check(lab, host) for host in hosts[:-2]]
    lab.wait(0.1)
    assert lab.counted("paced") > 30
    asked = lab.submit(GetPower(), hosts[-2])
    lab.wait(0.1)

    assert asked.value() is PowerState.OFF
    assert sum(bool(ticket.outcomes) for ticket in tickets) < 20
    lab.wait(10)
    order = lab.caller.ended[-60:]
    assert order[-1] is reading
    assert {id(ticket) for ticket in order[:-1]} == {id(ticket) for ticket in [*tickets, asked]}
    assert lab.counted("paced") == 0


def test_a_check_that_waited_here_until_its_time_was_over_says_that_its_bmc_was_not_asked() -> None:
    lab = Lab(limits=limits(datagrams_per_s=1))
    hosts = fleet(lab, 30)
    lab.wait(10)

    tickets = [check(lab, host, deadline_s=2.0) for host in hosts]
    lab.wait(3)

    error = tickets[-1].failure().error
    assert isinstance(error, DeadlineExceeded)
    assert error.details["is_asked"] is False


def test_what_had_to_wait_and_is_not_wanted_any_more_takes_nobodys_place() -> None:
    lab = Lab(limits=limits(datagrams_per_s=40))
    hosts = fleet(lab, 30)
    logged_in(lab, hosts)
    lab.wait(10)
    given_up = [check(lab, host, deadline_s=0.2) for host in hosts[:20]]
    waiting = [check(lab, host) for host in hosts[20:]]

    lab.wait(3)

    assert all(ticket.value() is PowerState.OFF for ticket in waiting)
    assert all(len(ticket.outcomes) == 1 for ticket in given_up)


# Logins.


def test_logins_are_spread_and_those_for_whom_somebody_waits_come_first() -> None:
    lab = Lab(limits=limits(logins_per_s=20))
    hosts = fleet(lab, 100)
    tickets = [check(lab, host) for host in hosts]
    lab.wait(1)
    asked = lab.submit(GetPower(), hosts[-1])  # its check waits, as the last one
    lab.wait(0.1)
    assert asked.value() is PowerState.OFF
    per_second = Counter[int]()
    while lab.counted("logins") < len(hosts):
        before = lab.counted("logins")
        lab.wait(1)
        per_second[lab.counted("logins") - before] += 1

    assert max(per_second) <= 20 + 2
    assert sum(per_second.values()) <= 5
    assert sum(bool(ticket.outcomes) for ticket in tickets) == 100


def test_silent_bmcs_hold_up_no_login() -> None:
    lab = Lab(limits=limits(logins_per_s=100, logins=2, datagrams_per_s=1000))
    hosts = fleet(lab, 200)
    for host in hosts[::2]:
        del lab.network.bmcs[host, 623]
    tickets = {host: check(lab, host) for host in hosts}

    lab.wait(1.2)

    assert lab.counted("sessions") == 100
    assert all(tickets[host].value() is PowerState.OFF for host in hosts[1::2])
    assert not any(tickets[host].outcomes for host in hosts[::2])


# One address.


def test_a_silent_address_that_nodes_share_is_asked_by_one_check_at_a_time_and_at_once_by_a_request() -> None:
    lab = Lab(limits=limits(calls_per_bmc=2))
    checks = [check(lab, SHARED, node=f"n{number}") for number in range(3)]
    lab.wait(0.1)
    assert lab.counted("sent") == 1

    lab.submit(ON, SHARED, node="n3")
    lab.wait(0.1)
    assert lab.counted("sent") == 2

    lab.wait(SILENCE_S)
    assert isinstance(checks[0].failure().error, BMCUnreachable)
    assert lab.counted("sent") > 2 + 3, "and when it is given up, the next one asks"
    lab.wait(2 * SILENCE_S)
    assert all(len(ticket.outcomes) == 1 for ticket in checks)


def test_nodes_that_share_an_address_all_come_to_their_turn() -> None:
    lab = Lab(limits=limits(calls_per_bmc=1))
    lab.bmc(SHARED, session_slots=8)
    for _ in range(3):
        tickets = [check(lab, SHARED, node=f"n{number}") for number in range(4)]
        lab.wait(1)
        assert [ticket.value() for ticket in tickets] == [PowerState.OFF] * 4


def test_datagrams_to_one_address_leave_at_their_rate_whoever_asks() -> None:
    lab = Lab(limits=limits(datagrams_per_bmc_per_s=20))
    lab.bmc(SHARED).device.repository.sensors = many(50)
    lab.bmc("127.0.0.9")
    at = lab.clock.now()

    reading = read(lab, SHARED)
    lab.wait(0.5)
    other = lab.submit(GetPower(), "127.0.0.9")
    lab.wait(0.1)
    assert other.value() is PowerState.OFF
    lab.wait(20)

    assert reading.value()
    mine = [moment - at for moment, to, _ in lab.network.sent if to[0] == SHARED]
    assert len(mine) > 100
    assert mine[-1] > (len(mine) - 2 * 20) / 20, "two bursts, and the others at their rate"
    for moment in range(1, int(mine[-1])):
        assert sum(moment <= one < moment + 1 for one in mine) <= 21
    assert max(later - earlier for earlier, later in pairwise(mine)) < 0.2


# Users.


def test_a_request_to_a_bmc_that_is_thought_silent_is_sent_at_once_with_all_patience() -> None:
    lab = Lab()
    check(lab, SHARED)
    lab.wait(SILENCE_S - 0.1)
    sent = lab.counted("sent")
    lab.bmc(SHARED)

    asked = lab.submit(GetPower(), SHARED)
    lab.wait(0.05)

    assert asked.value() is PowerState.OFF
    assert lab.counted("sent") > sent
