"""`castiron node deploy` and its like: nodes are asked to move to another provision state."""

from collections.abc import Callable
from typing import Final, cast

import click

from castiron.cli.bulk import dry_run_option
from castiron.cli.nodes.pacing import Pace, paced
from castiron.cli.nodes.selection import bulk_selection
from castiron.cli.options import Command, shared
from castiron.cli.orders import Selected, carry_out
from castiron.cli.provision.wishes import steps_options, wanted
from castiron.cli.terms import terms_options
from castiron.transport.clients.delivery import Terms, on_terms
from castiron.transport.replies import RequestView
from castiron.transport.verbs import BulkCancel, BulkRun, NodeProvisionSet
from castiron.transport.vocabulary import EngineMode, ProvisionTarget, StepState

_HELP: Final = {
    ProvisionTarget.MANAGE: "Take nodes under management: from enroll, their BMCs are asked whether they answer first.",
    ProvisionTarget.PROVIDE: "Offer nodes for use: they are cleaned, and are available then.",
    ProvisionTarget.INSPECT: "Read what nodes are from their machines.",
    ProvisionTarget.ADOPT: "Take nodes over that are in use already; nothing of them is changed.",
    ProvisionTarget.DEPLOY: "Put available nodes to use: they are active then.",
    ProvisionTarget.UNDEPLOY: "Take nodes back from their use; they are cleaned, and are available then.",
    ProvisionTarget.REBUILD: "Deploy nodes anew that are in use, or failed to be.",
    ProvisionTarget.CLEAN: "Clean manageable nodes by hand, with the steps that you name.",
    ProvisionTarget.RESCUE: "Let the owner of a node in use get in who cannot any more.",
    ProvisionTarget.UNRESCUE: "Have nodes boot their own systems again after a rescue.",
    ProvisionTarget.SERVICE: "Change something of nodes in use, which they stay.",
}


def _command(target: ProvisionTarget) -> click.Command:
    @click.command(target.value, cls=Command, verbs=(NodeProvisionSet, BulkRun, BulkCancel), help=_HELP[target])
    @bulk_selection
    @steps_options
    @click.option(
        "--runbook",
        metavar="RUNBOOK",
        help="Take the steps of this runbook, by name or uuid; the nodes need its name, or one of its traits, among "
        "theirs.",
    )
    @click.option(
        "--engine-mode",
        type=click.Choice([mode.value for mode in EngineMode]),
        help="The steps of one node one after the other, or side by side where their `after` lets them. [default: the "
        "conductor's]",
    )
    @click.option(
        "--move-timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long each node may take for all of it, waits and holds included; then what can be taken back is, and "
        "it has failed. [default: as long as its steps]",
    )
    @dry_run_option
    @click.option("--wait", is_flag=True, help="Wait until it is done, or has failed, and show how it goes.")
    @terms_options
    @paced(changes=True)
    def command(
        range_: str | None,
        where: tuple[str, ...],
        *,
        typed: tuple[str, ...],
        path: str | None,
        runbook: str | None,
        engine_mode: str | None,
        move_timeout: float | None,
        wait: bool,
        dry_run: bool,
        terms: Terms,
        pace: Pace,
    ) -> None:
        steps = wanted(typed, path)
        if steps is not None and runbook is not None:
            raise click.UsageError("Name a runbook, or steps, not both.")
        request = NodeProvisionSet(
            node="",
            target=target,
            steps=steps,
            runbook=runbook,
            engine_mode=cast("EngineMode | None", engine_mode),  # click has checked the word
            timeout_s=move_timeout,
            dry_run=dry_run,
        )
        carry_out(
            on_terms(request, **terms), Selected(range_, where), _told(target), wait=wait, pace=pace, given=shared()
        )

    return command


def _told(target: ProvisionTarget) -> Callable[[RequestView], str]:
    def told(view: RequestView) -> str:
        done = sum(step.state is StepState.SUCCESS for step in view.steps)
        return f"{target} done" + (f", {done} step{'s' if done != 1 else ''}" if done else "")

    return told


MOVES: Final = tuple(_command(target) for target in ProvisionTarget)
"""The commands, in the order of the protocol's words."""
