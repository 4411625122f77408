"""What the BMC itself is asked: identity, restart, sessions. Source: IPMI v2.0, chapters 20 and 22."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Final

from castiron.testing.bmc import codes
from castiron.testing.bmc.codes import NetFn, Privilege
from castiron.testing.bmc.commands.ask import Ask, Command
from castiron.testing.bmc.wire.suite import SUITES

_LAN_CHANNEL: Final = 1
_PRESENT_CHANNEL: Final = 0x0E
_RMCP_PLUS: Final = 0x10
# Device 0x20 revision 1, firmware 1.00, IPMI 2.0; a chassis device with inventory, event log, sensor records and
# sensors; no manufacturer, product 1, no auxiliary revision.
_DEVICE_ID: Final = codes.OK + b"\x20\x01\x01\x00\x02\x8f\x00\x00\x00\x01\x00\x00\x00\x00\x00"


def _get_device_id(_ask: Ask) -> bytes:
    return _DEVICE_ID


def _reset(ask: Ask) -> bytes:
    ask.device.restart(ask.now + ask.device.reset_s)
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
    user = ask.device.users.id_of(shown.username)
    facts = bytes((position, sessions.slots, len(active), user, shown.privilege, _RMCP_PLUS | _LAN_CHANNEL))
    return codes.OK + facts + IPv4Address(host).packed + bytes(6) + port.to_bytes(2, "little")


def _is_this_channel(channel: int) -> bool:
    return channel & 0x0F in {_LAN_CHANNEL, _PRESENT_CHANNEL}


CONTROLLER: Final[Mapping[tuple[int, int], Command]] = MappingProxyType(
    {
        (NetFn.APP, 0x01): Command(_get_device_id, Privilege.USER),
        (NetFn.APP, 0x02): Command(_reset, Privilege.ADMINISTRATOR),
        (NetFn.APP, 0x03): Command(_reset, Privilege.ADMINISTRATOR),
        (NetFn.APP, 0x37): Command(_get_system_guid, Privilege.NONE),
        (NetFn.APP, 0x38): Command(_get_auth_capabilities, Privilege.NONE, 2, 2),
        (NetFn.APP, 0x3B): Command(_set_privilege, Privilege.CALLBACK, 1, 1),
        (NetFn.APP, 0x3C): Command(_close_session, Privilege.CALLBACK, 4, 5),
        (NetFn.APP, 0x3D): Command(_get_session_info, Privilege.USER, 1, 5),
        (NetFn.APP, 0x54): Command(_get_cipher_suites, Privilege.NONE, 3, 3),
    }
)
"""(network function, command) -> its row."""
