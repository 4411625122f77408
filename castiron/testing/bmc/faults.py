"""What can be wrong with a BMC or the way to it, as a value that can be changed while the BMC runs.

A fault is a field with a harmless default, and a question that the BMC asks at the right moment; so a new fault is one
field and one question, and whatever was written before keeps its meaning. Randomness is the caller's.
"""

from dataclasses import dataclass
from math import inf
from random import Random

_WHOLE_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults of one BMC. `Faults()` is a healthy one.

    Raises:
        ValueError: a number is out of its range.
    """

    silent: bool = False
    """Hears nothing and says nothing: no command is carried out. Its sessions run out meanwhile."""
    slow_s: float | tuple[float, float] = 0.0
    """Answers this many seconds late, or late by a time drawn evenly between two; commands take effect at once."""
    loss_percent: float = 0.0
    """Of the datagrams, so many are lost, each way: a lost request is not carried out, a lost answer's request is."""

    def __post_init__(self) -> None:
        """Refuse what no network does."""
        low, high = self._delays_s()
        if not 0 <= low <= high < inf:
            raise ValueError(f"slow_s must be seconds, or (least, most): {self.slow_s!r}")
        if not 0 <= self.loss_percent <= _WHOLE_PERCENT:
            raise ValueError(f"loss_percent must be within 0 and 100: {self.loss_percent!r}")

    def loses(self, rng: Random) -> bool:
        """Return whether the datagram at hand is lost. Draws only if there is a loss."""
        return self.silent or (self.loss_percent > 0 and rng.random() * _WHOLE_PERCENT < self.loss_percent)

    def delay_s(self, rng: Random) -> float:
        """Return how late the answer at hand is. Draws only if it can be late."""
        low, high = self._delays_s()
        return low if low == high else rng.uniform(low, high)

    def _delays_s(self) -> tuple[float, float]:
        return self.slow_s if isinstance(self.slow_s, tuple) else (self.slow_s, self.slow_s)
