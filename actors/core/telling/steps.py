"""What is told of steps: in events, in results, in views. Secrets are masked here. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from castiron.actors.core.machines.actions import PROVISION_SET
from castiron.actors.core.provision.courses import KINDS
from castiron.actors.core.provision.run import Progress, Run
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.replies import StepView
from castiron.transport.vocabulary import ProvisionState, StepState

_TOLD: Final = frozenset(StepView.__struct_fields__)


def about(request: RequestRecord, run: Run, place: int, node: NodeRecord) -> dict[str, Any]:
    """Return what all events of a step tell."""
    one = run.steps[place]
    return {
        "requester": request.requester,
        "provision_state": node.provision_state,
        "power_state": node.power_state,
        "interface": one.step.interface,
        "step": one.step.step,
        "name": one.step.name,
        "position": place + 1,
        "count": len(run.steps),
        "attempt": one.attempts,
        **({} if request.runbook is None else {"runbook": request.runbook}),
    }


def summaries(run: Run) -> list[dict[str, Any]]:
    """Return where each step stands, for whoever asks how it went."""
    return [_summary(one) for one in run.steps]


def steps_of(request: RequestRecord) -> list[StepView]:
    """Return all that a request works through: what is on record of it, and then what is planned."""
    if request.verb != PROVISION_SET:
        return []
    details: Mapping[str, Any] = (request.error or {}).get("details") or {}
    ended = [*(request.result or {}).get("steps", ()), *details.get("steps", ())]
    run = [_summary(Progress.from_map(one)) for one in request.progress.get("steps", ())]
    return [*map(_view, (*ended, *run)), *_planned(request.progress)]


def _view(summary: Mapping[str, Any]) -> StepView:
    told: dict[str, Any] = {key: value for key, value in summary.items() if key in _TOLD and key != "state"}
    return StepView(state=StepState(summary["state"]), **told)


def _planned(progress: Mapping[str, Any]) -> list[StepView]:
    """Return the steps of the lists that have not begun."""
    plan: Mapping[str, Any] = progress.get("plan", {})
    kinds = list(plan)
    if "stage" in progress:
        kinds = kinds[kinds.index(KINDS[ProvisionState(progress["stage"])].value) + 1 :]
    return [StepView(name=step["name"], state=StepState.PENDING) for kind in kinds for step in plan[kind]]


def masked(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a step's result as it may be told."""
    return None if result is None else dict(result)


def _summary(one: Progress) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.step.name, "state": one.state.value, "attempts": one.attempts}
    for key in ("started_at", "ended_at", "result", "error"):
        value = getattr(one, key)
        if value is not None:
            told[key] = value
    return told
