"""Whose turn it is at one BMC, where several machines share it, as blades do. Under the driver's lock; no I/O."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

Todo = list[Callable[[], object]]
"""What is done once the driver's lock is free: told, begun, or taken back."""


class Taker(Protocol):
    """A lane, as it stands in line."""

    def go_on(self, todo: Todo) -> None:
        """Take the turn, if there still is something to do."""
        ...


class Turns:
    """One BMC's. Who comes first is served first; nobody stands in line twice."""

    def __init__(self) -> None:
        self._holder: Taker | None = None
        self._line: deque[Taker] = deque()

    def take(self, taker: Taker) -> bool:
        """Return whether it is the taker's turn; if not, it will be told."""
        if self._holder is None:
            self._holder = taker
        elif self._holder is not taker and taker not in self._line:
            self._line.append(taker)
        return self._holder is taker

    def give(self, taker: Taker, todo: Todo) -> None:
        """End the taker's turn; the next one that has something to do begins."""
        if self._holder is not taker:
            return
        self._holder = None
        while self._line and self._holder is None:
            self._line.popleft().go_on(todo)
