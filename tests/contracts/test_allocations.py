"""Allocations of a real conductor: what is held, waited for, given back, and told."""

from typing import Any

import pytest

from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import (
    AllocationExists,
    AllocationFailed,
    AllocationNotFound,
    ArgumentInvalid,
    NodeAllocated,
    NodeNotFound,
    NodeStateInvalid,
    ReplyTimeout,
)
from castiron.transport.vocabulary import AllocationState
from tests.support.deadline import until

pytestmark = pytest.mark.castiron(
    nodes=0, settings={"sync_power_state_interval_s": 0.0, "max_allocations": 12}, timeout_s=20
)


def furnish(client: Client, count: int, **fields: Any) -> list[str]:
    """Make nodes that can be had; return their names."""
    known = len(client.nodes.list())
    names = [f"n{known + number}" for number in range(1, count + 1)]
    given: dict[str, Any] = {"resource_class": "baremetal", **fields}
    for name in names:
        client.nodes.create(name, driver="fake", **given)
    for target in ("manage", "provide"):
        for request in [client.provision.set(name, target) for name in names]:
            assert request.wait(30).state == "succeeded"
    return names


def test_a_node_is_held_by_who_asked_shown_on_both_sides_and_told(castiron_client: Client) -> None:
    furnish(castiron_client, 1)
    (name,) = furnish(castiron_client, 1, traits=["CUSTOM_GPU", "CUSTOM_A"])

    held = castiron_client.allocations.create("baremetal", traits=["CUSTOM_GPU"], name="mine", extra={"why": 1}).wait(
        20
    )

    node = castiron_client.nodes.show(name)
    assert (held.state, held.node_uuid) == ("active", node.uuid)
    assert (node.allocation_uuid, node.instance_uuid) == (held.uuid, held.uuid)
    assert held.view.owner.startswith("ipc:uid=")
    events = list(castiron_client.events(since=0, types=["allocation.*"], follow=False))
    assert [(one.type, one.node) for one in events] == [
        ("allocation.create.start", None),
        ("allocation.create.end", name),
    ]
    assert [one.uuid for one in castiron_client.allocations.list(node=name)] == [held.uuid]
    assert "node.delete" in node.refuses
    found = castiron_client.nodes.list(where=[f"allocation_uuid={held.uuid}"])
    assert [one.name for one in found] == [name]


def test_where_none_can_be_had_it_is_said_how_many_lack_what(castiron_client: Client) -> None:
    names = furnish(castiron_client, 4, traits=["CUSTOM_A"])
    furnish(castiron_client, 1)
    castiron_client.nodes.set_maintenance(names[0])
    castiron_client.guards.lock(names[1])
    castiron_client.provision.set(names[2], "manage").wait(20)
    castiron_client.allocations.create("baremetal", candidate_nodes=[names[3]]).wait(20)

    failed = castiron_client.allocations.create("baremetal", traits=["CUSTOM_A"]).wait(20)

    error = failed.view.error or {}
    assert error["details"]["matched"] == {"resource_class": 5, "traits": 4}
    assert error["details"]["hindered"] == {
        "allocated": 1,
        "not available": 1,
        "in maintenance": 1,
        "locked by somebody": 1,
    }
    assert "4 of these have the traits CUSTOM_A" in str(failed.view.last_error)
    with pytest.raises(AllocationFailed):
        failed.raise_for_error()


def test_who_waits_longest_gets_the_node_that_is_free_again(castiron_client: Client) -> None:
    furnish(castiron_client, 1)
    first = castiron_client.allocations.create("baremetal").wait(20)
    waiting = [castiron_client.allocations.create("baremetal", timeout_s=500) for _ in range(3)]
    with pytest.raises(ReplyTimeout):
        waiting[0].wait(0.05)

    for one in waiting:
        first.delete()
        first = one.wait(20)
        assert first.state == "active"
        others = waiting[waiting.index(one) + 1 :]
        assert all(castiron_client.allocations.show(later.uuid).state == "allocating" for later in others)


def test_an_undeployed_node_is_held_by_nobody_and_one_in_use_is_not_given_back(castiron_client: Client) -> None:
    (name,) = furnish(castiron_client, 1)
    held = castiron_client.allocations.create("baremetal").wait(20)
    castiron_client.provision.set(name, "deploy").wait(20)

    with pytest.raises(NodeStateInvalid):
        held.delete()
    with pytest.raises(NodeAllocated):
        castiron_client.nodes.delete(name)
    assert castiron_client.provision.set(name, "undeploy").wait(20).state == "succeeded"

    assert castiron_client.nodes.show(name).allocation_uuid is None
    with pytest.raises(AllocationNotFound):
        castiron_client.allocations.show(held.uuid)
    ends = list(castiron_client.events(since=0, types=["allocation.delete.*"], follow=False))
    assert [(one.node, one.payload["reason"]) for one in ends] == [(name, "undeployed")]


