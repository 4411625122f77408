"""The blocking client's tests, run on the awaitable one: a loop in a thread of its own runs what a thread would.

What is said is the same code; how one waits is not, and every promise of the client stands on it.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

import pytest

from castiron.transport.clients.awaitable.conversation import AwaitableConversation
from castiron.transport.clients.blocking import bulk, client, provisioning, requests, running, stream

_Result = TypeVar("_Result")

RUNNERS = (bulk, client, provisioning, requests, running, stream)
"""Modules that run coroutines."""

DRIVEN_S = 60.0
"""For one call, at the most: a loop that hangs fails its test."""


class LoopThread:
    """A loop in a thread, for as long as a test runs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-loop", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        left = asyncio.all_tasks(self._loop)
        self._loop.close()
        assert not left, left

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DRIVEN_S)


def drive(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> None:
    """Have every blocking client that is made from now on run on that loop."""
    for module in RUNNERS:
        monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(client, "BlockingConversation", AwaitableConversation)
