"""One run of the table of targets on disk, as JSON; written anew after each part, so that nothing measured is lost."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Rounds = dict[str, dict[str, list[float]]]
"""Part → figure → its value in each repeat."""


class Unreadable(ValueError):
    """A file is not what `write` makes; the message says which and why."""


@dataclass(slots=True, kw_only=True)
class Run:
    """What was measured, on what, and how long it took."""

    at: str
    """UTC."""
    size: str
    """"full" or "quick"."""
    repeats: int
    machine: Mapping[str, Any]
    figures: Rounds = field(default_factory=Rounds)
    took_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Part → seconds of each repeat."""
    loads: list[float] = field(default_factory=list[float])
    """Load averages of the minute at the end of each part: this program's own two or so, and what others did."""
    failed: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Part → why a repeat of it has no figures."""

    def add(self, part: str, figures: Mapping[str, float], took_s: float) -> None:
        """Note one repeat of a part, with as many digits as any figure here is worth."""
        for name, value in figures.items():
            self.figures.setdefault(part, {}).setdefault(name, []).append(float(f"{value:.6g}"))
        self.took_s.setdefault(part, []).append(round(took_s, 1))


def write(path: Path, run: Run) -> None:
    """Write a run; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(run), indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Run:
    """Read what `write` wrote.

    Raises:
        Unreadable: it is something else.
        OSError: the file cannot be read.
    """
    try:
        return Run(**json.loads(path.read_text()))
    except (ValueError, TypeError) as reason:
        raise Unreadable(f"{path} is no run of the table of targets: {reason}") from None
