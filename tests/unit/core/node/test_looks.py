"""What of a node's state others see, so that it is shown to them when that changes, and not for anything less."""

from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from castiron.actors.core.allocations.fitness import stands_as
from castiron.actors.core.state import Check, NodeState, Ticket
from castiron.transport.vocabulary import Instant
from tests.support.store_records import plain_node

STATE = NodeState(record=plain_node(), check=Check(is_begun=True, failures=1, agreed_at=Instant(5.0)))


@pytest.mark.parametrize(
    "check", [{"call": Ticket(4), "timer": None, "started_at": Instant(7.0)}, {"timer": Ticket(3)}, {"late_s": 0.2}]
)
def test_when_a_node_is_checked_is_its_owners_own_affair(check: dict[str, Any]) -> None:
    checking = replace(STATE, check=structs.replace(STATE.check, **check), tickets=9)
    assert checking.looks_like(STATE)
    assert stands_as(checking, STATE)


@pytest.mark.parametrize("check", [{"failures": 2}, {"agreed_at": Instant(6.0)}, {"is_begun": False}])
def test_what_a_check_has_found_is_seen_and_changes_nobodys_chances(check: dict[str, Any]) -> None:
    checked = replace(STATE, check=structs.replace(STATE.check, **check))
    assert not checked.looks_like(STATE)
    assert stands_as(checked, STATE)


def test_a_changed_record_is_seen() -> None:
    amended = STATE.recording(extra={"rack": 3})
    assert not amended.looks_like(STATE)
    assert not stands_as(amended, STATE)


def test_each_part_of_a_state_is_either_seen_by_others_or_not() -> None:
    seen = {"record", "active", "queue", "interrupted", "parked", "permit", "leaving", "check"}
    own = {"queue_limit", "expiry", "tickets", "streaks"}
    assert set(NodeState.__struct_fields__) == seen | own, "say in NodeState.looks_like whether it is seen"
