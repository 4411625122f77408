"""A conductor's actors in virtual time: who runs next, and when a commit lands, is drawn from a seed.

The actors, the board, the directory, the permits, the committer and the store are the real ones; only their threads are
not there. So any order in which the conductor's threads could meet can be drawn, and a failure replays from its seed.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Final

import pykka

from castiron.actors.asking import Asked
from castiron.actors.core.messages import Remove, Submit
from castiron.actors.delivery import deliver, node_not_found
from castiron.actors.dispatch.mailbox import Mailbox
from castiron.actors.dispatch.pooled import abandon
from castiron.actors.dispatch.virtual import SimDispatcher, VirtualClock
from castiron.actors.fleet import CreateNode, FleetActor, SetNode, being_replaced, seat_fleet
from castiron.actors.nodes.permits import Permits
from castiron.actors.published.archive import Library
from castiron.actors.published.board import Board
from castiron.actors.published.checks import Checks
from castiron.actors.published.waiting import Wait
from castiron.actors.services import Loaded, OnDisk, Services, Written
from castiron.actors.settings import Settings
from castiron.actors.supervision.directory import Directory
from castiron.actors.supervision.kin import Hung, Kin, Seat
from castiron.actors.supervision.nursery import Nursery, state_from_store
from castiron.actors.supervision.supervisor import SupervisorActor, Tally
from castiron.store.errors import StoreUnwritable
from castiron.store.records import Change, RequestRecord
from castiron.store.store import Store
from castiron.transport.errors import CastironError
from castiron.transport.verbs import NodeCreate, NodePowerSet, NodeSet
from castiron.transport.vocabulary import EventSeq, Instant, NodeUUID, PowerTarget, RequestID, Seconds
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


class SimWriter:
    """Commits with the real committer, one change a turn, when the dispatcher draws its turn.

    `is_full`: it refuses, as for a full disk. `is_held`: it waits until a test gives it a turn.
    """

    def __init__(self, store: Store, dispatcher: SimDispatcher) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._line: deque[tuple[Change, Written]] = deque()
        self.is_full = False
        self.is_dead = False
        self.is_held = False

    def submit(self, change: Change, done: Written) -> None:
        self._line.append((change, done))
        if not self.is_held:
            self._dispatcher.schedule(self)

    def run_turn(self, messages: int) -> None:
        del messages
        change, done = self._line.popleft()
        if self.is_dead:
            return
        if self.is_full and change != Change():
            done(StoreUnwritable("the disk is full."))
        else:
            done(self._store.committer.commit([change])[0])

    def backlog(self) -> int:
        return len(self._line)

    def doing(self) -> tuple[str, str]:
        return "writer", "commit"


class Errand:
    """Something that a helper thread would do, at a moment that the seed draws."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def run_turn(self, messages: int) -> None:
        del messages
        self._call()

    def doing(self) -> tuple[str, str]:
        return "errand", "call"


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
        self._settings = replace(SETTINGS, restart_intensity=restart_intensity)
        self._new_id = counting_ids()
        self.store = Store.open(None, key_path=None, new_id=self._new_id)
        self.clock = VirtualClock(Instant(1000.0))
        self.heard: list[Heard] = []
        self._start()

    def _start(self) -> None:
        self.dispatcher = SimDispatcher(self.rng)
        self.writer = SimWriter(self.store, self.dispatcher)
        self.driver = BuggyDriver(self.clock)
        self.tally = Tally()
        self.given_up: list[str] = []
        self.services = Services(
            conductor=self.store.conductor,
            clock=self.clock,
            dispatcher=self.dispatcher,
            writer=self.writer,
            permits=Permits(SETTINGS.max_running_actions),
            drivers={"fake": self.driver},
            board=Board(max_waiters=100, seq=self.store.latest_seq()),
            directory=Directory(),
            settings=self._settings,
            new_id=self._new_id,
            rng=self.rng,
            checks=Checks(self.clock.now),
            load=self._load,
        )
        self.kin = Kin(fleet=Seat(), supervisor=Seat())
        nursery = Nursery(self.services, self.kin)
        give_up = self.given_up.append
        self.kin.supervisor.take(SupervisorActor.start(self.services, self.kin, nursery, self.tally, give_up))
        for record in self.store.nodes():
            nursery.raise_node(
                state_from_store(record, self.store.open_requests_of(record.uuid)), self.services.board.seq
            )
        seat_fleet(self.services, nursery, self.kin.fleet, give_up)

    def _load(self, uuid: NodeUUID, tell: Callable[[Loaded], None]) -> None:
        def read() -> None:
            library: Library = self.store
            seq = library.latest_seq()
            tell(OnDisk(library.node(uuid), library.open_requests_of(uuid), seq))

        self.writer.submit(Change(), lambda _: self.dispatcher.schedule(Errand(read)))

    # What users do.

    def create(self, name: str) -> Heard:
        heard = self._heard(f"create {name}")
        verb = NodeCreate(name=name, driver="fake")
        return self._tell_fleet(CreateNode(verb=verb, requester="test", asked=Asked(heard)), heard)

    def set(self, node: str, **changes: Any) -> Heard:
        heard = self._heard(f"set {node} {changes}")
        verb = NodeSet(node=node, **changes)
        return self._tell_fleet(SetNode(verb=verb, requester="test", asked=Asked(heard)), heard)

    def power(self, name: str, target: PowerTarget, *, waits: bool) -> Heard:
        heard = self._heard(f"power {name} {target}")
        request_id = RequestID(self._new_id())
        asked = Asked(heard)
        if waits:
            wait = Wait(self.services.board, heard, partial(_tell_end, heard))
            wait.expect(request_id)
            asked = Asked(heard, wait.withdraw)
        verb = NodePowerSet(node=name, target=target)
        return self._deliver(name, Submit(request_id=request_id, verb=verb, requester="test", reply_to=asked), asked)

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

    def _deliver(self, name: str, message: Submit | Remove, asked: Asked) -> Heard:
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
        ref = self._ref(name)
        if ref is not None:
            ref.stop(block=False)

    def declare_hung(self, name: str) -> None:
        """Have a node taken from its actor."""
        published = self.services.board.node(name)
        owner = None if published is None else self.services.directory.owner(published.state.record.uuid)
        if published is not None and owner is not None:
            uuid = published.state.record.uuid
            self.kin.supervisor.tell(Hung(uuid=uuid, generation=owner.generation, reason="declared"))

    def stop_fleet(self) -> None:
        """Stop the fleet's actor behind everybody's back."""
        for ref in pykka.ActorRegistry.get_by_class(FleetActor):
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
        self.writer.is_dead = True
        for ref in pykka.ActorRegistry.get_all():
            abandon(ref)
        while self.clock.next_at() is not None:
            self.clock.step()
        self.driver.stop(0)
        self.heard = [heard for heard in self.heard if heard.told]  # nobody tells the others any more
        self._start()

    def _ref(self, name: str) -> "pykka.ActorRef[Any] | None":
        published = self.services.board.node(name)
        owner = None if published is None else self.services.directory.owner(published.state.record.uuid)
        return None if owner is None else owner.ref

    # What then must hold.

    def run(self, turns: int) -> None:
        """Give some turns."""
        left = iter(range(turns))
        self.dispatcher._run(lambda: next(left, None) is None or not self.dispatcher.backlog(), turns + 1)

    def settle(self) -> None:
        """Let all that was begun come to its end."""
        self.writer.is_full = False
        self.clock.run(self.dispatcher, until=Instant(self.clock.now() + LONG_S))

    def check(self) -> Audit:
        """Check everything, once it has come to rest."""
        audit = Audit(self.store)
        audit.check()
        assert self.given_up == []
        self._check_answers(audit)
        services = self.services
        assert (services.permits.in_use, services.permits.waiting) == (0, 0)
        assert (services.board.waiting(), services.board.open_count()) == (0, 0)
        assert self.clock.counters()["waiting"] == 0
        by_uuid = {node.uuid: node for node in audit.nodes}
        assert {published.state.record.uuid for published in services.board.nodes()} == set(by_uuid)
        for published in services.board.nodes():
            shown, stored = published.state.record, by_uuid[published.state.record.uuid]
            assert (shown.name, shown.revision, shown.fault) == (stored.name, stored.revision, stored.fault)
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
        (ref,) = pykka.ActorRegistry.get_by_class(FleetActor)
        fleet: Any = _owner_of(ref)
        assert fleet._underway == {}
        assert fleet._index._names == {node.name: node.uuid for node in self.store.nodes()}
        assert fleet._index._pending == {}

    def _check_answers(self, audit: Audit) -> None:
        known = {request.id for request in audit.requests}
        for heard in self.heard:
            last = heard.told[-1:]
            assert len(heard.told) - heard.told.count("accepted") <= 1, (heard.what, heard.told)
            assert last, f"nobody answered: {heard.what}"
            assert heard.accepted_id is None or heard.accepted_id in known, f"accepted and forgotten: {heard.what}"


def _tell_end(heard: Heard, request: RequestRecord, seq: EventSeq) -> None:
    del request
    heard.final(None, seq)


def _owner_of(ref: "pykka.ActorRef[Any]") -> Any:
    inbox: Any = ref.actor_inbox
    assert isinstance(inbox, Mailbox)
    return inbox._owner
