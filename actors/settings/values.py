"""The values of settings: of which kind each is, how it is read from text, and between which bounds. Pure.

Knows a setting by its field alone. Must not come in: which settings there are (`table`).
"""

from collections.abc import Callable, Mapping
from dataclasses import Field
from typing import Any, Final, NamedTuple, cast


class SettingInvalid(ValueError):
    """A setting is unknown, of the wrong type, or out of its bounds. The message names it, and what would be right."""


class Kind(NamedTuple):
    """What settings of one type take, in words, and how it is read from text."""

    words: str
    takes: tuple[type[object], ...]
    read: Callable[[str], Any]


_TRUTHS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _truth(text: str) -> bool:
    return _TRUTHS[text.strip().lower()]


KINDS: Final[Mapping[type[object], Kind]] = {
    bool: Kind("true or false", (bool,), _truth),
    int: Kind("a whole number", (int,), int),
    float: Kind("a number", (int, float), float),
    str: Kind("text", (str,), str),
    tuple: Kind("a list of texts", (tuple, list), _list),
}


def check_value(item: "Field[Any]", value: object) -> None:
    """Check a value by itself.

    Raises:
        SettingInvalid: it is of the wrong type, or out of its bounds.
    """
    kind = kind_of(item)
    if not isinstance(value, kind.takes) or (isinstance(value, bool) and bool not in kind.takes):
        raise SettingInvalid(f"{item.name}: {value!r} is not {kind.words}.")
    if isinstance(value, tuple | list) and not all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType] - checked here
        raise SettingInvalid(f"{item.name}: {value!r} is not {kind.words}.")
    if item.metadata["least"] is None:
        return
    least, most, above_zero = (item.metadata[name] for name in ("least", "most", "above_zero"))
    number = cast("float", value)
    if not least <= number <= most or (above_zero is not None and 0 < number < above_zero):
        raise SettingInvalid(f"{item.name}: {value!r} is out of bounds; it takes {bounds_in_words(item)}.")


def bounds_in_words(item: "Field[Any]") -> str:
    """Return between which bounds a number may be, as a person reads it."""
    least, most, above_zero = (item.metadata[name] for name in ("least", "most", "above_zero"))
    if above_zero is None:
        return f"{least:,.15g} to {most:,.15g}"
    return f"{least:,.15g}, or {above_zero:,.15g} to {most:,.15g}"


def default_in_words(item: "Field[Any]") -> str:
    """Return a setting's default as a person types it."""
    value: Any = item.default
    if isinstance(value, str | tuple):
        return " ".join([value] if isinstance(value, str) else cast("tuple[str, ...]", value)) or "none"
    return str(value).lower() if isinstance(value, bool) else f"{value:.15g}"


def kind_of(item: "Field[Any]") -> Kind:
    """Return of which kind a setting is: that of its default."""
    default: object = item.default
    return KINDS[type(default)]
