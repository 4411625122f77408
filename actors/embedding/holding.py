"""How a program holds a conductor: from its threads, or from an event loop that is never blocked.

What ends in `_async` has a blocking twin of the same name. May come in: how whoever holds it waits. Must not: what a
conductor is made of.
"""

import asyncio
import math
import sys
import threading
import time
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from castiron.actors.embedding.errands import run_aside
from castiron.actors.settings import Reloaded, Settings
from castiron.transport.clients.awaitable.client import AsyncClient
from castiron.transport.clients.blocking.client import Client

LOOK_S: Final = 1.0
"""Between two looks at the watch by whoever waits."""


class Held(ABC):
    """What a conductor is to whoever holds it: a context manager, blocking or awaited, that gives clients of itself.

    Its own work is on its own threads all the while; tasks of a loop share the interpreter with them, and nothing else.
    """

    _ended: threading.Event
    """Set while it does not run."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until it has failed or was stopped; return whether that came about in time.

        Whoever waits watches the watch, which watches everything else.
        """
        until_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while not self._ended.wait(max(0.0, min(until_s - time.monotonic(), LOOK_S))):
            if not self.has_ended() and time.monotonic() >= until_s:
                return False
        return True

    async def __aenter__(self) -> Self:
        await self.start_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is GeneratorExit:  # the loop is gone: nobody can wait for it
            self._leave()
        else:
            await self.stop_async()

    async def start_async(self) -> None:
        """As `start`, while the loop goes on.

        A task that is cancelled meanwhile is cancelled once everything that had started has stopped again: no thread,
        no socket and no lock is left. The start gives up soon: opening a store, or its nodes, is done to the end.

        Raises:
            asyncio.CancelledError: as said.
            Exception: as `start`.
        """
        given_up = threading.Event()
        try:
            await run_aside(partial(self._start, given_up), "castiron-start", unwanted=given_up.set)
        except asyncio.CancelledError:
            await self.stop_async()  # it had started before it heard of that, perhaps
            raise
        except (GeneratorExit, KeyboardInterrupt, SystemExit):  # the loop breaks off
            self._leave()
            raise

    async def stop_async(self) -> None:
        """As `stop`, while the loop goes on: within graceful_shutdown_timeout_s, idempotent.

        A task that is cancelled meanwhile is cancelled once the conductor has stopped.
        """
        await run_aside(self.stop, "castiron-stop")

    async def reload_async(self, wanted: Settings) -> Reloaded:
        """As `reload`, while the loop goes on."""
        return await run_aside(partial(self.reload, wanted), "castiron-reload")

    async def wait_async(self, timeout_s: float | None = None) -> bool:
        """Wait until it has failed or was stopped, and return whether that came about in time; see `failure`.

        As `wait`: it is told within a second.
        """
        loop = asyncio.get_running_loop()
        until_s = math.inf if timeout_s is None else loop.time() + timeout_s
        while not self.has_ended():
            if (rest_s := until_s - loop.time()) <= 0:
                return False
            await asyncio.sleep(min(rest_s, LOOK_S))
        return True

    def client(self, timeout_s: float = 5.0, *, key: Path | None = None) -> Client:
        """Return a client of this conductor, a context manager. For a thread; `client_async` is for a loop's.

        Args:
            timeout_s: for each answer.
            key: its secret key file, where the conductor takes keys; None: CASTIRON_CLIENT_KEY.

        Raises:
            RuntimeError: the conductor has never been started.
        """
        return Client(self.endpoint, timeout_s=timeout_s, key=key, server_key=self.server_key)

    def client_async(self, timeout_s: float = 5.0, *, key: Path | None = None) -> AsyncClient:
        """Return an awaitable client of this conductor, an asynchronous context manager. As `client`; never blocks."""
        return AsyncClient(self.endpoint, timeout_s=timeout_s, key=key, server_key=self.server_key)

    def _leave(self) -> None:
        """Stop it, with nobody to wait for that but the program's end; at that end itself no thread can begin."""
        if not sys.is_finalizing():
            threading.Thread(target=self.stop, name="castiron-stop").start()

    @property
    @abstractmethod
    def endpoint(self) -> str:
        """Where it listens."""

    @property
    @abstractmethod
    def server_key(self) -> str | None:
        """Its public key, if it takes keys."""

    @abstractmethod
    def has_ended(self) -> bool:
        """Return whether it has failed or was stopped. Never blocks."""

    @abstractmethod
    def start(self) -> None:
        """Start. Blocks."""

    @abstractmethod
    def stop(self) -> None:
        """Stop. Blocks; idempotent."""

    @abstractmethod
    def reload(self, wanted: Settings) -> Reloaded:
        """Go by other settings. Blocks while it starts or stops."""

    @abstractmethod
    def _start(self, given_up: threading.Event) -> None:
        """Start, or stop what has started as soon as that event is set. Blocks.

        Raises:
            GivenUp: it was given up.
        """
