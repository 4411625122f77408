"""What a browser is told of nodes, events and requests: the fields that the page shows, and no others.

Pure. driver_info, properties, extra and the addresses of callbacks are left out: they are free, and a page is not where
they are needed. Secrets are masked by the conductor before anything comes here.
"""

from collections.abc import Iterable
from typing import Any, Final

from castiron.cli.commands.events import details
from castiron.cli.output.render import word
from castiron.transport.events import EventView
from castiron.transport.replies import Finding, NodeView, RequestView, TraceView

MAX_WORDS: Final = 400
"""Characters of one line about an event: a payload may be long, and the page shows it in one line."""

_ROW: Final = (
    ("power", "power_state"),
    ("to_power", "target_power_state"),
    ("state", "provision_state"),
    ("to_state", "target_provision_state"),
    ("fault", "fault"),
    ("maintenance", "maintenance"),
    ("failures", "power_check_failures"),
    ("error", "last_error"),
    ("retired", "retired"),
    ("protected", "protected"),
)
"""What a cell says, and the field that it is read from."""

_NODE: Final = (
    *("uuid", "name", "driver", "power_state", "power_state_at", "target_power_state", "provision_state"),
    *("target_provision_state", "maintenance", "maintenance_reason", "fault", "last_error", "power_check_failures"),
    *("created_at", "updated_at", "revision", "protected", "protected_reason", "retired", "retired_reason"),
    *("disable_power_off", "resource_class", "traits", "allocation_uuid", "lock", "alarms"),
)
_REQUEST: Final = (
    *("id", "verb", "requester", "state", "accepted_at", "started_at", "ended_at", "position", "merged", "step"),
    *("attempts", "runbook", "depends_on", "deadline_at", "overdue_at"),
)


def row(view: NodeView) -> dict[str, Any]:
    """Return a node as its cell shows it; what is nothing is left out, as most is of most nodes."""
    told = {key: value for key, name in _ROW if (value := getattr(view, name))}
    if view.active_request is not None:
        told["doing"] = view.active_request.verb
    if view.queued_requests:
        told["queued"] = len(view.queued_requests)
    return {"uuid": view.uuid, "name": view.name, **told}


def node(view: NodeView) -> dict[str, Any]:
    """Return a node as its own panel shows it."""
    return {name: getattr(view, name) for name in _NODE}


def work(view: NodeView, now: float) -> dict[str, Any]:
    """Return how a node's checks and its line stand; what is nothing is left out."""
    late_s = 0.0 if view.power_check_due_at is None else now - view.power_check_due_at
    told = {
        "late": round(max(0.0, late_s), 1),
        "failures": view.power_check_failures,
        "queued": len(view.queued_requests),
    }
    return {name: count for name, count in told.items() if count}


def event(view: EventView) -> dict[str, Any]:
    """Return an event in one line, and what the power state was then, where it says so."""
    return {
        "seq": view.seq,
        "at": view.at,
        "type": view.type,
        "node": view.node,
        "node_uuid": view.node_uuid,
        "request": view.request,
        "power": view.payload.get("power_state"),
        "words": cut(details(view.payload)),
    }


def request(view: RequestView) -> dict[str, Any]:
    """Return a request, with where it goes and how it failed in words."""
    target = view.arguments.get("target")
    error = view.error or {}
    return {name: getattr(view, name) for name in _REQUEST} | {
        "target": target if isinstance(target, str) else None,
        "error": cut(f"{error.get('code', 'error')}: {error.get('message', '')}") if error else None,
    }


def trace(view: TraceView) -> dict[str, Any]:
    """Return a request's life, an entry a line."""
    return {
        "request": request(view.request),
        "entries": [
            {
                "word": entry.word,
                "at": entry.at,
                "until": entry.until,
                "count": entry.count,
                "words": cut(", ".join(f"{key}={word(value)}" for key, value in entry.details.items())),
            }
            for entry in view.entries
        ],
    }


def findings(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return why a node does what it does."""
    return [{"code": one.code, "text": one.text, "since": one.since, "advice": one.advice} for one in found]


def cut(text: str) -> str:
    """Return text that fits, with an ellipsis where it did not."""
    return text if len(text) <= MAX_WORDS else f"{text[: MAX_WORDS - 1]}…"
