"""How nodes and requests look to whoever asks."""

from dataclasses import astuple, fields, replace
from typing import Any

import pytest

from castiron.actors.core.messages import Recover
from castiron.actors.core.requests import obstacles
from castiron.actors.core.requests.obstacles import busy_with
from castiron.actors.core.state import NodeState
from castiron.actors.core.views import field_of, listed, node_view, request_view
from castiron.store.records import NodeLock, NodeRecord
from castiron.transport.replies import MASK, NodeView
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import Fault, Instant, PowerTarget, ProvisionState, RequestState
from tests.support.node_world import World
from tests.support.store_records import PASSWORD, full_node, full_request, plain_node, plain_request

NOW = Instant(9000.0)
CHANGING = [
    "node.set",
    "node.delete",
    "node.maintenance.set",
    "node.maintenance.unset",
    "node.lock.set",
    "node.lock.unset",
    "node.power.set",
    "node.boot_device.set",
    "node.boot_device.get",
    "node.provision.set",
]
SHOWN_OTHERWISE = {
    "driver_info",
    "traits",
    "lock",
    "alarms",
    "secret_keys",
    "bmc_address",
    "owner",
    "epoch",
    "node_seq",
}
NEVER_SHOWN = {"other_passwords"}


def view_of(record: NodeRecord | None = None, **state: Any) -> NodeView:
    return node_view(NodeState(record=record or plain_node(), **state), NOW)


def busy() -> World:
    node = World()
    node.tell(Recover())
    node.submit(NodePowerSet(node="n1", target=PowerTarget.ON))
    return node


@pytest.mark.parametrize("record", [plain_node(), full_node()])
def test_a_node_is_shown_as_it_is_on_record(record: NodeRecord) -> None:
    view = view_of(record)

    for item in fields(NodeRecord):
        if item.name not in SHOWN_OTHERWISE | NEVER_SHOWN:
            assert getattr(view, item.name) == getattr(record, item.name), item.name
    shown = {rule: (alarm.state, alarm.since, alarm.sensor, alarm.value) for rule, alarm in view.alarms.items()}
    assert shown == {rule: astuple(alarm) for rule, alarm in record.alarms.items()}


def test_secrets_are_masked_and_what_is_not_set_stays_nil() -> None:
    view = view_of(full_node())

    assert view.driver_info == {
        "ipmi_address": "127.0.0.1",
        "ipmi_port": 623,
        "ipmi_password": MASK,
        "ipmi_k_g": None,
    }
    assert PASSWORD not in repr(view)


def test_an_idle_node_takes_every_verb() -> None:
    view = view_of()

    assert sorted(view.accepts) == sorted(CHANGING)
    assert view.refuses == {}
    assert (view.active_request, view.queued_requests) == (None, [])


def test_a_busy_node_says_what_it_would_refuse_and_why() -> None:
    node = busy()
    obstacle = busy_with(node.state, "node.power.set", node.state.queue[0], node.now)

    view = node_view(node.state, node.now)

    free = [verb for verb in CHANGING if not verb.endswith((".power.set", "boot_device.set", "provision.set"))]
    assert view.accepts == free
    assert view.refuses == dict.fromkeys(
        [verb for verb in CHANGING if verb not in free], f"node.locked: {obstacle.message}"
    )


def test_a_node_whose_request_is_running_is_not_to_be_deleted() -> None:
    node = busy()
    node.grant()

    view = node_view(node.state, node.now)

    taken = [
        verb for verb in CHANGING if not verb.endswith((".power.set", "boot_device.set", "provision.set", ".delete"))
    ]
    assert view.accepts == taken
    assert view.refuses["node.delete"].endswith("or force the deletion: that one ends as failed then.")
    assert view.refuses["node.power.set"].endswith("or ask with another policy: after, or supersede.")


@pytest.mark.parametrize("name", NodeView.__struct_fields__)
def test_a_field_alone_is_what_it_is_in_the_view(name: str) -> None:
    state = NodeState(record=full_node())

    assert field_of(state, NOW, name) == getattr(node_view(state, NOW), name)


