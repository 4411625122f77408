"""`castiron node abort`, `hold` and `unhold`: what is said about the work on nodes while it goes on."""

from collections.abc import Callable
from typing import Final

import click

from castiron.cli.bulk import conclude, dry_run_option, send
from castiron.cli.nodes.selection import choose, selection
from castiron.cli.options import Command, shared
from castiron.cli.reach import connect
from castiron.transport.replies import NodeView
from castiron.transport.verbs import AnyProvisionOrder, NodeProvisionAbort, NodeProvisionHold, NodeProvisionUnhold


def _command(word: str, verb: type[AnyProvisionOrder], told: Callable[[NodeView], str], text: str) -> click.Command:
    @click.command(word, cls=Command, verbs=(verb,), help=text)
    @selection
    @dry_run_option
    def command(range_: str | None, where: tuple[str, ...], *, dry_run: bool) -> None:
        given = shared()
        nodes = choose(range_, where, given)
        with connect(given) as client:
            outcomes = send(client, [(one.name, verb(node=one.ref, dry_run=dry_run)) for one in nodes])
        conclude(outcomes, told, given)

    return command


def _ending(view: NodeView) -> str:
    return f"ending, {view.provision_state}" if view.active_request is not None else str(view.provision_state)


def _stopping(view: NodeView) -> str:
    state = view.provision_state
    return f"held, {state}" if state.endswith(" hold") else f"to be held before its next step, {state}"


def _going(view: NodeView) -> str:
    return f"goes on, {view.provision_state}"


STEERING: Final = (
    _command(
        "abort",
        NodeProvisionAbort,
        _ending,
        "End the work on nodes: the running step is asked to stop, and what can be taken back is.",
    ),
    _command("hold", NodeProvisionHold, _stopping, "Have the work on nodes stop before its next step, until `unhold`."),
    _command("unhold", NodeProvisionUnhold, _going, "Let the work on nodes go on that was held, or is to be held."),
)
"""The commands."""
