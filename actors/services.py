"""What actors are given to work with, in one place: nobody reaches for a global.

Only references live here; each part is built by the conductor and described in its own room.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Protocol

from castiron.actors.dispatch.clock import Clock
from castiron.actors.dispatch.dispatcher import Dispatcher
from castiron.actors.dispatch.grid import fineness
from castiron.actors.drivers.base import Driver
from castiron.actors.executors.engines import Engines
from castiron.actors.nodes.crowding import Crowding
from castiron.actors.nodes.permits import Permits
from castiron.actors.nodes.troubles import Troubles
from castiron.actors.periodics.periodics import Periodics
from castiron.actors.published.board import Board
from castiron.actors.published.checks import Checks
from castiron.actors.reception.gate import Gate
from castiron.actors.runbooks.published import Runbooks
from castiron.actors.sensors.readings import Readings
from castiron.actors.settings import Settings
from castiron.actors.steps.tokens import Tokens
from castiron.actors.steps.workers import Workers
from castiron.actors.supervision.directory import Directory
from castiron.store.errors import StoreError
from castiron.store.records import Change, Commit, NodeRecord, RequestRecord
from castiron.transport.vocabulary import ConductorID, EventSeq, NodeUUID

Written = Callable[[Commit | StoreError], None]
"""Called with the outcome of a change; must not block."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A node as the store has it."""

    record: NodeRecord | None
    """None: there is no such node."""
    requests: list[RequestRecord]
    """Those that have not ended, the oldest first."""
    seq: EventSeq
    """The event number at which that holds, or a lower one."""


Loaded = OnDisk | Exception
"""What came of reading a node: what is on disk, or why it could not be read."""


class Writer(Protocol):
    """Commits changes, in the order in which they come."""

    def submit(self, change: Change, done: Written) -> None:
        """Take a change; `done` hears of it once it is on disk, or is certain not to be. Any thread; never blocks."""
        ...

    def backlog(self) -> int:
        """Return how many changes wait or are being written. Any thread; O(1)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """What a node's actor works with."""

    conductor: ConductorID
    clock: Clock
    dispatcher: Dispatcher
    writer: Writer
    permits: Permits
    gate: Gate
    drivers: Mapping[str, Driver]
    board: Board
    directory: Directory
    settings: Settings
    new_id: Callable[[], str]
    rng: Random
    """Spreads what would otherwise happen to many nodes at once."""
    checks: Checks
    load: Callable[[NodeUUID, Callable[[Loaded], None]], None]
    """Read a node from the store, behind everything that was submitted before, and tell; off the caller's thread."""
    workers: Workers
    """Carries out the steps that may block."""
    tokens: Tokens
    """Lets others say how a step ended."""
    periodics: Periodics
    """Runs the periodic tasks."""
    engines: Engines = field(default_factory=Engines)
    """Say which step is next, where the node's actor does not."""
    runbooks: Runbooks = field(default_factory=Runbooks)
    """Those that are stored."""
    secret_rng: Random = field(default_factory=SystemRandom)
    """Draws passwords."""
    readings: Readings = field(default_factory=Readings)
    """What the nodes' sensors said last."""
    troubles: Troubles = field(default_factory=Troubles)
    """What the log says of BMCs that fail."""
    sensor_places: Permits = field(init=False)
    """For readings of sensors."""
    crowding: Crowding = field(init=False)
    """Which nodes have most waiting."""

    def fineness(self, every_s: float) -> int:
        """Return at how many moments a second checks so far apart come up; see dispatch/grid.py. O(1), any thread.

        Those that are further apart than the fleet's come up with the fleet's. Those that are closer, as after an
        action, have a grid as if all nodes were checked so often: where many are, they are the more checks.
        """
        return fineness(self.board.census.total, min(every_s, self.settings.sync_power_state_interval_s))

    def go_by(self, settings: Settings) -> None:
        """Have each decision from now on go by these. Any thread; a decision that is being made ends by the old ones.

        Args:
            settings: of which nothing has changed that somebody keeps a copy of; see `settings.reloading`.
        """
        object.__setattr__(self, "settings", settings)

    def __post_init__(self) -> None:
        """Make what is made of the others."""
        object.__setattr__(self, "sensor_places", Permits(self.settings.sensor_data_workers))
        object.__setattr__(self, "crowding", Crowding(self.settings, self.board, self.directory, self.dispatcher))
        self.board.attend(self.checks.attend)
