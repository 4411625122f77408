"""How one run of a periodic task goes: due, in line, under way, ended; and when the next one comes.

A task leaves the schedule while it runs, so it never overlaps itself. Thin: when it runs next is decided in
`strategies`. No thread of its own: timers are the clock's, which only submit. Which tasks there are is the worker's.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from inspect import iscoroutine
from random import Random
from typing import Any, Final

from castiron.actors.bulkheads.pieces import LONG_S, Ended, NotBegun, Overdue, Pool
from castiron.actors.coroutines.pieces import Recalled
from castiron.actors.dispatch.clock import Clock
from castiron.actors.periodics.declaring import says_never_again
from castiron.actors.periodics.strategies import first_run, first_run_for_node, next_run
from castiron.actors.periodics.task import UNDER_WAY, Stand, Task, Watcher
from castiron.transport.vocabulary import Instant

log = logging.getLogger(__name__)

RETRY_S: Final = (0.9, 1.1)
"""A run that could not begin is tried again after a time between these."""

LOG_EVERY: Final = 100
"""Of failures in a row the first is logged, then each of so many; of those for nodes, of all nodes' together."""

PASSED: Final = object()
"""Returned by a run that had nothing to do: it counts for nothing."""

OnFailure = Callable[[Watcher, BaseException], None]
"""Called with the task and what it raised, on the thread that ran it; `Overdue` where it did not end in its time."""


