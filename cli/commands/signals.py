"""Signals that a command waits for, as it waits for anything else: they interrupt nothing.

A handler that sets an event may interrupt the very thread that waits for it, between taking the event's lock and
sleeping: then it waits for itself, and the command for ever. Must not come in: handlers.
"""

import signal
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Final

ENDS: Final = (signal.SIGINT, signal.SIGTERM)
"""Those that ask a command to end."""


@contextmanager
def held(signals: Collection[signal.Signals] = ENDS) -> Generator[None]:
    """Keep signals for `signal.sigtimedwait`; threads that start meanwhile hold them back, too."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
