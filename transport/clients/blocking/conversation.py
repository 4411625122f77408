"""How a blocking client waits: in the calling thread, one caller at a time."""

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Any

import zmq

from castiron.transport.clients.conversation import Conversation
from castiron.transport.endpoint import Endpoint
from castiron.transport.keys.protection import ClientKeys
from castiron.transport.session import Question


class BlockingConversation(Conversation):
    """Questions and answers with one conductor. Any thread may ask; they take turns."""

    may_block = True

    def __init__(
        self, endpoint: Endpoint, *, name: str, now: Callable[[], float], keys: ClientKeys | None = None
    ) -> None:
        """Open the link; nothing is sent yet. See Conversation."""
        super().__init__(endpoint, block, name=name, now=now, keys=keys)
        self._lock = threading.RLock()

    async def end_waits(self) -> None:
        """Nothing is waited for where another thread closes: it has its turn then."""

    def close(self) -> None:
        """End the conversation. Idempotent; the conductor is not told."""
        with self._lock:
            super().close()

    async def idle(self, seconds: float) -> None:
        """Let time pass, taking in what comes, until `seconds` are over."""
        with self._lock:
            until = self._now() + seconds
            while (rest := until - self._now()) > 0:
                await self._take_in(rest)

    def _turn(self) -> AbstractContextManager[object]:
        return self._lock

    def _greeting(self) -> AbstractAsyncContextManager[object]:
        return nullcontext()

    async def _news(self, questions: Sequence[Question], until: float) -> None:
        del questions  # whatever comes is taken in by whoever waits
        await self._step(until)

    async def _catch_up(self) -> None:
        while await self._take_in(0):
            """Until nothing more is there."""


async def block(sockets: Sequence["zmq.Socket[bytes]"], timeout_s: float) -> Collection["zmq.Socket[bytes]"]:
    """Block until one of the sockets can be read, at most so long."""
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    ready: dict[Any, int] = dict(poller.poll(milliseconds(timeout_s)))
    return ready.keys()


def milliseconds(timeout_s: float) -> int:
    """Return milliseconds, rounded up so that a wait never ends before its time."""
    return max(0, -int(-timeout_s * 1000 // 1))
