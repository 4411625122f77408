"""What a client does with requests: submit, look, list, wait for the end of one, and take one back.

An AsyncRequest is a handle: its id stays good after the client, the connection and the conductor are gone, because the
conductor has it on disk.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.delivery import Delivery
from castiron.transport.errors import (
    CapacityError,
    CastironError,
    ConductorLost,
    ReplyTimeout,
    from_wire,
)
from castiron.transport.replies import RequestListed, RequestView, TraceView
from castiron.transport.verbs import (
    MAX_LIST,
    AnyNodeRequest,
    RequestAbort,
    RequestCancel,
    RequestList,
    RequestShow,
    RequestTrace,
    RequestWait,
)
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestState

WAIT_S: Final = 30.0
"""Longest single `request.wait`: a wait that its client abandoned does not occupy the conductor for longer."""

GRACE_S: Final = 1.0
"""How much later than its own end a `request.wait` may be answered."""

ABORT_S: Final = 30.0
"""For the end of a request that is aborted: twice what a command to a BMC may take, if nobody has changed that."""

PAUSE_S: Final = 0.2
"""Before a wait is asked again that was refused or lost."""


class AcceptedRequest:
    """A request that a conductor has accepted, as a client has seen it.

    Attributes:
        view: the request as it was when this client last saw it.
    """

    def __init__(self, view: RequestView) -> None:
        self.view: RequestView = view

    def __repr__(self) -> str:
        return f"<Request {self.id} {self.view.verb} {self.view.node}: {self.state}>"

    @property
    def id(self) -> str:
        """Its id, good for `client.requests.show` at any later time."""
        return self.view.id

    @property
    def state(self) -> RequestState:
        """Its state when it was last seen; compares equal to the words of the wire, as "succeeded"."""
        return self.view.state

    @property
    def is_final(self) -> bool:
        """Whether it has ended, and will never change again."""
        return self.view.state in FINAL_REQUEST_STATES

    @property
    def result(self) -> dict[str, Any] | None:
        """What the verb promises; None until it has succeeded."""
        return self.view.result

    @property
    def error(self) -> CastironError | None:
        """What the request ended with, as `raise_for_error` raises it; None if it succeeded or has not ended."""
        if self.view.error is not None:
            return from_wire(self.view.error)
        if self.is_final and self.state != RequestState.SUCCEEDED:
            return CastironError(f"Request {self.id} ended as {self.state}.", details={"request": self.id})
        return None

    def raise_for_error(self) -> None:
        """Raise the error that the request ended with; nothing if it succeeded or has not ended."""
        if (error := self.error) is not None:
            raise error


class AsyncRequest(AcceptedRequest):
    """The same, to be awaited."""

    def __init__(self, view: RequestView, requests: "AsyncRequests") -> None:
        super().__init__(view)
        self._requests = requests

    async def wait(self, timeout_s: float) -> "AsyncRequest":
        """Wait until the request has ended; returns this same handle, brought up to date.

        Survives restarts of the conductor within `timeout_s`.

        Raises:
            ReplyTimeout: it has not ended in time; it goes on, and may be waited for again.
            ConductorLost: the time is up, and no conductor answers.
            RequestNotFound: it ended longer ago than requests are kept.
        """
        if not self.is_final:
            self.view = (await self._requests.wait(self.id, timeout_s)).view
        return self

    async def cancel(self, *, force: bool = False) -> "AsyncRequest":
        """Withdraw the request, if it has not started; returns this same handle. See `Requests.cancel`."""
        self.view = (await self._requests.cancel(self.id, force=force)).view
        return self

    async def abort(self, *, force: bool = False, timeout_s: float = ABORT_S) -> "AsyncRequest":
        """End the request, even if it runs; returns this same handle. See `Requests.abort`."""
        self.view = (await self._requests.abort(self.id, force=force, timeout_s=timeout_s)).view
        return self


class AsyncRequests:
    """`client.requests`; every method waits for its answer."""

    def __init__(
        self, conversation: Conversation, delivery: Delivery, *, timeout_s: float, now: Callable[[], float]
    ) -> None:
        """Share a conversation.

        Args:
            conversation: with the conductor.
            delivery: what new requests are sent with.
            timeout_s: for each answer.
            now: seconds of a clock that never goes back.
        """
        self._conversation = conversation
        self._delivery = delivery
        self._timeout_s = timeout_s
        self._now = now

    async def submit(self, verb: AnyNodeRequest) -> AsyncRequest:
        """Ask for something that reaches a BMC; the request is on disk when this returns, and goes on by itself.

        It is sent with a key, its own or a new one, and sent again with the same as long as it is not known whether it
        was taken, so it is carried out once.

        Raises:
            ConductorLost: no conductor answers; `applied` says whether the request may have been accepted.
            ReplyTimeout: the conductor is there, and did not answer in time.
            CastironError: what the conductor answered.
        """
        answer = await self._delivery.send(verb)
        if not isinstance(answer, RequestView):
            raise TypeError(answer)
        return AsyncRequest(answer, self)

    async def cancel(self, request_id: str, *, force: bool = False) -> AsyncRequest:
        """Withdraw a request that has not started: it ends as cancelled, and its machine is not touched.

        If others want it as well, it goes on for them, and is returned as it stands.

        Args:
            request_id: which.
            force: for all who want it, and also if you do not.

        Raises:
            RequestStarted: it has started; only `abort` ends it now.
            RequestEnded: it has ended.
            RequestNotYours: only others want it.
            RequestNotFound: no such request, or it ended longer ago than requests are kept.
        """
        verb = RequestCancel(request=request_id, force=force)
        return await self._take_back(verb, self._timeout_s)

    async def abort(self, request_id: str, *, force: bool = False, timeout_s: float = ABORT_S) -> AsyncRequest:
        """End a request that runs, between two exchanges with the BMC; one that has not started is cancelled.

        Returned as it has ended: its error says what was seen of the machine, and its `applied` whether something had
        been sent to it. It may have ended by itself before.

        Args:
            request_id: which.
            force: also if others want it.
            timeout_s: for the end; the conductor needs at the most as long as it gives a command to a BMC.

        Raises:
            RequestEnded: it has ended.
            RequestNotYours: others want it.
            RequestNotFound: no such request, or it ended longer ago than requests are kept.
            ReplyTimeout: it has not ended in time, and will.
        """
        verb = RequestAbort(request=request_id, force=force)
        return await self._take_back(verb, timeout_s)

    async def show(self, request_id: str) -> AsyncRequest:
        """Return a request as it is now.

        Raises:
            RequestNotFound: no such request, or it ended longer ago than requests are kept.
        """
        return AsyncRequest(
            await self._conversation.ask(RequestShow(request=request_id), RequestView, self._timeout_s), self
        )

    async def wait(self, request_id: str, timeout_s: float) -> AsyncRequest:
        """Wait until a request has ended, through restarts of the conductor; see `Request.wait`."""
        deadline = self._now() + timeout_s
        while True:
            rest_s = max(0.0, deadline - self._now())
            request = await self._wait_once(request_id, rest_s)
            if request is not None and request.is_final:
                return request
            if self._now() >= deadline:
                raise ReplyTimeout(
                    f"Request {request_id} has not ended within {timeout_s:g} s. It goes on; wait for it again.",
                    details={"request": request_id},
                )

    async def _take_back(self, verb: RequestCancel | RequestAbort, timeout_s: float) -> AsyncRequest:
        """Send it, and again if the answer is lost: twice is once."""
        answer = await self._delivery.send(verb, timeout_s=timeout_s)
        if not isinstance(answer, RequestView):
            raise TypeError(answer)
        return AsyncRequest(answer, self)

    async def _wait_once(self, request_id: str, rest_s: float) -> AsyncRequest | None:
        """Ask once; None if the conductor could not say and there is time to ask again."""
        wait_s = min(rest_s, WAIT_S)
        ends_at = self._now() + rest_s
        try:
            verb = RequestWait(request=request_id, timeout_s=wait_s)
            view = await self._conversation.ask(verb, RequestView, wait_s + GRACE_S)
        except (ConductorLost, ReplyTimeout, CapacityError) as error:
            pause_s = min(error.retry_after_s or PAUSE_S, ends_at - self._now())
            if pause_s <= 0:
                raise
            await self._conversation.idle(pause_s)
            return None
        return AsyncRequest(view, self)

    async def trace(self, request_id: str) -> TraceView:
        """Return a request's whole life, up to now.

        Raises:
            RequestNotFound: no such request, or it ended longer ago than requests are kept.
        """
        return await self._conversation.ask(RequestTrace(request=request_id), TraceView, self._timeout_s)

    async def list(
        self,
        node: str | None = None,
        states: Sequence[RequestState | str] | None = None,
        limit: int = 100,
        *,
        of_verb: str | None = None,
        requester: str | None = None,
        error: str | None = None,
        accepted_since: float | None = None,
        accepted_until: float | None = None,
        ended_since: float | None = None,
        ended_until: float | None = None,
    ) -> "list[AsyncRequest]":
        """Return requests, the latest first; those of which all that is given holds.

        Those that are there all the time are returned once each, whatever comes or ends meanwhile.

        Args:
            node: name or uuid; all nodes if None.
            states: only those in these states.
            limit: how many at the most; pages are fetched as needed.
            of_verb: of this verb, as "node.power.set".
            requester: first asked for by this identity.
            error: ended with this code.
            accepted_since: this and the other times in seconds since 1970-01-01 UTC; then or later.
            accepted_until: before that.
            ended_since: then or later.
            ended_until: before that.
        """
        wanted = None if states is None else [RequestState(state) for state in states]
        views: list[RequestView] = []
        marker: str | None = None
        while len(views) < limit:
            verb = RequestList(
                node=node,
                states=wanted,
                of_verb=of_verb,
                requester=requester,
                error=error,
                accepted_since=accepted_since,
                accepted_until=accepted_until,
                ended_since=ended_since,
                ended_until=ended_until,
                limit=min(limit - len(views), MAX_LIST),
                marker=marker,
            )
            page = await self._conversation.ask(verb, RequestListed, self._timeout_s)
            views += page.requests
            marker = page.next_marker
            if marker is None:
                break
        return [AsyncRequest(view, self) for view in views]
