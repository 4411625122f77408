"""The fields of an inventory's areas. pyghmi knows their order; what a field holds is decoded by `texts`. Pure.

Source: FRU Information Storage Definition 1.0, 10 Chassis Info, 11 Board Info, 12 Product Info Area.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pyghmi.exceptions import PyghmiException
from pyghmi.ipmi import fru

from castiron.actors.drivers.findings import FRUBoard, FRUChassis, FRUProduct
from castiron.actors.drivers.ipmi.operations.texts import decoded

AREAS: Final[Mapping[str, int]] = {"chassis": 2, "board": 3, "product": 4}
"""Area → where the head says where it begins."""

Area = FRUChassis | FRUBoard | FRUProduct

_END: Final = 0xC1
_ENGLISH: Final = (0, 25)


class _Parser(fru.FRU):  # type: ignore[misc]  # pyghmi ships no types
    """pyghmi's order of the fields, with our own reading of each."""

    databytes: bytearray

    def _decode_tlv(self, offset: int, lang: int = 0) -> tuple[str | None, int]:
        mark = self.databytes[offset] if offset < len(self.databytes) else _END
        if mark == _END:  # many inventories leave out the last of the fields that must be there
            return None, offset
        end = offset + 1 + (mark & 0x3F)
        if end > len(self.databytes):
            return None, len(self.databytes)
        latin = "latin-1" if lang in _ENGLISH else "utf-16-le"
        return decoded(mark >> 6, bytes(self.databytes[offset + 1 : end]), latin=latin), end


def is_sound(data: bytes) -> bool:
    """Return whether the bytes add up to zero, as a head and each area must."""
    return sum(data) & 0xFF == 0


def read_area(name: str, area: bytes) -> Area | None:
    """Return what an area says; None if it is cut, or its checksum wrong, or it cannot be read.

    Args:
        name: one of AREAS.
        area: all its bytes, as many as its own length says.
    """
    if not area or len(area) != area[1] * 8 or not is_sound(area):
        return None
    head = bytearray(8)
    head[0] = head[AREAS[name]] = 1
    try:
        # Alone behind a head of its own, and ended in place of its checksum: no field is read that is not its area's.
        info: Mapping[str, Any] = _Parser(rawdata=bytes(head) + area[:-1] + bytes([_END])).info or {}
    except (IndexError, PyghmiException):
        return None
    return _MAKERS[name](info)


def _chassis(info: Mapping[str, Any]) -> FRUChassis:
    return FRUChassis(
        kind=info.get("Chassis type"),
        part_number=info.get("Chassis part number"),
        serial=info.get("Chassis serial number"),
        extra=_extra(info, "chassis_extra"),
    )


def _board(info: Mapping[str, Any]) -> FRUBoard:
    return FRUBoard(
        made=info.get("Board manufacture date"),
        manufacturer=info.get("Board manufacturer"),
        name=info.get("Board product name"),
        serial=info.get("Board serial number"),
        part_number=info.get("Board model"),
        extra=_extra(info, "board_extra"),
    )


def _product(info: Mapping[str, Any]) -> FRUProduct:
    return FRUProduct(
        manufacturer=info.get("Manufacturer"),
        name=info.get("Product name"),
        part_number=info.get("Model"),
        version=info.get("Hardware Version"),
        serial=info.get("Serial Number"),
        asset_tag=info.get("Asset Number"),
        extra=_extra(info, "product_extra"),
    )


def _extra(info: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(text for text in info.get(name, ()) if text)


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Area]]] = {
    "chassis": _chassis,
    "board": _board,
    "product": _product,
}
