"""What is written when a node is put aside, and when it is taken back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from castiron.actors.core.aside import put_aside, taken_back
from castiron.actors.core.messages import Recover
from castiron.actors.core.requests.obstacles import aside
from castiron.store.records import NodeRecord, NodeUpdate, RequestRecord
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import (
    Applied,
    EventType,
    Fault,
    Instant,
    PowerState,
    ProvisionState,
    ProvisionTarget,
    RequestState,
)
from tests.support.node_world import World
from tests.support.store_records import plain_node, plain_request

NOW = Instant(9000.0)
REASON = "Its actor failed 6 times in a short time; the conductor's log says why."
BY_HAND: dict[str, Any] = {"maintenance": True, "maintenance_reason": "fan broken"}


def running(number: int = 1, verb: str = "node.power.set") -> RequestRecord:
    return plain_request(number, verb=verb, state=RequestState.RUNNING, started_at=Instant(0.0), progress={"leg": 0})


def put(record: NodeRecord | None = None, *requests: RequestRecord) -> NodeRecord:
    change = put_aside(record or plain_node(), list(requests), NOW, 6, error_id="e-1")
    assert isinstance(change.node, NodeUpdate)
    return change.node.record


def test_the_node_says_so() -> None:
    record = plain_node(target_power_state=PowerState.ON, power_state=PowerState.OFF)

    after = put(record)

    assert (after.maintenance, after.maintenance_reason, after.fault) == (True, REASON, Fault.ACTOR_FAILURE)
    assert (after.target_power_state, after.power_state, after.last_error) == (None, PowerState.OFF, REASON)
    assert (after.revision, after.node_seq, after.updated_at) == (record.revision + 1, record.node_seq + 1, NOW)


def test_everything_that_had_not_ended_ends_as_failed_and_says_whether_it_was_applied() -> None:
    reading = running(2, "node.boot_device.get")
    waiting = plain_request(3, state=RequestState.QUEUED)

    change = put_aside(plain_node(), [running(1), reading, waiting], NOW, 6, error_id="e-1")

    assert [request.applied for request in change.requests] == [Applied.UNKNOWN, Applied.NO, Applied.NO]
    for request in change.requests:
        assert (request.state, request.ended_at, request.progress) == (RequestState.FAILED, NOW, {})
        assert request.error is not None
        assert request.error["code"] == "internal"
        assert request.error["message"] == f"The node was put aside. {REASON}"
        assert request.error["applied"] == request.applied


def test_for_each_start_that_was_announced_there_is_an_error_and_then_the_fault() -> None:
    record = plain_node(power_state=PowerState.OFF, target_power_state=PowerState.ON)
    waiting = plain_request(3, state=RequestState.QUEUED)

    change = put_aside(record, [running(1), running(2, "node.boot_device.get"), waiting], NOW, 6, error_id="e-1")

    error, unstarted, fault = change.events
    types = [EventType.POWER_SET_ERROR, EventType.REQUEST_END, EventType.NODE_FAULT_SET]
    assert [event.type for event in change.events] == types
    assert (unstarted.request_id, unstarted.payload["state"]) == (waiting.id, "failed")
    assert error.request_id == running(1).id
    told = {"requester": "ipc", "to_power": "power on", "power_state": "power off"}
    assert error.payload == {**told, "error": change.requests[0].error}
    assert fault.payload == {"fault": "actor failure", "reason": REASON, "error_id": "e-1"}
    assert error.payload["error"]["error_id"] == "e-1", "one id through answer, event and log"
    assert isinstance(change.node, NodeUpdate)
    assert change.node.record.node_seq == record.node_seq + 3


def test_a_request_that_this_version_does_not_understand_ends_as_well() -> None:
    strange = plain_request(1, arguments={"target": "sideways"}, state=RequestState.RUNNING, started_at=Instant(1.0))
    device = plain_request(2, verb="node.boot_device.set", arguments={}, started_at=Instant(1.0))

    change = put_aside(plain_node(), [strange, device], NOW, 6, error_id="e-1")

    assert [event.type for event in change.events[:2]] == [EventType.POWER_SET_ERROR, EventType.BOOT_DEVICE_SET_ERROR]


@pytest.mark.parametrize("times", [1, 2])
def test_maintenance_that_was_set_by_hand_is_never_left_automatically(times: int) -> None:
    record = plain_node(**BY_HAND)

    for _ in range(times):
        record = put(record)

    assert (record.maintenance, record.maintenance_reason, record.last_error) == (True, "fan broken", REASON)
    assert taken_back(record) == {"fault": None}


@pytest.mark.parametrize("times", [1, 2])
def test_a_node_that_is_taken_back_is_as_before(times: int) -> None:
    record = plain_node()
    for _ in range(times):
        record = put(record)

    assert taken_back(record) == {"fault": None, "maintenance": False, "maintenance_reason": None}


def test_a_fault_of_its_power_was_set_by_no_hand_whatever_failed_since() -> None:
    check: dict[str, Any] = {
        "maintenance": True,
        "maintenance_reason": "Its BMC gave no power state.",
        "fault": Fault.POWER_FAILURE,
    }
    record = put(plain_node(**check, last_error="A request failed since."))

    assert taken_back(record) == {"fault": None, "maintenance": False, "maintenance_reason": None}


@pytest.mark.parametrize("record", [plain_node(), plain_node(**BY_HAND), plain_node(fault=Fault.POWER_FAILURE)])
def test_what_was_not_put_aside_is_not_taken_back(record: NodeRecord) -> None:
    assert taken_back(record) == {}
    assert aside(record) is None


def test_a_node_that_was_put_aside_says_why_it_takes_nothing() -> None:
    error = aside(put())

    assert error is not None
    assert error.message == f"n1 was put aside: {REASON} `castiron node maintenance unset n1` tries it again."
    assert error.details == {"node": "n1", "reason": REASON, "fault": "actor failure"}


def moving(**changes: Any) -> tuple[NodeRecord, RequestRecord]:
    """A node that deploys, with one step done and one under way, as they are on disk."""
    world = World(record=plain_node(provision_state=ProvisionState.AVAILABLE))
    world.tell(Recover())
    steps = [StepWish(interface="test", step=name) for name in ("back", "blind")]
    request = world.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.DEPLOY, steps=steps))
    world.grant()
    world.advance()
    return world.record, replace(world.requests[request], **changes)


def test_a_move_ends_as_failed_and_keeps_where_its_steps_stood() -> None:
    record, request = moving()

    change = put_aside(record, [request], NOW, 6, error_id="e-1")

    (ended,) = change.requests
    assert (ended.state, ended.applied, ended.progress) == (RequestState.FAILED, Applied.YES, {})
    assert json.loads(json.dumps(ended.error)) == ended.error, "it can be stored"
    steps = (ended.error or {})["details"]["steps"]
    assert [(one["name"], one["state"]) for one in steps] == [("test.back", "success"), ("test.blind", "failure")]
    types = [EventType.STEP_ERROR, EventType.PROVISION_SET_ERROR, EventType.NODE_FAULT_SET]
    assert [event.type for event in change.events] == types
    assert isinstance(change.node, NodeUpdate)
    after = change.node.record
    assert (after.provision_state, after.target_provision_state) == (ProvisionState.DEPLOY_FAILED, "active")
    assert (after.maintenance, after.last_error) == (True, REASON)


def test_a_move_whose_steps_cannot_be_read_ends_as_well() -> None:
    record, request = moving(progress={"steps": "of a newer version"})

    change = put_aside(record, [request], NOW, 6, error_id="e-1")

    assert [one.applied for one in change.requests] == [Applied.UNKNOWN]
    assert [event.type for event in change.events] == [EventType.PROVISION_SET_ERROR, EventType.NODE_FAULT_SET]
