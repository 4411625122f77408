"""Two runs beside each other: the ratio of each figure, and which of them changed by more than repeats differ. Pure."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from bench.targets.judging import Figures, Spread, spread_of
from bench.targets.recording import Run
from bench.targets.table import TARGETS, Better

MORE_IS_BETTER: Final = ("_per_s", "_per_cpu_s", "_to_echo_percent")
"""Endings of figures that no target speaks of; of all others less is better."""


MACHINE: Final = ("processor", "cores", "python")


class Change(NamedTuple):
    """What became of a figure."""

    name: str
    before: Spread
    after: Spread
    is_beyond: bool
    """No repeat of the one run is within the repeats of the other, and each has two at the least."""
    is_better: bool

    @property
    def ratio(self) -> float | None:
        """How many times what it was it is; None: it was nothing."""
        return self.after.median / self.before.median if self.before.median else None

    @property
    def words(self) -> str:
        """Return "", or that it is better or worse."""
        return "" if not self.is_beyond else "better" if self.is_better else "worse"


def compare(before: Figures, after: Figures, *, is_whole: bool = False) -> list[Change]:
    """Return what became of each figure that both have: those of the targets, or all there are."""
    wanted = names_of(before) if is_whole else dict.fromkeys(target.figure for target in TARGETS)
    changes = (_change(name, before, after) for name in wanted)
    return [change for change in changes if change is not None]


def names_of(figures: Figures) -> Iterable[str]:
    """Return the names of all figures."""
    return [f"{part}.{name}" for part, found in figures.items() for name in found]


def notes(before: Run, after: Run) -> Iterable[str]:
    """Say what makes two runs hard to compare."""
    if before.size != after.size:
        yield f"One run is {before.size}, the other {after.size}: their figures are of different sizes."
    if min(before.repeats, after.repeats) == 1:
        yield "One of the runs has a single repeat: nobody knows what is beyond its spread, and nothing is marked."
    if [before.machine.get(word) for word in MACHINE] != [after.machine.get(word) for word in MACHINE]:
        yield "The runs were made on different machines or with different Pythons."


def _change(name: str, before: Figures, after: Figures) -> Change | None:
    old, new = spread_of(before, name), spread_of(after, name)
    if old is None or new is None:
        return None
    is_apart = new.least > old.most or new.most < old.least
    is_known = min(_repeats(before, name), _repeats(after, name)) > 1
    is_better = (new.median > old.median) is (direction(name) is Better.HIGH)
    return Change(name, old, new, is_apart and is_known, is_better)


def direction(name: str) -> Better:
    """Return which side of a figure is the better one."""
    targets = [target.better for target in TARGETS if target.figure == name]
    if targets:
        return targets[0]
    return Better.HIGH if name.endswith(MORE_IS_BETTER) else Better.LOW


def _repeats(figures: Figures, name: str) -> int:
    part, _, figure = name.partition(".")
    return len(figures[part][figure])
