"""A conductor's actors in virtual time: who runs next, and when a commit lands, is drawn from a seed.

The actors, the board, the directory, the permits, the committer and the store are the real ones; only their threads are
not there. So any order in which the conductor's threads could meet can be drawn, and a failure replays from its seed.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

import pykka

from castiron.actors.asking import Asked
from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.core.messages import Remove
from castiron.actors.delivery import deliver, node_not_found
from castiron.actors.dispatch.clock import Clock
from castiron.actors.dispatch.mailbox import Mailbox
from castiron.actors.dispatch.virtual import SimDispatcher, VirtualClock
from castiron.actors.drivers.base import Driver
from castiron.actors.fleet import CreateNode, FleetActor, SetNode, being_replaced
from castiron.actors.services import Services
from castiron.actors.settings import Settings
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.workers import Workers
from castiron.actors.supervision.kin import Kin
from castiron.actors.supervision.supervisor import Tally
from castiron.store.store import Store
from castiron.testing.simulation.disk import SimWriter
from castiron.testing.simulation.house import Ground, House
from castiron.transport.doors.slip import Slip, arrived
from castiron.transport.errors import CastironError
from castiron.transport.events import EventView
from castiron.transport.verbs import NodeCreate, NodePowerSet, NodeSet
from castiron.transport.vocabulary import EventSeq, Instant, PowerTarget, ReplyWish, Seconds
from tests.support.conductor_plugin import BuggyDriver
from tests.support.conductor_process import Audit
from tests.support.store_records import counting_ids

SETTINGS: Final = Settings(
    power_state_change_timeout_s=5.0,
    unknown_outcome_settle_s=1.0,
    max_running_actions=2,
    sync_power_state_interval_s=0.0,
)
LONG_S: Final = Seconds(120.0)
"""Longer than anything that was begun can take."""


class Heard:
    """What became of one message."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.told: list[str] = []
        self.error: CastironError | None = None
        self.accepted_id: str | None = None

    def accepted(self, result: Any, seq: EventSeq) -> None:
        del seq
        self.accepted_id = result.id
        self.told.append("accepted")

    def part(self, result: Any, seq: EventSeq) -> Slip:
        del result, seq
        self.told.append("part")
        return arrived()

    def final(self, result: Any, seq: EventSeq) -> None:
        del result, seq
        self.told.append("final")

    def fail(self, error: CastironError, seq: EventSeq) -> None:
        del seq
        self.error = error
        self.told.append(type(error).__name__)

    def when_gone(self, call: Callable[[], None]) -> None:
        del call


