"""What a node's guards refuse: the table names every case, and whatever is decided goes by it."""

from itertools import product
from typing import Any

import pytest

from castiron.actors.core.effects import AnswerNode, Refuse, TellFleet
from castiron.actors.core.machines.legs import LEGS
from castiron.actors.core.messages import Amendment, Direct, Order, SetLock
from castiron.actors.core.node import decide
from castiron.actors.core.provision.courses import finish_of
from castiron.actors.core.requests.compatibility import HINDRANCES
from castiron.actors.core.requests.guards import ACTIONS, GUARDS, Guard, action_of_verb, guarded
from castiron.actors.core.state import NodeState
from castiron.actors.core.views import node_view
from castiron.store.records import NodeLock, NodeRecord
from castiron.store.records.copying import replace
from castiron.transport import errors
from castiron.transport.errors import CastironError
from castiron.transport.verbs import (
    AnyNodeRequest,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodePowerSet,
    NodeProvisionSet,
    StepWish,
)
from castiron.transport.vocabulary import (
    EventType,
    Instant,
    PowerState,
    PowerTarget,
    ProvisionEvent,
    ProvisionState,
    ProvisionTarget,
    RequestState,
)
from tests.support.node_settings import SETTINGS
from tests.support.store_records import plain_node
from tests.unit.core.node.messages import amend, maintain, refusal, remove, types, world

LOCK = NodeLock(owner="curve:ann", reason="fan", since=Instant(900.0))
STANDING: dict[Guard, tuple[dict[str, Any], type[CastironError]]] = {
    Guard.PROTECTED: ({"protected": True, "protected_reason": "db"}, errors.NodeProtected),
    Guard.RETIRED: ({"retired": True, "retired_reason": "old"}, errors.NodeRetired),
    Guard.NO_POWER_OFF: ({"disable_power_off": True}, errors.PowerOffDisabled),
    Guard.LOCK: ({"lock": LOCK}, errors.NodeLockHeld),
}
"""Guard → the record that it stands in, and what refuses."""
REQUESTS: list[AnyNodeRequest] = [
    *(NodePowerSet(node="n1", target=target) for target in PowerTarget),
    *(NodeProvisionSet(node="n1", target=target, steps=[]) for target in ProvisionTarget),
    NodeBootDeviceSet(node="n1", boot_device="pxe"),
    NodeBootDeviceGet(node="n1"),
]


def guarded_node(guard: Guard, **record: Any) -> NodeRecord:
    return plain_node(**STANDING[guard][0], **record)


def lock(requester: str = "curve:ann (cli)", *, is_locked: bool = True, **fields: Any) -> SetLock:
    return SetLock(is_locked=is_locked, requester=requester, reply_to="asked", **fields)


def marks(**attributes: Any) -> Any:
    return amend(Amendment(attributes=attributes))


def test_every_guard_has_a_row_with_a_reason_for_all_that_can_be_asked() -> None:
    assert set(GUARDS) == set(product(Guard, ACTIONS))
    assert all(why for _, why in GUARDS.values())
    assert {action_of_verb(verb) for verb in REQUESTS} | set(HINDRANCES) <= set(ACTIONS)


def test_the_table_refuses_what_it_is_there_for() -> None:
    refused = {guard: {action for action in ACTIONS if not GUARDS[guard, action][0]} for guard in Guard}

    assert refused[Guard.PROTECTED] == {
        "node.provision.set (undeploy)",
        "node.provision.set (rebuild)",
        "node.delete",
        "node.delete (force)",
    }
    assert refused[Guard.RETIRED] == {"node.provision.set (provide)"}
    assert refused[Guard.NO_POWER_OFF] == {
        f"node.power.set ({target})" for target in PowerTarget if target != "power on"
    }
    assert set(ACTIONS) - refused[Guard.LOCK] == {
        "node.boot_device.get",
        "node.step.done",
        "node.step.progress",
        "request.cancel",
    }
    assert set(LEGS) == set(PowerTarget)


@pytest.mark.parametrize(("guard", "action"), list(product(Guard, ACTIONS)))
def test_each_row_is_judged_as_it_says_with_the_error_of_its_guard(guard: Guard, action: str) -> None:
    is_taken, _ = GUARDS[guard, action]

    error = guarded(guarded_node(guard), action, "ipc")

    assert isinstance(error, type(None) if is_taken else STANDING[guard][1])
    assert guarded(plain_node(), action, "ipc") is None


@pytest.mark.parametrize("action", ACTIONS)
def test_a_lock_binds_everybody_but_its_owner_whatever_they_call_themselves(action: str) -> None:
    record = guarded_node(Guard.LOCK)

    assert guarded(record, action, "curve:ann (another program)") is None
    assert guarded(record, action, None) == guarded(record, action, "curve:bob") or guarded(record, action, None)


