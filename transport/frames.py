"""Multipart messages to envelopes and back, without I/O.

    request   [b""]  castiron/1  id  body           the empty frame is the delimiter that REQ sockets add;
    reply     [b""]  castiron/1  id  kind  body     a reply has it if its request had it

Sizes and shapes are judged here, contents in the codec. PROTOCOL.md is the contract; this file is its reference.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from castiron.transport.errors import CastironError, FrameMalformed, FrameTooLarge, VersionUnsupported

HEADER: Final = b"castiron/1"
"""First in every message: ZeroMQ reconnects silently, so any message may be the first that a restarted peer sees."""

SPEAKS: Final = ("castiron/1",)
"""Protocol versions, the newest first."""

ACCEPTED: Final = b"accepted"
"""Kind of a reply that announces another: the request is on disk."""

PART: Final = b"part"
"""Kind of a reply that tells a part of what is asked, between `accepted` and `final`: any number of them."""

FINAL: Final = b"final"
"""Kind of the last reply; each message gets exactly one."""

MAX_ID_BYTES: Final = 64
"""Of a message's id: room for a uuid in any spelling, and for a trace id beside it."""

MAX_MESSAGE_BYTES: Final = 65_536
"""Of a request's body: the largest verb, node.list with 1,000 names of 60 letters, fits."""

MAX_REPLY_BYTES: Final = 67_108_864
"""Of a reply's body: 1,000 nodes (the longest page), each as large as the largest request could make it."""

REQUEST_FRAMES: Final = 3
REPLY_FRAMES: Final = 4

MAX_FRAMES: Final = 8
"""A receiver need not keep more frames of one message than this: it is malformed anyway."""


class Envelope(NamedTuple):
    """A request as it came off the wire, or why it cannot be read."""

    delimited: bool
    """It came from a REQ socket, and its replies need the empty frame."""
    id: bytes
    """Chosen by the client and echoed; empty where none could be read."""
    body: bytes
    error: CastironError | None = None
    """To be answered with; the body is empty then."""


class ReplyEnvelope(NamedTuple):
    """A reply as it came off the wire."""

    id: bytes
    kind: bytes
    body: bytes


def build_request(message_id: bytes, body: bytes) -> list[bytes]:
    """Return the frames of a request, for a DEALER socket (a REQ socket adds its delimiter itself)."""
    return [HEADER, message_id, body]


def parse_request(frames: Sequence[bytes]) -> Envelope:
    """Read what a client sent. Never raises: what cannot be read is an envelope with an error.

    Args:
        frames: those after the routing id; of a longer message at least MAX_FRAMES.
    """
    delimited = bool(frames) and frames[0] == b""
    parts = frames[1:] if delimited else frames
    message_id = parts[1] if len(parts) > 1 and 0 < len(parts[1]) <= MAX_ID_BYTES else b""
    error = _misshapen(parts, message_id)
    if error is not None:
        return Envelope(delimited, message_id, b"", error)
    return Envelope(delimited, message_id, parts[2])


def _misshapen(parts: Sequence[bytes], message_id: bytes) -> CastironError | None:
    header = parts[0] if parts else b""
    if header != HEADER:
        return _unheard_of(header)
    if len(parts) != REQUEST_FRAMES:
        return _malformed(f"{len(parts)} frames instead of {REQUEST_FRAMES}")
    if not message_id:
        return _malformed(f"an id of {len(parts[1])} bytes instead of 1 to {MAX_ID_BYTES}")
    size = len(parts[2])
    if size > MAX_MESSAGE_BYTES:
        return FrameTooLarge(
            f"The message has {size} bytes; the limit is {MAX_MESSAGE_BYTES}. Split it.",
            details={"limit_bytes": MAX_MESSAGE_BYTES, "size_bytes": size},
        )
    return None


def _unheard_of(header: bytes) -> CastironError:
    if header.startswith(b"castiron/"):
        return VersionUnsupported(
            f"This conductor speaks {', '.join(SPEAKS)}. Use a client that does.", details={"speaks": list(SPEAKS)}
        )
    return _malformed(f"no {HEADER.decode()} in its first frame")


def _malformed(reason: str) -> FrameMalformed:
    return FrameMalformed(f"The message has {reason}. PROTOCOL.md shows the frames.", details={"reason": reason})


def build_reply(envelope: Envelope, kind: bytes, body: bytes) -> list[bytes]:
    """Return the frames of a reply to `envelope`, to be sent after the peer's routing id."""
    head = [b"", HEADER] if envelope.delimited else [HEADER]
    return [*head, envelope.id, kind, body]


def parse_reply(frames: Sequence[bytes]) -> ReplyEnvelope:
    """Read what a conductor answered; a delimiter is skipped.

    Raises:
        FrameMalformed: these are not the frames of a reply.
    """
    parts = frames[1:] if frames and frames[0] == b"" else frames
    if len(parts) != REPLY_FRAMES or parts[0] != HEADER:
        reason = "not the frames of a reply"
        raise FrameMalformed(
            f"What answered sent {reason}. Is there a conductor at this endpoint?", details={"reason": reason}
        )
    return ReplyEnvelope(*parts[1:])
