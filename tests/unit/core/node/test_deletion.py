"""A node is deleted, also by force, and what becomes of its requests."""

import pytest

from castiron.actors.core.effects import (
    Accept,
    ReleasePermit,
    Retire,
)
from castiron.actors.core.messages import Message, Recover, SetMaintenance, Submit
from castiron.transport.errors import NodeLocked, RevisionStale
from castiron.transport.verbs import AnyNodeRequest
from castiron.transport.vocabulary import Applied, EventType, Fault, NodeName, PowerState, RequestState
from tests.support.store_records import request_id
from tests.unit.core.node.messages import FREE, POWER_ON, READ_BOOT, SET_PXE, amend, refusal, remove, world


def test_a_deleted_node_is_removed_and_its_actor_retires() -> None:
    node = world()

    node.tell(remove())

    assert node.is_removed
    assert node.effects == [Retire("deleted", NodeName("n1"))]
    assert [(event.type, event.payload) for event in node.events] == [(EventType.NODE_DELETE_END, {"requester": "ipc"})]


@pytest.mark.parametrize(
    "message",
    [
        Submit(request_id=request_id(1), verb=POWER_ON, requester="ipc", reply_to="asked"),
        amend(FREE),
        remove(reply_to="asked"),
        SetMaintenance(maintenance=True, requester="ipc", reply_to="asked"),
    ],
)
def test_a_node_that_is_being_deleted_takes_nothing_more(message: Message) -> None:
    node = world(fault=Fault.ACTOR_FAILURE)
    node.tell(remove())

    node.tell(message)
    node.tell(Recover())

    error = refusal(node, "asked")
    assert isinstance(error, NodeLocked)
    assert error.message == "n1 is being deleted."
    assert error.details == {"node": "n1", "request": None, "verb": "node.delete", "age_s": None, "requester": None}


def test_a_node_whose_request_is_running_is_not_deleted() -> None:
    node = world()
    first = node.submit(POWER_ON)
    node.grant()

    node.tell(remove())

    error = refusal(node, "deleted")
    assert isinstance(error, NodeLocked)
    assert error.details["request"] == first


def test_a_request_that_waits_is_cancelled_when_its_node_is_deleted() -> None:
    node = world()
    request = node.submit(POWER_ON)

    node.tell(remove())

    ended = node.requests[request]
    assert (ended.state, ended.ended_at, ended.applied) == (RequestState.CANCELLED, node.now, Applied.NO)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["applied"]) == ("node.deleted", "no")
    assert ended.error["details"] == {"node": "n1", "node_uuid": node.record.uuid, "requester": "ipc"}
    assert [event.type for event in node.events] == [EventType.NODE_DELETE_END]
    assert node.effects == [ReleasePermit(request), Retire("deleted", NodeName("n1"))]
    assert node.is_removed
    node.check_ended()


@pytest.mark.parametrize(
    ("steps", "applied"),
    [(0, Applied.NO), (1, Applied.UNKNOWN), (2, Applied.YES)],
    ids=["looking", "control on its way", "control acknowledged"],
)
def test_a_running_request_ends_as_failed_when_its_node_is_deleted_by_force(steps: int, applied: Applied) -> None:
    node = world(PowerState.OFF)
    request = node.submit(POWER_ON)
    node.grant()
    for _ in range(steps):
        node.advance()

    node.tell(remove(force=True))

    ended = node.requests[request]
    assert (ended.state, ended.applied, ended.progress) == (RequestState.FAILED, applied, {})
    assert [event.type for event in node.events] == [
        EventType.POWER_SET_START,
        EventType.POWER_SET_ERROR,
        EventType.NODE_DELETE_END,
    ]
    assert node.events[1].payload["error"] == ended.error
    assert node.events[1].payload["to_power"] == "power on"
    node.calls.clear()  # whoever is answered after this is no longer there
    node.check_ended()


@pytest.mark.parametrize(("verb", "applied"), [(POWER_ON, Applied.UNKNOWN), (READ_BOOT, Applied.NO)])
def test_a_request_that_was_to_be_taken_up_again_ends_as_failed_by_force(
    verb: AnyNodeRequest, applied: Applied
) -> None:
    node = world()
    request = node.submit(verb)
    node.grant()
    node.crash()
    node.tell(remove(reply_to="polite"))

    node.tell(remove(force=True))

    assert isinstance(refusal(node, "polite"), NodeLocked)
    assert (node.requests[request].state, node.requests[request].applied) == (RequestState.FAILED, applied)
    node.check_ended()


def test_a_reading_that_is_cut_short_is_announced_to_nobody() -> None:
    node = world()
    request = node.submit(READ_BOOT)
    node.grant()

    node.tell(remove(force=True))

    assert node.requests[request].applied is Applied.NO
    assert [event.type for event in node.events] == [EventType.NODE_DELETE_END]


def test_a_setting_on_its_way_may_have_been_applied() -> None:
    node = world()
    request = node.submit(SET_PXE)
    node.grant()

    node.tell(remove(force=True))

    assert node.requests[request].applied is Applied.UNKNOWN


def test_a_forced_deletion_that_could_not_be_written_leaves_the_request_to_go_on() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()
    node.writes_fail = True
    node.tell(remove(force=True))

    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED
    node.check_ended()


def test_a_node_of_another_revision_is_not_deleted() -> None:
    node = world(revision=4)

    node.tell(remove(revision=3))

    assert isinstance(refusal(node, "deleted"), RevisionStale)


def test_a_deletion_that_could_not_be_written_leaves_the_node_as_it_was() -> None:
    node = world()
    node.writes_fail = True
    node.tell(remove())
    node.drain()

    assert isinstance(node.replies[node.submit(POWER_ON)][0], Accept)
