"""The bulks under way: how many there may be, how many nodes they may have, and where one is found by its id.

Any thread; never blocks. What one bulk does is its actor's business.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pykka import ActorDeadError, ActorRef

from castiron.actors.asking import Answer
from castiron.actors.bulk.bulk import Assignment, BulkActor, too_large
from castiron.actors.bulk.messages import BulkMessage, Cancel, GoOn, Reason, Stop
from castiron.actors.published.archive import Asking
from castiron.actors.reception.intake import Intake
from castiron.actors.services import Services
from castiron.transport.errors import BulkNotFound, ConductorDraining, ConductorOverloaded
from castiron.transport.verbs import BulkCancel, BulkRun
from castiron.transport.vocabulary import Applied

RETRY_AFTER_S: Final = 1.0
"""Bulks last for seconds to hours; whoever waits for one to end asks again so often."""


@dataclass(slots=True)
class _UnderWay:
    key: str | None
    ref: ActorRef[Any] | None = None
    count: int = 0


class Bulks:
    """All of one conductor's."""

    def __init__(self, services: Services, intake: Intake, archive: Asking) -> None:
        self._services = services
        self._intake = intake
        self._archive = archive
        self._lock = threading.RLock()
        self._under_way: dict[str, _UnderWay] = {}
        self._nodes_count = 0
        self._is_closed = False

    def run(self, verb: BulkRun, requester: str, answer: Answer) -> None:
        """Begin a bulk. One of the same key that is under way is stopped: its client has lost it, and sends it again.

        One that is only rehearsed stops nobody.

        Raises:
            ConductorOverloaded: as many are under way as may.
            ConductorDraining: the conductor drains or stops.
        """
        bulk_id = self._services.new_id()
        repeated = self._reserve(bulk_id, None if verb.dry_run else verb.key)
        if repeated is not None:
            _tell(repeated, Stop(Reason.REPEATED))
        assignment = Assignment(
            id=bulk_id,
            verb=verb,
            requester=requester,
            answer=answer,
            services=self._services,
            intake=self._intake,
            archive=self._archive,
            registry=self,
        )
        ref = BulkActor.start(assignment)
        with self._lock:
            self._under_way[bulk_id].ref = ref
            is_closed = self._is_closed
        if is_closed:  # since it has taken its place: `close` did not see it
            _tell(ref, Stop(Reason.DRAINING))
        _tell(ref, GoOn())

    def cancel(self, verb: BulkCancel, answer: Answer) -> None:
        """Stop a bulk.

        Raises:
            BulkNotFound: there is none of that id.
        """
        with self._lock:
            found = self._under_way.get(verb.bulk) or self._of_key(verb.bulk)
        if found is None or found.ref is None or not _tell(found.ref, Cancel(answer, verb.leave)):
            raise BulkNotFound(
                f"No bulk {verb.bulk!r} is under way; it never was, or has ended.", details={"bulk": verb.bulk}
            )

    def admit(self, bulk_id: str, count: int) -> None:
        """Count the nodes of a bulk that is under way.

        Raises:
            BulkTooLarge: there are more of them than all bulks together may have.
            ConductorOverloaded: with those of the others there are.
        """
        limit = self._services.settings.max_bulk_nodes
        if count > limit:
            raise too_large(count, limit, "bulk_nodes")
        with self._lock:
            if self._nodes_count + count > limit:
                raise _overloaded("bulk_nodes", limit)
            self._nodes_count += count
            self._under_way[bulk_id].count = count

    def leave(self, bulk_id: str) -> None:
        """Forget a bulk that has ended. Idempotent."""
        with self._lock:
            ended = self._under_way.pop(bulk_id, None)
            self._nodes_count -= 0 if ended is None else ended.count

    def counts(self) -> tuple[int, int]:
        """Return how many are under way, and how many nodes they have."""
        return len(self._under_way), self._nodes_count

    def close(self) -> None:
        """Have all of them start no further nodes, and take no more. Idempotent."""
        with self._lock:
            self._is_closed = True
            refs = [one.ref for one in self._under_way.values() if one.ref is not None]
        for ref in refs:
            _tell(ref, Stop(Reason.DRAINING))

    def _of_key(self, key: str) -> _UnderWay | None:
        """Return the latest of a key: the one before it has been stopped already."""
        return next((one for one in reversed(self._under_way.values()) if one.key == key), None)

    def _reserve(self, bulk_id: str, key: str | None) -> ActorRef[Any] | None:
        """Take a place, and return the bulk that has the same key."""
        limit = self._services.settings.max_bulks
        with self._lock:
            if self._is_closed:
                message = "The conductor is stopping and accepts nothing new. Ask again once it is back."
                raise ConductorDraining(message, applied=Applied.NO)
            same = None if key is None else self._of_key(key)
            if same is None:
                self._services.gate.draining.check()
            # One that was sent again finds room beside the one whose place it takes, which ends when what runs has.
            if len(self._under_way) >= (limit if same is None else 2 * limit):
                raise _overloaded("bulks", limit)
            self._under_way[bulk_id] = _UnderWay(key)
        return None if same is None else same.ref


def _overloaded(what: str, limit: int) -> ConductorOverloaded:
    return ConductorOverloaded(
        f"The limit of {limit} ({what}) is reached. Wait for a bulk to end, or cancel one.",
        details={"limit": limit, "what": what},
        retry_after_s=RETRY_AFTER_S,
    )


def _tell(ref: ActorRef[Any], message: BulkMessage) -> bool:
    with suppress(ActorDeadError):
        ref.tell(message)
        return True
    return False
