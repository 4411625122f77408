"""An always-current view of nodes: no change is missed, whatever happens to the conductor meanwhile."""

import random
import threading
from typing import Any

import pytest
from msgspec import structs

from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.nodes import AsyncNodes
from castiron.transport.clients.watching import Change
from castiron.transport.errors import NodeNotFound
from castiron.transport.replies import NodeView
from castiron.transport.vocabulary import EventType, PowerState
from tests.protocol.conftest import House, Opener

pytestmark = pytest.mark.usefixtures("manner")

SOON_S = 20.0


def switch(house: House, name: str, power_state: PowerState, *, told: bool = True) -> NodeView:
    """Change a node behind the door."""
    conductor = house.conductor
    with conductor.lock:
        before = next(node for node in conductor.nodes.values() if node.name == name)
        after = structs.replace(before, power_state=power_state, revision=before.revision + 1)
        conductor.nodes[after.uuid] = after
        if told:
            conductor.events.happen(EventType.POWER_STATE_CORRECTED, after)
    return after


def named(change: Change) -> tuple[str | None, str | None]:
    before, after = change.before, change.after
    return (before.name if before is not None else None, after.name if after is not None else None)


def test_what_there_is_is_there_at_once_and_what_comes_changes_and_goes_is_yielded(house: House) -> None:
    with Client(house.endpoint) as client, Client(house.endpoint) as other:
        client.nodes.create("n1", driver="fake")
        with client.watch(timeout_s=SOON_S) as watch:
            assert [view.name for view in watch.nodes.values()] == ["n1"]
            other.nodes.create("n2", driver="fake")
            assert named(next(watch)) == (None, "n2")
            switched = switch(house, "n1", PowerState.ON)
            assert next(watch).after == switched
            assert watch.nodes[switched.uuid] == switched
            other.nodes.delete("n2")
            assert named(next(watch)) == ("n2", None)
            assert [view.name for view in watch.nodes.values()] == ["n1"]


def test_what_changes_right_behind_the_first_look_is_yielded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    look = AsyncNodes.list

    async def look_then_switch(nodes: AsyncNodes, *given: Any, **more: Any) -> list[NodeView]:
        views = await look(nodes, *given, **more)
        switch(house, "n1", PowerState.ON)
        return views

    with Client(house.endpoint) as client:
        client.nodes.create("n1", driver="fake")
        monkeypatch.setattr(AsyncNodes, "list", look_then_switch)
        with client.watch(timeout_s=SOON_S) as watch:
            (before,) = watch.nodes.values()
            after = next(watch).after

    assert before.power_state == PowerState.OFF
    assert after is not None
    assert after.power_state == PowerState.ON


def test_of_nodes_that_are_named_only_these(house: House) -> None:
    with Client(house.endpoint) as client:
        client.nodes.create("n1", driver="fake")
        client.nodes.create("n2", driver="fake")
        with client.watch(["n1"], timeout_s=SOON_S) as watch:
            switch(house, "n2", PowerState.ON)
            switch(house, "n1", PowerState.ON)
            assert named(next(watch)) == ("n1", "n1")
            assert len(watch.nodes) == 1


def test_an_unknown_node_is_said_at_once(house: House) -> None:
    with Client(house.endpoint) as client, pytest.raises(NodeNotFound):
        client.watch(["nobody"])


def test_a_watch_ends_when_its_time_is_up(house: House) -> None:
    with Client(house.endpoint) as client, client.watch(timeout_s=0.1) as watch:
        assert list(watch) == []


def test_what_happened_while_the_conductor_was_away_is_made_up_for(open_house: Opener) -> None:
    house = open_house()
    told: list[str] = []
    with Client(house.endpoint) as client, Client(house.endpoint) as other:
        client.nodes.create("n1", driver="fake")
        with client.watch(timeout_s=SOON_S, told=told.append) as watch:
            conductor, place = house.conductor, house.endpoint
            house.door.stop(5.0)
            away = switch(house, "n1", PowerState.ON)
            conductor.boot()
            open_house(place, conductor=conductor)
            other.nodes.create("n2", driver="fake")
            changes = [next(watch), next(watch)]

    assert {named(change) for change in changes} == {("n1", "n1"), (None, "n2")}
    assert away in [change.after for change in changes]
    assert len(told) == 2


def test_a_deletion_that_is_heard_before_it_is_seen_is_looked_for_again(house: House) -> None:
    with Client(house.endpoint) as client:
        view = client.nodes.create("n1", driver="fake")
        with client.watch(timeout_s=SOON_S) as watch:
            with house.conductor.lock:
                house.conductor.events.happen(EventType.NODE_DELETE_END, view)
            gone = threading.Timer(0.2, house.conductor.nodes.pop, [view.uuid])
            gone.start()
            assert named(next(watch)) == ("n1", None)
            gone.join()


@pytest.mark.parametrize("seed", range(3))
def test_after_any_changes_the_view_is_what_a_look_shows(house: House, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(8)]
    with Client(house.endpoint) as client, Client(house.endpoint) as other, client.watch(timeout_s=SOON_S) as watch:
        there: set[str] = set()
        for _ in range(60):
            name = chance.choice(names)
            if name not in there:
                other.nodes.create(name, driver="fake")
                there.add(name)
            elif chance.random() < 0.3:
                other.nodes.delete(name)
                there.remove(name)
            else:
                switch(house, name, chance.choice([PowerState.ON, PowerState.OFF]))
        other.nodes.create("last", driver="fake")
        for change in watch:
            if change.after is not None and change.after.name == "last":
                break
        shown = {view.uuid: view for view in other.nodes.list()}
        assert {uuid: view.name for uuid, view in watch.nodes.items()} == {
            uuid: view.name for uuid, view in shown.items()
        }
        assert all(watch.nodes[uuid].power_state == view.power_state for uuid, view in shown.items())
