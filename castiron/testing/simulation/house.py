"""One start of a whole conductor in virtual time: the real actors, board, permits, reception, pruning, around a store.

Only what has a thread or a socket is replaced by what stands for it in virtual time. When the house ends, it ends as a
process does that is killed: nothing of it runs on, its timers call nobody, its actors are dead; what is on disk stays.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from castiron.actors.allocations.seating import seat_keeper
from castiron.actors.bulk.bulks import Bulks
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.bulkheads.threads import Source
from castiron.actors.conductor import MakeDrivers
from castiron.actors.coroutines.virtual import ClockLoop
from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.dispatch.pooled import abandon_all
from castiron.actors.dispatch.virtual import SimDispatcher, VirtualClock
from castiron.actors.drivers.base import Driver
from castiron.actors.executors.opening import open_engines
from castiron.actors.fleet import seat_fleet
from castiron.actors.metrics.happenings import Happenings
from castiron.actors.nodes.place import open_permits
from castiron.actors.periodics.periodics import Periodics
from castiron.actors.pruning import Pruning, Reading
from castiron.actors.published.board import Board
from castiron.actors.published.bulletin import Bulletin
from castiron.actors.published.checks import Checks
from castiron.actors.published.herald import Herald, Stream
from castiron.actors.reception.admission import Keys
from castiron.actors.reception.desk import Reception
from castiron.actors.reception.gate import Gate
from castiron.actors.reception.intake import Intake
from castiron.actors.runbooks.published import Runbooks
from castiron.actors.services import Services
from castiron.actors.settings import Settings
from castiron.actors.steps.tokens import Tokens
from castiron.actors.steps.workers import Workers
from castiron.actors.supervision.directory import Directory, Owner
from castiron.actors.supervision.kin import Hung, Kin, Seat
from castiron.actors.supervision.nursery import Nursery, state_from_store
from castiron.actors.supervision.supervisor import SupervisorActor, Tally
from castiron.store.store import Store
from castiron.testing.simulation.disk import SimArchive, SimWriter
from castiron.transport.errors import CastironError
from castiron.transport.replies import TimerCounts
from castiron.transport.vocabulary import CheckResult, Instant, NodeUUID

PRUNING_PAUSE_S: Final = 3_600.0
"""Between two rounds that found nothing to remove: once a minute would be half of a simulated week's work."""

STILL: Final = Reading(0.0, 0.0)
"""The clocks of pruning: how long a step takes here says nothing, and would be another number each time."""


MakeWorkers = Callable[[Clock, Settings], Workers]
"""Makes those who carry steps out, in virtual time."""


class MortalClock:
    """A virtual clock for one process: when that has ended, the timers that it ordered call nobody. One thread."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._is_alive = True

    def now(self) -> Instant:
        """Return what the world's clock says."""
        return self._clock.now()

    def call_at(self, at: Instant, call: Callable[[], None]) -> Timer:
        """Order a call; see Clock."""
        return self._clock.call_at(at, partial(self._call, call))

    def counters(self) -> TimerCounts:
        """Return what the world's clock counts."""
        return self._clock.counters()

    def end(self) -> None:
        """Call nobody any more. Idempotent."""
        self._is_alive = False

    def _call(self, call: Callable[[], None]) -> None:
        if self._is_alive:
            call()


class Moments:
    """The home of bulkheads in virtual time: what they have is carried out at once, before time goes on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def serve(self, source: Source) -> None:
        """Begin what a source has in the next moment, and go on until it has no more; see `Home`."""
        self._clock.call_at(self._clock.now(), partial(self._work, source))

    def _work(self, source: Source) -> None:
        piece = source.begin()
        while piece is not None:
            piece.run()
            piece = source.go_on(piece)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a conductor stands on, and what outlives it."""

    clock: VirtualClock
    rng: Random
    """Draws who has the next turn, and spreads the checks."""
    new_id: Callable[[], str]
    settings: Settings
    drivers: MakeDrivers
    workers: MakeWorkers
    stream: Stream
    """Where events are published."""
    lateness: Counter[float]
    """Where is noted how late checks began."""


class NotedChecks(Checks):
    """Counts checks, and notes how late each began, where the conductor itself keeps the latest only."""

    def __init__(self, now: Callable[[], Instant], lateness: Counter[float]) -> None:
        super().__init__(now)
        self._lateness = lateness

    def count(
        self,
        result: CheckResult,
        late_s: float,
        node: NodeUUID | None = None,
        began_at: Instant | None = None,
        error: CastironError | None = None,
    ) -> None:
        """Count a check that has ended; see Checks."""
        super().count(result, late_s, node, began_at, error)
        self._lateness[round(late_s, 3)] += 1


