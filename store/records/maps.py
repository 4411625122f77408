"""A map with nothing in it, which nobody can change: the default of records' maps."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


def empty() -> Mapping[str, Any]:
    """Return it: a factory, as Python 3.11 takes a mappingproxy, which it cannot hash, for a mutable default."""
    return EMPTY
