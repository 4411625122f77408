"""Power actions begin at the set rate, and those who ask for them take turns. In virtual time."""

from collections import defaultdict
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.nodes.pace import Pace
from castiron.actors.nodes.permits import Permits
from castiron.actors.nodes.place import CLEAN, POWER, open_permits
from castiron.actors.settings import Settings
from castiron.transport.vocabulary import Instant, Seconds

START = Instant(1_000.0)
TICK_S = 0.002
"""What a time may be off by: waits are whole milliseconds."""


class World:
    """Permits with a pace, and who got one when."""

    def __init__(self, rate_per_s: float, burst: int, *, limit: int = 100_000, cap: int = 0) -> None:
        self.clock = VirtualClock(START)
        self.permits = Permits(limit, {POWER: cap}, pace=Pace(POWER, rate_per_s, burst, self.clock))
        self.given: list[tuple[float, str, int]] = []
        self._numbers = defaultdict[str, int](int)

    def ask(self, whose: str, *kinds: str) -> tuple[str, int]:
        """Ask for one."""
        number = self._numbers[whose]
        self._numbers[whose] += 1
        self.permits.acquire(
            (whose, number),
            lambda: self.given.append((self.clock.now() - START, whose, number)),
            *(kinds or (POWER,)),
            whose=whose,
        )
        return whose, number

    def order(self) -> list[str]:
        """Return who got theirs, in order."""
        return [whose for _, whose, _ in self.given]


def test_one_who_asks_for_one_is_next_however_many_another_has_asked_for() -> None:
    world = World(100.0, 1)
    for _ in range(10_000):
        world.ask("many")
    one = world.ask("one")

    assert world.permits.ahead_of(one) == 1
    assert world.permits.waiting_of(POWER) == 10_000
    world.clock.advance(Seconds(0.05))

    assert world.order()[:3] == ["many", "many", "one"]
    world.clock.advance(Seconds(101.0))
    assert world.order().count("many") == 10_000
    assert [number for _, whose, number in world.given if whose == "many"] == [*range(10_000)]


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    world = World(50.0, 10)
    for _ in range(200):
        world.ask("a")

    assert len(world.given) == 10, "the burst"
    world.clock.advance(Seconds(1.0 + TICK_S))
    assert len(world.given) == 60
    world.clock.advance(Seconds(1.0 + TICK_S))
    assert len(world.given) == 110


def test_what_waits_for_its_pace_holds_nothing_else_up() -> None:
    world = World(1.0, 1)
    for _ in range(5):
        world.ask("a")
    world.ask("a", CLEAN)

    assert world.given[-1] == (0.0, "a", 5)
    assert len(world.given) == 2


def test_whoever_leaves_the_line_takes_no_turn() -> None:
    world = World(10.0, 1)
    asked = [world.ask("a") for _ in range(4)]
    other = world.ask("b")
    world.permits.withdraw(asked[1])
    world.permits.withdraw(asked[2])

    assert world.permits.ahead_of(asked[1]) is None
    assert world.permits.ahead_of(other) == 1
    world.clock.advance(Seconds(1.0))
    assert [number for _, whose, number in world.given if whose == "a"] == [0, 3]
    assert world.order().count("b") == 1


def test_a_rate_of_none_is_no_pace() -> None:
    clock = VirtualClock(START)
    permits, told = open_permits(Settings(), clock), list[int]()
    for number in range(1_000):
        permits.acquire(number, lambda number=number: told.append(number), POWER)  # type: ignore[misc]

    assert told == [*range(1_000)]
    assert clock.counters().waiting == 0

    paced = open_permits(Settings(power_action_rate_per_s=2.0, power_action_rate_burst=3), clock)
    for number in range(10):
        paced.acquire(number, lambda: None, POWER)
    assert paced.in_use == 3


@given(
    seed=st.integers(0, 2**32),
    rate_per_s=st.sampled_from([0.5, 3.0, 40.0, 1_000.0]),
    burst=st.integers(1, 20),
    askers=st.lists(st.integers(1, 20), min_size=1, max_size=5),
    cap=st.sampled_from([0, 3]),
)
def test_no_more_begin_than_the_rate_lets_nobody_starves_and_all_take_turns(
    seed: int, rate_per_s: float, burst: int, askers: list[int], cap: int
) -> None:
    rng, world = Random(seed), World(rate_per_s, burst, cap=cap)
    wishes = [f"user {number}" for number, count in enumerate(askers) for _ in range(count)]
    rng.shuffle(wishes)
    held: list[tuple[str, int]] = []
    for whose in wishes:
        if rng.random() < 0.2:
            world.clock.advance(Seconds(rng.random() * 3 / rate_per_s))
        held.append(world.ask(whose))
    asked_at = world.clock.now() - START
    waiting = {one for one in held if world.permits.ahead_of(one) is not None}
    expected = sorted(waiting, key=lambda one: world.permits.ahead_of(one) or 0)
    began = len(world.given)

    # Each ends a while after it has begun, so a bound on those at once only slows them down.
    ended = 0
    for _ in range(3 * len(wishes) + 3):
        world.clock.advance(Seconds(1 / rate_per_s + TICK_S))
        ending, ended = world.given[ended:], len(world.given)
        for _, whose, number in ending:
            world.permits.withdraw((whose, number))

    assert len(world.given) == len(wishes), "nobody starves"
    assert [(whose, number) for _, whose, number in world.given[began:]] == expected, "as was foretold"
    for first, (at, _, _) in enumerate(world.given):
        count = sum(at <= other <= at + 1.0 for other, _, _ in world.given[first:])
        assert count <= rate_per_s * (1.0 + TICK_S) + burst + 1e-6
    ends = [at for at, _, _ in world.given]
    if cap == 0 and waiting:
        assert ends[-1] - asked_at <= len(waiting) * (1 / rate_per_s + TICK_S) + TICK_S, "and no slower"
    for one in set(wishes):
        numbers = [number for _, whose, number in world.given if whose == one]
        assert numbers == sorted(numbers), "each one's own in their order"


@given(counts=st.lists(st.integers(1, 30), min_size=2, max_size=6))
def test_between_two_of_one_asker_each_other_that_waits_has_a_turn(counts: list[int]) -> None:
    world = World(10.0, 1)
    world.ask("first")  # takes what there is at once
    for number, count in enumerate(counts):
        for _ in range(count):
            world.ask(str(number))
    world.clock.advance(Seconds(sum(counts) + 1.0))

    order, left = world.order()[1:], dict(enumerate(counts))
    while order:
        rounds = [number for number, count in left.items() if count]
        assert order[: len(rounds)] == [str(number) for number in rounds]
        order = order[len(rounds) :]
        left = {number: count - 1 for number, count in left.items() if count}
