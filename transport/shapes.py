"""What a field may hold, in words: for PROTOCOL.md and for the messages of refused arguments.

Reads the annotations of the Structs, so that no list of fields is kept twice. Only words about types live here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import NODEFAULT, UNSET, Struct
from msgspec import inspect as shape


class FieldShape(NamedTuple):
    """One field of a Struct, for people."""

    name: str
    type: str
    """As "string, 1 to 255 characters or nil"."""
    required: bool
    default: str
    """As msgpack would carry it, in JSON's spelling; empty where there is none."""
    meaning: str


def fields_of(struct: type[Struct]) -> list[FieldShape]:
    """Return the fields of a Struct in the order of its declaration."""
    info = shape.type_info(struct)
    if not isinstance(info, shape.StructType):  # pragma: no cover - a Struct has no other kind of shape
        raise TypeError(struct)
    return [_field(one) for one in info.fields]


def _field(one: shape.Field) -> FieldShape:
    return FieldShape(one.encode_name, words(one.type), one.required, _default(one), _meaning(one.type))


def _default(one: shape.Field) -> str:
    if one.default_factory is not NODEFAULT:
        return msgspec.json.encode(one.default_factory()).decode()
    if one.default is NODEFAULT or one.default is UNSET:
        return ""
    return "nil" if one.default is None else msgspec.json.encode(one.default).decode()


def _meaning(type_: shape.Type) -> str:
    """Return the innermost description: an annotation nearer to the field comes first."""
    if isinstance(type_, shape.Metadata):
        return _described(type_) or _meaning(type_.type)
    if isinstance(type_, shape.UnionType):
        return next(filter(None, (_meaning(one) for one in type_.types)), "")
    return ""


def _described(type_: Any) -> str:
    """Take msgspec's dict without type arguments; it is there, for only fields with a description are Metadata."""
    return str(type_.extra_json_schema.get("description", ""))


def words(type_: shape.Type) -> str:
    """Say what a type holds, as "array of at most 1000 of: string, 1 to 255 characters"."""
    if isinstance(type_, shape.Metadata):
        return words(type_.type)
    wording = _WORDS.get(type(type_))
    return wording(type_) if wording else "any"


def _union(type_: Any) -> str:
    return " or ".join(words(one) for one in type_.types if not isinstance(one, shape.CustomType))


def _number(kind: str, type_: Any) -> str:
    bounds = [
        f"{sign} {value}"
        for sign, value in ((">", type_.gt), (">=", type_.ge), ("<", type_.lt), ("<=", type_.le))
        if value is not None
    ]
    return " ".join([kind, *([", ".join(bounds)] if bounds else [])])


def _lengths(type_: Any, unit: str) -> str:
    least, most = type_.min_length, type_.max_length
    if least and most:
        return f", {least} to {most} {unit}"
    return f", at most {most} {unit}" if most else ""


def _string(type_: Any) -> str:
    pattern = f" matching `{type_.pattern}`" if type_.pattern else ""
    return f"string{_lengths(type_, 'characters')}{pattern}"


def _array(type_: Any) -> str:
    inner = words(type_.item_type)
    return f"array{_lengths(type_, 'items')}" + (f" of {inner}" if inner != "any" else "")


def _map(type_: Any) -> str:
    return f"map{_lengths(type_, 'keys')} of {words(type_.key_type)} → {words(type_.value_type)}"


def _choice(values: list[Any]) -> str:
    return "one of " + ", ".join(f"`{value}`" for value in values)


_WORDS: Final[Mapping[type[shape.Type], Callable[[Any], str]]] = {
    shape.NoneType: lambda _: "nil",
    shape.BoolType: lambda _: "boolean",
    shape.IntType: lambda type_: _number("integer", type_),
    shape.FloatType: lambda type_: _number("number", type_),
    shape.StrType: _string,
    shape.ListType: _array,
    shape.DictType: _map,
    shape.UnionType: _union,
    shape.EnumType: lambda type_: _choice([one.value for one in type_.cls]),
    shape.LiteralType: lambda type_: _choice(type_.values),
    shape.StructType: lambda type_: type_.cls.__name__,
}


def field_words(struct: type[Struct], name: str) -> str | None:
    """Say what one field of a Struct holds; None where it has no such field."""
    return next((field.type for field in fields_of(struct) if field.name == name), None)
