"""A line in which those who ask take turns: of each the oldest wish, one after the other. Pure bookkeeping.

So whoever asks for one thing is served after at most one of each other's, however many these have asked for; and nobody
who waits is passed twice by the same one.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Rounds(Generic[T]):
    """Wishes in fair order. Not for several threads at once; every method is O(1) unless it says otherwise."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, OrderedDict[Hashable, T]] = OrderedDict()
        """Of each who asks, the one whose turn is next first."""
        self._count = 0

    def __len__(self) -> int:
        """Return how many wishes there are."""
        return self._count

    def add(self, whose: str, owner: Hashable, wish: T) -> None:
        """Put a wish behind those of the same asker; one who had none is last to have a turn."""
        self._lines.setdefault(whose, OrderedDict())[owner] = wish
        self._count += 1

    def first(self) -> T:
        """Return the wish that is next.

        Raises:
            StopIteration: there is none.
        """
        line = next(iter(self._lines.values()))
        return next(iter(line.values()))

    def pop(self) -> tuple[Hashable, T]:
        """Take the wish out that is next, with its owner; its asker has the last turn from now on.

        Raises:
            KeyError: there is none.
        """
        whose, line = self._lines.popitem(last=False)
        owner, wish = line.popitem(last=False)
        self._count -= 1
        if line:
            self._lines[whose] = line
        return owner, wish

    def remove(self, whose: str, owner: Hashable) -> None:
        """Take a wish out, wherever it stands.

        Raises:
            KeyError: it is not there.
        """
        line = self._lines[whose]
        del line[owner]
        self._count -= 1
        if not line:
            del self._lines[whose]

    def ahead(self, whose: str, owner: Hashable) -> int:
        """Return how many wishes are served before one, if nobody else comes. O(wishes of its asker, and askers).

        Raises:
            KeyError, ValueError: it is not there.
        """
        rounds = list(self._lines[whose]).index(owner)
        count, has_passed = rounds, False
        for asker, line in self._lines.items():
            if asker == whose:
                has_passed = True
            else:
                count += min(len(line), rounds if has_passed else rounds + 1)
        return count
