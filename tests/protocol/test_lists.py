"""Lists of nodes, and maintenance: against any conductor."""

from typing import Any

import pytest

from castiron.transport import errors
from tests.protocol.conftest import World
from tests.protocol.examples import created
from tests.support.raw_peer import RawPeer

Fields = dict[str, Any]


# Lists of nodes.


def rack(world: World, peer: RawPeer, count: int) -> tuple[str, list[str]]:
    """Create nodes that share a word of their own; return the word and their names, sorted."""
    word = world.new_name()
    names = sorted(created(world, peer, extra={"rack": word, "unit": -number}) for number in range(count))
    return word, names


def test_nodes_are_chosen_by_conditions_and_sorted_and_paged(world: World, peer: RawPeer) -> None:
    word, names = rack(world, peer, 5)
    where = [{"field": "extra.rack", "op": "=", "value": word}, {"field": "extra.unit", "op": "<", "value": 0}]
    pages: list[list[int]] = []
    marker: str | None = None
    for _ in range(2):
        asked = {"verb": "node.list", "where": where, "sort": "extra.unit", "descending": True, "limit": 2}
        page = peer.ask({**asked, "marker": marker}).result
        pages.append([node["extra"]["unit"] for node in page["nodes"]])
        marker = page["next_marker"]

    assert pages == [[-1, -2], [-3, -4]]
    assert marker is None
    chosen = peer.ask({"verb": "node.list", "where": [{"field": "extra.rack", "op": "~", "value": f"{word[:-1]}?"}]})
    assert [node["name"] for node in chosen.result["nodes"] if node["name"] in names] == names


SENSELESS: list[tuple[Fields, str]] = [
    ({"where": [{"field": "nam"}]}, "$.where[0].field"),
    ({"where": [{"field": "power_state", "value": "on"}]}, "$.where[0].value"),
    ({"where": [{"field": "name", "op": "in", "value": "n1"}]}, "$.where[0].value"),
    ({"where": [{"field": "name", "op": "=~"}]}, "$.where[0].op"),
    ({"where": [{"field": "name", "colour": "red"}]}, "$.where[0].colour"),
    ({"where": [{}]}, "$.where[0].field"),
    ({"where": [{"field": "name"}] * 17}, "$.where"),
    ({"where": [{"field": "name", "op": "in", "value": ["n"] * 257}]}, "$.where[0].value"),
    ({"sort": "colour"}, "$.sort"),
    ({"sort": "name", "marker": "n1"}, "$.marker"),
]


@pytest.mark.parametrize(("fields", "path"), SENSELESS)
def test_a_list_that_makes_no_sense_is_refused_by_the_path_to_what_is_wrong(
    house_peer: RawPeer, fields: Fields, path: str
) -> None:
    refused = house_peer.ask({"verb": "node.list", **fields})

    assert (refused.code, refused.error["details"]["path"]) == (errors.ArgumentInvalid.code, path)


def test_maintenance_is_set_with_a_reason_and_unset_any_number_of_times(world: World, peer: RawPeer) -> None:
    name = created(world, peer)
    asked = {"verb": "node.maintenance.set", "node": name}

    once = peer.ask({**asked, "reason": "fan"}).result
    again = peer.ask({**asked, "reason": "fan"}).result
    without = peer.ask(asked).result
    other = peer.ask({**asked, "reason": "disk"}).result
    ended = [peer.ask({"verb": "node.maintenance.unset", "node": name}).result for _ in range(2)]

    assert [one["maintenance_reason"] for one in (once, again, without, other)] == ["fan", "fan", "fan", "disk"]
    assert [one["maintenance"] for one in (once, again, without, other)] == [True] * 4
    assert [(one["maintenance"], one["maintenance_reason"]) for one in ended] == [(False, None)] * 2
    history = peer.ask({"verb": "node.history", "node": name}).result["events"]
    told = [event["payload"]["maintenance"] for event in history if event["type"] == "node.maintenance_set.end"]
    assert told == [False, True, True]  # what was so already is no event
