"""Workers: steps of plug-ins, in bulkheads: what may block in threads, what is `async def` on the conductor's loop.

So many at a time; each has its time, then it is left behind, and a coroutine cancelled besides.

A step of a request that is begun again, as after a commit that failed, waits until its thread of before has ended, or
has had its time: never do two do the same at once. A step that hangs keeps its thread, which cannot be ended from
outside, and loses its place and its say: whatever it returns later, nobody listens. What a step raises, or returns that
is none of the things it may return, is its failure. Whose turn it is, and what hangs, is the bulkhead's.
"""

import logging
import threading
from asyncio import CancelledError
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import iscoroutine
from typing import Any, Final, cast

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended, NotBegun, Overdue, TooLate
from castiron.actors.coroutines.coroutines import Coroutines, is_coroutine_function
from castiron.actors.coroutines.pieces import Recalled
from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.work import Deferred, RunStep
from castiron.actors.steps.declaring import StepContext
from castiron.actors.steps.results import plain, said
from castiron.actors.steps.shelf import Shelf
from castiron.transport.errors import CastironError, StepFailed, StepTimeout
from castiron.transport.vocabulary import Applied

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A step to be carried out."""

    work: RunStep
    context: StepContext
    done: Callable[[Outcome], None]
    """Told once how it ended, from any thread; must not block."""
    whose: Hashable = field(default_factory=object)
    """One of the same at a time: a step that is begun again waits for the end, or the time, of the thread before."""

    def __str__(self) -> str:
        return f"{self.context.node} {self.name}"

    @property
    def name(self) -> str:
        """What the step is called."""
        return f"{self.work.interface}.{self.work.step}"


class Workers:
    """Carries steps out. Any thread; no method blocks.

    Args:
        bulkhead: where those run that may block.
        coroutines: where those run that are written `async def`; None: there are none here.
    """

    def __init__(self, shelf: Shelf, bulkhead: Bulkhead, coroutines: Coroutines | None = None) -> None:
        self.shelf: Final = shelf
        """The steps that there are."""
        self._bulkhead = bulkhead
        self._coroutines = coroutines
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}
        """Those that have not ended, by their identities: a job is told of once."""
        self._is_open = True

    def submit(self, job: Job) -> Callable[[], None]:
        """Take a step in; it runs when there is a place.

        Returns:
            A function that asks the step to stop: one that waits ends at once, one that runs sees it in its context,
            and a coroutine is cancelled besides.
        """
        with self._lock:
            self._jobs[id(job)] = job
        on_loop = self._coroutines if self._awaits(job.work) else None
        forgo = (on_loop or self._bulkhead).submit(
            partial(self._outcome if on_loop is None else self._awaited, job),
            partial(self._ended, job),
            deadline=job.context.deadline,
            about=job,
            whose=job.whose,
        )

        def cancel() -> None:
            job.context.cancelled.set()
            forgo()

        return cancel

    def counters(self) -> dict[str, int]:
        """Return how many of those that may block run, wait, and hang."""
        counters = self._bulkhead.counters()
        return {name: counters[name] for name in ("running", "waiting", "hung")}

    def stop(self) -> None:
        """Tell of no step any more, and ask those that run to stop. They are taken up at the next start. Idempotent."""
        with self._lock:
            self._is_open = False
            jobs = list(self._jobs.values())
        for job in jobs:
            job.context.cancelled.set()
        if self._coroutines is not None:
            self._coroutines.recall()

    def part(self, work: RunStep) -> Callable[..., Any]:
        """Return the function of a step.

        Raises:
            LookupError: there is no such step here any more.
        """
        return self.shelf.declared[work.interface, work.step].part(work.what)

    def _ended(self, job: Job, ended: Ended) -> None:
        """Tell how a step ended; once the conductor stops, nobody."""
        with self._lock:
            self._jobs.pop(id(job), None)
            is_heard = self._is_open
        if ended.error is not None:
            job.context.cancelled.set()
        if is_heard:
            job.done(ended.value if ended.error is None else _unended(job, ended.error))

    def _awaits(self, work: RunStep) -> bool:
        try:
            return is_coroutine_function(self.part(work))
        except LookupError:
            return False

    def _outcome(self, job: Job) -> Outcome:
        try:
            part = self.part(job.work)
        except LookupError:
            return _not_done(f"There is no step {job.name} here any more. Install its plug-in again.")
        try:
            return _of(job, part(job.context, **job.work.args))
        except BaseException as error:  # noqa: BLE001 - a stranger's, who is told
            return _raised(job, error)

    async def _awaited(self, job: Job) -> Outcome:
        try:
            return _of(job, await self.part(job.work)(job.context, **job.work.args))
        except (CancelledError, GeneratorExit):
            raise  # whether it was asked to end is known where it was carried out
        except BaseException as error:  # noqa: BLE001 - as above
            return _raised(job, error)


def _unended(job: Job, error: BaseException) -> Outcome:
    """Return what it means that a step was not carried out to its end."""
    if isinstance(error, TooLate):
        message = f"{job.name} was not begun: all places were taken until its time was over. Raise max_workers."
        return NotDone(error=StepTimeout(message), applied=Applied.NO)
    if isinstance(error, NotBegun):
        return _not_done(f"{job.name} was not begun. {error}")
    if isinstance(error, Recalled):
        return _failed(f"{job.name} was cancelled, as it was asked to stop.")
    if not isinstance(error, Overdue):
        return _raised(job, error)
    message = f"{job.name} had not ended by its time, and was left behind. Look at the machine, or allow more time."
    return NotDone(error=StepTimeout(message), applied=Applied.UNKNOWN)


def _of(job: Job, value: object) -> Outcome:
    return _looked(job.name, value) if job.work.what == "verify" else _told(job.name, value)


def _raised(job: Job, error: BaseException) -> NotDone:
    if isinstance(error, CastironError):
        return NotDone(error=error, applied=error.applied or Applied.UNKNOWN)
    log.error("%s: the step %s has failed", job.context.node, job.name, exc_info=error)
    return _failed(f"{job.name} raised {type(error).__name__}: {said(error)}")


def _told(name: str, value: object) -> Outcome:
    """Return what a step returned."""
    if value is None or isinstance(value, Deferred):
        return Done(value={} if value is None else value)
    if iscoroutine(value):
        value.close()
        return _failed(f"{name} returned a coroutine that nobody awaits: write it `async def`.")
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
