"""Bodies: what passes, what does not, and what is said about it."""

from typing import Any

import pytest
from msgspec import UNSET

from castiron.transport import codec
from castiron.transport.codec import MAX_DEPTH, MAX_INT, MIN_INT, Reply
from castiron.transport.errors import (
    ArgumentInvalid,
    CastironError,
    FrameMalformed,
    FrameTooLarge,
    NodeLocked,
    VerbUnknown,
)
from castiron.transport.replies import NodeDeleted, Pong
from castiron.transport.verbs import Hello, NodeCreate, NodeList, NodeSet, NodeShow, Ping
from tests.support.raw_peer import packed, unpacked


def refused(fields: object) -> CastironError:
    with pytest.raises(CastironError) as caught:
        codec.decode_verb(packed(fields))
    return caught.value


def test_a_verb_is_read_with_its_defaults() -> None:
    assert codec.decode_verb(packed({"verb": "hello"})) == Hello()
    assert codec.decode_verb(packed({"verb": "node.show", "node": "n1"})) == NodeShow(node="n1")


def test_what_is_absent_stays_unset_and_nil_does_not() -> None:
    verb = codec.decode_verb(packed({"verb": "node.set", "node": "n1", "soft_power_off_timeout_s": None}))

    assert isinstance(verb, NodeSet)
    assert (verb.soft_power_off_timeout_s, verb.name) == (None, UNSET)
    assert "name" not in unpacked(codec.encode_verb(verb))


@pytest.mark.parametrize("tag", [None, 7, ["ping"], {}])
def test_a_verb_needs_a_word(tag: object) -> None:
    assert refused({"verb": tag}).details == {"path": "$.verb"}


def test_a_map_without_a_verb_is_told_what_is_missing() -> None:
    assert isinstance(refused({}), ArgumentInvalid)


def test_an_unknown_verb_is_answered_with_the_nearest_if_there_is_one() -> None:
    near, far = refused({"verb": "pnig"}), refused({"verb": "q" * 200})

    assert isinstance(near, VerbUnknown)
    assert near.details == {"verb": "pnig", "nearest": "ping"}
    assert far.details == {"verb": "q" * 64, "nearest": None}


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"node": 1}, "$.node", "string"),
        ({}, "$.node", "missing"),
        ({"node": "a", "colour": 1}, "$.colour", "The fields of node.power.set are"),
        ({"node": "a", "target": "on"}, "$.target", "`power off`"),
        ({"node": "a", "target": "power on", "timeout_s": 0}, "$.timeout_s", "> 0"),
        ({"node": "a", "target": "power on", "timeout_s": 1e9}, "$.timeout_s", "86400"),
        ({"node": "a", "target": "power on", "timeout_s": True}, "$.timeout_s", "number"),
        ({"node": "a", "target": "power on", "hard_fallback": 1}, "$.hard_fallback", "boolean"),
    ],
)
def test_an_argument_that_does_not_fit_is_named_and_what_it_holds_is_said(
    fields: dict[str, Any], path: str, words: str
) -> None:
    error = refused({"verb": "node.power.set", **fields})

    assert isinstance(error, ArgumentInvalid)
    assert error.details == {"path": path}
    assert words in error.message


def test_a_wrong_key_and_a_wrong_item_are_found_where_they_are() -> None:
    assert refused({"verb": "node.create", "name": "n", "driver_info": {"": 1}}).details == {"path": "$.driver_info"}
    assert refused({"verb": "node.list", "nodes": ["a", 3]}).details == {"path": "$.nodes[1]"}
    assert "are: none" in refused({"verb": "ping", "x": 1}).message


@pytest.mark.parametrize("name", ["a\n", "-a", "a-", "a b", "n[1-2]", "a,b", "@a", "é", "", "a" * 256])
def test_a_name_that_a_host_range_could_not_hold_is_refused(name: str) -> None:
    assert refused({"verb": "node.create", "name": name}).details == {"path": "$.name"}


@pytest.mark.parametrize(("number", "fits"), [(MAX_INT, True), (MAX_INT + 1, False), (MIN_INT, True)])
def test_integers_have_64_bits_with_a_sign(number: int, fits: bool) -> None:
    body = packed({"verb": "node.create", "name": "n", "extra": {"a": [number]}})
    if fits:
        assert isinstance(codec.decode_verb(body), NodeCreate)
    else:
        with pytest.raises(ArgumentInvalid, match="64 bits"):
            codec.decode_verb(body)


