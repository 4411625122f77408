"""Names in the order in which people count. Pure, and without what host ranges need, so that a list costs no more."""

from collections.abc import Iterable
from itertools import groupby


def natural_order(names: Iterable[str]) -> list[str]:
    """Return names sorted as people count: n2 before n10."""
    return sorted(names, key=_natural_key)


def _natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Compare runs of digits as numbers and everything else as text; of equal numbers, the spelling decides."""
    runs = ("".join(run) for _, run in groupby(name, str.isdecimal))
    return [(0, int(run), "") if run.isdecimal() else (1, 0, run) for run in runs], name
