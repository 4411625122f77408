"""`castiron node power`: ask machines for a power state, and look at the one on record."""

import time
from typing import Final

import click

from castiron.cli.bulk import conclude, dry_run_option, send
from castiron.cli.nodes.selection import choose, selection
from castiron.cli.options import Command, Group, shared
from castiron.cli.orders import carry_out
from castiron.cli.output.render import age, power_word
from castiron.cli.reach import connect
from castiron.cli.terms import terms_options
from castiron.transport.clients.delivery import Terms
from castiron.transport.replies import NodeView, RequestView
from castiron.transport.verbs import NodePowerSet, NodeShow
from castiron.transport.vocabulary import PowerTarget

_TARGETS: Final = (
    ("on", PowerTarget.ON, "Power machines on; nothing is sent to one that is on."),
    ("off", PowerTarget.OFF, "Cut machines' power; nothing is sent to one that is off."),
    ("reboot", PowerTarget.REBOOT, "Power machines off, then on, each confirmed. One that is off is powered on."),
    ("soft-off", PowerTarget.SOFT_OFF, "Ask operating systems to shut down, and wait until the power is off."),
    ("soft-reboot", PowerTarget.SOFT_REBOOT, "Soft power off, confirmed, then on, confirmed."),
)
"""Word here, word on the wire, help. The words on the wire are understood here, too."""

OLD_S: Final = 60.0
"""Two checks of a machine fit in; the age of a younger state would only keep equal lines from being folded."""

_SOFT: Final = {PowerTarget.SOFT_OFF, PowerTarget.SOFT_REBOOT}


class _PowerGroup(Group):
    """Understands the field's spellings, as 'power on' and 'rebooting'."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command by its word here or on the wire."""
        words = {target.value: word for word, target, _ in _TARGETS}
        return super().get_command(ctx, words.get(cmd_name, cmd_name))


@click.group(cls=_PowerGroup)
def power() -> None:
    """Change or look at the power of machines. RANGE is a node's name or uuid, or a host range: n[1-20], n1,n2."""


def _add(word: str, target: PowerTarget, text: str) -> None:
    @power.command(word, cls=Command, verbs=(NodePowerSet,), help=text)
    @selection
    @dry_run_option
    @click.option("--wait", is_flag=True, help="Wait until it is done, or has failed, and show how it goes.")
    @click.option(
        "--power-timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long each power state may take to be reached. [default: the node's, else the conductor's]",
    )
    @click.option(
        "--hard-fallback",
        is_flag=True,
        hidden=target not in _SOFT,
        help="Cut the power if the operating system does not shut down in time.",
    )
    @terms_options
    def _command(
        range_: str | None,
        where: tuple[str, ...],
        *,
        wait: bool,
        power_timeout: float | None,
        hard_fallback: bool,
        dry_run: bool,
        terms: Terms,
    ) -> None:
        if hard_fallback and target not in _SOFT:
            raise click.UsageError("--hard-fallback is for soft-off and soft-reboot.")
        given = shared()
        verbs = [
            (
                one.name,
                NodePowerSet(
                    node=one.ref,
                    target=target,
                    timeout_s=power_timeout,
                    hard_fallback=hard_fallback,
                    dry_run=dry_run,
                ),
            )
            for one in choose(range_, where, given)
        ]
        carry_out(verbs, _reached, terms=terms, wait=wait, given=given)


for _word, _target, _help in _TARGETS:
    _add(_word, _target, _help)


def _reached(view: RequestView) -> str:
    return power_word((view.result or {}).get("power_state"))


@power.command("status", cls=Command, verbs=(NodeShow,))
@selection
def _status(range_: str | None, where: tuple[str, ...]) -> None:
    """Show the power state on record, and how old it is if it is older than a minute. No BMC is asked."""
    given = shared()
    nodes = choose(range_, where, given)
    with connect(given) as client:
        outcomes = send(client, [(one.name, NodeShow(node=one.ref)) for one in nodes])
    conclude(outcomes, _on_record, given)


def _on_record(view: NodeView) -> str:
    now = time.time()
    is_old = view.power_state_at is not None and now - view.power_state_at >= OLD_S
    target = "" if view.target_power_state is None else f", going to {view.target_power_state}"
    return f"{power_word(view.power_state)}{target}" + (f" (seen {age(view.power_state_at, now)})" if is_old else "")
