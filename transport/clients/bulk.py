"""A client's side of a bulk: sends one message for many nodes, and yields what became of each as it comes.

A conductor that is lost on the way is waited for, and told the rest again under the same key; so nobody is asked twice,
and nobody is left out. Whoever stops listening without `cancel` leaves the conductor to notice.
"""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypedDict, Unpack

from msgspec import UNSET
from msgspec.structs import replace

from castiron.transport.clients.conversation import Conversation, Last
from castiron.transport.errors import (
    BulkNotFound,
    BulkStopped,
    CapacityError,
    CastironError,
    ConductorLost,
    NodeNotFound,
    from_wire,
)
from castiron.transport.replies import BulkOutcome, BulkPart, BulkView
from castiron.transport.selection.conditions import Condition
from castiron.transport.verbs import MAX_LIST, AnyNodeRequest, BulkCancel, BulkRun, Verb, to_map
from castiron.transport.verbs.bulk import MAX_RANGE, OWN
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestState

PATIENCE_S: Final = 30.0
"""How long a conductor may be away before nobody waits for it any more; a restart takes seconds."""

AGAIN_S: Final = 0.2
"""Before the rest is told again."""

PACE_S: Final = 1.0
"""Between two reports of how far it has come, while nothing happens."""

_NAME_BYTES: Final = 3
"""What msgpack puts before a name, at the most."""


class BulkTerms(TypedDict, total=False):
    """How a bulk is to be carried out, as `bulk.run` has it."""

    batch: int | None
    stagger_s: float
    per: str | None
    per_limit: int
    stop_after_failures: int | None
    at_most: int | None
    wait: bool
    dry_run: bool


class _AllTerms(BulkTerms, total=False):
    where: list[Condition]
    key: str


class BulkCourse:
    """How a bulk stands, as far as its client has heard.

    Attributes:
        id: its id with the conductor; None until that has accepted it.
        names: of all its nodes, in the order in which they are started; empty until the conductor has accepted it.
        started: names of those whose requests were accepted.
        outcomes: those that have come, by the names of their nodes.
        lost: why the conductor is waited for; None while it is there.
        stopped: why it was ended before its end; None: it was not.
        is_over: whether nothing more will be heard.
    """

    def __init__(self) -> None:
        self.id: str | None = None
        self.names: list[str] = []
        self.started: set[str] = set()
        self.outcomes: dict[str, BulkOutcome] = {}
        self.lost: CastironError | None = None
        self.stopped: str | None = None
        self.is_over = False

    @property
    def left(self) -> list[str]:
        """Names of those of which nothing has been heard."""
        return [name for name in self.names if name not in self.outcomes]

    @property
    def summary(self) -> BulkView:
        """How it stands, as far as it has been heard; at the end of the iteration: how it ended."""
        kinds = Counter(_kind(outcome) for outcome in self.outcomes.values())
        return BulkView(
            id=self.id or "",
            total=len(self.names),
            started=len(self.names) - kinds["not_sent"] if self.is_over else len(self.started),
            running=kinds["running"] + len(self.started - set(self.outcomes)),
            succeeded=kinds["succeeded"],
            failed=kinds["failed"],
            not_sent=kinds["not_sent"],
            stopped=self.stopped,
        )

    def heard(self, part: BulkPart) -> list[BulkOutcome]:
        """Take in a part, and return the outcomes that are new."""
        self.started.update(part.started)
        new = [outcome for outcome in part.outcomes if outcome.node not in self.outcomes]
        self.outcomes.update((outcome.node, outcome) for outcome in new)
        return new


Told = Callable[[BulkCourse], object]
"""Called whenever more is known about a bulk."""


