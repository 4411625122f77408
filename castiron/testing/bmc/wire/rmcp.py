"""How IPMI looks on the wire, outside sessions: RMCP, ASF presence, IPMI 1.5 and RMCP+ headers, IPMI messages.

Bytes in, values out, and back; no state, no keys. A parser answers None for what is not well formed: a BMC is silent
about such datagrams.

    RMCP header (4)  06 00 ff 07
      IPMI 1.5   auth type (1) = 0, sequence (4), session (4), length (1), message
      RMCP+      auth type (1) = 6, payload type (1), session (4), sequence (4), length (2), payload [, trailer]
    message      responder, netfn/LUN, checksum, requester, sequence/LUN, command, data, checksum

Source: IPMI v2.0, 13.6 to 13.8; ASF v2.0, 3.2.4.
"""

from struct import Struct
from typing import Final, NamedTuple

from castiron.testing.bmc.codes import Payload

RMCP_IPMI: Final = b"\x06\x00\xff\x07"
"""RMCP version 1.0, no acknowledgement wanted, class IPMI."""
AUTH_NONE: Final = 0
"""Auth type of an IPMI 1.5 datagram outside a session."""
AUTH_RMCP_PLUS: Final = 6
"""Auth type that says: an RMCP+ header follows."""
BMC_ADDRESS: Final = 0x20
"""The BMC's own address on the bus, as every message to it carries it."""

_PING: Final = Struct(">BBBBIBBBB")
_ASF_CLASS: Final = 0x06
_ASF_IANA: Final = 4542
_ASF_PING: Final = 0x80
_PONG_HEAD: Final = b"\x06\x00\xff\x06\x00\x00\x11\xbe\x40"
# Its own IANA number again (no OEM), no OEM data, IPMI and ASF 1.0, no interactions.
_PONG_BODY: Final = b"\x00\x10\x00\x00\x11\xbe\x00\x00\x00\x00\x81\x00\x00\x00\x00\x00\x00\x00"

_V15_SIZE: Final = 14
_V15_HEAD: Final = RMCP_IPMI + bytes(9)
_V20: Final = Struct("<BBIIH")
V20_SIZE: Final = 16
"""Bytes before the payload of an RMCP+ datagram."""
_MESSAGE_MIN_BYTES: Final = 7


class Message(NamedTuple):
    """An IPMI request."""

    netfn: int
    """Network function, even for requests."""
    command: int
    """Command number."""
    data: bytes
    """What follows the command."""
    requester: bytes
    """The two bytes that the response is addressed to: requester, sequence and LUN."""
    lun: int
    """The responder's logical unit."""


class Packet(NamedTuple):
    """An RMCP+ datagram's header and payload, not yet verified."""

    payload_type: int
    """As on the wire: bit 7 encrypted, bit 6 authenticated, then the type."""
    session_id: int
    """The receiver's id of the session; 0 outside one."""
    sequence: int
    """Session sequence number; 0 outside a session."""
    payload: bytes
    """As long as the header says."""


def read_ping(datagram: bytes) -> int | None:
    """Return the tag of an ASF presence ping; None if the datagram is none."""
    if len(datagram) < _PING.size:
        return None
    version, _, _, message_class, iana, kind, tag, _, _ = _PING.unpack_from(datagram)
    is_ping = (version, message_class, iana, kind) == (6, _ASF_CLASS, _ASF_IANA, _ASF_PING)
    return int(tag) if is_ping else None


def build_pong(tag: int) -> bytes:
    """Return the presence pong that answers a ping with this tag."""
    return b"%b%c%b" % (_PONG_HEAD, tag, _PONG_BODY)


def read_sessionless(datagram: bytes) -> bytes | None:
    """Return the message of an IPMI 1.5 datagram outside any session."""
    if len(datagram) < _V15_SIZE or any(datagram[4:13]):
        return None
    end = _V15_SIZE + datagram[13]
    return datagram[_V15_SIZE:end] if end <= len(datagram) else None


def build_sessionless(message: bytes) -> bytes:
    """Return the IPMI 1.5 datagram that carries a message outside any session."""
    return b"%b%c%b" % (_V15_HEAD, len(message), message)


def read_packet(datagram: bytes) -> Packet | None:
    """Return the parts of an RMCP+ datagram."""
    if len(datagram) < V20_SIZE:
        return None
    _, payload_type, session_id, sequence, length = _V20.unpack_from(datagram, 4)
    end = V20_SIZE + length
    if end > len(datagram):
        return None
    return Packet(payload_type, session_id, sequence, datagram[V20_SIZE:end])


def build_packet(payload_type: int, session_id: int, sequence: int, payload: bytes) -> bytes:
    """Return an RMCP+ datagram, complete outside sessions; inside one its trailer is still to follow."""
    return RMCP_IPMI + _V20.pack(AUTH_RMCP_PLUS, payload_type, session_id, sequence, len(payload)) + payload


def build_unauthenticated(payload_type: Payload, payload: bytes) -> bytes:
    """Return the RMCP+ datagram that carries a payload outside any session."""
    return build_packet(payload_type, 0, 0, payload)


def checksum(data: bytes) -> int:
    """Return the byte that makes the sum of `data` and itself 0, modulo 256."""
    return -sum(data) & 0xFF


def read_message(payload: bytes) -> Message | None:
    """Return the request in a payload, its two checksums verified."""
    if len(payload) < _MESSAGE_MIN_BYTES or payload[0] != BMC_ADDRESS:
        return None
    if sum(payload[:3]) & 0xFF or sum(payload[3:]) & 0xFF:
        return None
    netfn_lun = payload[1]
    if netfn_lun & 0x04:  # odd: a response, and nobody asked
        return None
    return Message(netfn_lun >> 2, payload[5], payload[6:-1], payload[3:5], netfn_lun & 0x03)


def build_response(request: Message, body: bytes) -> bytes:
    """Return the response to a request; `body` is completion code and data."""
    requester, sequence_lun = request.requester
    head = bytes((requester, (request.netfn | 1) << 2 | sequence_lun & 0x03))
    rest = bytes((BMC_ADDRESS, sequence_lun & 0xFC | request.lun, request.command)) + body
    return b"%b%c%b%c" % (head, checksum(head), rest, checksum(rest))
