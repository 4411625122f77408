"""Power actions as tests begin them, what a driver may answer, and a drive of one through any weather."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from castiron.actors.core.machines.legs import LEGS, Phase
from castiron.actors.core.machines.power import PowerAction, PowerPlace
from castiron.actors.core.machines.turn import Ask, Failed, Limits, Next, Succeeded, Wait
from castiron.actors.drivers.base import Done, GetPower, NotDone, SetPower
from castiron.store.records.copying import replace
from castiron.transport.errors import (
    BMCError,
    BMCUnreachable,
    CastironError,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, Instant, PowerControl, PowerState, PowerTarget
from tests.support.weather import LEADS_TO, Fate, Gust, Machine

LIMITS = Limits(change_s=10.0, soft_off_s=30.0, poll_initial_s=0.5, poll_max_s=2.0, settle_s=3.0)
COMMAND_TIMEOUT_S = 4.0
T0 = Instant(1000.0)
READ: Next = Ask(GetPower())
ON, OFF, SOFT_OFF = PowerControl.ON, PowerControl.OFF, PowerControl.SOFT_OFF


def action(target: PowerTarget = PowerTarget.OFF, *, hard_fallback: bool = False, **place: Any) -> PowerAction:
    return PowerAction(target=target, hard_fallback=hard_fallback, limits=LIMITS, place=PowerPlace(**place))


def standing(
    phase: Phase, target: PowerTarget = PowerTarget.OFF, *, hard_fallback: bool = False, **place: Any
) -> PowerAction:
    """An action in the midst of its first leg, as it comes there."""
    begun, _ = action(target, hard_fallback=hard_fallback).begin(T0)
    if phase is not Phase.LOOK:
        begun, _ = begun.heard(Done(value=PowerState.ON), T0)
    if phase is Phase.UNSURE:
        begun, _ = begun.heard(unanswered(), T0)
    if phase is Phase.CONFIRM:
        begun, _ = begun.heard(Done(value=None), T0)
    return replace(begun, place=replace(begun.place, **place))


def at(seconds: float) -> Instant:
    return Instant(T0 + seconds)


def sending(control: PowerControl) -> Next:
    return Ask(SetPower(control), commit_first=True)


def failing(error: type[BMCError | DeadlineExceeded] = BMCUnreachable, applied: Applied = Applied.NO) -> NotDone:
    return NotDone(error=error("It failed."), applied=applied)


def unanswered() -> NotDone:
    return failing(applied=Applied.UNKNOWN)


def error_of(following: Next) -> CastironError:
    assert isinstance(following, Failed)
    return following.error


SAW_ON, SAW_OFF = Done(value=PowerState.ON), Done(value=PowerState.OFF)
DONE = Done(value=None)


@dataclass
class Drive:
    """Drives an action as a node's actor would, in virtual time, and checks what must hold on the way."""

    machine: Machine
    action: PowerAction
    gusts: Iterator[Gust]
    now: float = T0
    crashes: Iterator[bool] = field(default_factory=lambda: iter(()))
    disk: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reported: PowerState | None = None
    doubted: bool = False
    """A control was without an answer at some time."""
    began: float = T0

    def run(self) -> Succeeded | Failed:
        self.action, following = self.action.begin(Instant(self.now))
        self.disk = self.action.progress()
        for _ in range(3000):
            assert self.now <= self.began + life_s(self.action) + 1e-6, "a leg outlived its time"
            if isinstance(following, (Succeeded, Failed)):
                return following
            following = self.follow(following)
        raise AssertionError("it does not end")

    def follow(self, wish: Ask | Wait) -> Next:
        if isinstance(wish, Ask) and wish.commit_first:
            self.disk = self.action.progress()
        if next(self.crashes, False):
            return self.crash()
        if isinstance(wish, Ask):
            return self.ask(wish)
        if wish.until > self.action.until:
            return self.expire()
        self.now = wish.until
        self.action, following = self.action.woke(Instant(self.now))
        return following

    def ask(self, asked: Ask) -> Next:
        operation, gust = asked.operation, next(self.gusts)
        if isinstance(operation, SetPower):
            assert asked.commit_first, "sent before its place was on disk"
            assert self.reported is not None, "sent to a machine that was not looked at"
            assert self.reported is not LEADS_TO[operation.control], "sent to a machine that was there"
        deadline = min(self.action.until, self.now + COMMAND_TIMEOUT_S)
        outcome = self.machine.carry_out(operation, gust, self.now)
        if next(self.crashes, False):
            return self.crash()
        answered = min(deadline, self.now + (COMMAND_TIMEOUT_S if gust.fate is Fate.TOO_LATE else gust.takes_s))
        if isinstance(operation, SetPower) and isinstance(outcome, NotDone) and outcome.applied is not Applied.NO:
            self.doubted = True
        if answered >= self.action.until:
            self.doubted |= isinstance(operation, SetPower)
            return self.expire()
        self.now = answered
        self.machine.settle(self.now)
        if isinstance(outcome, Done) and isinstance(outcome.value, PowerState):
            self.reported = outcome.value
        self.action, following = self.action.heard(outcome, Instant(self.now))
        return following

    def expire(self) -> Next:
        self.now = max(self.now, self.action.until)
        self.action, following = self.action.expired(Instant(self.now))
        return following

    def crash(self) -> Next:
        self.now += 1.0
        self.began = self.now
        self.doubted = True
        fresh = replace(self.action, place=PowerPlace())
        self.action, following = fresh.resume(self.disk, Instant(self.now))
        self.disk = self.action.progress()
        return following


def life_s(driven: PowerAction) -> float:
    """The longest that an action may take without a crash: each leg, a soft power off's own time, and forcing it."""
    legs = len(LEGS[driven.target])
    return legs * LIMITS.change_s + LIMITS.soft_off_s + LIMITS.change_s
