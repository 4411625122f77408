"""What a conductor answers about runbooks."""

from typing import Any

from msgspec import Struct, field

from castiron.transport.vocabulary import StepKind


class RunbookView(Struct, frozen=True, kw_only=True):
    """A runbook as it stands."""

    uuid: str
    name: str
    description: str | None
    traits: list[str]
    """A node needs one of them; empty: it needs the name."""
    steps: list[dict[str, Any]]
    """As `runbook.create` takes them, in the order in which they are done; secrets masked."""
    extra: dict[str, Any]
    kinds: list[StepKind]
    """Which lists it can be: what the node may be asked for with it. Empty: the plug-in of a step is gone."""
    created_at: float
    """This and the other time: seconds since 1970-01-01 UTC."""
    updated_at: float
    revision: int


class RunbookSummary(Struct, frozen=True, kw_only=True):
    """One line of a list of runbooks."""

    uuid: str
    name: str
    description: str | None
    traits: list[str]
    kinds: list[StepKind]
    step_count: int
    updated_at: float
    revision: int


class RunbookListed(Struct, frozen=True, kw_only=True):
    """A page of runbooks."""

    runbooks: list[RunbookSummary] = field(default_factory=list[RunbookSummary])
    next_marker: str | None = None
    """Pass it as `marker` for the next page; nil: this was the last."""


class RunbookDeleted(Struct, frozen=True, kw_only=True):
    """A runbook that is stored no more."""

    uuid: str
    name: str
