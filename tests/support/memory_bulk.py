"""The bulks of a small conductor in memory, as PROTOCOL.md says; which node is next is the conductor's own decision.

Parts are told as they come, one event each: a test's client reads them.
"""

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

from castiron.actors.core.bulk.pacing import Pacing, Terms
from castiron.actors.core.bulk.rehearsal import paced, sent_after_s
from castiron.transport import errors, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.slip import Slip, arrived
from castiron.transport.errors import CastironError
from castiron.transport.ranges import fold, named
from castiron.transport.replies import BulkOutcome, BulkPart, BulkView, Forecast, NodeView, RequestView
from castiron.transport.selection.conditions import check
from castiron.transport.selection.fields import kind_of
from castiron.transport.selection.natural import natural_order
from castiron.transport.verbs.bulk import addressed, order_of
from castiron.transport.vocabulary import Applied, RequestState
from tests.support.memory_listing import holds, looked_up
from tests.support.memory_moves import MemoryMoves


class MemoryBulks(MemoryMoves):
    """Carries bulks out. Whoever calls holds the conductor's lock."""

    bulks: "dict[str, MemoryBulk]"

    def run_bulk(self, verb: verbs.BulkRun, who: PeerInfo, answer: Answer) -> None:
        nodes = self._chosen(verb)
        if verb.at_most is not None and len(nodes) > verb.at_most:
            details = {"count": len(nodes), "limit": verb.at_most, "what": "at_most"}
            raise errors.BulkTooLarge(f"It would reach {len(nodes)} nodes.", details=details)
        bulk = MemoryBulk(self, verb, nodes, who, answer)
        self.bulks[bulk.id] = bulk
        bulk.begin()

    def cancel_bulk(self, verb: verbs.BulkCancel, answer: Answer) -> None:
        bulk = next((one for one in self.bulks.values() if verb.bulk in {one.id, one.verb.key}), None)
        if bulk is None:
            raise errors.BulkNotFound("It has ended.", details={"bulk": verb.bulk})
        bulk.cancel(leave=verb.leave)
        answer.final(bulk.view(), self.events.seq)

    def _chosen(self, verb: verbs.BulkRun) -> list[NodeView]:
        check(verb.where)
        if verb.per is not None:
            kind_of(verb.per, "$.per")
        by_name = {view.name: view for view in self.nodes.values()}
        names = natural_order(by_name) if verb.nodes is None else named(verb.nodes)
        unknown = [name for name in names if name not in by_name and name not in self.nodes]
        if unknown:
            raise errors.NodeNotFound(f"There is no node '{fold(unknown)}'.", details={"node": fold(unknown)})
        views = [by_name[name] if name in by_name else self.nodes[name] for name in names]
        found = [view for view in views if all(holds(one, view) for one in verb.where)]
        if not found:
            raise errors.NodeNotFound("There is no node of which the conditions hold.", details={"node": None})
        return found


