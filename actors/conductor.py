"""The conductor: builds every part, starts them in order, and stops them in reverse.

Start-up order is the code of `_start_all`, so that it can be read. A part that cannot start stops those before it. Two
conductors can live in one process: nothing here is global. It may be embedded, so signals, logging set-up and the
garbage collector are the business of whoever runs it. No decision about nodes lives here.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from castiron.actors.archive import Archive
from castiron.actors.board import Board
from castiron.actors.bulletin import Bulletin
from castiron.actors.clock import Clock, SystemClock
from castiron.actors.directory import Directory
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.registry import make_drivers
from castiron.actors.fleet import FleetActor
from castiron.actors.kin import Kin, Seat
from castiron.actors.nursery import Nursery, state_from_store
from castiron.actors.permits import Permits
from castiron.actors.pool import PoolDispatcher
from castiron.actors.pruning import Pruning
from castiron.actors.reception import Reception
from castiron.actors.services import Services
from castiron.actors.settings import Settings
from castiron.actors.supervisor import SupervisorActor
from castiron.actors.watch import Watch
from castiron.store.records import RequestRecord
from castiron.store.store import Store
from castiron.store.writer import ThreadedWriter
from castiron.transport.client import Client
from castiron.transport.endpoint import default_endpoint
from castiron.transport.frontdoor import FrontDoor
from castiron.transport.vocabulary import ConductorID, NodeUUID

log = logging.getLogger(__name__)

MakeDrivers = Callable[[Clock, Settings], Mapping[str, Driver]]
"""Makes the drivers of one conductor, by name."""

LAST_ANSWERS_S: Final = 1.0
"""Given to clients to take their last answers, within the time of an orderly stop."""


def new_uuid() -> str:
    """Return a new random identity."""
    return str(uuid4())


class Conductor:
    """Owns nodes and drives them, from `start` to `stop`; a context manager does both.

        with castiron.Conductor(store=Path("castiron.db")) as conductor, conductor.client() as client:
            client.nodes.power("n1", "power on").wait(timeout_s=60)

    Thread: any may call any method; `start` and `stop` block.
    """

    def __init__(
        self,
        *,
        store: Path | None = None,
        key_path: Path | None = None,
        endpoint: str | None = None,
        settings: Settings | None = None,
        drivers: MakeDrivers = make_drivers,
        new_id: Callable[[], str] = new_uuid,
    ) -> None:
        """Prepare it; nothing is opened yet.

        Args:
            store: the SQLite file, made if it is missing; None: in memory, forgotten at the end.
            key_path: the file with the key of the stored secrets; None: beside the store.
            endpoint: where to listen, ipc:// or tcp:// on loopback; None: the user's default.
            settings: None: all at their defaults.
            drivers: makes the drivers.
            new_id: makes ids of nodes, requests and starts; each must be new.
        """
        self._store_path = store
        self._key_path = key_path
        self._wanted_endpoint = endpoint or default_endpoint(os.environ)
        self._settings = settings or Settings()
        self._make_drivers = drivers
        self._new_id = new_id
        self._parts = ExitStack()
        self._ended = threading.Event()
        self._ended.set()
        self._failure: str | None = None
        self._endpoint: str | None = None
        self._conductor_id: ConductorID | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

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
        """Why it can do its work no longer; None: it can, or was stopped."""
        return self._failure

    def client(self, timeout_s: float = 5.0) -> Client:
        """Return a client of this conductor."""
        return Client(self.endpoint, timeout_s=timeout_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until it has failed or was stopped; return whether that came about in time."""
        return self._ended.wait(timeout_s)

    def start(self) -> None:
        """Open the store, take up every node and what was under way, and open the front door.

        Raises:
            StoreUnusable, SecretsUnreadable: the store or its key cannot be used; the message says what to do.
            EndpointRefused: castiron cannot, or will not, listen there.
            RuntimeError: it runs already.
        """
        if not self._ended.is_set():
            raise RuntimeError("the conductor runs already")
        self._failure = None
        self._ended.clear()
        try:
            self._start_all()
        except BaseException:
            self._parts.close()
            self._ended.set()
            raise

    def stop(self) -> None:
        """Stop in reverse order, within graceful_shutdown_timeout_s. Idempotent.

        What is under way stays on disk as it is, and is taken up again at the next start.
        """
        self._parts.close()
        self._ended.set()

    def _start_all(self) -> None:
        settings, parts = self._settings, self._parts
        budget_s = settings.graceful_shutdown_timeout_s / 4
        store = Store.open(self._store_path, key_path=self._key_path, new_id=self._new_id)
        parts.callback(store.close)
        writer = ThreadedWriter(store.committer)
        parts.callback(writer.stop, budget_s)
        archive = Archive(store, writer)
        parts.callback(archive.stop)
        clock = SystemClock()
        parts.callback(clock.stop, budget_s)
        dispatcher = PoolDispatcher(settings.dispatcher_threads, throughput=settings.dispatcher_throughput)
        parts.callback(dispatcher.stop, budget_s)
        drivers = self._make_drivers(clock, settings)
        for driver in drivers.values():
            parts.callback(driver.stop, budget_s)
        services = Services(
            conductor=store.conductor,
            clock=clock,
            dispatcher=dispatcher,
            writer=writer,
            permits=Permits(settings.max_running_actions),
            drivers=drivers,
            board=Board(max_waiters=settings.max_waiters, seq=store.latest_seq()),
            directory=Directory(),
            settings=settings,
            new_id=self._new_id,
            load=archive.load,
        )
        kin = Kin(fleet=Seat(), supervisor=Seat())
        self._start_actors(services, kin, store)
        pruning = Pruning(store, archive, clock, settings)
        pruning.start()
        parts.callback(pruning.stop)
        bulletin = Bulletin(
            services=services, store=store, writer=writer, dispatcher=dispatcher, boot_id=self._new_id()
        )
        front_door = FrontDoor(
            self._wanted_endpoint,
            Reception(services, kin.fleet, archive, bulletin),
            now=clock.now,
            new_error_id=self._new_id,
        )
        front_door.start()
        parts.callback(front_door.stop, LAST_ANSWERS_S)
        watch = Watch(
            dispatcher=dispatcher,
            supervisor=kin.supervisor,
            threads={
                "clock": clock.is_alive,
                "store writer": writer.is_alive,
                "front door": front_door.is_alive,
                **{f"{name} driver": driver.is_alive for name, driver in drivers.items()},
            },
            hung_turn_s=settings.hung_turn_s,
            failed=self._fail,
        )
        bulletin.front_door, bulletin.watch = front_door, watch
        watch.start()
        parts.callback(watch.stop)
        self._endpoint, self._conductor_id = front_door.endpoint, store.conductor

    def _start_actors(self, services: Services, kin: Kin, store: Store) -> None:
        nursery = Nursery(services, kin)
        self._parts.callback(_stop_actors, services, kin)
        kin.supervisor.take(SupervisorActor.start(services, kin, nursery, self._fail))
        open_requests: dict[NodeUUID, list[RequestRecord]] = {}
        for request in store.open_requests():
            open_requests.setdefault(request.node_uuid, []).append(request)
        for record in store.nodes():
            nursery.raise_node(state_from_store(record, open_requests.get(record.uuid, [])), services.board.seq)
        self._seat_fleet(services, kin, nursery)

    def _seat_fleet(self, services: Services, kin: Kin, nursery: Nursery) -> None:
        """Start the fleet's actor, and another one each time it fails: all it knows is on the board."""

        def failed(reason: str) -> None:
            log.error("the fleet's actor failed (%s); it is replaced", reason)
            self._seat_fleet(services, kin, nursery)

        kin.fleet.take(FleetActor.start(services, nursery, failed))

    def _fail(self, reason: str) -> None:
        """Give up: from now on nothing is certain but what is on disk. Whoever runs the conductor is woken."""
        log.critical("the conductor cannot go on: %s. Restart it; nothing that was accepted is lost.", reason)
        self._failure = reason
        self._ended.set()


def _stop_actors(services: Services, kin: Kin) -> None:
    """End all actors, without waiting for each: the dispatcher's end waits for their last turns."""
    for _, owner in services.directory.owners():
        if owner.ref is not None:
            owner.ref.stop(block=False)
    for seat in (kin.fleet, kin.supervisor):
        seat.leave()