class House:
    """A conductor, from its construction to `end`. One thread: whoever runs `dispatcher` and the clock.

    Attributes:
        dispatcher: gives the actors their turns.
        writer: changes the store.
        drivers: by name.
        reception: takes verbs, as a front door hands them in.
        intake: takes requests, as reception hands them in.
        bulks: those under way.
        services: what actors work with.
        tally: what the supervisor has done.
        failure: why it cannot go on; None as long as it can.
    """

    def __init__(self, ground: Ground, store: Store) -> None:
        self.failure: str | None = None
        self.tally = Tally()
        self._clock = MortalClock(ground.clock)
        self.dispatcher = SimDispatcher(ground.rng)
        board = Board(max_waiters=ground.settings.max_waiters, seq=store.latest_seq())
        happenings = Happenings(Herald(board, ground.stream).landed)
        self.writer = SimWriter(store.committer, self.dispatcher, happenings.landed)
        archive = SimArchive(store, self.writer, self.dispatcher)
        shares = Shares(ground.settings, self._clock, home=Moments(self._clock), loop=ClockLoop(self._clock))
        self.drivers: Mapping[str, Driver] = ground.drivers(self._clock, ground.settings, shares)
        self.services = Services(
            workers=ground.workers(self._clock, ground.settings),
            engines=open_engines(ground.settings, shares),
            tokens=Tokens(store.seal, store.open_sealed),
            periodics=Periodics(self._clock, ground.settings, ground.rng, board, shares=shares, drivers=self.drivers),
            runbooks=Runbooks(store.runbooks()),
            conductor=store.conductor,
            clock=self._clock,
            dispatcher=self.dispatcher,
            writer=self.writer,
            permits=open_permits(ground.settings, self._clock),
            gate=Gate(ground.settings, board),
            drivers=self.drivers,
            board=board,
            directory=Directory(),
            settings=ground.settings,
            new_id=ground.new_id,
            rng=ground.rng,
            checks=NotedChecks(self._clock.now, ground.lateness),
            load=archive.load,
        )
        self.kin = Kin(fleet=Seat(), supervisor=Seat())
        self._start_actors(store)
        keys = Keys(store.keys())
        pruning = Pruning(
            store,
            archive,
            self._clock,
            ground.settings,
            keys.forget,
            pause_s=PRUNING_PAUSE_S,
            read_clocks=lambda: STILL,
        )
        pruning.start()
        self.intake = Intake(self.services, archive, keys)
        self.bulks = Bulks(self.services, self.intake, archive)
        desk = Bulletin(
            services=self.services,
            kin=self.kin,
            store=store,
            writer=self.writer,
            dispatcher=self.dispatcher,
            tally=self.tally,
            archive=archive,
            boot_id=ground.new_id(),
            shares=shares,
            bulks=self.bulks,
            happenings=happenings,
        )  # without a door and a watch: nobody can ask for hello or status here
        self.reception = Reception(self.services, self.kin, archive, desk, self.intake, bulks=self.bulks)

    def owner(self, node: str) -> tuple[NodeUUID, Owner] | None:
        """Return a node's uuid and its present owner, by name or uuid; None if there is no such node."""
        published = self.services.board.node(node)
        if published is None:
            return None
        uuid = published.state.record.uuid
        owner = self.services.directory.owner(uuid)
        return None if owner is None else (uuid, owner)

    def stop_actor(self, node: str) -> bool:
        """Stop a node's actor behind everybody's back; return whether there was one."""
        found = self.owner(node)
        if found is None or found[1].ref is None:
            return False
        found[1].ref.stop(block=False)
        return True

    def declare_hung(self, node: str) -> bool:
        """Have a node taken from its actor, as the watch does when a turn does not end; return whether it has one."""
        found = self.owner(node)
        if found is None or found[1].ref is None:
            return False
        uuid, owner = found
        self.kin.supervisor.tell(Hung(uuid=uuid, generation=owner.generation, reason="declared hung"))
        return True

    def end(self) -> None:
        """End at once, between any two turns: what is not on disk is gone. Idempotent."""
        self._clock.end()
        abandon_all(self.dispatcher)

    def _start_actors(self, store: Store) -> None:
        services, nursery = self.services, Nursery(self.services, self.kin)
        self.kin.supervisor.take(SupervisorActor.start(services, self.kin, nursery, self.tally, self._fail))
        for record in store.nodes():
            state = state_from_store(record, store.open_requests_of(record.uuid), services.settings.node_queue_limit)
            nursery.raise_node(state, services.board.seq)
        seat_fleet(services, nursery, self.kin.fleet, self.tally, self._fail)
        seat_keeper(services, self.kin.keeper, self.tally, self._fail, store.allocations())

    def _fail(self, reason: str) -> None:
        self.failure = self.failure or reason
