"""Codes and classes: which failure a code stands for, in both directions.

May come in: nothing but the table and its reading. The failures are in the rooms beside it.
"""

from collections.abc import Mapping
from typing import Any, Final

from castiron.transport.errors import allocations, asked, client, conductor, machine, provisioning
from castiron.transport.errors.base import CastironError, word
from castiron.transport.vocabulary import Retry, Source

_ROOMS: Final = (asked, allocations, conductor, machine, provisioning, client)
"""Where the failures are; importing them makes them known."""


def _leaves(base: type[CastironError]) -> list[type[CastironError]]:
    below = [leaf for child in base.__subclasses__() for leaf in _leaves(child)]
    return below or [base]


WIRE_ERRORS: Final[Mapping[str, type[CastironError]]] = {
    leaf.code: leaf for leaf in _leaves(CastironError) if leaf.code != CastironError.code
}
"""Code on the wire → class, for every error that a conductor can send."""


def from_wire(body: Mapping[str, Any]) -> CastironError:
    """Rebuild the error that a conductor sent.

    A code that this version does not know becomes a plain CastironError that keeps every field it can, so that an old
    client understands a newer conductor.

    Args:
        body: the map that `CastironError.to_wire` makes.
    """
    code = str(body.get("code", ""))
    known = WIRE_ERRORS.get(code)
    error = known._rebuild(body) if known else CastironError._rebuild(body)  # noqa: SLF001 - one class tree, one file
    if known is None:
        error.code = code or CastironError.code  # type: ignore[misc]  # an instance may carry the word it was sent
    error.retry = word(Retry, body.get("retry")) or error.retry
    error.source = word(Source, body.get("source")) or error.source
    return error
