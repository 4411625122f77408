"""The conductor: builds every part, starts them in order, and stops them in reverse.

Start-up order is the code of `_start_all`, so that it can be read. A part that cannot start stops those before it. Two
conductors can live in one process: nothing here is global. It may be embedded, so signals, logging set-up and the
garbage collector are the business of whoever runs it. No decision about nodes lives here.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Final
from uuid import uuid4

import castiron
from castiron.actors.bulk.bulks import Bulks
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.crew import start_actors
from castiron.actors.dispatch.clock import Clock, SystemClock
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.registry import make_drivers
from castiron.actors.embedding.holding import Held
from castiron.actors.executors.opening import open_engines
from castiron.actors.metrics.happenings import Happenings
from castiron.actors.metrics.overseeing import open_metrics, open_watch, threads_of
from castiron.actors.metrics.slowness import SlowTurns
from castiron.actors.nodes.place import open_permits
from castiron.actors.parts import Parts
from castiron.actors.periodics.periodics import Periodics, plugged_in
from castiron.actors.pruning import Pruning, start_pruning
from castiron.actors.published.archive import Archive
from castiron.actors.published.board import Board
from castiron.actors.published.bulletin import Bulletin
from castiron.actors.published.checks import Checks
from castiron.actors.published.herald import Herald
from castiron.actors.reception.admission import Keys
from castiron.actors.reception.desk import Reception
from castiron.actors.reception.gate import Gate
from castiron.actors.reception.intake import Intake
from castiron.actors.runbooks.published import Runbooks
from castiron.actors.services import Services
from castiron.actors.settings import Reloaded, Settings, reloaded
from castiron.actors.steps.opening import open_workers
from castiron.actors.steps.tokens import Tokens
from castiron.actors.supervision.directory import Directory
from castiron.actors.supervision.kin import Kin, Seat
from castiron.actors.supervision.supervisor import Tally
from castiron.actors.supervision.watch import Watch
from castiron.actors.webhooks.sender import open_sender
from castiron.store.store import Store
from castiron.store.writer import ThreadedWriter
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.guard import Guard, open_guard
from castiron.transport.doors.publisher import Publisher
from castiron.transport.endpoint import default_endpoint, parse_endpoint
from castiron.transport.vocabulary import ConductorID

log = logging.getLogger(__name__)

MakeDrivers = Callable[[Clock, Settings, Shares], Mapping[str, Driver]]
"""Makes the drivers of one conductor, by name; those that block do so in their shares of its threads."""

LAST_ANSWERS_S: Final = 1.0
"""Given to clients to take their last answers, within the time of an orderly stop."""


def new_uuid() -> str:
    """Return a new random identity."""
    return str(uuid4())


class Conductor(Held):
    """Owns nodes and drives them, from `start` to `stop`; a context manager does both, blocking or awaited.

        with castiron.Conductor(store=Path("castiron.db")) as conductor, conductor.client() as client:
            client.nodes.power("n1", "power on").wait(timeout_s=60)

        async with castiron.Conductor(store=Path("castiron.db")) as conductor, conductor.client_async() as client:
            await (await client.nodes.power("n1", "power on")).wait(timeout_s=60)

    Thread: any may call any method. `start`, `stop`, `wait` and `reload` block; those that end in `_async` never do.
    """

    def __init__(
        self,
        *,
        store: Path | None = None,
        key_path: Path | None = None,
        endpoint: str | None = None,
        server_key_path: Path | None = None,
        allow_path: Path | None = None,
        settings: Settings | None = None,
        drivers: MakeDrivers = make_drivers,
        periodics: Iterable[object] = (),
        new_id: Callable[[], str] = new_uuid,
        rng: Random | None = None,
    ) -> None:
        """Prepare it; nothing is opened yet.

        Args:
            store: the SQLite file, made if it is missing; None: in memory, forgotten at the end.
            key_path: the file with the key of the stored secrets; None: beside the store.
            endpoint: where to listen, ipc:// or tcp://; None: the user's default.
            server_key_path: its secret key file, with which tcp:// takes keys only; None: beside the store where the
                endpoint is not on loopback, which needs one.
            allow_path: the allow-list of its clients' keys; None: beside the store.
            settings: None: all at their defaults.
            drivers: makes the drivers.
            periodics: marked functions, and objects with marked methods, that it runs beside those of plug-ins.
            new_id: makes ids of nodes, requests and starts; each must be new.
            rng: spreads power checks; None: seeded by the system.
        """
        self._store_path = store
        self._key_path = key_path
        self._wanted_endpoint = endpoint or default_endpoint(os.environ)
        self._guarding = {"server_key_path": server_key_path, "allow_path": allow_path, "store": store}
        self._server_key: str | None = None
        self._settings = settings or Settings()
        self._make_drivers = drivers
        self._periodics = tuple(periodics)
        self._new_id = new_id
        self._rng = rng or Random()  # noqa: S311 - no secret is drawn from it
        self._parts = Parts(self._settings.graceful_shutdown_timeout_s)
        self._changing = threading.Lock()
        self._is_started = False
        self._is_stopping = False
        self._ended = threading.Event()
        self._ended.set()
        self._failure: str | None = None
        self._front_door: FrontDoor | None = None
        self._watch: Watch | None = None
        self._services: Services | None = None
        self._endpoint: str | None = None
        self._conductor_id: ConductorID | None = None

    @property
    def endpoint(self) -> str:
        """Where it listens.

        Raises:
            RuntimeError: it has never been started.
        """
        if self._endpoint is None:
            raise RuntimeError("the conductor has not been started")
        return self._endpoint

    @property
    def conductor_id(self) -> ConductorID:
        """Its identity, the same for as long as its store is.

        Raises:
            RuntimeError: it has never been started.
        """
        if self._conductor_id is None:
            raise RuntimeError("the conductor has not been started")
        return self._conductor_id

    @property
    def failure(self) -> str | None:
        """Why it cannot do its work any longer, or could not before it was stopped; None: nothing was wrong."""
        return self._failure

    @property
    def stop_most_s(self) -> float:
        """Seconds that `stop` takes at the most: graceful_shutdown_timeout_s, and what parts have in any case."""
        return self._parts.most_s

    @property
    def server_key(self) -> str | None:
        """Its public key, which its clients must know; None: it takes no keys, or has never been started."""
        return self._server_key

    def is_well(self) -> bool:
        """Return whether it runs, and its watch found all its threads at work a moment ago. Any thread; O(parts)."""
        watch = self._watch
        return watch is not None and self._failure is None and watch.is_well()

    def has_ended(self) -> bool:
        """Return whether it has failed or was stopped, or has never been started. Looks at its watch; never blocks."""
        watch = self._watch
        if watch is not None and not watch.is_alive():
            self._fail("the watch has died")
        return self._ended.is_set()

    def start(self) -> None:
        """Open the store, take up every node and what was under way, and open the front door.

        Raises:
            StoreUnusable, SecretsUnreadable: the store or its key cannot be used; the message says what to do.
            EndpointRefused: castiron cannot, or will not, listen there.
            SettingInvalid: the file with the alarm rules cannot be used.
            KeyUnusable: its own key file or its allow-list cannot be used.
            RuntimeError: it runs already.
        """
        self._start(threading.Event())

    def _start(self, given_up: threading.Event) -> None:
        with self._changing:
            if self._is_started:
                raise RuntimeError("the conductor runs already; one that has failed is to be stopped first")
            self._failure, self._is_stopping = None, False
            self._ended.clear()
            try:
                self._parts.begin(given_up)
                self._start_all()
            except BaseException:
                self._close()
                raise
            self._is_started = True

    def reload(self, wanted: Settings) -> Reloaded:
        """Go by other settings from the next decision on, as far as they can change while it runs; say which do.

        Raises:
            SettingInvalid: what can change does not go together with what cannot; nothing has changed.
            RuntimeError: it does not run.
        """
        with self._changing:
            if self._services is None:
                raise RuntimeError("the conductor does not run")
            outcome = reloaded(self._services.settings, wanted)
            self._services.go_by(outcome.settings)
            return outcome

    def stop(self) -> None:
        """Stop in reverse order, within graceful_shutdown_timeout_s. Idempotent; a second caller waits for the first.

        What is under way stays on disk as it is, and is taken up again at the next start.
        """
        with self._changing:
            if self._is_started:
                self._is_started = False
                taken_s = self._close()
                log.info("conductor %s has stopped, in %.1f s", self._conductor_id, taken_s)

    def _close(self) -> float:
        """Stop what runs; return how many seconds it took."""
        self._is_stopping = True
        try:
            return self._parts.stop()
        finally:
            self._front_door = self._watch = self._services = None
            self._ended.set()

    def _start_all(self) -> None:
        settings, parts = self._settings, self._parts
        guard = self._open_guard()
        store = self._open_store()
        boot_id = self._new_id()
        board = Board(max_waiters=settings.max_waiters, seq=store.latest_seq())
        publisher = Publisher(conductor=store.conductor, boot_id=boot_id, seq=store.latest_seq())
        clock = SystemClock()
        parts.add("clock", clock.stop)  # also if something before its own place, below, cannot start
        shares = Shares(settings, clock)
        parts.add("workers' pool", shares.stop)
        sender = open_sender(store, clock, shares, settings, self._rng)
        herald = Herald(board, publisher) if sender is None else Herald(board, publisher, sender.owed)
        happenings = Happenings(herald.landed)
        writer = ThreadedWriter(store.committer, landed=happenings.landed)
        parts.add("store writer", writer.stop)
        archive = Archive(store, writer)
        parts.add("archive", archive.stop)
        parts.add("clock", clock.stop)
        if sender is not None:
            sender.start(writer.submit)
            parts.add("webhooks", sender.stop)
        slowness = SlowTurns(clock.now)
        dispatcher = PoolDispatcher(
            settings.dispatcher_threads,
            throughput=settings.dispatcher_throughput,
            slow_turn_s=settings.slow_turn_s,
            slow_turn=slowness.ended,
        )
        parts.add("dispatcher", dispatcher.stop)
        drivers = self._open_drivers(clock, shares)
        services = Services(
            conductor=store.conductor,
            clock=clock,
            dispatcher=dispatcher,
            writer=writer,
            permits=open_permits(settings, clock),
            gate=Gate(settings, board),
            drivers=drivers,
            board=board,
            directory=Directory(),
            settings=settings,
            new_id=self._new_id,
            rng=self._rng,
            checks=Checks(clock.now),
            load=archive.load,
            workers=open_workers(settings, shares, parts),
            engines=open_engines(settings, shares, parts),
            tokens=Tokens(store.seal, store.open_sealed),
            periodics=self._open_periodics(clock, shares, drivers, board),
            runbooks=Runbooks(store.runbooks()),
        )
        kin, tally = Kin(fleet=Seat(), supervisor=Seat()), Tally()
        keys = Keys(store.keys())
        intake = Intake(services, archive, keys)
        bulks = Bulks(services, intake, archive)
        bulletin = Bulletin(
            services=services,
            kin=kin,
            store=store,
            writer=writer,
            archive=archive,
            dispatcher=dispatcher,
            tally=tally,
            boot_id=boot_id,
            bulks=bulks,
            shares=shares,
            happenings=happenings,
            webhooks=None if sender is None else sender.figures,
        )
        front_door = FrontDoor(
            self._wanted_endpoint,
            Reception(services, kin, archive, bulletin, intake, bulks=bulks),
            now=clock.now,
            publisher=publisher,
            guard=guard,
            new_error_id=self._new_id,
        )
        self._open_door(front_door)
        start_actors(services, kin, tally, store, parts=parts, fail=self._fail)
        parts.add_quick("pruning", start_pruning(Pruning(store, archive, clock, settings, keys.forget)))
        threaded = threads_of(clock, writer, archive, front_door, drivers, sender=sender, guard=guard)
        watch = open_watch(
            services, kin, dispatcher, bulletin, front_door, parts=threaded, slowness=slowness, failed=self._fail
        )
        open_metrics(bulletin, settings, parts)
        services.periodics.start()
        front_door.start()
        parts.add("front door", front_door.stop, LAST_ANSWERS_S)
        parts.add_quick("bulks", bulks.close)
        watch.start()
        parts.add_quick("watch", watch.stop)
        self._front_door, self._watch, self._services = front_door, watch, services
        self._endpoint, self._conductor_id = front_door.endpoint, store.conductor
        told = "conductor %s (castiron %s) listens on %s; %d nodes, %d open requests, store %s"
        counts = len(services.directory), board.open_count()
        log.info(told, store.conductor, castiron.__version__, front_door.endpoint, *counts, store.path or "in memory")

    def _open_store(self) -> Store:
        store = Store.open(self._store_path, key_path=self._key_path, new_id=self._new_id)
        self._parts.add_quick("store", store.close)
        self._parts.go_on()
        return store

    def _open_guard(self) -> Guard | None:
        guard = open_guard(parse_endpoint(self._wanted_endpoint), **self._guarding)
        self._server_key = None if guard is None else guard.server.public
        return guard

    def _open_drivers(self, clock: Clock, shares: Shares) -> Mapping[str, Driver]:
        drivers = self._make_drivers(clock, self._settings, shares)
        for name, driver in drivers.items():
            least_s = self._settings.graceful_shutdown_timeout_s / 4  # BMCs have few slots: log out
            self._parts.add(f"{name} driver", driver.stop, least_s=least_s)
        self._parts.go_on()
        return drivers

    def _open_door(self, front_door: FrontDoor) -> None:
        """Bind before any machine is touched: where another conductor listens, this may be a copy of its store."""
        front_door.open()
        self._parts.add_quick("front door", front_door.close)
        self._parts.go_on()

    def _open_periodics(self, clock: Clock, shares: Shares, drivers: Mapping[str, Driver], board: Board) -> Periodics:
        sources = [*plugged_in(), *self._periodics]
        periodics = Periodics(clock, self._settings, self._rng, board, shares=shares, drivers=drivers, sources=sources)
        self._parts.add("periodics", periodics.stop)
        return periodics

    def _fail(self, reason: str) -> None:
        """Give up: from now on nothing is certain but what is on disk. Whoever runs the conductor is woken.

        Any thread; only the first reason counts, and none once the conductor is being stopped.
        """
        if self._is_stopping or self._failure is not None:
            return
        log.critical("the conductor cannot go on: %s. Restart it; nothing that was accepted is lost.", reason)
        self._failure = reason
        if self._front_door is not None:
            self._front_door.drain()
        self._ended.set()
