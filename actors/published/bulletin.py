"""What the conductor says about itself: who it is, its limits, and how its parts are.

Gathers the parts' own counters when somebody asks; keeps nothing and decides nothing.
"""

from collections import Counter
from dataclasses import asdict
from typing import Any

import castiron
from castiron.actors.dispatch.dispatcher import Dispatcher
from castiron.actors.services import Services
from castiron.actors.supervision.supervisor import Tally
from castiron.actors.supervision.watch import Watch
from castiron.store.store import Store
from castiron.store.writer import Writer
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.frames import SPEAKS
from castiron.transport.replies import StatusView, Welcome
from castiron.transport.vocabulary import PowerState


class Bulletin:
    """Speaks for one start of a conductor. Complete once `front_door` and `watch` have been set."""

    front_door: FrontDoor
    watch: Watch

    def __init__(
        self,
        *,
        services: Services,
        store: Store,
        writer: Writer,
        dispatcher: Dispatcher,
        tally: Tally,
        boot_id: str,
    ) -> None:
        self._services = services
        self._store = store
        self._writer = writer
        self._dispatcher = dispatcher
        self._tally = tally
        self._boot_id = boot_id
        self._started_at = services.clock.now()

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
            limits={**limits.published(), "mailbox": self._services.settings.node_mailbox_limit},
            events_endpoint=self.front_door.events_endpoint,
        )

    def status(self) -> StatusView:
        """Say how the conductor is. O(all nodes): asked by people, now and then."""
        services = self._services
        return StatusView(
            conductor=services.conductor,
            boot_id=self._boot_id,
            version=castiron.__version__,
            started_at=self._started_at,
            uptime_s=services.clock.now() - self._started_at,
            endpoint=self.front_door.endpoint,
            store=self._of_store(),
            nodes=self._of_nodes(),
            requests={
                "open": services.board.open_count(),
                "running": services.permits.in_use,
                "waiting_for_permit": services.permits.waiting,
                "waiters": services.board.waiting(),
            },
            checks={**services.checks.counts(), **services.checks.pace()._asdict()},
            actors={**self._dispatcher.counters(), **asdict(self._tally), "nodes": len(services.directory)},
            drivers={name: dict(driver.counters()) for name, driver in services.drivers.items()},
            transport=dict(self.front_door.counters()),
            threads=self.watch.states(),
            limits={**self.welcome().limits, "max_running_actions": services.settings.max_running_actions},
        )

    def _of_store(self) -> dict[str, Any]:
        counters = self._writer.counters()
        return {
            "path": None if self._store.path is None else str(self._store.path),
            "size_bytes": self._store.size_bytes(),
            "schema_version": self._store.schema_version,
            "state": self._writer.state(),
            "backlog": self._writer.backlog(),
            "changes": counters.changes,
            "commits": counters.commits,
            "failures": counters.failures,
            "events_seq": self._services.board.seq,
        }

    def _of_nodes(self) -> dict[str, int]:
        records = [published.state.record for published in self._services.board.nodes()]
        by_power = Counter("unknown" if record.power_state is None else record.power_state.value for record in records)
        return {
            "total": len(records),
            **{word: by_power[word] for word in (*(state.value for state in PowerState), "unknown")},
            "maintenance": sum(record.maintenance for record in records),
            "fault": sum(record.fault is not None for record in records),
        }