class Runner:
    """Runs tasks one run after the other. Any thread; all of a task is changed under `lock`.

    Args:
        pool: where tasks run that may block.
        quick: where the others run.
        coroutines: where those run that are written `async def`; None: there are none.
    """

    def __init__(
        self,
        clock: Clock,
        pool: Pool,
        quick: Pool,
        rng: Random,
        on_failure: OnFailure | None,
        *,
        coroutines: Pool | None = None,
    ) -> None:
        self._clock = clock
        self._coroutines = coroutines
        self._pools = {True: pool, False: quick}
        self._rng = rng
        self._on_failure = on_failure or _logged
        self.lock: Final = threading.RLock()
        self.at_rest: Final = threading.Condition(self.lock)
        self.is_started = False

    def schedule_first(self, task: Task) -> None:
        """Say when it runs first. Under the lock."""
        terms, now = task.terms, self._clock.now()
        if task.head is None:
            at = first_run(task.spacing_s, now, terms.not_before, run_immediately=terms.run_immediately)
        else:
            share = self._rng.random()
            at = first_run_for_node(task.spacing_s, now, terms.not_before, share, run_immediately=terms.run_immediately)
        self._schedule(task, at)

    def unschedule(self, task: Task) -> None:
        """Begin no run of it; one that is under way goes on to its end. Under the lock."""
        if task.timer is not None:
            task.timer.cancel()
        forgo, task.forgo = task.forgo, None
        if forgo is not None:
            forgo()
        if task.stand not in UNDER_WAY:
            task.turn(Stand.STOPPED if task.requested_stop else Stand.IDLE)

    def cease(self, task: Task) -> None:
        """Have it run no more. Under the lock."""
        task.requested_stop = True
        self.unschedule(task)

    def _schedule(self, task: Task, at: Instant) -> None:
        task.turn(Stand.SCHEDULED)
        task.due_at = at
        task.timer = self._clock.call_at(at, partial(self._begin, task))

    def _begin(self, task: Task) -> None:
        with self.lock:
            stand, now = task.stand, self._clock.now()
            if stand is not Stand.SCHEDULED or not self.is_started:
                return None
            if task.is_held:
                return self._schedule(task, Instant(now + task.spacing_s))
            task.turn(Stand.WAITING)
            task.submitted_at, task.timer = now, None
        # Not under the lock: whoever carries it out wakes at once, and would wait for it.
        on_loop = self._coroutines if task.awaits else None
        pool, timeout_s = on_loop or self._pools[task.terms.blocking], task.terms.timeout_s
        forgo = pool.submit(
            partial(self._call if on_loop is None else self._await, task),
            partial(self._ended, task),
            timeout_s=timeout_s,
            is_long=task.is_long,
            about=task.work.name if task.node is None else f"{task.node} {task.work.name}",
        )
        with self.lock:
            if task.stand is Stand.WAITING:
                task.forgo = forgo
            is_unwanted = task.stand is Stand.WAITING and (task.requested_stop or not self.is_started)
        if is_unwanted:
            forgo()
        return None

    def _call(self, task: Task) -> Any:
        """Run it, on a worker's thread."""
        self._called(task)
        try:
            return PASSED if task.is_held else task.work()
        finally:
            self._returned(task)

    async def _await(self, task: Task) -> Any:
        """Run it, on the loop."""
        self._called(task)
        try:
            run: Any = PASSED if task.is_held else task.work()
            return run if run is PASSED else await run
        finally:
            self._returned(task)

    def _called(self, task: Task) -> None:
        """Note that somebody is in it."""
        with self.lock:
            task.turn(Stand.RUNNING)
            task.started_at, task.is_in_call, task.forgo = self._clock.now(), True, None

    def _returned(self, task: Task) -> None:
        """Note that nobody is in it any more; if it was left behind, say when it runs next."""
        with self.lock:
            task.is_in_call = False
            if task.stand is Stand.HUNG:
                self._go_on(task, self._clock.now())

    def _ended(self, task: Task, ended: Ended) -> None:
        """Take in how a run ended, on whatever thread."""
        if isinstance(ended.error, NotBegun):
            return self._put_off(task)
        value = ended.value
        if iscoroutine(value):
            value.close()
            ended = replace(ended, value=None, error=TypeError("It returned a coroutine that nobody awaits."))
        if isinstance(value, Future):
            return self._last(task, value)  # pyright: ignore[reportUnknownArgumentType] - a stranger's
        with self.lock:
            failure = self._conclude(task, ended)
        return self._tell(task, failure)

    def _last(self, task: Task, future: "Future[Any]") -> None:
        """Have a run last until a future has ended, or its time is over."""
        with self.lock:
            started_at, task.is_in_call = task.started_at, True
        if task.terms.timeout_s is not None and started_at is not None:
            until = Instant(started_at + task.terms.timeout_s)
            timer = self._clock.call_at(until, partial(self._expire, task, started_at))
            future.add_done_callback(lambda _: timer.cancel())
        future.add_done_callback(partial(self._future_ended, task))

    def _expire(self, task: Task, started_at: Instant) -> None:
        failure = None
        with self.lock:
            if task.stand is Stand.RUNNING and task.started_at == started_at:
                overdue = Overdue("It had not ended by its time.")
                failure = self._conclude(task, Ended(error=overdue, started_at=started_at))
        self._tell(task, failure)

    def _future_ended(self, task: Task, future: "Future[Any]") -> None:
        error = CancelledError() if future.cancelled() else future.exception()
        value = future.result() if error is None else None
        failure = None
        with self.lock:
            was_left_behind = task.stand is Stand.HUNG
            self._returned(task)
            if not was_left_behind:
                failure = self._conclude(task, Ended(value, error, task.started_at, self._clock.now()))
        self._tell(task, failure)

    def _conclude(self, task: Task, ended: Ended) -> BaseException | None:
        """Count a run that has ended, and say when the next one comes; return why it failed. Under the lock."""
        error = ended.error
        is_last = says_never_again(error)
        failure = None if is_last else error
        if isinstance(error, Recalled) and (task.requested_stop or not self.is_started):
            failure = None  # cut short by the end of all: no fault of its own, and no success
        elif ended.value is not PASSED:
            self._count(task, ended, failure)
            task.is_long = ended.ended_at is None or ended.ended_at - (ended.started_at or 0.0) > LONG_S
        task.requested_stop = task.requested_stop or is_last
        if isinstance(error, Overdue) and task.is_in_call:
            task.turn(Stand.HUNG)
        else:
            self._go_on(task, ended.ended_at or self._clock.now())
        return failure

    def _put_off(self, task: Task) -> None:
        """Try again a little later: nothing has run."""
        with self.lock:
            task.forgo = None
            if task.requested_stop or not self.is_started:
                self._settle(task)
            else:
                self._schedule(task, Instant(self._clock.now() + self._rng.uniform(*RETRY_S)))

    def _go_on(self, task: Task, finished_at: Instant) -> None:
        """Say when it runs next, if it does."""
        if task.requested_stop or not self.is_started:
            return self._settle(task)
        terms, started_at = task.terms, task.started_at or finished_at
        share = self._rng.random() * terms.jitter if task.strategy.has_jitter else 0.0
        at = next_run(task.strategy, task.spacing_s, started_at, finished_at, jitter=share)
        return self._schedule(task, at)

    def _settle(self, task: Task) -> None:
        task.turn(Stand.STOPPED if task.requested_stop else Stand.IDLE)
        self.at_rest.notify_all()

    def _count(self, task: Task, ended: Ended, failure: BaseException | None) -> None:
        metrics = task.metrics
        started_at = task.started_at or self._clock.now()
        late_s = max(0.0, started_at - (task.due_at or started_at))
        metrics.runs += 1
        metrics.successes += failure is None
        metrics.failures += failure is not None
        metrics.elapsed_s += max(0.0, (ended.ended_at or self._clock.now()) - started_at)
        metrics.elapsed_waiting_s += max(0.0, started_at - (task.submitted_at or started_at))
        metrics.late_s += late_s
        metrics.late_max_s = max(metrics.late_max_s, late_s)
        task.failures_in_a_row = 0 if failure is None else task.failures_in_a_row + 1

    def _tell(self, task: Task, failure: BaseException | None) -> None:
        if failure is None:
            return
        try:
            self._on_failure(Watcher(task), failure)
        except Exception:
            log.exception("what is to be told of failures of %s failed itself", task.work.name)


def _logged(watcher: Watcher, failure: BaseException) -> None:
    name, every_s = watcher.work.name, watcher.spacing_s
    if watcher.node is not None:
        if watcher.failures % LOG_EVERY == 1:
            told = "the periodic task %s failed for node %s, number %d of its failures (it runs every %g s)"
            log.error(told, name, watcher.node, watcher.failures, every_s, exc_info=failure)
        return
    times = watcher.failures_in_a_row
    if times == 1 or times % LOG_EVERY == 0:
        log.error(
            "the periodic task %s failed, %d times in a row (it runs every %g s)",
            name,
            times,
            every_s,
            exc_info=failure,
        )
