"""`castiron node step`: whoever carries out a step tells how it goes, with the token that the step was given."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from castiron.cli.options import Command, Group, Shared, shared
from castiron.cli.output.render import clock_time, show_json, show_table
from castiron.cli.pairs import json_pairs, text_pairs
from castiron.cli.reach import connect
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeStepDone, NodeStepList, NodeStepProgress

_Function = TypeVar("_Function", bound=Callable[..., Any])


@click.group(cls=Group)
def step() -> None:
    """Tell how a step goes that something else than the conductor carries out: an agent, or a script on the machine."""


@step.command("list", cls=Command, verbs=(NodeStepList,))
@click.argument("name", metavar="NODE")
def _list(name: str) -> None:
    """Show where the steps stand that are worked through on a node, with the tokens of those that wait."""
    given = shared()
    with connect(given) as client:
        listed = client.provision.steps(name)
    if given.is_json:
        return show_json(listed)
    if listed.request is None:
        return click.echo(f"{name}: nothing is worked through.")
    columns = ("STEP", "STATE", "ATTEMPTS", "UNTIL", "TOKEN")
    rows = [
        (one.name, one.state, str(one.attempts), "-" if one.until is None else clock_time(one.until), one.token or "-")
        for one in listed.steps
    ]
    return show_table(columns, rows)


def _addressed(function: _Function) -> _Function:
    token = click.option(
        "--token",
        required=True,
        metavar="TOKEN",
        help="What the step was given; @FILE takes it from a file, - asks for it without an echo.",
    )
    return click.argument("name", metavar="NODE")(token(function))


@step.command("done", cls=Command, verbs=(NodeStepDone,))
@_addressed
@click.option("--result", multiple=True, metavar="KEY=VALUE", help="What came of it; as --property. Repeatable.")
@click.option("--error", metavar="TEXT", help="It failed, and this is why.")
def _done(name: str, token: str, result: tuple[str, ...], error: str | None) -> None:
    """Say that a step has ended: well, or with --error."""
    given = shared()
    found = json_pairs("--result", result)
    with connect(given) as client:
        view = client.provision.step_done(name, _read(token), result=found, error=error)
    _tell(view, given, "is done" if error is None else "has failed")


@step.command("progress", cls=Command, verbs=(NodeStepProgress,))
@_addressed
@click.option("--result", multiple=True, metavar="KEY=VALUE", help="What is to be told; as --property. Repeatable.")
def _progress(name: str, token: str, result: tuple[str, ...]) -> None:
    """Give a sign of life: the step's time begins anew. What is told with it becomes an event."""
    given = shared()
    found = json_pairs("--result", result)
    with connect(given) as client:
        view = client.provision.step_progress(name, _read(token), found)
    _tell(view, given, "goes on")


def _read(token: str) -> str:
    (read,) = text_pairs("--token", [f"token={token}"]).values()
    return read.strip()


def _tell(view: NodeView, given: Shared, how: str) -> None:
    if given.is_json:
        return show_json(view)
    return click.echo(f"{view.name}: the step {how}; the node is {view.provision_state}")
