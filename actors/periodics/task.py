"""One periodic task: what is called, where it stands, and what its runs have come to.

Figures and their reading only; when it runs next is decided in `strategies`, and by whom it is run in `worker`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from castiron.actors.dispatch.clock import Timer
from castiron.actors.periodics.declaring import Terms
from castiron.actors.periodics.strategies import Strategy
from castiron.transport.vocabulary import Instant, NodeUUID


class Stand(StrEnum):
    """Where a task stands."""

    IDLE = "idle"
    """Nobody has started it yet."""
    SCHEDULED = "scheduled"
    WAITING = "waiting"
    """It is due, and no worker is free."""
    RUNNING = "running"
    HUNG = "hung"
    """Its run has not ended in its time; the next one comes once it has."""
    STOPPED = "stopped"


UNDER_WAY: Final = frozenset({Stand.WAITING, Stand.RUNNING, Stand.HUNG})


class Work(NamedTuple):
    """What a task calls."""

    name: str
    callback: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}

    def __call__(self) -> Any:
        """Call it."""
        return self.callback(*self.args, **self.kwargs)


@dataclass(slots=True, kw_only=True, eq=False)
class Metrics:
    """What the runs of a task have come to. Changed under its worker's lock; one who reads may see it in between."""

    runs: int = 0
    successes: int = 0
    failures: int = 0
    elapsed_s: float = 0.0
    elapsed_waiting_s: float = 0.0
    late_s: float = 0.0
    late_max_s: float = 0.0


class Members:
    """The nodes that a task runs for. Changed under its worker's lock; one who reads may see it in between."""

    __slots__ = ("counts", "tasks")

    def __init__(self) -> None:
        self.tasks: dict[NodeUUID, Task] = {}
        self.counts: Counter[Stand] = Counter()
        """Where they stand, so that nobody needs to look at all of them."""

    def stand(self) -> Stand:
        """Return the liveliest of where they stand."""
        lively = (Stand.RUNNING, Stand.WAITING, Stand.HUNG, Stand.SCHEDULED, Stand.STOPPED)
        return next((stand for stand in lively if self.counts[stand]), Stand.IDLE)


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """A task of one worker, which alone changes it, under its lock; or its runs for one node."""

    work: Work
    terms: Terms
    strategy: Strategy
    stand: Stand = Stand.IDLE
    due_at: Instant | None = None
    submitted_at: Instant | None = None
    started_at: Instant | None = None
    is_in_call: bool = False
    """A thread is in it, whether somebody waits for that or not."""
    awaits: bool = False
    """It is written `async def`, and runs on the loop."""
    requested_stop: bool = False
    timer: Timer | None = None
    forgo: Callable[[], None] | None = None
    """Takes a run back that has not begun."""
    is_long: bool = False
    """Its last run took long: the next waits behind its like, not before those that are quick."""
    failures_in_a_row: int = 0
    metrics: Metrics = field(default_factory=Metrics)
    members: Members | None = None
    """The nodes that it runs for; it has no runs of its own then."""
    head: "Task | None" = None
    """The task whose runs for one node these are."""
    node: NodeUUID | None = None
    """The node."""
    spacing_s: float
    """Seconds from one run to the next; of one node's, they may be others than the task's."""

    def turn(self, stand: Stand) -> None:
        """Note where it stands."""
        if self.head is not None and self.head.members is not None:
            counts = self.head.members.counts
            counts[self.stand] -= 1
            counts[stand] += 1
        self.stand = stand

    def leave(self) -> None:
        """Be one of its task's no more: a run under way goes on to its end, and is counted nowhere."""
        if self.head is not None and self.head.members is not None:
            self.head.members.counts[self.stand] -= 1
        self.head, self.metrics, self.requested_stop = None, Metrics(), True

    def run_by(self) -> "Iterable[Task]":
        """Return what has runs: itself, or those for its nodes."""
        return (self,) if self.members is None else tuple(self.members.tasks.values())

    @property
    def is_held(self) -> bool:
        """Whether the task was stopped whose runs for a node these are: the timer goes on, and nothing is run."""
        return self.head is not None and self.head.requested_stop


class Watcher:
    """Reads what a task has come to. Any thread."""

    def __init__(self, task: Task) -> None:
        self._task = task

    @property
    def work(self) -> Work:
        """What it calls."""
        return self._task.work

    @property
    def stand(self) -> Stand:
        """Where it stands; of one that runs for each node, the liveliest of them."""
        task = self._task
        if task.members is None:
            return task.stand
        stand = task.members.stand()
        return Stand.STOPPED if task.requested_stop and stand not in UNDER_WAY else stand

    @property
    def node(self) -> NodeUUID | None:
        """The node that these runs are for; None: they are for none, or for many."""
        return self._task.node

    @property
    def node_count(self) -> int | None:
        """How many nodes it runs for; None: it does not run for nodes."""
        return None if self._task.members is None else len(self._task.members.tasks)

    @property
    def terms(self) -> Terms:
        """How it is run."""
        return self._task.terms

    @property
    def strategy(self) -> Strategy:
        """From when its spacing counts."""
        return self._task.strategy

    @property
    def spacing_s(self) -> float:
        """Seconds from one run to the next."""
        return self._task.spacing_s

    @property
    def due_at(self) -> Instant | None:
        """When it runs next; None: it runs now, never again, or for each node at another time."""
        return self._task.due_at if self._task.stand is Stand.SCHEDULED else None

    @property
    def requested_stop(self) -> bool:
        """Whether it is to run no more: it said so itself, or somebody else."""
        return self._task.requested_stop

    @property
    def runs(self) -> int:
        """How many of its runs have ended, or were left behind."""
        return self._task.metrics.runs

    @property
    def successes(self) -> int:
        """How many of them ended well."""
        return self._task.metrics.successes

    @property
    def failures(self) -> int:
        """How many of them raised, or did not end in their time."""
        return self._task.metrics.failures

    @property
    def failures_in_a_row(self) -> int:
        """How many of them failed since one ended well; for a node, of those for this node."""
        return self._task.failures_in_a_row

    @property
    def elapsed(self) -> float:
        """Seconds that its runs took, all together."""
        return self._task.metrics.elapsed_s

    @property
    def elapsed_waiting(self) -> float:
        """Seconds that they waited for a worker, all together."""
        return self._task.metrics.elapsed_waiting_s

    @property
    def late_max_s(self) -> float:
        """The longest that a run began after it was due, in seconds, waiting included."""
        return self._task.metrics.late_max_s

    @property
    def average_elapsed(self) -> float:
        """Seconds a run.

        Raises:
            ZeroDivisionError: there was none.
        """
        return self._task.metrics.elapsed_s / self._task.metrics.runs

    @property
    def average_elapsed_waiting(self) -> float:
        """Seconds that a run waited for a worker.

        Raises:
            ZeroDivisionError: there was none.
        """
        return self._task.metrics.elapsed_waiting_s / self._task.metrics.runs

    @property
    def average_late(self) -> float:
        """Seconds that a run began after it was due, waiting included.

        Raises:
            ZeroDivisionError: there was none.
        """
        return self._task.metrics.late_s / self._task.metrics.runs
