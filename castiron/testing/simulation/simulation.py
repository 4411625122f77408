"""A simulation: conductors, one after the other on one store, among machines, users and trouble, in virtual time.

One thread, one seed. Time jumps from timer to timer; between two timers the actors, the writer and the archive have
their turns in an order that is drawn. What comes of it is evidence; the verdict is invariants'.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.core.views import event_view
from castiron.actors.dispatch.clock import Clock
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.ipmi.inline import InlineIPMIDriver
from castiron.actors.drivers.ipmi.wire.address import SocketAddress
from castiron.actors.drivers.registry import ipmi_limits
from castiron.actors.settings import Settings
from castiron.store.store import Store
from castiron.testing.simulation.direct import DirectDriver
from castiron.testing.simulation.evidence import Evidence, Span
from castiron.testing.simulation.house import Ground, House
from castiron.testing.simulation.machines import PORT, Machine
from castiron.testing.simulation.network import Responder, SimNetwork
from castiron.testing.simulation.plan import CALM_S, HOUR_S, MINUTE_S, Plan
from castiron.testing.simulation.rollout.crew import Crew
from castiron.testing.simulation.rollout.fates import Fates
from castiron.testing.simulation.trouble import Trouble
from castiron.testing.simulation.users import Users, create
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventSeq, Instant

STARTED_AT: Final = Instant(1_700_000_000.0)
"""When every simulation begins: seconds since 1970, as a clock tells them."""

HARVEST_S: Final = 12 * HOUR_S
"""How often requests are read out of the store: it forgets them two days after their end."""

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
"""Where files cost no disk: no power cut is simulated, so nothing need survive one."""

PAGE: Final = 10_000
"""Events, or requests, that are read at a time."""


class Simulation:
    """See the module. A context manager, for the store's folder; `run` once.

        with Simulation(Plan(seed=7, nodes=20, days=1)) as simulation:
            verdicts = judge(simulation.run())

    Attributes:
        plan: what it is made of.
        clock: its time.
        machines: its machines.
        users: who asks the conductor.
        trouble: what goes wrong.
        house: the conductor, if there is one.
        evidence: what is known by now.
        crew: who carries out the steps that may block.
        noticed_by: hears of what is published, before anything else happens.
    """

    def __init__(self, plan: Plan, *, store: Path | None = None, settings: Settings | None = None) -> None:
        """Prepare it; the first conductor starts.

        Args:
            settings: of its conductors; None: the plan's.
            store: the file of the store, new or from earlier; None: a temporary one.
        """
        self.plan = plan
        self.clock = VirtualClock(STARTED_AT)
        self.house: House | None = None
        self.machines = _machines(plan)
        self.evidence = Evidence(settings=settings or plan.settings(), machines=self.machines)
        self.users = Users(plan.rng("users"), self.clock, self.machines, lambda: self.house)
        self.trouble = Trouble(plan, self.clock, self.machines, self, self.evidence)
        self.crew = Crew(Fates(plan.seed, plan.trouble_percent))
        self.noticed_by: Callable[[Sequence[EventView]], None] | None = None
        self._by_address: Mapping[str, Machine] = {machine.bmc_address: machine for machine in self.machines}
        self._responders: dict[SocketAddress, Responder] = {
            (machine.host, PORT): machine.receive for machine in self.machines if machine.driver == "ipmi"
        }
        self._engine_rng, id_rng = plan.rng("engine"), plan.rng("ids")
        self._ground = Ground(
            clock=self.clock,
            rng=plan.rng("turns"),
            new_id=lambda: str(UUID(int=id_rng.getrandbits(128), version=4)),
            settings=self.evidence.settings,
            drivers=self._drivers,
            workers=self.crew.workers,
            stream=self,
            lateness=self.evidence.lateness,
        )
        self._fuse: tuple[int, float] | None = None
        self._disk_full_since: float | None = None
        self._stack = ExitStack()
        where = MEMORY if MEMORY.is_dir() else None
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="castiron-", dir=where)))
        self._path = store or folder / "castiron.db"
        self._store = self._open()
        self._stack.callback(self._close_store)
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the conductor and close its store. Idempotent."""
        if self.house is not None:
            self.house.end()
        self._stack.close()

    def run(self) -> Evidence:
        """Enrol all machines, let the plan's time pass with its trouble, and then the calm; return the evidence."""
        self.enrol()
        self.live(MINUTE_S)
        until = self.at(self.plan.duration_s)
        self.trouble.begin(until)
        self.users.come(self.plan.request_mean_s, until)
        while self.clock.now() < until:
            self.live(min(HARVEST_S, until - self.clock.now()))
        self.live(CALM_S)
        return self.gather()

    def enrol(self) -> None:
        """Make a node known for each machine; no time passes."""
        for machine in self.machines:
            self.users.ask(create(machine))
        self._take_turns()

    def at(self, seconds: float) -> Instant:
        """Return the instant so many seconds after the beginning."""
        return Instant(STARTED_AT + seconds)

    def live(self, seconds: float) -> None:
        """Let time pass, and everybody do what is theirs to do."""
        until = Instant(self.clock.now() + seconds)
        self._take_turns()
        while (at := self.clock.next_at()) is not None and at <= until:
            self.clock.step()
            self._take_turns()
        self.clock.run_until(until)
        self._harvest()

    def take_turns(self, count: int) -> None:
        """Give the conductor's parts so many turns, and let no time pass."""
        if self.house is not None and self._fuse is None:
            self.house.dispatcher.run_turns(count)

    def kill(self, after_turns: int, down_s: float) -> None:
        """End the conductor after so many turns, as SIGKILL does, and start another one on its store later.

        Args:
            after_turns: as many turns as it still has, whenever that is: so it ends in the middle of something.
            down_s: seconds until the next one starts.
        """
        if self.house is not None and self._fuse is None:
            self._fuse = (after_turns, down_s)

    def fill_disk(self, *, is_full: bool) -> None:
        """Let the disk take nothing any more, or let there be space again. Idempotent."""
        if is_full and self._disk_full_since is None:
            self._disk_full_since = self.clock.now()
        elif not is_full and self._disk_full_since is not None:
            self.evidence.outages.append(Span("disk full", self._disk_full_since, self.clock.now()))
            self._disk_full_since = None
        self._tell_writer()

    def publish(self, happened: Sequence[EventView]) -> None:
        """Take what a conductor publishes."""
        self.evidence.published.extend(happened)
        if self.noticed_by is not None:
            self.noticed_by(happened)

    def gather(self) -> Evidence:
        """Return what is known now; where there is no conductor, as soon as there is one."""
        while self.house is None:
            self.live(MINUTE_S)
        self._harvest()
        evidence, store = self.evidence, self._store
        evidence.ended_at = self.clock.now()
        evidence.nodes = store.nodes()
        evidence.events = list(_all_events(store))
        evidence.questions = self.users.questions
        evidence.blind_starts, evidence.step_timeouts_s = self.crew.blind_starts, self.crew.timeouts_s
        self._count(self.house)
        services = self.house.services
        evidence.left_over = {
            "permits": services.permits.in_use + services.permits.waiting,
            "open requests": services.board.open_count(),
            "waiters": services.board.waiting(),
            "messages": self.house.dispatcher.backlog(),
            "changes": self.house.writer.backlog(),
        }
        return evidence

    def _take_turns(self) -> None:
        house = self.house
        if house is None:
            return
        if self._fuse is None:
            house.dispatcher.run_until_idle()
        else:
            turns, down_s = self._fuse
            turns -= house.dispatcher.run_turns(turns)
            self._fuse = (turns, down_s)
            if not turns:
                self._crash(house, down_s)
        if house.failure is not None:
            self.evidence.conductor_failures.append(house.failure)
            house.failure = None

    def _crash(self, house: House, down_s: float) -> None:
        house.end()
        self._count(house)
        self.house = self._fuse = None
        self.users.lose()
        self._store.close()
        since, up_at = self.clock.now(), Instant(self.clock.now() + down_s)
        self.evidence.outages.append(Span("no conductor", since, up_at))
        self.clock.call_at(up_at, self._restart)

    def _close_store(self) -> None:
        self._store.close()

    def _restart(self) -> None:
        self._store = self._open()
        self._start()

    def _open(self) -> Store:
        return Store.open(self._path, key_path=None, new_id=self._ground.new_id)

    def _start(self) -> None:
        self.house = House(self._ground, self._store)
        self._tell_writer()

    def _tell_writer(self) -> None:
        if self.house is not None:
            self.house.writer.is_full = self._disk_full_since is not None

    def _drivers(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        del shares  # nothing here blocks
        network = SimNetwork(clock, self._responders)
        ipmi = InlineIPMIDriver(clock, network, rng=self._engine_rng, limits=ipmi_limits(settings))
        network.driver = ipmi
        return {"direct": DirectDriver(clock, self._by_address), "ipmi": ipmi}

    def _harvest(self) -> None:
        if self.house is not None:
            requests = self._store.requests(limit=PAGE)
            self.evidence.requests.update({request.id: request for request in reversed(requests)})

    def _count(self, house: House) -> None:
        counts = self.evidence.counts
        told = {f"checks: {what}": count for what, count in house.services.checks.counts().items()}
        told |= {"restarts of actors": house.tally.restarts, "nodes put aside": house.tally.put_aside, "starts": 1}
        told |= {
            f"{name}: {what}": count
            for name, driver in house.drivers.items()
            for what, count in driver.counters().items()
        }
        for what, count in told.items():
            counts[what] = counts.get(what, 0) + count


def _machines(plan: Plan) -> list[Machine]:
    drivers = ["ipmi" if number < plan.ipmi_nodes else "direct" for number in range(plan.nodes)]
    return [Machine(number, driver, plan.rng(f"machine {number}")) for number, driver in enumerate(drivers)]


def _all_events(store: Store) -> list[EventView]:
    found: list[EventView] = []
    while page := store.events(since=EventSeq(found[-1].seq if found else 0), limit=PAGE):
        found += [event_view(event) for event in page]
    return found
