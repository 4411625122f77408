"""How full the front door's bounds are that each peer has for itself, or that are bytes.

Gauges of figures that others keep; what happens beyond a bound is theirs, too.
"""

from typing import TypeVar

from castiron.transport.crowd import Fullest
from castiron.transport.doors.answers import MAX_LARGE_BYTES
from castiron.transport.doors.unread import Unread
from castiron.transport.replies import Gauge
from castiron.transport.requester import name_of
from castiron.transport.session import Limits, Session

_Item = TypeVar("_Item")


def fullness(limits: Limits, peer: Fullest[Session[_Item]], unread: Unread, unsent_bytes: int) -> dict[str, Gauge]:
    """Return the gauges.

    Args:
        limits: of the door.
        peer: the one with most messages in flight.
        unread: what waits for peers that do not read.
        unsent_bytes: of large replies on their way to the door.
    """
    session = peer.thing
    whose = None if session is None or not peer.used else name_of(session.caller.requester, session.name)
    return {
        "in_flight_per_peer": Gauge(used=peer.used, limit=limits.in_flight_per_peer, whose=whose),
        "unread_bytes": Gauge(used=unread.total_bytes, limit=unread.limit_bytes),
        "unsent_bytes": Gauge(used=unsent_bytes, limit=MAX_LARGE_BYTES),
    }
