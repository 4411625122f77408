"""What was published, read from the store: pages of the stream, and of one node's history.

Runs on the archive's thread, so one question does a bounded amount of work, however few events it finds.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from castiron.actors.core.views import event_view
from castiron.actors.published.archive import Library
from castiron.transport.errors import ArgumentInvalid
from castiron.transport.events import matches
from castiron.transport.replies import EventListed, HistoryListed
from castiron.transport.verbs import EventList, NodeHistory
from castiron.transport.vocabulary import EventSeq, EventType, NodeSeq, NodeUUID

MAX_LOOKED_AT: Final = 10_000
"""Events that one question looks at: some 10 ms; if few of them are wanted, the page is short."""


def types_of(patterns: Sequence[str]) -> frozenset[EventType]:
    """Return the types of events that are asked for.

    Raises:
        ArgumentInvalid: a pattern fits no type; it names the nearest.
    """
    for number, pattern in enumerate(patterns):
        if not any(matches(word, [pattern]) for word in EventType):
            near = get_close_matches(pattern, list(EventType), n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(EventType)}."
            raise ArgumentInvalid(f"No event is of type {pattern!r}. {hint}", details={"path": f"$.types[{number}]"})
    return frozenset(word for word in EventType if matches(word, patterns))


def events_page(
    library: Library, verb: EventList, nodes: frozenset[NodeUUID] | None, types: frozenset[EventType] | None
) -> EventListed:
    """Return a page of the stream.

    Args:
        verb: what was asked; its nodes and types are those that follow.
    """
    latest, oldest = library.latest_seq(), library.oldest_seq()
    asked = latest if verb.since is None else min(EventSeq(verb.since), latest)
    since = EventSeq(max(oldest - 1, 0 if verb.since is None else asked))
    until = EventSeq(min(latest, since + MAX_LOOKED_AT))
    found = library.events(since=since, until=until, limit=verb.limit, node_uuids=nodes, types=types)
    return EventListed(
        events=[event_view(event) for event in found],
        next_since=found[-1].seq if len(found) == verb.limit else until,
        oldest_seq=library.oldest_seq(),  # again: if events were removed meanwhile, a gap is rather told than hidden
        latest_seq=latest,
    )


def history_page(library: Library, uuid: NodeUUID, verb: NodeHistory) -> HistoryListed:
    """Return a page of a node's events, the latest first."""
    before = None if verb.before is None else NodeSeq(verb.before)
    found = library.history(uuid, limit=verb.limit + 1, before=before)
    page = found[: verb.limit]
    more = page[-1].node_seq if len(found) > verb.limit else None
    return HistoryListed(events=[event_view(event) for event in page], next_before=more)
