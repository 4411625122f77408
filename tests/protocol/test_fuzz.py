"""Whatever bytes come in, only castiron's own errors come out."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.transport import codec, frames, verbs
from castiron.transport.errors import ArgumentInvalid, CastironError, from_wire
from castiron.transport.frames import HEADER
from castiron.transport.replies import RESULTS
from castiron.transport.shapes import fields_of
from castiron.transport.vocabulary import PowerTarget
from tests.support.raw_peer import packed

T = TypeVar("T")

FEW = settings(max_examples=200, deadline=None)

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=4),
)
words = st.sampled_from([*verbs.VERBS, "nonsense"])
names = st.sampled_from(sorted({field.name for verb in verbs.VERBS.values() for field in fields_of(verb)}))


def message(tag: object, fields: dict[str, Any]) -> dict[str, Any]:
    return {"verb": tag, **fields}


messages = st.builds(message, words | values, st.dictionaries(names | st.text(), values, max_size=5))


def attempt(read: Callable[[], T]) -> T | CastironError:
    """Return what was read, or castiron's own error; anything else is the failure that is looked for."""
    try:
        return read()
    except CastironError as error:
        return error


def decoded(body: bytes) -> verbs.AnyVerb | None:
    outcome = attempt(lambda: codec.decode_verb(body))
    if not isinstance(outcome, CastironError):
        return outcome
    assert outcome.code in {one.code for one in verbs.COMMON_ERRORS}
    assert from_wire(outcome.to_wire()).to_wire() == outcome.to_wire()
    assert codec.encode_reply(outcome, 0)
    return None


@FEW
@given(st.binary(max_size=400))
def test_any_bytes_are_a_verb_or_an_error(body: bytes) -> None:
    decoded(body)


@FEW
@given(messages)
def test_any_map_is_a_verb_or_an_error_and_a_verb_survives_the_way(fields: dict[str, Any]) -> None:
    verb = decoded(packed(fields))

    if verb is not None:
        assert codec.decode_verb(codec.encode_verb(verb)) == verb


@FEW
@given(st.sampled_from([*verbs.VERBS]), st.binary(max_size=300), st.data())
def test_any_damage_to_a_message_is_a_verb_or_an_error(tag: str, noise: bytes, data: st.DataObject) -> None:
    body = bytearray(packed({"verb": tag, "node": "n1", "timeout_s": 5.0}))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + len(noise) // 2] = noise

    decoded(bytes(body))


@FEW
@given(st.lists(st.binary(max_size=80) | st.sampled_from([b"", HEADER, b"castiron/2", b"1"]), max_size=9))
def test_any_frames_are_an_envelope_whose_answer_can_be_read(parts: list[bytes]) -> None:
    envelope = frames.parse_request(parts)
    body = codec.encode_reply(envelope.error or CastironError("any"), 0)
    reply = frames.parse_reply(frames.build_reply(envelope, frames.FINAL, body))

    assert reply.id == envelope.id
    bare = parts[1:] if parts[:1] == [b""] else parts
    assert (envelope.error is None) == (len(bare) == 3 and bare[0] == HEADER and 0 < len(bare[1]) <= 64)


@FEW
@given(st.lists(st.binary(max_size=20), max_size=6))
def test_any_frames_are_a_reply_or_an_error(parts: list[bytes]) -> None:
    outcome = attempt(lambda: frames.parse_reply(parts))

    assert isinstance(outcome, CastironError) or outcome.id in parts


@FEW
@given(st.sampled_from(sorted(RESULTS)), st.binary(max_size=300) | messages.map(packed) | values.map(packed))
def test_any_bytes_are_an_answer_or_an_error(tag: str, body: bytes) -> None:
    outcome = attempt(lambda: codec.decode_reply(body, RESULTS[tag]))

    assert not isinstance(outcome, CastironError) or outcome.code == "frame.malformed"


errorish = st.fixed_dictionaries(
    {},
    optional={
        "code": values | st.just("node.locked"),
        "retry": values,
        "source": values,
        "message": values,
        "details": values,
        "retry_after_s": values,
        "applied": values,
        "error_id": values,
    },
)


@FEW
@given(errorish)
def test_any_failure_of_another_conductor_can_be_rebuilt(body: dict[str, Any]) -> None:
    error = from_wire(body)

    assert isinstance(error.message, str)
    assert error.retry_after_s is None or isinstance(error.retry_after_s, float)
    assert from_wire(error.to_wire()).code == error.code


@FEW
@given(
    st.builds(
        verbs.NodePowerSet,
        node=st.text(min_size=1, max_size=255),
        target=st.sampled_from(PowerTarget),
        timeout_s=st.none() | st.floats(0, verbs.MAX_TIMEOUT_S, exclude_min=True),
    )
)
def test_a_verb_that_fits_survives_the_way_there(verb: verbs.NodePowerSet) -> None:
    assert codec.decode_verb(codec.encode_verb(verb)) == verb


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_found_at_any_depth(number: float) -> None:
    body = packed({"verb": "node.create", "name": "n", "extra": {"a": [{"b": number}]}})

    with pytest.raises(ArgumentInvalid) as caught:
        codec.decode_verb(body)

    assert caught.value.details == {"path": "$.extra.a[0].b"}
