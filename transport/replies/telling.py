"""What a conductor answers to why and what if: traces, explanations, records, forecasts."""

from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from castiron.transport.replies.machines import NodeView, RequestView
from castiron.transport.vocabulary import (
    TraceWord,
    Would,
)


class TraceStep(Struct, frozen=True, kw_only=True):
    """An entry of a request's trace."""

    word: TraceWord
    """What happened; `TraceWord` has the words."""
    at: float
    until: float | None = None
    """When it was over; nil: it was a moment, or is not over."""
    count: int = 1
    """How often it happened alike in that time: equal polls are one entry."""
    details: dict[str, Any] = field(default_factory=dict[str, Any])


class TraceView(Struct, frozen=True, kw_only=True):
    """A request's whole life."""

    request: RequestView
    entries: list[TraceStep]
    """In the order in which it happened; 64 at the most, and 17 for each URL that was to be called at its end."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that explains what a node does, or does not do."""

    code: str
    """For programs, as "request.queued"."""
    text: str
    """For people."""
    since: float | None = None
    """When it began; nil: unknown, or it never did."""
    advice: str | None = None
    """What helps; nil: nothing needs to be done."""
    details: dict[str, Any] = field(default_factory=dict[str, Any])


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a node is not doing what it was asked for."""

    node: str
    node_uuid: str
    findings: list[Finding]
    """What stands in the way most comes first."""


class RecordHeader(Struct, frozen=True, kw_only=True):
    """What a node's record begins with."""

    format: str
    """"castiron node record 1"."""
    version: str
    """Of the program."""
    conductor: str
    node: NodeView
    """As it was when the page was read, secrets masked."""
    seq: int
    """The event number up to which the record is complete, but for what is kept no more."""


class RecordPage(Struct, frozen=True, kw_only=True):
    """A page of a node's record."""

    header: RecordHeader
    lines: list[dict[str, Any]]
    """Each with its `kind`: "event" (an EventView), or "request" (a RequestView with its `trace`); the latest first."""
    next_marker: str | None = None
    """Pass it as `marker` for the next page; nil: this was the last."""


class Forecast(Struct, frozen=True, kw_only=True):
    """What a verb would do that was asked with `dry_run`: nothing was done. A refusal would be that of the verb."""

    would: Would
    text: str
    """For people."""
    node: str | None = None
    request: str | None = None
    """Id of the request that it would be merged into, or that it would end; nil: none that there is."""
    position: int | None = None
    """The place that it would have among those that wait, from 1."""
    behind: str | None = None
    """Id of the request before it."""
    depends_on: str | None = None
    """Id of the request that would have to succeed first."""
    ends: list[str] = field(default_factory=list[str])
    """Ids of the requests that it would end: superseded, cancelled, or failed."""
    changed: list[str] = field(default_factory=list[str])
    """Names of the node's fields that it would change."""

    def later(self, when: str, would: Would) -> "Forecast":
        """Return it as of a verb that would be carried out at another time, which is said first."""
        return replace(self, would=would, text=f"{when}: {self.text[0].lower()}{self.text[1:]}")
