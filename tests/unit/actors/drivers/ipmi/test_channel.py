"""An open session's messages: what we say and what we take for an answer, held beside pyghmi with the same keys."""

import hashlib
import hmac
import struct
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, Self

import pytest
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st
from pyghmi.ipmi.private import session as pyghmi_session

from castiron.actors.drivers.ipmi.sessions.channel import Channel, Keys
from castiron.actors.drivers.ipmi.sessions.exchange import Answer

OWN_ID = 0x10203040
BMC_ID = 0x0A0B0C0D
SEND_MESSAGE = 0x34  # pyghmi takes its answer for half of a bridged one; we never send it
Outcome = Answer | str | None


@st.composite
def all_keys(draw: st.DrawFn) -> Keys:
    integrity, check_bytes, key_bytes = draw(st.sampled_from([("sha1", 12, 20), ("sha256", 16, 32)]))
    k1, aes_key = draw(st.binary(min_size=key_bytes, max_size=key_bytes)), draw(st.binary(min_size=16, max_size=16))
    return Keys(BMC_ID, OWN_ID, integrity, check_bytes, k1, aes_key)


commands = st.integers(0, 255).filter(lambda command: command != SEND_MESSAGE)
requests = st.tuples(st.integers(0, 30).map(lambda half: half * 2), commands, st.binary(max_size=60))


class Stock(pyghmi_session.Session):  # type: ignore[misc]  # pyghmi ships no types
    """pyghmi's session, open, with keys that are given."""

    netpacket: bytearray
    _send_ipmi_net_payload: Callable[..., None]
    _handle_ipmi_packet: Callable[..., Any]

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        return object.__new__(cls)

    def __init__(self, keys: Keys, number: int) -> None:
        self.servermode = False
        self.pendingpayloads = ()
        self.request_entry: list[Any] = []
        self.maxtimeout = 2
        self.logontries = 1
        self._initsession()
        self.sessioncontext = "ESTABLISHED"
        self.ipmiversion, self.authtype = 2.0, 6
        self.integrityalgo = 256 if keys.integrity == "sha256" else 1
        self.currhashlib, self.currhashlen = getattr(hashlib, keys.integrity), keys.check_bytes
        self.confalgo = "aes"
        self.k1, self.aeskey = keys.k1, keys.aes_key
        self._crypto_backend = default_backend()
        self.sessionid, self.localsid = keys.session_id, keys.own_id
        self.sequencenumber, self.seqlun = 1, number
        self.answers: list[Answer] = []
        self.ipmicallback: Callable[[Any], None] | None = self._answered

    def _answered(self, response: Any) -> None:
        self.answers.append(Answer(response["code"], bytes(response["data"])))

    def _xmit_packet(self, *_args: Any, **_kwargs: Any) -> None:
        self.sequencenumber += 1

    def say(self, netfn: int, command: int, data: bytes) -> bytes:
        self.request_entry.clear()
        self.lastpayload = None
        self._send_ipmi_net_payload(netfn, command, data, retry=True)
        return bytes(self.netpacket)

    def hear(self, datagram: bytes) -> Outcome:
        self.answers.clear()
        try:
            self._handle_ipmi_packet(bytearray(datagram), qent=(None, None, None))
        except Exception:  # noqa: BLE001 - whatever pyghmi raises
            return "raised"
        return self.answers[0] if self.answers else None


def heard(channel: Channel, datagram: bytes) -> Outcome:
    try:
        return channel.open(datagram)
    except ValueError:
        return "raised"


def packed(keys: Keys, payload: bytes, *, sequence: int = 1, own_id: int = OWN_ID, kind: int = 0xC0) -> bytes:
    """Return a datagram of the session around any payload, with the right integrity check value."""
    packet = struct.pack("<BBIIH", 6, kind, own_id, sequence, len(payload)) + payload
    pad = -(len(packet) + 2) % 4
    packet += b"\xff" * pad + bytes((pad, 7))
    return b"\x06\x00\xff\x07" + packet + hmac.digest(keys.k1, packet, keys.integrity)[: keys.check_bytes]


def encrypted(keys: Keys, message: bytes, pad: bytes | None = None) -> bytes:
    count = -(len(message) + 1) % 16
    padded = message + (bytes(range(1, count + 1)) + bytes((count,)) if pad is None else pad)
    return bytes(16) + Cipher(AES(keys.aes_key), CBC(bytes(16))).encryptor().update(padded)


def answer_to(request: tuple[int, int, bytes], number: int, code: int = 0, data: bytes = b"") -> bytes:
    netfn, command, _ = request
    head, body = bytes((0x81, (netfn + 1) << 2)), bytes((0x20, number << 2, command, code)) + data
    return head + bytes((-sum(head) & 255,)) + body + bytes((-sum(body) & 255,))


def _vector_of(datagram: bytes, count: int) -> bytes:
    return datagram[16 : 16 + count]


