"""Which machine carries out which verb, and within which limits.

The one place that maps requests to actions. May come in: a new verb's row. Must not: what its machine does.
"""

from typing import Any, Final, assert_never

from castiron.actors.core.machines.boot import BootAction
from castiron.actors.core.machines.legs import LEGS, WANTED
from castiron.actors.core.machines.power import PowerAction, PowerPlace
from castiron.actors.core.machines.turn import Limits
from castiron.actors.core.state import Action
from castiron.actors.drivers.base import BootSetting
from castiron.actors.settings import Settings
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.verbs import (
    AnyNodeRequest,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodePowerSet,
    NodeProvisionSet,
    from_arguments,
    tag_of,
)
from castiron.transport.vocabulary import ANNOUNCED, BootDevice, PowerState

POWER_SET: Final = tag_of(NodePowerSet)
PROVISION_SET: Final = tag_of(NodeProvisionSet)
"""Its machine is a list of steps: see core.provision."""
BOOT_DEVICE_SET: Final = tag_of(NodeBootDeviceSet)


EVENTS: Final = ANNOUNCED
"""Events of a verb. Verbs that change nothing have none."""


def action_for(request: RequestRecord, node: NodeRecord, settings: Settings) -> Action:
    """Make the machine of a request, not yet begun.

    Raises:
        msgspec.ValidationError: the stored arguments are not understood by this version.
    """
    verb = verb_of(request)
    limits = _limits(verb, node, settings)
    match verb:
        case NodePowerSet(target=target, hard_fallback=hard_fallback):
            return PowerAction(target=target, hard_fallback=hard_fallback, limits=limits, place=PowerPlace())
        case NodeBootDeviceSet(boot_device=device, persistent=persistent, uefi=uefi):
            setting = BootSetting(BootDevice(device), persistent=persistent, uefi=uefi)
            return BootAction(setting=setting, limits=limits)
        case NodeBootDeviceGet():
            return BootAction(setting=None, limits=limits)
        case NodeProvisionSet():  # pragma: no cover - whoever drives a request has looked at its verb
            raise AssertionError("a list of steps, not one action")
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(verb)


def verb_of(request: RequestRecord) -> AnyNodeRequest:
    """Rebuild the verb of a stored request."""
    return from_arguments(request.verb, {**request.arguments, "node": request.node_name})


def target_power_state(request: RequestRecord) -> PowerState | None:
    """Return the power state that a request leads to, None if it leads to none."""
    verb = verb_of(request)
    return WANTED[LEGS[verb.target][-1]] if isinstance(verb, NodePowerSet) else None


def about(request: RequestRecord, node: NodeRecord) -> dict[str, Any]:
    """Return what all events of a request tell, in the words of Ironic's notifications where it has them.

    Made from stored words alone, so that it can be told even of a request that this version does not understand.

    Args:
        node: while the request is under way.
    """
    who = {"requester": request.requester}
    if request.verb == POWER_SET:
        return {**who, "to_power": node.target_power_state, "power_state": node.power_state}
    return {**who, **{key: request.arguments.get(key) for key in ("boot_device", "persistent", "uefi")}}


def _limits(verb: AnyNodeRequest, node: NodeRecord, settings: Settings) -> Limits:
    """The request's time-out goes before the node's, and that before the conductor's."""
    change_s = node.power_state_change_timeout_s or settings.power_state_change_timeout_s
    soft_off_s = node.soft_power_off_timeout_s or settings.soft_power_off_timeout_s
    return Limits(
        change_s=verb.timeout_s or change_s,
        soft_off_s=verb.timeout_s or soft_off_s,
        poll_initial_s=settings.power_poll_initial_s,
        poll_max_s=settings.power_poll_max_s,
        settle_s=settings.unknown_outcome_settle_s,
    )
