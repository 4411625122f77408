"""What can be wrong with a message, at three levels: its fields, its msgpack, its frames.

Message `number` of a seed is the same in every process, so a finding is replayed by those two numbers. Nothing here
knows a conductor.
"""

import math
import random
import struct
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final, NamedTuple

from castiron.transport.frames import HEADER, MAX_ID_BYTES, MAX_MESSAGE_BYTES
from tests.fuzz import corpus
from tests.fuzz.corpus import Dice
from tests.support.raw_peer import packed


class Message(NamedTuple):
    """What is sent."""

    number: int
    kind: str
    """What was done to it."""
    frames: list[bytes]

    @property
    def echo(self) -> bytes:
        """The id that its answer must bear, as PROTOCOL.md says."""
        parts = self.frames[1:] if self.frames[:1] == [b""] else self.frames
        return parts[1] if len(parts) > 1 and 0 < len(parts[1]) <= MAX_ID_BYTES else b""


EDGES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)),
    *(0.0, -0.0, 1e-320, 1e308, 2.0, 86_400.1, math.nan, math.inf, -math.inf),
    *("", " ", "\x00", "n1\n", "n[1-4]", "n1,n2", "../../etc/passwd", "%s%n", "' OR 1=1", "\u202e1n", "\ud7ff"),
    *("x" * 64, "x" * 65, "x" * 255, "x" * 256, "x" * 5000, "***", "00000001-0000-4000-8000-000000000000"),
    *(b"", b"\xff\xfe", [], {}, [[]], {"": None}, ["n1"] * 1000, ["n1"] * 1001, [None, 1, "a", {}], {"a": {"b": []}}),
    {f"k{number}": number for number in range(257)},
)  # fmt: skip
"""Values at the edge of something, or of another type."""