def test_a_timestamp_is_an_extension() -> None:
    body = b"\x83\xa4verb\xabnode.create\xa4name\xa1n\xa5extra\x81\xa1t\xd6\xff\x00\x00\x00\x01"

    with pytest.raises(ArgumentInvalid, match="extension") as caught:
        codec.decode_verb(body)

    assert caught.value.details == {"path": "$.extra.t"}


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth - 2):
        value = [value]
    return {"verb": "node.create", "name": "n", "extra": {"a": value}}


def test_the_limit_of_depth_is_exact() -> None:
    assert codec.decode_verb(packed(nested(MAX_DEPTH)))
    assert isinstance(refused(nested(MAX_DEPTH + 1)), FrameMalformed)


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        (NodeShow(node=""), ArgumentInvalid),
        (NodeShow(node=7), ArgumentInvalid),  # type: ignore[arg-type]  # the point
        (NodeCreate(name="n", extra={"a": object()}), ArgumentInvalid),
        (NodeCreate(name="n", extra={"a": float("inf")}), ArgumentInvalid),
        (NodeCreate(name="n", extra={"a": "x" * 70_000}), FrameTooLarge),
        (NodeCreate(name="n", extra={"a": 2**70}), ArgumentInvalid),
        (NodeCreate(name="n", extra={"a": "\ud800"}), ArgumentInvalid),
        (NodeList(nodes=["n"] * 1001), ArgumentInvalid),
    ],
)
def test_a_client_refuses_what_a_conductor_would(verb: Ping, error: type[CastironError]) -> None:
    with pytest.raises(error):
        codec.encode_verb(verb)


def test_a_map_that_holds_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless

    with pytest.raises(CastironError):
        codec.encode_verb(NodeCreate(name="n", extra=endless))


def test_a_result_survives_the_way() -> None:
    body = codec.encode_reply(NodeDeleted(uuid="u", name="n"), 7)

    assert codec.decode_reply(body, NodeDeleted) == Reply(NodeDeleted(uuid="u", name="n"), 7)
    assert codec.result_of(Ping()) is Pong


def test_a_failure_survives_the_way_and_is_not_raised() -> None:
    error = NodeLocked("Busy.", details={"node": "n1"})

    outcome = codec.decode_reply(codec.encode_reply(error, 0), Pong).outcome

    assert isinstance(outcome, NodeLocked)
    assert outcome.to_wire() == error.to_wire()


def test_fields_that_a_newer_conductor_adds_are_ignored() -> None:
    body = packed({"result": {"boot_id": "b", "colour": "red"}, "seq": 1, "more": {"a": b"\x00"}})

    assert codec.decode_reply(body, Pong).outcome == Pong(boot_id="b")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"seq": 1},
        {"result": {"boot_id": "b"}},
        {"result": {"boot_id": "b"}, "error": {}, "seq": 1},
        {"result": {"boot_id": "b"}, "seq": "1"},
        {"result": {"boot_id": 7}, "seq": 1},
        {"result": None, "seq": 1},
        {"error": "no", "seq": 1},
    ],
)
def test_an_answer_that_is_none_is_not_understood(fields: dict[str, Any]) -> None:
    with pytest.raises(FrameMalformed, match="not understood"):
        codec.decode_reply(packed(fields), Pong)


def test_a_result_that_msgpack_cannot_carry_is_its_makers_fault() -> None:
    with pytest.raises(TypeError):
        codec.encode_reply(Pong(boot_id=object()), 1)  # type: ignore[arg-type]  # the point


def test_binary_data_from_a_program_is_refused_by_name_and_not_turned_into_text() -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        codec.encode_verb(NodeCreate(name="n1", extra={"serial": b"\x00\x01"}))

    assert refused.value.details["path"] == "$.extra.serial"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"verb": "node.create", "name": "n[1]", "driver": "fake"}, "letters, digits, and `.` `-` `_` between them"),
        ({"verb": "node.power.set", "node": "n", "target": "power on", "key": "a key that"}, "without spaces"),
        ({"verb": "node.power.set", "node": "n", "target": "power on", "callback_url": "ftp://x"}, "begin with http"),
        ({"verb": "event.list", "types": ["A-"]}, "small letters"),
    ],
)
def test_what_a_text_may_look_like_is_said_in_words(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentInvalid, match="this is written in another way") as caught:
        codec.decode_verb(packed(fields))

    assert words in caught.value.message
    assert "regex" not in caught.value.message
    assert "^" not in caught.value.message
