"""The order of a list of nodes, and the marks between its pages.

By one field, rising or falling; nothing comes last; of equals the uuid decides. A mark names the place behind a node,
not a count of nodes, so nodes that come and go between two pages move no other. Who is renamed while a list by name is
read, or changes the field that it is sorted by, may be met twice or not at all; `uuid` and `created_at` never change.
"""

import json
from collections.abc import Mapping
from functools import total_ordering
from typing import Any, Final, cast

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.selection.fields import Look, kind_of, value_of

MAX_KEY: Final = 256
"""Characters of a text that count; so a mark stays small, whatever stands in `extra`."""

MAX_MARKER: Final = 4096
"""Characters of a mark: MAX_KEY characters, each written as up to 12, and a uuid."""

_BEHIND: Final = "~"
"""Sorts behind every uuid."""

Key = tuple[Any, ...]
"""Comparable with others of the same order."""


@total_ordering
class _Falling:
    """A key that sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and self.key == other.key

    def __lt__(self, other: "_Falling") -> bool:
        return other.key < self.key

    __hash__ = None  # type: ignore[assignment]  # it is compared, and never kept in a set


class Order:
    """One order of nodes."""

    def __init__(self, field: str | None = None, *, descending: bool = False) -> None:
        """Prepare it.

        Args:
            field: to sort by; None: by name, with marks that are names.
            descending: the highest first; nothing comes last all the same.

        Raises:
            ArgumentInvalid: a node has no such field.
        """
        if field is not None:
            kind_of(field, "$.sort")
        self.field = field or "name"
        self._is_plain = field is None
        self._descending = descending

    def key(self, look: Look) -> Key:
        """Return where a node stands."""
        return (*self._of_value(_shortened(value_of(look, self.field))), str(look("uuid")))

    def place(self, look: Look) -> Key:
        """Return where a node stands, but for those that have the same in the field."""
        return self.key(look)[:-1]

    def marker(self, look: Look) -> str:
        """Return the mark behind a node."""
        if self._is_plain:
            return str(look("name"))
        return json.dumps([_shortened(value_of(look, self.field)), str(look("uuid"))])

    def behind(self, marker: str) -> Key:
        """Return the place of a mark; nodes whose key is higher come behind it.

        Raises:
            ArgumentInvalid: it is no mark of this order.
        """
        if self._is_plain:
            return (*self._of_value(marker), _BEHIND)
        try:
            mark: object = json.loads(marker)
        except (ValueError, RecursionError):
            raise _not_a_mark() from None
        match mark:
            case [str() | int() | float() | None as value, str(uuid)]:
                return (*self._of_value(value), uuid)
            case _:
                raise _not_a_mark()

    def _of_value(self, value: Any) -> Key:
        if value is None:
            return (1, ())
        key = (1, value) if isinstance(value, str) else (0, value)
        return (0, _Falling(key) if self._descending else key)


def _shortened(value: Any) -> Any:
    """Return what of a value counts: numbers as they are, text up to a length, everything else as text."""
    if value is None or isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        value = json.dumps(value, default=_fields, sort_keys=True)
    return str(cast("str", value))[:MAX_KEY]


def _fields(struct: Any) -> Mapping[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _not_a_mark() -> ArgumentInvalid:
    return ArgumentInvalid(
        "This is no marker of a list in this order. Pass `next_marker` as it was answered, and the same `sort`.",
        details={"path": "$.marker"},
    )
