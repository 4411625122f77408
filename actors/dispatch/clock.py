"""Time as a parameter: what now is, and a call when it is later.

`Clock` is the contract; `SystemClock` is the one of real conductors, `VirtualClock` (virtual.py) the one of simulations
and tests. Nothing else in castiron may ask the operating system for the time. No decision lives here, and no user code
runs here: a due timer only tells somebody.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final, Protocol

from castiron.transport.replies import TimerCounts
from castiron.transport.vocabulary import Instant

log = logging.getLogger(__name__)

COMPACT_ABOVE: Final = 1_000
"""Cancelled timers that may stay in a heap before it is rebuilt without them: a few 100 KB."""

LATE_SAMPLES: Final = 1_024
"""How many of the last timers the p99 of lateness is taken from: enough for ten beyond it."""

LONGEST_WAIT_S: Final = 3_600.0
"""The longest wait at a time: an operating system's own limit is not ours to meet."""


class Timer(Protocol):
    """A call that has been ordered."""

    def cancel(self) -> None:
        """Do not call, if it has not been called yet. Any thread; idempotent; O(1)."""
        ...


class Clock(Protocol):
    """What now is, and calls later. Any thread may use any method."""

    def now(self) -> Instant:
        """Return seconds since 1970-01-01 UTC, never less than before.

        The wall clock is read once, when the clock is made; from then on a monotonic clock counts. A step of the wall
        clock changes nothing here, so it expires nothing.
        """
        ...

    def call_at(self, at: Instant, call: Callable[[], None]) -> Timer:
        """Order `call` for `at`, or for as soon as possible where that has passed.

        `call` runs on the clock's thread and must not block: an actor's `tell`, a queue's `put`. Calls at the same
        instant run in the order in which they were ordered.
        """
        ...

    def counters(self) -> TimerCounts:
        """Return what it has counted since its start, for `status`."""
        ...


