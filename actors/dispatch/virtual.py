"""Virtual time: the same actors and timers, on one thread, in an order that a seed decides.

`VirtualClock` and `SimDispatcher` take the places of `SystemClock` and `PoolDispatcher`. Time passes only when it is
told to, everything runs on the caller's thread, and the same seed gives the same order. No real time may come in, no
thread, and no randomness but the generator that was handed in.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from pykka import Future

from castiron.actors.dispatch.clock import Timer, TimerHeap
from castiron.actors.dispatch.dispatcher import Lasted, Runnable, SlowTurn
from castiron.actors.dispatch.future import DispatchedFuture
from castiron.transport.replies import TimerCounts
from castiron.transport.vocabulary import Instant, Seconds

MAX_TURNS: Final = 1_000_000
"""Turns without a pause that are taken for a loop without end."""


class StillBusy(Exception):
    """A simulation did not come to rest within its limit: actors that keep telling each other, or a limit too low."""


class SimDispatcher:
    """Runs actors inline, one turn at a time, on the thread that calls `run_until_idle`. Not for several threads.

    Args:
        rng: draws who is next among the ready; None: who has been ready for longest.
        throughput: messages a turn; at 1, the default, the order of the seed reaches every message.
    """

    def __init__(self, rng: Random | None = None, *, throughput: int = 1) -> None:
        self._rng = rng
        self._throughput = throughput
        self._ready: list[Runnable] = []
        self._turns_count = self._crash_count = 0
        self._interrupt: KeyboardInterrupt | None = None

    def run_until_idle(self, limit: int = MAX_TURNS) -> int:
        """Give turns until nobody is ready; return how many.

        Raises:
            StillBusy: that took more than `limit` turns.
            KeyboardInterrupt: an actor was ended by one; it was meant for whoever runs the simulation.
        """
        return self._run(lambda: not self._ready, limit)

    def run_turns(self, count: int) -> int:
        """Give up to `count` turns, as if the world stood still then; return how many there were.

        Raises:
            KeyboardInterrupt: as `run_until_idle`.
        """
        left = iter(range(count))
        return self._run(lambda: not self._ready or next(left, None) is None, count + 1)

    def schedule(self, runnable: Runnable, *, ahead: bool = False) -> None:  # noqa: ARG002 - the seed draws who is next
        """Owe `runnable` one turn."""
        self._ready.append(runnable)

    def will_answer(self, future: Future[Any]) -> None:
        """Have whoever waits for `future` run the actors meanwhile, as there is no other thread to do it."""
        if isinstance(future, DispatchedFuture):
            future.run_others = self._run_others

    def crashed(self, error: BaseException) -> None:
        """Count it, and keep an interrupt for the caller of `run_until_idle`."""
        self._crash_count += 1
        if isinstance(error, KeyboardInterrupt):
            self._interrupt = error

    def backlog(self) -> int:
        """Return how many actors wait for a turn."""
        return len(self._ready)

    def awake(self) -> list[Runnable]:
        """Return those that are owed a turn; nobody has one while somebody can ask."""
        return list(self._ready)

    def counters(self) -> Mapping[str, int]:
        """Return what it has counted since its start."""
        return {"ready": len(self._ready), "turns": self._turns_count, "crashes": self._crash_count}

    def is_alive(self) -> bool:
        """Return True: there is no thread that could die."""
        return True

    def stuck(self, longer_than_s: float) -> list[SlowTurn]:  # noqa: ARG002 - the contract's
        """Return nothing: whoever could ask is waiting for the turn itself."""
        return []

    def lasted(self) -> Lasted | None:
        """Return None: in virtual time no turn takes any."""
        return None

    def replace_hung(self, turn: SlowTurn) -> bool:  # noqa: ARG002 - the contract's
        """Return False: there is no thread to replace."""
        return False

    def mend(self) -> int:
        """Return 0: there is no thread that could have died."""
        return 0

    def stop(self, timeout_s: float) -> list[str]:  # noqa: ARG002 - the contract's
        """Return nothing: there is no thread to end."""
        return []

    def _run_others(self, is_enough: Callable[[], bool]) -> None:
        self._run(lambda: is_enough() or not self._ready, MAX_TURNS)

    def _run(self, is_enough: Callable[[], bool], limit: int) -> int:
        turns = 0
        while not is_enough():
            if turns >= limit:
                raise StillBusy(f"{len(self._ready)} actors are ready after {limit} turns")
            turns += 1
            self._turns_count += 1
            self._ready.pop(self._rng.randrange(len(self._ready)) if self._rng else 0).run_turn(self._throughput)
            if self._interrupt is not None:
                interrupt, self._interrupt = self._interrupt, None
                raise interrupt
        return turns


class VirtualClock:
    """A clock that stands still until it is moved. Calls run on the thread that moves it. Not for several threads.

    Args:
        start: what now is at first.
    """

    def __init__(self, start: Instant = Instant(0.0)) -> None:
        self._now = start
        self._heap = TimerHeap()
        self._due_count = 0

    def now(self) -> Instant:
        """Return what it has been moved to."""
        return self._now

    def call_at(self, at: Instant, call: Callable[[], None]) -> Timer:
        """Order `call` for `at`; where that has passed, for the next move. A call that raises is logged and counted."""
        return self._heap.push(max(at, self._now), call)

    def next_at(self) -> Instant | None:
        """Return when the next call is due, None if none is ordered."""
        return self._heap.next_at()

    def step(self) -> bool:
        """Move to the next timer and call it, that one alone; return whether there was one."""
        at = self._heap.next_at()
        return at is not None and self._call_first(at)

    def advance(self, by_s: Seconds) -> None:
        """Move on by so many seconds; see `run_until`."""
        self.run_until(Instant(self._now + by_s))

    def run_until(self, at: Instant) -> None:
        """Move to `at`, and call what is due on the way, each at its own instant, also what calls order meanwhile.

        Raises:
            ValueError: `at` has passed.
        """
        if at < self._now:
            raise ValueError(f"{at} is before now, {self._now}")
        while self._call_first(at):
            pass
        self._now = at

    def run(self, dispatcher: SimDispatcher, *, until: Instant | None = None, limit: int = MAX_TURNS) -> None:
        """Live: actors run until all are idle, then time jumps to the next timer, and so on.

        Args:
            dispatcher: the actors'.
            until: where to stop, with all actors idle; None: when no timer is left.
            limit: how many timers may come up, and how many turns actors may take between two of them.

        Raises:
            StillBusy: the limit was reached.
        """
        dispatcher.run_until_idle(limit)
        for _ in range(limit):
            if not self._call_first(until if until is not None else self._heap.next_at()):
                break
            dispatcher.run_until_idle(limit)
        else:
            raise StillBusy(f"{len(self._heap)} timers are left after {limit}")
        if until is not None:
            self._now = max(self._now, until)

    def is_alive(self) -> bool:
        """Return True: there is no thread that could die."""
        return True

    def counters(self) -> TimerCounts:
        """Return the same counts as SystemClock; nothing is ever late here."""
        return TimerCounts(
            waiting=max(0, len(self._heap) - self._heap.cancelled_count),
            due=self._due_count,
            failed=self._heap.failed_count,
        )

    def stop(self, timeout_s: float) -> list[str]:  # noqa: ARG002 - the contract's
        """Return nothing: there is no thread to end."""
        return []

    def _call_first(self, until: Instant | None) -> bool:
        timer = None if until is None else self._heap.pop_first(until)
        if timer is None:
            return False
        self._now = timer.at
        self._due_count += timer.fire()
        return True
