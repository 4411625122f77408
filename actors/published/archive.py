"""What is read from the store while the conductor runs, off the threads that must not wait.

One thread and a bounded line of questions: nodes for successors of failed actors, and requests that ended too long ago
to be published. Answers go to a function, on that thread.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final, Protocol

from castiron.actors.services import Loaded, OnDisk, Writer
from castiron.store.errors import StoreError
from castiron.store.records import (
    ALL,
    CallbackRecord,
    Change,
    Commit,
    EventRecord,
    KeyRecord,
    NodeRecord,
    RequestRecord,
    Wanted,
)
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import EventSeq, EventType, NodeSeq, NodeUUID, RequestID

log = logging.getLogger(__name__)

MAX_QUESTIONS: Final = 1_000
"""Questions that may wait: at 0.2 ms each, a fifth of a second's work."""

PAUSE_S: Final = 0.0001
"""Of a question that takes long, now and then: time enough for a thread that waits for the interpreter to get it."""

Question = Callable[["Library"], None]


class Library(Protocol):
    """The reading side of the store."""

    def node(self, uuid: NodeUUID) -> NodeRecord | None:
        """Return a node."""
        ...

    def open_requests_of(self, node_uuid: NodeUUID) -> list[RequestRecord]:
        """Return a node's requests that have not ended, the oldest first."""
        ...

    def request(self, request_id: RequestID) -> RequestRecord | None:
        """Return a request."""
        ...

    def callbacks_of(self, request_id: RequestID) -> list[CallbackRecord]:
        """Return the calls that are owed for a request, or were."""
        ...

    def key(self, text: str) -> KeyRecord | None:
        """Return an idempotency key."""
        ...

    def requests(self, wanted: Wanted = ALL, *, limit: int, before: RequestID | None = None) -> list[RequestRecord]:
        """Return a page of requests, the latest first."""
        ...

    def latest_seq(self) -> EventSeq:
        """Return the number of the latest event; 0: there has been none."""
        ...

    def oldest_seq(self) -> EventSeq:
        """Return the number of the oldest event that can be replayed; 0: there has been none."""
        ...

    def events(
        self,
        *,
        since: EventSeq,
        limit: int,
        until: EventSeq | None = None,
        node_uuids: frozenset[NodeUUID] | None = None,
        types: frozenset[EventType] | None = None,
    ) -> list[EventRecord]:
        """Return events after a number, in their order."""
        ...

    def history(self, node_uuid: NodeUUID, *, limit: int, before: NodeSeq | None = None) -> list[EventRecord]:
        """Return a node's events, the latest first."""
        ...


class Asking(Protocol):
    """Where questions to the store are put. Any thread."""

    def ask(self, question: Question) -> None:
        """Put a question; it is answered elsewhere, later.

        Raises:
            ConductorOverloaded: as many wait as may.
        """
        ...

    def ease(self) -> None:
        """Let others come first. Called by a question that takes long, on the thread that answers it, every 0.5 ms.

        The interpreter takes itself from a thread only after 5 ms, and the front door gives it away with each frame
        that it sends or receives: one message would wait for it eight times, 25 ms while pages of nodes are made.
        """
        ...

    def waiting(self) -> int:
        """Return how many questions wait."""
        ...


class Archive:
    """Asks the store on a thread of its own, which starts at once. Any thread may call; nothing blocks but `stop`."""

    def __init__(self, library: Library, writer: Writer) -> None:
        self._library = library
        self._writer = writer
        self._line: SimpleQueue[Question | None] = SimpleQueue()  # None: end
        self._beats = 0
        self._never = threading.Event()
        self._thread = threading.Thread(target=self._run, name="castiron-archive", daemon=True)
        self._thread.start()

    def load(self, uuid: NodeUUID, tell: Callable[[Loaded], None]) -> None:
        """Read a node and its open requests, behind everything that was submitted to the writer before.

        Never refused: there is one at a time for each node whose actor has failed. Once the archive has been stopped,
        nothing is told.
        """

        def behind(outcome: Commit | StoreError) -> None:
            del outcome  # an empty change commits nothing; it only keeps its place in the line
            self._line.put(partial(tell_node, uuid, tell))

        self._writer.submit(Change(), behind)

    def ask(self, question: Question) -> None:
        """Put a question; it runs on the archive's thread.

        Raises:
            ConductorOverloaded: as many wait as may.
        """
        if self._line.qsize() >= MAX_QUESTIONS:
            raise ConductorOverloaded(
                f"{MAX_QUESTIONS} questions wait for the store, which is the limit. Try again.",
                details={"limit": MAX_QUESTIONS, "what": "archive"},
                retry_after_s=0.5,
            )
        self._line.put(question)

    def ease(self) -> None:
        """See Asking; it blocks for 0.1 ms."""
        self._never.wait(PAUSE_S)

    def waiting(self) -> int:
        """Return how many questions wait."""
        return self._line.qsize()

    @property
    def thread(self) -> threading.Thread:
        """The thread that asks."""
        return self._thread

    def beats(self) -> int:
        """Return how often it has begun or ended a question: odd while at one. Any thread."""
        return self._beats

    def is_alive(self) -> bool:
        """Return whether questions are being answered."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Answer what waits, then end the thread. Blocks up to timeout_s seconds; idempotent."""
        self._line.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (question := self._line.get()) is not None:
            self._beats += 1
            try:
                question(self._library)
            except Exception:
                log.exception("a question to the store failed")
            self._beats += 1


def tell_node(uuid: NodeUUID, tell: Callable[[Loaded], None], library: Library) -> None:
    """Read a node and its open requests, and tell them, or why they could not be read. Blocks on the disk."""
    try:
        seq = library.latest_seq()  # first: what is read after it is no older
        loaded: Loaded = OnDisk(library.node(uuid), library.open_requests_of(uuid), seq)
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits for the node must hear of it
        loaded = error
    tell(loaded)
