"""A driver that is written as methods, one for each operation, each `def` or `async def`, chosen one by one.

    class Relays(MethodDriver):
        name = "relay"

        def check(self, driver_info): ...
        async def get_power(self, asked: Asked[GetPower]) -> PowerState: ...
        def set_power(self, asked: Asked[SetPower]) -> None: ...

What is `def` may block, in a share of the conductor's threads; what is `async def` awaits, on its loop. The rest of the
contract is kept here: one call at a time for each BMC, in order, each with its deadline and one outcome. `log_out`, if
there is one, ends the session with a BMC; it may be either, too.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import LONG_S, Ended
from castiron.actors.coroutines.coroutines import Coroutines, is_coroutine_function
from castiron.actors.coroutines.loops import Loops
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Call, DriverInfo, Outcome, Target
from castiron.actors.drivers.generations import Generations, superseded
from castiron.actors.drivers.methods.asked import METHODS, outcome_of, unsupported
from castiron.actors.drivers.methods.line import Line, Pending, Todo
from castiron.actors.drivers.operations import VerifyCredentials
from castiron.transport.errors import BMCBusy, BMCError, BMCUnreachable
from castiron.transport.vocabulary import Instant, NodeUUID

MAX_CALLS: Final = 16
MAX_SLOW_CALLS: Final = 64
MAX_COROUTINES: Final = 1_000
"""Of a driver that is used without a conductor; otherwise the settings say."""

SLOW_TURN_S: Final = 0.5
HUNG_TURN_S: Final = 30.0
"""The same, of its loop."""

LOG_OUT_S: Final = 5.0
"""For one `log_out`: who does not answer by then ends the session by itself."""


class Places:
    """Where a driver's methods are carried out.

    Args:
        threads: what may block.
        coroutines: what awaits.
    """

    def __init__(self, threads: Bulkhead, coroutines: Coroutines, loops: Loops | None = None) -> None:
        self.threads: Final = threads
        self.coroutines: Final = coroutines
        self._loops = loops

    @classmethod
    def own(cls, clock: Clock) -> "Places":
        """Return places that are nobody else's."""
        loops = Loops(slow_turn_s=SLOW_TURN_S, hung_turn_s=HUNG_TURN_S)
        threads = Bulkhead("driver_calls", MAX_CALLS, clock, long_limit=MAX_SLOW_CALLS)
        return cls(threads, Coroutines("driver_calls", MAX_COROUTINES, clock, loops), loops)

    def stop(self, timeout_s: float) -> None:
        """End what is the driver's own; what is a conductor's ends with it. Idempotent."""
        if self._loops is not None:
            self.coroutines.stop(0.0)
            self._loops.stop(timeout_s)
            self.threads.stop(0.0)


