"""Figures for people and for programs: one table, one JSON file, and the facts of the machine they were taken on."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from bench.soak import Report as SoakReport

Figures = Mapping[str, Mapping[str, float]]
"""Part → figure → value; the unit is the figure's last word."""

LIBRARIES: Final = ("cryptography", "msgpack", "msgspec", "peewee", "pyghmi", "pykka", "pyzmq")

UNITS: Final[Mapping[str, str]] = {
    "_cpu_percent": "% of a core",
    "_cpu_us": "µs of CPU",
    "_cpu_ms": "ms of CPU",
    "_per_cpu_s": "per s of CPU",
    "_per_s": "per s",
    "_bytes": "bytes",
    "_kb": "kB",
    "_mb": "MB",
    "_us": "µs",
    "_ms": "ms",
    "_s": "s",
    "_ratio": "times",
}
"""Ending of a figure's name → its unit for people; a name without any of them is a count."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and with what figures were taken."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    libraries: Mapping[str, str]
    load_average: float
    """Of the minute before: what others did to these figures."""

    def line(self) -> str:
        """Say it in one line."""
        return (
            f"{self.cores} cores of {self.processor}, {self.memory_gb:.0f} GB, {self.system}, Python {self.python}; "
            f"load {self.load_average:.1f} before"
        )


def this_machine() -> Machine:
    """Return the facts of this machine, now."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries={name: version(name) for name in LIBRARIES},
        load_average=os.getloadavg()[0],
    )


def table(machine: Machine, figures: Figures) -> Table:
    """Return all figures as one table."""
    made = Table("part", "figure", "value", "unit", title="castiron", caption=machine.line())
    made.columns[2].justify = "right"
    for part, values in figures.items():
        made.add_section()
        for row, (name, value) in enumerate(values.items()):
            figure, unit = unit_of(name)
            made.add_row("" if row else part, figure.replace("_", " "), number(value), unit)
    return made


def unit_of(name: str) -> tuple[str, str]:
    """Split a figure's name into what it is of and its unit for people; longer endings first."""
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            return name.removesuffix(ending), unit
    return name, ""


def number(value: float) -> str:
    """Return a value with as many digits as it is worth: three, or all before the point."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def write(path: Path, at: str, arguments: Mapping[str, object], machine: Machine, figures: Figures) -> None:
    """Write everything as JSON; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"at": at, "arguments": arguments, "machine": asdict(machine), "figures": figures}
    path.write_text(json.dumps(whole, indent=2) + "\n")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def show_soak(told: "SoakReport") -> None:
    """Print what came of a soak."""
    made = Table(
        "gauge", "first", "last", "highest", "growth", "may grow by", "", title="soak", caption="medians of fifths"
    )
    for column in made.columns[1:6]:
        column.justify = "right"
    for verdict in told.verdicts:
        words = (verdict.first, verdict.last, verdict.highest, verdict.growth, verdict.bound.growth)
        held = "held" if verdict.is_held else "GREW"
        made.add_row(verdict.name, *(number(round(word, 1)) for word in words), held)
    console = Console()
    console.print(made)
    for what, counts in (("checks", told.checks), ("requests", told.requests), ("faults", told.faults)):
        console.print(f"{what}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")
    console.print(f"events heard: {told.events:,}; BMCs: {told.served_by}")
    console.print(f"not in order at the end: {', '.join(told.unhealed) or 'nothing'}")
