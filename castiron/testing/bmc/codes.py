"""The numbers of IPMI v2.0 that a BMC says or hears, spelled once.

Only numbers live here, each with the word that the specification has for it; nothing that decides. A completion code is
kept as the byte that goes on the wire, because every answer starts with one.
"""

from enum import IntEnum
from typing import Final

OK: Final = b"\x00"
"""Command completed normally."""
PARAMETER_UNSUPPORTED: Final = b"\x80"
"""Boot options only: there is no such parameter."""
SET_IN_PROGRESS: Final = b"\x81"
"""Boot options only: somebody else has announced a change and not finished it."""
LEVEL_UNAVAILABLE: Final = b"\x80"
"""Set Session Privilege Level only: this user never has that level."""
LEVEL_EXCEEDS_LIMIT: Final = b"\x81"
"""Set Session Privilege Level only: more than the session was opened for."""
SESSION_UNKNOWN: Final = b"\x87"
"""Close Session only: there is no such session."""
PASSWORD_DIFFERS: Final = b"\x80"
"""Set User Password only: the password tested is another one."""
PASSWORD_SIZE: Final = b"\x81"
"""Set User Password only: the password is kept in the other of the two forms."""
ERASING: Final = b"\x81"
"""Get SEL Info only: not now, the log is being erased."""
BUSY: Final = b"\xc0"
"""Not now: the BMC has too much to do."""
INVALID_COMMAND: Final = b"\xc1"
"""The BMC does not have this command."""
RESERVATION_LOST: Final = b"\xc5"
"""The reservation is not, or no longer, the asker's."""
LENGTH_INVALID: Final = b"\xc7"
"""Too many or too few data bytes."""
OUT_OF_RANGE: Final = b"\xc9"
"""A parameter has a value that this BMC cannot take."""
TOO_MUCH: Final = b"\xca"
"""That many bytes do not fit into an answer."""
NOT_PRESENT: Final = b"\xcb"
"""There is no such sensor, data or record."""
INVALID_FIELD: Final = b"\xcc"
"""A field of the request makes no sense."""
PRIVILEGE_INSUFFICIENT: Final = b"\xd4"
"""The session, or the lack of one, does not allow this command."""
STATE_FORBIDS: Final = b"\xd5"
"""Not in the state that the machine is in."""


class NetFn(IntEnum):
    """Network functions: which family a command belongs to. A response has the next odd number."""

    CHASSIS = 0x00
    """Power, boot, identify."""
    SENSOR = 0x04
    """Sensors and events."""
    APP = 0x06
    """The BMC itself: identity, sessions, channels, users."""
    STORAGE = 0x0A
    """Inventory, sensor records, event log."""


class Privilege(IntEnum):
    """What a session may do (6.8)."""

    NONE = 0
    """Needs no session."""
    CALLBACK = 1
    """May end its session, and little else."""
    USER = 2
    """May read."""
    OPERATOR = 3
    """May change the machine, not the BMC."""
    ADMINISTRATOR = 4
    """May do everything."""


class Payload(IntEnum):
    """Payload types of RMCP+ (table 13-16)."""

    IPMI = 0x00
    """An IPMI message."""
    OPEN_SESSION_REQUEST = 0x10
    """Which algorithms the console wants."""
    OPEN_SESSION_RESPONSE = 0x11
    """Which it gets, or why not."""
    RAKP_1 = 0x12
    """Who the console is, and its random number."""
    RAKP_2 = 0x13
    """The BMC's random number, and proof that it knows the password."""
    RAKP_3 = 0x14
    """Proof that the console knows it."""
    RAKP_4 = 0x15
    """Proof that both have the same session key."""


class Status(IntEnum):
    """RMCP+ status codes (table 13-15)."""

    OK = 0x00
    """No errors."""
    NO_RESOURCES = 0x01
    """Insufficient resources to create a session."""
    INVALID_SESSION_ID = 0x02
    """There is no such session, or it is past this step."""
    INVALID_AUTHENTICATION = 0x04
    """No such authentication algorithm."""
    INVALID_INTEGRITY = 0x05
    """No such integrity algorithm."""
    UNAUTHORIZED_ROLE = 0x0A
    """The user may not have the privilege level asked for."""
    INVALID_NAME_LENGTH = 0x0C
    """A user name has at most 16 bytes."""
    UNAUTHORIZED_NAME = 0x0D
    """There is no such user."""
    INVALID_INTEGRITY_CHECK = 0x0F
    """Wrong password, as a BMC says it."""
    INVALID_CONFIDENTIALITY = 0x10
    """No such confidentiality algorithm."""
    NO_SUITE_MATCH = 0x11
    """Each algorithm exists; this BMC does not offer them together."""
    ILLEGAL_PARAMETER = 0x12
    """Illegal or unrecognized parameter."""


class ChassisAction(IntEnum):
    """What Chassis Control can ask (28.3)."""

    POWER_DOWN = 0
    """Off at once."""
    POWER_UP = 1
    """On."""
    POWER_CYCLE = 2
    """Off, then on after an interval."""
    HARD_RESET = 3
    """Reset without losing power."""
    DIAGNOSTIC_INTERRUPT = 4
    """NMI to the operating system."""
    SOFT_SHUTDOWN = 5
    """ACPI shutdown: the operating system turns the power off when it is ready."""
