"""What every browser sees: the fleet, what happened last, the figures, and whether the conductor is there.

Each change of it is published as it is made, so what a browser has been sent and the board are never apart. Changes
leave together: however much happens, there are a few messages a second. No sockets; one loop's thread.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from castiron.cli.web.feed import Feed

RECENT: Final = 100
"""Events that a browser has when it opens, and shows at the most."""


class Board:
    """What is seen, and the feed that tells of it."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.changed = asyncio.Event()
        """Something waits to be published."""
        self._rows: dict[str, dict[str, Any]] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._new_rows: dict[str, dict[str, Any] | None] = {}
        self._new_events: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._figures: dict[str, Any] | None = None
        self._away: dict[str, Any] | None = None
        self._everything = b""
        self._everything_at = -1

    def note_row(self, uuid: str, row: dict[str, Any] | None) -> None:
        """Take a node as it is now, None: it is gone; told with the next `publish`."""
        self._new_rows[uuid] = row
        self.changed.set()

    def note_event(self, event: dict[str, Any]) -> None:
        """Take an event; told with the next `publish`."""
        self._new_events.append(event)
        self.changed.set()

    def publish(self) -> None:
        """Tell what was noted."""
        self.changed.clear()
        rows, self._new_rows = self._new_rows, {}
        events, self._new_events = self._new_events, deque(maxlen=RECENT)
        if rows:
            gone = [uuid for uuid, row in rows.items() if row is None]
            there = {uuid: row for uuid, row in rows.items() if row is not None}
            for uuid in gone:
                self._rows.pop(uuid, None)
            self._rows.update(there)
            self.feed.publish("nodes", {"nodes": [*there.values()], "gone": gone})
        if events:
            self._events.extend(events)
            self.feed.publish("events", {"events": [*events]})

    def report(self, figures: dict[str, Any]) -> None:
        """Tell the conductor's figures; they say that it is there."""
        self._figures, self._away = figures, None
        self.feed.publish("status", figures)

    def miss(self, away: dict[str, Any]) -> None:
        """Tell that the conductor is away, and why; the rest stays as it was seen last. Told once."""
        if self._away is None:
            self._away = away
            self.feed.publish("away", away)

    @property
    def is_away(self) -> bool:
        """Whether the conductor was not there when it was looked for last."""
        return self._away is not None

    def begin(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take the whole fleet, and have everybody begin anew."""
        self._rows = {row["uuid"]: row for row in rows}
        self.feed.publish("everything", self.seen())

    def seen(self) -> dict[str, Any]:
        """Return all of it, as it has been published."""
        return {
            "nodes": [*self._rows.values()],
            "events": [*self._events],
            "status": self._figures,
            "away": self._away,
        }

    def everything(self) -> bytes:
        """Return a message with all of it; made once for all who need it at the same number."""
        if self._everything_at != self.feed.number:
            self._everything, self._everything_at = self.feed.encoded("everything", self.seen()), self.feed.number
        return self._everything
