"""What a conductor answers about itself."""

from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from castiron.transport.replies.figures import (
    CheckCounts,
    KeptEvents,
    MailboxCounts,
    RequestCounts,
    SlowTurns,
    StoreView,
    TimerCounts,
)


class Welcome(Struct, frozen=True, kw_only=True):
    """Who answers, and its limits."""

    conductor: str
    """The conductor's id: the same after a restart on the same store."""
    boot_id: str
    """Changes with each start of the conductor."""
    version: str
    """Of the program."""
    speaks: list[str]
    """Protocol versions, the newest first."""
    heartbeat_interval_s: float
    liveness: int
    """A peer that was silent for `liveness` heartbeat intervals is taken for gone."""
    limits: dict[str, int]
    """max_message_bytes, max_list, mailbox, in_flight, in_flight_per_peer, bulks, bulk_nodes."""
    events_endpoint: str | None = None
    """Where events are published, since 1.1; nil: nowhere."""


class Pong(Struct, frozen=True, kw_only=True):
    """A sign of life."""

    boot_id: str


class Gauge(Struct, frozen=True, kw_only=True):
    """How full something is that has a bound."""

    used: int
    """Now."""
    limit: int | None = None
    """The bound; nil: it has none of its own."""
    setting: str | None = None
    """The setting that holds the bound; nil: it is fixed, or the operating system's."""
    whose: str | None = None
    """Of many things with one bound each, the fullest is told: whose it is; nil: none is in use, or there is one."""
    warned: bool = False
    """It is, or was a moment ago, at four fifths of the bound or more: see `conductor.limit.warning`."""


def marked(gauge: Gauge) -> Gauge:
    """Return a gauge with the mark of a warning."""
    return replace(gauge, warned=True)


class RequesterUse(Struct, frozen=True, kw_only=True):
    """What one identity has used of what it may."""

    requester: str
    """The identity: "ipc:uid=1000", "tcp:127.0.0.1", "curve:" and the name of a key."""
    work: int
    """Messages that make work, of its burst; falls by the rate, each second."""
    reads: int
    """The same, of those that only look."""
    open: int
    """Its requests that have not ended."""


class ShareView(Struct, frozen=True, kw_only=True):
    """A share of workers_pool_size: what may wait for machines, receivers and strangers' code at once."""

    busy: int
    """Places that are held."""
    limit: int
    """Places that there are."""
    waiting: int
    """Pieces of work that wait for a place."""
    left_behind: int = 0
    """Those that have not ended in their time, and still hold a thread."""
    spare: int = 0
    """Threads beside the places, for what turns out to take long and for what was left behind; 0: it needs none."""
    oldest: str = ""
    """What has run longest: the node, and what is done; empty: nothing runs, or that is not known."""
    oldest_s: float = 0.0


class LagView(Struct, frozen=True, kw_only=True):
    """How long a message has waited before its turn, in the last minute; nil: none has."""

    samples: int
    """Waits that were measured."""
    p50_ms: float | None
    p99_ms: float | None
    most_ms: float | None


class SlowBMC(Struct, frozen=True, kw_only=True):
    """A node whose BMC takes long to answer."""

    node: str
    response_ms: float
    """Its latest answer to a power check took that long, login and waits included."""


class FailingBMC(Struct, frozen=True, kw_only=True):
    """A node whose BMC gave no power state at its latest check."""

    node: str
    since: float
    """When it did so first."""
    code: str
    """Why the latest check failed; bmc.unreachable: it is silent."""


class BMCsView(Struct, frozen=True, kw_only=True):
    """How BMCs answer power checks."""

    response: LagView
    """How long their answers of the last minute took."""
    slowest: list[SlowBMC]
    """Sixteen at the most, the slowest first, by each one's latest answer."""
    failing: dict[str, int]
    """Nodes whose latest check failed, by why; bmc.unreachable: those that are silent."""
    failing_longest: list[FailingBMC]
    """Sixteen of them at the most, those first that have failed longest."""


class DrainView(Struct, frozen=True, kw_only=True):
    """Whether the conductor drains, and what it has to finish."""

    is_draining: bool
    since: float | None
    """When it began to; nil: it does not."""
    requester: str | None
    """Who asked for it first; nil: it does not drain."""
    open_requests: int
    """Requests that have been accepted and have not ended, those that wait for something included."""
    running: int
    """Actions at machines that are under way."""
    bulks: int
    """Bulks under way; they may have nodes left that have no request yet."""


