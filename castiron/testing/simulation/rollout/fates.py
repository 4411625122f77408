"""What becomes of each step, drawn from the seed alone. Pure.

A fate depends on the node, the step and the attempt, and on nothing else: so it is the same whatever happens to others,
and the same rollout with less trouble in it shows what trouble did to whom.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

LENGTH_S: Final = (0.5, 60.0)
"""Seconds that a step takes which ends by itself."""


class Ending(StrEnum):
    """How a step ends that a worker carries out."""

    WELL = "well"
    RAISES = "raises"
    RUBBISH = "returns rubbish"
    HANGS = "hangs"
    """It does not end; nobody waits for it after its time."""


class Calling(StrEnum):
    """How somebody behaves who is to call back."""

    IN_TIME = "in time"
    FAILED = "says that it failed"
    TWICE = "calls twice"
    SLOWLY = "gives signs of life, and is longer than the time-out"
    LATE = "calls when nobody waits any more"
    NEVER = "never calls"
    FALSELY = "calls with somebody else's token first"


TROUBLES: Final = (Ending.RAISES, Ending.RUBBISH, Ending.HANGS)
QUIRKS: Final = (Calling.TWICE, Calling.SLOWLY, Calling.FALSELY)
"""Not as usual, and no harm done."""
SILENCES: Final = (Calling.FAILED, Calling.LATE, Calling.NEVER)


class Fate(NamedTuple):
    """What becomes of one attempt."""

    ending: Ending
    seconds: float


class Call(NamedTuple):
    """What somebody does who is to call back."""

    calling: Calling
    seconds: float
    """After so many, counted from when it begins to work."""


@dataclass(frozen=True, slots=True)
class Fates:
    """See the module.

    Args:
        seed: what everything is drawn from.
        trouble_percent: of the steps, so many do not end as they should.
    """

    seed: int
    trouble_percent: float

    def of_work(self, node: str, part: int, attempt: int) -> Fate:
        """Return what becomes of a worker's step."""
        rng = self._rng("work", node, part, attempt)
        seconds, is_trouble = rng.uniform(*LENGTH_S), rng.random() < self.trouble_percent / 100
        return Fate(rng.choice(TROUBLES) if is_trouble else Ending.WELL, seconds)

    def of_call(self, node: str, name: str, attempt: int) -> Call:
        """Return what somebody does who is to call back."""
        rng = self._rng("call", node, name, attempt)
        seconds, luck = rng.uniform(*LENGTH_S), rng.random()
        quirk, silence = rng.choice(QUIRKS), rng.choice(SILENCES)
        if luck < self.trouble_percent / 100:
            return Call(silence, seconds)
        return Call(quirk if luck > 0.8 else Calling.IN_TIME, seconds)  # noqa: PLR2004 - a fifth of them

    def _rng(self, *what: object) -> Random:
        return Random("/".join(map(str, (self.seed, *what))))  # noqa: S311 - the seed is the point