def test_a_node_that_is_forgotten_by_force_takes_its_allocation_along(castiron_client: Client) -> None:
    (name,) = furnish(castiron_client, 1)
    held = castiron_client.allocations.create("baremetal").wait(20)

    castiron_client.nodes.delete(name, force=True)

    with pytest.raises(AllocationNotFound):
        castiron_client.allocations.show(held.uuid)


def test_what_cannot_be_meant_is_refused_and_nothing_is_kept_of_it(castiron_client: Client) -> None:
    furnish(castiron_client, 1)
    held = castiron_client.allocations.create("baremetal", name="mine").wait(20)

    with pytest.raises(AllocationExists):
        castiron_client.allocations.create("baremetal", name="mine")
    with pytest.raises(AllocationExists):
        castiron_client.allocations.create("baremetal", allocation_uuid=held.uuid)
    with pytest.raises(NodeNotFound) as unknown:
        castiron_client.allocations.create("baremetal", candidate_nodes=["n1", "nobody", "noone"])
    assert unknown.value.details["node"] == "nobody, noone"
    with pytest.raises(ArgumentInvalid):
        castiron_client.allocations.create("baremetal", name=held.uuid)
    castiron_client.allocations.set(held.uuid, extra={"much": "x" * 40_000})
    with pytest.raises(ArgumentInvalid):
        castiron_client.allocations.set(held.uuid, extra={"more": "x" * 40_000})
    with pytest.raises(AllocationNotFound):
        castiron_client.allocations.delete("nobody")
    assert [one.uuid for one in castiron_client.allocations.list()] == [held.uuid]


def test_name_and_extra_are_changed_and_told(castiron_client: Client) -> None:
    made = castiron_client.allocations.create("nothing", name="old", extra={"a": 1, "b": 2}).wait(20)

    changed = castiron_client.allocations.set("old", name="new", extra={"a": None, "c": 3})

    assert (changed.view.name, changed.view.extra, changed.uuid) == ("new", {"b": 2, "c": 3}, made.uuid)
    (event,) = castiron_client.events(since=0, types=["allocation.update.end"], follow=False)
    assert event.payload["changed"] == ["extra", "name"]
    assert event.payload["changes"]["name"] == {"from": "old", "to": "new"}
    assert castiron_client.allocations.set("new", name=None).view.name is None
    castiron_client.allocations.create("nothing", name="old")  # it is free again


def test_a_crowd_gets_all_nodes_and_each_is_asked_once(castiron_client: Client) -> None:
    furnish(castiron_client, 8)

    made = [castiron_client.allocations.create("baremetal") for _ in range(12)]
    ended = [one.wait(20) for one in made]

    assert sum(one.state == AllocationState.ACTIVE for one in ended) == 8
    assert len({one.node_uuid for one in ended} - {None}) == 8
    assert [one.uuid for one in castiron_client.allocations.list(state="error")] == [
        one.uuid for one in ended if not one.node_uuid
    ]


def test_a_node_of_the_same_name_is_taken_before_others(castiron_client: Client) -> None:
    names = furnish(castiron_client, 6)

    for name in reversed(names):
        held = castiron_client.allocations.create("baremetal", name=name).wait(20)
        assert held.node_uuid == castiron_client.nodes.show(name).uuid


def test_one_that_waits_is_deleted_and_whoever_waited_for_it_hears_so(castiron_client: Client) -> None:
    waiting = castiron_client.allocations.create("baremetal", timeout_s=500)

    waiting.delete()

    with pytest.raises(AllocationNotFound):
        waiting.wait(5)
    types = [one.type for one in castiron_client.events(since=0, types=["allocation.*"], follow=False)]
    assert types == ["allocation.create.start", "allocation.create.error", "allocation.delete.end"]


def test_a_node_that_gets_what_was_lacking_is_given_to_who_waits(castiron_client: Client) -> None:
    (name,) = furnish(castiron_client, 1)
    waiting = castiron_client.allocations.create("baremetal", traits=["CUSTOM_NEW"], timeout_s=500)

    castiron_client.nodes.set(name, traits=["CUSTOM_NEW"])

    until(lambda: waiting.wait(20).state == "active")
    assert castiron_client.status().queues["allocations"].used == 1
