"""Faults in words, as people type and read them: `slow=0.1,0.5`. One table; reading what was said gives it back."""

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from castiron.testing.bmc import CommandKind, Faults, Forgery, LongTail, Refusal

_HEALTHY: Final = Faults()
_TRUTHS: Final = {"true": True, "yes": True, "false": False, "no": False}
_NONE: Final = "none"
_TAIL: Final = "tail:"


class Word(NamedTuple):
    """One fault."""

    form: str
    """What may be typed after the `=`."""
    meaning: str
    """One line, for help."""
    read: Callable[[str], dict[str, Any]]
    """Text → fields of Faults. Raises ValueError, KeyError or TypeError for what is not of the form."""
    say: Callable[[Faults], str]
    """The other way."""


def read_faults(pairs: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of Faults that words stand for.

    Args:
        pairs: word → what was typed after its `=`.

    Raises:
        ValueError: there is no such fault, or it cannot have this value; the message says what it can have.
    """
    changes: dict[str, Any] = {}
    for name, text in pairs.items():
        if name not in FAULT_WORDS:
            near = difflib.get_close_matches(name, FAULT_WORDS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(FAULT_WORDS)}."
            raise ValueError(f"There is no fault {name!r}. {hint}")
        changes |= _read(name, text)
    return changes


def say_faults(faults: Faults) -> dict[str, str]:
    """Return word → text for all that is wrong."""
    said = ((name, word.say(faults), word.say(_HEALTHY)) for name, word in FAULT_WORDS.items())
    return {name: text for name, text, harmless in said if text != harmless}


def _read(name: str, text: str) -> dict[str, Any]:
    word = FAULT_WORDS[name]
    try:
        change = word.read(text.strip())
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{name} is {word.form}, not {text!r}.") from None
    try:
        Faults(**change)
    except ValueError as error:
        raise ValueError(f"{name}={text} cannot be: {error}.") from None
    return change


def _yes_or_no(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {field: _TRUTHS[text.lower()]}


def _number(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {field: float(text)}


def _count(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {field: int(text)}


def _read_slow(text: str) -> dict[str, Any]:
    numbers = [float(part) for part in text.removeprefix(_TAIL).split(",")]
    if text.startswith(_TAIL):
        median_s, p99_s = numbers
        return {"slow_s": LongTail(median_s, p99_s)}
    if len(numbers) == 1:
        return {"slow_s": numbers[0]}
    low, high = numbers
    return {"slow_s": (low, high)}


def _read_refuse(text: str) -> dict[str, Any]:
    if text == _NONE:
        return {"refusal": None}
    code, *rest = text.split(",")
    count, kind = [*rest, *("1", "any")[len(rest) :]]
    return {"refusal": Refusal(code=int(code, 0), count=int(count), kind=CommandKind(kind))}


def _read_forge(text: str) -> dict[str, Any]:
    kinds, at, percent = text.partition("@")
    forgeries = () if kinds == _NONE else tuple(Forgery(kind) for kind in kinds.split(","))
    return {"forgeries": forgeries, "forge_percent": float(percent) if at else _HEALTHY.forge_percent}


def _say_number(value: float) -> str:
    return f"{value!r}".removesuffix(".0")


def _say_slow(faults: Faults) -> str:
    match faults.slow_s:
        case LongTail(median_s, p99_s):
            return f"{_TAIL}{_say_number(median_s)},{_say_number(p99_s)}"
        case (low, high):
            return f"{_say_number(low)},{_say_number(high)}"
        case float() | int() as seconds:
            return _say_number(float(seconds))


def _say_refuse(faults: Faults) -> str:
    refusal = faults.refusal
    return _NONE if refusal is None else f"{refusal.code:#04x},{refusal.count},{refusal.kind}"


def _say_forge(faults: Faults) -> str:
    if not faults.forgeries:
        return _NONE
    kinds = ",".join(faults.forgeries)
    return kinds if faults.forge_percent == _HEALTHY.forge_percent else f"{kinds}@{_say_number(faults.forge_percent)}"


def _say(field: str) -> Callable[[Faults], str]:
    def say(faults: Faults) -> str:
        value = getattr(faults, field)
        return str(value).lower() if isinstance(value, bool) else _say_number(value)

    return say


def _plain(read: Callable[[str], Callable[[str], dict[str, Any]]], field: str, form: str, meaning: str) -> Word:
    return Word(form, meaning, read(field), _say(field))


_KINDS: Final = "|".join(CommandKind)
_FORGERIES: Final = ", ".join(Forgery)
_PERCENT: Final = "a percentage"
_TRUTH: Final = "true or false"

FAULT_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "silent": _plain(_yes_or_no, "silent", _TRUTH, "hears nothing and says nothing"),
        "slow": Word(
            "SECONDS, MIN,MAX or tail:MEDIAN,P99",
            "answers so much later; drawn evenly, or with a long tail of which 1 % is later than P99",
            _read_slow,
            _say_slow,
        ),
        "loss": _plain(_number, "loss_percent", _PERCENT, "of the datagrams are lost, each way"),
        "duplicates": _plain(_number, "duplicate_percent", _PERCENT, "of the datagrams arrive twice, each way"),
        "reorders": _plain(_number, "reorder_percent", _PERCENT, "of the datagrams are overtaken, each way"),
        "wrong_password": _plain(_yes_or_no, "wrong_password", _TRUTH, "has another password than it should"),
        "table_full": _plain(_yes_or_no, "table_full", _TRUTH, "has no slot for another session"),
        "ignores_logins": _plain(_yes_or_no, "ignores_logins", _TRUTH, "says that it is there, and nothing of a login"),
        "ignores_power": _plain(_yes_or_no, "ignores_power", _TRUTH, "says yes to power commands and does nothing"),
        "late_power": _plain(_number, "late_power_s", "SECONDS", "says yes to power commands and acts so much later"),
        "wrong_power": _plain(_count, "wrong_power_count", "COUNT", "tells the opposite power state, so many times"),
        "refuse": Word(
            f"CODE[,COUNT[,{_KINDS}]] or none",
            "answers the next COUNT commands of a kind with a completion code",
            _read_refuse,
            _say_refuse,
        ),
        "flood": _plain(_count, "flood_count", "COUNT", "sends so many datagrams of garbage for each one heard"),
        "forge": Word(
            f"KIND[,KIND...][@PERCENT] or none, with kinds of {_FORGERIES}",
            "sends answers that should not be believed, instead of the right ones",
            _read_forge,
            _say_forge,
        ),
    }
)
"""Word → its fault, in the order of Faults."""
