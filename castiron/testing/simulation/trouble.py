"""What goes wrong: BMCs, hands on power buttons, actors, the conductor's process, its disk; all drawn from a seed.

Each kind of trouble comes again and again, with times between that are drawn; each is noted, so that judges know what
was to be expected. What it does to a conductor is the simulation's, which owns it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Final, Protocol

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.testing.ailments import faults_of
from castiron.testing.bmc import Faults, LongTail
from castiron.testing.simulation.evidence import Evidence, Failure, Span
from castiron.testing.simulation.house import House
from castiron.testing.simulation.machines import Machine
from castiron.testing.simulation.plan import Plan
from castiron.transport.vocabulary import Instant, NodeUUID

REPLACED_WITHIN_S: Final = 2.0
"""A failed actor has a successor by then (I8)."""

MAX_FUSE: Final = 40
"""A process that is killed has so many turns left at most, three requests' worth: so it ends in the middle of one."""

FAULTS: Final[Mapping[str, Callable[[Random], Faults]]] = MappingProxyType(
    {
        "silent": lambda _: Faults(silent=True),
        "slow": lambda _: Faults(slow_s=LongTail(0.5, 8.0)),
        "lossy": lambda rng: Faults(loss_percent=rng.uniform(5, 50)),
        "duplicating": lambda rng: Faults(duplicate_percent=rng.uniform(5, 80)),
        "reordering": lambda rng: Faults(reorder_percent=rng.uniform(5, 80)),
        "lying": lambda _: Faults(wrong_power_count=1),
        "deaf": lambda _: Faults(ignores_power=True),
        "late": lambda rng: Faults(late_power_s=rng.uniform(0.5, 90)),
        "table full": lambda _: Faults(table_full=True),
        "wrong password": lambda _: Faults(wrong_password=True),
    }
)
"""What can be wrong with a BMC for a while."""


class Stage(Protocol):
    """What trouble is made with."""

    @property
    def house(self) -> House | None:
        """The conductor, if there is one."""
        ...

    def kill(self, after_turns: int, down_s: float) -> None:
        """End the conductor's process after so many turns, and start another one later."""
        ...

    def fill_disk(self, *, is_full: bool) -> None:
        """Let the disk be full, or have space again."""
        ...


