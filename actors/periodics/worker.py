"""Runs periodic tasks: each on its own timer, those that may block in workers, so many at once.

A task leaves the schedule while it runs, so it never overlaps itself; one that is late runs once. None of them waits
for another: a task that hangs keeps a thread, for as long as its time-out at the most a worker, and nobody's turn.

Thin: when a task runs next is decided in `strategies`. No thread of its own: timers are the clock's, which only submit.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from inspect import getmembers
from random import Random
from typing import Any, Final

from castiron.actors.dispatch.bulkhead import LONG_S, Ended, NotBegun, Overdue, Pool
from castiron.actors.dispatch.clock import Clock
from castiron.actors.periodics.declaring import NeverAgain, Terms, strategy_of, terms_of
from castiron.actors.periodics.strategies import Strategy, first_run, next_run
from castiron.actors.periodics.task import UNDER_WAY, Metrics, Stand, Task, Watcher, Work
from castiron.transport.vocabulary import Instant

log = logging.getLogger(__name__)

RETRY_S: Final = (0.9, 1.1)
"""A run that could not begin is tried again after a time between these."""

LOG_EVERY: Final = 100
"""Of failures in a row the first is logged, then each of so many."""

OnFailure = Callable[[Watcher, BaseException], None]
"""Called with the task and what it raised, on the thread that ran it; `Overdue` where it did not end in its time."""


class PeriodicWorker:
    """Runs tasks from `start` to `stop`. Any thread; no method blocks but `wait`.

    Args:
        clock: whose timers are used.
        pool: where tasks run that may block.
        quick: where the others run.
        schedule_strategy: of tasks that name none.
        on_failure: None: failures are logged.
        rng: draws jitter.
    """

    def __init__(
        self,
        callables: Iterable[tuple[Callable[..., Any], tuple[Any, ...] | None, Mapping[str, Any] | None]] = (),
        *,
        clock: Clock,
        pool: Pool,
        quick: Pool,
        rng: Random,
        schedule_strategy: str = Strategy.LAST_STARTED,
        on_failure: OnFailure | None = None,
    ) -> None:
        """Take tasks in.

        Raises:
            ValueError: something is not callable or not marked, or there is no such strategy.
        """
        self._clock = clock
        self._pools = {True: pool, False: quick}
        self._rng = rng
        self._strategy = strategy_of(schedule_strategy)
        self._on_failure = on_failure or _logged
        self._lock = threading.RLock()
        self._tasks: dict[str, Task] = {}
        self._is_started = False
        self._at_rest = threading.Condition(self._lock)
        for call, args, kwargs in callables:
            self.add(call, *(args or ()), **(kwargs or {}))

    @classmethod
    def create(cls, objects: Iterable[object], *, exclude_hidden: bool = True, **terms: Any) -> "PeriodicWorker":
        """Return a worker for all marked members of some objects.

        Args:
            exclude_hidden: leave those out whose name begins with an underscore.
            terms: as those of the class.
        """
        return cls([(call, None, None) for call in marked_members(objects, exclude_hidden=exclude_hidden)], **terms)

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Watcher | None:
        """Take a marked callable in, with what it is called with; None: it is not enabled.

        Raises:
            ValueError: it is not callable, or not marked.
        """
        terms = terms_of(call)
        if terms is None:
            raise ValueError(f"{call!r} is no marked callable: put @castiron.periodic(spacing_s=…) before it.")
        return self.take(Work(name_of(call), call, args, kwargs), terms)

    def take(self, work: Work, terms: Terms) -> Watcher | None:
        """Take a task in, on terms of its own; None: it is not enabled. A name that is taken gets a number."""
        if not terms.enabled:
            return None
        with self._lock:
            name = self._free(work.name)
            task = Task(work=work._replace(name=name), terms=terms, strategy=terms.strategy or self._strategy)
            self._tasks[name] = task
            if self._is_started:
                self._schedule_first(task)
        return Watcher(task)

    def drop(self, name: str) -> None:
        """Forget a task; a run that is under way goes on to its end, and counts for nothing.

        Raises:
            LookupError: there is none of this name.
        """
        with self._lock:
            task = self._tasks.pop(name)
            self._cease(task)

    def start(self, *, allow_empty: bool = False) -> None:
        """Begin to run tasks; returns at once.

        Raises:
            RuntimeError: it runs already, or there is no task and that is not allowed.
        """
        with self._lock:
            if self._is_started:
                raise RuntimeError("A periodic worker cannot be started twice.")
            if not self._tasks and not allow_empty:
                raise RuntimeError("A periodic worker cannot start without any task.")
            self._is_started = True
            for task in self._tasks.values():
                if not task.requested_stop:
                    self._schedule_first(task)

    def stop(self) -> None:
        """Begin no run any more; those under way go on to their ends. Idempotent."""
        with self._lock:
            self._is_started = False
            for task in self._tasks.values():
                self._unschedule(task)
            self._at_rest.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until it is stopped and no run is under way; return whether that came about in time."""
        with self._at_rest:
            return self._at_rest.wait_for(self._is_at_rest, timeout_s)

    def reset(self) -> None:
        """Begin anew: all figures at zero, whatever was stopped or said NeverAgain is back.

        Raises:
            RuntimeError: it runs.
        """
        with self._lock:
            if self._is_started or any(task.is_in_call for task in self._tasks.values()):
                raise RuntimeError("A periodic worker is stopped, and waited for, before it is reset.")
            for task in self._tasks.values():
                task.metrics = Metrics()
                task.stand, task.requested_stop, task.failures_in_a_row = Stand.IDLE, False, 0

    def stop_task(self, name: str) -> Watcher:
        """Have a task run no more; a run that is under way goes on to its end. Idempotent.

        Raises:
            LookupError: there is none of this name.
        """
        with self._lock:
            task = self._tasks[name]
            self._cease(task)
        return Watcher(task)

    def start_task(self, name: str) -> Watcher:
        """Have a task run again that was stopped, or said NeverAgain. Idempotent.

        Raises:
            LookupError: there is none of this name.
        """
        with self._lock:
            task = self._tasks[name]
            was_stopped, task.requested_stop = task.requested_stop, False
            if was_stopped and self._is_started and task.stand not in UNDER_WAY:
                self._schedule_first(task)
        return Watcher(task)

    def iter_watchers(self) -> Iterator[Watcher]:
        """Yield what reads each task, in the order in which they came."""
        with self._lock:
            tasks = list(self._tasks.values())
        return (Watcher(task) for task in tasks)

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self._tasks:
            number += 1
            free = f"{name}#{number}"
        return free

    def _schedule_first(self, task: Task) -> None:
        terms = task.terms
        at = first_run(terms.spacing_s, self._clock.now(), terms.not_before, run_immediately=terms.run_immediately)
        self._schedule(task, at)

    def _schedule(self, task: Task, at: Instant) -> None:
        task.stand, task.due_at = Stand.SCHEDULED, at
        task.timer = self._clock.call_at(at, partial(self._begin, task))

    def _unschedule(self, task: Task) -> None:
        if task.timer is not None:
            task.timer.cancel()
        forgo, task.forgo = task.forgo, None
        if forgo is not None:
            forgo()
        if task.stand not in UNDER_WAY:
            task.stand = Stand.STOPPED if task.requested_stop else Stand.IDLE

    def _cease(self, task: Task) -> None:
        task.requested_stop = True
        self._unschedule(task)

    def _begin(self, task: Task) -> None:
        with self._lock:
            if task.stand is not Stand.SCHEDULED or not self._is_started:
                return
            task.stand, task.submitted_at, task.timer = Stand.WAITING, self._clock.now(), None
        # Not under the lock: whoever carries it out wakes at once, and would wait for it.
        pool, timeout_s = self._pools[task.terms.blocking], task.terms.timeout_s
        forgo = pool.submit(
            partial(self._call, task), partial(self._ended, task), timeout_s=timeout_s, is_long=task.is_long
        )
        with self._lock:
            if task.stand is Stand.WAITING:
                task.forgo = forgo
            is_unwanted = task.requested_stop or not self._is_started
        if is_unwanted:
            forgo()

    def _call(self, task: Task) -> Any:
        """Run it, on a worker's thread."""
        with self._lock:
            task.stand, task.started_at, task.is_in_call, task.forgo = Stand.RUNNING, self._clock.now(), True, None
        try:
            return task.work()
        finally:
            self._returned(task)

    def _returned(self, task: Task) -> None:
        """Note that no thread is in it any more; if it was left behind, say when it runs next."""
        with self._lock:
            task.is_in_call = False
            if task.stand is Stand.HUNG:
                self._go_on(task, self._clock.now())

    def _ended(self, task: Task, ended: Ended) -> None:
        """Take in how a run ended, on whatever thread."""
        error = ended.error
        if isinstance(error, NotBegun):
            return self._put_off(task)
        with self._lock:
            failure = None if error is None or isinstance(error, NeverAgain) else error
            self._count(task, ended, failure)
            task.is_long = ended.ended_at is None or ended.ended_at - (ended.started_at or 0.0) > LONG_S
            task.requested_stop = task.requested_stop or isinstance(error, NeverAgain)
            if isinstance(error, Overdue) and task.is_in_call:
                task.stand = Stand.HUNG
            else:
                self._go_on(task, ended.ended_at or self._clock.now())
        if failure is not None:
            self._tell(task, failure)
        return None

    def _put_off(self, task: Task) -> None:
        """Try again a little later: nothing has run."""
        with self._lock:
            task.forgo = None
            if task.requested_stop or not self._is_started:
                self._settle(task)
            else:
                self._schedule(task, Instant(self._clock.now() + self._rng.uniform(*RETRY_S)))

    def _go_on(self, task: Task, finished_at: Instant) -> None:
        """Say when it runs next, if it does."""
        if task.requested_stop or not self._is_started:
            return self._settle(task)
        terms, started_at = task.terms, task.started_at or finished_at
        share = self._rng.random() * terms.jitter if task.strategy.has_jitter else 0.0
        at = next_run(task.strategy, terms.spacing_s, started_at, finished_at, jitter=share)
        return self._schedule(task, at)

    def _settle(self, task: Task) -> None:
        task.stand = Stand.STOPPED if task.requested_stop else Stand.IDLE
        self._at_rest.notify_all()

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

    def _tell(self, task: Task, failure: BaseException) -> None:
        try:
            self._on_failure(Watcher(task), failure)
        except Exception:
            log.exception("what is to be told of failures of %s failed itself", task.work.name)

    def _is_at_rest(self) -> bool:
        return not self._is_started and not any(task.stand in UNDER_WAY for task in self._tasks.values())


def marked_members(objects: Iterable[object], *, exclude_hidden: bool = True) -> list[Callable[..., Any]]:
    """Return the marked members of some objects, those that are not enabled included."""
    return [
        member
        for one in objects
        for name, member in getmembers(one)
        if not (exclude_hidden and name.startswith("_")) and terms_of(member) is not None
    ]


def name_of(call: Callable[..., Any]) -> str:
    """Return a callable's name with its module, as people read it in the table."""
    owner = getattr(call, "__self__", None)
    if owner is not None and not isinstance(owner, type):
        return f"{type(owner).__module__}.{type(owner).__qualname__}.{call.__name__}"
    return f"{call.__module__}.{getattr(call, '__qualname__', type(call).__qualname__)}"


def _logged(watcher: Watcher, failure: BaseException) -> None:
    times = watcher.failures_in_a_row
    if times == 1 or times % LOG_EVERY == 0:
        told = "the periodic task %s failed, %d times in a row (it runs every %g s)"
        log.error(told, watcher.work.name, times, watcher.spacing_s, exc_info=failure)