class MethodDriver(ABC):
    """Keeps the contract of drivers; see `base.Driver`. Its methods are the subclass's.

    Args:
        clock: whose time deadlines are in.
        places: where methods are carried out; None: in those of the conductor that uses it, or some of its own.
    """

    name: str

    def __init__(self, clock: Clock, places: Places | None = None) -> None:
        self.clock: Final = clock
        self._places = places
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._generations = Generations()
        self._lines: dict[NodeUUID, Line] = {}
        self._beside: dict[Pending, None] = {}
        """Logins with other credentials, which wait for nobody."""
        self._leaving = 0
        """Logouts under way."""
        self._counts = {"calls": 0, "failed": 0, "late": 0}
        self._is_stopping = False

    @abstractmethod
    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check a node's driver_info whole; see base.Driver. Pure."""

    def use(self, places: Places) -> None:
        """Have methods carried out there from now on, unless it has places. Any thread."""
        with self._lock:
            self._places = self._places or places

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call; see base.Driver. Any thread. What is refused is told before this returns."""
        pending = Pending(call, done)
        with self._turn() as todo:
            self._counts["calls"] += 1
            refusal = self._refusal(call.target)
            if refusal is not None:
                return pending.refuse(refusal, todo)
            if self._method(call) is None:
                return pending.tell(unsupported(call), todo)
            if isinstance(call.operation, VerifyCredentials):
                return self._verify(pending, todo)
            return self._take(pending, todo)

    def forget(self, node: NodeUUID) -> None:
        """End what is under way for a node and log out; see base.Driver. Any thread; idempotent."""
        with self._turn() as todo:
            line = self._lines.pop(node, None)
            error = BMCUnreachable("The node was given up.", details={"node": node})
            for pending in [each for each in self._beside if each.call.target.node == node]:
                pending.cut_off(error, todo)
            if line is not None:
                self._retire(line, error, todo)

    def counters(self) -> Mapping[str, int]:
        """Return its calls, those that failed, and those that had not ended in time; and how many run, and wait."""
        with self._lock:
            lines = list(self._lines.values())
            return {
                **self._counts,
                "in_flight": sum(line.current is not None for line in lines) + len(self._beside),
                "waiting": sum(len(line.waiting) for line in lines),
            }

    def is_alive(self) -> bool:
        """Return whether it was not stopped: threads and loop are looked after where they are."""
        return not self._is_stopping

    def stop(self, timeout_s: float) -> None:
        """End all calls, log out of every BMC, and begin nothing any more. Blocks up to timeout_s; idempotent."""
        until = self.clock.now() + timeout_s
        error = BMCUnreachable("The driver is stopping.")
        with self._turn() as todo:
            self._is_stopping = True
            lines, self._lines = self._lines, {}
            for pending in self._beside:
                pending.cut_off(error, todo)
            for line in lines.values():
                self._retire(line, error, todo)
        with self._at_rest:
            self._at_rest.wait_for(lambda: not self._leaving, timeout_s)
            places = self._places
        if places is not None:
            places.stop(max(0.0, until - self.clock.now()))

    # Where methods are carried out, and what comes back from there.

    def _begin(self, line: Line | None, pending: Pending) -> None:
        """Have a method called that may begin now."""
        call, method = pending.call, self._method(pending.call)
        forgo = self._place(method).submit(
            partial(self._call, method, pending),
            partial(self._ended, line, pending),
            deadline=call.deadline,
            is_long=line is not None and line.was_slow and call.gives_way,
            about=f"{call.target.node} {METHODS[type(call.operation)]}",
            is_left=True,
        )
        with self._lock:
            pending.forgo = forgo
            is_over = pending.why is not None
        if is_over:
            forgo()

    def _call(self, method: Any, pending: Pending) -> Any:
        return method(pending.asked)

    def _ended(self, line: Line | None, pending: Pending, ended: Ended) -> None:
        outcome = outcome_of(pending.asked, ended, pending.why)
        with self._turn() as todo:
            self._count(line, ended)
            self._beside.pop(pending, None)
            if line is None:
                pending.tell(outcome, todo)
            else:
                line.ended(pending, outcome, todo)

    def _late(self, line: Line, pending: Pending) -> None:
        error = BMCUnreachable("The BMC did not answer in time.", details={"node": pending.call.target.node})
        with self._turn() as todo:
            line.late(pending, error, todo)

    def _left(self, ended: Ended) -> None:
        del ended
        with self._at_rest:
            self._leaving -= 1
            self._at_rest.notify_all()

    def _place(self, method: object) -> Bulkhead:
        with self._lock:
            places = self._places = self._places or Places.own(self.clock)
        return places.coroutines if is_coroutine_function(method) else places.threads

    def _method(self, call: Call) -> Callable[..., Any] | None:
        method: Callable[..., Any] | None = getattr(self, METHODS[type(call.operation)], None)
        return method

    # All below runs under the lock.

    @contextmanager
    def _turn(self) -> Generator[Todo]:
        """Hold the lock for a block; what the block puts into its list is done after it."""
        todo: Todo = []
        with self._lock:
            yield todo
        for each in todo:
            each()

    def _refusal(self, target: Target) -> BMCError | None:
        if self._is_stopping:
            return BMCUnreachable("The driver is stopping.")
        return None if self._generations.admit(target) else superseded(target)

    def _take(self, pending: Pending, todo: Todo) -> None:
        target = pending.call.target
        line = self._lines.get(target.node)
        if line is not None and line.target.info != target.info:
            self._retire(line, superseded(line.target), todo)
            line = None
        elif line is not None and line.target != target:
            line.end_all(superseded(line.target), todo)
            line.target = target
        if line is None:
            line = self._lines[target.node] = Line(target, self._begin)
        line.submit(pending, todo)
        if pending is not line.current:
            pending.timer = self.clock.call_at(Instant(pending.call.deadline), partial(self._late, line, pending))

    def _verify(self, pending: Pending, todo: Todo) -> None:
        """Have credentials tried beside the node's own calls, one after the other."""
        node = pending.call.target.node
        if any(each.call.target.node == node for each in self._beside):
            busy = BMCBusy("Other credentials are being tried at this BMC.", details={"node": node})
            return pending.refuse(busy, todo)
        self._beside[pending] = None
        return todo.append(partial(self._begin, None, pending))

    def _retire(self, line: Line, error: BMCError, todo: Todo) -> None:
        """End a BMC's calls, and log out of it."""
        line.end_all(error, todo)
        log_out = getattr(self, "log_out", None)
        if log_out is not None and line.was_asked:
            self._leaving += 1
            todo.append(partial(self._log_out, log_out, line.target))

    def _log_out(self, log_out: Callable[[Target], Any], target: Target) -> None:
        about = f"{target.node} log_out"
        deadline = Instant(self.clock.now() + LOG_OUT_S)
        self._place(log_out).submit(partial(log_out, target), self._left, deadline=deadline, about=about, is_left=True)

    def _count(self, line: Line | None, ended: Ended) -> None:
        is_late = ended.ended_at is None
        self._counts["failed"] += isinstance(ended.error, BaseException)
        self._counts["late"] += is_late and ended.error is not None
        if line is not None:
            line.was_slow = is_late or (ended.ended_at or 0.0) - (ended.started_at or 0.0) > LONG_S
