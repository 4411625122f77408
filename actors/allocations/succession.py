"""Who sits in the seat of whoever keeps allocations: an actor, and another one each time it ends.

As with the fleet's actor: the first successors come at once; where they fail again and again, the next one comes after
a pause, meanwhile changes are answered with `conductor.overloaded`, and everything else goes on (ADR 0011).
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from pykka import ActorDeadError, ActorRef

from castiron.actors.allocations.judging import being_replaced
from castiron.actors.allocations.keeper import Keeper, Underway
from castiron.actors.allocations.messages import Freed, KeepersMessage, UsersMessage
from castiron.actors.core.supervision import pause
from castiron.actors.dispatch.mailbox import InboxFull
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Seat
from castiron.actors.supervision.supervisor import Tally, policy_of
from castiron.store.records import AllocationRecord
from castiron.transport.vocabulary import Instant, NodeUUID

log = logging.getLogger(__name__)


def seat_keeper(
    services: Services, seat: Seat, tally: Tally, given_up: Callable[[str], None], records: list[AllocationRecord]
) -> None:
    """Show the allocations that the store holds, start who keeps them, and see to the succession.

    Args:
        given_up: told if it ended and cannot be started again.
        records: what the store holds, the oldest first.
    """
    services.board.allocations.load(records)
    services.board.market.call(partial(_tell_freed, seat))
    Succession(services, seat, tally, given_up).start({}, [])


class Succession:
    """Sees to it that somebody sits there, until the seat is closed."""

    def __init__(self, services: Services, seat: Seat, tally: Tally, given_up: Callable[[str], None]) -> None:
        self._services = services
        self._seat = seat
        self._tally = tally
        self._given_up = given_up
        self._failures: tuple[Instant, ...] = ()
        self._policy = policy_of(services.settings)

    def start(self, underway: Underway, leftovers: list[Any]) -> None:
        """Start an actor, and hand it what its predecessor left."""
        ref = Keeper.start(self._services, self._seat, underway, self._failed)
        for message in leftovers:  # before anybody else can tell it something
            self._hand_on(ref, message)
        self._seat.take(ref)

    def _failed(self, reason: str, underway: Underway, leftovers: list[Any]) -> None:
        if self._seat.is_closed:
            return None
        clock = self._services.clock
        now = clock.now()
        self._failures, pause_s = pause(self._failures, now, self._policy)
        log.error("the keeper of allocations failed (%s); it is replaced in %.1f s", reason, pause_s)
        if not pause_s:
            return self._succeed(underway, leftovers)
        clock.call_at(Instant(now + pause_s), partial(self._succeed, underway, leftovers))
        return None

    def _succeed(self, underway: Underway, leftovers: list[Any]) -> None:
        self._tally.keeper_restarts += 1
        try:
            self.start(underway, leftovers)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody must hear of it
            self._given_up(f"the keeper of allocations failed and cannot be started again ({error})")

    def _hand_on(self, ref: ActorRef[Keeper], message: KeepersMessage) -> None:
        try:
            ref.tell(message)
        except (ActorDeadError, InboxFull):  # ended at once, or asked by its predecessor and others for too much
            if isinstance(message, UsersMessage):
                message.asked.refused(being_replaced(), self._services.board.seq)
            else:
                self._seat.tell(message)


def _tell_freed(seat: Seat, node: NodeUUID) -> None:
    """Bring it to whoever keeps allocations now. Any thread."""
    seat.tell(Freed(node))
