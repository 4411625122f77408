"""A client's verbs that move nodes: asking for it, what can be said while it goes on, and how steps tell their ends."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.delivery import Terms, on_terms
from castiron.transport.clients.requests import AsyncRequest, AsyncRequests
from castiron.transport.replies import NodeView, StepListed
from castiron.transport.verbs import (
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionSet,
    NodeProvisionUnhold,
    NodeStepDone,
    NodeStepList,
    NodeStepProgress,
    StepWish,
)
from castiron.transport.vocabulary import EngineMode, ProvisionTarget

AnyStep = StepWish | Mapping[str, Any] | str
"""A step as a Struct, a map with its fields, or only its name: "power_on", "management.check_bmc"."""


class AsyncProvision:
    """Moves nodes. Not to be made by hand: `client.provision` is one. Thread: that of its client."""

    def __init__(self, conversation: Conversation, requests: AsyncRequests, *, timeout_s: float) -> None:
        self._conversation = conversation
        self._requests = requests
        self._timeout_s = timeout_s

    async def set(
        self,
        node: str,
        target: ProvisionTarget | str,
        *,
        steps: Sequence[AnyStep] | None = None,
        runbook: str | None = None,
        engine_mode: EngineMode | str | None = None,
        timeout_s: float | None = None,
        **terms: Unpack[Terms],
    ) -> AsyncRequest:
        """Ask for a node to be moved; the request is on disk when this returns; see `Requests.submit`.

            client.provision.set("n1", "deploy", steps=["power_off", {"step": "wait", "args": {"seconds": 5}}])

        Args:
            node: name or uuid.
            target: "manage", "provide", "inspect", "adopt", "deploy", "undeploy", "rebuild", "clean", "rescue",
                "unrescue", "service".
            steps: what is to be done; None: what the driver does.
            runbook: name or uuid of a runbook whose steps are taken; instead of `steps`.
            engine_mode: "serial" or "parallel"; None: as the settings say.
            timeout_s: for the whole move, waits and holds included; then what can be taken back is, and it has failed.
            terms: how the request is to be treated.

        Raises:
            NodeStateInvalid: the node's state does not allow it; the error names what it does.
            StepInvalid: a step is unknown, or its arguments are wrong; the error says where.
            RunbookNotFound, RunbookTraitMissing: there is no such runbook, or the node has no trait for it.
        """
        verb = NodeProvisionSet(
            node=node,
            target=cast("ProvisionTarget", target),  # the codec checks words before they are sent
            steps=None if steps is None else [step_of(one) for one in steps],
            runbook=runbook,
            engine_mode=cast("EngineMode | None", engine_mode),
            timeout_s=timeout_s,
        )
        return await self._requests.submit(on_terms(verb, **terms))

    async def abort(self, node: str) -> NodeView:
        """End the work on a node: the running step is asked to stop, and what can be taken back is."""
        return await self._conversation.ask(NodeProvisionAbort(node=node), NodeView, self._timeout_s)

    async def hold(self, node: str) -> NodeView:
        """Have the work on a node stop before its next step. Idempotent."""
        return await self._conversation.ask(NodeProvisionHold(node=node), NodeView, self._timeout_s)

    async def unhold(self, node: str) -> NodeView:
        """Let the work on a node go on."""
        return await self._conversation.ask(NodeProvisionUnhold(node=node), NodeView, self._timeout_s)

    async def steps(self, node: str) -> StepListed:
        """Return where the steps stand that are worked through on a node, with the tokens of those that wait."""
        return await self._conversation.ask(NodeStepList(node=node), StepListed, self._timeout_s)

    async def step_done(
        self, node: str, token: str, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> NodeView:
        """Say how a step ended that you carry out.

        Args:
            node: name or uuid.
            token: what the step was given.
            result: what came of it.
            error: why it failed; None: it succeeded.

        Raises:
            StepTokenInvalid: the token is none of this node's.
            StepNotWaiting: the step has ended, or was answered.
        """
        verb = NodeStepDone(node=node, token=token, result=dict(result or {}), error=error)
        return await self._conversation.ask(verb, NodeView, self._timeout_s)

    async def step_progress(self, node: str, token: str, progress: Mapping[str, Any] | None = None) -> NodeView:
        """Give a sign of life for a step that you carry out: its time begins anew.

        Args:
            node: name or uuid.
            token: what the step was given.
            progress: what is to be told as an event; None: nothing.

        Raises:
            StepTokenInvalid, StepNotWaiting: as `step_done`.
        """
        verb = NodeStepProgress(node=node, token=token, progress=dict(progress or {}))
        return await self._conversation.ask(verb, NodeView, self._timeout_s)


def step_of(step: AnyStep) -> StepWish:
    """Return a step as the protocol has it."""
    if isinstance(step, StepWish):
        return step
    if isinstance(step, str):
        interface, _, name = step.rpartition(".")
        return StepWish(step=name, interface=interface or None)
    return cast("StepWish", dict(step))  # the codec checks it before it is sent, and says what is wrong where
