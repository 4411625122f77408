"""Engines that raise, hang, or are closed while they are at work; and no more threads than there are to be."""

import threading
from collections.abc import Callable
from typing import Any

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.core.provision.run import Finish, Run
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.executors.engines import Engines
from castiron.actors.executors.executor import Answer
from castiron.transport.errors import CastironError, StepFailed
from castiron.transport.vocabulary import ProvisionState
from tests.support.deadline import until

SPARE = 5

RUN = Run(stage=ProvisionState.CLEANING)


class Engine:
    """Does what it is told to."""

    def __init__(self, turn: Callable[[], None]) -> None:
        self._turn = turn
        self.closed = 0

    def moves(self, run: Run) -> Answer:
        self._turn()
        return Answer(run.moves())

    def close(self) -> None:
        self.closed += 1


class World:
    """Engines, and what they have answered."""

    def __init__(self, turn: Callable[[], object] = lambda: None, threads: int = 2) -> None:
        self.made: list[Engine] = []
        self.turn = turn
        self.bulkhead = Bulkhead("engines", threads, VirtualClock(), spare=SPARE)
        self.engines = Engines(self._make, self.bulkhead)
        self.told: list[Any] = []

    def ask(self, key: str = "k") -> Any:
        hand = self.engines.hand()
        hand.ask(key, RUN, self.told.append)
        return hand

    def _turn(self) -> None:
        self.turn()

    def _make(self, key: str, run: Run) -> Engine:
        del key, run
        self.made.append(Engine(self._turn))
        return self.made[-1]


def test_each_question_is_answered_and_an_engine_is_kept_for_its_list() -> None:
    world = World()
    hand = world.ask()
    until(lambda: len(world.told) == 1)
    hand.ask("k", RUN, world.told.append)
    until(lambda: len(world.told) == 2)
    assert (len(world.made), world.told) == (1, [Answer((Finish(),))] * 2)

    hand.ask("another", RUN, world.told.append)
    until(lambda: len(world.told) == 3)
    until(lambda: [one.closed for one in world.made] == [1, 0])
    hand.close()
    hand.close()
    until(lambda: [one.closed for one in world.made] == [1, 1])
    until(lambda: world.engines.counters() == {"open": 0, "running": 0, "waiting": 0, "hung": 0, "turns": 3})


def test_an_engine_that_raises_is_told_and_thrown_away_and_its_thread_lives_on() -> None:
    def turn() -> None:
        raise SystemExit(3)

    world = World(turn, threads=1)
    hand = world.ask()
    until(lambda: len(world.told) == 1)

    (error,) = world.told
    assert isinstance(error, StepFailed)
    assert "SystemExit" in str(error)
    assert world.made[0].closed == 1
    world.turn = lambda: None
    hand.ask("k", RUN, world.told.append)
    until(lambda: world.told[1:] == [Answer((Finish(),))])


def test_no_more_turns_at_once_than_threads_and_who_waits_gets_one() -> None:
    gate, at_once, most = threading.Semaphore(0), list[int](), list[int]()

    def turn() -> None:
        at_once.append(1)
        most.append(len(at_once))
        gate.acquire(timeout=20)
        at_once.pop()

    world = World(turn, threads=2)
    for name in "abcde":
        world.ask(name)
    until(lambda: world.engines.counters()["running"] == 2)
    assert world.engines.counters()["waiting"] == 3

    for _ in "abcde":
        gate.release()

    until(lambda: len(world.told) == 5)
    assert max(most) == 2


def test_an_engine_that_hangs_loses_its_place_when_its_list_is_given_up() -> None:
    gate = threading.Event()
    world = World(lambda: gate.wait(20), threads=1)
    hung = world.ask("hangs")
    until(lambda: world.engines.counters()["running"] == 1)
    world.turn = lambda: None
    world.ask("waits")

    hung.close()

    until(lambda: world.told == [Answer((Finish(),))])
    assert world.engines.counters()["hung"] == 1
    assert world.made[0].closed == 0, "it is at work"
    gate.set()
    until(lambda: world.made[0].closed == 1)
    until(lambda: world.engines.counters()["hung"] == 0)


def test_beyond_so_many_that_hang_no_turn_is_taken_and_that_is_told() -> None:
    gate = threading.Event()
    world = World(lambda: gate.wait(20), threads=1)
    for number in range(SPARE + 1):
        hand = world.ask(str(number))
        until(lambda: world.engines.counters()["running"] == 1)
        hand.close()

    before = len(world.told)
    world.ask("one more")

    assert isinstance(world.told[before], CastironError)
    gate.set()
    until(lambda: world.engines.counters()["hung"] == 0)


def test_a_question_is_replaced_by_a_newer_one_and_none_is_lost() -> None:
    world = World(threads=2)
    hand = world.engines.hand()
    for _ in range(500):
        hand.ask("k", RUN, world.told.append)
    last: list[Any] = []
    hand.ask("k", RUN, last.append)

    until(lambda: len(last) == 1)


def test_after_the_end_nobody_takes_a_turn() -> None:
    world = World()
    world.engines.stop()

    world.ask()

    assert isinstance(world.told[0], CastironError)


def test_what_is_asked_while_a_turn_is_taken_gets_the_next_one() -> None:
    gate = threading.Semaphore(0)
    world = World(lambda: gate.acquire(timeout=20))
    hand = world.ask()
    until(lambda: world.engines.counters()["running"] == 1)
    later: list[Any] = []
    hand.ask("k", RUN, later.append)

    gate.release(2)

    until(lambda: len(later) == 1)
    assert len(world.told) == 1
