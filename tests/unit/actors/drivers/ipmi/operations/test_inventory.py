"""Inventories as BMCs keep them, the broken ones included."""

import pytest

from castiron.actors.drivers.findings import FRU, FRUBoard, FRUChassis, FRUProduct
from castiron.actors.drivers.ipmi.operations.texts import Kind, decoded
from castiron.actors.drivers.ipmi.sessions.exchange import Nonsense, Refused, Request
from castiron.actors.drivers.operations import ReadFRU
from castiron.testing.bmc.contents.inventory import build_fru, default_fru
from tests.support.talks import Desk, talk

WHOLE = default_fru("x")


def summed(data: bytes) -> bytes:
    return data + bytes((-sum(data) & 0xFF,))


def area(*fields: bytes, head: bytes = b"\x00") -> bytes:
    body = head + b"".join(fields)
    size = -(-(len(body) + 3) // 8)
    return summed(bytes((1, size)) + body.ljust(size * 8 - 3, b"\0"))


def with_product(product: bytes) -> bytes:
    return summed(bytes((1, 0, 0, 0, 1, 0, 0))) + product


def read(desk: Desk, data: bytes) -> FRU:
    desk.device.repository.fru = data
    found = desk.talk(ReadFRU())
    assert isinstance(found, FRU)
    return found


def product(desk: Desk, data: bytes) -> FRUProduct:
    found = read(desk, with_product(data)).product
    assert found is not None
    return found


@pytest.mark.parametrize(
    "fru",
    [
        WHOLE,
        FRU(),
        FRU(board=FRUBoard(manufacturer="Ångström", made="1996-01-02T00:00")),
        FRU(chassis=FRUChassis(kind="Rack Mount Chassis", serial="1", extra=("a", "b"))),
        FRU(
            product=FRUProduct(name="n" * 63, serial="s" * 63, version="v" * 63, asset_tag="a" * 63, extra=("e" * 63,))
        ),
    ],
    ids=["whole", "empty", "board", "chassis", "long"],
)
def test_what_was_written_is_read(desk: Desk, fru: FRU) -> None:
    assert read(desk, build_fru(fru)) == fru


@pytest.mark.parametrize("limit", [255, 100, 64, 63, 33, 16, 8])
def test_a_bmc_that_gives_little_at_a_time_is_asked_for_less(desk: Desk, limit: int) -> None:
    desk.device.repository.max_bytes = limit

    assert read(desk, build_fru(WHOLE)) == WHOLE
    assert len(desk.asked) < 100


def test_a_bmc_that_gives_less_than_eight_bytes_is_believed(desk: Desk) -> None:
    desk.device.repository.max_bytes = 7

    with pytest.raises(Refused):
        desk.talk(ReadFRU())


def test_only_the_three_areas_are_fetched(desk: Desk) -> None:
    """64 KB of something else behind them, and before them, cost nothing."""
    data = build_fru(WHOLE)
    read(desk, data)
    few = len(desk.asked)

    read(desk, data.ljust(65_000, b"\xaa"))

    assert len(desk.asked) == 2 * few
    assert few <= 9


def test_an_inventory_in_words_is_read(desk: Desk) -> None:
    data = build_fru(WHOLE)

    def in_words(request: Request) -> bytes:
        if request.command == 0x10:
            return b"\0" + len(data).to_bytes(2, "little") + b"\x01"
        start, count = int.from_bytes(request.data[1:3], "little"), request.data[3]
        piece = data[start * 2 :][: count * 2]
        return b"\0" + bytes((len(piece) // 2,)) + piece

    assert talk(ReadFRU(), in_words)[0] == WHOLE


@pytest.mark.parametrize("data", [b"", b"\xff" * 256, bytes(256)], ids=["none", "erased", "zeros"])
def test_a_blank_inventory_is_empty(desk: Desk, data: bytes) -> None:
    assert read(desk, data) == FRU()


@pytest.mark.parametrize(
    "data",
    [b"\x01\0\0\0\x01\0\0\x00" + bytes(8), summed(b"\x02\0\0\0\x01\0\0") + bytes(8), b"\x01\0\0\0"],
    ids=["checksum", "version", "short"],
)
def test_what_does_not_begin_as_an_inventory_is_nonsense(desk: Desk, data: bytes) -> None:
    desk.device.repository.fru = data

    with pytest.raises(Nonsense, match="inventory"):
        desk.talk(ReadFRU())


def test_an_area_with_a_wrong_checksum_is_left_out_and_named(desk: Desk) -> None:
    data = bytearray(build_fru(WHOLE))
    data[data[3] * 8 + 10] ^= 1

    found = read(desk, bytes(data))

    assert found == FRU(chassis=WHOLE.chassis, product=WHOLE.product, damaged=("board",))
    assert str(found) == "fru with chassis, product; board damaged"


@pytest.mark.parametrize("length", [9, 40, 80, 120])
def test_an_inventory_that_ends_too_early_is_damaged(desk: Desk, length: int) -> None:
    found = read(desk, build_fru(WHOLE)[:length])

    assert found.damaged
    assert not set(found.damaged) & {name for name in ("chassis", "board", "product") if getattr(found, name)}


def test_an_area_that_ends_before_its_last_fields_has_no_more(desk: Desk) -> None:
    """pyghmi's own reading goes on over the mark, into whatever follows."""
    found = product(desk, area(b"\xc4ACME", b"\xc2X1", b"\xc1", b"Z\xc4JUNK\xc4JUNK"))

    assert found == FRUProduct(manufacturer="ACME", name="X1")


def test_an_area_without_an_end_is_read_to_its_end(desk: Desk) -> None:
    head = bytes((1, 1)) + b"\x00\xc3abc"
    found = product(desk, summed(head.ljust(7, b"\xc0")))

    assert found.manufacturer == "abc"


def test_a_size_that_is_a_lie_is_no_loop(desk: Desk) -> None:
    def lie(request: Request) -> bytes:
        return b"\0\xff\xff\0" if request.command == 0x10 else b"\0\0"

    assert talk(ReadFRU(), lie)[0] == FRU()


def test_an_answer_shorter_than_it_says_is_nonsense() -> None:
    def short(request: Request) -> bytes:
        return b"\0\x40\0\0" if request.command == 0x10 else b"\0\x08abc"

    with pytest.raises(Nonsense, match="less of its inventory"):
        talk(ReadFRU(), short)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (Kind.LATIN, b" Acme\xff\xff", "Acme"),
        (Kind.LATIN, b"A\x00\x1b[31mB", "A[31mB"),
        (Kind.LATIN, b"  ", None),
        (Kind.BCD, b"\x05\x12\xbc", "0512-."),
        (Kind.PACKED, b"\x29\xdc\xa6", "IPMI"),
        (Kind.PACKED, b"\x29\xdc", "IP"),
        (Kind.BINARY, b"\x00\x7f", "007f"),
        (Kind.BINARY, b"", None),
    ],
)
def test_each_kind_of_text_is_decoded(kind: Kind, data: bytes, text: str | None) -> None:
    """The packed one is the specification's own example (Platform Management FRU 1.0, 13.1)."""
    assert decoded(kind, data) == text
