"""Conditions as people type them: `power_state=power on`, `driver_info.ipmi_address=10.0.*`, `name in n1,n2`.

`=` and `!=` take a value with `*` or `?` for a pattern, as a shell does; `==` takes it as it stands. `null` is nothing.
"""

import re
from collections.abc import Iterable
from typing import Final

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.selection.conditions import MAX_CONDITIONS, Condition, Op, check
from castiron.transport.selection.fields import kind_of

_FORM: Final = re.compile(r"\s*([^\s=!<>~]+)\s*(==|!=|!~|<=|>=|=|<|>|~|(?<=\s)in(?=\s))\s*(.*?)\s*\Z", re.DOTALL)
_YES_NO: Final = {"yes": True, "no": False, "true": True, "false": False}
_PATTERNS: Final = {Op.EQUAL: Op.LIKE, Op.UNEQUAL: Op.UNLIKE}
_UNKNOWN: Final = {"power_state", "target_power_state"}
"""Fields whose nothing is called unknown wherever people see it."""


def parsed(given: Iterable[str | Condition], at: str = "$.where") -> list[Condition]:
    """Return conditions, those that are text read.

    Raises:
        ArgumentInvalid: a text is no condition, or it makes no sense.
    """
    conditions = [one if isinstance(one, Condition) else _read(one, at) for one in given]
    check(conditions, at)
    if len(conditions) > MAX_CONDITIONS:
        raise ArgumentInvalid(
            f"{len(conditions)} conditions are too many; {MAX_CONDITIONS} may be.", details={"path": at}
        )
    return conditions


def _read(text: str, at: str) -> Condition:
    found = _FORM.match(text)
    if found is None:
        raise ArgumentInvalid(
            f"{text[:80]!r} is not a condition. Write FIELD=VALUE, as in 'power_state=power on'; there are also "
            "!=, <, <=, >, >=, ~ for a pattern, == for exactly this text, and `in` for one of several.",
            details={"path": at},
        )
    field, sign, value = found.groups()
    if sign == "==":
        return Condition(field=field, value=value)
    op = Op(sign)
    if op is Op.IN:
        return Condition(field=field, op=op, value=[_value(field, one.strip(), at) for one in value.split(",")])
    if op in _PATTERNS and re.search(r"[*?]", value):
        op = _PATTERNS[op]
    return Condition(field=field, op=op, value=value if op in _PATTERNS.values() else _value(field, value, at))


def _value(field: str, text: str, at: str) -> str | bool | None:
    """Read a value: text stays text, whose comparison with numbers is the condition's matter."""
    if text in {"null", "none", ""} or (text == "unknown" and field in _UNKNOWN):
        return None
    is_boolean = kind_of(field, at).is_boolean
    return _YES_NO.get(text.lower(), text) if is_boolean else text
