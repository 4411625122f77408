"""What is told of steps: in events, in results, in views. Secrets are masked here. Pure."""

from collections.abc import Mapping
from typing import Any

from castiron.actors.core.provision.run import Progress, Run
from castiron.store.records import NodeRecord, RequestRecord


def about(request: RequestRecord, run: Run, place: int, node: NodeRecord) -> dict[str, Any]:
    """Return what all events of a step tell."""
    one = run.steps[place]
    return {
        "requester": request.requester,
        "provision_state": node.provision_state,
        "interface": one.step.interface,
        "step": one.step.step,
        "name": one.step.name,
        "position": place + 1,
        "count": len(run.steps),
        "attempt": one.attempts,
    }


def summaries(run: Run) -> list[dict[str, Any]]:
    """Return where each step stands, for whoever asks how it went."""
    return [_summary(one) for one in run.steps]


def masked(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a step's result as it may be told."""
    return None if result is None else dict(result)


def _summary(one: Progress) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.step.name, "state": one.state.value, "attempts": one.attempts}
    if one.started_at is not None and one.ended_at is not None:
        told["elapsed_s"] = round(one.ended_at - one.started_at, 6)
    for key in ("result", "error"):
        value = getattr(one, key)
        if value is not None:
            told[key] = dict(value)
    return told
