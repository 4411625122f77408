"""Frames to envelopes and back."""

import pytest

from castiron.transport import frames
from castiron.transport.errors import FrameMalformed, FrameTooLarge, VersionUnsupported
from castiron.transport.frames import FINAL, HEADER, MAX_ID_BYTES, MAX_MESSAGE_BYTES, Envelope


@pytest.mark.parametrize("delimiter", [[], [b""]])
def test_a_request_is_read_and_its_delimiter_remembered(delimiter: list[bytes]) -> None:
    envelope = frames.parse_request([*delimiter, *frames.build_request(b"id", b"body")])

    assert envelope == Envelope(bool(delimiter), b"id", b"body", None)
    assert frames.build_reply(envelope, FINAL, b"x") == [*delimiter, HEADER, b"id", FINAL, b"x"]


@pytest.mark.parametrize(
    ("parts", "message_id", "error"),
    [
        ([], b"", FrameMalformed),
        ([b""], b"", FrameMalformed),
        ([HEADER], b"", FrameMalformed),
        ([HEADER, b"i"], b"i", FrameMalformed),
        ([HEADER, b"", b"b"], b"", FrameMalformed),
        ([HEADER, b"i" * (MAX_ID_BYTES + 1), b"b"], b"", FrameMalformed),
        ([HEADER, b"i", b"b", b"c"], b"i", FrameMalformed),
        ([b"castiron/1x", b"i", b"b"], b"i", VersionUnsupported),
        ([b"castiron", b"i", b"b"], b"i", FrameMalformed),
        ([HEADER, b"i", b"b" * (MAX_MESSAGE_BYTES + 1)], b"i", FrameTooLarge),
    ],
)
def test_what_cannot_be_read_is_an_envelope_with_the_reason(
    parts: list[bytes], message_id: bytes, error: type[Exception]
) -> None:
    envelope = frames.parse_request(parts)

    assert isinstance(envelope.error, error)
    assert (envelope.id, envelope.body) == (message_id, b"")


def test_the_largest_message_and_the_longest_id_pass() -> None:
    envelope = frames.parse_request([HEADER, b"i" * MAX_ID_BYTES, b"b" * MAX_MESSAGE_BYTES])

    assert envelope.error is None


@pytest.mark.parametrize("delimiter", [[], [b""]])
def test_a_reply_is_read(delimiter: list[bytes]) -> None:
    assert frames.parse_reply([*delimiter, HEADER, b"i", FINAL, b"b"]) == (b"i", FINAL, b"b")


@pytest.mark.parametrize(
    "parts", [[], [b""], [HEADER], [b"MDPC02", b"i", FINAL, b"b"], [HEADER, b"i", FINAL, b"b", b"c"]]
)
def test_what_is_no_reply_is_told(parts: list[bytes]) -> None:
    with pytest.raises(FrameMalformed, match="Is there a conductor"):
        frames.parse_reply(parts)
