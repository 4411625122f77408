"""How the nodes of a small conductor in memory move: by the table of states, and at once, unless a step waits.

A list whose last step is `wait` without seconds begins, and goes on when somebody says how that step ended, with the
token that `token_of` gives. No other step does anything.
"""

import time
from typing import Any, Final

from msgspec import convert
from msgspec.structs import replace

from castiron.actors.core.provision.catalogue import POWERING_OFF, RESERVED
from castiron.actors.core.provision.courses import EVENTS_OF, finish_of
from castiron.actors.core.provision.states import TARGETS, WORKING, after
from castiron.transport import errors, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.replies import ListedStep, NodeView, RequestView, StepListed, StepView
from castiron.transport.vocabulary import (
    EventType,
    ProvisionEvent,
    ProvisionState,
    ProvisionTarget,
    RequestState,
    StepState,
)
from tests.support.memory_runbooks import MemoryRunbooks

PROVISION: Final = verbs.tag_of(verbs.NodeProvisionSet)
KNOWN: Final = frozenset({"power_on", "power_off", "reboot", "wait", "hold", "check_bmc", "set_boot_device"})


class MemoryMoves(MemoryRunbooks):
    """Moves nodes. Whoever calls holds the conductor's lock."""

    def token_of(self, name: str) -> str:
        """Return the token of the step that waits at a node, or waited there last."""
        return next(f"token-of-{one}" for one in reversed(self.requests) if self.requests[one].node == name)

    def direct(self, verb: verbs.AnyProvisionOrder, who: PeerInfo, answer: Answer) -> None:
        node = self._reachable(verb.node)
        self._check_actor(node)
        self._check_guards(node, verbs.tag_of(verb), who)
        request = self._working(node)
        if request is None:
            raise self._misplaced(node, verbs.tag_of(verb).rpartition(".")[2])
        self._check_store()
        if isinstance(verb, verbs.NodeProvisionAbort):
            error = errors.RequestAborted("It was aborted.", details={"request": request.id})
            self._end_with(replace(request, aborted_by=who.who), RequestState.FAILED, error)
        elif isinstance(verb, verbs.NodeProvisionUnhold) and request.step != "held":
            raise self._misplaced(node, "unhold")
        else:
            step = "held" if isinstance(verb, verbs.NodeProvisionHold) else "waiting"
            self.requests[request.id] = replace(request, step=step)
        answer.final(self.nodes[node.uuid], self.events.seq)

    def take_in(self, verb: verbs.NodeStepDone | verbs.NodeStepProgress, answer: Answer) -> None:
        node = self._reachable(verb.node)
        self._check_actor(node)
        request = self.requests.get(verb.token.removeprefix("token-of-"))
        if request is None or request.node_uuid != node.uuid:
            raise errors.StepTokenInvalid("No token of this node.", details={"node": node.name})
        if request.state is not RequestState.RUNNING:
            raise errors.StepNotWaiting("It has ended.", details={"node": node.name, "step": "wait"})
        self._check_store()
        if isinstance(verb, verbs.NodeStepProgress):
            self.events.happen(EventType.STEP_PROGRESS, node, request.id, progress=verb.progress)
        elif verb.error is not None:
            self._end_with(request, RequestState.FAILED, errors.StepFailed(verb.error, details={"step": "wait"}))
        else:
            self._end(request)
        answer.final(self.nodes[node.uuid], self.events.seq)

    def list_steps(self, verb: verbs.NodeStepList, answer: Answer) -> None:
        """Tell of the step that waits, if one does."""
        request = self._working(self._reachable(verb.node))
        waits = () if request is None else (request.id,)
        steps = [ListedStep(name="wait", state=StepState.WAITING, attempts=1, token=f"token-of-{one}") for one in waits]
        listed = StepListed(request=None if request is None else request.id, steps=steps)
        answer.final(listed, self.events.seq)

    def _judged(self, verb: verbs.AnyNodeRequest, node: NodeView, who: PeerInfo) -> RequestView:
        if not isinstance(verb, verbs.NodeProvisionSet):
            return super()._judged(verb, node, who)
        verb, runbook = self._expanded(verb, node)
        for place, wish in enumerate(verb.steps or ()):
            if wish.step not in KNOWN:
                details = {"path": f"$.steps[{place}]", "interface": wish.interface, "step": wish.step}
                raise errors.StepInvalid("There is no such step.", details=details)
            if node.disable_power_off and (RESERVED, wish.step) in POWERING_OFF:
                raise errors.PowerOffDisabled("It stays on.", details={"node": node.name, "step": wish.step})
        if node.maintenance and not verb.hold:
            raise errors.NodeInMaintenance("Set aside.", details={"node": node.name})
        if not self.line(node.uuid) and after(node.provision_state, EVENTS_OF[verb.target]) is None:
            raise self._misplaced(node, verb.target)
        if verb.steps and verb.steps[-1].step == "wait" and "seconds" not in verb.steps[-1].args:
            self.slow.add(node.name)
        request = replace(super()._judged(verb, node, who), runbook=runbook)
        self.requests[request.id] = request
        return request

    def _enqueue(
        self, verb: verbs.AnyNodeRequest, node: NodeView, who: PeerInfo, depends_on: str | None
    ) -> RequestView:
        request = super()._enqueue(verb, node, who, depends_on)
        if isinstance(verb, verbs.NodeProvisionSet) and request.state is RequestState.RUNNING:
            self._move(request, EVENTS_OF[verb.target], EventType.PROVISION_SET_START)
            self._move(request, ProvisionEvent.WAIT, EventType.PROVISION_SET_SUCCESS)
        return request

    def _worked(self, node: NodeView, request: RequestView) -> dict[str, Any]:
        if request.verb != PROVISION:
            return super()._worked(node, request)
        target = ProvisionTarget(request.arguments["target"])
        if request.state is RequestState.RUNNING:
            self._move(request, ProvisionEvent.RESUME, EventType.PROVISION_SET_SUCCESS)
        else:
            self._move(request, EVENTS_OF[target], EventType.PROVISION_SET_START)
        while (stage := self.nodes[node.uuid].provision_state) in WORKING:
            self._move(request, finish_of(stage, target, is_retired=node.retired), EventType.PROVISION_SET_END)
        return {"steps": [{"name": one.name, "state": one.state.value} for one in _steps(request)]}

    def _end_with(self, request: RequestView, state: RequestState, error: errors.CastironError) -> None:
        if request.verb == PROVISION and request.state is RequestState.RUNNING:
            self.slow.discard(request.node)
            event = ProvisionEvent.FAIL if request.aborted_by is None else ProvisionEvent.ABORT
            self._move(request, event, EventType.PROVISION_SET_ERROR)
        super()._end_with(request, state, error)

    def _tell_end(self, ended: RequestView) -> None:
        super()._tell_end(replace(ended, steps=_steps(ended)) if ended.started_at is not None else ended)

    def _working(self, node: NodeView) -> RequestView | None:
        running = (one for one in self.line(node.uuid) if one.state is RequestState.RUNNING)
        return next((one for one in running if one.verb == PROVISION), None)

    def _move(self, request: RequestView, event: ProvisionEvent, told_as: EventType) -> None:
        node = self.nodes[request.node_uuid]
        to = after(node.provision_state, event)
        if to is None:
            return
        changed = replace(
            node,
            provision_state=to,
            target_provision_state=TARGETS.get(to),
            updated_at=time.time(),
            revision=node.revision + 1,
        )
        self.nodes[node.uuid] = changed
        self.events.happen(
            told_as,
            changed,
            request.id,
            requester=request.requester,
            event=event.value,
            previous_provision_state=node.provision_state.value,
            provision_state=to.value,
        )

    def _misplaced(self, node: NodeView, target: str) -> errors.NodeStateInvalid:
        at: ProvisionState = node.provision_state
        accepts = [one.value for one, event in EVENTS_OF.items() if after(at, event) is not None]
        details = {"node": node.name, "provision_state": at.value, "target": target, "accepts": accepts}
        return errors.NodeStateInvalid(f"It is {at}.", details=details)


def _steps(request: RequestView) -> list[StepView]:
    """Return the steps of a request: all succeeded, but for the last one of a request that failed."""
    wishes = convert(request.arguments.get("steps") or [], list[verbs.StepWish])
    steps = [StepView(name=one.step, state=StepState.SUCCESS, attempts=1) for one in wishes]
    if steps and request.error is not None:
        steps[-1] = replace(steps[-1], state=StepState.FAILURE, error=request.error)
    return steps
