"""`castiron periodics`: the table of periodic tasks; have one run no more, or again."""

import time

import click

from castiron.cli.options import Command, Group, shared
from castiron.cli.output.render import show_json, show_table
from castiron.cli.reach import connect
from castiron.transport.replies import PeriodicView
from castiron.transport.verbs import PeriodicList, PeriodicStart, PeriodicStop

_COLUMNS = (
    *("Name", "State", "Nodes", "Periodicity", "Runs in", "Runs", "Failures"),
    *("Average elapsed", "Average waiting", "Average late"),
)


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def periodics(ctx: click.Context) -> None:
    """Show what the conductor does again and again, and when it does so next; without a sub-command as `list`."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(_list)


@periodics.command("list", cls=Command, verbs=(PeriodicList,))
def _list() -> None:
    """Show all periodic tasks: how often they run, when they run next, and what their runs have come to."""
    given = shared()
    with connect(given) as client:
        listed = client.periodics.list()
    if given.is_json:
        return show_json(listed)
    if not listed:
        return click.echo("There are no periodic tasks. docs/guides/periodics.md tells how to write one.")
    now = time.time()
    return show_table(_COLUMNS, [row(view, now) for view in listed])


@periodics.command("stop", cls=Command, verbs=(PeriodicStop,))
@click.argument("name", metavar="NAME")
def _stop(name: str) -> None:
    """Have a periodic task run no more, until `start` or the conductor's next start.

    The setting disabled_periodics switches one off for good.
    """
    given = shared()
    with connect(given) as client:
        view = client.periodics.stop(name)
    if given.is_json:
        return show_json(view)
    under_way = view.state in {"running", "hung"}
    return click.echo(f"{view.name}: it runs no more" + (", once its present run has ended." if under_way else "."))


@periodics.command("start", cls=Command, verbs=(PeriodicStart,))
@click.argument("name", metavar="NAME")
def _start(name: str) -> None:
    """Have a periodic task run again that was stopped, or said that it is to run no more."""
    given = shared()
    with connect(given) as client:
        view = client.periodics.start(name)
    if given.is_json:
        return show_json(view)
    if view.nodes is not None:
        return click.echo(f"{view.name}: it runs for {view.nodes} nodes, each at its own time.")
    when = f"runs in {_due_in(view, time.time())}" if view.due_at is not None else f"is {view.state}"
    return click.echo(f"{view.name}: it {when}.")


def row(view: PeriodicView, now: float) -> tuple[str, ...]:
    """Return a task as a row of the table."""
    averages = (view.average_elapsed_s, view.average_waiting_s, view.average_late_s)
    return (
        view.name,
        view.state,
        "-" if view.nodes is None else str(view.nodes),
        f"{view.spacing_s:g} s",
        _due_in(view, now),
        str(view.runs),
        str(view.failures),
        *("-" if seconds is None else f"{seconds:.4f}s" for seconds in averages),
    )


def _due_in(view: PeriodicView, now: float) -> str:
    return "-" if view.due_at is None else f"{max(0.0, view.due_at - now):.1f}s"
