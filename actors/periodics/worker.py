"""Which periodic tasks there are: taken in, started, stopped, told, forgotten; and for which nodes each runs.

None of them waits for another: a task that hangs keeps a thread, for as long as its time-out at the most a worker, and
nobody's turn. How a run goes is the runner's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import getmembers
from random import Random
from typing import Any

from castiron.actors.bulkheads.pieces import Pool
from castiron.actors.coroutines.coroutines import is_coroutine_function
from castiron.actors.dispatch.clock import Clock
from castiron.actors.periodics.declaring import Terms, strategy_of, terms_of
from castiron.actors.periodics.roll import Look, Roll, SpacingOf
from castiron.actors.periodics.runner import OnFailure, Runner
from castiron.actors.periodics.strategies import Strategy
from castiron.actors.periodics.task import UNDER_WAY, Members, Metrics, Stand, Task, Watcher, Work
from castiron.actors.published.board import Published
from castiron.transport.vocabulary import NodeUUID


class PeriodicWorker:
    """Runs tasks from `start` to `stop`. Any thread; no method blocks but `wait`.

    Args:
        clock: whose timers are used.
        pool: where tasks run that may block.
        quick: where the others run.
        coroutines: where those run that are written `async def`; None: nowhere, and none may be.
        schedule_strategy: of tasks that name none.
        on_failure: None: failures are logged.
        rng: draws jitter, and spreads nodes.
        look: finds a node as it is now; None: there are no nodes, and no task may be for them.
    """

    def __init__(
        self,
        callables: Iterable[tuple[Callable[..., Any], tuple[Any, ...] | None, Mapping[str, Any] | None]] = (),
        *,
        clock: Clock,
        pool: Pool,
        quick: Pool,
        rng: Random,
        coroutines: Pool | None = None,
        schedule_strategy: str = Strategy.LAST_STARTED,
        on_failure: OnFailure | None = None,
        look: Look | None = None,
    ) -> None:
        """Take tasks in.

        Raises:
            ValueError: something is not callable or not marked, or there is no such strategy.
        """
        self._strategy = strategy_of(schedule_strategy)
        self._runner = runner = Runner(clock, pool, quick, rng, on_failure, coroutines=coroutines)
        self._has_loop = coroutines is not None
        self._lock = runner.lock
        self._look = look
        self._tasks: dict[str, Task] = {}
        self._rolls: dict[str, Roll] = {}
        """Of the tasks that run for nodes."""
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

    def take(self, work: Work, terms: Terms, spacing_of: SpacingOf | None = None) -> Watcher | None:
        """Take a task in, on terms of its own; None: it is not enabled. A name that is taken gets a number.

        Args:
            work: what it calls.
            terms: how.
            spacing_of: for which nodes it runs, and how often for each; None: as the terms say.

        Raises:
            ValueError: it is to run for nodes, and there are none here; or it is written `async def`, and no loop is.
        """
        if not terms.enabled:
            return None
        if terms.is_per_node and self._look is None:
            raise ValueError(f"{work.name} is to run for each node, and there are no nodes here.")
        awaits = is_coroutine_function(work.callback)
        if awaits and not self._has_loop:
            raise ValueError(f"{work.name} is written `async def`, and there is no loop here.")
        with self._lock:
            work = work._replace(name=self._free(work.name))
            strategy = terms.strategy or self._strategy
            if terms.is_per_node and strategy.is_aligned:
                strategy = Strategy.LAST_STARTED  # all nodes at once is what nobody can have meant
            task = Task(work=work, terms=terms, strategy=strategy, spacing_s=terms.spacing_s, awaits=awaits)
            self._tasks[work.name] = task
            if terms.is_per_node:
                task.members, self._rolls[work.name] = Members(), Roll(terms, spacing_of)
            elif self._runner.is_started:
                self._runner.schedule_first(task)
        return Watcher(task)

    def meet(self, uuid: NodeUUID, published: Published | None) -> None:
        """Note a node as it is from now on, for each task that runs for nodes; None: it is gone. O(such tasks)."""
        if not self._rolls:
            return
        with self._lock:
            for name, roll in self._rolls.items():
                self._enrol(self._tasks[name], roll, uuid, roll.spacing_s(published))

    def _enrol(self, task: Task, roll: Roll, uuid: NodeUUID, spacing_s: float) -> None:
        members = task.members
        own = None if members is None else members.tasks.get(uuid)
        if members is None or spacing_s == (0.0 if own is None else own.spacing_s):
            return
        if own is not None:
            del members.tasks[uuid]
            self._runner.cease(own)
            own.leave()
        if spacing_s and self._look is not None:
            work = Work(task.work.name, roll.call, (task.work.callback, self._look, uuid))
            own = Task(
                work=work,
                terms=task.terms,
                strategy=task.strategy,
                spacing_s=spacing_s,
                awaits=task.awaits,
                metrics=task.metrics,
                head=task,
                node=uuid,
            )
            members.tasks[uuid] = own
            members.counts[own.stand] += 1
            if self._runner.is_started:
                self._runner.schedule_first(own)

    def drop(self, name: str) -> None:
        """Forget a task; a run that is under way goes on to its end, and counts for nothing.

        Raises:
            LookupError: there is none of this name.
        """
        with self._lock:
            task = self._tasks.pop(name)
            self._rolls.pop(name, None)
            for one in task.run_by():
                self._runner.cease(one)

    def start(self, *, allow_empty: bool = False) -> None:
        """Begin to run tasks; returns at once.

        Raises:
            RuntimeError: it runs already, or there is no task and that is not allowed.
        """
        with self._lock:
            if self._runner.is_started:
                raise RuntimeError("A periodic worker cannot be started twice.")
            if not self._tasks and not allow_empty:
                raise RuntimeError("A periodic worker cannot start without any task.")
            self._runner.is_started = True
            for task in self._runs():
                if not task.requested_stop:
                    self._runner.schedule_first(task)

    def stop(self) -> None:
        """Begin no run any more; those under way go on to their ends. Idempotent."""
        with self._lock:
            self._runner.is_started = False
            for task in self._runs():
                self._runner.unschedule(task)
            self._runner.at_rest.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until it is stopped and no run is under way; return whether that came about in time."""
        with self._runner.at_rest:
            return self._runner.at_rest.wait_for(self._is_at_rest, timeout_s)

    def reset(self) -> None:
        """Begin anew: all figures at zero, whatever was stopped or said NeverAgain is back.

        Raises:
            RuntimeError: it runs.
        """
        with self._lock:
            if self._runner.is_started or any(task.is_in_call for task in self._runs()):
                raise RuntimeError("A periodic worker is stopped, and waited for, before it is reset.")
            for task in self._tasks.values():
                task.metrics = Metrics()
                for one in (task, *task.run_by()):
                    one.metrics, one.requested_stop, one.failures_in_a_row = task.metrics, False, 0
                    one.turn(Stand.IDLE)

    def stop_task(self, name: str) -> Watcher:
        """Have a task run no more; a run that is under way goes on to its end. Idempotent. O(1), however many nodes.

        Raises:
            LookupError: there is none of this name.
        """
        with self._lock:
            task = self._tasks[name]
            self._runner.cease(task)
        return Watcher(task)

    def start_task(self, name: str) -> Watcher:
        """Have a task run again that was stopped, or said NeverAgain. Idempotent.

        Raises:
            LookupError: there is none of this name.
        """
        with self._lock:
            task = self._tasks[name]
            for one in (task, *task.run_by()):  # the timers of nodes have gone on, but for those that said NeverAgain
                was_stopped, one.requested_stop = one.requested_stop, False
                is_to_run = was_stopped and one.members is None and one.stand not in UNDER_WAY
                if is_to_run and self._runner.is_started:
                    self._runner.schedule_first(one)
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

    def _runs(self) -> Iterator[Task]:
        return (one for task in self._tasks.values() for one in task.run_by())

    def _is_at_rest(self) -> bool:
        return not self._runner.is_started and not any(task.stand in UNDER_WAY for task in self._runs())


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
