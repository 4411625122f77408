"""What browsers are sent: numbered, kept within bounds, and all of it anew for those who fall behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from castiron.cli.web.board import RECENT, Board
from castiron.cli.web.feed import NOWHERE, Feed
from castiron.cli.web.routes import pieces
from tests.support.driven import driven


def board_of(**bounds: int) -> Board:
    board = Board(Feed("e", **bounds))
    board.begin([{"uuid": "u1", "name": "n1"}])
    return board


def change(board: Board, *names: str) -> None:
    for name in names:
        board.note_row("u1", {"uuid": "u1", "name": name})
        board.publish()


async def message(stream: AsyncIterator[bytes]) -> tuple[str, str, Any]:
    """Return the next message's id, kind and content."""
    data = b""
    while not data.endswith(b"\n\n") or b"event: " not in data:
        piece = await anext(stream)
        data = piece if data.endswith(b"\n\n") else data + piece
    head = dict(line.split(": ", 1) for line in data.decode().strip().split("\n"))
    return head["id"], head["event"], json.loads(head["data"])


def name_in(told: tuple[str, str, Any]) -> str:
    return str(told[2]["nodes"][0]["name"])


@driven
async def test_each_change_once() -> None:
    board = board_of()
    stream = pieces(board, NOWHERE)
    assert (await message(stream))[1] == "everything"
    change(board, "a", "b")

    told = [await message(stream), await message(stream)]

    assert [name_in(one) for one in told] == ["a", "b"]
    assert [one[0] for one in told] == ["e.2", "e.3"]


@driven
async def test_a_place_that_is_kept_goes_on_there() -> None:
    board = board_of()
    change(board, "a", "b", "c")

    stream = pieces(board, board.feed.place("e.2"))

    assert [name_in(await message(stream)) for _ in range(2)] == ["b", "c"]


@driven
async def test_who_falls_behind_what_is_kept_is_sent_everything_and_then_goes_on() -> None:
    board = board_of(max_messages=3)
    stream = pieces(board, NOWHERE)
    await message(stream)
    change(board, *"abcdefgh")

    told = await message(stream)
    assert (told[1], name_in(told)) == ("everything", "h")
    change(board, "i")
    assert name_in(await message(stream)) == "i"


@driven
async def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    board = board_of(max_bytes=1000)
    stream = pieces(board, board.feed.number)
    change(board, *("x" * 400 + str(number) for number in range(5)))

    told = await message(stream)

    assert told[1] == "everything"
    assert board.feed.after(board.feed.number - 1) is not None, "the latest is kept however long it is"
    assert board.feed.after(board.feed.number - 4) is None


@driven
async def test_a_closed_feed_ends_its_readers() -> None:
    board = board_of()
    stream = pieces(board, NOWHERE)
    await message(stream)
    waiting = asyncio.ensure_future(anext(stream, b"end"))
    await asyncio.sleep(0)
    board.feed.close()

    assert await waiting == b"end"


@driven
async def test_many_changes_leave_as_one_message_with_the_latest_of_each() -> None:
    board = board_of()
    for number in range(1000):
        board.note_row("u1", {"uuid": "u1", "name": str(number)})
        board.note_row(f"v{number}", None)
        board.note_event({"seq": number})
    board.publish()

    assert board.feed.number == 3
    assert [row["name"] for row in board.seen()["nodes"]] == ["999"]
    assert [event["seq"] for event in board.seen()["events"]] == list(range(1000 - RECENT, 1000))


@driven
async def test_absence_is_told_once_and_ends_with_figures() -> None:
    board = board_of()
    for _ in range(3):
        board.miss({"code": "conductor.lost"})

    assert board.is_away
    assert board.feed.number == 2
    board.report({"nodes": {}})
    assert board.seen()["away"] is None
