"""The steps of a move as a node's record has them: the same plan once more, what they came to, and what is lacking.

May come in: what else of a list can be read there. Must not: how a request is lived through again (`replay`).
"""

from collections.abc import Mapping
from typing import Any, Final

from castiron.actors.core.machines.actions import PROVISION_SET
from castiron.actors.core.provision.catalogue import OWN
from castiron.actors.core.provision.planning import plan
from castiron.actors.core.provision.steps import Plan
from castiron.transport.errors import CastironError
from castiron.transport.verbs import NodeProvisionSet, from_arguments
from castiron.transport.vocabulary import StepState

UNRECORDED: Final = frozenset({"hold", "management.change_bmc_password"})
"""Steps of which a record does not have what is needed: when somebody let it go on, and passwords."""


def planned(request: Mapping[str, Any], step_timeout_s: float) -> Plan:
    """Return what castiron would work through for a recorded request, if it has steps.

    Raises:
        CastironError: it would not: a step is a plug-in's.
    """
    if request["verb"] != PROVISION_SET:
        return {}
    verb = from_arguments(request["verb"], {**request["arguments"], "node": request["node"]})
    assert isinstance(verb, NodeProvisionSet)  # noqa: S101 - by its tag
    return plan(verb, OWN, step_timeout_s)


def results_of(request: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return what each step came to that has succeeded, by its name."""
    return {one["name"]: one["result"] or {} for one in request["steps"] if one["state"] == StepState.SUCCESS}


def why_steps_are_lacking(request: Mapping[str, Any]) -> str | None:
    """Return why the steps of a request cannot be lived through; None: they can, or it has none."""
    if request["verb"] != PROVISION_SET:
        return None
    try:
        steps = [step for kind in planned(request, 1.0).values() for step in kind]
    except (CastironError, TypeError, ValueError):
        return "its steps are not all castiron's own, or it was given secrets"
    names = {step["name"] for step in steps}
    if not {one["name"] for one in request["steps"]} <= names:
        return "its steps are not those that it would have now"
    if names & UNRECORDED or any(step["step"] == "wait" and "seconds" not in step.get("args", {}) for step in steps):
        return "somebody else ended a step, or was told a secret"
    return None
