"""Who carries steps out in virtual time: the real workers in a real bulkhead, on the world's clock instead of threads.

What a step does here is its fate; what a conductor makes of that is the conductor's own. A step that hangs never ends.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, cast

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.threads import Piece, Source
from castiron.actors.core.provision.catalogue import Arg
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.work import Deferred
from castiron.actors.settings import Settings
from castiron.actors.steps import StepContext, deferred, step
from castiron.actors.steps.declaring import DeclaredStep
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.workers import Job, Workers
from castiron.testing.simulation.plan import CALL_BACK_S
from castiron.testing.simulation.rollout.fates import Ending, Fates
from castiron.transport.vocabulary import Instant

INTERFACE: Final = "rollout"
PART: Final = {"part": Arg(description="which one it is in its list", kind=int, required=True)}

BLIND: Final = "burn"
"""The step that must not be done twice, and cannot be seen."""

Told = Callable[[StepContext, int], None]
"""Hears of a step that was left to an agent: its context, and which one it is."""


def name_of(kind: str, part: int) -> str:
    """Return what a step is called in its list."""
    return f"{kind}-{part}"


class Crew:
    """Makes each conductor its workers. One thread: the clock's.

    Attributes:
        left_to: hears of what is left to an agent.
        before: hears of each step before it is done: its node, and which one it is.
        blind_starts: (node, step) → how often that was begun which must not be done twice.
    """

    def __init__(self, fates: Fates) -> None:
        self.blind_starts = Counter[tuple[str, str]]()
        self.left_to: Told | None = None
        self.before: Callable[[str, int], None] | None = None
        self._fates = fates
        self._shelf = Shelf(_declared(self))

    @property
    def timeouts_s(self) -> Mapping[tuple[str, str], float]:
        """How long an attempt may take: (interface, step) → seconds."""
        known = {key: one.known.timeout_s for key, one in self._shelf.declared.items()}
        return {key: timeout_s for key, timeout_s in known.items() if timeout_s is not None}

    def workers(self, clock: Clock, settings: Settings) -> Workers:
        """Return the workers of one conductor: what they were at ends with its clock."""
        return OnClock(self._shelf, clock, settings.max_workers, self._seconds)

    def execute(self, context: StepContext, part: int) -> Mapping[str, Any] | None:
        """Do a step, as its fate has it."""
        fate = self._fates.of_work(context.node, part, context.attempt)
        if fate.ending is Ending.RAISES:
            raise RuntimeError(f"part {part} broke")
        if fate.ending is Ending.RUBBISH:
            return ["no map"]  # type: ignore[return-value]  # that is what is wrong with it
        return {"part": part}

    def _seconds(self, job: Job) -> float | None:
        """Begin a step; return how long it takes, or None: for ever."""
        context, part, what = job.context, int(job.work.args["part"]), job.work.what
        if job.work.step == BLIND:
            self.blind_starts[context.node, name_of(BLIND, part)] += 1
        if self.before is not None:
            self.before(context.node, part)
        fate = self._fates.of_work(context.node, part, context.attempt)
        if what != "execute":
            return 1.0
        return None if fate.ending is Ending.HANGS else fate.seconds


class OnClock(Workers):
    """Workers whose bulkhead is at home on a clock: a step is carried out in the moment in which it ends.

    Args:
        limit: how many steps run at once.
        seconds: begins a step, and says how long it takes; None: for ever.
    """

    def __init__(self, shelf: Shelf, clock: Clock, limit: int, seconds: Callable[[Job], float | None]) -> None:
        super().__init__(shelf, Bulkhead("steps", limit, clock, home=self))
        self._clock = clock
        self._seconds = seconds

    def serve(self, source: Source) -> None:
        """Begin what a source has; see `Home`."""
        self._begin(source, source.begin())

    def _begin(self, source: Source, piece: Piece | None) -> None:
        if piece is None:
            return
        seconds = self._seconds(cast("Job", piece.about))
        if seconds is not None:
            self._clock.call_at(Instant(self._clock.now() + seconds), partial(self._end, source, piece))

    def _end(self, source: Source, piece: Piece) -> None:
        piece.run()
        self._begin(source, source.go_on(piece))


def _declared(crew: Crew) -> list[DeclaredStep]:
    """Return one step of each nature: what its successor does about it differs."""

    @step(interface=INTERFACE, args=PART, idempotent=True, timeout_s=90.0)
    def write(context: StepContext, part: int) -> Mapping[str, Any] | None:
        """Do something that may be done twice."""
        return crew.execute(context, part)

    @write.revert
    def unwrite(context: StepContext, part: int) -> None:
        """Take it back."""

    @step(interface=INTERFACE, args=PART, timeout_s=90.0)
    def burn(context: StepContext, part: int) -> Mapping[str, Any] | None:
        """Do something that must not be done twice, and cannot be seen."""
        return crew.execute(context, part)

    @step(interface=INTERFACE, args=PART, timeout_s=90.0, abortable=False)
    def sign(context: StepContext, part: int) -> Mapping[str, Any] | None:
        """Do something that can be seen to be done, and is not to be interrupted."""
        return crew.execute(context, part)

    @sign.revert
    def unsign(context: StepContext, part: int) -> None:
        """Take it back."""

    @sign.verify
    def is_signed(context: StepContext, part: int) -> bool:
        """Say that it was not done: what is not on disk is done again."""
        del context, part
        return False

    @step(interface=INTERFACE, args=PART, idempotent=True, timeout_s=600.0)
    def hand_over(context: StepContext, part: int) -> Deferred:
        """Leave it to an agent, who calls back."""
        if crew.left_to is not None:
            crew.left_to(context, part)
        return deferred(CALL_BACK_S)

    return [write, burn, sign, hand_over]
