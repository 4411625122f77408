"""Slow turns in the log: who, in what, how long; once a minute at the most, with a count."""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from castiron.actors.dispatch import mailbox
from castiron.actors.dispatch.dispatcher import Lasted, SlowTurn
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.dispatch.pooled import DispatchedActor
from castiron.actors.metrics.slowness import PAUSE_S, SlowTurns
from tests.support.deadline import until
from tests.unit.actors.pool_work import Rounds


class Room:
    """An account of slow turns, with its time, and what it has said."""

    def __init__(self, caplog: pytest.LogCaptureFixture, max_accounts: int = 1000) -> None:
        self.now = 1000.0
        self.caplog = caplog
        self.slowness = SlowTurns(lambda: self.now, max_accounts)

    def said(self) -> list[str]:
        lines = [record.message for record in self.caplog.records if record.levelno == logging.WARNING]
        self.caplog.clear()
        return lines


@contextmanager
def a_pool(**how: Any) -> Generator[PoolDispatcher]:
    """Run a pool of one thread, which has ended whatever becomes of the test."""
    pool = PoolDispatcher(1, **how)
    try:
        yield pool
    finally:
        pool.stop(20.0)


@pytest.fixture
def room(caplog: pytest.LogCaptureFixture) -> Room:
    return Room(caplog)


def test_actor_message_request_and_length_are_named(room: Room) -> None:
    room.slowness.ended(Lasted("node n1", "Heard", 0.734, "r-1"))

    assert room.caplog.records[-1].__dict__["request"] == "r-1"
    assert room.said() == ["node n1 was slow: 0.73 s in Heard of request r-1"]


def test_the_same_actor_and_message_is_told_once_a_minute_with_a_count(room: Room) -> None:
    for second in range(150):
        room.now = 1000.0 + second
        room.slowness.ended(Lasted("node n1", "Heard", 0.5 + second / 1000, "r-1"))
        room.slowness.look()

    assert room.said() == [
        "node n1 was slow: 0.50 s in Heard of request r-1",
        "node n1: 60 more slow turns in Heard in the last 60 s, up to 0.56 s, the latest of request r-1",
        "node n1: 60 more slow turns in Heard in the last 60 s, up to 0.62 s, the latest of request r-1",
    ]


def test_others_are_told_at_once(room: Room) -> None:
    room.slowness.ended(Lasted("node n1", "Heard", 0.5))
    room.slowness.ended(Lasted("node n2", "Heard", 0.5))
    room.slowness.ended(Lasted("node n1", "TimerDue", 0.5))
    room.slowness.ended(Lasted("node n1", None, 0.5))

    assert room.said() == [
        "node n1 was slow: 0.50 s in Heard",
        "node n2 was slow: 0.50 s in Heard",
        "node n1 was slow: 0.50 s in TimerDue",
        "node n1 was slow: 0.50 s in unknown",
    ]


def test_nobody_is_slow_for_ever(room: Room) -> None:
    room.slowness.ended(Lasted("node n1", "Heard", 0.5))
    room.now += PAUSE_S
    room.slowness.look()
    room.slowness.ended(Lasted("node n1", "Heard", 0.6))

    assert room.said() == ["node n1 was slow: 0.50 s in Heard", "node n1 was slow: 0.60 s in Heard"]


def test_a_turn_that_was_told_while_it_went_on_is_not_told_again(room: Room) -> None:
    with a_pool() as pool:
        room.slowness.goes_on(SlowTurn("thread", 1, Rounds(pool, 1), "node n1", "Heard", 2.0))
    room.slowness.ended(Lasted("node n1", "Heard", 3.0))
    room.now += PAUSE_S
    room.slowness.look()

    assert room.said() == ["node n1 is slow: 2.0 s in Heard, and not done"]


def test_beyond_the_bound_they_are_counted_together(caplog: pytest.LogCaptureFixture) -> None:
    room = Room(caplog, max_accounts=2)
    for number in range(10):
        room.slowness.ended(Lasted(f"node n{number}", "Heard", 0.5))
    room.now += PAUSE_S
    room.slowness.look()

    said = room.said()
    assert len(said) == 4
    assert said[-1] == "other actors: 7 more slow turns in unknown in the last 60 s, up to 0.50 s"


@dataclass(frozen=True)
class Quick:
    """A message that takes no time."""

    request_id: str = "r-quick"


@dataclass(frozen=True)
class Slow:
    """One that takes until it is let go."""

    let_go: threading.Event
    begun: threading.Event
    password: str = "a-secret-value"
    request_id: str = "r-slow"


class Worker(DispatchedActor):
    """Takes both."""

    def on_receive(self, message: Quick | Slow) -> None:
        if isinstance(message, Slow):
            message.begun.set()
            assert message.let_go.wait(20)


def test_a_pool_names_the_message_of_a_turn_that_took_longest(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks while the turn goes on; the slow message is one of several of its turn, and the only one of length.

    By a clock of the test's own: a machine that stands still makes no other message slow.
    """
    monkeypatch.setattr(mailbox, "monotonic", lambda: room.now)
    let_go, begun, gate, closed = (threading.Event() for _ in range(4))
    with a_pool(slow_turn_s=0.01, slow_turn=room.slowness.ended, monotonic=lambda: room.now) as pool:
        blocker, actor = Worker.start(dispatcher=pool), Worker.start(dispatcher=pool)
        blocker.tell(Slow(gate, closed, request_id="r-gate"))
        assert closed.wait(20)
        for message in (Quick(), Slow(let_go, begun), Quick(), Quick()):
            actor.tell(message)
        gate.set()
        assert begun.wait(20)
        room.now += 5.0
        let_go.set()
        until(lambda: pool.lasted() is not None)
        lasted = pool.lasted()
        blocker.stop()
        actor.stop()

    assert lasted is not None
    assert (lasted.message, lasted.request, lasted.lasted_s) == ("Slow", "r-slow", 5.0)
    assert "a-secret-value" not in room.caplog.text
    assert room.said()[0].endswith("was slow: 5.00 s in Slow of request r-slow")


def test_a_pool_counts_how_long_its_turns_were_waited_for() -> None:
    with a_pool() as pool:
        rounds = Rounds(pool, 100)
        pool.schedule(rounds)
        assert rounds.is_over.wait(20)
        until(lambda: pool.counters()["turns"] == 100)

        waits = pool.waits()

    assert sum(waits.counts) == 100
    assert 0 < waits.total_s < 20
    assert sum(pool.waits().counts) == 100, "what a thread that has left has counted stays"