class Trouble:
    """All trouble of one simulation. One thread: the clock's."""

    def __init__(
        self, plan: Plan, clock: VirtualClock, machines: Sequence[Machine], stage: Stage, evidence: Evidence
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._machines = machines
        self._stage = stage
        self._evidence = evidence
        self._until = 0.0
        self._ailing: dict[str, tuple[str, float]] = {}
        self._struck: dict[NodeUUID, list[float]] = {}

    def begin(self, until: float) -> None:
        """Make trouble from now on, until an instant; then all is well again."""
        plan, count = self._plan, len(self._machines)
        self._until = until
        dead_rng = plan.rng("dead")
        for machine in dead_rng.sample(list(self._machines), round(count * plan.dead_percent / 100)):
            self.ail(machine, "dead", Faults(silent=True))
        given = faults_of(plan.faults, plan.names)
        for machine in self._machines:
            if (faults := given.get(machine.name)) is not None:
                self.ail(machine, "dead" if faults.silent else "given", faults)
        for kind, mean_s, happen in (
            ("faults", plan.fault_mean_s / count, self._fault),
            ("presses", plan.press_mean_s / count, self._press),
            ("actors", plan.actor_failure_mean_s, self._fail_an_actor),
            ("kills", plan.kill_mean_s, self._kill),
            ("disk", plan.disk_full_mean_s, self._fill_disk),
        ):
            self._again(plan.rng(kind), mean_s, happen)
        self._clock.call_at(Instant(until), self._end)

    def _again(self, rng: Random, mean_s: float, happen: Callable[[Random], None]) -> None:
        def now() -> None:
            happen(rng)
            self._again(rng, mean_s, happen)

        at = self._clock.now() + rng.expovariate(1 / mean_s)
        if at < self._until:
            self._clock.call_at(Instant(at), now)

    def _fault(self, rng: Random) -> None:
        machine = rng.choice(self._machines)
        kind = rng.choice((*FAULTS, "cold reset"))
        length_s = rng.expovariate(1 / self._plan.fault_length_mean_s)
        faults = Faults() if kind == "cold reset" else FAULTS[kind](rng)
        now = self._clock.now()
        if machine.bmc_address in self._ailing:
            return
        if kind == "cold reset":
            machine.bmc.cold_reset(now + min(length_s, 90.0))
            length_s = min(length_s, 90.0)
        self.ail(machine, kind, faults)
        self._clock.call_at(Instant(now + length_s), partial(self.recover, machine))

    def ail(self, machine: Machine, kind: str, faults: Faults) -> None:
        """Have something wrong with a machine's BMC from now on; what was wrong before has ended."""
        self.recover(machine)
        self._ailing[machine.bmc_address] = (kind, self._clock.now())
        machine.bmc.faults = faults

    def recover(self, machine: Machine) -> None:
        """Have nothing wrong with a machine's BMC any more. Idempotent."""
        ailment = self._ailing.pop(machine.bmc_address, None)
        if ailment is not None:
            kind, since = ailment
            machine.heal()
            self._evidence.faults.append(Span(kind, since, self._clock.now(), machine.bmc_address))

    def _press(self, rng: Random) -> None:
        rng.choice(self._machines).press(self._clock.now())

    def _fail_an_actor(self, rng: Random) -> None:
        which, is_hung = rng.random(), rng.random() < 0.5  # noqa: PLR2004 - one or the other
        house = self._stage.house
        owners = [] if house is None else house.services.directory.owners()
        if house is None or not owners:
            return
        uuid, _ = owners[int(which * len(owners))]
        self.strike(house, uuid, is_hung=is_hung)

    def strike(self, house: House, node: str, *, is_hung: bool) -> None:
        """Make a node's actor fail, if it has one, and look later what became of it.

        Args:
            node: name or uuid.
            is_hung: it is taken for hanging; else it is stopped.
        """
        found = house.owner(node)
        if found is None or found[1].ref is None:
            return
        others = _generations(house)
        uuid, owner = found
        self._struck.setdefault(uuid, []).append(self._clock.now())
        if is_hung:
            house.declare_hung(uuid)
        else:
            house.stop_actor(uuid)
        at = Instant(self._clock.now() + REPLACED_WITHIN_S)
        self._clock.call_at(at, partial(self._look, house, uuid, owner.generation, others))

    def _look(self, house: House, uuid: NodeUUID, generation: int, before: Mapping[NodeUUID, int]) -> None:
        """Look what has become of a node whose actor failed, and of the others."""
        if self._stage.house is not house:
            return  # ended meanwhile, with all its actors
        owner = house.services.directory.owner(uuid)
        is_gone = house.services.board.node(uuid) is None
        is_replaced = is_gone or (
            owner is not None and owner.generation > generation and owner.ref is not None and owner.ref.is_alive()
        )
        at, after = self._clock.now() - REPLACED_WITHIN_S, _generations(house)
        if self._struck[uuid][-1] > at or self._is_put_aside(uuid, at):
            return  # the successor was made to fail as well, which is looked at later; or there is to be none
        spared = [other for other in before if self._struck.get(other, [0.0])[-1] < at - REPLACED_WITHIN_S]
        others = tuple(other for other in spared if other in after and before[other] != after[other])
        self._evidence.failures.append(Failure(at, uuid, is_replaced, others))

    def _is_put_aside(self, uuid: NodeUUID, at: float) -> bool:
        """Return whether a node's actor has failed too often by then for another successor."""
        settings = self._evidence.settings
        lately = [struck for struck in self._struck[uuid] if at - settings.restart_period_s <= struck <= at]
        return len(lately) > settings.restart_intensity

    def _kill(self, rng: Random) -> None:
        self._stage.kill(rng.randrange(MAX_FUSE), rng.uniform(0.1, self._plan.down_max_s))

    def _fill_disk(self, rng: Random) -> None:
        length_s = rng.expovariate(1 / self._plan.disk_full_length_mean_s)
        self._stage.fill_disk(is_full=True)
        self._clock.call_at(Instant(self._clock.now() + length_s), partial(self._stage.fill_disk, is_full=False))

    def _end(self) -> None:
        for machine in self._machines:
            self.recover(machine)
        self._stage.fill_disk(is_full=False)


def _generations(house: House) -> dict[NodeUUID, int]:
    return {uuid: owner.generation for uuid, owner in house.services.directory.owners()}
