"""Workers: threads that carry steps out which may block. So many at a time; each has its time, then it is left behind.

A step of a request that is begun again, as after a commit that failed, waits until its thread of before has ended, or
has had its time: never do two do the same at once. A step that hangs keeps its thread, which cannot be ended from
outside, and loses its place and its say: whatever it returns later, nobody listens. What a step raises, or returns that
is none of the things it may return, is its failure.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.work import Deferred, RunStep
from castiron.actors.steps.declaring import StepContext
from castiron.actors.steps.results import plain, said
from castiron.actors.steps.shelf import Shelf
from castiron.transport.errors import CastironError, StepFailed, StepTimeout
from castiron.transport.vocabulary import Applied

log = logging.getLogger(__name__)

MAX_LEFT_BEHIND: Final = 256
"""Threads of steps that hang; beyond it no further step begins, as each keeps memory for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A step to be carried out."""

    work: RunStep
    context: StepContext
    done: Callable[[Outcome], None]
    """Told once how it ended, from any thread; must not block."""
    whose: Hashable = field(default_factory=object)
    """One of the same at a time: a step that is begun again waits for the end, or the time, of the thread before."""


Start = Callable[[Callable[[], None], Job], None]
"""Has a step carried out: calls what it is given, once, and not on its caller's thread."""


def on_a_thread(run: Callable[[], None], job: Job) -> None:
    """Carry a step out on a thread of its own."""
    threading.Thread(target=run, name=f"castiron-step-{job.work.step}", daemon=True).start()


class Workers:
    """Carries steps out. Any thread; no method blocks but `stop`.

    Args:
        limit: how many steps run at once.
        start: has a step carried out; by default on a thread of its own.
    """

    def __init__(self, shelf: Shelf, clock: Clock, limit: int, *, start: Start = on_a_thread) -> None:
        self.shelf: Final = shelf
        """The steps that there are."""
        self._clock = clock
        self._limit = limit
        self._start = start
        self._lock = threading.Lock()
        self._waiting: deque[_Errand] = deque()
        self._running: dict[Hashable, _Errand] = {}
        self._left_behind: set[_Errand] = set()
        self._is_open = True

    def submit(self, job: Job) -> Callable[[], None]:
        """Take a step in; it runs when there is a place.

        Returns:
            A function that asks the step to stop: one that waits ends at once, one that runs sees it in its context.
        """
        errand = _Errand(job, self)
        with self._lock:
            is_crowded = not self._is_open or len(self._left_behind) >= MAX_LEFT_BEHIND
            if not is_crowded:
                self._waiting.append(errand)
        if is_crowded:
            errand.settle(_not_done("Too many steps hang, or the conductor stops: no further one is begun."))
            return errand.cancel
        errand.timer = self._clock.call_at(job.context.deadline, errand.expire)
        self._begin()
        return errand.cancel

    def counters(self) -> dict[str, int]:
        """Return how many run, wait, and hang."""
        with self._lock:
            return {"running": len(self._running), "waiting": len(self._waiting), "hung": len(self._left_behind)}

    def stop(self, timeout_s: float) -> None:
        """Begin no step any more, and ask those that run to stop. They are taken up at the next start. Idempotent."""
        del timeout_s  # whatever they do, nobody is told of it any more
        with self._lock:
            self._is_open = False
            self._waiting.clear()
            running = list(self._running.values())
        for errand in running:
            errand.job.context.cancelled.set()

    def let_go(self, errand: "_Errand", *, is_hung: bool) -> None:
        """Take a place back."""
        with self._lock:
            was_running = self._running.get(errand.job.whose) is errand
            if was_running:
                del self._running[errand.job.whose]
            if is_hung and was_running:
                self._left_behind.add(errand)
            elif not is_hung:
                self._left_behind.discard(errand)
            elif errand in self._waiting:
                self._waiting.remove(errand)
        self._begin()

    def forgo(self, errand: "_Errand") -> bool:
        """Take a step out of the line; return whether it stood there."""
        with self._lock:
            is_waiting = errand in self._waiting
            if is_waiting:
                self._waiting.remove(errand)
            return is_waiting

    def part(self, work: RunStep) -> Callable[..., Any]:
        """Return the function of a step.

        Raises:
            LookupError: there is no such step here any more.
        """
        return self.shelf.declared[work.interface, work.step].part(work.what)

    def _begin(self) -> None:
        while True:
            with self._lock:
                if not self._is_open or len(self._running) >= self._limit:
                    return
                errand = next((one for one in self._waiting if one.job.whose not in self._running), None)
                if errand is None:
                    return
                self._waiting.remove(errand)
                self._running[errand.job.whose] = errand
            self._start(errand.run, errand.job)


class _Errand:
    """One step on its way through the workers."""

    def __init__(self, job: Job, workers: Workers) -> None:
        self.job = job
        self.timer: Timer | None = None
        self._workers = workers
        self._lock = threading.Lock()
        self._is_settled = False

    def run(self) -> None:
        """Carry it out, on a thread of its own."""
        outcome = self._outcome()
        self._workers.let_go(self, is_hung=False)
        self.settle(outcome)

    def expire(self) -> None:
        """Leave it behind: its time is over."""
        self.job.context.cancelled.set()
        self._workers.let_go(self, is_hung=True)
        name = f"{self.job.work.interface}.{self.job.work.step}"
        message = f"{name} had not ended by its time, and was left behind. Look at the machine, or allow more time."
        self.settle(NotDone(error=StepTimeout(message), applied=Applied.UNKNOWN))

    def cancel(self) -> None:
        """Ask it to stop; one that has not begun ends now."""
        self.job.context.cancelled.set()
        if self._workers.forgo(self):
            self.settle(_not_done("It was not begun: nobody wants it any more."))

    def settle(self, outcome: Outcome) -> None:
        """Tell how it ended, if nobody has."""
        with self._lock:
            is_first, self._is_settled = not self._is_settled, True
        if self.timer is not None:
            self.timer.cancel()
        if is_first:
            self.job.done(outcome)

    def _outcome(self) -> Outcome:
        job = self.job
        name = f"{job.work.interface}.{job.work.step}"
        try:
            part = self._workers.part(job.work)
        except LookupError:
            return _not_done(f"There is no step {name} here any more. Install its plug-in again.")
        try:
            value = part(job.context, **job.work.args)
            return _looked(name, value) if job.work.what == "verify" else _told(name, value)
        except CastironError as error:
            return NotDone(error=error, applied=error.applied or Applied.UNKNOWN)
        except BaseException as error:
            log.exception("%s: the step %s has failed", job.context.node, name)
            return _failed(f"{name} raised {type(error).__name__}: {said(error)}")


def _told(name: str, value: object) -> Outcome:
    """Return what a step returned."""
    if value is None or isinstance(value, Deferred):
        return Done(value={} if value is None else value)
    if not isinstance(value, Mapping):
        return _failed(f"{name} returned {type(value).__name__}; a step returns a map, None or deferred().")
    return Done(value=plain(f"What {name} returned", cast("object", value)))


def _looked(name: str, value: object) -> Outcome:
    """Return whether a step was done; who forgets to say so has not said that it was."""
    if not isinstance(value, bool):
        return _failed(f"{name} was asked whether it was done, and returned {type(value).__name__}; it takes a bool.")
    return Done(value=value)


def _failed(message: str) -> NotDone:
    return NotDone(error=StepFailed(message), applied=Applied.UNKNOWN)


def _not_done(message: str) -> NotDone:
    return NotDone(error=StepFailed(message), applied=Applied.NO)
