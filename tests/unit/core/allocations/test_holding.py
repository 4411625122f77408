"""A node is claimed, given back, and forgotten: one change of it and of its allocation, or none."""

from typing import Any

import pytest

from castiron.actors.core.allocations.holding import RELEASABLE
from castiron.actors.core.effects import AnswerHolding, Decision, Refuse, Retire
from castiron.actors.core.messages import Claim, Message, Release, Remove
from castiron.actors.core.node import decide
from castiron.actors.core.requests.obstacles import obstacles
from castiron.actors.core.state import NodeState
from castiron.actors.settings import Settings
from castiron.store.records import AllocationRemove, AllocationUpdate, NodeLock
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import (
    AllocationState,
    EventType,
    Instant,
    PowerState,
    ProvisionState,
    RequestState,
)
from tests.support.store_records import allocation_uuid, node_uuid, plain_allocation, plain_node, plain_request

NOW = Instant(5000.0)
OWNER = plain_allocation().owner
MOVE: dict[str, Any] = {"verb": "node.provision.set", "arguments": {"target": "deploy"}}


def standing(*requests: Any, leaving: bool = False, **changes: Any) -> NodeState:
    fields: dict[str, Any] = {
        "provision_state": ProvisionState.AVAILABLE,
        "power_state": PowerState.OFF,
        "resource_class": "baremetal",
        "traits": ("CUSTOM_A", "CUSTOM_B"),
        **changes,
    }
    return NodeState(record=plain_node(**fields), queue=requests, leaving=leaving)


def told(state: NodeState, message: Message) -> Decision:
    return decide(state, message, NOW, Settings())


def claimed(state: NodeState, **wanted: Any) -> Decision:
    return told(state, Claim(allocation=plain_allocation(**wanted), reply_to="keeper"))


def released(state: NodeState, requester: str = OWNER) -> Decision:
    return told(state, Release(allocation_uuid=allocation_uuid(1), requester=requester, reply_to="keeper"))


def refusal(decision: Decision) -> CastironError:
    (effect,) = decision.effects
    assert isinstance(effect, Refuse), decision.effects
    assert decision.change is None
    return effect.error


def test_a_node_that_can_be_had_is_claimed_in_one_change() -> None:
    decision = claimed(standing(), traits=("CUSTOM_A",))

    assert decision.change is not None
    assert decision.change.node is not None
    (write,), (event,) = decision.change.allocations, decision.change.events
    assert isinstance(write, AllocationUpdate)
    assert decision.change.node.record.allocation_uuid == write.record.uuid
    assert (write.record.state, write.record.node_uuid) == (AllocationState.ACTIVE, node_uuid(1))
    assert write.record.revision == plain_allocation().revision + 1
    assert (event.type, event.node_uuid) == (EventType.ALLOCATION_CREATE_END, node_uuid(1))
    assert decision.effects == (AnswerHolding("keeper"),)


def test_a_claim_that_comes_again_is_answered_and_changes_nothing() -> None:
    decision = claimed(standing(allocation_uuid=allocation_uuid(1), provision_state=ProvisionState.ACTIVE))

    assert (decision.change, decision.effects) == (None, (AnswerHolding("keeper"),))


LOCK = NodeLock(owner="ipc:uid=9", reason="fan", since=Instant(1.0))


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (standing(allocation_uuid=allocation_uuid(2)), "node.allocated"),
        *((standing(provision_state=at), "node.invalid_state") for at in ProvisionState if at != "available"),
        (standing(maintenance=True), "node.invalid_state"),
        (standing(retired=True), "node.invalid_state"),
        (standing(power_state=None), "node.invalid_state"),
        (standing(plain_request(**MOVE)), "node.invalid_state"),
        (standing(lock=LOCK), "node.invalid_state"),
        (standing(resource_class="other"), "node.invalid_state"),
        (standing(traits=("CUSTOM_B",)), "node.invalid_state"),
        (standing(leaving=True), "node.locked"),
    ],
    ids=str,
)
def test_a_node_that_cannot_be_had_is_not_claimed(state: NodeState, code: str) -> None:
    assert refusal(claimed(state, traits=("CUSTOM_A",))).code == code


