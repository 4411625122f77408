"""Datagrams outside sessions: the presence ping, and IPMI messages that need no login. Bytes in, values out; pure.

    ping         06 00 ff 06   00 00 11 be 80 TAG 00 00
    pong         06 00 ff 06   00 00 11 be 40 TAG 00 10   IANA (4) OEM (4) entities (1) interactions (1) reserved (6)
    message      06 00 ff 07   00, sequence (4) 0, session (4) 0, length (1), IPMI message

A parser answers None for what is not well formed, or does not answer what was asked.

Source: ASF v2.0, 3.2.4.2 and 3.2.4.3; IPMI v2.0, 13.2 to 13.8, 22.13 Get Channel Authentication Capabilities, 22.15
Get Channel Cipher Suites and table 22-18 (its records).
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from castiron.actors.drivers.ipmi.sessions.codes import APP

_PING: Final = Struct(">4sIBBBB")
_PONG: Final = Struct(">4sIBBxB4s4sB")
_ASF: Final = b"\x06\x00\xff\x06"
_IANA_ASF: Final = 4542
_KIND_PING: Final = 0x80
_KIND_PONG: Final = 0x40
_SPEAKS_IPMI: Final = 0x80
"""Bit of the supported entities."""

_RMCP_IPMI: Final = b"\x06\x00\xff\x07"
_HEAD_BYTES: Final = 14
_MIN_MESSAGE_BYTES: Final = 8
"""Addresses and network functions, two checksums, sequence, command, completion code."""
_BMC: Final = 0x20
_CONSOLE: Final = 0x81
_THIS_CHANNEL: Final = 0x0E

CAPABILITIES: Final = 0x38
CIPHER_SUITES: Final = 0x54

SUITES_A_PAGE: Final = 16
"""Bytes of suite records in an answer that is not the last."""

MAX_PAGES: Final = 64
"""The list index has six bits."""

_STANDARD, _OEM = 0xC0, 0xC1
_TAG: Final = 0xC0
"""Bits that tell the algorithms of a record from its start: both are set in a start alone."""


class Presence(NamedTuple):
    """What a pong says."""

    tag: int
    speaks_ipmi: bool


class Reply(NamedTuple):
    """What a BMC answered outside a session."""

    code: int
    data: bytes


class Capabilities(NamedTuple):
    """What a BMC says about logging in."""

    speaks_v20: bool
    takes_anonymous: bool
    """Somebody without a name may log in: a user without name is enabled."""
    takes_none: bool
    """IPMI 1.5 sessions need no password."""
    wants_k_g: bool
    """K_g is set: the password alone does not do."""


def ping(tag: int) -> bytes:
    """Return a presence ping. The pong will carry the tag, 0 to 254."""
    return _PING.pack(_ASF, _IANA_ASF, _KIND_PING, tag, 0, 0)


def read_pong(datagram: bytes) -> Presence | None:
    """Return what a presence pong says; None if the datagram is none."""
    if len(datagram) < _PONG.size:
        return None
    head, iana, kind, tag, _, _, _, entities = _PONG.unpack_from(datagram)
    if (head, iana, kind) != (_ASF, _IANA_ASF, _KIND_PONG):
        return None
    return Presence(tag, bool(entities & _SPEAKS_IPMI))


def ask_capabilities() -> bytes:
    """Return the request for what the BMC offers at the level of an administrator, IPMI 2.0's included."""
    return _message(CAPABILITIES, bytes((0x80 | _THIS_CHANNEL, 0x04)))


def ask_cipher_suites(page: int) -> bytes:
    """Return the request for a page of the list of cipher suites for IPMI."""
    return _message(CIPHER_SUITES, bytes((_THIS_CHANNEL, 0x00, 0x80 | page)))


def read_reply(datagram: bytes, command: int) -> Reply | None:
    """Return the answer to a command; None if the datagram is none."""
    if len(datagram) < _HEAD_BYTES or datagram[:4] != _RMCP_IPMI or datagram[4]:
        return None
    message = datagram[_HEAD_BYTES : _HEAD_BYTES + datagram[13]]
    if len(message) < _MIN_MESSAGE_BYTES or sum(message[:3]) & 0xFF or sum(message[3:]) & 0xFF:
        return None
    if message[1] >> 2 != APP | 1 or message[5] != command:
        return None
    return Reply(message[6], message[7:-1])


def read_capabilities(data: bytes) -> Capabilities | None:
    """Return what the data of an answer to Get Channel Authentication Capabilities says; None: too little."""
    if len(data) < 4:  # noqa: PLR2004 - channel, types, status, versions
        return None
    has_extension = bool(data[1] & 0x80)
    return Capabilities(
        speaks_v20=has_extension and bool(data[3] & 0x02),
        takes_anonymous=bool(data[2] & 0x03),
        takes_none=bool(data[1] & 0x01),
        wants_k_g=bool(data[2] & 0x20),
    )


def suite_ids(records: bytes) -> Iterator[int]:
    """Yield the numbers of the standard suites in a list of records; a vendor's own have no number of IPMI's."""
    position = 0
    while position < len(records) - 1:
        start = records[position]
        if start == _STANDARD:
            yield records[position + 1]
        position += {_STANDARD: 2, _OEM: 5}.get(start, 1)
        while position < len(records) and records[position] & _TAG != _TAG:
            position += 1


def _message(command: int, data: bytes) -> bytes:
    head = bytes((_BMC, APP << 2))
    rest = bytes((_CONSOLE, 0, command)) + data
    message = b"%b%c%b%c" % (head, _checksum(head), rest, _checksum(rest))
    return b"%b%b%c%b" % (_RMCP_IPMI, bytes(9), len(message), message)


def _checksum(data: bytes) -> int:
    return -sum(data) & 0xFF
