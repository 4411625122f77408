"""Answers that should not be believed, made from the answer that should: pure functions of bytes and keys.

Where a datagram carries no keys, before a session is open, the same fields are wrong, and nothing proves it.

    probe (IPMI 1.5)     sequence 5-8, session 9-12, message 14-
    message (RMCP+)      session 6-9, sequence 10-13, message 16-
    login step (RMCP+)   tag 16, the console's session id 20-23
"""

from random import Random
from typing import Final, NamedTuple

from castiron.testing.bmc.codes import Payload
from castiron.testing.bmc.faults import Forgery
from castiron.testing.bmc.wire.rmcp import AUTH_NONE, RMCP_IPMI, checksum, read_packet
from castiron.testing.bmc.wire.suite import BLOCK_BYTES, SEALED, Seal

LATE_S: Final = 120.0
"""How much later a late answer comes: after every console has given up, and its session is gone."""
MAX_GARBAGE_BYTES: Final = 120
"""About as long as true answers."""

_WRONG: Final = 0x5A
_WRONG_ID: Final = 0x5A5A_5A5A
_AUTH_TYPE: Final = 4
_PAYLOAD_TYPE: Final = 5
_REQUEST_NUMBER: Final = 4
_BODY: Final = 3
_SEQUENCES: Final = 0xFFFF_FFFF
_FAR: Final = 0x4000_0000


class _Layout(NamedTuple):
    """Where a datagram without keys has what is forged."""

    session: slice
    sequence: slice
    message_at: int | None


_PROBE: Final = _Layout(slice(9, 13), slice(5, 9), 14)
_MESSAGE: Final = _Layout(slice(6, 10), slice(10, 14), 16)
_LOGIN: Final = _Layout(slice(20, 24), slice(16, 17), None)


def forge(kind: Forgery, answer: bytes, seal: Seal | None, other_id: int, rng: Random) -> bytes:
    """Return what is sent instead of an answer.

    Args:
        kind: what is to be wrong with it; a late one is left as it is.
        answer: the datagram that should have been sent.
        seal: the keys of its session, if it is in one.
        other_id: another session's id, as its console knows it.
        rng: where it is cut, and how far off its number is.
    """
    match kind:
        case Forgery.LATE:
            return answer
        case Forgery.TRUNCATED:
            return answer[: rng.randrange(len(answer))]
        case Forgery.INTEGRITY:
            return answer[:-1] + bytes((answer[-1] ^ _WRONG,))
        case _ if seal is not None and answer[_PAYLOAD_TYPE] == SEALED:
            return _forge_sealed(kind, answer, seal, other_id, rng)
        case _:
            return _forge_plain(kind, answer)


def other_than(console_id: int) -> int:
    """Return a session id that is not this one, where a BMC has no other session."""
    return console_id ^ _WRONG_ID


def garbage(count: int, rng: Random) -> list[bytes]:
    """Return datagrams that mean nothing: in turn no RMCP, RMCP with nonsense in it, and what looks like a session."""
    heads = (b"", RMCP_IPMI, b"%b\x06%c" % (RMCP_IPMI, SEALED))
    return [heads[number % len(heads)] + rng.randbytes(rng.randrange(MAX_GARBAGE_BYTES)) for number in range(count)]


def _forge_sealed(kind: Forgery, answer: bytes, seal: Seal, other_id: int, rng: Random) -> bytes:
    packet = read_packet(answer)
    message = None if packet is None else seal.open(packet.payload)
    if packet is None or message is None:
        raise ValueError("the answer is not one of this session's")
    session_id, sequence = packet.session_id, packet.sequence
    if kind is Forgery.SESSION:
        session_id = other_id
    elif kind is Forgery.SEQUENCE:
        sequence = rng.choice((0, sequence + _FAR, sequence - _FAR)) & _SEQUENCES
    else:
        message = _renumbered(message)
    return seal.close(session_id, sequence, message, packet.payload[:BLOCK_BYTES])


def _forge_plain(kind: Forgery, answer: bytes) -> bytes:
    layout = _layout(answer)
    if kind is Forgery.REQUEST and layout.message_at is not None:
        return answer[: layout.message_at] + _renumbered(answer[layout.message_at :])
    span = layout.session if kind is Forgery.SESSION else layout.sequence
    return answer[: span.start] + bytes(byte ^ _WRONG for byte in answer[span]) + answer[span.stop :]


def _layout(answer: bytes) -> _Layout:
    if answer[_AUTH_TYPE] == AUTH_NONE:
        return _PROBE
    return _MESSAGE if answer[_PAYLOAD_TYPE] == Payload.IPMI else _LOGIN


def _renumbered(message: bytes) -> bytes:
    """Return an IPMI message with another request's number and a checksum that fits."""
    number = message[_REQUEST_NUMBER] ^ _WRONG & 0xFC  # the last two bits are a LUN
    body = message[_BODY:_REQUEST_NUMBER] + bytes((number,)) + message[_REQUEST_NUMBER + 1 : -1]
    return message[:_BODY] + body + bytes((checksum(body),))
