"""BMCs with everything that can be wrong with them on one stage, beside healthy ones, and how each of them ends."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from castiron.actors.drivers.base import Done, GetPower, NotDone, Operation, Outcome, SetPower, Target
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.testing import BMCFarm, CommandKind, Faults, Forgery, LongTail, Refusal, SimulatedBMC
from castiron.transport.vocabulary import PowerControl, PowerState
from tests.support.driver_calls import Caller, Ticket

READ, ON, OFF = GetPower(), SetPower(PowerControl.ON), SetPower(PowerControl.OFF)
HASTY: Final = Timing(waits_s=(0.1, 0.2, 0.3), control_wait_s=0.5, close_waits_s=(0.1,))


HEALTHY: Final = 4
CALLS: Final = 25
NEVER_S: Final = 3600.0


SILENCE, UNKNOWN = "bmc.unreachable no", "bmc.unreachable unknown"
BUSY, DENIED = "bmc.busy no", "bmc.credentials no"


class Case(NamedTuple):
    """A fault, and what the driver makes of it; None where chance decides."""

    faults: Faults
    new: tuple[str, ...] | None
    """Outcomes of a read, of power on, and of another read, on a BMC never spoken to."""
    known: tuple[str, ...] | None
    """Outcomes of power on and of a read, in a session that is open."""


WELL = ("off", "done", "on")
# A login that fails ends every call that waits for it, so one refusal of a login may be the outcome of three.
CASES: Final = {
    "silent": Case(Faults(silent=True), (SILENCE,) * 3, (UNKNOWN, SILENCE)),
    "slow": Case(Faults(slow_s=0.02), WELL, ("done", "on")),
    "too slow": Case(Faults(slow_s=2.0), (SILENCE,) * 3, (UNKNOWN, SILENCE)),
    "slow with a tail": Case(Faults(slow_s=LongTail(0.02, 1.0)), None, None),
    "losses": Case(Faults(loss_percent=20), None, None),
    "duplicates": Case(Faults(duplicate_percent=100), WELL, ("done", "on")),
    "out of order": Case(Faults(reorder_percent=40), None, None),
    "wrong password": Case(Faults(wrong_password=True), (DENIED,) * 3, ("done", "on")),
    "table full": Case(Faults(table_full=True), (BUSY,) * 3, ("done", "on")),
    "ignores logins": Case(Faults(ignores_logins=True), (SILENCE,) * 3, ("done", "on")),
    "ignores power": Case(Faults(ignores_power=True), ("off", "done", "off"), ("done", "off")),
    "acts late": Case(Faults(late_power_s=NEVER_S), ("off", "done", "off"), ("done", "off")),
    "lies once": Case(Faults(wrong_power_count=1), ("on", "done", "on"), ("done", "off")),
    "refuses any": Case(Faults(refusal=Refusal()), (BUSY,) * 3, (BUSY, "off")),
    "refuses reads": Case(Faults(refusal=Refusal(kind=CommandKind.STATUS)), (BUSY, "done", "on"), ("done", BUSY)),
    "refuses controls": Case(Faults(refusal=Refusal(kind=CommandKind.CONTROL)), ("off", BUSY, "off"), (BUSY, "off")),
    "refuses logins": Case(Faults(refusal=Refusal(kind=CommandKind.LOGIN)), (BUSY,) * 3, ("done", "on")),
    "refuses probes": Case(Faults(refusal=Refusal(kind=CommandKind.PROBE)), None, ("done", "on")),
    "floods": Case(Faults(flood_count=100), WELL, ("done", "on")),
    "forges ids": Case(Faults(forgeries=(Forgery.SESSION,)), (SILENCE,) * 3, (UNKNOWN, SILENCE)),
    "forges numbers": Case(Faults(forgeries=(Forgery.SEQUENCE,)), (SILENCE,) * 3, None),
    "answers others": Case(Faults(forgeries=(Forgery.REQUEST,)), (SILENCE,) * 3, (UNKNOWN, SILENCE)),
    "forges proofs": Case(Faults(forgeries=(Forgery.INTEGRITY,)), (DENIED,) * 3, (UNKNOWN, DENIED)),
    "truncates": Case(Faults(forgeries=(Forgery.TRUNCATED,)), (SILENCE,) * 3, (UNKNOWN, SILENCE)),
    "minutes late": Case(Faults(forgeries=(Forgery.LATE,)), (SILENCE,) * 3, (UNKNOWN, SILENCE)),
    "forges all": Case(Faults(forgeries=tuple(Forgery), forge_percent=40), None, None),
    "everything": Case(
        Faults(
            slow_s=(0.0, 0.05),
            loss_percent=10,
            duplicate_percent=10,
            reorder_percent=10,
            wrong_power_count=1,
            refusal=Refusal(code=0xD2, count=2),
            flood_count=20,
            forgeries=tuple(Forgery),
            forge_percent=10,
        ),
        None,
        None,
    ),
}


def said(outcome: Outcome) -> str:
    match outcome:
        case Done(value=PowerState.ON):
            return "on"
        case Done(value=PowerState.OFF):
            return "off"
        case Done():
            return "done"
        case NotDone(error=error, applied=applied):
            return f"{error.code} {applied}"


@dataclass
class Story:
    """One BMC, what it was asked, and how it ended."""

    bmc: SimulatedBMC
    target: Target
    operations: tuple[Operation, ...]
    faults: Faults = field(default_factory=Faults)
    is_known: bool = False
    tickets: list[Ticket] = field(default_factory=list[Ticket])
    healed: Ticket | None = None

    @property
    def told(self) -> tuple[str, ...]:
        return tuple(said(ticket.outcome()) for ticket in self.tickets)

    def ask(self, caller: Caller) -> None:
        self.tickets += [caller.submit(self.target, operation) for operation in self.operations]


class Stage:
    """A farm, a driver and a story for each of their BMCs."""

    def __init__(self, farm: BMCFarm, caller: Caller) -> None:
        self.farm = farm
        self.caller = caller
        self.cases = {
            (name, is_known): self.story(2 * number + is_known, case.faults, is_known=is_known)
            for number, (name, case) in enumerate(CASES.items())
            for is_known in (False, True)
        }
        self.healthy = [self.story(len(farm) - 1 - number, Faults()) for number in range(HEALTHY)]

    @property
    def stories(self) -> list[Story]:
        return [*self.cases.values(), *self.healthy]

    def story(self, number: int, faults: Faults, *, is_known: bool = False) -> Story:
        bmc = self.farm[number]
        operations = (READ,) * CALLS if faults == Faults() else (ON, READ) if is_known else (READ, ON, READ)
        target = self.caller.target(bmc.driver_info, f"{bmc.name}{is_known}")
        return Story(bmc, target, operations, faults, is_known)

    def run(self) -> None:
        """Open the sessions that are to be open, let everything go wrong, then heal all and ask once more."""
        opening = [self.caller.submit(story.target, READ) for story in self.stories if story.is_known]
        assert {said(ticket.outcome()) for ticket in opening} == {"off"}
        for story in self.stories:
            story.bmc.set_faults(story.faults)
        for story in self.stories:
            story.ask(self.caller)
        for story in self.stories:
            assert len(story.told) == len(story.operations)
            story.bmc.set_faults(Faults())
        for story in self.stories:
            story.healed = self.caller.submit(story.target, READ)
        for story in self.stories:
            assert story.healed is not None
            story.healed.outcome()
