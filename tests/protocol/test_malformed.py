"""What is not of the protocol is answered, and costs nobody else anything: against any conductor."""

import pytest
import zmq

from castiron.transport.frames import FINAL, HEADER, MAX_ID_BYTES, MAX_MESSAGE_BYTES
from tests.protocol.conftest import World
from tests.support.raw_peer import RawPeer, packed, taken_apart

PING = packed({"verb": "ping"})

BODIES = {
    "empty": b"",
    "reserved byte": b"\xc1",
    "nil": b"\xc0",
    "an integer": b"\x01",
    "an array": packed(["ping"]),
    "truncated": PING[:-1],
    "bytes after its end": PING + b"\x00",
    "two bodies": PING * 2,
    "key twice": b"\x82" + packed("verb") + packed("ping") + packed("verb") + packed("status"),
    "integer key": packed({1: 2}),
    "binary key": packed({b"verb": "ping"}),
    "map as key": b"\x81\x81\x01\x01\x02",
    "bad UTF-8": b"\x81\xa4verb\xa1\xff",
    "extension": b"\x81\xa4verb\xd4\x05\x00",
    "deep array": b"\x81\xa1a" + b"\x91" * 20 + b"\xc0",
    "abyss": b"\x81\xa1a" + b"\x91" * 5000 + b"\xc0",
    "claims 4 GiB string": b"\x81\xa4verb\xdb\xff\xff\xff\xff",
    "claims 4 G items": b"\xdd\xff\xff\xff\xff",
    "claims 4 G keys": b"\xdf\xff\xff\xff\xff",
    "1,025 items": packed({"verb": "node.list", "nodes": ["n"] * 1025}),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_not_one_map_is_malformed(house_peer: RawPeer, body: bytes) -> None:
    house_peer.send(HEADER, b"x", body)

    refused = house_peer.hear()

    assert (refused.id, refused.kind, refused.code) == (b"x", FINAL, "frame.malformed")
    assert refused.error["details"]["reason"]


@pytest.mark.parametrize("cut", range(len(PING)))
def test_no_prefix_of_a_body_is_a_body(house_peer: RawPeer, cut: int) -> None:
    house_peer.send(HEADER, b"x", PING[:cut])

    assert house_peer.hear().code == "frame.malformed"


ONE_TOO_MANY = b"i" * (MAX_ID_BYTES + 1)

FRAMES: dict[str, tuple[list[bytes], bytes, str]] = {
    "no frames but a delimiter": ([b""], b"", "frame.malformed"),
    "empty frames only": ([b"", b"", b""], b"", "frame.malformed"),
    "header alone": ([HEADER], b"", "frame.malformed"),
    "no body": ([HEADER, b"a"], b"a", "frame.malformed"),
    "a frame too many": ([HEADER, b"a", PING, b""], b"a", "frame.malformed"),
    "a hundred frames": ([HEADER, b"a", *[PING] * 98], b"a", "frame.malformed"),
    "empty id": ([HEADER, b"", PING], b"", "frame.malformed"),
    "id too long": ([HEADER, ONE_TOO_MANY, PING], b"", "frame.malformed"),
    "another protocol": ([b"MDPC02", b"a", PING], b"a", "frame.malformed"),
    "two delimiters": ([b"", b"", HEADER, b"a", PING], b"castiron/1", "frame.malformed"),
    "another version": ([b"castiron/2", b"a", PING], b"a", "version.unsupported"),
    "another version, other frames": ([b"castiron/17", b"a", b"b", b"c", b"d"], b"a", "version.unsupported"),
}


@pytest.mark.parametrize(("frames", "message_id", "code"), FRAMES.values(), ids=FRAMES)
def test_frames_out_of_shape_are_answered_with_what_id_could_be_read(
    house_peer: RawPeer, frames: list[bytes], message_id: bytes, code: str
) -> None:
    house_peer.send(*frames)

    reply = house_peer.receive()
    refused = taken_apart(reply[1:] if frames[0] == b"" else reply)

    assert (refused.id, refused.kind, refused.code) == (message_id, FINAL, code)


def test_another_version_is_told_what_is_spoken(house_peer: RawPeer) -> None:
    house_peer.send(b"castiron/2", b"a", b"")

    assert house_peer.hear().error["details"]["speaks"] == ["castiron/1"]


def test_the_longest_id_comes_back(house_peer: RawPeer) -> None:
    longest = bytes(range(256))[:MAX_ID_BYTES]

    assert house_peer.ask({"verb": "ping"}, longest).id == longest


@pytest.mark.parametrize(("over", "code"), [(-1, "verb.unknown"), (0, "verb.unknown"), (1, "frame.too_large")])
def test_the_limit_of_a_body_is_exact(house_peer: RawPeer, over: int, code: str) -> None:
    overhead = len(packed({"verb": "x" * 40_000})) - 40_000
    body = packed({"verb": "x" * (MAX_MESSAGE_BYTES + over - overhead)})
    assert len(body) == MAX_MESSAGE_BYTES + over

    house_peer.send(HEADER, b"a", body)

    assert house_peer.hear().code == code


def test_what_is_too_large_is_told_both_sizes(house_peer: RawPeer) -> None:
    house_peer.send(HEADER, b"a", b"\x00" * 70_000)

    assert house_peer.hear().error["details"] == {"limit_bytes": MAX_MESSAGE_BYTES, "size_bytes": 70_000}


def test_a_frame_beyond_a_mebibyte_costs_its_sender_the_connection_and_nobody_else(world: World, peer: RawPeer) -> None:
    with RawPeer(world.endpoint) as brute:
        brute.send(HEADER, b"a", b"\x00" * 2_000_000)

        assert peer.ask({"verb": "ping"}).result
        assert brute.is_quiet(0.1)


def test_a_duplicate_of_an_id_in_flight_is_malformed_and_leaves_the_first_alone(world: World, peer: RawPeer) -> None:
    name = world.new_name()
    peer.ask({"verb": "node.create", "name": name, "driver": "fake"})
    world.conductor.held.add(name)
    peer.say(b"a", {"verb": "node.power.set", "node": name, "target": "power on", "replies": "final"})

    refused = peer.ask({"verb": "ping"}, b"a")
    world.conductor.let_go(name)

    assert refused.code == "frame.malformed"
    assert peer.hear().result["state"] == "succeeded"


def test_a_req_socket_gets_its_errors_too(world: World) -> None:
    with RawPeer(world.endpoint, zmq.REQ) as peer:
        peer.send(b"nonsense")
        refused = peer.hear()

        assert (refused.id, refused.code) == (b"", "frame.malformed")
        assert peer.ask({"verb": "ping"}).result
