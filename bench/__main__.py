"""`python -m bench`: measure castiron on this machine.

    python -m bench targets [--quick]        the table of targets: what castiron must reach; `make bench`
    python -m bench table RUN.json           print it again; with --into, put it into docs/performance.md
    python -m bench compare A.json B.json    what changed from one run to another
    python -m bench parts --only store,api   single parts, for whoever works on one; docs/benchmarks.md

Figures of one machine at one time; compare them with others of the same run. Never a gate. Spawned processes load this
file, so what they do not need is imported where it is used.
"""

import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn, cast

import click

RESULTS: Final = Path(__file__).parent / "results"

MIN_WIDTH: Final = 200
"""Of a table: one that is not wrapped can be searched."""

Measure = Callable[..., dict[str, float]]

PARTS: Final = (
    *("store", "requests", "start", "power", "provisioning", "executors", "allocating", "api", "accepting"),
    *("transport", "ipmi_engine", "checks", "dispatch", "periodics", "sensors", "farm", "manners", "plugin"),
)
"""Modules with a `measure`, in the order in which they run; loaded one by one, as spawned processes load this file."""


@click.group()
def main() -> None:
    """Measure castiron on this machine, and read what was measured."""


@main.command()
@click.option("--nodes", default=1_000, show_default=True, help="Nodes of the conductor that is measured.")
@click.option("--seconds", default=2.0, show_default=True, help="For each rate of the API.")
@click.option("--idle-seconds", default=25.0, show_default=True, help="Watch the conductor do nothing; 0: do not.")
@click.option(
    "--full", is_flag=True, help="Power checks at each interval, with each share of silent BMCs: half an hour."
)
@click.option("--only", help=f"These parts only, separated by commas, of: {', '.join(PARTS)}.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to write; default: bench/results/….json.")
def parts(*, nodes: int, seconds: float, idle_seconds: float, full: bool, only: str | None, file: Path | None) -> None:
    """Measure the parts of docs/benchmarks.md, in five minutes or so."""
    from rich.console import Console  # noqa: PLC0415 - see the module

    from bench import report  # noqa: PLC0415 - see the module

    console = Console()
    wanted = chosen(only, PARTS)
    machine, at = report.this_machine(), f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    figures: dict[str, Mapping[str, float]] = {}
    for part in wanted:
        with console.status(f"{part} …"):
            began = time.monotonic()
            figures[part] = measured(part, nodes=nodes, seconds=seconds, idle_s=idle_seconds, is_full=full)
        console.print(f"{part}: {time.monotonic() - began:.0f} s")
    console.print(report.table(machine, figures))
    target = file or RESULTS / f"{at}.json"
    report.write(target, at, {"nodes": nodes, "seconds": seconds}, machine, figures)
    console.print(f"written to {target}")


def _leave(number: int, _: object) -> NoReturn:
    """End by unwinding, so that every process that was started ends, too."""
    sys.exit(128 + number)


def chosen(only: str | None, known: Collection[str]) -> tuple[str, ...]:
    """Return the parts to run.

    Raises:
        click.UsageError: there is no such part.
    """
    wanted = tuple(known) if only is None else tuple(only.split(","))
    if unknown := [part for part in wanted if part not in known]:
        raise click.UsageError(f"There is no part {', '.join(unknown)}. There are {', '.join(known)}.")
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


@main.command()
@click.option("--quick", is_flag=True, help="A tenth of the size, and once: some minutes, to see that all works.")
@click.option("--repeats", type=click.IntRange(1), help="Default: 3, of a quick run 1.")
@click.option("--only", help="These parts only, separated by commas: names as bench/rows/parts.py has them.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to write; default: bench/results/….json.")
def targets(*, quick: bool, repeats: int | None, only: str | None, file: Path | None) -> None:
    """Measure what the table of targets is about, print it, and write all figures."""
    from rich.console import Console  # noqa: PLC0415 - see the module

    from bench import report  # noqa: PLC0415 - see the module
    from bench.rows.parts import PARTS as ROWS  # noqa: PLC0415 - see the module
    from bench.targets import page, recording, running  # noqa: PLC0415 - see the module

    signal.signal(signal.SIGTERM, _leave)
    size = "quick" if quick else "full"
    at = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    wanted = running.usual(size) if only is None else chosen(only, ROWS)
    path = file or RESULTS / f"targets-{at}.json"
    run = recording.Run(at=at, size=size, repeats=repeats or (1 if quick else 3), machine=asdict(report.this_machine()))
    running.run_all(run, wanted, path, click.echo)
    Console(width=max(MIN_WIDTH, shutil.get_terminal_size().columns)).print(page.terminal(run))
    click.echo(f"written to {path}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--into", type=click.Path(path_type=Path, exists=True), help="A page, as docs/performance.md.")
def table(*, file: Path, into: Path | None) -> None:
    """Print the table of a run as Markdown, or put it into a page, and the run beside it as JSON."""
    from bench.targets import page, recording  # noqa: PLC0415 - see the module

    try:
        run = recording.read(file)
        if into is None:
            click.echo(page.markdown(run))
            return
        page.fill(into, run)
    except (recording.Unreadable, page.NoPlace) as reason:
        raise click.ClickException(str(reason)) from None
    beside = into.with_suffix(".json")
    recording.write(beside, run)
    click.echo(f"written to {into} and {beside}")


@main.command()
@click.argument("before", type=click.Path(path_type=Path, exists=True))
@click.argument("after", type=click.Path(path_type=Path, exists=True))
@click.option("--all", "is_whole", is_flag=True, help="Every figure, and not those of the targets only.")
def compare(*, before: Path, after: Path, is_whole: bool) -> None:
    """Print how many times each figure is what it was; marked where no repeat of one run is within the other's."""
    from rich.console import Console  # noqa: PLC0415 - see the module

    from bench.targets import comparing, page, recording  # noqa: PLC0415 - see the module

    try:
        runs = [recording.read(path) for path in (before, after)]
    except recording.Unreadable as reason:
        raise click.ClickException(str(reason)) from None
    changes = comparing.compare(runs[0].figures, runs[1].figures, is_whole=is_whole)
    for note in comparing.notes(*runs):
        click.echo(note)
    Console(width=max(MIN_WIDTH, shutil.get_terminal_size().columns)).print(page.comparison(changes))


if __name__ == "__main__":
    main()
