"""A bulk's actor: asks one node after the other as its pacing says, and tells its client what became of each.

Lives from its message to its summary, in memory only: what it has asked for is on disk as requests like any others, and
what it has not asked for was never accepted. Which node is next is `core.bulk.pacing`'s decision, what becomes of a
node's request its own actor's. Blocks never; no turn asks more than a slice of the nodes.
"""

import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Final, Protocol

from pykka import ActorDeadError

from castiron.actors.asking import Answer
from castiron.actors.bulk.choice import Chosen, choose
from castiron.actors.bulk.messages import (
    SILENT,
    BulkMessage,
    Cancel,
    Ended,
    Foretold,
    GoOn,
    Reason,
    Refused,
    Stop,
    Taken,
)
from castiron.actors.bulk.share import Nobody, Share
from castiron.actors.bulk.telling import Outcome, Telling
from castiron.actors.core.bulk.pacing import Pacing, Terms
from castiron.actors.core.bulk.rehearsal import paced, sent_after_s
from castiron.actors.delivery import node_not_found
from castiron.actors.dispatch.clock import Timer
from castiron.actors.dispatch.pooled import DispatchedActor, abandon, failure_text
from castiron.actors.published.archive import Asking
from castiron.actors.reception.intake import Intake
from castiron.actors.services import Services
from castiron.transport.errors import BulkStopped, BulkTooLarge, CastironError, InternalError
from castiron.transport.replies import BulkView
from castiron.transport.verbs import BulkRun, RequestCancel
from castiron.transport.verbs.bulk import addressed, order_of
from castiron.transport.vocabulary import Applied, EventSeq, Instant, RequestState

log = logging.getLogger(__name__)

SLICE: Final = 32
"""Nodes asked, or withdrawn, in one go: some 2 ms of a turn."""

ON_WAY: Final = 128
"""Requests on their way to their nodes' actors: so many turns, 10 ms on one core, are what others wait behind."""

CROWDED: Final = 64
"""Changes that wait for the disk, from which on a bulk asks nobody: some 20 ms, which others' requests wait behind.
Each node that it has asked makes four changes more, so that they would pile up if it looked at its own alone."""

PAUSE_S: Final = 0.02
"""Until it looks again."""


class Registry(Protocol):
    """Where bulks are counted, and found."""

    def admit(self, bulk_id: str, count: int) -> None:
        """Count a bulk's nodes.

        Raises:
            CastironError: there are too many.
        """
        ...

    def leave(self, bulk_id: str) -> None:
        """Forget a bulk. Idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What is to be done, for whom, and with what."""

    id: str
    verb: BulkRun
    requester: str
    answer: Answer
    services: Services
    intake: Intake
    archive: Asking
    registry: Registry


