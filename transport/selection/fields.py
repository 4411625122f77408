"""Fields of a node by their names: `power_state`, `driver_info.ipmi_address`, `properties.location.rack`.

Which there are, and what they hold, is read from the Struct that shows a node; so no list of them is kept twice. May
come in: what a name means. Must not: what is done with a value.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, NamedTuple, cast

from msgspec import Struct
from msgspec import inspect as shape

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.replies import MASK, NodeView

Look = Callable[[str], Any]
"""Returns what a node has in a field of NodeView: `partial(getattr, view)`, or cheaper where there is no view yet."""

SHIELDED: Final = "driver_info"
"""The one field among whose keys there may be secrets."""


class Kind(NamedTuple):
    """What a field may hold."""

    words: tuple[str, ...] = ()
    """These words only; empty: it is no choice."""
    is_boolean: bool = False
    is_number: bool = False
    keys: tuple[str, ...] | None = None
    """What may follow its name and a dot; empty: any key; None: nothing."""


@cache
def kinds() -> Mapping[str, Kind]:
    """Return the fields of a node, and what each may hold."""
    info = cast("shape.StructType", shape.type_info(NodeView))
    return {field.name: _kind(field.type) for field in info.fields}


def _kind(type_: shape.Type) -> Kind:
    parts = type_.types if isinstance(type_, shape.UnionType) else (type_,)
    (one,) = (part for part in parts if not isinstance(part, shape.NoneType))
    match one:
        case shape.EnumType(cls=words):
            return Kind(words=tuple(str(word.value) for word in words))
        case shape.DictType():
            return Kind(keys=())
        case shape.StructType(fields=fields):
            return Kind(keys=tuple(field.name for field in fields))
        case _:
            is_number = isinstance(one, (shape.IntType, shape.FloatType))
            return Kind(is_boolean=isinstance(one, shape.BoolType), is_number=is_number)


def kind_of(path: str, at: str) -> Kind:
    """Return what a field may hold.

    Args:
        path: its name, and a key where it has keys.
        at: where the name stands in what was asked, for the error.

    Raises:
        ArgumentInvalid: a node has no such field; it names the nearest.
    """
    name, dot, key = path.partition(".")
    kind = kinds().get(name)
    if kind is None or (dot and not _may_follow(kind, key)):
        raise _unknown(path, at)
    return Kind() if dot else kind


def value_of(look: Look, path: str) -> Any:
    """Return what a node has in a field; None where it has no such key."""
    name, dot, key = path.partition(".")
    value = look(name)
    return _inside(value, key) if dot else value


def secret_key(path: str) -> str | None:
    """Return the key of driver_info that a field's name means; None where it is another field."""
    name, _, key = path.partition(".")
    return key if name == SHIELDED and key else None


def is_masked(path: str, value: object) -> bool:
    """Return whether what a node shows in a field stands for a secret."""
    return value == MASK and secret_key(path) is not None


def refuse_secret(path: str, at: str) -> ArgumentInvalid:
    """Return the error for a question about a secret: whether it holds would tell, guess by guess, what it is."""
    return ArgumentInvalid(
        f"{path} is a secret: nodes are neither chosen nor sorted by it. Use another field.", details={"path": at}
    )


def _may_follow(kind: Kind, key: str) -> bool:
    return bool(key) and kind.keys is not None and (not kind.keys or key in kind.keys)


def _inside(value: Any, key: str) -> Any:
    """Look a key up; one with dots is a key with dots, or else a key within a key."""
    if isinstance(value, Struct):
        return getattr(value, key, None)
    if not isinstance(value, Mapping):
        return None
    entries = cast("Mapping[str, Any]", value)
    if key in entries:
        return entries[key]
    head, dot, rest = key.partition(".")
    return _inside(entries.get(head), rest) if dot else None


def _unknown(path: str, at: str) -> ArgumentInvalid:
    known = [name for name, kind in kinds().items() if not kind.keys]
    known += [f"{name}.{key}" for name, kind in kinds().items() for key in kind.keys or ()]
    shown = [*known, *(f"{name}.KEY" for name, kind in kinds().items() if kind.keys == ())]
    near = get_close_matches(path, known, n=1) or [name for name in kinds() if name.endswith(path)][:1]
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(shown)}."
    details = {"path": at} | ({"nearest": near[0]} if near else {})
    return ArgumentInvalid(f"A node has no field {path[:80]!r}. {hint}", details=details)