def test_a_refusal_says_who_has_the_lock_and_why() -> None:
    error = guarded(guarded_node(Guard.LOCK), "node.set", "curve:bob")

    assert error is not None
    assert error.details == {"node": "n1", "owner": "curve:ann", "reason": "fan", "since": 900.0}
    assert "curve:ann: fan" in error.message


@pytest.mark.parametrize(("guard", "verb"), list(product(Guard, REQUESTS)), ids=str)
def test_a_request_is_refused_before_anything_is_accepted(guard: Guard, verb: Any) -> None:
    node = world(provision_state=ProvisionState.ACTIVE, **STANDING[guard][0])
    is_taken, _ = GUARDS[guard, action_of_verb(verb)]
    before = len(node.events)

    request = node.submit(verb)

    if not is_taken:
        assert isinstance(refusal(node, request), STANDING[guard][1])
        assert (request in node.requests, len(node.events), node.granted) == (False, before, [])
    else:
        assert not any(isinstance(getattr(one, "error", None), STANDING[guard][1]) for one in node.replies[request])


@pytest.mark.parametrize(
    ("changes", "verb"),
    [
        ({"protected": True}, NodeProvisionSet(node="n1", target=ProvisionTarget.UNDEPLOY, steps=[])),
        ({"disable_power_off": True}, NodePowerSet(node="n1", target=PowerTarget.REBOOT)),
        (
            {"disable_power_off": True},
            NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=[StepWish(step="reboot")]),
        ),
    ],
)
def test_a_guard_that_is_set_while_a_request_waits_fails_it_without_a_start(changes: Any, verb: Any) -> None:
    node = world(PowerState.ON, provision_state=ProvisionState.ACTIVE)
    request = node.submit(verb)

    node.tell(marks(**changes))
    node.grant()

    ended = node.requests[request]
    assert ended.state is RequestState.FAILED
    assert types(node, request) == [EventType.REQUEST_END]
    assert (ended.error or {})["code"] in {errors.NodeProtected.code, errors.PowerOffDisabled.code}
    assert node.record.provision_state is ProvisionState.ACTIVE
    assert node.state.permit is None


def test_a_guard_that_is_set_while_a_request_runs_leaves_it_alone() -> None:
    node = world(PowerState.ON)
    request = node.submit(NodePowerSet(node="n1", target=PowerTarget.OFF))
    node.grant()

    node.tell(marks(disable_power_off=True))
    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED


def test_a_lock_binds_only_those_who_come_after_it() -> None:
    node = world()
    request = node.submit(NodePowerSet(node="n1", target=PowerTarget.ON))

    node.tell(lock())
    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED


def test_others_neither_change_nor_move_nor_abort_what_is_locked() -> None:
    node = world(lock=LOCK)
    for message in (amend(Amendment(attributes={"extra": {"a": 1}})), maintain(), maintain(maintenance=False)):
        node.replies.clear()
        node.tell(message)
        assert isinstance(refusal(node, "asked"), errors.NodeLockHeld)
    node.tell(remove(force=True))
    assert isinstance(refusal(node, "deleted"), errors.NodeLockHeld)
    node.tell(Direct(order=Order.ABORT, requester="ipc", reply_to="order"))
    assert isinstance(refusal(node, "order"), errors.NodeLockHeld)
    assert node.record.lock == LOCK


def test_the_fleet_is_told_that_a_locked_node_keeps_its_name() -> None:
    node = world(lock=LOCK)

    node.tell(amend(Amendment(attributes={"extra": {"a": 1}})))

    assert node.effects[0] == TellFleet(applied=False)


def test_a_running_request_is_aborted_by_nobody_but_who_has_the_lock() -> None:
    node = world()
    request = node.submit(NodePowerSet(node="n1", target=PowerTarget.ON))
    node.grant()
    node.tell(lock())

    asked = node.withdraw(request, is_abort=True)

    assert isinstance(refusal(node, asked), errors.NodeLockHeld)
    assert node.requests[request].abort_by is None


def test_a_lock_is_set_once_kept_and_told_and_given_back() -> None:
    node = world()

    node.tell(lock(reason="fan"))
    since = node.record.lock.since if node.record.lock else None
    node.tell(lock("curve:ann"))
    node.tell(lock("curve:ann", reason="disk"))
    kept = node.record.lock
    node.tell(lock(is_locked=False))
    node.tell(lock(is_locked=False))

    assert kept == NodeLock(owner="curve:ann", reason="disk", since=Instant(since or 0.0))
    assert node.record.lock is None
    assert [(one.payload["owner"], one.payload["reason"]) for one in node.events] == [
        ("curve:ann", "fan"),
        ("curve:ann", "disk"),
        (None, None),
    ]
    assert {one.type for one in node.events} == {EventType.LOCK_SET_END}
    assert node.effects == [AnswerNode("asked")]


