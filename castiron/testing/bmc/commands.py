"""The commands that a BMC knows: one row each, with what it takes to be allowed and how much data it has.

A handler gets only what its row lets through, so it need not check lengths; it returns completion code and data. What
is not in the table is answered 0xC1. Nothing here knows about datagrams.

Source: IPMI v2.0, chapters 20, 22 and 28.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from math import inf
from types import MappingProxyType
from typing import Final, NamedTuple

from castiron.testing.bmc import codes
from castiron.testing.bmc.chassis import IDENTIFY_S
from castiron.testing.bmc.codes import ChassisAction, NetFn, Privilege
from castiron.testing.bmc.device import Device
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session
from castiron.testing.bmc.wire.suite import SUITES

_LAN_CHANNEL: Final = 1
_PRESENT_CHANNEL: Final = 0x0E
_USER_ID: Final = 2  # 1 is the anonymous user of every BMC
_RMCP_PLUS: Final = 0x10
# Device 0x20 revision 1, firmware 1.00, IPMI 2.0, a chassis device, no manufacturer, product 1, no auxiliary revision.
_DEVICE_ID: Final = codes.OK + b"\x20\x01\x01\x00\x02\x80\x00\x00\x00\x01\x00\x00\x00\x00\x00"


class Ask(NamedTuple):
    """A request that its row has let through."""

    device: Device
    """The BMC that is asked."""
    session: Session
    """Who asks; outside any session, the one without privilege."""
    data: bytes
    """As many bytes as the row allows."""
    now: float
    """When."""


class Command(NamedTuple):
    """One row: who answers, whom, and how much data a request has."""

    handler: Callable[[Ask], bytes]
    privilege: Privilege
    least_bytes: int = 0
    most_bytes: int = 0


def execute(device: Device, session: Session, message: Message, now: float) -> bytes:
    """Return completion code and data for a request, and do what it asks."""
    if device.faults.refusal is not None and (refusal := device.refuses(message, session)) is not None:
        return refusal
    command = COMMANDS.get((message.netfn, message.command))
    if command is None:
        return codes.INVALID_COMMAND
    if session.privilege < command.privilege:
        return codes.PRIVILEGE_INSUFFICIENT
    if not command.least_bytes <= len(message.data) <= command.most_bytes:
        return codes.LENGTH_INVALID
    return command.handler(Ask(device, session, message.data, now))


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


def _get_device_id(_ask: Ask) -> bytes:
    return _DEVICE_ID


def _cold_reset(ask: Ask) -> bytes:
    ask.device.sessions.clear()
    return codes.OK


def _get_system_guid(ask: Ask) -> bytes:
    return codes.OK + ask.device.guid


def _get_auth_capabilities(ask: Ask) -> bytes:
    """Offer RMCP+ to those who can read the offer, and no IPMI 1.5 session to anybody (22.13)."""
    if not _is_this_channel(ask.data[0]):
        return codes.INVALID_FIELD
    knows_v20 = ask.data[0] & 0x80
    users = 0x04 | (0x20 if ask.device.settings.k_g else 0)  # named users only; whether K_g is set
    return codes.OK + bytes((_LAN_CHANNEL, knows_v20, users, 0x02 if knows_v20 else 0, 0, 0, 0, 0))


def _get_cipher_suites(ask: Ask) -> bytes:
    """List the suites as records, 16 bytes a page (22.15). Nobody asks for the other form, so it is refused."""
    channel, _payload_type, selector = ask.data
    if not _is_this_channel(channel) or not selector & 0x80:
        return codes.INVALID_FIELD
    records = b"".join(
        bytes((0xC0, number, suite.authentication, suite.integrity | 0x40, suite.confidentiality | 0x80))
        for number, suite in SUITES.items()
        if number in ask.device.settings.cipher_suites
    )
    page = (selector & 0x3F) * 16
    return codes.OK + bytes((_LAN_CHANNEL,)) + records[page : page + 16]


def _set_privilege(ask: Ask) -> bytes:
    level = ask.data[0] & 0x0F
    if level > Privilege.ADMINISTRATOR:
        return codes.LEVEL_UNAVAILABLE
    if level > ask.session.limit:
        return codes.LEVEL_EXCEEDS_LIMIT
    if level:
        ask.session.privilege = Privilege(level)
    return codes.OK + bytes((ask.session.privilege,))


def _close_session(ask: Ask) -> bytes:
    """Close the session named; another one than one's own only as an administrator (22.19)."""
    named = ask.device.sessions.find(int.from_bytes(ask.data[:4], "little"), ask.now)
    if named is None:
        return codes.SESSION_UNKNOWN
    if named is not ask.session and ask.session.privilege < Privilege.ADMINISTRATOR:
        return codes.PRIVILEGE_INSUFFICIENT
    ask.device.sessions.drop(named)
    return codes.OK


def _get_session_info(ask: Ask) -> bytes:
    """Tell about the n-th active session, or about the asking one if n is 0 (22.20)."""
    sessions = ask.device.sessions
    active = sessions.established(ask.now)
    position = ask.data[0] or active.index(ask.session) + 1
    if position > len(active):
        return codes.OK + bytes((0, sessions.slots, len(active)))
    shown = active[position - 1]
    host, port = shown.source
    facts = bytes((position, sessions.slots, len(active), _USER_ID, shown.privilege, _RMCP_PLUS | _LAN_CHANNEL))
    return codes.OK + facts + IPv4Address(host).packed + bytes(6) + port.to_bytes(2, "little")


def _is_this_channel(channel: int) -> bool:
    return channel & 0x0F in {_LAN_CHANNEL, _PRESENT_CHANNEL}


COMMANDS: Final[Mapping[tuple[int, int], Command]] = MappingProxyType(
    {
        (NetFn.CHASSIS, 0x01): Command(_get_chassis_status, Privilege.USER),
        (NetFn.CHASSIS, 0x02): Command(_control_chassis, Privilege.OPERATOR, 1, 1),
        (NetFn.CHASSIS, 0x04): Command(_identify_chassis, Privilege.OPERATOR, 0, 2),
        (NetFn.CHASSIS, 0x08): Command(_set_boot_options, Privilege.OPERATOR, 1, 17),
        (NetFn.CHASSIS, 0x09): Command(_get_boot_options, Privilege.OPERATOR, 3, 3),
        (NetFn.APP, 0x01): Command(_get_device_id, Privilege.USER),
        (NetFn.APP, 0x02): Command(_cold_reset, Privilege.ADMINISTRATOR),
        (NetFn.APP, 0x37): Command(_get_system_guid, Privilege.NONE),
        (NetFn.APP, 0x38): Command(_get_auth_capabilities, Privilege.NONE, 2, 2),
        (NetFn.APP, 0x3B): Command(_set_privilege, Privilege.CALLBACK, 1, 1),
        (NetFn.APP, 0x3C): Command(_close_session, Privilege.CALLBACK, 4, 5),
        (NetFn.APP, 0x3D): Command(_get_session_info, Privilege.USER, 1, 5),
        (NetFn.APP, 0x54): Command(_get_cipher_suites, Privilege.NONE, 3, 3),
    }
)
"""(network function, command) -> its row."""
