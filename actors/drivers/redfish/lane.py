"""One BMC's calls: one after the other, each with its deadline and one outcome, each on a thread of the bulkhead.

At most one call of a BMC has a place at a time, so a slow or dead one holds one place, however many wait for it. What
nobody waits for goes, at a BMC that was slow or silent the last time, to the line of those that take long: it never
takes the place of what is quick. No blocking here. Everything but outcomes and the bulkhead's work is under the
driver's lock; what must not be is put into `todo`, and done after it.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from castiron.actors.bulkheads.pieces import LONG_S, Ended, Forgo, NotBegun, Overdue, Pool
from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.drivers.base import Call, Done, NotDone, Outcome
from castiron.actors.drivers.redfish.operations.table import LONG, carry_out
from castiron.actors.drivers.redfish.turns import Todo, Turns
from castiron.actors.drivers.redfish.wire.session import Session
from castiron.transport.errors import BMCBusy, BMCError, BMCFault, BMCUnreachable, CastironError, DeadlineExceeded
from castiron.transport.vocabulary import Applied, Instant

MAX_WAITING: Final = 32
"""Calls that may wait for one BMC. A node's actor asks one thing at a time; the rest is room for other callers."""

LOGOUT_S: Final = 3.0
"""For the deletion of a session: a BMC that is there answers sooner; the others end it by themselves."""

_log = logging.getLogger(__name__)