class MemoryBulk:
    """One bulk."""

    def __init__(
        self, conductor: MemoryBulks, verb: verbs.BulkRun, nodes: list[NodeView], who: PeerInfo, answer: Answer
    ) -> None:
        self.id = str(uuid.uuid4())
        self.verb = verb
        self._conductor = conductor
        self._nodes = nodes
        self._who = who
        self._answer = answer
        self._order = order_of(verb.order)
        self._stopped: str | None = None
        self._ids: list[str] = []
        self._on_way = 0
        groups = ["-" if verb.per is None else repr(looked_up(view, verb.per)) for view in nodes]
        terms = Terms(
            batch=verb.batch,
            stagger_s=verb.stagger_s,
            per_limit=None if verb.per is None else verb.per_limit,
            stop_after_failures=verb.stop_after_failures,
        )
        self._after_s = sent_after_s(groups, terms)
        self._pacing = Pacing(groups, Terms() if verb.dry_run else terms)

    def begin(self) -> None:
        self._answer.accepted(self.view([node.name for node in self._nodes]), self._conductor.events.seq)
        self._answer.when_gone(self._gone)
        self.go_on()

    def go_on(self) -> None:
        if self.id not in self._conductor.bulks:
            return
        now = time.monotonic()
        for number in self._pacing.take(now, len(self._nodes), lambda _: False):
            self._submit(number)
        if self._pacing.is_stopped and self._stopped is None:
            self._stop("as many have failed as may")
        due_at = self._pacing.due_at()
        if due_at is not None and due_at > now:
            self._conductor.later(due_at - now, self.go_on)
        is_told = self._pacing.waiting == 0 or self._pacing.is_stopped
        if (self._pacing.is_over if self.verb.wait else is_told) and not self._on_way:
            del self._conductor.bulks[self.id]
            self._answer.final(self.view(), self._conductor.events.seq)

    def cancel(self, *, leave: bool) -> None:
        self._stop("it was cancelled")
        for request_id in self._ids:
            with contextlib.suppress(CastironError):  # it has started, or ended
                self._conductor.take_back(verbs.RequestCancel(request=request_id), self._who, Nobody())  # type: ignore[arg-type]  # as much of an answer as is used
        if leave:
            self._conductor.bulks.pop(self.id, None)
        self.go_on()

    def view(self, names: list[str] | None = None) -> BulkView:
        pacing = self._pacing
        return BulkView(
            id=self.id,
            total=len(self._nodes),
            started=len(self._nodes) - pacing.waiting,
            running=pacing.running,
            succeeded=pacing.succeeded,
            failed=pacing.failed,
            not_sent=pacing.waiting if pacing.is_stopped else 0,
            stopped=self._stopped,
            nodes=names or [],
        )

    def taken(self, number: int, request: RequestView) -> None:
        self._ids.append(request.id)
        self._tell(number, started=[self._nodes[number].name])
        if not self.verb.wait:
            self._tell(number, request=request)

    def ended(self, number: int, request: RequestView | None, error: CastironError | None) -> None:
        if self.verb.wait or error is not None:
            self._tell(number, request=request, error=None if error is None else error.to_wire())
        is_failure = request is None or request.state is not RequestState.SUCCEEDED
        self._pacing.end(number, is_failure=is_failure)
        self._conductor.later(0, self.go_on)

    def foretold(self, number: int, forecast: Forecast) -> None:
        self._tell(number, forecast=paced(forecast, self._after_s[number]))
        self._pacing.end(number, is_failure=False)
        self._conductor.later(0, self.go_on)

    def _submit(self, number: int) -> None:
        node = self._nodes[number]
        share = Share(self, number)
        verb = addressed(self._order, node.uuid, self.verb.key, dry_run=self.verb.dry_run)
        try:
            self._conductor.submit(verb, self._who, share)  # type: ignore[arg-type]  # as much of an answer as is used
        except CastironError as error:
            self.ended(number, None, error)

    def _stop(self, reason: str) -> None:
        self._pacing.stop()
        self._stopped = reason
        error = errors.BulkStopped(f"It was not sent: {reason}.", details={"bulk": self.id}, applied=Applied.NO)
        for number in self._pacing.left():
            self._tell(number, error=error.to_wire())

    def _gone(self) -> None:
        self._pacing.stop()
        self._conductor.bulks.pop(self.id, None)

    def _tell(self, number: int, *, started: list[str] | None = None, **what: Any) -> None:
        node = self._nodes[number]
        outcomes = [] if started else [BulkOutcome(node=node.name, node_uuid=node.uuid, **what)]
        part = BulkPart(bulk=self.id, started=started or [], outcomes=outcomes)
        self._answer.part(part, self._conductor.events.seq)


class Share:
    """Hears of one node's request."""

    def __init__(self, bulk: MemoryBulk, number: int) -> None:
        self._bulk = bulk
        self._number = number

    def accepted(self, result: RequestView, seq: int) -> None:
        del seq
        self._bulk.taken(self._number, result)

    def part(self, result: object, seq: int) -> Slip:
        del result, seq
        return arrived()

    def final(self, result: RequestView | Forecast, seq: int) -> None:
        del seq
        if isinstance(result, Forecast):
            return self._bulk.foretold(self._number, result)
        return self._bulk.ended(self._number, result, None)

    def fail(self, error: CastironError, seq: int) -> None:
        del seq
        self._bulk.ended(self._number, None, error)

    def when_gone(self, call: Callable[[], object]) -> None:
        del call


class Nobody:
    """Does not want to know."""

    def final(self, result: RequestView, seq: int) -> None:
        del result, seq
