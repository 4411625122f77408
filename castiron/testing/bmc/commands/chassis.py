"""What the machine is asked through its BMC. Source: IPMI v2.0, chapter 28."""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import Final

from castiron.testing.bmc import codes
from castiron.testing.bmc.chassis import IDENTIFY_S
from castiron.testing.bmc.codes import ChassisAction, NetFn, Privilege
from castiron.testing.bmc.commands.ask import Ask, Command


def _get_chassis_status(ask: Ask) -> bytes:
    return ask.device.chassis.status(ask.now, is_lie=ask.device.faults.wrong_power_count > 0 and ask.device.lies())


def _control_chassis(ask: Ask) -> bytes:
    action = ask.data[0] & 0x0F
    if action > max(ChassisAction):
        return codes.INVALID_FIELD
    acts_at = ask.device.faults.acts_at(ask.now)
    return ask.device.chassis.control(ChassisAction(action), ask.now, acts_at)


def _identify_chassis(ask: Ask) -> bytes:
    seconds, forced = (bytes((IDENTIFY_S, 0)) if not ask.data else ask.data + b"\x00")[:2]
    ask.device.chassis.identify(inf if forced & 1 else seconds, ask.now)
    return codes.OK


def _set_boot_options(ask: Ask) -> bytes:
    return ask.device.chassis.boot.set(ask.data[0], ask.data[1:], ask.now)


def _get_boot_options(ask: Ask) -> bytes:
    return ask.device.chassis.boot.get(ask.data[0] & 0x7F, ask.now)


CHASSIS: Final[Mapping[tuple[int, int], Command]] = MappingProxyType(
    {
        (NetFn.CHASSIS, 0x01): Command(_get_chassis_status, Privilege.USER),
        (NetFn.CHASSIS, 0x02): Command(_control_chassis, Privilege.OPERATOR, 1, 1),
        (NetFn.CHASSIS, 0x04): Command(_identify_chassis, Privilege.OPERATOR, 0, 2),
        (NetFn.CHASSIS, 0x08): Command(_set_boot_options, Privilege.OPERATOR, 1, 17),
        (NetFn.CHASSIS, 0x09): Command(_get_boot_options, Privilege.OPERATOR, 3, 3),
    }
)
"""(network function, command) -> its row."""