class HeapTimer:
    """A timer in a heap."""

    __slots__ = ("_heap", "at", "call")

    def __init__(self, heap: "TimerHeap", at: Instant, call: Callable[[], None]) -> None:
        self._heap = heap
        self.at = at
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do not call, if it has not been called yet."""
        if self.call is not None:
            self.call = None
            self._heap.cancelled_count += 1

    def fire(self) -> bool:
        """Call, unless cancelled or called before; return whether it was called. A failure is logged, not raised."""
        call, self.call = self.call, None
        if call is None:
            return False
        try:
            call()
        except BaseException:
            log.exception("a timer's call failed")
            self._heap.failed_count += 1
        return True


class TimerHeap:
    """Timers in the order in which they are due. Not synchronized, except that any thread may cancel at any time.

    What is heaped are the moments; the timers of one moment are in the order in which they came. Most of them are on a
    grid and share their moments, so that few need a look at the heap, and none a place of its own in it.

    A cancelled timer stays until it comes up, or until those like it are more than half of all. Their count may be off
    by what two threads cancel at the same moment: it decides only when to rebuild, and is put right then.
    """

    def __init__(self) -> None:
        self._moments: list[Instant] = []
        self._timers: dict[Instant, list[HeapTimer]] = {}
        self._count = 0
        self.cancelled_count = 0
        self.failed_count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, at: Instant, call: Callable[[], None]) -> HeapTimer:
        """Add a timer.

        Raises:
            ValueError: `at` is not a number, which would put the others out of order.
        """
        if at != at:  # noqa: PLR0124 - the definition of NaN; math.isnan costs a call on a busy path
            raise ValueError("a timer at NaN is never due")
        if self.cancelled_count > max(COMPACT_ABOVE, self._count // 2):
            self._compact()
        timers = self._timers.get(at)
        if timers is None:
            timer = HeapTimer(self, at, call)
            self._timers[at] = [timer]
            heappush(self._moments, at)
        else:
            timer = HeapTimer(self, timers[0].at, call)  # one number for all of them is kept, not one for each
            timers.append(timer)
        self._count += 1
        return timer

    def next_at(self) -> Instant | None:
        """Return when the first timer is due, None if there is none."""
        while self._moments:
            timers = self._timers[self._moments[0]]
            while timers and timers[0].call is None:
                del timers[0]
                self._count -= 1
                self.cancelled_count -= 1
            if timers:
                return self._moments[0]
            del self._timers[heappop(self._moments)]
        return None

    def pop_first(self, now: Instant) -> HeapTimer | None:
        """Take the first timer out if it is due."""
        at = self.next_at()
        if at is None or at > now:
            return None
        timers = self._timers[at]
        self._count -= 1
        timer = timers.pop(0)
        if not timers:
            del self._timers[heappop(self._moments)]
        return timer

    def pop_due(self, now: Instant) -> list[HeapTimer]:
        """Take all timers out that are due, in order."""
        due = list[HeapTimer]()
        while self._moments and self._moments[0] <= now:
            timers = self._timers.pop(heappop(self._moments))
            live = [timer for timer in timers if timer.call is not None]
            self._count -= len(timers)
            self.cancelled_count -= len(timers) - len(live)
            due += live
        return due

    def _compact(self) -> None:
        live = ((at, [timer for timer in timers if timer.call is not None]) for at, timers in self._timers.items())
        self._timers = {at: timers for at, timers in live if timers}
        self._moments = list(self._timers)
        heapify(self._moments)
        self._count = sum(len(timers) for timers in self._timers.values())
        self.cancelled_count = 0


class SystemClock:
    """The time of the machine, and one daemon thread for all timers, started at once.

    Args:
        wall: seconds since 1970-01-01 UTC; read once.
        monotonic: seconds, never going backwards.
        name: the thread's.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        name: str = "castiron-clock",
    ) -> None:
        self._monotonic = monotonic
        self._anchor = wall() - monotonic()
        self._heap = TimerHeap()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._beats = self._due_count = 0
        self._late_max_s = 0.0
        self._late_s: deque[float] = deque(maxlen=LATE_SAMPLES)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def now(self) -> Instant:
        """Return seconds since 1970-01-01 UTC, never less than before."""
        return Instant(self._anchor + self._monotonic())

    def call_at(self, at: Instant, call: Callable[[], None]) -> Timer:
        """Order `call` for `at`, or for as soon as possible where that has passed. Never called after `stop`.

        A call that raises is logged and counted.
        """
        at = max(at, self.now())
        with self._changed:
            first = self._heap.next_at()
            timer = self._heap.push(at, call)
            if first is None or at < first:
                self._changed.notify()
        return timer

    @property
    def thread(self) -> threading.Thread:
        """The thread that calls."""
        return self._thread

    def beats(self) -> int:
        """Return how often it has begun or ended a call: odd while in one. Any thread."""
        return self._beats

    def is_alive(self) -> bool:
        """Return whether timers are still being called."""
        return self._thread.is_alive() and not self._is_stopping

    def counters(self) -> TimerCounts:
        """Return timers ordered and not yet due, and since the start: called, failed, the worst lateness.

        `late_p50_ms` and `late_p99_ms` are those of the last 1,024 calls.
        """
        with self._changed:
            late_s = sorted(self._late_s)
            return TimerCounts(
                waiting=max(0, len(self._heap) - self._heap.cancelled_count),
                due=self._due_count,
                failed=self._heap.failed_count,
                late_max_ms=self._late_max_s * 1000,
                late_p50_ms=late_s[len(late_s) // 2] * 1000 if late_s else 0.0,
                late_p99_ms=late_s[len(late_s) * 99 // 100] * 1000 if late_s else 0.0,
            )

    def stop(self, timeout_s: float) -> list[str]:
        """End the thread; what is not due yet is never called. Blocks up to timeout_s seconds. Idempotent.

        Returns:
            The thread's name if it hangs in a call.
        """
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return [self._thread.name] if self._thread.is_alive() else []

    def _run(self) -> None:
        while due := self._wait_for_due():
            late_s: list[float] = []
            for timer in due:
                began_at = self.now()
                self._beats += 1
                if timer.fire():
                    late_s.append(began_at - timer.at)
                self._beats += 1
            self._count(late_s)

    def _wait_for_due(self) -> list[HeapTimer]:
        """Sleep until timers are due and take them out; none once the clock is stopping."""
        with self._changed:
            while not self._is_stopping:
                if due := self._heap.pop_due(self.now()):
                    return due
                next_at = self._heap.next_at()
                self._changed.wait(LONGEST_WAIT_S if next_at is None else min(next_at - self.now(), LONGEST_WAIT_S))
        return []

    def _count(self, late_s: list[float]) -> None:
        with self._changed:
            self._due_count += len(late_s)
            self._late_max_s = max(self._late_max_s, *late_s, 0.0)
            self._late_s.extend(late_s)
