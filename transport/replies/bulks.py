"""What a conductor answers about bulks, in parts and at their end."""

from typing import Any

from msgspec import Struct, field

from castiron.transport.replies.machines import RequestView
from castiron.transport.replies.telling import Forecast


class BulkView(Struct, frozen=True, kw_only=True):
    """A bulk as it stands: announced when all its nodes are known, told again as the summary at its end."""

    id: str
    total: int
    """Nodes."""
    started: int = 0
    """Those whose request was sent to them; some may have been refused."""
    running: int = 0
    """Those of them that have not ended."""
    succeeded: int = 0
    failed: int = 0
    """Refused, or ended in any other way than well."""
    not_sent: int = 0
    """Those that were never asked, because the bulk was stopped."""
    stopped: str | None = None
    """Why no further ones are started; nil: nothing stopped it."""
    nodes: list[str] = field(default_factory=list[str])
    """Names of all nodes in the order in which they are started; in the announcement only."""


class BulkOutcome(Struct, frozen=True, kw_only=True):
    """What became of a bulk's request to one node."""

    node: str
    node_uuid: str
    request: RequestView | None = None
    """As it ended, or, if the bulk does not wait, as it was accepted; nil: none was accepted."""
    forecast: Forecast | None = None
    """What it would do; nil unless the bulk was asked with `dry_run`."""
    error: dict[str, Any] | None = None
    """A failure in the form of the wire: why none was accepted; `bulk.stopped`: none was sent."""


class BulkPart(Struct, frozen=True, kw_only=True):
    """What has happened in a bulk since the part before."""

    bulk: str
    started: list[str] = field(default_factory=list[str])
    """Names of the nodes whose requests were accepted."""
    outcomes: list[BulkOutcome] = field(default_factory=list[BulkOutcome])
    """One for each node, over all parts."""
