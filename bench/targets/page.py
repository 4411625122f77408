"""The table of targets, for a terminal and for docs/performance.md, made from a run and the targets alone."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.table import Table

from bench.report import number
from bench.targets.comparing import Change
from bench.targets.judging import Figures, Spread, Verdict, judge, peer_value
from bench.targets.recording import Run
from bench.targets.table import TARGETS, Beside, Target

COLUMNS: Final = ("what", "figure", "target", "measured", "least to most", "", "beside")
FEW: Final = 0.1
"""Ratios below this are told as parts, which keep their digits."""

BEGIN: Final = "<!-- targets: from performance.json -->"
END: Final = "<!-- end of targets -->"


class NoPlace(ValueError):
    """A page has no place for the table."""


def rows(run: Run) -> list[tuple[str, ...]]:
    """Return the cells of the table, one tuple a target, in its order."""
    return [_row(judge(target, run.figures), run.figures) for target in TARGETS]


def _row(verdict: Verdict, figures: Figures) -> tuple[str, ...]:
    target, spread = verdict.target, verdict.spread
    measured = "" if spread is None else with_unit(spread.median, target.unit)
    cells = (wanted(target, verdict.limit), measured, "" if spread is None else reach(spread))
    return (target.row, target.what, *cells, verdict.words, peers(verdict, figures))


def reach(spread: Spread) -> str:
    """Say how far the repeats of a figure are apart."""
    return f"{number(spread.least)} to {number(spread.most)}"


def wanted(target: Target, limit: float | None) -> str:
    """Say what a target is; of one that hangs on another figure, what that makes in this run."""
    if target.limit is None:
        return ""
    if limit is None:
        return f"{target.better} ?"
    hung = target.limit if isinstance(target.limit, Beside) else None
    told = "" if hung is None else f" ({number(hung.times)} times that without, and {number(hung.plus)} more)"
    return f"{target.better} {with_unit(limit, target.unit)}{told}"


def peers(verdict: Verdict, figures: Figures) -> str:
    """Say what others need, and how many times that the figure is."""
    if verdict.spread is None:
        return ""
    found = ((peer, peer_value(peer, figures)) for peer in verdict.target.peers)
    return "; ".join(
        f"{times(verdict.spread.median / value)} {peer.name} ({with_unit(value, verdict.target.unit)}"
        f"{', quoted' if peer.figure is None else ''})"
        for peer, value in found
        if value
    )


def times(ratio: float) -> str:
    """Say how many times something a figure is, or which part of it."""
    return f"1/{number(1 / ratio)} of" if 0 < ratio < FEW else f"{number(ratio)} times"


def with_unit(value: float, unit: str) -> str:
    """Return a value with its unit."""
    return f"{number(value)} {unit}".rstrip() if not unit.startswith("/") else f"{number(value)}{unit}"


def terminal(run: Run) -> Table:
    """Return the table for people at a terminal."""
    made = Table(*COLUMNS, title="targets", caption="\n".join(about(run)))
    for column in made.columns[2:5]:
        column.justify = "right"
    before = ""
    for row, *cells in rows(run):
        if row != before:
            made.add_section()
        made.add_row(row if row != before else "", *cells, style="" if cells[4] in {"met", ""} else "bold")
        before = row
    return made


def comparison(changes: Iterable[Change]) -> Table:
    """Return a table of what changed from one run to another."""
    made = Table("figure", "before", "after", "ratio", "least to most before", "and after", "beyond the spread")
    for column in made.columns[1:6]:
        column.justify = "right"
    for change in changes:
        ratio = "" if change.ratio is None else number(change.ratio)
        cells = (number(change.before.median), number(change.after.median), ratio, reach(change.before))
        made.add_row(change.name, *cells, reach(change.after), change.words, style="bold" if change.is_beyond else "")
    return made


def markdown(run: Run) -> str:
    """Return the table for a page, and what it was measured on."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|---:|---:|---:|---|---|"]
    before = ""
    for row, *cells in rows(run):
        lines.append(f"| {' | '.join((row if row != before else '', *cells))} |")
        before = row
    return "\n".join([*about(run), "", *lines])


def about(run: Run) -> Iterable[str]:
    """Say when, on what and with what a run was made, what failed in it, and how it came out."""
    verdicts = [judge(target, run.figures) for target in TARGETS]
    met, judged = (sum(verdict.is_met in values for verdict in verdicts) for values in ({True}, {True, False}))
    unknown = sum(verdict.spread is None for verdict in verdicts)
    rest = f" ({unknown} figures were not measured)" if unknown else ""
    yield f"{met} of {judged} targets met{rest}, in a {run.size} run, each figure {counted(run.repeats)}, {run.at}."
    if run.size != "full":
        yield "A quick run is a tenth of the size that the targets are for: it shows that things work, not how well."
    yield machine_line(run.machine)
    if run.loads:
        yield f"Load {number(median(run.loads))} at the median of its parts, {number(max(run.loads))} at the most."
    yield f"It took {sum(map(sum, run.took_s.values())) / 60:.0f} minutes."
    for part, reasons in run.failed.items():
        yield f"{part} has failed: {'; '.join(reasons)}"


def counted(repeats: int) -> str:
    """Say how often."""
    return "once" if repeats == 1 else f"{repeats} times"


def machine_line(machine: Mapping[str, Any]) -> str:
    """Say what a run was made on."""
    return (
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gb']:.0f} GB, {machine['system']}, "
        f"Python {machine['python']}; load {machine['load_average']:.1f} before."
    )


def filled(page: str, run: Run) -> str:
    """Return a page with the table of a run in its place.

    Raises:
        NoPlace: it has none.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise NoPlace(f"the page has no {BEGIN} … {END}")
    return f"{head}{BEGIN}\n\n{markdown(run)}\n\n{END}{tail}"


def fill(path: Path, run: Run) -> None:
    """Put the table of a run into a page."""
    path.write_text(filled(path.read_text(), run))
