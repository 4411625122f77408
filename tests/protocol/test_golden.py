"""The golden vectors of PROTOCOL.md: its bytes mean what it says, and castiron writes those bytes."""

import re

import pytest

from castiron.transport import codec, events, frames
from castiron.transport.errors import from_wire
from castiron.transport.frames import HEADER
from castiron.transport.replies import RESULTS
from tests.support.golden import Vector, vectors
from tests.support.raw_peer import RawPeer, packed, unpacked

VECTORS = vectors()
EVENTS = [one for one in VECTORS if one.parts[0] != HEADER]
REQUESTS = [one for one in VECTORS if one not in EVENTS and len(one.parts) == frames.REQUEST_FRAMES]
REPLIES = [one for one in VECTORS if len(one.parts) == frames.REPLY_FRAMES]
RESULT_OF = {b"2": "ping", b"3": "node.power.set", b"8": "request.cancel"}


def test_the_document_has_vectors_of_all_kinds() -> None:
    assert len(REQUESTS) >= 4
    assert len(REPLIES) >= 4
    assert len(EVENTS) >= 2
    assert len(REQUESTS) + len(REPLIES) + len(EVENTS) == len(VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one.title)
def test_the_bytes_mean_what_stands_beside_them(vector: Vector) -> None:
    words = dict(zip(vector.meanings, vector.frames, strict=True))

    assert vector.parts[1 if vector in EVENTS else 0] == HEADER
    assert unpacked(vector.frames[-1]) == vector.body
    assert packed(vector.body) == vector.frames[-1]
    for meaning, frame in list(words.items())[:-1]:
        quoted = re.search(r"`(.*)`", meaning)
        assert frame == (quoted[1].encode() if quoted else b"")


@pytest.mark.parametrize("vector", REQUESTS, ids=lambda one: one.title)
def test_castiron_reads_and_writes_the_requests(vector: Vector) -> None:
    envelope = frames.parse_request(vector.frames)
    verb = codec.decode_verb(envelope.body)

    assert envelope.error is None
    assert envelope.delimited == (vector.frames[0] == b"")
    assert frames.build_request(envelope.id, codec.encode_verb(verb)) == vector.parts


@pytest.mark.parametrize("vector", REPLIES, ids=lambda one: one.title)
def test_castiron_reads_and_writes_the_replies(vector: Vector) -> None:
    message_id, kind, body = frames.parse_reply(vector.frames)
    reply = codec.decode_reply(body, RESULTS[RESULT_OF.get(message_id, "ping")])
    envelope = frames.Envelope(vector.frames[0] == b"", message_id, b"")

    assert frames.build_reply(envelope, kind, codec.encode_reply(reply.outcome, reply.seq)) == vector.frames
    if "error" in vector.body:
        assert from_wire(vector.body["error"]).to_wire() == vector.body["error"]


@pytest.mark.parametrize("vector", EVENTS, ids=lambda one: one.title)
def test_castiron_reads_and_writes_the_events(vector: Vector) -> None:
    published = events.parse(vector.frames)
    decode = codec.decode_heartbeat if published.is_heartbeat else codec.decode_event
    body = decode(published.body)

    assert events.build(published.topic, codec.encode_published(body)) == vector.frames
    if isinstance(body, events.EventView):
        assert events.topic_of(body) == published.topic


def test_a_conductor_answers_the_golden_requests(house_peer: RawPeer) -> None:
    for vector in REQUESTS:
        house_peer.send(*vector.frames)
        reply = house_peer.receive()

        assert reply[0] == vector.frames[0]
        assert frames.parse_reply(reply).id == vector.parts[1]
