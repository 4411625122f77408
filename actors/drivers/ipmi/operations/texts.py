"""Texts as inventories and sensor records keep them: a type in two bits, a length, and the bytes. Pure.

pyghmi's own decoding of them is not used: for a sensor's name in packed ASCII it never ends, it drops the zeros of BCD,
and it reads on over the mark that ends an area.

Source: FRU Information Storage Definition 1.0, 13 Type/length Byte Format; IPMI v2.0, 43.15.
"""

from enum import IntEnum
from typing import Final

_BCD: Final = "0123456789 -.:,_"


class Kind(IntEnum):
    """How the bytes of a text are to be read."""

    BINARY = 0
    """In an inventory; in a sensor record: UTF-8."""
    BCD = 1
    PACKED = 2
    """Six bits a character."""
    LATIN = 3
    """8-bit ASCII and Latin 1."""


def decoded(kind: int, data: bytes, *, binary: str | None = None, latin: str = "latin-1") -> str | None:
    """Return a text without control characters and surrounding spaces; None if nothing is left.

    Args:
        kind: the two bits.
        data: the bytes.
        binary: the encoding of kind 0; None for none: as hexadecimal digits.
        latin: the encoding of kind 3.
    """
    match kind:
        case Kind.BINARY:
            text = data.hex() if binary is None else data.decode(binary, "replace")
        case Kind.BCD:
            text = "".join(_BCD[byte >> 4] + _BCD[byte & 0x0F] for byte in data)
        case Kind.PACKED:
            bits = int.from_bytes(data, "little")
            text = "".join(chr(0x20 + (bits >> 6 * place & 0x3F)) for place in range(len(data) * 8 // 6))
        case _:
            text = data.rstrip(b"\xff").decode(latin, "replace")  # some BMCs end texts so
    return "".join(letter for letter in text if letter.isprintable()).strip() or None
