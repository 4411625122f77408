"""A list of steps on its way: where each step stands, and which is next. Pure.

This is the built-in engine, serial or parallel. What a step does, and how its end is heard of, is not known here. The
rules:

- A step begins when those that it is `after` have succeeded; in the serial mode, when all before it have.
- A step that fails is tried again as often as it may be; then nothing else begins, what runs is let end, and what can
  be taken back is, the latest first. A list that is aborted goes the same way.
- A list that is to be held stops between two steps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from castiron.actors.core.provision.steps import NOTHING, Step, nothing
from castiron.store.records import Fragment, fragment
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import Applied, EngineMode, Instant, PowerState, ProvisionState, StepState

UNDER_WAY: Final = frozenset({StepState.RUNNING, StepState.WAITING, StepState.REVERTING})
TO_REVERT: Final = frozenset({StepState.SUCCESS, StepState.FAILURE})
"""A step that failed may have done a part of it: it is taken back as well."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where one step stands."""

    step: Step
    state: StepState = StepState.PENDING
    attempts: int = 0
    started_at: Instant | None = None
    ended_at: Instant | None = None
    until: Instant | None = None
    """When it is given up."""
    place: Mapping[str, Any] = field(default_factory=nothing)
    """What a successor must know of it."""
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    retry_at: Instant | None = None
    """It failed, and begins again then."""

    @cached_property
    def stored(self) -> Fragment:
        """As it is stored: made once, as of a list one step has changed at most with most commits."""
        told: dict[str, Any] = {"step": self.step.stored, "state": self.state.value, "attempts": self.attempts}
        for key in ("started_at", "ended_at", "until", "result", "error", "retry_at"):
            value = getattr(self, key)
            if value is not None:
                told[key] = value
        return Fragment({**told, "place": dict(self.place)} if self.place else told)

    @classmethod
    def from_map(cls, told: Mapping[str, Any]) -> "Progress":
        """Rebuild a stored one."""
        values = {key: told[key] for key in told if key not in {"step", "state"}}
        return cls(step=Step.from_map(told["step"]), state=StepState(told["state"]), **values)


class Begin(NamedTuple):
    """Begin a step, or begin it again."""

    place: int


class Revert(NamedTuple):
    """Take back what a step has done."""

    place: int


class Stop(NamedTuple):
    """Nothing more is done until somebody says `unhold`."""


class Finish(NamedTuple):
    """The list has ended: well, unless it has a failure."""


Move = Begin | Revert | Stop | Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A list of steps on its way, in one of the states in which there is work."""

    stage: ProvisionState
    """The state whose work it is."""
    mode: EngineMode = EngineMode.SERIAL
    steps: tuple[Progress, ...] = ()
    is_to_hold: bool = False
    is_held: bool = False
    failure: Mapping[str, Any] | None = None
    """Why it goes back, in the form of the wire."""
    flow: Mapping[str, Any] | None = field(default=None, compare=False)
    """What another executor keeps of it, as plain data; where it says otherwise than the steps, they count."""

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """What is seen of the machine is told by its steps."""
        return None

    @property
    def until(self) -> Instant:
        """When the latest of what is under way is given up."""
        return Instant(max((one.until for one in self.steps if one.until is not None), default=0.0))

    def step(self) -> str:
        """Say for people what it is doing."""
        if self.is_held:
            return f"held before {self._next_name()}"
        busy = [one for one in self.steps if one.state in UNDER_WAY]
        done = sum(one.state is StepState.SUCCESS for one in self.steps)
        if not busy:
            return f"{done} of {len(self.steps)} steps done"
        return ", ".join(f"{one.state} {one.step.name}" for one in busy) + f" ({done} of {len(self.steps)} steps done)"

    def applied(self) -> Applied:
        """Return what is known of what was sent: a step that has begun may have had an effect."""
        if any(one.state is StepState.SUCCESS for one in self.steps):
            return Applied.YES
        return Applied.UNKNOWN if any(one.attempts for one in self.steps) else Applied.NO

    def progress(self, before: Mapping[str, Any] = NOTHING) -> Mapping[str, Any]:
        """Return what a successor must know, as plain data for the store.

        Args:
            before: what a successor had to know before: what was planned stays in it.
        """
        told: dict[str, Any] = {"stage": self.stage.value, "mode": self.mode.value}
        told["steps"] = [one.stored for one in self.steps]
        for key in ("is_to_hold", "is_held", "failure", "flow"):
            if getattr(self, key):
                told[key] = getattr(self, key)
        return Fragment({**told, "plan": fragment(before.get("plan", {}))})

    @classmethod
    def from_progress(cls, told: Mapping[str, Any]) -> "Run":
        """Rebuild a stored one."""
        return cls(
            stage=ProvisionState(told["stage"]),
            mode=EngineMode(told.get("mode", EngineMode.SERIAL)),
            steps=tuple(Progress.from_map(one) for one in told.get("steps", ())),
            is_to_hold=bool(told.get("is_to_hold", False)),
            is_held=bool(told.get("is_held", False)),
            failure=told.get("failure"),
            flow=told.get("flow"),
        )

    def having(self, place: int, /, **changes: Any) -> "Run":
        """Return the list with one step changed."""
        steps = (*self.steps[:place], replace(self.steps[place], **changes), *self.steps[place + 1 :])
        return replace(self, steps=steps)

    def moves(self) -> tuple[Move, ...]:
        """Return what is to be done now, given where the steps stand; nothing, while something has to end first."""
        if self.failure is not None:
            return () if self.is_busy else (self._back(),)
        if self.is_held:
            return ()
        if self.is_to_hold:
            return () if self.is_busy else (Stop(),)
        if all(one.state is StepState.SUCCESS for one in self.steps):
            return (Finish(),)
        return tuple(Begin(place) for place, one in enumerate(self.steps) if self._is_ready(place, one))

    @property
    def is_busy(self) -> bool:
        """Whether a step is under way."""
        return any(one.state in UNDER_WAY for one in self.steps)

    def allows(self, move: Move) -> bool:
        """Return whether a move may still be made, of a turn whose earlier moves have been.

        No step begins once another has failed, or wants the list held, though they were to begin at once.
        """
        return not isinstance(move, Begin) or (self.failure is None and not self.is_to_hold)

    def is_to_revert(self, place: int) -> bool:
        """Return whether a step has done something that can be taken back."""
        one = self.steps[place]
        return one.state in TO_REVERT and one.step.has_revert

    def latest(self, places: Iterable[int]) -> int:
        """Return which of some steps began last."""
        return max(places, key=lambda place: (self.steps[place].started_at or 0.0, place))

    def name_of(self, place: int) -> str:
        """Return the name of a step."""
        return self.steps[place].step.name

    def _is_ready(self, place: int, one: Progress) -> bool:
        if one.state is not StepState.PENDING or one.retry_at is not None:
            return False
        after = one.step.after
        before: Iterable[Progress] = self.steps[:place]
        if self.mode is EngineMode.PARALLEL and after is not None:
            before = (other for other in self.steps if other.step.name in after)
        return all(other.state is StepState.SUCCESS for other in before)

    def _back(self) -> Move:
        begun = [place for place in range(len(self.steps)) if self.is_to_revert(place)]
        return Revert(self.latest(begun)) if begun else Finish()

    def _next_name(self) -> str:
        return next((one.step.name for one in self.steps if one.state is StepState.PENDING), "the end")
