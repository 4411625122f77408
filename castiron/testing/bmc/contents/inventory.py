"""FRU device 0 as bytes, from the same record that consoles read it into.

Source: Platform Management FRU Information Storage Definition 1.0, 8 to 13.
"""

from datetime import UTC, datetime
from typing import Final

from castiron.actors.drivers.findings import FRU, FRUBoard, FRUChassis, FRUProduct

MAX_BYTES: Final = 0xFFFF
"""Its size is told in 16 bits."""

_END: Final = b"\xc1"
_RACK_MOUNT: Final = 0x17
_ENGLISH: Final = 0
_MAX_TEXT: Final = 63
_EPOCH: Final = datetime(1996, 1, 1, tzinfo=UTC)


def default_fru(name: str) -> FRU:
    """Return the inventory of a simulated machine of this name."""
    return FRU(
        chassis=FRUChassis(kind="Rack Mount Chassis", part_number="CI-1U", serial=f"C-{name}"),
        board=FRUBoard(
            made="2024-02-29T12:30",
            manufacturer="castiron",
            name="Simulated Board",
            serial=f"B-{name}",
            part_number="CI-BOARD",
        ),
        product=FRUProduct(
            manufacturer="castiron",
            name="Simulated Machine",
            part_number="CI-1",
            version="1.0",
            serial=f"P-{name}",
            asset_tag=name,
        ),
    )


def build_fru(fru: FRU) -> bytes:
    """Return the inventory as a BMC keeps it: a head, then those of the three areas that there are.

    Raises:
        ValueError: a text has more than 63 characters, or some that Latin 1 lacks.
    """
    areas = [_chassis(fru.chassis), _board(fru.board), _product(fru.product)]
    places: list[int] = []
    body = b""
    for area in areas:
        places.append((8 + len(body)) // 8 if area else 0)
        body += area
    return _summed(bytes((1, 0, *places, 0, 0))) + body


def _chassis(chassis: FRUChassis | None) -> bytes:
    if chassis is None:
        return b""
    return _area(bytes((_RACK_MOUNT,)), (chassis.part_number, chassis.serial), chassis.extra)


def _board(board: FRUBoard | None) -> bytes:
    if board is None:
        return b""
    made = _EPOCH if board.made is None else datetime.fromisoformat(board.made).replace(tzinfo=UTC)
    minutes = int((made - _EPOCH).total_seconds() // 60)
    texts = (board.manufacturer, board.name, board.serial, board.part_number, None)
    return _area(bytes((_ENGLISH,)) + minutes.to_bytes(3, "little"), texts, board.extra)


def _product(product: FRUProduct | None) -> bytes:
    if product is None:
        return b""
    texts = (product.manufacturer, product.name, product.part_number, product.version, product.serial)
    return _area(bytes((_ENGLISH,)), (*texts, product.asset_tag, None), product.extra)


def _area(head: bytes, texts: tuple[str | None, ...], extra: tuple[str, ...]) -> bytes:
    body = head + b"".join(_text(text) for text in (*texts, *extra)) + _END
    size = -(-(len(body) + 3) // 8)
    return _summed(bytes((1, size)) + body.ljust(size * 8 - 3, b"\0"))


def _text(text: str | None) -> bytes:
    data = (text or "").encode("latin-1")
    if len(data) == 1:  # would be the mark that ends an area
        data += b" "
    if len(data) > _MAX_TEXT:
        raise ValueError(f"a text of an inventory has at most {_MAX_TEXT} characters: {text!r}")
    return bytes((0xC0 | len(data),)) + data


def _summed(data: bytes) -> bytes:
    return data + bytes((-sum(data) & 0xFF,))
