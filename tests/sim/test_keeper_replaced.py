"""Whoever keeps allocations is replaced at any moment while a node is given back: the node can be had again."""

import pytest

from castiron.transport.verbs import AllocationCreate, AllocationDelete
from castiron.transport.vocabulary import Seconds
from tests.support.allocating import RESOURCE_CLASS, Allocating


@pytest.mark.parametrize("turns", range(10))
def test_a_node_that_was_being_given_back_can_be_had_again(turns: int) -> None:
    world = Allocating(turns)
    world.furnish(1)
    world.ask(AllocationCreate(resource_class=RESOURCE_CLASS))
    world.live(Seconds(5.0))
    (held,) = world.store.allocations()
    assert held.node_uuid is not None

    world.ask(AllocationDelete(allocation=held.uuid))
    world.dispatcher.run_turns(turns)
    world.stop_keeper()
    world.live(Seconds(5.0))

    world.check_at_rest()
    world.ask(AllocationCreate(resource_class=RESOURCE_CLASS))
    world.live(Seconds(5.0))
    (again,) = world.store.allocations()
    assert again.node_uuid == held.node_uuid
