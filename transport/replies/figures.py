"""What a conductor counts of itself, as far as it has the same figures always: parts of StatusView.

On the wire each is a map. The defaults are for what an older conductor does not tell. May come in: another part whose
figures are known by name. Must not: maps whose keys are names of things, as of queues, drivers or threads.
"""

from msgspec import Struct, field


class StoreView(Struct, frozen=True, kw_only=True):
    """The store, and what has been written to it since the start."""

    path: str | None = None
    """Of its file; nil: it is in memory."""
    size_bytes: int = 0
    """On disk, the write-ahead log included, or in memory."""
    wal_bytes: int = 0
    """What the write-ahead log takes of that."""
    free_bytes: int | None = None
    """Of the disk; nil: the store is in memory, or the system does not say."""
    schema_version: int = 0
    """Of its tables."""
    state: str = "unknown"
    """The word "ok", or why it cannot be written; "unknown": the conductor does not tell."""
    backlog: int = 0
    """Changes that wait for the writer."""
    changes: int = 0
    """Those that were written."""
    commits: int = 0
    """Groups in which they were written."""
    failures: int = 0
    """Groups that could not be written."""
    events_seq: int = 0
    """The latest event that shows; 0: there has been none."""


class RequestCounts(Struct, frozen=True, kw_only=True):
    """Requests that have not ended."""

    open: int = 0
    """All of them."""
    running: int = 0
    """Those with a permit: actions at machines that are under way."""
    waiting_for_permit: int = 0
    """Those that wait for one."""
    waiters: int = 0
    """Clients that wait for the end of a request."""


class CheckCounts(Struct, frozen=True, kw_only=True):
    """Power checks by what they came to, and how the latest ones went."""

    agreed: int = 0
    """The machine was in the power state on record."""
    corrected: int = 0
    """It was not, and the record followed it."""
    forced: int = 0
    """It was not, and was driven back."""
    failed: int = 0
    """The BMC gave no power state."""
    faulted: int = 0
    """The same, once too often: the node got a fault."""
    recovered: int = 0
    """The BMC of a node with a fault answered."""
    skipped: int = 0
    """None was made: a request looked at the machine itself."""
    per_s: float = 0.0
    """Checks that ended in each second, lately."""
    late_p50_ms: float | None = None
    """How late the median began; nil: none has ended lately."""
    late_p99_ms: float | None = None
    """How late the latest hundredth began; nil: none has ended lately."""


class TimerCounts(Struct, frozen=True, kw_only=True):
    """What the conductor is to do later."""

    waiting: int = 0
    """Timers that are not due yet."""
    due: int = 0
    """Those that were called since the start."""
    failed: int = 0
    """Those of them whose call raised."""
    late_max_ms: float = 0.0
    """The worst lateness since the start."""
    late_p50_ms: float = 0.0
    """Of the last 1,024; 0: none was called."""
    late_p99_ms: float = 0.0
    """Of the same."""


class MailboxCounts(Struct, frozen=True, kw_only=True):
    """Messages that nodes' actors have not read yet."""

    waiting: int = 0
    """Of all nodes."""
    longest: int = 0
    """In the mailbox that has most of them."""
    node: str | None = None
    """Whose that is; nil: nothing waits."""


class RunningTurn(Struct, frozen=True, kw_only=True):
    """A slow turn of an actor that goes on now."""

    actor: str
    """As "node n1", or the actor's class and urn."""
    message: str
    """The kind of message in hand."""
    lasts_s: float
    """For how long it has been going on."""


class SlowTurns(Struct, frozen=True, kw_only=True):
    """Turns of actors that took `slow_turn_s` or more: how many, the latest that has ended, and those that go on."""

    count: int = 0
    """Those that have ended, since the start."""
    running: list[RunningTurn] = field(default_factory=list[RunningTurn])
    """Those that go on now, the longest first."""
    actor: str | None = None
    """Whose the latest was: "node n1"; nil: there has been none."""
    message: str | None = None
    """The kind of message that took longest in it; nil: unknown, or there has been none."""
    lasted_s: float | None = None
    """How long it took; nil: there has been none."""
    request: str | None = None
    """What the message was about; nil: no request, unknown, or there has been none."""


class KeptEvents(Struct, frozen=True, kw_only=True):
    """Events that can still be read."""

    oldest_seq: int = 0
    """The first of them; 0: there has been none."""
    latest_seq: int = 0
    """The last; 0: there has been none."""