@given(keys=all_keys(), request=requests, number=st.integers(0, 63))
def test_a_request_is_byte_for_byte_what_pyghmi_says(keys: Keys, request: tuple[int, int, bytes], number: int) -> None:
    channel, stock = Channel(keys, number), Stock(keys, number)
    ours = [channel.seal(*request), channel.seal_again()]

    for sent in ours:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pyghmi_session, "os", SimpleNamespace(urandom=partial(_vector_of, sent)))
            assert sent == stock.say(*request)


def test_each_request_has_a_vector_and_a_sequence_number_of_its_own() -> None:
    channel = Channel(Keys(BMC_ID, OWN_ID, "sha256", 16, bytes(32), bytes(16)), 0)
    sent = [channel.seal(0, 1, b"") for _ in range(50)] + [channel.seal_again() for _ in range(50)]

    assert len({datagram[16:32] for datagram in sent}) == 100
    assert [int.from_bytes(datagram[10:14], "little") for datagram in sent] == list(range(1, 101))


@st.composite
def bodies(draw: st.DrawFn, keys: Keys, request: tuple[int, int, bytes], number: int) -> bytes:
    """Draw a payload that a BMC with the keys may send, most of them not what was asked for."""
    netfn, command, data = request
    right = answer_to(request, number, draw(st.integers(0, 255)), draw(st.binary(max_size=40)))
    wrong = [
        answer_to((netfn, command ^ 1, data), number),
        answer_to((netfn ^ 2, command, data), number),
        answer_to(request, (number + 1) & 63),
        draw(st.binary(max_size=40)),
    ]
    message = draw(st.sampled_from([right, right, right, *wrong]))
    way = draw(st.sampled_from(["sealed", "sealed", "strange pad", "bare", "rubbish"]))
    if way == "sealed":
        return encrypted(keys, message)
    if way == "strange pad":
        return encrypted(keys, message, bytes(-(len(message) + 1) % 16) + bytes((draw(st.integers(0, 255)),)))
    return message if way == "bare" else draw(st.binary(max_size=70))


@given(data=st.data(), keys=all_keys(), request=requests, number=st.integers(0, 63))
def test_we_take_for_an_answer_what_pyghmi_takes_for_one(
    data: st.DataObject, keys: Keys, request: tuple[int, int, bytes], number: int
) -> None:
    channel, stock = Channel(keys, number), Stock(keys, number)
    channel.seal(*request)
    stock.say(*request)
    for _ in range(data.draw(st.integers(1, 4))):
        payload = data.draw(bodies(keys, request, number))
        sequence = data.draw(st.sampled_from([0, 1, 2, 5, 0xFFFFFFFE, 0xFFFFFFFF]))
        own_id = data.draw(st.sampled_from([OWN_ID] * 5 + [OWN_ID ^ 1, BMC_ID, 0]))
        kind = data.draw(st.sampled_from([0xC0] * 5 + [0x40, 0x80, 0x00]))
        datagram = packed(keys, payload, sequence=sequence, own_id=own_id, kind=kind)
        if data.draw(st.booleans()) and data.draw(st.booleans()):
            place, flipped = data.draw(st.integers(5, len(datagram) - 1)), data.draw(st.integers(1, 255))
            flipped = flipped & 0xC0 if place == 5 else flipped  # another kind of payload does not come so far
            datagram = datagram[:place] + bytes((datagram[place] ^ flipped,)) + datagram[place + 1 :]
        if data.draw(st.booleans()) and data.draw(st.booleans()):
            datagram = datagram[: data.draw(st.integers(16 + keys.check_bytes, len(datagram)))]

        assert heard(channel, datagram) == stock.hear(datagram)


@pytest.mark.parametrize(("integrity", "check_bytes"), [("sha1", 12), ("sha256", 16)])
def test_an_answer_counts_once_with_the_right_keys_id_and_sequence(integrity: str, check_bytes: int) -> None:
    keys = Keys(BMC_ID, OWN_ID, integrity, check_bytes, b"k" * 20, b"a" * 16)
    other = Keys(BMC_ID, OWN_ID, integrity, check_bytes, b"j" * 20, b"a" * 16)
    channel = Channel(keys, 9)
    channel.seal(0, 1, b"")
    message = encrypted(keys, answer_to((0, 1, b""), 9, 0, b"\x21\x10\x40"))
    genuine = packed(keys, message, sequence=7)

    assert channel.open(packed(other, message, sequence=7)) is None
    assert channel.open(packed(keys, message, sequence=7, own_id=OWN_ID + 1)) is None
    assert channel.open(genuine) == Answer(0, b"\x21\x10\x40")
    assert channel.open(genuine) is None
    channel.seal(0, 1, b"")
    older = packed(keys, encrypted(keys, answer_to((0, 1, b""), 10)), sequence=6)
    assert channel.open(older) is None
    assert channel.open(packed(keys, encrypted(keys, answer_to((0, 1, b""), 10)), sequence=8)) == Answer(0, b"")


def test_keys_are_kept_out_of_repr() -> None:
    assert "k1" not in repr(Keys(1, 2, "sha1", 12, b"secret", b"secret"))
    assert "secret" not in repr(Keys(1, 2, "sha1", 12, b"secret", b"secret"))
