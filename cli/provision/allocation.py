"""`castiron allocation`: have a node of a class held for oneself, and give it back."""

import time
from collections.abc import Sequence
from typing import Any, Final

import click

from castiron.cli.bulk import conclude, send
from castiron.cli.options import Command, Group, Shared, shared
from castiron.cli.output.render import age, moment, show_json, show_record, show_table, word
from castiron.cli.pairs import json_pairs
from castiron.cli.reach import connect
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.provisioning import Allocation
from castiron.transport.replies import AllocationView
from castiron.transport.verbs import (
    AllocationCreate,
    AllocationDelete,
    AllocationList,
    AllocationSet,
    AllocationShow,
    AllocationWait,
    NodeShow,
)
from castiron.transport.vocabulary import AllocationState

WAIT_S: Final = 600.0
"""For a node, where nobody says how long."""

_HEAD: Final = ("NAME", "UUID", "STATE", "CLASS", "NODE", "OWNER", "CREATED")

_force = click.option("--force", is_flag=True, help="Also if it is somebody else's.")


@click.group(cls=Group)
def allocation() -> None:
    """Have nodes held for oneself, chosen by what they are, and give them back."""


@allocation.command("create", cls=Command, verbs=(AllocationCreate, AllocationWait, AllocationShow))
@click.option("--resource-class", required=True, metavar="TEXT", help="The node's.")
@click.option("--trait", "traits", multiple=True, metavar="TRAIT", help="The node must have it. Repeatable.")
@click.option(
    "--candidate-node",
    "candidate_nodes",
    multiple=True,
    metavar="NODE",
    help="It must be this one, or another named so.",
)
@click.option("--name", metavar="TEXT", help="Unique among allocations. A node of that name is taken before others.")
@click.option("--extra", multiple=True, metavar="KEY=VALUE", help="What you like; as with `node set`. Repeatable.")
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stand in line so long for a node. [default: fail if there is none now]",
)
@click.option("--wait", "waits", is_flag=True, help="Until a node is held, or none could be had; --timeout ends it.")
def _create(resource_class: str, *, waits: bool, patience_s: float | None, **wanted: Any) -> None:
    """Have a node held for oneself: one that is available, of this class, with these traits.

    Prints the allocation as it was made, while the node is looked for; with --wait, as it ended. Fails if no node could
    be had, and says how many nodes lack what.
    """
    given = shared()
    wanted["extra"] = json_pairs("--extra", wanted["extra"])
    wanted["candidate_nodes"] = wanted["candidate_nodes"] or None
    with connect(given) as client:
        made = client.allocations.create(resource_class, timeout_s=patience_s, **wanted)
        if waits:
            made.wait(_limit(given, patience_s))
    _show(made.view, given)
    made.raise_for_error()


@allocation.command("list", cls=Command, verbs=(AllocationList,))
@click.option("--node", metavar="NODE", help="Of this node only.")
@click.option("--resource-class", metavar="TEXT", help="For nodes of this class only.")
@click.option("--state", type=click.Choice([state.value for state in AllocationState]), help="In this state only.")
@click.option("--owner", metavar="WHO", help="Of this identity only, as ipc:uid=1000.")
def _list(**wanted: Any) -> None:
    """List allocations, the oldest first."""
    given = shared()
    with connect(given) as client:
        views = [one.view for one in client.allocations.list(**wanted)]
    if given.is_json:
        return show_json(views)
    now = time.time()
    return show_table(_HEAD, [_row(view, now) for view in views])


@allocation.command("show", cls=Command, verbs=(AllocationShow,))
@click.argument("name", metavar="ALLOCATION")
def _show_one(name: str) -> None:
    """Show an allocation, by name or uuid: its state, its node, or why it has none."""
    given = shared()
    with connect(given) as client:
        view = client.allocations.show(name).view
    _show(view, given)


