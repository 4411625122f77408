"""`castiron node maintenance` and `castiron node lock`: put nodes aside by hand, for everybody or for oneself."""

import click

from castiron.cli.bulk import conclude, dry_run_option, send
from castiron.cli.nodes.selection import choose, selection
from castiron.cli.options import Command, Group, shared
from castiron.cli.reach import connect
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeLockSet, NodeLockUnset, NodeMaintenanceSet, NodeMaintenanceUnset


@click.group(cls=Group)
def maintenance() -> None:
    """Put nodes into maintenance, or take them out of it. Requests still reach a node in maintenance."""


@maintenance.command("set", cls=Command, verbs=(NodeMaintenanceSet,))
@selection
@click.option("--reason", metavar="TEXT", help="Why. [default: the reason given by hand before, if any]")
@dry_run_option
def _set(range_: str | None, where: tuple[str, ...], reason: str | None, *, dry_run: bool) -> None:
    """Put nodes into maintenance by hand: only `unset` ends it. A fault is forgotten, and recovery leaves them alone.

    Takes effect at once, also while a request is running, which goes on.
    """
    given = shared()
    nodes = choose(range_, where, given)
    with connect(given) as client:
        outcomes = send(
            client, [(one.name, NodeMaintenanceSet(node=one.ref, reason=reason, dry_run=dry_run)) for one in nodes]
        )
    conclude(outcomes, _in_maintenance, given)


def _in_maintenance(view: NodeView) -> str:
    return "in maintenance" + (f": {view.maintenance_reason}" if view.maintenance_reason else "")


@maintenance.command("unset", cls=Command, verbs=(NodeMaintenanceUnset,))
@selection
@dry_run_option
def _unset(range_: str | None, where: tuple[str, ...], *, dry_run: bool) -> None:
    """Take nodes out of maintenance, whoever put them there: who does says that they are well."""
    given = shared()
    nodes = choose(range_, where, given)
    with connect(given) as client:
        outcomes = send(client, [(one.name, NodeMaintenanceUnset(node=one.ref, dry_run=dry_run)) for one in nodes])
    conclude(outcomes, lambda _: "not in maintenance", given)


@click.group(cls=Group)
def lock() -> None:
    """Keep nodes to yourself, or give them back. Others change neither a locked node nor its machine."""


@lock.command("set", cls=Command, verbs=(NodeLockSet,))
@selection
@click.option("--reason", metavar="TEXT", help="Why. [default: the reason that your lock has, if any]")
@dry_run_option
def _lock(range_: str | None, where: tuple[str, ...], reason: str | None, *, dry_run: bool) -> None:
    """Lock nodes for yourself. Takes effect at once; what was accepted before goes on."""
    given = shared()
    nodes = choose(range_, where, given)
    with connect(given) as client:
        outcomes = send(
            client, [(one.name, NodeLockSet(node=one.ref, reason=reason, dry_run=dry_run)) for one in nodes]
        )
    conclude(outcomes, lock_in_words, given)


def lock_in_words(view: NodeView) -> str:
    """Return who has a node's lock, and why."""
    if view.lock is None:
        return "not locked"
    return f"locked by {view.lock.owner}" + (f": {view.lock.reason}" if view.lock.reason else "")


@lock.command("unset", cls=Command, verbs=(NodeLockUnset,))
@selection
@click.option("--force", is_flag=True, help="Also if somebody else has the lock; for admins.")
@dry_run_option
def _unlock(range_: str | None, where: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    """Give nodes back to everybody: those that you have locked."""
    given = shared()
    nodes = choose(range_, where, given)
    with connect(given) as client:
        outcomes = send(
            client, [(one.name, NodeLockUnset(node=one.ref, force=force, dry_run=dry_run)) for one in nodes]
        )
    conclude(outcomes, lock_in_words, given)
