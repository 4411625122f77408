"""Whether a figure meets its target, and by how much it does not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from bench.report import number
from bench.targets.table import Beside, Better, Peer, Target

Figures = Mapping[str, Mapping[str, Sequence[float]]]
"""Part → figure → its value in each repeat."""


class Spread(NamedTuple):
    """The repeats of one figure."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one target."""

    target: Target
    spread: Spread | None
    """None: the figure was not measured."""
    limit: float | None
    """In the target's unit; None: there is none, or what it hangs on was not measured."""

    @property
    def is_met(self) -> bool | None:
        """Whether the median is on the right side of the limit; None: nobody knows, or there is no limit."""
        if self.spread is None or self.limit is None:
            return None
        return (
            self.spread.median <= self.limit if self.target.better is Better.LOW else self.spread.median >= self.limit
        )

    @property
    def words(self) -> str:
        """Return "met", or by how much it is not."""
        if self.spread is None:
            return "not measured"
        if self.limit is None:
            return "" if self.target.limit is None else "no measure"
        return "met" if self.is_met else missed(self.spread.median, self.limit)


def spread_of(figures: Figures, name: str) -> Spread | None:
    """Return the repeats of a figure, named "part.figure"; None: it was not measured."""
    part, _, figure = name.partition(".")
    values = figures.get(part, {}).get(figure)
    return Spread(median(values), min(values), max(values)) if values else None


def judge(target: Target, figures: Figures) -> Verdict:
    """Judge one target by the median of its repeats."""
    return Verdict(target=target, spread=spread_of(figures, target.figure), limit=limit_of(target, figures))


def limit_of(target: Target, figures: Figures) -> float | None:
    """Return the limit as a number."""
    if not isinstance(target.limit, Beside):
        return target.limit
    beside = spread_of(figures, target.limit.figure)
    return None if beside is None else beside.median * target.limit.times + target.limit.plus


def missed(value: float, limit: float) -> str:
    """Say by how much a limit is missed."""
    if limit == 0:
        return f"{number(value)} too many"
    if value > limit * 2:
        return f"{number(value / limit)} times the limit"
    return f"by {abs(value / limit - 1) * 100:.0f} %"


def peer_value(peer: Peer, figures: Figures) -> float | None:
    """Return a peer's figure; None: it was not measured."""
    if peer.figure is None:
        return peer.quoted
    found = spread_of(figures, peer.figure)
    return None if found is None else found.median