def test_what_only_asks_for_power_is_in_nobodys_way() -> None:
    busy = plain_request(state=RequestState.QUEUED)

    assert claimed(standing(busy)).change is not None


@pytest.mark.parametrize(
    ("owner", "candidates", "is_had"),
    [("ipc:uid=9", (node_uuid(1),), True), ("ipc:uid=9", (), False), (OWNER, (node_uuid(1),), False)],
)
def test_a_locked_node_is_had_by_whoever_locked_it_and_names_it(
    owner: str, candidates: tuple[Any, ...], *, is_had: bool
) -> None:
    decision = claimed(standing(lock=LOCK), owner=owner, candidate_nodes=candidates)

    assert (decision.change is not None) == is_had


def test_a_node_that_is_no_candidate_is_not_claimed() -> None:
    assert refusal(claimed(standing(), candidate_nodes=(node_uuid(2),))).code == "node.invalid_state"


@pytest.mark.parametrize("at", ProvisionState)
def test_it_is_given_back_where_nobodys_machine_is_on_it(at: ProvisionState) -> None:
    decision = released(standing(allocation_uuid=allocation_uuid(1), provision_state=at))

    if at not in RELEASABLE:
        assert refusal(decision).code == "node.invalid_state"
        return
    assert decision.change is not None
    assert decision.state.record.allocation_uuid is None
    assert decision.change.allocations == (AllocationRemove(uuid=allocation_uuid(1)),)
    assert [event.type for event in decision.change.events] == [EventType.ALLOCATION_DELETE_END]
    assert decision.effects == (AnswerHolding("keeper"),)


@pytest.mark.parametrize("at", ProvisionState)
def test_in_maintenance_it_is_always_given_back(at: ProvisionState) -> None:
    held = standing(allocation_uuid=allocation_uuid(1), provision_state=at, maintenance=True)

    assert released(held).change is not None


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (standing(), "allocation.not_found"),
        (standing(allocation_uuid=allocation_uuid(2)), "allocation.not_found"),
        (standing(plain_request(**MOVE), allocation_uuid=allocation_uuid(1)), "node.invalid_state"),
        (standing(allocation_uuid=allocation_uuid(1), lock=LOCK), "node.lock_held"),
        (standing(allocation_uuid=allocation_uuid(1), leaving=True), "node.locked"),
    ],
)
def test_it_is_not_given_back_by_others_or_on_its_way(state: NodeState, code: str) -> None:
    assert refusal(released(state)).code == code


def removal(*, force: bool) -> Remove:
    return Remove(force=force, requester=OWNER, reply_to="user")


def test_a_node_that_is_held_is_not_forgotten_and_its_view_says_so() -> None:
    state = standing(allocation_uuid=allocation_uuid(1))

    assert refusal(told(state, removal(force=False))).code == "node.allocated"
    shown = obstacles(state)["node.delete"]
    assert isinstance(shown, CastironError)
    assert shown.code == "node.allocated"


@pytest.mark.parametrize(("force", "maintenance"), [(True, False), (False, True)])
def test_a_node_that_is_forgotten_all_the_same_takes_its_allocation_along(*, force: bool, maintenance: bool) -> None:
    state = standing(allocation_uuid=allocation_uuid(1), maintenance=maintenance)

    decision = told(state, removal(force=force))

    assert decision.change is not None
    assert decision.change.allocations == (AllocationRemove(uuid=allocation_uuid(1)),)
    assert [event.type for event in decision.change.events][-2:] == [
        EventType.ALLOCATION_DELETE_END,
        EventType.NODE_DELETE_END,
    ]
    assert any(isinstance(effect, Retire) for effect in decision.effects)
