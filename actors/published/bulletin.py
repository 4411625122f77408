"""What the conductor says about itself: who it is, its limits, and how its parts are.

Gathers the parts' own counters when somebody asks; keeps nothing and decides nothing.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Final, Protocol

import castiron
from castiron.actors.bulkheads.bulkhead import DEFAULT_SPARE
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.coroutines.loops import Loops
from castiron.actors.dispatch.dispatcher import Dispatcher
from castiron.actors.metrics.happenings import Happenings
from castiron.actors.metrics.lag import Lags
from castiron.actors.metrics.telling import bmcs_view, lag_views
from castiron.actors.metrics.vitals import Vitals
from castiron.actors.nodes.place import ENGINE, POWER, caps_of
from castiron.actors.published import process
from castiron.actors.published.alarms import Lookout
from castiron.actors.published.archive import MAX_QUESTIONS, Asking
from castiron.actors.published.board import Published
from castiron.actors.sensors.readings import MAX_BYTES, Reading
from castiron.actors.services import Services
from castiron.actors.settings.shares import CALLS, COROUTINES, LOGINS, SENSORS, SHARES
from castiron.actors.supervision.kin import Kin
from castiron.actors.supervision.supervisor import Tally
from castiron.actors.supervision.watch import Watch
from castiron.store.store import Store
from castiron.store.writer import MAX_BACKLOG, Writer
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.publisher import MAX_WAITING
from castiron.transport.frames import SPEAKS
from castiron.transport.replies import (
    CheckCounts,
    DrainView,
    Gauge,
    KeptEvents,
    RequestCounts,
    RunningTurn,
    ShareView,
    SlowTurns,
    StatusView,
    StoreView,
    Welcome,
    marked,
)

PAGE: Final = 100
"""Nodes of a page that is made for metrics: some 20 µs during which nothing else is published."""


class Counted(Protocol):
    """The bulks under way."""

    def counts(self) -> tuple[int, int]:
        """Return how many there are, and how many nodes they have."""
        ...


class Bulletin:
    """Speaks for one start of a conductor. Complete once `front_door`, `watch`, `lookout` and `lags` have been set."""

    front_door: FrontDoor
    lags: Lags
    watch: Watch
    lookout: Lookout

    def __init__(
        self,
        *,
        services: Services,
        kin: Kin,
        store: Store,
        writer: Writer,
        archive: Asking,
        dispatcher: Dispatcher,
        tally: Tally,
        boot_id: str,
        bulks: Counted,
        shares: Shares,
        happenings: Happenings,
        webhooks: Callable[[], dict[str, int]] | None = None,
    ) -> None:
        self._services = services
        self._kin = kin
        self._store = store
        self._writer = writer
        self._archive = archive
        self._dispatcher = dispatcher
        self._tally = tally
        self._boot_id = boot_id
        self._bulks = bulks
        self._shares = shares
        self._happenings = happenings
        self._webhooks = webhooks
        self._started_at = services.clock.now()

    @property
    def loops(self) -> Loops:
        """What carries coroutines out."""
        return self._shares.loops

    def welcome(self) -> Welcome:
        """Say who answers, and its limits."""
        limits = self.front_door.limits
        return Welcome(
            conductor=self._services.conductor,
            boot_id=self._boot_id,
            version=castiron.__version__,
            speaks=list(SPEAKS),
            heartbeat_interval_s=limits.heartbeat_interval_s,
            liveness=limits.liveness,
            limits={
                **limits.published(),
                "mailbox": self._services.settings.node_mailbox_limit,
                "bulks": self._services.settings.max_bulks,
                "bulk_nodes": self._services.settings.max_bulk_nodes,
            },
            events_endpoint=self.front_door.events_endpoint,
        )

    def status(self) -> StatusView:
        """Say how the conductor is. O(parts), and O(nodes for which something waits). Any thread."""
        services = self._services
        drivers = {name: dict(driver.counters()) for name, driver in services.drivers.items()}
        return StatusView(
            conductor=services.conductor,
            boot_id=self._boot_id,
            version=castiron.__version__,
            started_at=self._started_at,
            uptime_s=services.clock.now() - self._started_at,
            endpoint=self.front_door.endpoint,
            store=self._of_store(),
            nodes=self._of_nodes(),
            requests=RequestCounts(**self._of_requests()),
            checks=CheckCounts(**services.checks.counts(), **services.checks.pace()._asdict()),
            actors=self._of_actors(),
            drivers=drivers,
            transport=dict(self.front_door.counters()),
            threads=self.watch.states(),
            limits={**self.welcome().limits, "max_running_actions": services.settings.max_running_actions},
            settings=asdict(services.settings),
            timers=services.clock.counters(),
            queues=self._marked({**self._of_queues(drivers), **services.crowding.now(), **self.front_door.full()}),
            shares=self._of_shares(drivers),
            requesters=services.gate.top(services.clock.now()),
            mailboxes=services.crowding.unread(),
            slow_turns=self._of_slow_turns(),
            events=KeptEvents(oldest_seq=self._store.oldest_seq(), latest_seq=self._store.latest_seq()),
            process=process.figures(),
            webhooks={} if self._webhooks is None else self._webhooks(),
            provision_states=services.board.census.by_provision(),
            lag=lag_views(self.lags.lately()),
            bmcs=bmcs_view(services.checks, services.board),
            drain=self.drain(),
        )

    def drain(self) -> DrainView:
        """Say whether the conductor drains, and what is left. O(1). Any thread."""
        services, since = self._services, self._services.gate.draining.since
        return DrainView(
            is_draining=since is not None,
            since=None if since is None else since.at,
            requester=None if since is None else since.requester,
            open_requests=services.board.open_count(),
            running=services.permits.in_use,
            bulks=self._bulks.counts()[0],
        )

    def vitals(self) -> Vitals:
        """Return everything that is counted. O(parts), and O(nodes that have metrics of their own). Any thread."""
        services, counters = self._services, self._writer.counters()
        drivers = {name: dict(driver.counters()) for name, driver in services.drivers.items()}
        return Vitals(
            conductor=services.conductor,
            version=castiron.__version__,
            started_at=self._started_at,
            census=services.board.census,
            endings=services.board.endings,
            checks=services.checks.counts(),
            late=services.checks.lateness(),
            response=services.checks.response_times(),
            answers=services.checks.answers(),
            lag=self.lags.sketches(),
            events=self._happenings.events(),
            requests=self._of_requests(),
            is_draining=services.gate.draining.since is not None,
            queues=self._of_queues(drivers),
            store={
                "changes": counters.changes,
                "commits": counters.commits,
                "failures": counters.failures,
                "backlog": self._writer.backlog(),
                "is_writable": self._writer.state() == "ok",
            },
            drivers=drivers,
            transport=self.front_door.counters(),
            actors=self._of_actors(),
            webhooks={} if self._webhooks is None else self._webhooks(),
            nodes=self._told_singly(services.settings.prometheus_max_nodes),
        )

    def _told_singly(self, most: int) -> tuple[tuple[Published, Reading | None], ...]:
        """Return the first nodes by name, a hundred at a time: a page is made while nothing is published."""
        board, readings = self._services.board, self._services.readings
        told: list[Published] = []
        while len(told) < most:
            after = told[-1].state.record.name if told else None
            page = board.page(after=after, limit=min(PAGE, most - len(told)))
            if not page:
                break
            told += page
        return tuple((one, readings.of(one.state.record.uuid)) for one in told)

    def gauges(self) -> dict[str, Gauge]:
        """Return how full everything is that has a bound. O(parts) and O(identities), not O(nodes). One thread.

        Of what fills and empties within milliseconds it is the most since the last call.
        """
        drivers = {name: dict(driver.counters()) for name, driver in self._services.drivers.items()}
        return {**self._of_queues(drivers), **self._services.crowding.peaks(), **self.front_door.peaks()}

    def _marked(self, gauges: dict[str, Gauge]) -> dict[str, Gauge]:
        marks = {name for name, gauge in gauges.items() if self.lookout.alarms.is_marked(name, gauge)}
        return {name: marked(gauge) if name in marks else gauge for name, gauge in gauges.items()}

    def _of_queues(self, drivers: dict[str, dict[str, int]]) -> dict[str, Gauge]:
        services, door = self._services, self.front_door
        settings, counters, limits = services.settings, door.counters(), door.limits
        ipmi = drivers.get("ipmi", {})
        engines = services.engines.counters()
        bulks, bulk_nodes = self._bulks.counts()
        return {
            "actions": _held(services.permits.in_use, settings.max_running_actions, "max_running_actions"),
            **{
                f"{kind}_actions": _capped(services.permits.in_use_of(kind), cap, f"max_concurrent_{kind}")
                for kind, cap in caps_of(settings).items()
                if kind != ENGINE
            },
            "engines": _capped(services.permits.in_use_of(ENGINE), caps_of(settings)[ENGINE], "max_engines"),
            "engines_waiting": Gauge(used=services.permits.waiting_for_more),
            "engine_turns": _held(engines["running"], settings.engine_threads, "engine_threads"),
            "left_behind": self._left_behind(),
            "engine_turns_waiting": Gauge(used=engines["waiting"]),
            "steps": _held(services.workers.counters()["running"], settings.max_workers, "max_workers"),
            "periodics": _held(
                services.periodics.counters()["running"], settings.periodic_max_workers, "periodic_max_workers"
            ),
            "sensor_readings": _held(
                services.sensor_places.in_use, settings.sensor_data_workers, "sensor_data_workers"
            ),
            "sensor_readings_waiting": Gauge(used=services.sensor_places.waiting),
            "sensor_data_bytes": Gauge(used=services.readings.used_bytes, limit=MAX_BYTES),
            **services.gate.gauges(services.clock.now()),
            "power_actions_waiting": Gauge(used=services.permits.waiting_of(POWER)),
            "actions_waiting": Gauge(used=services.permits.waiting),
            "waiters": _held(services.board.waiting(), settings.max_waiters, "max_waiters"),
            "bulks": _held(bulks, settings.max_bulks, "max_bulks"),
            "bulk_nodes": _held(bulk_nodes, settings.max_bulk_nodes, "max_bulk_nodes"),
            "logins": _held(ipmi.get("logging_in", 0), settings.ipmi_max_logins, "ipmi_max_logins"),
            "logins_waiting": Gauge(used=ipmi.get("login_queue", 0)),
            "datagrams_per_s": _capped(
                ipmi.get("datagrams_per_s", 0), round(settings.ipmi_max_datagrams_per_s), "ipmi_max_datagrams_per_s"
            ),
            "datagrams_waiting": Gauge(used=ipmi.get("paced", 0)),
            "fleet": _held(self._kin.fleet.users_waiting(), settings.fleet_mailbox_limit, "fleet_mailbox_limit"),
            "allocation_changes": _held(
                self._kin.keeper.users_waiting(), settings.fleet_mailbox_limit, "fleet_mailbox_limit"
            ),
            "allocations": _held(len(services.board.allocations), settings.max_allocations, "max_allocations"),
            "writer": Gauge(used=self._writer.backlog(), limit=MAX_BACKLOG),
            "archive": Gauge(used=self._archive.waiting(), limit=MAX_QUESTIONS),
            "peers": Gauge(used=counters["peers"], limit=limits.peers),
            "in_flight": Gauge(used=counters["in_flight"], limit=limits.in_flight),
            "events_waiting": Gauge(used=counters.get("events_waiting", 0), limit=MAX_WAITING),
            **({} if self._webhooks is None else self._of_webhooks(self._webhooks())),
            "descriptors": Gauge(used=process.figures().get("descriptors", 0), limit=process.descriptor_limit()),
        }

    def _left_behind(self) -> Gauge:
        """Say how many threads of the share hang that has most of them."""
        hung = {name: one.left_behind for name, one in self._shares.standings().items()}
        most = max(hung, key=hung.__getitem__)
        return Gauge(
            used=hung[most],
            limit=self._shares.spare,
            setting="workers_pool_size",
            whose=most if hung[most] else None,
        )

    def _of_shares(self, drivers: dict[str, dict[str, int]]) -> dict[str, ShareView]:
        settings, standings, ipmi = self._services.settings, self._shares.standings(), drivers.get("ipmi", {})
        sensors, webhooks = self._services.sensor_places, {} if self._webhooks is None else self._webhooks()
        in_flight = webhooks.get("in_flight", 0)
        others = {
            CALLS: (in_flight, webhooks.get("waiting", 0) - in_flight),
            LOGINS: (ipmi.get("logging_in", 0), ipmi.get("login_queue", 0)),
            SENSORS: (sensors.in_use, sensors.waiting),
        }
        views: dict[str, ShareView] = {}
        for share in SHARES:
            limit = share.places(settings) + share.long_places(settings)
            if share.has_threads:
                views[share.name] = ShareView(limit=limit, spare=self._shares.spare, **asdict(standings[share.name]))
            else:
                busy, waiting = others[share.name]
                views[share.name] = ShareView(limit=limit, busy=busy, waiting=waiting)
        coroutines = self._shares.of_coroutines()
        for share in COROUTINES:
            limit = share.places(settings)
            views[share.name] = ShareView(limit=limit, spare=DEFAULT_SPARE, **asdict(coroutines[share.name]))
        return views

    def _of_webhooks(self, figures: dict[str, int]) -> dict[str, Gauge]:
        settings = self._services.settings
        return {
            "webhooks": _held(figures["waiting"], settings.webhook_max_waiting, "webhook_max_waiting"),
            "webhooks_in_flight": _held(figures["in_flight"], settings.webhook_max_in_flight, "webhook_max_in_flight"),
        }

    def _of_requests(self) -> dict[str, int]:
        services = self._services
        return {
            "open": services.board.open_count(),
            "running": services.permits.in_use,
            "waiting_for_permit": services.permits.waiting,
            "waiters": services.board.waiting(),
        }

    def _of_slow_turns(self) -> SlowTurns:
        running = self._dispatcher.stuck(self._services.settings.slow_turn_s)
        latest = self._dispatcher.lasted()
        return SlowTurns(
            count=self._dispatcher.counters().get("slow_turns", 0),
            running=[RunningTurn(actor=turn.actor, message=turn.message, lasts_s=turn.lasts_s) for turn in running],
            **({} if latest is None else asdict(latest)),
        )

    def _of_actors(self) -> dict[str, int]:
        return {
            **self.watch.counters(),
            **self._dispatcher.counters(),
            **asdict(self._tally),
            "nodes": len(self._services.directory),
        }

    def _of_store(self) -> StoreView:
        counters = self._writer.counters()
        return StoreView(
            path=None if self._store.path is None else str(self._store.path),
            size_bytes=self._store.size_bytes(),
            wal_bytes=self._store.wal_bytes(),
            free_bytes=self._store.free_bytes(),
            schema_version=self._store.schema_version,
            state=self._writer.state(),
            backlog=self._writer.backlog(),
            changes=counters.changes,
            commits=counters.commits,
            failures=counters.failures,
            events_seq=self._services.board.seq,
        )

    def _of_nodes(self) -> dict[str, int]:
        census = self._services.board.census
        return {
            "total": census.total,
            **census.by_power(),
            "maintenance": census.maintenance,
            "fault": sum(census.by_fault().values()),
            "failing": self._services.troubles.failing(),
        }


def _capped(used: int, limit: int, setting: str) -> Gauge:
    return Gauge(used=used, limit=limit or None, setting=setting)


def _held(used: int, limit: int, setting: str) -> Gauge:
    return Gauge(used=used, limit=limit, setting=setting)
