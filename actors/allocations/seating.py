"""Who keeps allocations is seated, with the allocations that the store holds."""

from collections.abc import Callable
from functools import partial

from castiron.actors.allocations.judging import being_replaced
from castiron.actors.allocations.keeper import Keeper, Underway
from castiron.actors.allocations.messages import Freed, KeepersMessage, UsersMessage
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Seat
from castiron.actors.supervision.succession import Succession
from castiron.actors.supervision.supervisor import Tally
from castiron.store.records import AllocationRecord
from castiron.transport.vocabulary import NodeUUID


def seat_keeper(
    services: Services, seat: Seat, tally: Tally, given_up: Callable[[str], None], records: list[AllocationRecord]
) -> None:
    """Show the allocations that the store holds, start who keeps them, and see to the succession.

    Args:
        given_up: told if it ended and cannot be started again.
        records: what the store holds, the oldest first.
    """

    def refuse(message: KeepersMessage) -> bool:
        if isinstance(message, UsersMessage):
            message.asked.refused(being_replaced(), services.board.seq)
        return isinstance(message, UsersMessage)

    def count() -> None:
        tally.keeper_restarts += 1

    services.board.allocations.load(records)
    services.board.market.call(partial(_tell_freed, seat))
    begin = partial(Keeper.start, services, seat)
    what = "the keeper of allocations"
    Succession[Underway](
        services=services, seat=seat, what=what, begin=begin, refuse=refuse, count=count, given_up=given_up
    ).start({}, [])


def _tell_freed(seat: Seat, node: NodeUUID) -> None:
    """Bring it to whoever keeps allocations now. Any thread."""
    seat.tell(Freed(node))
