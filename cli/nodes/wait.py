"""`castiron node wait`: until conditions hold of nodes, by their events."""

from functools import partial

import click

from castiron.cli.bulk import folded
from castiron.cli.nodes.selection import choose, selection
from castiron.cli.options import Command, Shared, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.progress import Progress
from castiron.cli.output.render import show_json, visible, word
from castiron.cli.reach import connect
from castiron.transport.clients.face import TIMEOUT_S
from castiron.transport.clients.waiting import Standing
from castiron.transport.replies import NodeView
from castiron.transport.selection.conditions import Condition, chooser
from castiron.transport.selection.fields import value_of
from castiron.transport.selection.text import parsed
from castiron.transport.verbs import EventList, Hello, NodeList, NodeShow


@click.command("wait", cls=Command, verbs=(NodeList, NodeShow, EventList, Hello))
@selection
@click.option(
    "--for", "conditions", multiple=True, required=True, metavar="CONDITION", help="What shall hold, as --where has it."
)
@click.option("--any", "is_any", is_flag=True, help="One node is enough.")
def wait(range_: str | None, where: tuple[str, ...], conditions: tuple[str, ...], *, is_any: bool) -> None:
    """Wait until conditions hold of nodes, all at the same time: --for 'power_state=power on'.

    Follows the nodes' events, through restarts of the conductor; no machine is asked. With --timeout (90, 5m, 2h), it
    ends with exit code 75 if they do not hold by then. A node that is deleted meanwhile is an error.
    """
    given = shared()
    wanted = parsed(conditions, "--for")
    refs = [one.ref for one in choose(range_, where, given)]
    standing = Standing([], [])

    def show(now_standing: Standing) -> None:
        nonlocal standing
        standing = now_standing
        progress.draw(partial(_line, standing, wanted))

    try:
        with Progress(len(refs)) as progress, connect(given, timeout_s=_answer_s(given)) as client:
            held = client.nodes.wait_for(
                refs, wanted, timeout_s=given.timeout_s, any_=is_any, told=progress.tell, progress=show
            )
    except KeyboardInterrupt:
        count = f"It held of {len(standing.holding)} of {len(refs)} nodes."
        raise Stop(f"Interrupted. {count}", Exit.INTERRUPTED) from None
    if given.is_json:
        return show_json(held)
    return click.echo(f"{folded(view.name for view in held)}: {visible(', '.join(conditions))}")


def _answer_s(given: Shared) -> float:
    return min(TIMEOUT_S, given.timeout_s or TIMEOUT_S)


def _line(standing: Standing, wanted: list[Condition]) -> str:
    """Return "3 of 20 nodes; power_state power off: n[4-20]"."""
    lacking: dict[str, list[str]] = {}
    for view in standing.others:
        lacking.setdefault(_lack(view, wanted), []).append(view.name)
    parts = [f"{len(standing.holding)} of {len(standing.holding) + len(standing.others)} nodes"]
    return "; ".join([*parts, *(f"{lack}: {folded(names)}" for lack, names in sorted(lacking.items()))])


def _lack(view: NodeView, wanted: list[Condition]) -> str:
    """Return what a node has where the first condition that does not hold wants something else."""
    look = partial(getattr, view)
    first = next(one for one in wanted if not chooser([one])(look))
    return f"{first.field} {word(value_of(look, first.field))}"
