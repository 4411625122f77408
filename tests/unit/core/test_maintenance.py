"""What maintenance by hand changes, and what it leaves alone."""

from dataclasses import replace
from typing import Any

import pytest

from castiron.actors.core import maintenance
from castiron.actors.core.aside import put_aside, taken_back
from castiron.actors.core.messages import SetMaintenance
from castiron.store.records import NodeRecord, NodeUpdate
from castiron.transport.vocabulary import Fault, Instant
from tests.support.store_records import plain_node

HEALTHY: dict[str, Any] = {}
BY_HAND: dict[str, Any] = {"maintenance": True, "maintenance_reason": "fan"}
FAULTY: dict[str, Any] = {"maintenance": True, "maintenance_reason": "no answer", "fault": Fault.POWER_FAILURE}
FAULT_ALONE: dict[str, Any] = {"fault": Fault.POWER_FAILURE}


def after(given: dict[str, Any], reason: str | None = None, *, to: bool = True) -> NodeRecord:
    record = plain_node(**given)
    message = SetMaintenance(maintenance=to, reason=reason, requester="ipc", reply_to=None)
    return replace(record, **maintenance.changes(record, message))


@pytest.mark.parametrize(
    ("given", "reason", "kept"),
    [
        (HEALTHY, None, None),
        (HEALTHY, "disk", "disk"),
        (BY_HAND, None, "fan"),
        (BY_HAND, "disk", "disk"),
        (FAULTY, None, None),
        (FAULTY, "disk", "disk"),
        (FAULT_ALONE, None, None),
    ],
)
def test_set_by_hand_it_is_by_hand_whatever_it_was(given: dict[str, Any], reason: str | None, kept: str | None) -> None:
    record = after(given, reason)

    assert (record.maintenance, record.maintenance_reason, record.fault) == (True, kept, None)


@pytest.mark.parametrize("given", [HEALTHY, BY_HAND, FAULTY, FAULT_ALONE])
def test_unset_nothing_is_left_of_it(given: dict[str, Any]) -> None:
    record = after(given, to=False)

    assert (record.maintenance, record.maintenance_reason, record.fault) == (False, None, None)


@pytest.mark.parametrize(
    ("given", "reason", "to"), [(HEALTHY, None, False), (BY_HAND, None, True), (BY_HAND, "fan", True)]
)
def test_what_is_so_already_is_not_changed(given: dict[str, Any], reason: str | None, to: bool) -> None:
    message = SetMaintenance(maintenance=to, reason=reason, requester="ipc", reply_to=None)

    assert maintenance.changes(plain_node(**given), message) == {}


def test_the_event_tells_what_was_and_what_is() -> None:
    before = plain_node(**FAULTY)

    told = maintenance.told(before, after(FAULTY, "disk"), "ipc")

    assert told == {
        "requester": "ipc",
        "maintenance": True,
        "reason": "disk",
        "previous_maintenance": True,
        "previous_reason": "no answer",
        "previous_fault": "power failure",
    }


@pytest.mark.parametrize("given", [HEALTHY, FAULTY, {**FAULTY, "fault": Fault.ACTOR_FAILURE}])
@pytest.mark.parametrize("reason", [None, "disk"])
def test_what_was_set_by_hand_outlives_a_failing_actor(given: dict[str, Any], reason: str | None) -> None:
    change = put_aside(after(given, reason), [], Instant(9000.0), 6)
    assert isinstance(change.node, NodeUpdate)

    back = replace(change.node.record, **taken_back(change.node.record))

    assert (back.maintenance, back.maintenance_reason, back.fault) == (True, reason, None)
