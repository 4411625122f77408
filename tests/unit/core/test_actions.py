"""Which machine carries out which verb, and within which limits."""

from typing import Any

import pytest

from castiron.actors.core.machines.actions import (
    EVENTS,
    PROVISION_SET,
    about,
    action_for,
    target_power_state,
)
from castiron.actors.core.machines.boot import BootAction
from castiron.actors.core.machines.legs import LEGS, WANTED
from castiron.actors.core.machines.power import PowerAction
from castiron.actors.drivers.base import BootSetting
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.transport.verbs import VERBS, NodeRequest
from castiron.transport.vocabulary import Announced, BootDevice, EventType, PowerState, PowerTarget
from tests.support.store_records import plain_node, plain_request

SETTINGS = Settings()


def power_request(target: PowerTarget = PowerTarget.ON, **arguments: Any) -> RequestRecord:
    return plain_request(verb="node.power.set", arguments={"node": "n1", "target": target.value, **arguments})


def boot_request(**arguments: Any) -> RequestRecord:
    return plain_request(verb="node.boot_device.set", arguments={"node": "n1", "boot_device": "pxe", **arguments})


READ_BOOT = plain_request(verb="node.boot_device.get", arguments={"node": "n1"})


def test_a_power_request_becomes_a_power_action() -> None:
    action = action_for(power_request(PowerTarget.SOFT_OFF, hard_fallback=True), plain_node(), SETTINGS)

    assert isinstance(action, PowerAction)
    assert (action.target, action.hard_fallback) == (PowerTarget.SOFT_OFF, True)


def test_a_boot_device_request_becomes_a_boot_action() -> None:
    action = action_for(boot_request(persistent=True), plain_node(), SETTINGS)

    assert isinstance(action, BootAction)
    assert action.setting == BootSetting(BootDevice.PXE, persistent=True)


def test_a_reading_sets_nothing() -> None:
    action = action_for(READ_BOOT, plain_node(), SETTINGS)

    assert isinstance(action, BootAction)
    assert action.setting is None


@pytest.mark.parametrize(
    ("asked_s", "nodes_s", "change_s", "soft_off_s"),
    [
        (None, None, 60.0, 600.0),
        (None, (7.0, 70.0), 7.0, 70.0),
        (5.0, (7.0, 70.0), 5.0, 5.0),
        (5.0, None, 5.0, 5.0),
    ],
)
def test_the_requests_time_goes_before_the_nodes_and_that_before_the_conductors(
    asked_s: float | None, nodes_s: tuple[float, float] | None, change_s: float, soft_off_s: float
) -> None:
    change, soft_off = nodes_s or (None, None)
    node = plain_node(power_state_change_timeout_s=change, soft_power_off_timeout_s=soft_off)

    limits = action_for(power_request(timeout_s=asked_s), node, SETTINGS).limits

    assert (limits.change_s, limits.soft_off_s) == (change_s, soft_off_s)
    assert (limits.poll_initial_s, limits.poll_max_s, limits.settle_s) == (0.1, 2.0, 5.0)


@pytest.mark.parametrize("target", PowerTarget)
def test_a_power_request_leads_to_its_last_legs_state(target: PowerTarget) -> None:
    assert target_power_state(power_request(target)) is WANTED[LEGS[target][-1]]


def test_a_boot_device_request_leads_to_no_power_state() -> None:
    assert target_power_state(boot_request()) is None


def test_exactly_the_verbs_that_change_something_are_announced() -> None:
    changing = {tag for tag, verb in VERBS.items() if issubclass(verb, NodeRequest) and not tag.endswith(".get")}

    assert set(EVENTS) | {PROVISION_SET} == changing  # a move has events of its own: see core.provision.moving
    assert EVENTS["node.power.set"] == Announced(
        EventType.POWER_SET_START, EventType.POWER_SET_END, EventType.POWER_SET_ERROR
    )
    for events in EVENTS.values():
        assert [event.value.rsplit(".", 1)[1] for event in events] == ["start", "end", "error"]


def test_events_tell_where_the_power_goes_in_ironics_word() -> None:
    node = plain_node(target_power_state=PowerState.ON, power_state=PowerState.OFF)

    told = about(power_request(), node)

    assert told == {"requester": "ipc", "to_power": PowerState.ON, "power_state": PowerState.OFF}


def test_events_tell_which_boot_device_is_set() -> None:
    told = about(boot_request(persistent=True, uefi=False), plain_node())

    assert told == {"requester": "ipc", "boot_device": "pxe", "persistent": True, "uefi": False}
