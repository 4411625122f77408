"""Which nodes can be had: an index that is kept as nodes change says what looking at all of them would say."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from castiron.actors.core.allocations.fitness import Fit, Wish, fit_of, unfit
from castiron.actors.core.allocations.offers import Offers
from castiron.actors.core.state import NodeState
from castiron.store.records import NodeLock
from castiron.transport.vocabulary import AllocationUUID, Instant, NodeUUID, PowerState, ProvisionState
from tests.support.store_records import node_uuid, plain_node

CLASSES = st.sampled_from([None, "small", "large"])
TRAITS = st.sets(st.sampled_from(["CUSTOM_A", "CUSTOM_B", "CUSTOM_C"]))
NUMBERS = st.integers(1, 6)
CHANGES = st.sampled_from(
    [
        {},
        {"allocation_uuid": AllocationUUID("held")},
        {"provision_state": ProvisionState.ACTIVE},
        {"maintenance": True},
        {"retired": True},
        {"power_state": None},
        {"lock": NodeLock(owner="ann", reason=None, since=Instant(1.0))},
    ]
)


def node(number: int, **changes: Any) -> NodeState:
    standing: dict[str, Any] = {"provision_state": ProvisionState.AVAILABLE, "power_state": PowerState.OFF, **changes}
    return NodeState(record=plain_node(number, **standing))


def wish(resource_class: str = "small", *traits: str, candidates: tuple[NodeUUID, ...] = (), owner: str = "me") -> Wish:
    return Wish(resource_class, frozenset(traits), candidates, owner)


class Market(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.offers = Offers()
        self.nodes: dict[NodeUUID, NodeState] = {}
        self.reserved: set[NodeUUID] = set()
        self.rng = Random(7)

    def having(self, of: Wish) -> set[NodeUUID]:
        """Return who can be had, by looking at all."""
        return {
            uuid
            for uuid, state in self.nodes.items()
            if unfit(state, of) is None
            and (of.candidates or state.record.lock is None)
            and uuid not in self.reserved
            and state.record.resource_class is not None
        }

    @rule(number=NUMBERS, resource_class=CLASSES, traits=TRAITS, changes=CHANGES)
    def show(self, number: int, resource_class: str | None, traits: set[str], changes: dict[str, Any]) -> None:
        state = node(number, resource_class=resource_class, traits=tuple(sorted(traits)), **changes)
        before = self.nodes.get(state.record.uuid)
        is_moved = before is None or (before.record.resource_class, before.record.traits) != (
            resource_class,
            state.record.traits,
        )
        was_free = before is not None and not is_moved and fit_of(before) is Fit.FREE

        is_news = self.offers.show(state)

        if is_moved:
            self.reserved.discard(state.record.uuid)
        self.nodes[state.record.uuid] = state
        assert is_news == (resource_class is not None and fit_of(state) is Fit.FREE and not was_free)

    @rule(number=NUMBERS)
    def drop(self, number: int) -> None:
        self.offers.drop(node_uuid(number))
        self.nodes.pop(node_uuid(number), None)
        self.reserved.discard(node_uuid(number))

    @rule(traits=TRAITS, named=st.sets(NUMBERS), tried=st.sets(NUMBERS), owner=st.sampled_from(["me", "ann"]))
    def draw(self, traits: set[str], named: set[int], tried: set[int], owner: str) -> None:
        candidates = tuple(node_uuid(number) for number in sorted(named))
        wanted = wish("small", *traits, candidates=candidates, owner=owner)
        unwanted = {node_uuid(number) for number in tried}
        possible = self.having(wanted) - unwanted

        found = self.offers.draw(wanted, self.rng.randrange, unwanted)

        assert (found in possible) if possible else (found is None)
        if found is not None:
            self.reserved.add(found)

    @rule(number=NUMBERS)
    def release(self, number: int) -> None:
        uuid = node_uuid(number)
        state = self.nodes.get(uuid)
        is_free = state is not None and fit_of(state) is Fit.FREE and state.record.resource_class is not None
        assert self.offers.release(uuid) == is_free
        self.reserved.discard(uuid)

    @rule(kept=st.sets(NUMBERS))
    def reserve_only(self, kept: set[int]) -> None:
        uuids = {node_uuid(number) for number in kept}
        self.offers.reserve_only(uuids)
        self.reserved = {uuid for uuid in uuids if uuid in self.nodes and self.offers.class_of(uuid) is not None}

    @invariant()
    def the_counts_are_those_of_all_nodes(self) -> None:
        wanted = wish("small", "CUSTOM_A")
        of_class = [one for one in self.nodes.values() if one.record.resource_class == "small"]
        suitable = [one for one in of_class if "CUSTOM_A" in one.record.traits]
        hindered = Counter(fit_of(one) for one in suitable)

        count = self.offers.count(wanted)

        assert (count.of_class, count.candidates, count.suitable) == (len(of_class), None, len(suitable))
        assert dict(count.hindered) == {fit.value: number for fit, number in hindered.items() if fit is not Fit.FREE}
        assert count.reserved == hindered[Fit.FREE] - len(self.having(wanted))
        everybody = wish("small", "CUSTOM_A", candidates=tuple(node_uuid(number) for number in range(1, 7)))
        assert replace(self.offers.count(everybody), candidates=None) == replace(count, reserved=count.reserved) or any(
            one.record.lock for one in suitable
        )


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def fleet(count: int) -> Offers:
    """Nodes of ten classes, with one of eight sets of traits each."""
    offers = Offers()
    for number in range(count):
        traits = tuple(f"CUSTOM_{bit}" for bit in range(3) if number >> 4 & 1 << bit)
        offers.show(node(number, resource_class=f"class-{number % 10}", traits=traits))
    return offers


def test_a_thousand_draws_from_ten_thousand_nodes_look_at_a_thousand() -> None:
    offers, rng = fleet(10_000), Random(1)

    drawn = [offers.draw(wish(f"class-{number % 10}", "CUSTOM_1"), rng.randrange) for number in range(1000)]

    assert None not in drawn
    assert len(set(drawn)) == 1000
    assert (offers.drawn, offers.probed) == (1000, 1000)


@pytest.mark.parametrize("start", range(100))
def test_a_node_that_was_tried_costs_one_look_more_at_the_most(start: int) -> None:
    offers = fleet(1000)
    tried = {found for _ in range(3) if (found := offers.draw(wish("class-1"), lambda _: 0))}
    for uuid in tried:
        offers.release(uuid)
    before = offers.probed

    found = offers.draw(wish("class-1"), lambda count: start % count, tried)

    assert found is not None
    assert found not in tried
    assert offers.probed - before <= len(tried) + 1


def test_draws_are_spread_over_all_that_can_be_had() -> None:
    offers, rng = fleet(160), Random(3)
    seen: Counter[NodeUUID] = Counter()

    for _ in range(3200):
        found = offers.draw(wish("class-1"), rng.randrange)
        assert found is not None
        seen[found] += 1
        offers.release(found)

    assert len(seen) == 16
    assert min(seen.values()) > 130
    assert max(seen.values()) < 270
