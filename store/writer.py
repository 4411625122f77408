"""The one way to change the store: changes are submitted from any thread, and each is told what became of it.

Two writers around the same core: ThreadedWriter commits on its own thread whatever has piled up while it was busy,
InlineWriter commits at once, for simulations. What is written, and how, is the committer's.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from castiron.store.errors import StoreClosed, StoreError, StoreUnwritable
from castiron.store.outage import Outage
from castiron.store.records import Change, Commit, NodeInsert
from castiron.store.sql.committer import Committer, Outcome
from castiron.transport.vocabulary import NodeUUID

MAX_BACKLOG: Final = 65_536
"""Changes that may wait: six for each of 10,000 nodes, about four seconds of writing. More would only wait longer."""

MAX_GROUP_ROWS: Final = 1_000
"""Rows in one transaction: beyond this, larger groups gain nothing, and the first change of one waits for the last."""

OK: Final = "ok"

Landed = Callable[[Sequence[Commit]], None]
"""Told, once for each group that is on disk, the commits that brought events or calls that are owed, in the order of
their numbers; before anybody is told of a change of the group. On the thread that writes; must not block."""

Done = Callable[[Outcome], None]
"""Told what became of a change. Must not block; if it raises, that is logged and concerns nobody else."""


def _nobody(commits: Sequence[Commit]) -> None:
    """Announce commits to nobody."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterCounters:
    """What a writer has done since its start."""

    changes: int = 0
    """Changes that are on disk."""
    groups: int = 0
    """Transactions that were tried, each for a group of changes."""
    commits: int = 0
    """Transactions that are on disk."""
    refused: int = 0
    """Changes that did not fit: stale, duplicate, not storable."""
    failures: int = 0
    """Transactions that the disk did not take."""
    overloads: int = 0
    """Changes turned away because too many were waiting."""


class Writer(Protocol):
    """Commits changes. Any thread may call any method."""

    def submit(self, change: Change, done: Done) -> None:
        """Hand in a change; never blocks on the disk unless the writer is inline. Not idempotent.

        `done` is called exactly once, in the order of submission, when the change is on disk or never will be: with a
        Commit, or with StaleRevision, DuplicateNode, their like of allocations, or UnstorableValue (this change is
        wrong), or StoreUnwritable (the disk). Two outcomes come at once, on the calling thread, before `submit`
        returns and ahead of changes that still wait: StoreUnwritable when MAX_BACKLOG changes wait, StoreClosed after
        `stop`. Nothing was written then.

        Raises:
            ValueError: the change contradicts itself, which is a mistake of the caller's; `done` is not called.
        """
        ...

    def is_alive(self) -> bool:
        """Return whether what is submitted will be written."""
        ...

    def backlog(self) -> int:
        """Return how many changes wait or are being written."""
        ...

    def counters(self) -> WriterCounters:
        """Return what was done so far."""
        ...

    def state(self) -> str:
        """Return "ok", or why the latest group could not be written."""
        ...

    def stop(self, timeout_s: float) -> None:
        """Refuse new changes, write those that wait, and end. Blocks up to timeout_s seconds. Idempotent.

        Changes that still wait when the time is up get StoreClosed; the group that is being written is told as usual.
        """
        ...


class _Desk:
    """What both writers do with a batch: commit it, count, tell."""

    def __init__(self, committer: Committer, landed: Landed) -> None:
        self._committer = committer
        self._landed = landed
        self._outage = Outage(
            "the store cannot be written (%s); changes are refused until it can",
            "the store can be written again; %d transactions were refused",
        )
        self.counters = WriterCounters()
        self.state = OK

    def commit(self, batch: Sequence[tuple[Change, Done]]) -> None:
        """Write the batch and tell each what became of it. Never raises."""
        outcomes = self._outcomes([change for change, _ in batch])
        self._count(outcomes, sum(rows_of(change) for change, _ in batch))
        commits = [outcome for outcome in outcomes if isinstance(outcome, Commit)]
        self._announce([commit for commit in commits if commit.events or commit.callbacks])
        for (_, done), outcome in zip(batch, outcomes, strict=True):
            tell(done, outcome)

    def _outcomes(self, changes: Sequence[Change]) -> list[Outcome]:
        try:
            return self._committer.commit(changes)
        except Exception:  # noqa: BLE001 - the writer must outlive its own mistakes: many actors wait for it
            _log.exception("a group of %d changes was not written", len(changes))
            return [StoreUnwritable("the writer failed; its log says why") for _ in changes]

    def _announce(self, commits: Sequence[Commit]) -> None:
        if not commits:
            return
        try:
            self._landed(commits)
        except Exception:  # noqa: BLE001 - somebody else's mistake must not cost those who wait their outcome
            _log.exception("announcing %d commits failed", len(commits))

    def _count(self, outcomes: Sequence[Outcome], row_count: int) -> None:
        written = sum(isinstance(outcome, Commit) for outcome in outcomes)
        failed = next((outcome for outcome in outcomes if isinstance(outcome, StoreUnwritable | StoreClosed)), None)
        before = self.counters
        self.counters = replace(
            before,
            changes=before.changes + written,
            groups=before.groups + 1,
            commits=before.commits + (written > 0),
            refused=before.refused + (0 if failed else len(outcomes) - written),
            failures=before.failures + (failed is not None),
        )
        if failed:
            self.state = str(failed)
            if isinstance(failed, StoreUnwritable):
                self._outage.failed(failed)
        elif written and row_count:  # what writes nothing works on a full disk, too
            self.state = OK
            self._outage.worked()


