"""Requests, for those who wait: see `transport.clients.requests`."""

from collections.abc import Sequence

from castiron.transport.clients.blocking.running import Blocking, blocking, run
from castiron.transport.clients.requests import ABORT_S, AcceptedRequest, AsyncRequest, AsyncRequests


class Request(AcceptedRequest):
    """A request that a conductor has accepted.

    Attributes:
        view: the request as it was when this client last saw it.
    """

    def __init__(self, held: AsyncRequest) -> None:
        super().__init__(held.view)
        self._held = held

    def wait(self, timeout_s: float) -> "Request":
        """Wait until the request has ended; returns this same handle, brought up to date.

        Blocks. Survives restarts of the conductor within `timeout_s`.

        Raises:
            ReplyTimeout: it has not ended in time; it goes on, and may be waited for again.
            ConductorLost: the time is up, and no conductor answers.
            RequestNotFound: it ended longer ago than requests are kept.
        """
        self.view = run(self._held.wait(timeout_s)).view
        return self

    def cancel(self, *, force: bool = False) -> "Request":
        """Withdraw the request, if it has not started; returns this same handle. See `Requests.cancel`."""
        self.view = run(self._held.cancel(force=force)).view
        return self

    def abort(self, *, force: bool = False, timeout_s: float = ABORT_S) -> "Request":
        """End the request, even if it runs; returns this same handle. See `Requests.abort`."""
        self.view = run(self._held.abort(force=force, timeout_s=timeout_s)).view
        return self


def _requests(held: Sequence[AsyncRequest]) -> list[Request]:
    return [Request(one) for one in held]


class Requests(Blocking[AsyncRequests]):
    """`client.requests`. Any thread; every method blocks until it is answered."""

    submit = blocking(AsyncRequests.submit, Request)
    cancel = blocking(AsyncRequests.cancel, Request)
    abort = blocking(AsyncRequests.abort, Request)
    show = blocking(AsyncRequests.show, Request)
    wait = blocking(AsyncRequests.wait, Request)
    trace = blocking(AsyncRequests.trace)
    list = blocking(AsyncRequests.list, _requests)
