"""The maps of records: one with nothing in it, and those whose text is made once."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


def empty() -> Mapping[str, Any]:
    """Return it: a factory, as Python 3.11 takes a mappingproxy, which it cannot hash, for a mutable default."""
    return EMPTY


class Fragment(Mapping[str, Any]):
    """A map that stays as it is, and is written many times: the store makes its text once, and keeps it here.

    A request is written whole with each commit that concerns it; of a list of steps, little has changed since the one
    before. Parts that are fragments, and lists of fragments, keep their own texts. Equal to any equal map.

    Attributes:
        whole: what it holds, as it was given: to go through that takes a tenth of the time.
        text: as it is stored; None: it has not been written yet. The store's alone.
    """

    __slots__ = ("text", "whole")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.whole: Final = values
        self.text: str | None = None

    def __getitem__(self, key: str) -> Any:
        return self.whole[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.whole)

    def __len__(self) -> int:
        return len(self.whole)


def whole_of(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the map that a fragment is of, without its text, which nobody needs that writes it no more."""
    return values.whole if isinstance(values, Fragment) else values


def fragment(values: Mapping[str, Any]) -> Fragment:
    """Return a map as a fragment; one that is one already keeps its text."""
    return values if isinstance(values, Fragment) else Fragment(values)
