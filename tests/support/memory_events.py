"""The events of the small conductor in memory: numbered, kept, published, and read again as PROTOCOL.md says."""

import time
from collections import Counter
from typing import Any

from castiron.transport import errors
from castiron.transport.doors.publisher import Publisher
from castiron.transport.events import EventView, matches
from castiron.transport.replies import EventListed, HistoryListed, NodeView
from castiron.transport.verbs import EventList, NodeHistory
from castiron.transport.vocabulary import EventType


class MemoryEvents:
    """Not for several threads at once."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.seq = 0
        self.kept: list[EventView] = []
        self.unheard: set[int] = set()
        """Numbers of events that are not published: as if they had been lost on the way."""
        self._node_seqs: Counter[str] = Counter()

    def happen(self, type_: EventType, node: NodeView | None, request: str | None = None, **payload: Any) -> None:
        self.seq += 1
        if node is not None:
            self._node_seqs[node.uuid] += 1
        event = EventView(
            seq=self.seq,
            node_seq=None if node is None else self._node_seqs[node.uuid],
            type=type_.value,
            at=time.time(),
            node=None if node is None else node.name,
            node_uuid=None if node is None else node.uuid,
            request=request,
            payload=payload,
        )
        self.kept.append(event)
        if self.seq not in self.unheard:
            self.publisher.publish([event])

    def forget(self, until: int) -> None:
        """Prune the events up to a number."""
        self.kept = [event for event in self.kept if event.seq > until]

    def page(self, verb: EventList, uuids: set[str] | None) -> EventListed:
        oldest = self.kept[0].seq if self.kept else self.seq
        for pattern in verb.types or ():
            if not any(matches(word, [pattern]) for word in EventType):
                raise errors.ArgumentInvalid(f"There is no type {pattern}.", details={"path": "$.types[0]"})
        since = oldest - 1 if verb.since is None else verb.since
        found = [
            event
            for event in self.kept
            if event.seq > since
            and (uuids is None or event.node_uuid in uuids)
            and (verb.types is None or matches(event.type, verb.types))
        ]
        page = found[: verb.limit]
        is_full = len(page) == verb.limit
        return EventListed(
            events=page, next_since=page[-1].seq if is_full else self.seq, oldest_seq=oldest, latest_seq=self.seq
        )

    def history(self, verb: NodeHistory, uuid: str) -> HistoryListed:
        found = [
            event
            for event in reversed(self.kept)
            if event.node_uuid == uuid and (verb.before is None or (event.node_seq or 0) < verb.before)
        ]
        page = found[: verb.limit]
        return HistoryListed(events=page, next_before=page[-1].node_seq if len(found) > len(page) else None)
