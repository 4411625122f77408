"""A conductor in virtual time whose nodes are allocated: what users do, and what must hold of nodes and allocations."""

from typing import Any

import pykka

from castiron.actors.allocations.keeper import Keeper
from castiron.actors.core.allocations.fitness import Fit, fit_of, wish_of
from castiron.store.checkup import HELD_RULES
from castiron.store.records import EventRecord
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.verbs import AnyVerb, NodeCreate, NodeProvisionSet, tag_of
from castiron.transport.vocabulary import AllocationState, AllocationUUID, EventSeq, EventType, ProvisionTarget, Seconds
from tests.support.conductor_process import Audit
from tests.support.conductor_sim import Heard, Simulation

ME = PeerInfo("ipc:uid=1", "test")
RESOURCE_CLASS = "baremetal"


class Allocating(Simulation):
    """Nodes n1, n2, …, available; every other one has the trait CUSTOM_A."""

    def furnish(self, count: int) -> None:
        """Make nodes that can be had."""
        for number in range(1, count + 1):
            traits = ["CUSTOM_A"] if number % 2 else []
            self.ask(NodeCreate(name=f"n{number}", driver="fake", resource_class=RESOURCE_CLASS, traits=traits))
        self.live(Seconds(5.0))
        for target in (ProvisionTarget.MANAGE, ProvisionTarget.PROVIDE):
            for number in range(1, count + 1):
                self.ask(NodeProvisionSet(node=f"n{number}", target=target))
            self.live(Seconds(30.0))

    def ask(self, verb: AnyVerb) -> Heard:
        """Send a verb, as a front door brings it."""
        heard = self._heard(f"{tag_of(verb)} {verb}")
        self.house.reception.handle(verb, ME, heard)
        return heard

    def stop_keeper(self) -> None:
        """Stop whoever keeps allocations behind everybody's back."""
        for ref in self.keepers():
            ref.stop(block=False)

    def keepers(self) -> list[Any]:
        found: list[Any] = pykka.ActorRegistry.get_by_class(Keeper)
        return [ref for ref in found if ref.actor_inbox.is_attached_to(self.dispatcher)]

    def check_at_any_time(self) -> None:
        """Check what must hold on disk between any two commits."""
        rows = self.store._reader.found
        broken = {words: found for words, sql in HELD_RULES.items() if (found := rows(sql))}
        assert broken == {}, broken

    def check_at_rest(self) -> Audit:
        """Check that all has come to its end, and that everybody sees what is on disk."""
        audit = Audit(self.store)
        audit.check_numbers()
        self.check_at_any_time()
        assert self.house.failure is None
        self._check_answers(audit)
        stored = {record.uuid: record for record in self.store.allocations()}
        assert {record.uuid: record for record in self.services.board.allocations.all()} == stored
        for record in stored.values():
            is_waiting = record.state is AllocationState.ALLOCATING
            is_patient = record.deadline_at is not None and record.deadline_at > self.clock.now()
            assert is_patient or not is_waiting, f"nobody looks for a node for {record}"
        self._check_keeper()
        self._check_market()
        check_told(self.store.events(since=EventSeq(0), limit=100_000), set(stored))
        return audit

    def _check_keeper(self) -> None:
        (ref,) = self.keepers()
        keeper: Any = ref.actor_inbox._owner
        assert (keeper._underway, keeper._pending) == ({}, {})
        assert keeper._search._races._races == {}
        waiting = {one.uuid for one in self.store.allocations() if one.state is AllocationState.ALLOCATING}
        assert set(keeper._search._lines._classes) == waiting
        assert set(keeper._timers) == waiting
        assert set(keeper._search._attempts) <= waiting

    def _check_market(self) -> None:
        """What can be drawn is what can be had; and nobody waits whom a node suits that can be had."""
        states = [published.state for published in self.services.board.nodes()]
        free = {one.record.uuid for one in states if fit_of(one) is Fit.FREE and one.record.resource_class}
        market: Any = self.services.board.market
        groups = [group for groups in market._offers._classes.values() for group in groups.values()]
        assert sorted(uuid for group in groups for uuid in group.free) == sorted(free)
        for record in self.store.allocations():
            if record.state is AllocationState.ALLOCATING:
                assert not any(market.is_for(uuid, wish_of(record)) for uuid in free), record


def check_told(events: list[EventRecord], there: set[AllocationUUID]) -> None:
    """Check that each allocation's beginning has one end, and its removal is told once, last."""
    told: dict[AllocationUUID, list[EventType]] = {}
    for event in events:
        if event.draft.type.startswith("allocation.") and event.draft.type is not EventType.ALLOCATION_UPDATE_END:
            told.setdefault(event.draft.payload["allocation"], []).append(event.draft.type)
    for uuid, types in told.items():
        start, *rest = types
        assert start is EventType.ALLOCATION_CREATE_START
        gone = rest[-1:] == [EventType.ALLOCATION_DELETE_END]
        ends = rest[:-1] if gone else rest
        assert gone == (uuid not in there), (uuid, types)
        assert ends in ([], [EventType.ALLOCATION_CREATE_END], [EventType.ALLOCATION_CREATE_ERROR]), types
        assert ends or not gone, types
