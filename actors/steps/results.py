"""What a step says of itself, made fit to be stored and told: its result, its progress, why it failed.

What a plug-in hands over may be anything: no map, endless, or an error that cannot even be put into words. May come in:
another thing that a step says. Must not: the threads that it says it on (`workers`).
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from castiron.transport.errors import StepFailed
from castiron.transport.vocabulary import Applied

log = logging.getLogger(__name__)

MAX_RESULT_BYTES: Final = 65_536
"""Of what a step returns: as much as whoever answers for a step can send; it is committed with each later step."""

MAX_PROGRESS_BYTES: Final = 4_096
"""Of one report of a step's: it is an event, which is kept."""

MAX_REPORTS: Final = 1_000
"""Of one attempt of a step; each is a commit and an event. What it reports beyond is told to nobody."""

MAX_SAID: Final = 500
"""Characters of what a step says of its failure."""


def plain(what: str, value: object, most_bytes: int = MAX_RESULT_BYTES) -> dict[str, Any]:
    """Return a copy of a map that can be stored and told; nothing of it is the step's any more.

    Args:
        what: what it is, for the error.

    Raises:
        StepFailed: it is no map, cannot be stored, or is too long.
    """
    if not isinstance(value, Mapping):
        raise StepFailed(f"{what} is {type(value).__name__}; it takes a map.", applied=Applied.UNKNOWN)
    try:
        text = json.dumps(dict(cast("Mapping[str, Any]", value)), allow_nan=False)
    except BaseException as error:  # noqa: BLE001 - it is the plug-in's map, and may raise anything
        raise StepFailed(f"{what} cannot be stored: {said(error)}", applied=Applied.UNKNOWN) from None
    if len(text) > most_bytes:
        message = f"{what} has {len(text)} bytes; there is room for {most_bytes}. Keep it elsewhere."
        raise StepFailed(message, applied=Applied.UNKNOWN)
    copy: dict[str, Any] = json.loads(text)
    return copy


def said(error: BaseException) -> str:
    """Return what an exception says, however it was made."""
    try:
        return f"{error}"[:MAX_SAID]
    except BaseException:  # noqa: BLE001 - the words are the plug-in's, too
        return "what cannot be put into words"


class Reports:
    """How one attempt of a step tells of its progress. Any thread.

    Args:
        tell: told each report that is fit for it; must not block.
    """

    def __init__(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._left = MAX_REPORTS

    def __call__(self, progress: Mapping[str, Any]) -> None:
        """Tell of the step's progress.

        Raises:
            StepFailed: it is no map, cannot be stored, or is too long; nothing is told.
        """
        copy = plain("What is reported", progress, MAX_PROGRESS_BYTES)
        with self._lock:
            self._left -= 1
            left = self._left
        if left >= 0:
            self._tell(copy)
        elif left == -1:
            log.warning("a step has reported its progress %d times; further reports are told to nobody", MAX_REPORTS)