class Simulation:
    """One store, and one conductor's worth of actors after the other."""

    def __init__(self, seed: int, *, restart_intensity: int = 1000) -> None:
        self.rng = Random(seed)
        self._new_id = counting_ids()
        self.store = Store.open(None, key_path=None, new_id=self._new_id)
        self.clock = VirtualClock(Instant(1000.0))
        self._ground = Ground(
            clock=self.clock,
            rng=self.rng,
            new_id=self._new_id,
            settings=replace(SETTINGS, restart_intensity=restart_intensity),
            drivers=self._drivers,
            workers=lambda clock, settings: Workers(Shelf(), Bulkhead("steps", settings.max_workers, clock)),
            stream=self,
            lateness=Counter(),
        )
        self.heard: list[Heard] = []
        self._start()

    def _start(self) -> None:
        self.house = House(self._ground, self.store)

    def _drivers(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        del settings, shares
        self.driver = BuggyDriver(clock)
        return {"fake": self.driver}

    def publish(self, happened: Sequence[EventView]) -> None:
        """Take what the conductor publishes; what is stored is what is checked."""

    @property
    def dispatcher(self) -> SimDispatcher:
        return self.house.dispatcher

    @property
    def writer(self) -> SimWriter:
        return self.house.writer

    @property
    def services(self) -> Services:
        return self.house.services

    @property
    def kin(self) -> Kin:
        return self.house.kin

    @property
    def tally(self) -> Tally:
        return self.house.tally

    # What users do.

    def create(self, name: str) -> Heard:
        heard = self._heard(f"create {name}")
        verb = NodeCreate(name=name, driver="fake")
        return self._tell_fleet(CreateNode(verb=verb, requester="test", asked=Asked(heard)), heard)

    def set(self, node: str, **changes: Any) -> Heard:
        heard = self._heard(f"set {node} {changes}")
        verb = NodeSet(node=node, **changes)
        return self._tell_fleet(SetNode(verb=verb, requester="test", asked=Asked(heard)), heard)

    def power(self, name: str, target: PowerTarget, *, waits: bool, fresh: bool = False) -> Heard:
        heard = self._heard(f"power {name} {target}")
        published = self.services.board.node(name)
        if published is None:
            heard.fail(node_not_found(name), self.services.board.seq)
            return heard
        wish = ReplyWish.BOTH if waits else ReplyWish.ACCEPTED
        verb = NodePowerSet(node=name, target=target, fresh=fresh, replies=wish)
        self.house.intake.submit(published.state, verb, "test", heard)
        return heard

    def delete(self, name: str) -> Heard:
        asked = Asked(self._heard(f"delete {name}"))
        return self._deliver(name, Remove(requester="test", reply_to=asked), asked)

    def _heard(self, what: str) -> Heard:
        heard = Heard(what)
        self.heard.append(heard)
        return heard

    def _tell_fleet(self, message: CreateNode | SetNode, heard: Heard) -> Heard:
        try:
            self.kin.fleet.tell(message)
        except pykka.ActorDeadError:
            heard.fail(being_replaced(), self.services.board.seq)
        return heard

    def _deliver(self, name: str, message: Remove, asked: Asked) -> Heard:
        try:
            published = self.services.board.node(name)
            if published is None:
                raise node_not_found(name)
            deliver(self.services, published.state, message)
        except CastironError as error:
            asked.refused(error, self.services.board.seq)
        assert isinstance(asked.answer, Heard)
        return asked.answer

    # What goes wrong.

    def stop_actor(self, name: str) -> None:
        """Stop a node's actor behind everybody's back."""
        self.house.stop_actor(name)

    def declare_hung(self, name: str) -> None:
        """Have a node taken from its actor."""
        self.house.declare_hung(name)

    def stop_fleet(self) -> None:
        """Stop the fleet's actor behind everybody's back."""
        for ref in self._fleets():
            ref.stop(block=False)

    def break_driver(self, name: str) -> None:
        """Have the next call for a node raise."""
        published = self.services.board.node(name)
        if published is not None:
            bugs, uuid = self.driver.bugs, published.state.record.uuid

            def bug(_: object) -> None:
                bugs.pop(uuid, None)
                raise RuntimeError("a bug")

            bugs[uuid] = bug

    def crash(self) -> None:
        """Pull the plug: what is not on disk is gone. A new conductor starts on the same store."""
        self.house.end()
        self.heard = [heard for heard in self.heard if heard.told]  # nobody tells the others any more
        self._start()

    # What then must hold.

    def run(self, turns: int) -> None:
        """Give some turns."""
        self.dispatcher.run_turns(turns)

    def settle(self) -> None:
        """Let all that was begun come to its end."""
        self.writer.is_full = False
        self.live(LONG_S)

    def live(self, seconds: Seconds) -> None:
        """Let time pass."""
        self.clock.run(self.dispatcher, until=Instant(self.clock.now() + seconds))

    def check(self) -> Audit:
        """Check everything, once it has come to rest."""
        audit = Audit(self.store)
        audit.check()
        assert self.house.failure is None
        self._check_answers(audit)
        services = self.services
        for request in audit.requests:
            told = services.board.request(request.id)
            if told is None:
                continue
            assert replace(told, trace=request.trace) == request
            assert told.trace == (), "that of one that has ended is the store's to tell"
        assert (services.permits.in_use, services.permits.waiting) == (0, 0)
        assert (services.board.waiting(), services.board.open_count()) == (0, 0)
        assert len(self._timers()) == 1  # that of the next pruning
        by_uuid = {node.uuid: node for node in audit.nodes}
        assert {published.state.record.uuid for published in services.board.nodes()} == set(by_uuid)
        for published in services.board.nodes():
            shown, stored = published.state.record, by_uuid[published.state.record.uuid]
            assert shown == stored  # changes write what has changed: all the rest must be there from before
            assert (published.state.active, published.state.queue, published.state.interrupted) == (None, (), None)
            assert published is services.board.node(shown.name)
        assert [page.state.record.name for page in services.board.page(after=None, limit=1000)] == sorted(
            node.name for node in audit.nodes
        )
        assert {uuid for uuid, _ in services.directory.owners()} == set(by_uuid)
        assert all(owner.ref is not None and owner.ref.is_alive() for _, owner in services.directory.owners())
        self.check_index()
        return audit

    def check_index(self) -> None:
        """Check that the fleet's actor knows the names that there are, and no others."""
        (ref,) = self._fleets()
        fleet: Any = _owner_of(ref)
        assert fleet._underway == {}
        assert fleet._index._names == {node.name: node.uuid for node in self.store.nodes()}
        assert fleet._index._pending == {}

    def _fleets(self) -> list[Any]:
        """Return the fleet's actors of this simulation: the registry has those of others, too."""
        found: list[Any] = pykka.ActorRegistry.get_by_class(FleetActor)
        return [ref for ref in found if ref.actor_inbox.is_attached_to(self.dispatcher)]

    def _timers(self) -> list[Any]:
        """Return the timers that the present conductor has ordered."""
        timers = [timer for moment in self.clock._heap._timers.values() for timer in moment]
        calls: list[Any] = [timer.call for timer in timers if timer.call is not None]
        return [call for call in calls if call.func.__self__ is self.house._clock]

    def _check_answers(self, audit: Audit) -> None:
        known = {request.id for request in audit.requests}
        for heard in self.heard:
            last = heard.told[-1:]
            assert len(heard.told) - heard.told.count("accepted") <= 1, (heard.what, heard.told)
            assert last, f"nobody answered: {heard.what}"
            assert heard.accepted_id is None or heard.accepted_id in known, f"accepted and forgotten: {heard.what}"


def _owner_of(ref: "pykka.ActorRef[Any]") -> Any:
    inbox: Any = ref.actor_inbox
    assert isinstance(inbox, Mailbox)
    return inbox._owner