class BulkActor(DispatchedActor):
    """Carries out one bulk; told `GoOn` it begins."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(dispatcher=assignment.services.dispatcher)
        verb = assignment.verb
        self._given = assignment
        self._services = assignment.services
        self._order = order_of(verb.order)
        self._nodes: list[Chosen] = []
        self._pacing = Pacing((), Terms())
        self._after_s: list[float | None] = []
        """Of a rehearsal: when each node would be asked."""
        self._telling = Telling(assignment.answer, assignment.id)
        self._ids: dict[int, str] = {}
        """Requests that have not ended, by their nodes."""
        self._withdrawing: deque[str] = deque()
        self._on_way = 0
        self._stopped: Reason | None = None
        self._timer: Timer | None = None
        self._has_end = Lock()
        """Taken, for good, by whoever tells the last word."""
        self._has_begun = self._is_cancelled = self._is_left = self._is_done = self._will_go_on = False

    def on_receive(self, message: BulkMessage) -> None:
        """Take a message in, and go on as far as may be. Runs on a dispatcher thread; never blocks."""
        if self._is_done:
            return
        if not self._has_begun:
            self._has_begun = True
            if not self._begin():
                return
        self._take_in(message)
        self._go_on()

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell the client that it cannot go on; what was accepted does."""
        del traceback
        self._fail(failure_text(exception_type, exception_value))

    def end_hung(self, reason: str) -> None:
        """End it, and tell the client, because a turn of it hangs. Any thread; never blocks. Idempotent.

        If that turn ever goes on, it asks nobody any more and tells nothing.
        """
        abandon(self.actor_ref)
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        error_id = self._services.new_id()
        log.error("%s: bulk %s has failed: %s", error_id, self._given.id, reason, extra={"error_id": error_id})
        text = "The bulk failed. What was accepted goes on; send it again with its key. The conductor's log says why."
        self._end(InternalError(text, applied=Applied.UNKNOWN, error_id=error_id))

    def on_stop(self) -> None:
        """Forget it, whoever stopped it."""
        self._leave()

    def _begin(self) -> bool:
        """Choose the nodes, and announce them; return whether there is something to do."""
        given, verb = self._given, self._given.verb
        try:
            given.intake.check_callback(self._order.callback_url, "$.order.callback_url")
            self._nodes = choose(verb, self._services.board, self._services.clock.now())
            if verb.at_most is not None and len(self._nodes) > verb.at_most:
                raise too_large(len(self._nodes), verb.at_most, "at_most")
            given.registry.admit(given.id, len(self._nodes))
        except CastironError as error:
            self._end(error)
            self.stop()
            return False
        groups, terms = [node.group for node in self._nodes], terms_of(verb)
        if verb.dry_run:  # to be told takes no time that anything would have to be spread over
            self._after_s, terms = sent_after_s(groups, terms), Terms()
        self._pacing = Pacing(groups, terms)
        given.answer.accepted(self._view(with_nodes=True), self._seq)
        given.answer.when_gone(lambda: self._tell(Stop(Reason.GONE)))
        return True

    def _take_in(self, message: BulkMessage) -> None:
        match message:
            case GoOn(is_timer=is_timer):
                self._will_go_on = False
                self._timer = None if is_timer else self._timer
            case Taken():
                self._taken(message)
            case Ended(number=number, request=request):
                self._ids.pop(number, None)
                self._pacing.end(number, is_failure=request.state is not RequestState.SUCCEEDED)
                if self._given.verb.wait:
                    self._telling.ended(Outcome(self._nodes[number], request))
            case Refused(number=number, error=error):
                self._on_way -= number not in self._ids
                self._ids.pop(number, None)
                self._refused(number, error)
            case Foretold(number=number, forecast=forecast):
                self._on_way -= 1
                self._pacing.end(number, is_failure=False)
                self._telling.ended(Outcome(self._nodes[number], paced(forecast, self._after_s[number])))
            case Stop(reason=reason):
                self._halt(reason)
            case Cancel():
                self._cancel(message)

    def _taken(self, message: Taken) -> None:
        number, request = message.number, message.request
        self._on_way -= 1
        self._ids[number] = request.id
        self._telling.started(self._nodes[number])
        if not self._given.verb.wait:
            self._telling.ended(Outcome(self._nodes[number], request))
        if self._is_cancelled:
            self._withdrawing.append(request.id)

    def _refused(self, number: int, error: CastironError) -> None:
        self._pacing.end(number, is_failure=True)
        self._telling.ended(Outcome(self._nodes[number], error))

    def _cancel(self, message: Cancel) -> None:
        if message.leave:
            self._is_left = True
            self._telling.mute()
        self._halt(Reason.CANCELLED)
        self._is_cancelled = True
        self._withdrawing.extend(self._ids.values())
        message.answer.final(self._view(), self._seq)

    def _halt(self, reason: Reason) -> None:
        if reason in SILENT:
            self._telling.mute()
        if self._stopped is not None and reason not in SILENT:
            return
        self._pacing.stop()
        self._stopped = reason
        error = BulkStopped(
            f"It was not sent: {reason}.", details={"bulk": self._given.id, "reason": reason.value}, applied=Applied.NO
        )
        for number in self._pacing.left():
            self._telling.ended(Outcome(self._nodes[number], error))

    def _go_on(self) -> None:
        """Ask the next nodes, tell the client, and see to it that it goes on later; or end."""
        if self._pacing.is_stopped and self._stopped is None:
            self._halt(Reason.FAILURES)
        now = self._services.clock.now()
        is_more = self._ask(now) or self._withdraw()
        told_at = self._telling.turn(now, self._seq)
        if self._telling.is_unread(now):
            self._halt(Reason.GONE)
        if self._stopped in SILENT or (self._is_over() and self._telling.is_quiet):
            self._finish()
        elif is_more:
            self._soon()
        else:
            due_at = now + PAUSE_S if self._is_crowded() else self._pacing.due_at()
            times = [at for at in (told_at, due_at) if at is not None and at > now]
            self._wake(Instant(min(times)) if times else None)

    def _ask(self, now: float) -> bool:
        """Ask the next nodes; return whether there may be more of them at once."""
        if self._is_crowded():
            return False
        room = min(SLICE, ON_WAY - self._on_way)
        taken = self._pacing.take(now, room, self._is_known)
        for number in taken:
            self._submit(number)
        return len(taken) == SLICE

    def _submit(self, number: int) -> None:
        if self._is_done:
            return None  # it was given up as hanging, in this very turn
        node = self._nodes[number]
        published = self._services.board.node(node.uuid)
        if published is None:
            return self._refused(number, node_not_found(node.name))
        given = self._given
        verb = addressed(self._order, node.uuid, given.verb.key, dry_run=given.verb.dry_run)
        share = Share(number, self._tell, self._services.board, given.archive)
        self._on_way += 1
        try:
            return given.intake.submit(published.state, verb, given.requester, share, is_begun=True)
        except CastironError as error:
            return share.fail(error, self._seq)

    def _withdraw(self) -> bool:
        """Withdraw the next of the requests that wait in line; return whether there are more."""
        for _ in range(min(SLICE, len(self._withdrawing))):
            verb = RequestCancel(request=self._withdrawing.popleft())
            nobody = Nobody()
            with suppress(CastironError):  # it has ended; how, is told as of any other
                self._given.intake.withdraw(verb, self._given.requester, nobody)
        return bool(self._withdrawing)

    def _is_crowded(self) -> bool:
        """Return whether there is so much to be written that whoever else asks would wait for it."""
        return self._pacing.due_at() is not None and self._services.writer.backlog() >= CROWDED

    def _is_known(self, number: int) -> bool:
        key = self._given.verb.key
        return key is not None and self._given.intake.keys.is_known(f"{key}/{self._nodes[number].uuid}")

    def _is_over(self) -> bool:
        if self._on_way or self._withdrawing:
            return False
        if self._given.verb.wait and not self._is_left:
            return self._pacing.is_over
        return self._pacing.waiting == 0 or self._pacing.is_stopped

    def _finish(self) -> None:
        if self._stopped in SILENT:
            self._leave()  # nobody waits, or the front door says why it cannot go on
        else:
            self._end(None)
        self.stop()

    def _end(self, error: CastironError | None) -> None:
        if not self._has_end.acquire(blocking=False):
            return  # it was given up as hanging
        self._leave()
        if error is None:
            self._given.answer.final(self._view(), self._seq)
        else:
            self._given.answer.fail(error, self._seq)

    def _leave(self) -> None:
        self._is_done = True
        self._wake(None)
        self._given.registry.leave(self._given.id)

    def _view(self, *, with_nodes: bool = False) -> BulkView:
        pacing = self._pacing
        return BulkView(
            id=self._given.id,
            total=len(self._nodes),
            started=len(self._nodes) - pacing.waiting,
            running=pacing.running,
            succeeded=pacing.succeeded,
            failed=pacing.failed,
            not_sent=pacing.waiting if pacing.is_stopped else 0,
            stopped=None if self._stopped is None else self._stopped.value,
            nodes=[node.name for node in self._nodes] if with_nodes else [],
        )

    @property
    def _seq(self) -> EventSeq:
        return self._services.board.seq

    def _soon(self) -> None:
        if not self._will_go_on:
            self._will_go_on = True
            self._tell(GoOn())

    def _wake(self, at: Instant | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        tell = self._tell
        self._timer = None if at is None else self._services.clock.call_at(at, lambda: tell(GoOn(is_timer=True)))

    def _tell(self, message: BulkMessage) -> None:
        """Tell this very actor. Any thread."""
        with suppress(ActorDeadError):
            self.actor_ref.tell(message)


def terms_of(verb: BulkRun) -> Terms:
    """Return how a bulk is to be carried out."""
    return Terms(
        batch=verb.batch,
        stagger_s=verb.stagger_s,
        per_limit=None if verb.per is None else verb.per_limit,
        stop_after_failures=verb.stop_after_failures,
    )


def too_large(count: int, limit: int, what: str) -> BulkTooLarge:
    """Return the refusal of a bulk that would reach more nodes than it may."""
    return BulkTooLarge(
        f"It would reach {count} nodes, and {limit} are the most ({what}). Nothing was done.",
        details={"count": count, "limit": limit, "what": what},
    )
