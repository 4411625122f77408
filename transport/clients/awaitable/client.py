"""The awaitable client: what a program with an event loop holds to talk to a conductor.

    async with castiron.connect_async() as client:
        request = await client.nodes.power("n1", "power on")
        await request.wait(timeout_s=60)

Only how it is opened and closed is here; what is said is in `transport.clients`.
"""

from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from castiron.transport.clients.awaitable.conversation import AwaitableConversation
from castiron.transport.clients.face import TIMEOUT_S, Face, Reach


class AsyncClient(Face):
    """A conversation with one conductor, and the typed face of all its verbs, to be awaited.

    Tasks of one loop may use it at the same time; it asks as much at a time as the conductor allows a peer, 126
    questions where nothing else is set, and those above wait for room. A wait for a request is a question. A task that
    is cancelled stops waiting; what the conductor has accepted goes on, and the question keeps its place until it is
    answered, 30 s at the most. `castiron.connect_async` makes one; it is an
    asynchronous context manager. Errors, and what is sent again, are those of the blocking Client.
    """

    def __init__(self, endpoint: str | None = None, **reach: Unpack[Reach]) -> None:
        """Prepare the conversation. Sends nothing: the first call finds out whether somebody answers.

        Args:
            endpoint: ipc://… or tcp://HOST:PORT; None: CASTIRON_ENDPOINT, else the default (see endpoint.py).
            reach: how it is reached, and how long it is waited for; see Reach.

        Raises:
            EndpointRefused: castiron does not talk there, or not without keys.
            KeyUnusable: a key file cannot be used.
        """
        super().__init__(AwaitableConversation, endpoint, **reach)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def connect_async(
    endpoint: str | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    key: str | Path | None = None,
    server_key: str | Path | None = None,
) -> AsyncClient:
    """Return an awaitable client of the conductor at `endpoint`; see AsyncClient. Nothing is sent before it is used."""
    return AsyncClient(endpoint, timeout_s=timeout_s, key=key, server_key=server_key)