class ThreadedWriter:
    """A Writer with one thread, which starts at once. Tells on that thread."""

    def __init__(
        self,
        committer: Committer,
        *,
        landed: Landed = _nobody,
        max_backlog: int = MAX_BACKLOG,
        max_group_rows: int = MAX_GROUP_ROWS,
    ) -> None:
        self._desk = _Desk(committer, landed)
        self._max_backlog = max_backlog
        self._max_group_rows = max_group_rows
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Change, Done]] = deque()
        self._writing = 0
        self._overloads = self._beats = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="castiron-store-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Change, done: Done) -> None:
        """See Writer."""
        check(change)
        refusal: StoreError | None = None
        with self._changed:
            if self._stopping:
                refusal = StoreClosed("the store's writer has stopped")
            elif len(self._waiting) >= self._max_backlog:
                self._overloads += 1
                refusal = StoreUnwritable(f"overloaded: {self._max_backlog} changes wait to be written")
            else:
                self._waiting.append((change, done))
                self._changed.notify()
        if refusal is not None:
            tell(done, refusal)

    @property
    def thread(self) -> threading.Thread:
        """The thread that writes."""
        return self._thread

    def beats(self) -> int:
        """Return how often it has begun or ended a group: odd while it writes one, or tells of it. Any thread."""
        return self._beats

    def is_alive(self) -> bool:
        """See Writer."""
        return self._thread.is_alive() and not self._stopping

    def backlog(self) -> int:
        """See Writer."""
        return len(self._waiting) + self._writing

    def counters(self) -> WriterCounters:
        """See Writer."""
        return replace(self._desk.counters, overloads=self._overloads)

    def state(self) -> str:
        """See Writer."""
        return self._desk.state

    def stop(self, timeout_s: float) -> None:
        """See Writer."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            late = list(self._waiting)
            self._waiting.clear()
        for _, done in late:
            tell(done, StoreClosed("the store's writer was stopped before this was written"))

    def _run(self) -> None:
        while batch := self._next():
            self._beats += 1
            self._desk.commit(batch)
            self._beats += 1

    def _next(self) -> list[tuple[Change, Done]]:
        """Wait for changes and take as many as one transaction may hold; none: it is time to end."""
        batch: list[tuple[Change, Done]] = []
        row_count = 0
        with self._changed:
            self._writing = 0
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            while self._waiting and row_count < self._max_group_rows:
                batch.append(self._waiting.popleft())
                row_count += rows_of(batch[-1][0])
            self._writing = len(batch)
        return batch


class InlineWriter:
    """A Writer without a thread: a change is on disk, and told, when `submit` returns.

    A change that is submitted from within `done` is written after the one that is being told, not in the midst of it.
    """

    def __init__(self, committer: Committer, *, landed: Landed = _nobody) -> None:
        self._desk = _Desk(committer, landed)
        self._waiting: deque[tuple[Change, Done]] = deque()
        self._lock = threading.RLock()
        self._busy = False
        self._stopped = False

    def submit(self, change: Change, done: Done) -> None:
        """See Writer."""
        check(change)
        if self._stopped:
            tell(done, StoreClosed("the store's writer has stopped"))
            return
        with self._lock:
            self._waiting.append((change, done))
            if not self._busy:
                self._drain()

    def is_alive(self) -> bool:
        """See Writer."""
        return not self._stopped

    def backlog(self) -> int:
        """See Writer."""
        return len(self._waiting)

    def counters(self) -> WriterCounters:
        """See Writer."""
        return self._desk.counters

    def state(self) -> str:
        """See Writer."""
        return self._desk.state

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - nothing waits, so there is nothing to wait for
        """See Writer."""
        self._stopped = True

    def _drain(self) -> None:
        self._busy = True
        try:
            while self._waiting:
                self._desk.commit([self._waiting.popleft()])
        finally:
            self._busy = False


def tell(done: Done, outcome: Outcome) -> None:
    """Call `done`; what it raises is logged."""
    try:
        done(outcome)
    except Exception:  # noqa: BLE001 - somebody else's mistake must not cost the others their outcome
        _log.exception("telling the outcome of a change failed")


def rows_of(change: Change) -> int:
    """Return how many rows a change writes."""
    return (
        (change.node is not None)
        + len(change.requests)
        + len(change.events)
        + len(change.outbox)
        + (change.runbook is not None)
    )


def check(change: Change) -> None:
    """Refuse a change that contradicts itself (see records).

    Raises:
        ValueError: says how.
    """
    if isinstance(change.node, NodeInsert) and change.node.record.revision != 1:
        raise ValueError(f"a new node has revision 1, not {change.node.record.revision}")
    if change.node is None and change.requests:
        raise ValueError("requests are guarded by their node's revision: a change of requests needs its node")
    own: NodeUUID | None = None if change.node is None else change.node.record.uuid
    numbered = [draft for draft in change.events if draft.node_uuid is not None]
    if any(draft.node_uuid != own for draft in numbered):
        raise ValueError("a change can number the events of its own node only")
    if change.node is not None and len(numbered) > change.node.record.node_seq:
        raise ValueError(f"node_seq {change.node.record.node_seq} is too low for {len(numbered)} events")
