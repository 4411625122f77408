"""Conditions on a node's fields: what they look like on the wire, which make sense, and whether one holds.

    {"field": "power_state", "op": "=", "value": "power on"}

A value that is text is compared with what a node has by that value's spelling in JSON: "8" with the number 8, "true"
with true. nil stands for nothing: no value, no such key, an empty list. Of a list, one entry is enough. A negation
holds wherever its opposite does not.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import translate
from math import isfinite
from typing import Annotated, Any, Final, cast

from msgspec import Meta, Struct

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.selection.fields import Kind, Look, kind_of, value_of

MAX_CONDITIONS: Final = 16
"""In one question: more than there are fields that people choose by."""

MAX_CHOICES: Final = 256
"""Values of one `in`; whoever has more has names."""

MAX_TEXT: Final = 1024
"""Characters of a value."""


class Op(StrEnum):
    """How a field is compared."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    LIKE = "~"
    """The whole of it fits a pattern: `*` stands for any characters, `?` for one, `[ab]` for one of these."""
    UNLIKE = "!~"
    IN = "in"
    """It is one of several."""


Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Choices = Annotated[list[Text | int | float | bool | None], Meta(min_length=1, max_length=MAX_CHOICES)]


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a field of a node shall hold."""

    field: Annotated[str, Meta(min_length=1, max_length=512)]
    """Of NodeView: its name, or `driver_info.KEY`, `properties.KEY`, `extra.KEY`; a KEY may lead into maps by dots."""
    op: Op = Op.EQUAL
    """How it is compared; an array is the value of `in`, and of nothing else."""
    value: Text | int | float | bool | Choices | None = None
    """What it is compared with."""


Test = Callable[[Any], bool]
"""Whether a value is as a condition wants it."""

_OPPOSITES: Final = {Op.UNEQUAL: Op.EQUAL, Op.UNLIKE: Op.LIKE}
_SIGNS: Final[Mapping[Op, Callable[[Any, Any], bool]]] = {
    Op.LESS: operator.lt,
    Op.AT_MOST: operator.le,
    Op.MORE: operator.gt,
    Op.AT_LEAST: operator.ge,
}


def check(conditions: Iterable[Condition], at: str = "$.where") -> None:
    """Refuse what can never hold by mistake.

    Raises:
        ArgumentInvalid: an unknown field, a comparison that makes no sense, or a word that a field never holds.
    """
    for number, condition in enumerate(conditions):
        kind = kind_of(condition.field, f"{at}[{number}].field")
        wrong = _misfit(condition) or _nonsense(condition, kind)
        if wrong is not None:
            raise ArgumentInvalid(f"{condition.field}: {wrong}", details={"path": f"{at}[{number}].value"})


def chooser(conditions: Sequence[Condition]) -> Callable[[Look], bool]:
    """Return what tells whether all conditions hold of a node."""
    tests = [(condition.field, tester(condition)) for condition in conditions]
    return lambda look: all(test(value_of(look, field)) for field, test in tests)


def tester(condition: Condition) -> Test:
    """Return the test of a value."""
    opposite = _OPPOSITES.get(condition.op)
    if opposite is not None:
        holds = tester(Condition(field=condition.field, op=opposite, value=condition.value))
        return lambda stored: not holds(stored)
    test = _test(condition.op, condition.value)
    if condition.value is None:
        return test

    def of_any(stored: Any) -> bool:
        return any(map(test, _entries(stored)))

    return of_any


def _entries(stored: object) -> list[object]:
    return cast("list[object]", stored) if isinstance(stored, list) else [stored]


def _test(op: Op, wanted: Any) -> Test:
    if op is Op.EQUAL:
        return lambda stored: _equal(stored, wanted)
    if op is Op.IN:
        return lambda stored: any(_equal(stored, one) for one in wanted)
    if op is Op.LIKE:
        pattern = re.compile(translate(wanted))
        return lambda stored: stored is not None and pattern.match(_spelled(stored)) is not None
    sign = _SIGNS[op]

    def test(stored: Any) -> bool:
        pair = _comparable(stored, wanted)
        return pair is not None and sign(*pair)

    return test


def _equal(stored: Any, wanted: Any) -> bool:
    if wanted is None:
        return stored is None or stored in ([], {})
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return (
            isinstance(stored, bool | str) and isinstance(wanted, bool | str) and _spelled(stored) == _spelled(wanted)
        )
    pair = _comparable(stored, wanted)
    return pair is not None and pair[0] == pair[1]


def _comparable(stored: Any, wanted: Any) -> tuple[Any, Any] | None:
    """Return both as text, or both as numbers; None where they cannot be compared."""
    if isinstance(stored, str) and isinstance(wanted, str):
        return str(stored), wanted
    one, other = _number(stored), _number(wanted)
    return None if one is None or other is None else (one, other)


def _number(value: Any) -> float | None:
    """Return a number, or the one that a text spells."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int | float):
        return value
    for read in (int, float):
        try:
            number: float = read(value)
        except ValueError:
            continue
        return number if isfinite(number) else None
    return None


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _misfit(condition: Condition) -> str | None:
    """Return why an operator does not go with a value."""
    op, value = condition.op, condition.value
    if isinstance(value, list) != (op is Op.IN):
        return "`in` takes several values." if op is Op.IN else f"`{op}` takes one value; use `in` for several."
    if op in {Op.LIKE, Op.UNLIKE} and not isinstance(value, str):
        return f"`{op}` takes a pattern, which is text."
    if op in _SIGNS and (value is None or isinstance(value, bool)):
        return f"`{op}` compares numbers, or texts."
    return None


def _nonsense(condition: Condition, kind: Kind) -> str | None:
    """Return why a field never holds a value."""
    if condition.op in {Op.LIKE, Op.UNLIKE}:
        return None
    given = cast("list[Any]", condition.value) if isinstance(condition.value, list) else [condition.value]
    for value in given:
        if value is not None and (wrong := _never(value, kind)) is not None:
            return wrong
    return None


def _never(value: Any, kind: Kind) -> str | None:
    if kind.words and value not in kind.words:
        near = get_close_matches(str(value), kind.words, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"It is {', '.join(map(repr, kind.words))}, or nil."
        return f"it is never {value!r}. {hint}"
    if kind.is_boolean and _spelled(value) not in {"true", "false"}:
        return f"it is true or false, never {value!r}."
    if kind.is_number and _number(value) is None:
        return f"it is a number, never {value!r}."
    return None