@allocation.command("set", cls=Command, verbs=(AllocationSet,))
@click.argument("name", metavar="ALLOCATION")
@click.option("--name", "new_name", metavar="TEXT", help="Its new name.")
@click.option("--extra", multiple=True, metavar="KEY=VALUE", help="What you like; as with `node set`. Repeatable.")
@_force
def _set(name: str, new_name: str | None, extra: Sequence[str], *, force: bool) -> None:
    """Change an allocation's name or extra."""
    changes: dict[str, Any] = {} if new_name is None else {"name": new_name}
    _change(name, changes | ({"extra": json_pairs("--extra", extra)} if extra else {}), force=force)


@allocation.command("unset", cls=Command, verbs=(AllocationSet,))
@click.argument("name", metavar="ALLOCATION")
@click.option("--name", "without_name", is_flag=True, help="It has none.")
@click.option("--extra", multiple=True, metavar="KEY", help="It has no such key. Repeatable.")
@_force
def _unset(name: str, extra: Sequence[str], *, without_name: bool, force: bool) -> None:
    """Take away an allocation's name, or keys of its extra."""
    changes: dict[str, Any] = {"name": None} if without_name else {}
    _change(name, changes | ({"extra": dict.fromkeys(extra)} if extra else {}), force=force)


@allocation.command("delete", cls=Command, verbs=(AllocationDelete,))
@click.argument("names", metavar="ALLOCATION...", nargs=-1, required=True)
@_force
def _delete(names: Sequence[str], *, force: bool) -> None:
    """Give nodes back, and forget their allocations.

    Refused while somebody's machine is on the node: `castiron node undeploy` ends the allocation, too.
    """
    given = shared()
    with connect(given) as client:
        outcomes = send(
            client, [(name, AllocationDelete(allocation=name, force=force)) for name in dict.fromkeys(names)]
        )
    conclude(outcomes, lambda _: "deleted", given)


@allocation.command("wait", cls=Command, verbs=(AllocationWait, AllocationShow, NodeShow))
@click.argument("name", metavar="ALLOCATION")
def _wait(name: str) -> None:
    """Wait until a node is held for an allocation, and say which.

    Fails if none could be had, or none within --timeout.
    """
    given = shared()
    with connect(given) as client:
        found = client.allocations.show(name)
        found.wait(_limit(given, None))
        told = found.view if given.is_json else None
        node = _node(client, found)
    if told is not None:
        show_json(told)
    elif node is not None:
        click.echo(f"{name}: active, {node}")
    found.raise_for_error()


def _change(name: str, changes: dict[str, Any], *, force: bool) -> None:
    if not changes:
        raise click.UsageError("Say what is to be changed: --name or --extra.")
    given = shared()
    with connect(given) as client:
        view = client.allocations.set(name, force=force, **changes).view
    _show(view, given)


def _limit(given: Shared, patience: float | None) -> float:
    """Return how long to wait: as long as was said, or a little longer than the conductor itself looks."""
    if given.timeout_s is not None:
        return given.timeout_s
    return WAIT_S if patience is None else patience + WAIT_S


def _node(client: Client, found: Allocation) -> str | None:
    return None if found.node_uuid is None else client.nodes.show(found.node_uuid).name


def _show(view: AllocationView, given: Shared) -> None:
    if given.is_json:
        return show_json(view)
    now = time.time()
    return show_record(
        {
            "uuid": view.uuid,
            "name": word(view.name),
            "state": str(view.state),
            "node_uuid": word(view.node_uuid),
            "resource_class": view.resource_class,
            "traits": ", ".join(view.traits) or "-",
            "candidate_nodes": ", ".join(view.candidate_nodes) or "-",
            "owner": view.owner,
            "extra": word(view.extra),
            "last_error": word(view.last_error),
            "deadline_at": moment(view.deadline_at, now),
            "created_at": moment(view.created_at, now),
            "updated_at": moment(view.updated_at, now),
        }
    )


def _row(view: AllocationView, now: float) -> list[str]:
    cells = [word(view.name), view.uuid, str(view.state), view.resource_class, word(view.node_uuid), view.owner]
    return [*cells, age(view.created_at, now)]
