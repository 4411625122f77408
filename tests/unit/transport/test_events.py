"""What an event looks like on the wire, and whose it is."""

import contextlib
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.transport import codec, events
from castiron.transport.doors.publisher import MAX_SUBSCRIPTION_BYTES
from castiron.transport.errors import FrameMalformed
from castiron.transport.events import EventView, Heartbeat
from castiron.transport.frames import HEADER
from castiron.transport.vocabulary import EventType, PowerState
from tests.support.raw_peer import packed

NODE = "0f8fad5b-d9cb-469f-a165-70867728950e"
EVENT = EventView(seq=7, node_seq=2, type="node.power_set.end", at=1.5, node="n1", node_uuid=NODE)

plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()


def test_a_topic_says_which_node_and_which_type() -> None:
    assert events.topic_of(EVENT) == f"events/{NODE}/node.power_set.end".encode()
    assert events.topic_of(EventView(seq=1, type="x", at=0.0)) == b"events/-/x"


def test_the_topics_of_a_node_are_those_of_its_events_and_of_no_other_node() -> None:
    assert events.topic_of(EVENT).startswith(events.topics_of_node(NODE))
    assert not events.topic_of(EVENT).startswith(events.topics_of_node(NODE[:-1]))
    assert events.topic_of(EVENT).startswith(events.ALL)


def test_every_type_has_its_payload_and_a_topic_that_may_be_subscribed_to() -> None:
    assert set(events.PAYLOADS) == set(EventType)
    assert all(len(events.topics_of_node(NODE) + word.encode()) < MAX_SUBSCRIPTION_BYTES for word in EventType)
    assert events.ALL < events.HEARTBEAT


@given(
    st.builds(
        EventView,
        seq=st.integers(1, 2**63 - 1),
        node_seq=st.none() | st.integers(1, 2**63 - 1),
        type=st.sampled_from([word.value for word in EventType]),
        at=st.floats(0, 1e12),
        node=st.none() | st.text(),
        node_uuid=st.none() | st.just(NODE),
        request=st.none() | st.text(),
        payload=st.dictionaries(st.text(), plain | st.lists(plain) | st.dictionaries(st.text(), plain)),
    )
)
def test_an_event_survives_the_way(event: EventView) -> None:
    published = events.parse(events.build(events.topic_of(event), codec.encode_published(event)))

    assert not published.is_heartbeat
    assert codec.decode_event(published.body) == event


def test_a_heartbeat_survives_the_way() -> None:
    beat = Heartbeat(conductor="c", boot_id="b", seq=9)
    published = events.parse(events.build(events.HEARTBEAT, codec.encode_published(beat)))

    assert published.is_heartbeat
    assert codec.decode_heartbeat(published.body) == beat


def test_what_records_hold_is_published_as_plain_values() -> None:
    held = {"to": PowerState.ON, "sent": ("on",), "deep": {"map": MappingProxyType({"a": 1})}}
    body = codec.encode_published(EventView(seq=1, type="x", at=0.0, payload=held))

    assert codec.decode_event(body).payload == {"to": "power on", "sent": ["on"], "deep": {"map": {"a": 1}}}


def test_a_field_that_is_not_known_is_ignored() -> None:
    event = codec.decode_event(packed({"seq": 1, "type": "node.painted.end", "at": 0.0, "colour": "red"}))

    assert event == EventView(seq=1, type="node.painted.end", at=0.0)


@given(st.lists(st.binary(max_size=20) | st.just(HEADER), max_size=5))
def test_any_frames_are_of_the_stream_or_an_error(frames: list[bytes]) -> None:
    try:
        published = events.parse(frames)
    except FrameMalformed:
        assert len(frames) != 3 or frames[1] != HEADER
    else:
        assert [published.topic, HEADER, published.body] == frames


@given(st.binary(max_size=200) | st.dictionaries(st.text(), plain).map(packed))
def test_any_body_is_an_event_or_an_error_of_ours(body: bytes) -> None:
    for decode in (codec.decode_event, codec.decode_heartbeat):
        with contextlib.suppress(FrameMalformed):
            decode(body)


@pytest.mark.parametrize(
    ("patterns", "does"),
    [
        (["node.power_set.end"], True),
        (["node.power_set.*"], True),
        (["*.end"], True),
        (["*"], True),
        (["node.create.*", "*power*"], True),
        (["node.power_set"], False),
        (["node.power_set.start"], False),
        ([], False),
    ],
)
def test_patterns_pick_types(patterns: list[str], does: bool) -> None:
    assert events.matches(EVENT.type, patterns) is does
