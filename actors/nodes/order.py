"""A look at a machine that its actor has ordered ahead: once it is due, the driver is asked, and the actor hears of it.

The actor decides about an answer and, in the same turn, when the machine is looked at next. If nothing is said to it
until then there is nothing new to decide, and a turn of its own to say so once more would cost as much as the one that
the answer takes. Any other message revokes the order: then its timer says that it is due, as every timer does, and the
actor decides what to do about it. Whoever is first has it, the clock or the actor; no decision lives here.
"""

import logging
from threading import Lock
from typing import Any

from pykka import ActorRef

from castiron.actors.core.effects import SetTimer
from castiron.actors.core.messages import Began, Heard, TimerDue
from castiron.actors.drivers.base import Call, Driver, GetPower, NotDone, Outcome, Target
from castiron.actors.nodes import telling
from castiron.actors.services import Services
from castiron.transport.errors import BMCFault
from castiron.transport.vocabulary import Applied, Instant, RequestID

log = logging.getLogger(__name__)


class Order:
    """One look. Called by the clock; answered by the driver; revoked by the actor.

    Args:
        ref: the actor.
        services: the conductor's.
        driver: whom to ask; one that takes orders.
        target: the node's BMC.
        timer: as it was ordered.
        at: when it is due, as it was drawn.
    """

    __slots__ = ("_at", "_began_at", "_driver", "_every_s", "_first", "_ref", "_services", "_target", "_ticket")

    def __init__(
        self,
        ref: ActorRef[Any],
        services: Services,
        driver: Driver,
        target: Target,
        *,
        timer: SetTimer,
        at: Instant,
    ) -> None:
        self._ref = ref
        self._services = services
        self._driver = driver
        self._target = target
        self._ticket, self._every_s = timer.ticket, timer.look_every_s
        self._at = self._began_at = at
        self._first = Lock()

    @property
    def began(self) -> Began:
        """What it has begun. Only once it has."""
        return Began(ticket=self._ticket, at=self._at, began_at=self._began_at)

    def is_answer(self, message: object) -> bool:
        """Return whether a message is what became of it."""
        return isinstance(message, Heard) and message.ticket == self._ticket

    def revoke(self) -> bool:
        """Have it say that it is due, and nothing else; return whether that was in time. Once."""
        return self._first.acquire(blocking=False)

    def __call__(self) -> None:
        """Ask the driver, unless revoked. On the clock's thread."""
        self._began_at = now = self._services.clock.now()
        if not self._first.acquire(blocking=False):
            return telling.tell(self._ref, TimerDue(ticket=self._ticket, at=self._at))
        call = Call(
            target=self._target,
            operation=GetPower(),
            deadline=Instant(now + self._services.settings.command_timeout_s),
            gives_way=True,
            next_by=Instant(now + self._every_s),
        )
        try:
            return self._driver.submit(call, self._heard)
        except Exception:  # a driver's fault must not reach the clock
            log.exception("The driver %s failed at a check of node %s.", self._driver.name, self._target.node)
            return self._heard(NotDone(error=BMCFault("The driver failed."), applied=Applied.NO))

    def _heard(self, outcome: Outcome) -> None:
        services = self._services
        spare_id = RequestID(services.new_id()) if services.settings.force_power_state_during_sync else None
        heard = Heard(ticket=self._ticket, outcome=outcome, spare_id=spare_id, began=self.began)
        telling.tell(self._ref, heard)
