"""What metal3 counts, made of what is counted here: its errors, its power changes, its operations.

Pure. Must not come in: what only we count.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from castiron.actors.metrics.prometheus.metric import Read, Sample
from castiron.actors.metrics.sketch import merged
from castiron.actors.metrics.vitals import Vitals
from castiron.transport.vocabulary import EventType, PowerTarget, ProvisionState, ProvisionTarget, RequestState

_ERRORS: Final[Mapping[ProvisionState, str]] = {
    ProvisionState.INSPECT_FAILED: "inspection error",
    ProvisionState.CLEAN_FAILED: "preparation error",
    ProvisionState.DEPLOY_FAILED: "provisioning error",
    ProvisionState.ERROR: "provisioning error",
    ProvisionState.ADOPT_FAILED: "provisioned registration error",
    ProvisionState.SERVICE_FAILED: "servicing error",
}
"""Provision states of nodes that something failed on → what metal3 calls the error."""


def host_errors(vitals: Vitals) -> Iterable[Sample]:
    """Return how often something failed on a node for good, in metal3's words."""
    counts = dict.fromkeys(("registration error", *_ERRORS.values(), "power management error"), 0)
    for (before, after), count in vitals.census.changes().items():
        if after in _ERRORS:
            counts[_ERRORS[after]] += count
        elif (before, after) == (ProvisionState.VERIFYING, ProvisionState.ENROLL):
            counts["registration error"] += count
    counts["power management error"] = vitals.events.get(EventType.NODE_FAULT_SET, 0)
    return [((error,), count) for error, count in counts.items()]


_SWITCHES: Final[Mapping[str, tuple[str, ...]]] = {
    PowerTarget.ON.value: ("on",),
    PowerTarget.OFF.value: ("off",),
    PowerTarget.SOFT_OFF.value: ("off",),
    PowerTarget.REBOOT.value: ("off", "on"),
    PowerTarget.SOFT_REBOOT.value: ("off", "on"),
}
"""Targets of power actions → which ways they switch a machine."""


def power_changes(vitals: Vitals) -> Iterable[Sample]:
    """Return how often power actions have switched machines on, and off."""
    counts = {"on": 0, "off": 0}
    for (kind, state), count in vitals.endings.states().items():
        if state is RequestState.SUCCEEDED and kind.verb == "node.power.set":
            for way in _SWITCHES.get(kind.target, ()):
                counts[way] += count
    return [((way,), count) for way, count in counts.items()]


def moves(*targets: ProvisionTarget) -> Read:
    """Return a reader of how long requests for some provision targets took."""
    words = {target.value for target in targets}
    return lambda vitals: [
        (
            (),
            merged(
                sketch
                for kind, sketch in vitals.endings.times().items()
                if kind.verb == "node.provision.set" and kind.target in words
            ),
        )
    ]
