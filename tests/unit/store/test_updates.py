"""Of a row on disk is written what has changed of it, whatever that is, and in an order that nobody notices."""

from dataclasses import replace
from typing import Any

import pytest

from castiron.store.records import EMPTY, TraceEntry
from castiron.store.sql.updates.calls import calls
from castiron.store.sql.updates.moving import Write, node_moved, request_moved
from castiron.transport.vocabulary import Applied, Instant, PowerState, RequestState, Revision, TraceWord
from tests.support.store_records import plain_node, plain_request

MOVED: dict[str, Any] = {
    "state": RequestState.RUNNING,
    "started_at": Instant(1.0),
    "ended_at": Instant(2.0),
    "overdue_at": Instant(3.0),
    "attempts": 7,
    "applied": Applied.YES,
    "abort_by": "somebody",
    "merged": 2,
    "deadline_at": Instant(4.0),
    "requesters": {"somebody": None, "another": 5.0},
    "progress": {"sent": True},
    "result": {"power_state": "power on"},
    "error": {"code": "bmc.fault"},
    "trace": (TraceEntry(word=TraceWord.STARTED, at=Instant(1.0)),),
}


def test_what_has_not_changed_is_not_named() -> None:
    before = plain_node(1)
    write = node_moved(replace(before, revision=Revision(2), power_state=PowerState.ON), before)

    assert write is not None
    assert write.statement == (
        "UPDATE nodes SET power_state = ?, updated_at = ?, revision = ?, node_seq = ? "
        "WHERE uuid = ? AND epoch = ? AND revision = ?"
    )
    assert write.row == ("power on", before.updated_at, 2, before.node_seq, before.uuid, before.epoch, 1)


@pytest.mark.parametrize("field", MOVED)
def test_whatever_of_a_request_goes_on_is_named(field: str) -> None:
    before = plain_request(1)
    write = request_moved(replace(before, **{field: MOVED[field]}), before)

    assert write is not None
    assert f"{field} = ?" in write.statement


def test_an_error_is_written_with_the_code_by_which_it_is_found() -> None:
    before = plain_request(1)
    write = request_moved(replace(before, error=MOVED["error"]), before)

    assert write is not None
    assert write.row[-2:] == ("bmc.fault", before.id)


def test_where_anything_else_has_changed_or_a_revision_is_missing_the_row_is_written_whole() -> None:
    node, request = plain_node(1), plain_request(1)

    assert node_moved(replace(node, revision=Revision(2), extra={"a": 1}), node) is None
    assert node_moved(replace(node, revision=Revision(3)), node) is None
    assert request_moved(replace(request, hold=not request.hold), request) is None
    assert request_moved(replace(request, callbacks={"https://there/": ("somebody",)}), request) is None
    assert request_moved(replace(request, requesters=EMPTY), request) is not None


def test_writes_of_one_row_keep_their_order_and_others_share_a_call() -> None:
    writes = [Write(word[0], (number,), word[1], word) for number, word in enumerate(["ax", "by", "az", "bx"])]
    made = [(statement, [write.row[0] for write in group]) for statement, group in calls(writes)]

    assert made == [("a", [0, 2]), ("b", [1]), ("b", [3])]


def test_what_is_to_be_in_order_overtakes_nothing() -> None:
    writes = [Write(word[0], (), word[1], word) for word in ["ax", "by", "az", "bv", "bw"]]
    made = [(statement, [write.key for write in group]) for statement, group in calls(writes, in_order=frozenset("b"))]

    assert made == [("a", ["x"]), ("b", ["y"]), ("a", ["z"]), ("b", ["v", "w"])]