class AsyncBulk:
    """One bulk: an iterator over its outcomes, each node's once. One reader.

    Attributes:
        course: how it stands.
    """

    def __init__(
        self,
        conversation: Conversation,
        verb: BulkRun,
        *,
        answer_s: float,
        timeout_s: float | None,
        told: Told | None,
        now: Callable[[], float],
    ) -> None:
        """Prepare it; it begins with the first outcome that is asked for.

        Args:
            conversation: with the conductor.
            verb: what to send; it has a key.
            answer_s: for the announcement.
            timeout_s: for all of it; None: as long as it takes.
            told: called whenever more is known, also without an outcome.
            now: seconds of a clock that never goes back.
        """
        self.course = BulkCourse()
        self._conversation = conversation
        self._verb = verb
        self._answer_s = answer_s
        self._timeout_s = timeout_s
        self._told = told
        self._now = now
        self._heard_at = now()
        self._coming = self._run()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing behind: a bulk that is left before its end is cancelled."""
        await self._coming.aclose()
        if not self.course.is_over and not isinstance(error, ConductorLost):
            await self.cancel(leave=True)

    def __aiter__(self) -> AsyncIterator[BulkOutcome]:
        """Yield what became of each node, in any order.

        Raises:
            NodeNotFound: some nodes are unknown; it names them all, and nothing was accepted.
            BulkTooLarge, ArgumentInvalid, ConductorOverloaded: nothing was accepted, either.
            ConductorLost: no conductor answers; `outcomes` has what was heard, and the same key goes on later.
            ReplyTimeout: the time is up; what was started goes on, and so does the bulk unless it is cancelled.
        """
        return self._coming

    @property
    def key(self) -> str:
        """The key under which it can be sent again."""
        return self._verb.key or ""

    async def cancel(self, *, leave: bool = False) -> BulkView | None:
        """Have no further nodes started, and what waits in line withdrawn; what runs goes on.

        Args:
            leave: hear nothing more of it, so that its place among the bulks is free at once.

        Returns:
            How it stood then; None: it had ended, or had never begun.
        """
        try:  # by its key, where the announcement has not been read
            return await self._conversation.ask(
                BulkCancel(bulk=self.course.id or self.key, leave=leave), BulkView, self._answer_s
            )
        except BulkNotFound:
            return None

    async def _run(self) -> AsyncGenerator[BulkOutcome]:
        ends_at = float("inf") if self._timeout_s is None else self._now() + self._timeout_s
        verb = self._verb
        while True:
            try:
                async for outcome in self._once(verb, ends_at):
                    yield outcome
            except NodeNotFound as unknown:
                if not self.course.names:
                    raise
                for outcome in self._gone(unknown):
                    yield outcome
            except (ConductorLost, CapacityError) as lost:
                await self._bear(lost, ends_at)
            if self.course.is_over or not self.course.left:
                self.course.is_over = True
                return
            verb = self._rest()

    async def _once(self, verb: BulkRun, ends_at: float) -> AsyncIterator[BulkOutcome]:
        """Send it, and yield what comes of it."""
        answer_s = min(self._answer_s, max(AGAIN_S, ends_at - self._now()))
        parts = self._conversation.ask_in_parts(verb, BulkView, answer_s, ends_at=ends_at, pace_s=PACE_S)
        async for part in parts:
            if isinstance(part, Last):
                self.course.stopped = part.result.stopped
                self.course.is_over = True
                return
            self._heard_at, self.course.lost = self._now(), None
            if part is None:
                self._tell()
            elif isinstance(part, BulkView):
                self.course.id = part.id
                self.course.names = self.course.names or part.nodes
            elif isinstance(part, BulkPart):
                new = self.course.heard(part)
                self._tell()
                for outcome in new:
                    yield outcome

    def _tell(self) -> None:
        if self._told is not None:
            self._told(self.course)

    async def _bear(self, lost: CastironError, ends_at: float) -> None:
        """Let a moment pass, unless nothing had been accepted, the time is up, or it has been away for too long."""
        now = self._now()
        if not self.course.names or now >= ends_at or now - self._heard_at >= PATIENCE_S:
            raise lost
        self.course.lost = lost
        self._tell()
        await self._conversation.idle(lost.retry_after_s or AGAIN_S)

    def _gone(self, unknown: NodeNotFound) -> Iterator[BulkOutcome]:
        """Conclude nodes that were there at first, and are not any more."""
        from castiron.transport.ranges import expand  # noqa: PLC0415 - 15 ms that hardly anybody needs

        for name in expand(str(unknown.details["node"])):
            self.course.outcomes[name] = BulkOutcome(node=name, node_uuid="", error=unknown.to_wire())
            yield self.course.outcomes[name]

    def _rest(self) -> BulkRun:
        """Return what is left to be asked for, in the same order and under the same key."""
        most = self._verb.stop_after_failures
        if most is not None:
            most -= self.course.summary.failed
            if most <= 0:  # it was stopped, and nobody could say so any more
                raise self.course.lost or ConductorLost("The bulk was stopped while the conductor was away.")
        return replace(self._verb, nodes=named(self.course.left), where=[], at_most=None, stop_after_failures=most)


def bulk_verb(
    request: AnyNodeRequest | Mapping[str, Any], nodes: str | Sequence[str] | None, **terms: Unpack[_AllTerms]
) -> BulkRun:
    """Return the message of a bulk.

    Args:
        request: what to ask of each node; its `node`, `key` and `replies` do not count. With `dry_run`, the bulk is
            only rehearsed.
        nodes: a host range, or names and uuids; None: all of which the conditions hold.
        terms: the other arguments of the verb.

    Raises:
        ArgumentInvalid: something does not fit.
    """
    body = to_map(request) if isinstance(request, Verb) else dict(request)
    if body.get("dry_run"):  # to leave it out would be to do it
        terms["dry_run"] = True
    asked = {name: value for name, value in body.items() if name not in OWN and value is not UNSET}
    return BulkRun(order=asked, nodes=[nodes] if isinstance(nodes, str) else named(nodes), **terms)


def named(nodes: Sequence[str] | None) -> list[str] | None:
    """Return nodes as a message can carry them: as they are if they fit, else as one range."""
    if nodes is None:
        return None
    if len(nodes) <= MAX_LIST and sum(len(node.encode()) + _NAME_BYTES for node in nodes) <= MAX_RANGE:
        return list(nodes)
    from castiron.transport.ranges import fold  # noqa: PLC0415 - 15 ms that other uses do without

    return [fold(nodes)]


def error_of(outcome: BulkOutcome) -> CastironError | None:
    """Return why a node's request was not accepted, or did not end well; None: it was, or did."""
    if outcome.error is not None:
        return from_wire(outcome.error)
    request = outcome.request
    if request is None or request.state is RequestState.SUCCEEDED or request.state not in FINAL_REQUEST_STATES:
        return None
    if request.error is not None:
        return from_wire(request.error)
    return CastironError(f"Request {request.id} ended as {request.state}.", details={"request": request.id})


def _kind(outcome: BulkOutcome) -> str:
    error = error_of(outcome)
    if isinstance(error, BulkStopped):
        return "not_sent"
    if error is not None:
        return "failed"
    if outcome.forecast is not None:
        return "succeeded"
    is_ended = outcome.request is not None and outcome.request.state is RequestState.SUCCEEDED
    return "succeeded" if is_ended else "running"
