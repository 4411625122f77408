"""`castiron node list`: many nodes, a line each; which ones, what of them, and in which order."""

import time

import click

from castiron.cli.bulk import names_of
from castiron.cli.nodes.nodetable import LONG, SHORT, as_counted, fields_of, node_row
from castiron.cli.nodes.selection import where_option
from castiron.cli.options import Command, Shared, shared
from castiron.cli.output.faults import tell
from castiron.cli.output.render import show_json, show_table, word
from castiron.cli.reach import connect
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeList


@click.command("list", cls=Command, verbs=(NodeList,))
@click.argument("range_", metavar="[RANGE]", required=False)
@where_option
@click.option("--fields", metavar="FIELD,…", help="These columns: name,power_state,driver_info.ipmi_address.")
@click.option("--sort", metavar="FIELD[:desc]", help="By this field; of equals the name decides. [default: name]")
@click.option("--long", "is_long", is_flag=True, help="More columns.")
def node_list(
    range_: str | None, where: tuple[str, ...], fields: str | None, sort: str | None, *, is_long: bool
) -> None:
    """List nodes, all or some. Answered from memory: no BMC is asked.

    FIELD is one of those that `castiron node show --format json` prints; in driver_info, properties and extra, a key
    follows a dot. A secret is shown masked, and nothing can be chosen or sorted by it.
    """
    given = shared()
    if fields is not None and is_long:
        raise click.UsageError("--fields names the columns; --long does, too. Use one.")
    columns = None if fields is None else [name.strip() for name in fields.split(",")]
    by, _, direction = (sort or "").partition(":")
    if direction not in {"", "asc", "desc"}:
        raise click.UsageError(f"--sort {sort}: write {by}:desc for the highest first.")
    names = None if range_ is None else names_of(range_)
    with connect(given) as client:
        views = client.nodes.list(names, where=where, sort=by or None, descending=direction == "desc")
    if columns is not None:
        return _show_fields(views if by or given.is_json else as_counted(views), columns, given)
    if given.is_json:
        return show_json(views)
    now = time.time()
    shown = views if by else as_counted(views)
    show_table(LONG if is_long else SHORT, [node_row(view, now, is_long=is_long) for view in shown])
    if not views:
        tell("There are no such nodes." if where else "There are no nodes. Make one with `castiron node create`.")
    return None


def _show_fields(views: list[NodeView], columns: list[str], given: Shared) -> None:
    rows = [fields_of(view, columns) for view in views]
    if given.is_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_table([name.upper() for name in columns], [[word(cell) for cell in row] for row in rows])
