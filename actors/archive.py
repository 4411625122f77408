"""What is read from the store while the conductor runs, off the threads that must not wait.

One thread and a bounded line of questions: nodes for successors of failed actors, and requests that ended too long ago
to be published. Answers go to a function, on that thread.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from castiron.actors.services import Loaded, Writer
from castiron.store.errors import StoreError
from castiron.store.records import Change, Commit, NodeRecord, RequestRecord
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import NodeUUID, RequestID, RequestState

log = logging.getLogger(__name__)

MAX_QUESTIONS: Final = 1_000
"""Questions that may wait: at 0.2 ms each, a fifth of a second's work."""


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

    def requests(
        self,
        *,
        node_uuid: NodeUUID | None = None,
        states: frozenset[RequestState] | None = None,
        limit: int,
        before: RequestID | None = None,
    ) -> list[RequestRecord]:
        """Return a page of requests, the latest first."""
        ...


class Archive:
    """Asks the store on a thread of its own. Any thread may call; nothing blocks but `stop`."""

    def __init__(self, library: Library, writer: Writer) -> None:
        self._library = library
        self._writer = writer
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="castiron-archive")
        self._room = threading.BoundedSemaphore(MAX_QUESTIONS)

    def load(self, uuid: NodeUUID, loaded: Loaded) -> None:
        """Read a node and its open requests, behind everything that was submitted to the writer before."""

        def behind(outcome: Commit | StoreError) -> None:
            del outcome  # an empty change commits nothing; it only keeps its place in the line
            self._pool.submit(self._load, uuid, loaded)

        self._writer.submit(Change(), behind)

    def ask(self, question: Callable[[Library], None]) -> None:
        """Put a question; it runs on the archive's thread.

        Raises:
            ConductorOverloaded: as many wait as may.
        """
        if not self._room.acquire(blocking=False):
            raise ConductorOverloaded(
                f"{MAX_QUESTIONS} questions wait for the store, which is the limit. Try again.",
                details={"limit": MAX_QUESTIONS, "what": "archive"},
                retry_after_s=0.5,
            )
        self._pool.submit(self._answer, question)

    def stop(self) -> None:
        """Answer what waits, then end the thread. Idempotent."""
        self._pool.shutdown(wait=True)

    def _load(self, uuid: NodeUUID, loaded: Loaded) -> None:
        try:
            record = self._library.node(uuid)
            requests = self._library.open_requests_of(uuid)
        except StoreError:
            log.exception("node %s could not be read from the store", uuid)
            return
        loaded(record, requests)

    def _answer(self, question: Callable[[Library], None]) -> None:
        try:
            question(self._library)
        except Exception:
            log.exception("a question to the store failed")
        finally:
            self._room.release()
