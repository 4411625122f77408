"""The interface of an executor: told where the steps of a list stand, it says what is to be done now.

It is asked again whenever that has changed, always with the whole list, so that a question or an answer that is lost
costs nothing but time. May come in: what every executor is asked. Must not: threads, or a library.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from castiron.actors.core.provision.run import Move, Run


class Answer(NamedTuple):
    """What is to be done now."""

    moves: tuple[Move, ...]
    flow: Mapping[str, Any] | None = None
    """What the executor keeps of the list, as plain data; it is committed with what follows from the moves."""


class Engine(Protocol):
    """Says of one list what is next. One thread at a time."""

    def moves(self, run: Run) -> Answer:
        """Return what is to be done now; nothing, while something has to end first. Must not wait for anybody.

        Raises:
            Exception: it cannot say. The list is then taken back without it.
        """
        ...

    def close(self) -> None:
        """Forget the list. Idempotent."""
        ...


Open = Callable[[str, Run], Engine]
"""Makes an engine for the list of that key, as it stands."""
