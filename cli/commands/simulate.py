"""`castiron simulate`: a whole conductor in virtual time among machines that fail, from a seed, judged in the end.

What is simulated, and how it is judged, is castiron.testing's, which is loaded only here.
"""

import logging
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, tell
from castiron.cli.output.render import show_json, show_record, show_table
from castiron.transport.vocabulary import TaskExecutor

if TYPE_CHECKING:
    from castiron.testing import Plan, Report

SEEDS = 2**32
"""How many seeds there are to draw from, if none is given: short enough to be typed again."""


@click.command()
@click.option("--seed", type=click.IntRange(0), metavar="N", help="What everything is drawn from. [default: a new one]")
@click.option("--nodes", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many machines.")
@click.option(
    "--days", type=click.FloatRange(0, 3650, min_open=True), default=7.0, show_default=True, help="Of virtual time."
)
@click.option(
    "--ipmi-nodes",
    type=click.IntRange(0),
    metavar="K",
    help="So many machines speak IPMI packet by packet, which takes time; the others its commands without packets.",
)
@click.option(
    "--rollout", is_flag=True, help="Another story: deploy all machines at once, and let some of their steps go wrong."
)
@click.option(
    "--trouble-percent",
    type=click.FloatRange(0, 100),
    metavar="P",
    help="With --rollout: of the steps, so many fail, hang or return rubbish. [default: 5]",
)
@click.option(
    "--task-executor",
    type=click.Choice([one.value for one in TaskExecutor]),
    help="Who says which step of a node is next. [default: builtin]",
)
@click.option(
    "--faults",
    multiple=True,
    nargs=2,
    metavar="NODES WORDS",
    help="What is wrong with some BMCs until the calm, as 'n[3-5]' 'silent=true loss=5'. May be repeated.",
)
@click.option(
    "--set",
    "numbers",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other number of a simulation's plan, as kill_mean_s=3600. May be repeated.",
)
@click.option(
    "--events", "log", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write all events there."
)
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True)
def simulate(
    *,
    seed: int | None,
    nodes: int,
    days: float,
    ipmi_nodes: int | None,
    rollout: bool,
    trouble_percent: float | None,
    task_executor: str | None,
    faults: Sequence[tuple[str, str]],
    numbers: Sequence[str],
    log: Path | None,
    shape: str,
) -> None:
    """Run a conductor in virtual time among machines, users and trouble, all drawn from a seed, and judge it.

    BMCs die, stammer, lie and forget; actors fail, the conductor is killed, its disk is full. With --rollout, all
    machines are deployed at once instead, while steps fail and hang, call-backs are late, and the conductor dies with
    some of them. The same seed gives the same events, byte for byte. Ends with 0 only if every invariant held; else it
    says which did not, and the command that runs it again.
    """
    from castiron.testing import try_plan  # noqa: PLC0415 - loads a conductor, which other commands must not

    logging.getLogger().addHandler(logging.NullHandler())  # what fails in a simulation is meant to
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    asked = {
        "ipmi_nodes": 0 if rollout and ipmi_nodes is None else ipmi_nodes,
        "trouble_percent": trouble_percent,
        "task_executor": task_executor,
    }
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    given |= {"seed": seed, "nodes": nodes, "days": days, "rollout": rollout, "faults": dict(faults)}
    trial = try_plan(_plan(given, numbers))
    report = trial.report
    if log is not None:
        _write(log, trial.log)
    if shape == "json":
        show_json(report.as_dict())
    else:
        _show(report)
    if not report.held:
        broken = ", ".join(verdict.name for verdict in trial.broken)
        tell(f"{broken} did not hold. Replay: {report.replay}")
        sys.exit(Exit.INTERNAL)


def _plan(given: Mapping[str, Any], numbers: Sequence[str]) -> "Plan":
    """Return the plan that was asked for.

    Raises:
        click.UsageError: it is none.
    """
    from castiron.testing import Plan  # noqa: PLC0415 - loads a conductor, which other commands must not

    chosen: dict[str, Any] = dict(given)
    try:
        chosen |= (Plan.read_number(text) for text in numbers)
        return Plan(**chosen)
    except ValueError as failure:
        raise click.UsageError(str(failure)) from None


def _show(report: "Report") -> None:
    counts = {"events": report.events, "requests": report.requests, "answers": report.answers, "trouble": report.faults}
    record = {"seed": str(report.seed), "machines": str(report.nodes), "days": f"{report.days:g}"}
    record |= {
        title: ", ".join(f"{count} {word}" for word, count in words.items()) or "-" for title, words in counts.items()
    }
    record |= {"work": ", ".join(f"{count} {word}" for word, count in report.work.items() if count)}
    show_record(record | {"sha256 of events": report.events_sha256, "replay": report.replay})
    click.echo()
    rows = [
        (one.name, "held" if one.held else f"{one.violation_count} BROKEN", str(one.judged_count), one.meaning)
        for one in report.invariants
    ]
    show_table(("invariant", "verdict", "cases", "what must hold"), rows)
    for verdict in report.invariants:
        for violation in verdict.violations:
            click.echo(f"{verdict.name}: {violation}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as failure:
        raise Stop(f"{path} cannot be written: {failure.strerror or failure}.", Exit.MACHINE) from None
