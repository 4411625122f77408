"""Whether the conductor drains: it finishes what it has accepted, answers whoever looks, and accepts nothing new.

An operator asks for it before a stop; a start ends it, so that no conductor comes back and refuses work for a reason
that nobody remembers. Not stored. Nothing is decided here about what is under way.
"""

import logging
import threading
from typing import Final, NamedTuple

from castiron.transport.errors import ConductorDraining
from castiron.transport.verbs import (
    AnyNodeRequest,
    AnyVerb,
    BulkCancel,
    BulkRun,
    ConductorDrain,
    NodeLockSet,
    NodeLockUnset,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionUnhold,
    NodeStepDone,
    NodeStepProgress,
    PeriodicStop,
    RequestAbort,
    RequestCancel,
)
from castiron.transport.vocabulary import Applied, Instant

log = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 2.0
"""A drain and the restart after it take some seconds at the least."""

FINISHING: Final = (
    ConductorDrain,
    RequestCancel,
    RequestAbort,
    BulkCancel,
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionUnhold,
    NodeStepDone,
    NodeStepProgress,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodeLockSet,
    NodeLockUnset,
    PeriodicStop,
)
"""Verbs that what is under way may need for its end, or that begin none: they are let in."""

JUDGED_LATER: Final = (AnyNodeRequest, BulkRun)
"""What may be the repetition of something that was accepted: refused behind the look at its key."""


class Since(NamedTuple):
    """Who asked for the drain, and when."""

    at: Instant
    requester: str


class Draining:
    """Of one conductor. Any thread; O(1)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: Since | None = None

    @property
    def since(self) -> Since | None:
        """Since when it drains; None: it does not."""
        return self._since

    def begin(self, requester: str, now: Instant) -> None:
        """Accept nothing new from now on. Idempotent: the first one counts."""
        with self._lock:
            if self._since is not None:
                return
            self._since = Since(now, requester)
        log.warning("draining: nothing new is accepted from now on, asked by %s", requester)

    def end(self, requester: str) -> None:
        """Accept again. Idempotent."""
        with self._lock:
            if self._since is None:
                return
            self._since = None
        log.warning("no longer draining, asked by %s", requester)

    def judge(self, verb: AnyVerb) -> None:
        """Let a verb in, unless it begins something and can be told by itself.

        Raises:
            ConductorDraining: the conductor drains.
        """
        if verb.makes_work and not isinstance(verb, (*FINISHING, *JUDGED_LATER)):
            self.check()

    def check(self) -> None:
        """Let in what begins something new.

        Raises:
            ConductorDraining: the conductor drains.
        """
        if self._since is not None:
            message = (
                "The conductor drains: it finishes what it has accepted, and accepts nothing new. Ask again later."
            )
            raise ConductorDraining(message, retry_after_s=RETRY_AFTER_S, applied=Applied.NO)
