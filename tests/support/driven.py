"""Tests that are coroutines: each on a loop of its own, within its time."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

SOON_S = 30.0


def driven(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine."""

    @wraps(test)
    def drive(**given: Any) -> None:
        asyncio.run(asyncio.wait_for(test(**given), SOON_S))

    return drive
