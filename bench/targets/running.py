"""A run of the table of targets: all parts in turn, as many times as there are repeats.

Repeats of a part lie as far apart as can be, so that an hour in which the machine was busy spoils one of them. A part
that fails is noted, with why, and the others go on.
"""

import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.rows.parts import MEMORY, PARTS, Part, derived
from bench.rows.sizes import FULL, QUICK, Size
from bench.targets.recording import Run, write

SIZES: Final[Mapping[str, Size]] = {"full": FULL, "quick": QUICK}


def run_all(
    run: Run, parts: Sequence[str], path: Path, told: Callable[[str], None], known: Mapping[str, Part] = PARTS
) -> None:
    """Measure parts for a run, and write it after each.

    Args:
        run: says how large and how often; filled.
        parts: by name, in their order.
        path: where it is written.
        told: called with a line for people after each part.
        known: the parts that there are.
    """
    size = SIZES[run.size]
    for repeat in range(run.repeats):
        figures: dict[str, dict[str, float]] = {}
        for name in parts:
            if known[name].is_once and repeat:
                continue
            began_s = time.monotonic()
            try:
                figures[name] = known[name].measure(size)
            except Exception as failure:  # noqa: BLE001 - told, and the other parts are not lost with it
                run.failed.setdefault(name, []).append(f"{type(failure).__name__}: {failure}")
                told(f"{repeat + 1}/{run.repeats} {name} has failed: {traceback.format_exc()}")
            else:
                took_s = time.monotonic() - began_s
                run.add(name, figures[name], took_s)
                told(f"{repeat + 1}/{run.repeats} {name}: {took_s:.0f} s")
            run.loads.append(round(os.getloadavg()[0], 1))
            write(path, run)
        run.add(MEMORY, derived(figures, size), 0.0)
        write(path, run)


def usual(size: str) -> list[str]:
    """Return the parts of a run of this size."""
    return [name for name, part in PARTS.items() if size == "full" or part.is_quick]
