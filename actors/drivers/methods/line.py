"""The calls of one BMC, one after the other, and what becomes of each. Under the driver's lock; nothing here waits.

What is to happen outside the lock is put into a list (`Todo`), in order. May come in: which call is next. Must not:
threads, loops, and what an outcome means.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from castiron.actors.bulkheads.pieces import Forgo
from castiron.actors.dispatch.clock import Timer
from castiron.actors.drivers.base import Call, NotDone, Outcome, Target
from castiron.actors.drivers.methods.asked import Asked
from castiron.transport.errors import BMCBusy, BMCError
from castiron.transport.vocabulary import Applied

MAX_WAITING: Final = 64
"""Calls that wait for one BMC: its node has one under way, and users' checks of it a few."""

Todo = list[Callable[[], None]]


class Pending:
    """A call, from its submission to its outcome."""

    __slots__ = ("asked", "call", "done", "forgo", "is_told", "timer", "why")

    def __init__(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.call = call
        self.done = done
        self.asked: Asked[object] = Asked(call, call.operation)
        self.why: BMCError | None = None
        """Why the driver ended it, if it did."""
        self.forgo: Forgo | None = None
        self.timer: Timer | None = None
        self.is_told = False

    def tell(self, outcome: Outcome, todo: Todo) -> None:
        """Have its outcome told, if none was."""
        if self.timer is not None:
            self.timer.cancel()
        if not self.is_told:
            self.is_told = True
            todo.append(partial(self.done, outcome))

    def refuse(self, error: BMCError, todo: Todo) -> None:
        """Have it fail: nothing of it was sent."""
        self.tell(NotDone(error=error, applied=Applied.NO), todo)

    def cut_off(self, error: BMCError, todo: Todo) -> None:
        """End it where it is carried out."""
        self.why = self.why or error
        if self.forgo is not None:  # else it is just being begun, and ended by who begins it
            todo.append(self.forgo)


class Line:
    """The calls of one node.

    Args:
        target: whose; another takes its place with a newer generation.
        begin: has a call carried out.
    """

    def __init__(self, target: Target, begin: Callable[["Line", Pending], None]) -> None:
        self.target = target
        self.current: Pending | None = None
        self.waiting: deque[Pending] = deque()
        self.was_slow = False
        """Its latest call took long, or all its time."""
        self.was_asked = False
        """Something was begun, so there may be a session."""
        self._begin = begin

    def submit(self, pending: Pending, todo: Todo) -> None:
        """Take a call in; what gives way does so."""
        self.end_all(BMCBusy("Another call has come for its BMC.", retry_after_s=1.0), todo, only=_gives_way)
        if self.current is None:
            self._go_on(pending, todo)
        elif len(self.waiting) >= MAX_WAITING:
            pending.refuse(BMCBusy(f"{MAX_WAITING} calls wait for this BMC.", retry_after_s=1.0), todo)
        else:
            self.waiting.append(pending)

    def end_all(self, error: BMCError, todo: Todo, only: Callable[[Pending], bool] = lambda _: True) -> None:
        """End all calls, or some: those that wait at once, the one that runs where it runs."""
        kept: deque[Pending] = deque()
        for pending in self.waiting:
            if only(pending):
                pending.refuse(error, todo)
            else:
                kept.append(pending)
        self.waiting = kept
        if self.current is not None and only(self.current):
            self.current.cut_off(error, todo)

    def ended(self, pending: Pending, outcome: Outcome, todo: Todo) -> None:
        """Tell a call's outcome, and begin the next."""
        pending.tell(outcome, todo)
        if pending is self.current:
            self.current = None
            if self.waiting:
                self._go_on(self.waiting.popleft(), todo)

    def late(self, pending: Pending, error: BMCError, todo: Todo) -> None:
        """End a call that has waited until its deadline."""
        if pending in self.waiting:
            self.waiting.remove(pending)
            pending.refuse(error, todo)

    def _go_on(self, pending: Pending, todo: Todo) -> None:
        self.current, self.was_asked = pending, True
        todo.append(partial(self._begin, self, pending))


def _gives_way(pending: Pending) -> bool:
    return pending.call.gives_way or pending.call.steps_aside