class Pending:
    """A call that has no outcome yet, or whose work has not ended."""

    __slots__ = ("_done", "call", "forgo", "is_told", "timer")

    def __init__(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.call = call
        self._done = done
        self.is_told = False
        self.timer: Timer | None = None
        self.forgo: Forgo | None = None

    def end(self, outcome: Outcome, todo: Todo) -> None:
        """Have its outcome told, if it has none. A caller's fault is logged and stays there."""
        if self.timer is not None:
            self.timer.cancel()
        if not self.is_told:
            self.is_told = True
            todo.append(partial(self._tell, outcome))

    def fail(self, error: CastironError, todo: Todo, applied: Applied = Applied.NO) -> None:
        """Have its failure told."""
        self.end(NotDone(error=error, applied=applied), todo)

    def withdraw(self) -> None:
        """Take its work back, if it has not begun. Not under the lock."""
        if self.forgo is not None:
            self.forgo()

    def _tell(self, outcome: Outcome) -> None:
        try:
            self._done(outcome)
        except Exception:  # noqa: BLE001 - whatever a caller's function raises
            _log.exception("The receiver of an outcome failed; node %s.", self.call.target.node)


class Keeper(Protocol):
    """The driver, as its lanes see it."""

    clock: Clock

    @property
    def pool(self) -> Pool:
        """Where calls are carried out."""
        ...

    def late(self, lane: "Lane", pending: Pending) -> None:
        """Take in that a call that waits has reached its deadline."""
        ...

    def worked(self, lane: "Lane", pending: Pending, ended: Ended) -> None:
        """Take in how a call's work has ended."""
        ...

    def left(self, lane: "Lane", ended: Ended) -> None:
        """Take in that a lane has logged out, or that it did not succeed."""
        ...

    def count_late(self) -> None:
        """Count a call that had begun and not ended by its deadline."""
        ...


class Lane:
    """See the module.

    Args:
        keeper: the driver.
        session: how the BMC is asked.
        where: details of errors: node, address.
        turns: those of the BMC, which other machines may share.

    Attributes:
        current: the call that has a place, or waits for one.
    """

    def __init__(self, keeper: Keeper, session: Session, where: Mapping[str, Any], turns: Turns) -> None:
        self.session = session
        self.current: Pending | None = None
        self._keeper = keeper
        self._where = where
        self._turns = turns
        self._calls: deque[Pending] = deque()
        self._is_slow = False
        self._is_retired = False
        self._is_leaving = False

    @property
    def is_quiet(self) -> bool:
        """Whether it has no call."""
        return self.current is None and not self._calls

    @property
    def waiting_count(self) -> int:
        """How many calls wait for another of the BMC."""
        return len(self._calls)

    def submit(self, pending: Pending, todo: Todo) -> None:
        """Take a call."""
        if len(self._calls) >= MAX_WAITING:
            message = f"{MAX_WAITING} calls wait for {self._where['address']}. Try again later."
            return pending.fail(BMCBusy(message, details=self._where), todo)
        if not pending.call.gives_way:
            self._make_way(todo)
        pending.timer = self._keeper.clock.call_at(pending.call.deadline, partial(self._keeper.late, self, pending))
        self._calls.append(pending)
        return self.go_on(todo)

    def late(self, pending: Pending, todo: Todo) -> None:
        """End a call that still waits for another of its BMC; the bulkhead sees to the one that does not."""
        if pending in self._calls:
            self._calls.remove(pending)
            details = {**self._where, "deadline_at": pending.call.deadline}
            error = DeadlineExceeded(f"Other calls to {self._where['address']} took too long.", details=details)
            pending.fail(error, todo)

    def worked(self, pending: Pending, ended: Ended, todo: Todo) -> None:
        """Tell how a call has ended, and go on with the next."""
        self._judge_speed(pending.call, ended)
        if ended.error is None:
            pending.end(Done(value=ended.value), todo)
        else:
            error = self._error(ended.error, pending.call)
            pending.fail(error, todo, self._applied())
        self.current = None
        self._turns.give(self, todo)
        self.go_on(todo)

    def refuse_waiting(self, error: BMCError, todo: Todo) -> None:
        """End the calls that wait."""
        while self._calls:
            self._calls.popleft().fail(error, todo)

    def retire(self, error: BMCError, todo: Todo) -> None:
        """End every call, log out, and take nothing more. Idempotent."""
        self._is_retired = True
        self.refuse_waiting(error, todo)
        if self.current is not None:
            self.session.abort()
            self.current.fail(error, todo, self._applied())
            todo.append(self.current.withdraw)
        self.go_on(todo)

    def leave(self, todo: Todo) -> None:
        """Be retired when the calls that there are have ended."""
        self._is_retired = True
        self.go_on(todo)

    def go_on(self, todo: Todo) -> None:
        """Begin the next call, if it is the machine's turn; log out, if there is none and it was retired."""
        if self.current is not None:
            return
        if self._calls:
            if self._turns.take(self):
                self._start(self._calls.popleft(), todo)
        elif self._is_retired and not self._is_leaving:
            self._is_leaving = True
            todo.append(self._log_out)

    def _start(self, pending: Pending, todo: Todo) -> None:
        if pending.timer is not None:
            pending.timer.cancel()
        self.current = pending
        if self.session.has_ended:
            self.session = self.session.heir()
        self.session.begin(pending.call.deadline)
        todo.append(partial(self._submit, pending, self.session))

    def _submit(self, pending: Pending, session: Session) -> None:
        call = pending.call
        is_long = type(call.operation) in LONG or (self._is_slow and call.gives_way)
        pending.forgo = self._keeper.pool.submit(
            partial(carry_out, session, call.operation),
            partial(self._keeper.worked, self, pending),
            deadline=call.deadline,
            is_long=is_long,
            about=call.target.node,
        )
        if pending.is_told:  # it was ended while it was on its way there
            pending.forgo()

    def _log_out(self) -> None:
        session = self.session.heir() if self.session.has_ended else self.session
        self.session = session
        deadline = Instant(self._keeper.clock.now() + LOGOUT_S)
        session.begin(deadline)
        left = partial(self._keeper.left, self)
        if session.token is None:
            session.close_line()
            left(Ended())
        else:
            self._keeper.pool.submit(
                session.log_out, left, deadline=deadline, is_long=self._is_slow, about=self._where["node"]
            )

    def _make_way(self, todo: Todo) -> None:
        """End the calls that nobody waits for; an exchange that is under way goes on to its end without them."""
        for pending in [other for other in self._calls if other.call.gives_way]:
            self._calls.remove(pending)
            pending.fail(self._overtaken(), todo)
        if self.current is not None and self.current.call.gives_way:
            self.session.give_way()
            self.current.fail(self._overtaken(), todo)
            todo.append(self.current.withdraw)

    def _overtaken(self) -> BMCBusy:
        return BMCBusy(f"Another call to {self._where['address']} came first.", details=self._where)

    def _judge_speed(self, call: Call, ended: Ended) -> None:
        if isinstance(ended.error, BMCUnreachable | Overdue):
            self._is_slow = True
        elif ended.started_at is not None and ended.ended_at is not None and type(call.operation) not in LONG:
            self._is_slow = ended.ended_at - ended.started_at > LONG_S

    def _applied(self) -> Applied:
        return Applied.UNKNOWN if self.session.acted else Applied.NO

    def _error(self, raised: BaseException, call: Call) -> CastironError:
        """Return what an end of the work means; one that was not to be costs the session's connection."""
        if isinstance(raised, BMCError):
            raised.details = {**self._where, **raised.details}
            return raised
        if isinstance(raised, NotBegun):
            return self._not_begun(raised, call)
        self.session.abort()
        if isinstance(raised, Overdue):  # its thread still has the connection, and closes it
            self._keeper.count_late()
            message = f"{self._where['address']} did not answer in time. Check its address and the network."
            return BMCUnreachable(message, details=self._where)
        self.session.close_line()
        _log.error("The Redfish driver failed at one BMC.", exc_info=raised)
        return BMCFault("castiron failed at this BMC; its log says how.", details=self._where)

    def _not_begun(self, raised: NotBegun, call: Call) -> CastironError:
        if self._keeper.clock.now() < call.deadline:
            return BMCBusy(str(raised), details=self._where)
        message = "All places for calls to Redfish BMCs were taken until the deadline. Raise redfish_max_calls."
        return DeadlineExceeded(message, details={**self._where, "deadline_at": call.deadline})
