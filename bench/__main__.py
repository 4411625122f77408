"""`python -m bench`: measure, print one table, write bench/results/<UTC time>.json.

Figures of one machine at one time; compare them with others of the same run. Never a gate.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import click

RESULTS: Final = Path(__file__).parent / "results"

Measure = Callable[..., dict[str, float]]

PARTS: Final = (
    *("store", "requests", "start", "power", "provisioning", "executors", "allocating", "api", "accepting"),
    *("transport", "ipmi_engine", "checks", "dispatch", "periodics", "sensors", "farm"),
)
"""Modules with a `measure`, in the order in which they run; loaded one by one, as spawned processes load this file."""


@click.command()
@click.option("--nodes", default=1_000, show_default=True, help="Nodes of the conductor that is measured.")
@click.option("--seconds", default=2.0, show_default=True, help="For each rate of the API.")
@click.option("--idle-seconds", default=25.0, show_default=True, help="Watch the conductor do nothing; 0: do not.")
@click.option(
    "--full", is_flag=True, help="Power checks at each interval, with each share of silent BMCs: half an hour."
)
@click.option("--only", help=f"These parts only, separated by commas, of: {', '.join(PARTS)}.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to write; default: bench/results/….json.")
def main(*, nodes: int, seconds: float, idle_seconds: float, full: bool, only: str | None, file: Path | None) -> None:
    """Measure castiron on this machine, in five minutes or so."""
    from rich.console import Console  # noqa: PLC0415 - spawned processes load this file, and need no console

    from bench import report  # noqa: PLC0415 - as above

    console = Console()
    parts = chosen(only)
    machine, at = report.this_machine(), f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    figures: dict[str, Mapping[str, float]] = {}
    for part in parts:
        with console.status(f"{part} …"):
            began = time.monotonic()
            figures[part] = measured(part, nodes=nodes, seconds=seconds, idle_s=idle_seconds, is_full=full)
        console.print(f"{part}: {time.monotonic() - began:.0f} s")
    console.print(report.table(machine, figures))
    target = file or RESULTS / f"{at}.json"
    report.write(target, at, {"nodes": nodes, "seconds": seconds}, machine, figures)
    console.print(f"written to {target}")


def chosen(only: str | None) -> tuple[str, ...]:
    """Return the parts to run.

    Raises:
        click.UsageError: there is no such part.
    """
    wanted = PARTS if only is None else tuple(only.split(","))
    if unknown := [part for part in wanted if part not in PARTS]:
        raise click.UsageError(f"There is no part {', '.join(unknown)}. There are {', '.join(PARTS)}.")
    return wanted


def measured(part: str, *, nodes: int, seconds: float, idle_s: float, is_full: bool) -> dict[str, float]:
    """Run one part and return its figures."""
    measure = cast("Measure", import_module(f"bench.{part}").measure)
    sized: dict[str, Measure] = {
        "store": partial(measure, nodes=nodes),
        "start": partial(measure, nodes=nodes),
        "executors": partial(measure, nodes=nodes),
        "power": partial(measure, nodes=nodes, idle_s=idle_s),
        "provisioning": partial(measure, nodes=nodes, is_full=is_full),
        "allocating": partial(measure, nodes=nodes),
        "checks": partial(measure, nodes=nodes, is_full=is_full),
        "api": partial(measure, nodes=nodes, seconds=seconds),
        "accepting": partial(measure, nodes=nodes, seconds=seconds),
    }
    return sized.get(part, measure)()


if __name__ == "__main__":
    main()
