"""Which nodes a command is for: a RANGE, conditions, or both.

Without conditions, names are sent as they were typed, and nobody is asked before. With them, the nodes are listed
first, and each is then meant by its uuid, so that no rename in between makes it another one.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import click

from castiron.cli.bulk import names_of
from castiron.cli.nodes.nodetable import as_counted
from castiron.cli.options import Shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.reach import connect

_Function = TypeVar("_Function", bound=Callable[..., Any])

WHERE: Final = (
    "Only nodes of which this holds: 'power_state=power on', driver_info.ipmi_address=10.0.*, maintenance=true, "
    "properties.cpus>=8, 'name in n1,n2', fault=null; also != < <= > >= ~ (a pattern) == (exactly). Repeatable: all "
    "must hold."
)

_TWO_STEPS: Final = " The nodes are listed first; each is then asked by its uuid."

where_option: Final = click.option("--where", multiple=True, metavar="CONDITION", help=WHERE)


class Chosen(NamedTuple):
    """A node that a command is for."""

    name: str
    """For people."""
    ref: str
    """For the conductor: a name, or a uuid."""


def selection(function: _Function) -> _Function:
    """Give a command its RANGE and --where."""
    decorated = click.option("--where", multiple=True, metavar="CONDITION", help=WHERE + _TWO_STEPS)(function)
    return click.argument("range_", metavar="[RANGE]", required=False)(decorated)


def bulk_selection(function: _Function) -> _Function:
    """Give a command that is one bulk its RANGE and --where."""
    return click.argument("range_", metavar="[RANGE]", required=False)(where_option(function))


def choose(range_: str | None, where: tuple[str, ...], given: Shared) -> list[Chosen]:
    """Return the nodes that a command is for; at least one.

    Raises:
        ArgumentInvalid: it is not a host range, or no condition.
        Stop: the conditions hold of no node.
    """
    if range_ is None and not where:
        raise click.UsageError("Name nodes with a RANGE, or choose them with --where.")
    names = None if range_ is None else names_of(range_)
    if not where:
        return [Chosen(name, name) for name in names or ()]
    with connect(given) as client:
        views = as_counted(client.nodes.list(names, where=where))
    if not views:
        among = "" if range_ is None else f" of {range_}"
        raise Stop(f"There is no node{among} of which {' and '.join(where)} holds.", Exit.NOT_FOUND)
    return [Chosen(view.name, view.uuid) for view in views]
