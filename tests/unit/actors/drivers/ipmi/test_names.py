"""Names, timers and places for logins: the engine's small parts."""

from collections.abc import Callable, Sequence
from random import Random

import pytest

from castiron.actors.drivers.ipmi.pacing.limits import Limits
from castiron.actors.drivers.ipmi.pacing.queue import Urgency
from castiron.actors.drivers.ipmi.sessions.logins import Logins
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.actors.drivers.ipmi.wire.names import FOUND_FOR_S, MAX_LOOKUPS, MISSED_FOR_S, Names
from castiron.actors.drivers.ipmi.wire.timers import Timers
from castiron.transport.vocabulary import Instant

PLACE = Address(2, ("192.0.2.7", 623))


class Resolver:
    """A name server whose look-ups end when they are told to."""

    def __init__(self) -> None:
        self.now = Instant(0.0)
        self.asked: list[str] = []
        self.found: Sequence[Address] = [PLACE]
        self.under_way: list[Callable[[], None]] = []
        self.names = Names(
            now=lambda: self.now,
            post=lambda work: work(),
            lookup=self._look_up,
            start=self.under_way.append,
        )
        self.told: list[Sequence[Address]] = []

    def _look_up(self, host: str, _port: int) -> Sequence[Address]:
        self.asked.append(host)
        if not self.found:
            raise OSError("not found")
        return self.found

    def resolve(self, host: str = "bmc.example") -> None:
        self.names.resolve(host, 623, self.told.append)

    def finish(self) -> None:
        self.under_way.pop(0)()


def test_literals_never_go_to_a_name_server() -> None:
    resolver = Resolver()

    resolver.resolve("192.0.2.7")
    resolver.resolve("::1")
    resolver.resolve("fe80::1%nowhere")

    assert [len(addresses) for addresses in resolver.told] == [1, 1, 0]
    assert resolver.under_way == []


def test_all_who_ask_meanwhile_share_one_look_up() -> None:
    resolver = Resolver()

    for _ in range(3):
        resolver.resolve()
    resolver.finish()

    assert resolver.told == [[PLACE]] * 3
    assert resolver.asked == ["bmc.example"]


def test_an_answer_is_kept_and_then_used_while_it_is_looked_up_again() -> None:
    resolver = Resolver()
    resolver.resolve()
    resolver.finish()
    resolver.now = Instant(FOUND_FOR_S - 1)
    resolver.resolve()
    assert resolver.under_way == []

    resolver.now = Instant(FOUND_FOR_S)
    resolver.resolve()

    assert resolver.told == [[PLACE]] * 3
    assert len(resolver.under_way) == 1


def test_an_old_answer_outlives_a_name_server_that_fails() -> None:
    resolver = Resolver()
    resolver.resolve()
    resolver.finish()
    resolver.found = []
    resolver.names.doubt("bmc.example", 623)

    resolver.resolve()
    assert len(resolver.told) == 1
    resolver.finish()

    assert resolver.told == [[PLACE]] * 2


def test_a_failure_is_kept_for_a_moment() -> None:
    resolver = Resolver()
    resolver.found = []
    resolver.resolve()
    resolver.finish()

    resolver.resolve()
    assert resolver.told == [(), ()]
    resolver.now = Instant(MISSED_FOR_S)
    resolver.resolve()

    assert len(resolver.under_way) == 1


def test_look_ups_beyond_the_limit_wait_for_others_to_end() -> None:
    resolver = Resolver()

    for index in range(MAX_LOOKUPS + 2):
        resolver.resolve(f"bmc{index}.example")
    assert len(resolver.under_way) == MAX_LOOKUPS
    resolver.finish()

    assert len(resolver.under_way) == MAX_LOOKUPS
    assert len(resolver.told) == 1


class Applicant:
    urgency = Urgency.CHECK

    def __init__(self) -> None:
        self.is_granted = False

    def granted(self) -> None:
        self.is_granted = True


def never(_logins: Logins, _at: Instant) -> None:
    raise AssertionError("nobody has to wait for the rate")


def test_places_for_logins_are_given_in_order_and_withdrawals_cost_none() -> None:
    logins = Logins(lambda: Instant(1.0), Limits(logins=1), never)
    first, second, third = (Applicant() for _ in range(3))
    for applicant in (first, second, third):
        logins.ask(applicant)
    assert [applicant.is_granted for applicant in (first, second, third)] == [True, False, False]

    logins.withdraw(second)
    logins.leave()

    assert [applicant.is_granted for applicant in (first, second, third)] == [True, False, True]


class Holder:
    def __init__(self) -> None:
        self.entries_at: list[Instant] = []


def test_a_timer_fires_at_the_earliest_instant_it_was_armed_for() -> None:
    timers: Timers[Holder] = Timers()
    early, late = Holder(), Holder()
    timers.arm(late, Instant(3))
    timers.arm(early, Instant(2))
    timers.arm(late, Instant(1))
    timers.arm(late, Instant(5))

    assert timers.next_at() == Instant(1)
    assert timers.pop_due(Instant(0.5)) is None
    assert [timers.pop_due(Instant(9)) for _ in range(4)] == [late, early, late, None]


def test_one_who_is_asked_often_leaves_nothing_behind() -> None:
    timers: Timers[Holder] = Timers()
    holder = Holder()
    timers.arm(holder, Instant(30))  # a keepalive
    for second in range(1, 1_000):
        timers.arm(holder, Instant(second + 0.5))  # an answer is owed
        timers.arm(holder, Instant(second + 30))  # and has come: the next keepalive
        while timers.pop_due(Instant(second + 1)) is not None:
            timers.arm(holder, Instant(second + 30))
        assert len(timers) == len(holder.entries_at) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_a_timer_never_fires_late(seed: int) -> None:
    """Whatever it was armed for since it fired last, the earliest is when it fires again."""
    rng, now = Random(seed), 0.0
    timers: Timers[Holder] = Timers()
    wishes: dict[Holder, float] = {Holder(): 0.0 for _ in range(5)}
    for holder in wishes:
        timers.arm(holder, Instant(0.0))
    for _ in range(500):
        now += rng.uniform(0, 1)
        while (fired := timers.pop_due(Instant(now))) is not None:
            if wishes[fired] <= now:
                wishes[fired] = now + rng.uniform(0.01, 20)
            timers.arm(fired, Instant(wishes[fired]))
        assert min(wishes.values()) > now, "each wish that had come due has fired"
        holder = rng.choice(list(wishes))
        wishes[holder] = now + rng.uniform(0.01, 20)
        timers.arm(holder, Instant(wishes[holder]))
