"""What a check-up finds: one line about each thing looked at, with what to do where something is to be done."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import click

from castiron.cli.output.faults import tell
from castiron.cli.output.render import show_json, visible


class Verdict(StrEnum):
    """How something was found."""

    OK = "ok"
    WARNING = "warning"
    """It works, or could not be tried; somebody should know."""
    PROBLEM = "problem"
    """It does not work."""


class Finding(NamedTuple):
    """One thing looked at."""

    check: str
    verdict: Verdict
    told: str
    advice: str | None = None
    """What to do; None where there is nothing to do."""


def ok(check: str, told: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(check, Verdict.OK, told)


def warning(check: str, told: str, advice: str) -> Finding:
    """Return that somebody should know."""
    return Finding(check, Verdict.WARNING, told, advice)


def problem(check: str, told: str, advice: str | None = None) -> Finding:
    """Return that something does not work; the advice may be in the sentence already."""
    return Finding(check, Verdict.PROBLEM, told, advice)


_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "red"}


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what was found, and count the problems on standard error."""
    counts = {verdict: sum(one.verdict is verdict for one in findings) for verdict in Verdict}
    if as_json:
        summary = {verdict.value: count for verdict, count in counts.items()}
        return show_json({"findings": [one._asdict() for one in findings], "summary": summary})
    width = max(len(one.check) for one in findings)
    for one in findings:
        mark = click.style(f"{one.verdict:7}", fg=_COLOURS[one.verdict])
        click.echo(f"{mark}  {one.check:{width}}  {visible(one.told)}")
        if one.advice is not None:
            click.echo(f"{'':7}  {'':{width}}  {visible(one.advice)}")
    return tell(f"problems: {counts[Verdict.PROBLEM]}, warnings: {counts[Verdict.WARNING]}.")
