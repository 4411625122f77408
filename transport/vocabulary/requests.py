"""Words of requests: their life, what they wish, who asks, and what failures say."""

from enum import StrEnum
from typing import Final


class RequestState(StrEnum):
    """The life of a request: accepted, queued, running, then one of the four final ones."""

    ACCEPTED = "accepted"
    """Validated and on disk."""
    QUEUED = "queued"
    """Waiting for its turn or for a place to run. The machine has not been touched."""
    RUNNING = "running"
    """Its start has been committed; the machine may have been touched."""
    SUCCEEDED = "succeeded"
    """Done, and seen to be done."""
    FAILED = "failed"
    """Ended with an error, which says whether it was applied."""
    CANCELLED = "cancelled"
    """Withdrawn, or superseded, before it started."""
    EXPIRED = "expired"
    """Its deadline passed before it started."""


FINAL_REQUEST_STATES: Final = frozenset(
    {RequestState.SUCCEEDED, RequestState.FAILED, RequestState.CANCELLED, RequestState.EXPIRED}
)
"""A request in one of these never changes again."""


class Would(StrEnum):
    """What a verb would do that was asked with `dry_run`."""

    START = "start"
    """It would be taken, and start as soon as there is a permit."""
    QUEUE = "queue"
    """It would be taken, and wait its turn."""
    HOLD = "hold"
    """It would be taken, and wait for the end of the maintenance."""
    MERGE = "merge"
    """It would be taken for a request that there is."""
    LOOK = "look first"
    """The machine would be looked at, and the request judged then."""
    CREATE = "create"
    CHANGE = "change"
    NOTHING = "nothing"
    """All is so already."""
    DELETE = "delete"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"
    """The request would go on for others who want it."""
    ABORT = "abort"


class TraceWord(StrEnum):
    """What can stand in a request's trace."""

    ACCEPTED = "accepted"
    """Details: requester, policy; key, hold, deadline_at, depends_on where there are any."""
    QUEUED = "queued"
    """Details: position (from 1), and behind, the request before it; nil: none is."""
    MERGED = "merged"
    """An equal request was taken for it. Details: requester."""
    WITHDRAWN = "withdrawn"
    """One of those who wanted it does no more. Details: requester; not_called: URLs that nobody else wants called."""
    STARTED = "started"
    RESUMED = "resumed"
    """A successor of whoever had begun it goes on."""
    EXCHANGE = "exchange"
    """With the BMC, from `at`, when it was ordered, to `until`, when its outcome was heard. Details: asked, and answer,
    or error and applied."""
    WAIT = "wait"
    """Until the next exchange."""
    ABORT = "abort"
    """Somebody wants it ended while it runs. Details: requester."""
    ENDED = "ended"
    """Details: state; error and applied where it did not succeed."""
    CALLED = "called"
    """A URL was called, from `at` to `until`. Details: delivery, host, and status (of HTTP) or error; next_at, when it
    is tried again at the earliest."""
    DELIVERED = "delivered"
    """The receiver has taken the call. Details: delivery."""
    GIVEN_UP = "given up"
    """Nobody will call again. Details: delivery, reason."""
    UNKNOWN = "unknown"
    """What happened from `at` to `until` is not known: whoever noted it ended before it was on disk."""
    OMITTED = "omitted"
    """`count` entries from `at` to `until` are not kept."""


class Applied(StrEnum):
    """Whether what failed reached the machine. Part of every failure of something that must not be done twice."""

    NO = "no"
    """It certainly was not."""
    YES = "yes"
    """It was: the BMC acknowledged it, or was seen in a state that only it explains."""
    UNKNOWN = "unknown"
    """Sent, never acknowledged, and not seen since."""


class Retry(StrEnum):
    """What a client should do about a failure."""

    NEVER = "never"
    """The same request will fail again."""
    LATER = "later"
    """It may succeed once the world has changed."""
    AFTER = "after"
    """It may succeed after `retry_after_s` seconds."""


class Source(StrEnum):
    """Where the cause of a failure is to be looked for."""

    CALLER = "caller"
    """In the request."""
    CONDUCTOR = "conductor"
    """In the conductor or its machine."""
    BMC = "bmc"
    """In the BMC or on the way to it."""


class Policy(StrEnum):
    """What becomes of a request that meets another one which it does not go together with."""

    STRICT = "strict"
    """It is refused, and told what is in its way."""
    AFTER = "after"
    """It waits, and starts if what it waits for succeeds; otherwise it ends as failed."""
    SUPERSEDE = "supersede"
    """What has not started is cancelled and makes room; it waits for what has."""


class OnRestart(StrEnum):
    """What becomes of a request whose conductor, or whose node's actor, ends before the request does."""

    RESUME = "resume"
    """It goes on."""
    FAIL = "fail"
    """It ends as failed."""


class ReplyWish(StrEnum):
    """Which replies a request wants. A REQ socket can read only one."""

    ACCEPTED = "accepted"
    """One reply, when the request is on disk."""
    FINAL = "final"
    """One reply, when the request has ended."""
    BOTH = "both"
    """Two replies."""


class Role(StrEnum):
    """What the owner of a key may do; each role includes those above it."""

    READER = "reader"
    """Look at everything that is not secret, and change nothing."""
    OPERATOR = "operator"
    """Also drive machines, and put them into maintenance."""
    ADMIN = "admin"
    """Also make, change and delete nodes: everything there is."""
