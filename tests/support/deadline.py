"""Waiting, with a deadline, for something that has no event of its own."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    """Return as soon as `condition` holds; fail if it does not within `timeout_s`."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        pause.wait(0.01)
