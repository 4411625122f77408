"""Follows an allow-list while a conductor runs: what is written there holds within a second, without a restart.

A thread of its own looks at the file, so that no file system can hold up the front door. A list that cannot be read, or
is not one, changes nothing: the one before it stays in force, and the log and the counters say so.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from castiron.transport.errors import KeyUnusable
from castiron.transport.keys.allowlist import AllowList, load_bytes, parse

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""Between two looks at the file; a look reads it and compares, some 50 µs for a full list."""


def _nobody() -> None:
    """Tell nobody."""


class Follower:
    """The list of one conductor. Start it once; `allowed`, `counters` and `beats` are for any thread."""

    def __init__(self, path: Path, *, look_s: float = LOOK_S) -> None:
        """Read the list for the first time.

        Raises:
            KeyUnusable: it cannot be read, or is not one.
        """
        self.path: Final = path
        self._look_s = look_s
        self._content = load_bytes(path)
        self._allowed = parse(self._content, path)
        self._trouble: str | None = None
        self._told: Callable[[], object] = _nobody
        self._beats = self._changes = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def allowed(self) -> AllowList:
        """The list in force."""
        return self._allowed

    def counters(self) -> dict[str, int]:
        """Return what there is to know about it.

        keys_allowed: in the list. allow_list_changes: since the start. allow_list_unusable: 1 while the file cannot be
        used, and the list before it is in force.
        """
        return {
            "keys_allowed": len(self._allowed),
            "allow_list_changes": self._changes,
            "allow_list_unusable": int(self._trouble is not None),
        }

    def start(self, told: Callable[[], object]) -> None:
        """Begin to follow.

        Args:
            told: called when another list is in force, on the follower's thread; must not block.
        """
        self._told = told
        self._thread = threading.Thread(target=self._run, name="castiron-allow-list", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the thread, waiting at most so long. Idempotent."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    @property
    def thread(self) -> threading.Thread | None:
        """Its thread; None before `start`."""
        return self._thread

    def beats(self) -> int:
        """Return how often it has begun or ended its work: odd while at work."""
        return self._beats

    def is_alive(self) -> bool:
        """Return whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(self._look_s):
            self._beats += 1
            self._look()
            self._beats += 1

    def _look(self) -> None:
        try:
            content = load_bytes(self.path)
            if content == self._content and self._trouble is None:
                return
            allowed = parse(content, self.path)
        except KeyUnusable as trouble:
            self._note(trouble.message)
            return
        is_same, self._trouble = content == self._content, None
        self._content = content
        if is_same:
            log.info("the allow-list %s can be used again, and is as it was", self.path)
            return
        self._allowed = allowed
        self._changes += 1
        log.info("the allow-list %s has changed: %d keys are let in", self.path, len(allowed))
        self._told()

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.error("%s The list that was in force before stays in force.", trouble)
