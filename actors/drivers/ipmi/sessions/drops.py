"""Why a datagram of a BMC was not its answer: for the counts, after it was dropped. Pure; nothing is decided by it.

Said once it is clear that it is dropped, so that what is taken costs nothing.
"""

import hmac
import struct
from enum import StrEnum
from typing import Any, Final


class Drop(StrEnum):
    """Reasons, each the name of a count."""

    SHORT = "dropped_short"
    """It ends before it should."""
    SESSION = "dropped_session"
    """It bears the id of another session, or of none."""
    FORGED = "dropped_forged"
    """It does not prove that it comes from the BMC."""
    SEQUENCE = "dropped_sequence"
    """Its session sequence number was taken before, or is older than one that was: repeated, or overtaken."""
    UNASKED = "dropped_unasked"
    """It answers nothing that is being asked: late, another request's, or of another step of a login."""
    UNREADABLE = "dropped_unreadable"
    """It proves that it comes from the BMC, and makes no sense."""


_V15_HEADER_BYTES: Final = 14
_V20_HEADER_BYTES: Final = 16
_TRAILER_BYTES: Final = 2
"""Behind the padding and before the proof: how much padding there is, and a constant (table 13-8)."""
_AUTHENTICATED: Final = 0x40
_PAYLOAD: Final = 0x3F
_LOGIN_STEPS: Final = range(0x10, 0x16)
"""Payload types of the messages that open a session (table 13-16)."""


def reason(datagram: bytes, session: Any, heard: int | None) -> Drop:
    """Return why a datagram was dropped.

    Args:
        datagram: at least the header of an answer.
        session: whose it is not: pyghmi's state of it; None where there is none.
        heard: the session's last sequence number before it came, if there was one.
    """
    if session is None:
        return Drop.UNASKED
    return _v20(datagram, session, heard) if datagram[4] == 0x06 else _v15(datagram, session)  # noqa: PLR2004 - RMCP+


def _v15(datagram: bytes, session: Any) -> Drop:
    """An answer to a probe, which nothing proves; or what looks like one."""
    if datagram[4] != 0 or session.sessioncontext is not None:
        return Drop.FORGED
    if len(datagram) < _V15_HEADER_BYTES + datagram[13] or not datagram[13]:
        return Drop.SHORT
    return Drop.SESSION if any(datagram[9:13]) else Drop.UNASKED


def _v20(datagram: bytes, session: Any, heard: int | None) -> Drop:
    length = struct.unpack_from("<H", datagram, 14)[0]
    if len(datagram) < _V20_HEADER_BYTES + length:
        return Drop.SHORT
    kind = datagram[5] & _PAYLOAD
    if kind in _LOGIN_STEPS:
        return _login_step(datagram, session)
    if kind or session.sessioncontext != "ESTABLISHED":
        return Drop.UNASKED
    return _message(datagram, length, session, heard)


def _message(datagram: bytes, length: int, session: Any, heard: int | None) -> Drop:
    """What looks like an answer in an open session."""
    if struct.unpack_from("<I", datagram, 6)[0] != session.localsid:
        return Drop.SESSION
    is_signed = bool(datagram[5] & _AUTHENTICATED)
    if is_signed and len(datagram) < _V20_HEADER_BYTES + length + _TRAILER_BYTES + session.currhashlen:
        return Drop.SHORT
    if not is_signed or not _is_proven(datagram, session):
        return Drop.FORGED
    sequence = struct.unpack_from("<I", datagram, 10)[0]
    return Drop.SEQUENCE if heard is not None and sequence <= heard else Drop.UNASKED


def _login_step(datagram: bytes, session: Any) -> Drop:
    """The console's session id stands in the message there, not in the header."""
    console_id = datagram[_V20_HEADER_BYTES + 4 : _V20_HEADER_BYTES + 8]
    return Drop.UNASKED if console_id in {b"", struct.pack("<I", session.localsid)} else Drop.SESSION


def _is_proven(datagram: bytes, session: Any) -> bool:
    if session.k1 is None:
        return False
    end = len(datagram) - session.currhashlen
    proof = hmac.digest(session.k1, datagram[4:end], session.currhashlib().name)[: session.currhashlen]
    return hmac.compare_digest(proof, datagram[end:])