HEADS: Final = (
    *(b"\xc1", b"\xc0", b"\xd4\x05\x00", b"\xc7\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xd6\xff\x00\x00\x00\x00"),
    *(b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"),
    *(b"\xdc\xff\xff", b"\xde\xff\xff", b"\xda\xff\xff", b"\xcf" + b"\xff" * 8, b"\xd3\x80" + b"\x00" * 7),
    *(b"\xcb" + struct.pack(">d", math.nan), b"\xca\x7f\x80\x00\x00", b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80", b"\xff"),
)
"""Beginnings of values that a decoder must not believe: lengths of 4 GiB, extensions, timestamps, no UTF-8."""


def edge(dice: Dice) -> Any:
    """Return one of them, not to be shared: what is put into it later is of one message only."""
    return deepcopy(dice.choice(EDGES))


def of_fields(dice: Dice, number: int) -> bytes:
    """Change up to three fields of a message."""
    fields = corpus.fields(dice, number)
    for _ in range(dice.randrange(1, 4)):
        dice.choice(FIELD_CHANGES)(dice, fields)
    return packed(fields)


def _edge(dice: Dice, fields: dict[str, Any]) -> None:
    fields[dice.choice([*fields] or ["verb"])] = edge(dice)


def _inner_edge(dice: Dice, fields: dict[str, Any]) -> None:
    inner: list[Any] = [one for one in fields.values() if isinstance(one, (dict, list)) and one]
    if not inner:
        return _edge(dice, fields)
    within: Any = dice.choice(inner)
    is_map = hasattr(within, "keys")
    keys: list[Any] = [*within, "ipmi_address", "fake_fault", "k"] if is_map else [*range(len(within))]
    within[dice.choice(keys)] = edge(dice)
    return None


def _unknown(dice: Dice, fields: dict[str, Any]) -> None:
    fields[dice.choice(["Verb", "", "nodé", "x" * 300, "__class__", "force", "marker", "limit"])] = edge(dice)


def _drop(dice: Dice, fields: dict[str, Any]) -> None:
    if fields:
        del fields[dice.choice([*fields])]


def _other_verb(dice: Dice, fields: dict[str, Any]) -> None:
    fields["verb"] = dice.choice([*corpus.FIELDS, "node", "node.power", "NODE.SHOW", "node.show\x00", "__init__"])


def _deep(dice: Dice, fields: dict[str, Any]) -> None:
    nested: Any = edge(dice)
    for _ in range(dice.choice([3, 13, 14, 15, 16, 40, 200])):
        nested = [nested] if dice.random() < 0.5 else {"a": nested}
    fields[dice.choice(["extra", "properties", "driver_info", "node", "nodes"])] = nested


FIELD_CHANGES: Final[tuple[Callable[[Dice, dict[str, Any]], None], ...]] = (
    *(_edge, _edge, _edge),
    *(_inner_edge, _unknown, _drop, _other_verb, _deep),
)


def of_bytes(dice: Dice, number: int) -> bytes:
    """Change up to four places of a message's msgpack."""
    body = bytearray(dice.choice(corpus.GOLDEN) if dice.random() < 0.2 else packed(corpus.fields(dice, number)))
    for _ in range(dice.randrange(1, 5)):
        dice.choice(BYTE_CHANGES)(dice, body)
    return bytes(body)


def _at(dice: Dice, body: bytearray) -> int:
    return dice.randrange(len(body) + 1)


def _flip(dice: Dice, body: bytearray) -> None:
    if body:
        body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)


def _cut(dice: Dice, body: bytearray) -> None:
    del body[_at(dice, body) :]


def _remove(dice: Dice, body: bytearray) -> None:
    at = _at(dice, body)
    del body[at : at + dice.randrange(1, 9)]


def _noise(dice: Dice, body: bytearray) -> None:
    at = _at(dice, body)
    body[at:at] = dice.randbytes(dice.randrange(1, 40))


def _splice(dice: Dice, body: bytearray) -> None:
    other = packed(corpus.fields(dice, 1))
    begin = dice.randrange(len(other))
    at = _at(dice, body)
    body[at : at + dice.randrange(20)] = other[begin : begin + dice.randrange(1, 40)]


def _head(dice: Dice, body: bytearray) -> None:
    at, head = _at(dice, body), dice.choice(HEADS)
    body[at : at + dice.choice([0, 1, len(head)])] = head


def _abyss(dice: Dice, body: bytearray) -> None:
    at = _at(dice, body)
    body[at:at] = dice.choice([b"\x91", b"\x81\xa1a", b"\xdd\x00\x00\x00\x01"]) * dice.choice([15, 17, 600, 3000])


def _twice(dice: Dice, body: bytearray) -> None:
    if body and 0x80 <= body[0] < 0x8F:
        body[0] += 1
        body += dice.choice([b"\xa4verb\xa4ping", b"\xa4node\xa2n1", b"\xa0\xc0", b"\x01\x01", b"\xc4\x01a\x01"])


BYTE_CHANGES: Final[tuple[Callable[[Dice, bytearray], None], ...]] = (
    *(_flip, _flip, _flip),
    *(_cut, _remove, _noise, _splice, _head, _head, _abyss, _twice),
)


def of_frames(dice: Dice, number: int, frames: list[bytes]) -> list[bytes]:
    """Change the frames around a body."""
    return dice.choice(FRAME_CHANGES)(dice, frames, packed(corpus.fields(dice, number)))


def _one_less(dice: Dice, frames: list[bytes], _: bytes) -> list[bytes]:
    del frames[dice.randrange(len(frames))]
    return frames


def _one_more(dice: Dice, frames: list[bytes], other: bytes) -> list[bytes]:
    frames.insert(dice.randrange(len(frames) + 1), dice.choice([b"", b"\x00", HEADER, other, other * 3]))
    return frames


def _many(dice: Dice, frames: list[bytes], other: bytes) -> list[bytes]:
    return [*frames, *[dice.choice([b"", other])] * dice.choice([6, 60, 600])]


def _emptied(dice: Dice, frames: list[bytes], _: bytes) -> list[bytes]:
    frames[dice.randrange(len(frames))] = b""
    return frames


def _huge(dice: Dice, frames: list[bytes], other: bytes) -> list[bytes]:
    size = dice.choice([MAX_MESSAGE_BYTES - 1, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + 1, 300_000])
    frames[dice.randrange(len(frames))] = (other * (size // len(other) + 1))[:size]
    return frames


def _mixed(dice: Dice, frames: list[bytes], _: bytes) -> list[bytes]:
    dice.shuffle(frames)
    return frames


def _signed(dice: Dice, frames: list[bytes], _: bytes) -> list[bytes]:
    frames[0] = dice.choice([b"castiron/2", b"castiron/", b"castiron/1 ", b"CASTIRON/1", b"MDPC02", b"\xff" * 10, b"c"])
    return frames


def _answerlike(dice: Dice, frames: list[bytes], _: bytes) -> list[bytes]:
    frames.insert(2, dice.choice([b"final", b"accepted", b"event"]))
    return frames


def _named(dice: Dice, frames: list[bytes], _: bytes) -> list[bytes]:
    frames[1] = dice.choice([b"\x00", b"same", dice.randbytes(MAX_ID_BYTES), dice.randbytes(MAX_ID_BYTES + 1)])
    return frames


FRAME_CHANGES: Final[tuple[Callable[[Dice, list[bytes], bytes], list[bytes]], ...]] = (
    *(_one_less, _one_more, _many, _emptied, _huge, _mixed, _signed, _answerlike, _named, _named),
)


def message(seed: int, number: int) -> Message:
    """Return message `number` of a seed: a fifth fit, of the others one in four has wrong frames."""
    dice = random.Random(seed * 1_000_003 + number)
    message_id = b"%x" % number
    level = dice.random()
    if level < 0.2:
        return Message(number, "fits", [HEADER, message_id, packed(corpus.fields(dice, number))])
    if level < 0.5:
        return Message(number, "fields", [HEADER, message_id, of_fields(dice, number)])
    if level < 0.8:
        return Message(number, "bytes", [HEADER, message_id, of_bytes(dice, number)])
    frames = of_frames(dice, number, [HEADER, message_id, packed(corpus.fields(dice, number))])
    return Message(number, "frames", frames or [b""])
