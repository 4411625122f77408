"""How events leave the store: the ring of the stream is kept short by count and age, a node's history by count.

The ring is one stretch of numbers without a hole, so that whoever replays it can tell what is missing: only its oldest
end is ever cut. An event that is cut off stays in its node's history while it is among the latest of that node; so a
quiet node has a history, however busy the others are. The history of a node that was removed goes when its last event
leaves the ring.
"""

from collections.abc import Sequence
from typing import Final

from castiron.store.sql import queries, statements
from castiron.store.sql.database import Database
from castiron.store.sql.rows import Row
from castiron.transport.vocabulary import EventSeq, Instant

_BEYOND_ALL: Final = 2**62
"""Takes the place of the number of the latest event where there is no node any more: nothing is that near to it."""


def first_kept(reader: Database, latest: EventSeq, before: Instant, keep_count: int) -> EventSeq:
    """Return the number of the oldest event to be kept: not older than an instant, and among the latest so many.

    The latest event is always kept.
    """
    young = reader.rows(queries.first_since(before))
    by_age = young[0][0] if young else latest
    return EventSeq(min(latest, max(by_age, latest - keep_count + 1)))


def cut(database: Database, leaving: Sequence[Row], history_count: int) -> None:
    """Take the oldest events out of the ring, in one transaction.

    Args:
        leaving: their numbers and nodes, from the oldest one on, in order.
        history_count: how many of its latest events a node keeps.

    Raises:
        StoreUnwritable: the disk does not let us; nothing was changed.
    """
    last, nodes = leaving[-1][0], dict.fromkeys(uuid for _, uuid in leaving if uuid is not None)
    with database.transaction():
        database.execute(statements.KEEP_AS_HISTORY, (last, history_count))
        database.execute(statements.REMOVE_EVENTS, (last,))
        database.execute_many(statements.CUT_HISTORY, [(uuid, uuid, _BEYOND_ALL, history_count) for uuid in nodes])