@pytest.mark.parametrize("is_locked", [True, False])
def test_somebody_elses_lock_stays_unless_it_is_forced(is_locked: bool) -> None:
    node = world(lock=LOCK)

    node.tell(lock("curve:bob", is_locked=is_locked))
    assert isinstance(refusal(node, "asked"), errors.NodeLockHeld)
    assert node.record.lock == LOCK

    node.tell(lock("curve:bob", is_locked=False, force=True))
    assert node.record.lock is None


# Fields that only go together, or only in some states.


@pytest.mark.parametrize("state", ProvisionState)
def test_guards_are_set_where_they_make_sense(state: ProvisionState) -> None:
    in_use = {ProvisionState.ACTIVE, ProvisionState.RESCUE}
    unchosen = {"enroll", "manageable", "inspecting", "inspect wait", "available"}
    expected = {"protected": state in in_use, "retired": state != "available", "resource_class": state in unchosen}
    for name, is_set in expected.items():
        node = NodeState(record=plain_node(provision_state=state, resource_class="old"))

        decision = decide(node, marks(**{name: "new" if name == "resource_class" else True}), Instant(1.0), SETTINGS)

        refusals = [effect.error.code for effect in decision.effects if isinstance(effect, Refuse)]
        assert refusals == ([] if is_set else [errors.NodeStateInvalid.code]), name
        assert (decision.change is not None) is is_set


def test_a_first_resource_class_is_set_anywhere() -> None:
    node = world(provision_state=ProvisionState.ACTIVE)

    node.tell(marks(resource_class="baremetal"))

    assert node.record.resource_class == "baremetal"


@pytest.mark.parametrize("guard", ["protected", "retired"])
def test_a_reason_comes_and_goes_with_its_guard(guard: str) -> None:
    node = world(provision_state=ProvisionState.ACTIVE)

    node.tell(marks(**{f"{guard}_reason": "because"}))
    error = refusal(node, "asked")
    node.tell(marks(**{guard: True, f"{guard}_reason": "because"}))
    reason = getattr(node.record, f"{guard}_reason")
    node.tell(marks(**{guard: False}))

    assert isinstance(error, errors.ArgumentInvalid)
    assert error.details == {"path": f"$.{guard}_reason"}
    assert reason == "because"
    assert (getattr(node.record, guard), getattr(node.record, f"{guard}_reason")) == (False, None)
    assert node.events[-1].payload["changed"] == [guard, f"{guard}_reason"]


# What is retired is cleaned, and not offered.


def test_a_retired_node_that_is_given_back_is_manageable_once_it_is_clean() -> None:
    node = world(PowerState.ON, provision_state=ProvisionState.ACTIVE, retired=True)

    request = node.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.UNDEPLOY))
    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED
    assert node.record.provision_state is ProvisionState.MANAGEABLE
    assert {
        one.payload["target_provision_state"] for one in node.told(request) if "cleaning" in one.payload.values()
    } <= {
        "manageable",
        None,
    }


def test_what_is_retired_while_it_is_being_cleaned_is_not_offered() -> None:
    assert finish_of(ProvisionState.CLEANING, ProvisionTarget.PROVIDE, is_retired=True) is ProvisionEvent.MANAGE
    assert finish_of(ProvisionState.CLEANING, ProvisionTarget.PROVIDE, is_retired=False) is ProvisionEvent.DONE
    assert finish_of(ProvisionState.DEPLOYING, ProvisionTarget.DEPLOY, is_retired=True) is ProvisionEvent.DONE


# A machine that must not be powered off.


@pytest.mark.parametrize("step", ["power_off", "reboot"])
def test_a_list_with_a_step_that_powers_off_is_refused_in_planning(step: str) -> None:
    node = world(PowerState.ON, provision_state=ProvisionState.ACTIVE, disable_power_off=True)
    steps = [StepWish(step="power_on"), StepWish(step=step)]

    with pytest.raises(errors.PowerOffDisabled) as refused:
        node.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=steps))

    assert refused.value.details == {"node": "n1", "path": "$.steps[1]", "step": step}


def test_giving_back_a_machine_that_must_not_be_powered_off_leaves_it_on() -> None:
    node = world(PowerState.ON, provision_state=ProvisionState.ACTIVE, disable_power_off=True)

    request = node.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.UNDEPLOY))
    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED
    assert node.record.provision_state is ProvisionState.AVAILABLE
    assert node.machine.power is PowerState.ON


def test_what_a_node_would_refuse_is_told() -> None:
    protected = node_view(replace(world().state, record=guarded_node(Guard.PROTECTED)), Instant(1.0))
    locked = node_view(replace(world().state, record=guarded_node(Guard.LOCK)), Instant(1.0))

    assert protected.refuses["node.delete"].startswith("node.protected: n1 is protected: db.")
    assert "node.power.set" in protected.accepts
    assert locked.accepts == ["node.boot_device.get"]
    assert locked.refuses["node.power.set"].startswith("node.lock_held: n1 is locked by curve:ann: fan.")
