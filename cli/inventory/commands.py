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


@click.command("discover", cls=Command)
@click.argument("networks", metavar="NETWORK...", nargs=-1, required=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=623, show_default=True, help="Their UDP port.")
@click.option(
    "--rate",
    "rate_per_s",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=250.0,
    show_default=True,
    help="Pings a second at the most.",
)
@click.option(
    "--tries",
    type=click.IntRange(1, 5),
    default=2,
    show_default=True,
    help="Rounds; again only those that were silent.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 60, min_open=True),
    default=2.0,
    show_default=True,
    help="Seconds after a round, for answers that are late.",
)
def discover(networks: tuple[str, ...], *, port: int, rate_per_s: float, tries: int, wait_s: float) -> None:
    """Look for BMCs on the networks named, and on no others: 192.0.2.0/24, or a single address.

    Sends each address a presence ping (RMCP, ASF), which needs no login and leaves nothing behind. Nobody is asked who
    is a node already, and no conductor is needed. At most 65,536 addresses.
    """
    from castiron.cli.inventory import discovery  # noqa: PLC0415 - the driver's packets

    discovery.discover(networks, shared(), port=port, rate_per_s=rate_per_s, tries=tries, wait_s=wait_s)
