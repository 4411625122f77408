"""Bulks on the wire: announced, told in parts, summed up; refused whole or not at all."""

from typing import Any

import pytest

from castiron.transport.frames import ACCEPTED, FINAL, PART
from castiron.transport.verbs import VERBS, BulkRun, NodeRequest
from tests.protocol.conftest import World
from tests.protocol.examples import ORDER, created
from tests.support.raw_peer import RawPeer


def told(peer: RawPeer) -> tuple[list[bytes], dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Return the kinds of all replies, the announcement, the outcomes, and the summary."""
    first = heard = peer.hear()
    kinds: list[bytes] = [first.kind]
    outcomes: list[dict[str, Any]] = []
    while heard.kind != FINAL:
        heard = peer.hear()
        kinds.append(heard.kind)
        if heard.kind == PART:
            assert heard.result["bulk"] == first.result["id"]
            outcomes += heard.result["outcomes"]
    return kinds, first.result, outcomes, heard.result


def test_a_bulk_is_announced_then_told_in_parts_then_summed_up(world: World, peer: RawPeer) -> None:
    names = [created(world, peer) for _ in range(3)]

    peer.say(b"5", {"verb": "bulk.run", "nodes": names, "order": ORDER})
    kinds, announced, outcomes, summary = told(peer)

    assert (kinds[0], set(kinds[1:-1]), kinds[-1]) == (ACCEPTED, {PART}, FINAL)
    assert (announced["total"], announced["nodes"]) == (3, names)
    assert sorted(one["node"] for one in outcomes) == sorted(names)
    assert {one["request"]["state"] for one in outcomes} == {"succeeded"}
    assert (summary["id"], summary["succeeded"], summary["nodes"]) == (announced["id"], 3, [])
    assert peer.is_quiet(0.05)


def test_the_key_of_each_request_is_made_of_the_bulks_and_its_nodes_uuid(world: World, peer: RawPeer) -> None:
    name, key = created(world, peer), f"bulk-of-{world.new_name()}"
    seen: list[dict[str, Any]] = []
    for _ in range(2):
        peer.say(b"5", {"verb": "bulk.run", "nodes": [name], "order": ORDER, "key": key})
        seen += told(peer)[2]

    assert seen[0]["request"]["id"] == seen[1]["request"]["id"]
    direct = peer.ask({**ORDER, "node": name, "key": f"{key}/{seen[0]['node_uuid']}"}).result
    assert direct["id"] == seen[0]["request"]["id"]


def test_what_a_cancelled_bulk_did_not_ask_is_told_as_not_sent(world: World, peer: RawPeer) -> None:
    names = [created(world, peer) for _ in range(3)]
    for name in names:
        peer.ask({"verb": "node.maintenance.set", "node": name})
    peer.say(b"5", {"verb": "bulk.run", "nodes": names, "order": {**ORDER, "hold": True}, "batch": 1})
    bulk = peer.hear().result["id"]
    while not peer.hear().result["started"]:
        """Until the first request is accepted."""

    with RawPeer(world.endpoint) as other:
        assert other.ask({"verb": "bulk.cancel", "bulk": bulk}).result["not_sent"] == 2
    codes: list[str] = []
    while (heard := peer.hear()).kind == PART:
        codes += [one["error"]["code"] for one in heard.result["outcomes"] if one["error"] is not None]

    assert codes == ["bulk.stopped"] * 2
    assert heard.result["stopped"] == "it was cancelled"


@pytest.mark.parametrize(
    ("order", "path"),
    [
        ({"verb": "node.show"}, "$.order.verb"),
        ({**ORDER, "target": "on"}, "$.order.target"),
        ({**ORDER, "node": "n1"}, "$.order.node"),
        ({**ORDER, "key": "12345678"}, "$.order.key"),
        ({**ORDER, "replies": "both"}, "$.order.replies"),
        ({}, "$.order"),
    ],
)
def test_what_could_be_asked_of_no_node_is_refused_with_its_place(
    house_peer: RawPeer, order: dict[str, str], path: str
) -> None:
    refused = house_peer.ask({"verb": "bulk.run", "nodes": ["n1"], "order": order})

    assert (refused.code, refused.error["details"]) == ("argument.invalid", {"path": path})


def test_no_nodes_at_all_are_never_all_nodes(house_peer: RawPeer) -> None:
    refused = house_peer.ask({"verb": "bulk.run", "order": ORDER})

    assert (refused.code, refused.error["details"]) == ("argument.invalid", {"path": "$.nodes"})


def test_a_bulk_asks_for_nothing_that_its_own_role_may_not() -> None:
    asked = [verb for verb in VERBS.values() if issubclass(verb, NodeRequest)]

    assert asked
    assert {verb.role for verb in asked} == {BulkRun.role}
