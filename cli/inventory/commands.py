"""`castiron node import` and `castiron node discover`, as they are typed; what they do is loaded when it is done."""

from pathlib import Path

import click

from castiron.cli.bulk import dry_run_option
from castiron.cli.options import Command, shared
from castiron.cli.pairs import text_pairs
from castiron.transport.verbs import NodeCreate, NodeSet, NodeShow


@click.command("import", cls=Command, verbs=(NodeShow, NodeCreate, NodeSet))
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--from", "kind", type=click.Choice(["csv", "toml", "json"]), help="What FILE is. [default: as it ends]")
@click.option("--update", is_flag=True, help="Change nodes that are there and not as FILE says.")
@click.option(
    "--driver-info",
    multiple=True,
    metavar="KEY=VALUE",
    help="For every entry that does not say it: ipmi_password=@FILE, ipmi_password=-. Repeatable.",
)
@click.option("--force", is_flag=True, help="Accept a BMC address that another node has.")
@dry_run_option
def import_(
    path: Path, kind: str | None, driver_info: tuple[str, ...], *, update: bool, force: bool, dry_run: bool
) -> int:
    """Make the nodes of an inventory known: CSV, TOML, or JSON as Ironic prints it. With --dry-run, say what would be.

    JSON: what `baremetal node list --long -f json`, `openstack baremetal node show -f json` or `castiron node list
    --format json` print. What castiron has no place for is told. Masked passwords are not taken: add them with
    --driver-info. Nodes that are there are left alone without --update. A field that FILE does not name stays.
    """
    from castiron.cli.inventory.importing import import_nodes  # noqa: PLC0415 - ClusterShell: 15 ms

    info = text_pairs("--driver-info", driver_info)
    return import_nodes(path, kind, info, shared(), update=update, force=force, dry_run=dry_run)
