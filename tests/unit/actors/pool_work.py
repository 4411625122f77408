"""What tests give a pool to do: actors and runnables that obey, count, break the contract or hang."""

import threading
from collections.abc import Callable
from typing import Any

from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.dispatch.pooled import DispatchedActor

PATIENCE_S = 10.0


class Doer(DispatchedActor):
    """Does whatever it is sent."""

    def on_receive(self, message: Callable[[], Any]) -> Any:
        return message()


class Ledger(DispatchedActor):
    """Writes down who sent what, and whether two threads were ever inside at once."""

    def __init__(self, dispatcher: PoolDispatcher, expected: int) -> None:
        super().__init__(dispatcher=dispatcher, inbox_limit=expected)
        self.expected = expected
        self.entries: list[tuple[int, int]] = []
        self.inside = threading.Lock()
        self.overlaps = 0
        self.is_complete = threading.Event()

    def on_receive(self, message: tuple[int, int]) -> None:
        if not self.inside.acquire(blocking=False):
            self.overlaps += 1
            return
        self.entries.append(message)
        self.inside.release()
        if len(self.entries) == self.expected:
            self.is_complete.set()


class Rounds:
    """A Runnable of the pool's own kind: takes so many turns and tells after the last."""

    def __init__(self, pool: PoolDispatcher, turns: int) -> None:
        self.pool = pool
        self.left = turns
        self.is_over = threading.Event()

    def run_turn(self, messages: int) -> None:  # noqa: ARG002 - the contract's
        self.left -= 1
        if self.left:
            self.pool.schedule(self)
        else:
            self.is_over.set()

    def doing(self) -> tuple[str, str]:
        return "rounds", "round"


class Faulty:
    """A Runnable that breaks the contract."""

    def run_turn(self, messages: int) -> None:  # noqa: ARG002 - the contract's
        raise SystemExit

    def doing(self) -> tuple[str, str]:
        return "faulty", "fault"


class Deadly:
    """A Runnable that kills the thread of its first turn: it breaks the contract, and again when asked who it is."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.is_over = threading.Event()
        self.victim = threading.current_thread()

    def run_turn(self, messages: int) -> None:  # noqa: ARG002 - the contract's
        if self.has_begun.is_set():
            self.is_over.set()
            return
        self.victim = threading.current_thread()
        self.has_begun.set()
        raise SystemExit

    def doing(self) -> tuple[str, str]:
        raise SystemExit


class Hang:
    """A message that hangs until it is let go."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> str:
        self.has_begun.set()
        assert self.let_go.wait(PATIENCE_S)
        return "let go"


def passed_through(pool: PoolDispatcher) -> None:
    """Wait until every worker has ended the turn it was in."""
    rounds = Rounds(pool, 1)
    pool.schedule(rounds)
    assert rounds.is_over.wait(PATIENCE_S)


def settled(pool: PoolDispatcher, counter: str, value: int) -> bool:
    """Give the pool turns to think again until its counter has the value."""
    for _ in range(10_000):
        if pool.counters()[counter] == value:
            return True
        passed_through(pool)
    return False
