"""A node's record, read from the store in pages: its events, then its requests with their traces, the latest first.

Runs on the archive's thread. Secrets are masked as in every answer; what was refused left nothing to be read.
"""

from typing import Any, Final

import castiron
from castiron.actors.core.state import NodeState
from castiron.actors.core.views import event_view, node_view, request_view, trace_steps
from castiron.actors.published.archive import Library
from castiron.store.records import RequestRecord, Wanted
from castiron.transport.events import EventView
from castiron.transport.replies import RecordHeader, RecordPage, RequestView
from castiron.transport.verbs import NodeRecording
from castiron.transport.vocabulary import ConductorID, EventSeq, Instant, NodeSeq, NodeUUID, RequestID

FORMAT: Final = "castiron node record 1"


def header_of(state: NodeState, conductor: ConductorID, seq: EventSeq, now: Instant) -> RecordHeader:
    """Return what a page begins with.

    Args:
        seq: as it was before anything was read: all events up to it are in the record.
    """
    node = node_view(state, now)
    return RecordHeader(format=FORMAT, version=castiron.__version__, conductor=conductor, node=node, seq=seq)


def record_page(library: Library, verb: NodeRecording, header: RecordHeader) -> RecordPage:
    """Return a page.

    Raises:
        KeyError: the request that the marker names is not known any more.
    """
    kind, _, mark = (verb.marker or "event:").partition(":")
    uuid = NodeUUID(header.node.uuid)
    if kind == "event":
        lines, marker = _events(library, uuid, verb.limit, NodeSeq(int(mark)) if mark else None)
    else:
        lines, marker = _requests(library, uuid, verb.limit, RequestID(mark) if mark else None)
    return RecordPage(header=header, lines=lines, next_marker=marker)


def request_line(request: RequestRecord) -> dict[str, Any]:
    """Return a request's line."""
    return {"kind": "request", **_fields(request_view(request)), "trace": trace_steps(request.trace)}


def _events(
    library: Library, uuid: NodeUUID, limit: int, before: NodeSeq | None
) -> tuple[list[dict[str, Any]], str | None]:
    found = library.history(uuid, limit=limit + 1, before=before)
    lines = [{"kind": "event", **_fields(event_view(event))} for event in found[:limit]]
    return lines, f"event:{found[limit - 1].node_seq}" if len(found) > limit else "request:"


def _requests(
    library: Library, uuid: NodeUUID, limit: int, before: RequestID | None
) -> tuple[list[dict[str, Any]], str | None]:
    found = library.requests(Wanted(node_uuid=uuid), limit=limit + 1, before=before)
    lines = [request_line(request) for request in found[:limit]]
    return lines, f"request:{found[limit - 1].id}" if len(found) > limit else None


def _fields(view: RequestView | EventView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__struct_fields__}