def test_a_node_that_was_put_aside_takes_only_what_has_it_tried_again() -> None:
    view = view_of(plain_node(fault=Fault.ACTOR_FAILURE, last_error="Its actor failed."))

    assert set(view.accepts) == {"node.delete", "node.maintenance.unset"}
    assert set(view.refuses) == set(CHANGING) - set(view.accepts)
    assert view.refuses["node.set"].startswith("node.maintenance: n1 was put aside: Its actor failed.")


def test_a_request_that_waits_is_shown_in_the_queue() -> None:
    node = busy()

    view = node_view(node.state, node.now)

    assert view.active_request is None
    (queued,) = view.queued_requests
    assert (queued.verb, queued.requester, queued.state, queued.step) == (
        "node.power.set",
        "ipc",
        RequestState.QUEUED,
        None,
    )
    assert queued.accepted_at == node.now


def test_a_request_under_way_is_shown_with_its_step() -> None:
    node = busy()
    node.grant()

    view = node_view(node.state, node.now)

    assert view.active_request is not None
    assert view.active_request.step == "reading the power state"
    assert view.queued_requests == []


def test_an_interrupted_request_is_shown_as_the_active_one_without_a_step() -> None:
    node = busy()
    node.grant()
    node.crash()

    view = node_view(node.state, node.now)

    assert view.active_request is not None
    assert (view.active_request.state, view.active_request.step) == (RequestState.RUNNING, None)


def test_a_request_is_shown_as_it_is_on_record() -> None:
    request = full_request()

    view = request_view(request)

    assert (view.node, view.node_uuid, view.step) == (request.node_name, request.node_uuid, None)
    for name in ("id", "verb", "requester", "state", "attempts", "result", "error"):
        assert getattr(view, name) == getattr(request, name), name
    for name in ("accepted_at", "started_at", "ended_at", "deadline_at"):
        assert getattr(view, name) == getattr(request, name), name
    assert view.overdue_at is None, "it has ended"
    assert request_view(replace(request, ended_at=None)).overdue_at == request.overdue_at


def test_a_requests_secrets_are_masked() -> None:
    view = request_view(full_request())

    assert view.arguments == {"target": "power on", "token": MASK, "count": 3}
    assert PASSWORD not in repr(view)


def test_a_request_that_has_not_ended_has_neither_result_nor_error() -> None:
    view = request_view(replace(plain_request(), state=RequestState.QUEUED))

    assert (view.result, view.error, view.step) == (None, None, None)


def test_a_request_is_listed_without_its_steps_and_shown_with_them() -> None:
    steps = [{"name": "power_on", "state": "success", "attempts": 1}]
    arguments = {"target": "deploy", "steps": [{"step": "power_on"}]}
    request = plain_request(verb="node.provision.set", arguments=arguments, result={"steps": steps, "other": 1})
    failed = replace(request, result=None, error={"code": "x", "details": {"steps": steps, "node": "n1"}})

    assert request_view(request).arguments == arguments
    assert [step.name for step in request_view(request).steps] == ["power_on"]
    for one, result, error in (
        (request, {"other": 1}, None),
        (failed, None, {"code": "x", "details": {"node": "n1"}}),
    ):
        view = listed(one)
        assert (view.arguments, view.steps, view.result, view.error) == ({"target": "deploy"}, [], result, error)


def unfree(state: NodeState) -> bool:
    """Have each verb judged by itself, whatever the node."""
    del state
    return False


@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"maintenance": True},
        {"fault": Fault.ACTOR_FAILURE},
        {"fault": Fault.ACTOR_FAILURE, "maintenance": True},
        {"protected": True},
        {"retired": True},
        {"disable_power_off": True},
        {"lock": NodeLock(owner="ipc:uid=0", reason=None, since=NOW)},
        {"allocation_uuid": "a1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("state", [{}, {"leaving": True}, {"queue": (plain_request(),)}], ids=str)
def test_of_a_free_node_nothing_is_said_that_the_judgement_of_each_verb_does_not_say(
    marks: dict[str, Any], state: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [NodeState(record=replace(plain_node(), provision_state=at, **marks), **state) for at in ProvisionState]
    quickly = [node_view(node, NOW) for node in nodes]

    monkeypatch.setattr(obstacles, "is_free", unfree)
    one_by_one = [node_view(node, NOW) for node in nodes]

    assert quickly == one_by_one
