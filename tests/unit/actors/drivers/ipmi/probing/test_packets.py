"""Datagrams outside sessions, against the farm's own parsers and against anything at all."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.drivers.ipmi.probing import packets
from castiron.testing.bmc import BMC, BMCSettings
from castiron.testing.bmc.wire import rmcp

SOURCE = ("127.0.0.1", 1)


def bmc(**settings: object) -> BMC:
    named = {"username": "admin", "password": "secret", **settings}
    return BMC("bmc1", BMCSettings(**named), random.Random(1))  # type: ignore[arg-type]  # whatever a test names


def answer(asked: bytes, **settings: object) -> bytes:
    ((_, datagram),) = bmc(**settings).receive(asked, SOURCE, 0.0)
    return datagram


@pytest.mark.parametrize("tag", [0, 1, 254])
def test_a_ping_is_understood_and_its_pong_too(tag: int) -> None:
    assert rmcp.read_ping(packets.ping(tag)) == tag
    assert packets.read_pong(answer(packets.ping(tag))) == packets.Presence(tag, speaks_ipmi=True)


def test_a_pong_without_ipmi_says_so() -> None:
    pong = bytearray(rmcp.build_pong(3))
    pong[20] &= 0x7F

    assert packets.read_pong(bytes(pong)) == packets.Presence(3, speaks_ipmi=False)


@pytest.mark.parametrize("k_g", [b"", b"key"])
def test_what_a_bmc_offers_is_read(k_g: bytes) -> None:
    reply = packets.read_reply(answer(packets.ask_capabilities(), k_g=k_g), packets.CAPABILITIES)

    assert reply is not None
    assert packets.read_capabilities(reply.data) == packets.Capabilities(
        speaks_v20=True, takes_anonymous=False, takes_none=False, wants_k_g=bool(k_g)
    )


def test_an_answer_to_another_command_is_none() -> None:
    assert packets.read_reply(answer(packets.ask_capabilities()), packets.CIPHER_SUITES) is None


@pytest.mark.parametrize(
    ("records", "wanted"),
    [
        ("c0 03 01 41 81", [3]),
        ("c0 00 00 c0 03 01 41 81 c0 11 03 44 81", [0, 3, 17]),
        ("c1 80 00 00 57 01 41 81 c0 11 03 44 81", [17]),
        ("c0 01 01 40 80 c0", [1]),
        ("", []),
        ("01 41", []),
    ],
)
def test_suites_are_read_from_their_records(records: str, wanted: list[int]) -> None:
    assert list(packets.suite_ids(bytes.fromhex(records))) == wanted


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_anything_at_all_is_read_without_a_fault(rest: bytes, records: bytes) -> None:
    for datagram in (rest, b"\x06\x00\xff\x06" + rest, b"\x06\x00\xff\x07\x00" + rest):
        packets.read_pong(datagram)
        packets.read_reply(datagram, packets.CAPABILITIES)
    packets.read_capabilities(rest)
    assert all(0 <= number < 256 for number in packets.suite_ids(records))
