"""What is asked about users. Source: IPMI v2.0, 22.26 to 22.30."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from castiron.testing.bmc import codes
from castiron.testing.bmc.codes import NetFn, Privilege
from castiron.testing.bmc.commands.ask import Ask, Command
from castiron.testing.bmc.contents.users import MAX_USERS

_ID: Final = 0x3F
_NAME_BYTES: Final = 16
_MAY_LOG_IN: Final = 0x10
_ENABLED, _DISABLED = 0x40, 0x80


def _set_access(ask: Ask) -> bytes:
    user = ask.device.users.get(ask.data[1] & _ID)
    level = ask.data[2] & 0x0F
    if user is None or level > Privilege.ADMINISTRATOR:
        return codes.INVALID_FIELD
    user.privilege = Privilege(level)
    return codes.OK


def _get_access(ask: Ask) -> bytes:
    number = ask.data[1] & _ID
    if not 1 <= number <= MAX_USERS:
        return codes.INVALID_FIELD
    users = ask.device.users
    user = users.get(number)
    enabled = _ENABLED if user is not None and user.is_enabled else _DISABLED
    access = 0x0F if user is None else user.privilege | _MAY_LOG_IN
    return codes.OK + bytes((MAX_USERS, users.count() | enabled, 0, access))


def _set_name(ask: Ask) -> bytes:
    return ask.device.users.set_name(ask.data[0] & _ID, ask.data[1:].rstrip(b"\0"))


def _get_name(ask: Ask) -> bytes:
    number = ask.data[0] & _ID
    if not 1 <= number <= MAX_USERS:
        return codes.INVALID_FIELD
    user = ask.device.users.get(number)
    return codes.OK + (b"" if user is None else user.name).ljust(_NAME_BYTES, b"\0")


def _set_password(ask: Ask) -> bytes:
    return ask.device.users.change(ask.data)


USERS: Final[Mapping[tuple[int, int], Command]] = MappingProxyType(
    {
        (NetFn.APP, 0x43): Command(_set_access, Privilege.ADMINISTRATOR, 3, 4),
        (NetFn.APP, 0x44): Command(_get_access, Privilege.OPERATOR, 2, 2),
        (NetFn.APP, 0x45): Command(_set_name, Privilege.ADMINISTRATOR, 17, 17),
        (NetFn.APP, 0x46): Command(_get_name, Privilege.OPERATOR, 1, 1),
        (NetFn.APP, 0x47): Command(_set_password, Privilege.ADMINISTRATOR, 2, 22),
    }
)
"""(network function, command) -> its row."""
