"""Each event is a line of the log, as loud as it deserves, with the numbers under which the same is found elsewhere."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from castiron.actors.published.board import Board
from castiron.actors.published.herald import Herald, level_of, line_of
from castiron.store.records import Commit, EventDraft, EventRecord
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventSeq, EventType, Instant, NodeName, NodeSeq, RequestID
from tests.support.store_records import node_uuid, request_id


class Stream:
    def __init__(self) -> None:
        self.published: list[EventView] = []

    def publish(self, happened: Sequence[EventView]) -> None:
        self.published += happened


def commit(type_: EventType, request: RequestID | None = None, **payload: Any) -> Commit:
    draft = EventDraft(
        type=type_,
        at=Instant(1.0),
        node_uuid=node_uuid(1),
        node_name=NodeName("n1"),
        request_id=request,
        payload=payload,
    )
    return Commit(events=(EventRecord(seq=EventSeq(7), node_seq=NodeSeq(3), draft=draft),), seq=EventSeq(7))


@pytest.mark.parametrize(
    ("type_", "level"),
    [
        (EventType.POWER_SET_START, logging.DEBUG),
        (EventType.POWER_SET_END, logging.INFO),
        (EventType.POWER_SET_ERROR, logging.WARNING),
        (EventType.POWER_STATE_CORRECTED, logging.WARNING),
        (EventType.NODE_FAULT_SET, logging.WARNING),
        (EventType.NODE_FAULT_CLEARED, logging.INFO),
        (EventType.NODE_UPDATE_END, logging.INFO),
    ],
)
def test_what_failed_is_louder_than_what_was_done_and_that_than_what_begins(type_: EventType, level: int) -> None:
    payload = {"from_power": "power on", "power_state": "power off"}
    assert level_of(EventView(seq=1, type=type_, at=0.0, payload=payload)) == level


def test_a_machine_that_is_seen_for_the_first_time_was_not_switched_by_anybody() -> None:
    seen = EventView(
        seq=1, type=EventType.POWER_STATE_CORRECTED, at=0.0, payload={"from_power": None, "power_state": "power on"}
    )

    assert level_of(seen) == logging.INFO


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (
            commit(EventType.POWER_SET_END, requester="ipc:uid=7", to_power="power on", power_state="power on"),
            "n1: node.power_set.end: to_power power on, power_state power on, by ipc:uid=7",
        ),
        (
            commit(EventType.POWER_SET_ERROR, requester="me", error={"code": "bmc.busy", "message": "It is busy."}),
            "n1: node.power_set.error: bmc.busy: It is busy., by me",
        ),
        (
            commit(EventType.NODE_UPDATE_END, requester="me", changes={"name": {"from": "n1", "to": "n2"}}),
            "n1: node.update.end: changed name, by me",
        ),
        (commit(EventType.NODE_DELETE_END), "n1: node.delete.end"),
    ],
)
def test_a_line_says_what_happened_to_which_node_how_and_who_asked(happened: Commit, line: str) -> None:
    stream = Stream()
    Herald(Board(max_waiters=1, seq=EventSeq(0)), stream).landed([happened])

    assert [line_of(event) for event in stream.published] == [line]


def test_a_line_carries_the_numbers_of_event_request_node_and_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    error = {"code": "internal", "message": "A fault.", "error_id": "e-1"}
    herald = Herald(Board(max_waiters=1, seq=EventSeq(0)), Stream())

    herald.landed([commit(EventType.POWER_SET_ERROR, request_id(5), error=error)])

    (record,) = caplog.records
    told = {name: vars(record)[name] for name in ("event", "node", "node_uuid", "request", "error_id")}
    assert told == {
        "event": 7,
        "node": "n1",
        "node_uuid": node_uuid(1),
        "request": request_id(5),
        "error_id": "e-1",
    }


def test_a_line_says_which_step_it_is_of_and_where_a_node_has_moved() -> None:
    stream = Stream()
    herald = Herald(Board(max_waiters=1, seq=EventSeq(0)), stream)
    step: dict[str, Any] = {
        "name": "reboot#2",
        "position": 2,
        "count": 5,
        "power_state": "power on",
        "requester": "ann",
    }
    way: dict[str, Any] = {
        "previous_provision_state": "deploying",
        "provision_state": "active",
        "power_state": "power on",
    }

    herald.landed([commit(EventType.STEP_END, **step), commit(EventType.PROVISION_SET_END, **way)])

    assert [line_of(event) for event in stream.published] == [
        "n1: node.step.end: reboot#2, 2 of 5, by ann",
        "n1: node.provision_set.end: deploying -> active",
    ]
