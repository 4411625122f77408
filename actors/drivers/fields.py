"""How a driver declares the keys of its driver_info, and one check for all of them.

A driver keeps a table of `Field`s; `checked` applies it. Messages never repeat a value, because any value may be a
secret. Pure; no driver's own keys live here.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from castiron.transport.errors import ArgumentInvalid

Reader = Callable[[Any], Any]
"""Turns a value as given into the value as kept; raises ValueError with the end of the sentence "ipmi_port must be"."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of driver_info."""

    read: Reader
    required: bool = False
    secret: bool = False


def checked(fields: Mapping[str, Field], driver_info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given values, converted. Keys that were not given stay away, so that defaults may change later.

    Raises:
        ArgumentInvalid: a key is missing or unknown, or its value does not read; details: path, and nearest for an
            unknown key that resembles a known one.
    """
    for name in driver_info:
        if name not in fields:
            raise _unknown(str(name), fields)
    for name, field in fields.items():
        if field.required and name not in driver_info:
            raise ArgumentInvalid(f"driver_info has no {name}. Set it.", details={"path": _path(name)})
    return {name: _read(name, fields[name], value) for name, value in driver_info.items()}


def secrets(fields: Mapping[str, Field]) -> frozenset[str]:
    """Return the keys whose values are secrets."""
    return frozenset(name for name, field in fields.items() if field.secret)


def text(max_bytes: int) -> Reader:
    """Read text of at most max_bytes bytes of UTF-8, without NUL."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or "\0" in value or len(value.encode()) > max_bytes:
            raise ValueError(f"text of at most {max_bytes} bytes")
        return value

    return read


def whole_number(low: int, high: int) -> Reader:
    """Read a whole number from low to high, or its decimal digits."""

    def read(value: Any) -> int:
        digits = isinstance(value, str) and value.strip().isascii() and value.strip().isdigit()
        number = int(value) if digits else value
        if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return read


def number(low: float, high: float) -> Reader:
    """Read a number from low to high, or its decimal form."""

    def read(value: Any) -> float:
        wanted = f"a number from {low:g} to {high:g}"
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(wanted)  # noqa: TRY004 - one kind of error from all readers
        try:
            result = float(value)
        except ValueError:
            raise ValueError(wanted) from None
        if not math.isfinite(result) or not low <= result <= high:
            raise ValueError(wanted)
        return result

    return read


def one_of(*words: str) -> Reader:
    """Read one of the words, in any case."""
    spelled = {word.casefold(): word for word in words}

    def read(value: Any) -> str:
        word = spelled.get(value.strip().casefold()) if isinstance(value, str) else None
        if word is None:
            raise ValueError(f"one of {', '.join(words)}")
        return word

    return read


def _read(name: str, field: Field, value: Any) -> Any:
    try:
        return field.read(value)
    except ValueError as error:
        # From None: the chain of a secret's error must not lead back to its value.
        raise ArgumentInvalid(f"driver_info's {name} must be {error}.", details={"path": _path(name)}) from None


def _unknown(name: str, fields: Mapping[str, Field]) -> ArgumentInvalid:
    nearest = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]}?" if nearest else f"It knows {', '.join(fields)}."
    details = {"path": _path(name)} | ({"nearest": nearest[0]} if nearest else {})
    return ArgumentInvalid(f"driver_info has no key {name!r}. {hint}", details=details)


def _path(name: str) -> str:
    return f"$.driver_info.{name}"