class StatusView(Struct, frozen=True, kw_only=True):
    """The conductor itself. Counts are since its start."""

    conductor: str
    boot_id: str
    version: str
    started_at: float
    uptime_s: float
    endpoint: str
    store: StoreView
    """Where what must last is kept, and whether it can be written."""
    nodes: dict[str, int]
    """total, and nodes by power state: "power on", "power off", "unknown"; maintenance, fault; failing: those whose BMC
    did not do what it was asked last, as far as the log has told it."""
    requests: RequestCounts
    """Those that have not ended."""
    checks: CheckCounts
    """Power checks by what they came to, and the pace of the latest."""
    actors: dict[str, Any]
    """nodes, restarts, put_aside, threads, ready (actors that wait for a turn), turns, slow_turns, and more."""
    drivers: dict[str, Any]
    """For each driver its own counts; ipmi: sessions, logging_in, login_queue, logins, in_flight, sent, received,
    retransmitted, dropped, and more."""
    transport: dict[str, int]
    """peers, received, answered, malformed, dropped, in_flight; events_published, events_waiting, events_skipped."""
    threads: dict[str, str]
    """Name of each thread that is watched → "alive", "hung" (at the same piece of work for long) or "dead"."""
    limits: dict[str, int | float]
    """As in Welcome, and max_running_actions."""
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the conductor goes by: every setting under its name; `castiron settings` says what each means."""
    timers: TimerCounts = field(default_factory=TimerCounts)
    """What is to be done later, and how late it was done."""
    queues: dict[str, Gauge] = field(default_factory=dict[str, Gauge])
    """Whatever has a bound, and how full it is."""
    shares: dict[str, ShareView] = field(default_factory=dict[str, ShareView])
    """The shares of workers_pool_size, by name."""
    requesters: list[RequesterUse] = field(default_factory=list[RequesterUse])
    """The five identities that have used most of what they may."""
    mailboxes: MailboxCounts = field(default_factory=MailboxCounts)
    """What nodes' actors have not read yet."""
    slow_turns: SlowTurns = field(default_factory=SlowTurns)
    """Turns of actors that took slow_turn_s or more."""
    events: KeptEvents = field(default_factory=KeptEvents)
    """Those that can still be read."""
    webhooks: dict[str, Any] = field(default_factory=dict[str, Any])
    """waiting (calls that are owed), in_flight, destinations, and those of them that are failing; since the start
    delivered, failed (attempts), given_up, dropped (of those: because too many waited)."""
    process: dict[str, int] = field(default_factory=dict[str, int])
    """rss_bytes, threads, descriptors: what the operating system says about the conductor; what it does not say is
    missing."""
    provision_states: dict[str, int] = field(default_factory=dict[str, int])
    """Nodes by provision state, those without any left out."""
    lag: dict[str, LagView] = field(default_factory=dict[str, LagView])
    """For the actors' dispatcher and each thread that goes round in a loop ("front door", "ipmi driver"), how long a
    message waits there before its turn."""
    bmcs: BMCsView | None = None
    """How BMCs answer; nil: the conductor does not tell."""
    drain: DrainView | None = None
    """Whether it drains; nil: the conductor does not tell."""


class PeriodicView(Struct, frozen=True, kw_only=True):
    """A periodic task."""

    name: str
    state: str
    """scheduled, waiting (no worker is free), running, hung (its run has not ended in its time), stopped, idle."""
    spacing_s: float
    strategy: str
    """From when the spacing counts: last_started, last_finished, aligned_last_finished, each also with _jitter."""
    blocking: bool
    """It takes a worker."""
    due_at: float | None = None
    """When it runs next; nil: it is running, never again, or for each node at a time of the node's own."""
    timeout_s: float | None = None
    """For each run; nil: there is no end."""
    runs: int = 0
    successes: int = 0
    failures: int = 0
    average_elapsed_s: float | None = None
    """A run; nil: there was none yet."""
    average_waiting_s: float | None = None
    """Of each run, for a worker."""
    average_late_s: float | None = None
    """Of each run's begin, behind when it was due."""
    late_max_s: float = 0.0
    nodes: int | None = None
    """How many nodes it runs for, each on a timer of its own; the figures are those of all. Nil: not for nodes."""


class PeriodicListed(Struct, frozen=True, kw_only=True):
    """All periodic tasks, in the order in which they were found."""

    periodics: list[PeriodicView]
