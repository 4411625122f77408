"""Waiting for the end of requests that the conductor has accepted: many at once, and through its restarts.

Each `request.wait` is answered as soon as its request ends; all of them are in flight together. They are asked for
again after a while, so that what has changed meanwhile can be shown.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from castiron.cli.options import Shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.progress import Progress
from castiron.cli.reach import absence, connect
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import (
    CapacityError,
    CastironError,
    ConductorDraining,
    ConductorLost,
    ReplyTimeout,
    from_wire,
)
from castiron.transport.replies import RequestView
from castiron.transport.verbs import RequestWait
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestState

GRACE_S: Final = 4.0
"""How much later than its own end a `request.wait` may be answered."""

PATIENCE_S: Final = 30.0
"""How long a conductor may be away before nobody waits for it any more; a restart takes seconds."""

AWAY_S: Final = 0.2
"""Between two looks whether somebody listens again."""

SHOWN_IDS: Final = 3
"""Ids that fit into a line for people."""


class Waiting:
    """Requests that are waited for.

    Attributes:
        views: each request as it was last seen, by its id.
    """

    def __init__(
        self, views: Sequence[RequestView], timeout_s: float | None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to wait.

        Args:
            views: the requests as they were accepted.
            timeout_s: from now; None: for as long as it takes.
            now: seconds of a clock that never goes back.
        """
        self.views = {view.id: view for view in views}
        self._timeout_s = timeout_s
        self._now = now
        self._deadline = float("inf") if timeout_s is None else now() + timeout_s
        self._errors: dict[str, CastironError] = {}
        self._lost: CastironError | None = None
        self._heard_at = now()
        self._pause_s = 0.0

    def open(self) -> list[RequestView]:
        """Return the requests of which it is not known that they have ended."""
        return [view for view in self.views.values() if not _has_ended(view) and view.id not in self._errors]

    def finish(self, client: Client, progress: Progress) -> None:
        """Wait until all have ended, or the time is up, or the conductor is away for longer than PATIENCE_S."""
        while (pending := self.open()) and self._rest_s() > 0 and not self._is_given_up():
            if self._lost is not None and (absent := absence(client.endpoint)) is not None:
                self._lost = absent
                self._pause(AWAY_S)
                continue
            try:
                self._round(client, pending, progress)
            except ConductorLost as lost:
                self._lost = lost
            if self._lost is not None:
                progress.tell_away(self._lost)
                self._pause_s = max(self._pause_s, AWAY_S)
            self._pause(self._pause_s)

    def error_of(self, request_id: str) -> CastironError | None:
        """Return why a request did not succeed, or why that is not known; None if it succeeded."""
        view = self.views[request_id]
        if request_id in self._errors:
            return self._errors[request_id]
        if view.error is not None:
            return from_wire(view.error)
        if not _has_ended(view):
            return self._unknown(view)
        if view.state is RequestState.SUCCEEDED:
            return None
        return CastironError(f"Request {view.id} ended as {view.state}.", details={"request": view.id})

    def _pause(self, seconds: float) -> None:
        """Let time pass that the conductor asked for, or that one needs to come back; nothing can end it sooner."""
        threading.Event().wait(max(0.0, min(seconds, self._rest_s())))
        self._pause_s = 0.0

    def _round(self, client: Client, pending: Sequence[RequestView], progress: Progress) -> None:
        for verb, answer in client.send_many(self._waits(pending, progress.pace_s)):
            if isinstance(answer, ConductorLost | ReplyTimeout | ConductorDraining):
                self._lost = answer
                continue
            self._lost = None
            self._heard_at = self._now()
            if isinstance(answer, RequestView):
                self.views[answer.id] = answer
                progress.show(list(self.views.values()))
            elif isinstance(answer, CapacityError):
                self._pause_s = max(self._pause_s, answer.retry_after_s or AWAY_S)
            elif isinstance(answer, CastironError) and isinstance(verb, RequestWait):
                self._errors[verb.request] = answer

    def _waits(self, pending: Sequence[RequestView], pace_s: float) -> Iterator[RequestWait]:
        for view in pending:
            yield RequestWait(request=view.id, timeout_s=max(0.0, min(pace_s, self._rest_s())))

    def _rest_s(self) -> float:
        return self._deadline - self._now()

    def _is_given_up(self) -> bool:
        return self._lost is not None and self._now() - self._heard_at >= PATIENCE_S

    def _unknown(self, view: RequestView) -> CastironError:
        then = f"Request {view.id} goes on; wait for it again with `castiron request wait`."
        if isinstance(self._lost, ConductorLost):
            message = f"{self._lost.message} Request {view.id} was accepted, and goes on once a conductor runs there."
            return ConductorLost(message, details={**self._lost.details, "request": view.id})
        return ReplyTimeout(f"It has not ended within {self._timeout_s:g} s. {then}", details={"request": view.id})


def _has_ended(view: RequestView) -> bool:
    return view.state in FINAL_REQUEST_STATES


def wait_for(views: Sequence[RequestView], given: Shared) -> Waiting:
    """Wait for requests with the shared options' endpoint and time-out, and show how it goes.

    Raises:
        Stop: interrupted; says what goes on in the conductor.
    """
    waiting = Waiting(views, given.timeout_s)
    if not waiting.open():
        return waiting
    try:
        with Progress(len(views)) as progress, connect(given, timeout_s=_answer_s(progress, given)) as client:
            waiting.finish(client, progress)
    except KeyboardInterrupt:
        raise Stop(goes_on(waiting.open()), Exit.INTERRUPTED) from None
    return waiting


def _answer_s(progress: Progress, given: Shared) -> float:
    """Return the longest that a single wait may go without its answer."""
    return min(progress.pace_s, given.timeout_s or progress.pace_s) + GRACE_S


def goes_on(open_: Sequence[RequestView]) -> str:
    """Return what to say to whoever does not wait any longer for these requests."""
    if not open_:
        return "Interrupted. All requests had ended."
    ids = " ".join(view.id for view in open_[:SHOWN_IDS])
    if len(open_) == 1:  # it may have started since it was last looked at: `abort` ends it in either case
        return f"Interrupted. Request {ids} goes on; `castiron request abort {ids}` ends it, `wait` waits again."
    if len(open_) <= SHOWN_IDS:
        return (
            f"Interrupted. {len(open_)} requests go on; `castiron request abort {ids}` ends them, `wait` waits again."
        )
    return (
        f"Interrupted. {len(open_)} requests go on: see `castiron request list`; `castiron request cancel ID...` takes "
        "back those that have not started, `abort` the others, too."
    )
