"""The succession to a seat that one actor has: the fleet's, and that of the keeper of allocations.

A successor comes at once, and is handed what its predecessor had under way and had not looked at. Where they fail
again and again, the next one comes after a pause; meanwhile what users want of it is answered with
`conductor.overloaded`, and everything else goes on (ADR 0011). May come in: another such seat. Must not: what its
actor does.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from pykka import ActorDeadError, ActorRef

from castiron.actors.core.supervision import pause
from castiron.actors.dispatch.mailbox import InboxFull
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Seat
from castiron.actors.supervision.supervisor import policy_of
from castiron.transport.vocabulary import Instant

log = logging.getLogger(__name__)

_Underway = TypeVar("_Underway")

Failed = Callable[[str, _Underway, list[Any]], None]
"""Told why an actor ended, what it had under way, and what it had not looked at."""


@dataclass(slots=True, kw_only=True)
class Succession(Generic[_Underway]):
    """Sees to it that somebody sits there, until the seat is closed."""

    services: Services
    seat: Seat
    what: str
    """Who sits there, for people."""
    begin: Callable[[_Underway, Failed[_Underway]], ActorRef[Any]]
    """Starts an actor that takes over what was under way."""
    refuse: Callable[[Any], bool]
    """Answers whoever asked with a message that nobody can look at; False: nobody asked, and it must not be lost."""
    count: Callable[[], None]
    """Told of each successor."""
    given_up: Callable[[str], None]
    """Told if the actor ended and cannot be started again."""
    _failures: tuple[Instant, ...] = field(default=(), init=False)

    def start(self, underway: _Underway, leftovers: list[Any]) -> None:
        """Start an actor, and hand it what its predecessor left."""
        ref = self.begin(underway, self._failed)
        for message in leftovers:  # before anybody else can tell it something
            self._hand_on(ref, message)
        self.seat.take(ref)

    def _failed(self, reason: str, underway: _Underway, leftovers: list[Any]) -> None:
        if self.seat.is_closed:
            return None
        clock = self.services.clock
        now = clock.now()
        self._failures, pause_s = pause(self._failures, now, policy_of(self.services.settings))
        if not pause_s:
            log.error("%s failed (%s); it is replaced", self.what, reason)
            return self._succeed(underway, leftovers)
        log.error("%s failed (%s), %d times; replaced in %.1f s", self.what, reason, len(self._failures), pause_s)
        # On the clock's thread: reading the names of 10,000 nodes takes the fleet's actor 20 ms, once a pause.
        clock.call_at(Instant(now + pause_s), partial(self._succeed, underway, leftovers))
        return None

    def _succeed(self, underway: _Underway, leftovers: list[Any]) -> None:
        self.count()
        try:
            self.start(underway, leftovers)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody must hear of it
            self.given_up(f"{self.what} failed and cannot be started again ({type(error).__name__}: {error})")

    def _hand_on(self, ref: ActorRef[Any], message: Any) -> None:
        try:
            ref.tell(message)
        except (ActorDeadError, InboxFull):  # ended at once, or asked by its predecessor and others for too much
            if not self.refuse(message):
                self.seat.tell(message)
