"""Alarm rules: what is asked of a reading. Read from TOML, checked whole; pure.

    [cpu_hot]
    sensor = "CPU*"                 # a pattern of names: * any characters, ? one; capitals or not
    comparison_operator = "gt"      # gt, ge, lt, le, eq, ne
    threshold = 85
    evaluation_periods = 3          # so many readings in a row must say the same before anything changes; 1
    severity = "critical"           # low, moderate, critical; low

The words are those of OpenStack's Aodh. May come in: another question to a reading. Must not: files, nodes.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import translate
from typing import Any, Final, cast

MAX_RULES: Final = 64
"""Each is asked at every reading of every node, and stands in each node's record."""

MAX_PERIODS: Final = 100

MAX_THRESHOLD: Final = 1e15
"""Beyond what any sensor says, and within what a number holds exactly."""

NAME_FORM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}
"""Word → whether a reading is beyond a threshold."""

WORDS: Final = tuple(COMPARISONS)

SEVERITIES: Final = ("low", "moderate", "critical")


class RuleInvalid(ValueError):
    """A rule makes no sense. The message names where, and what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """One rule.

    Raises:
        RuleInvalid: a field makes no sense.
    """

    name: str
    sensor: str
    comparison_operator: str
    threshold: float
    evaluation_periods: int = 1
    severity: str = "low"
    _pattern: "re.Pattern[str]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name, is_right, wants in self._checks():
            if not is_right:
                raise RuleInvalid(f"{self.name}.{name}: {getattr(self, name)!r} is not {wants}.")
        object.__setattr__(self, "_pattern", re.compile(translate(self.sensor.casefold())))

    def is_about(self, sensor: str) -> bool:
        """Return whether it asks for a sensor of this name."""
        return self._pattern.match(sensor.casefold()) is not None

    def is_beyond(self, value: float) -> bool:
        """Return whether a reading is what it warns of."""
        return COMPARISONS[self.comparison_operator](value, self.threshold)

    def worst(self, values: Mapping[str, float]) -> tuple[str, float]:
        """Return the sensor whose reading is worst, and the reading; of at least one."""
        return max(values.items(), key=self._badness)

    def _badness(self, item: tuple[str, float]) -> float:
        if self.comparison_operator in {"gt", "ge"}:
            return item[1]
        return -item[1] if self.comparison_operator in {"lt", "le"} else float(self.is_beyond(item[1]))

    def _checks(self) -> tuple[tuple[str, bool, str], ...]:
        said: dict[str, Any] = {name: getattr(self, name) for name in FIELDS}
        sensor, periods = said["sensor"], said["evaluation_periods"]
        is_count = isinstance(periods, int) and not isinstance(periods, bool) and 1 <= periods <= MAX_PERIODS
        return (
            ("sensor", isinstance(sensor, str) and bool(sensor), "a pattern of sensors' names, as 'CPU*'"),
            ("comparison_operator", said["comparison_operator"] in WORDS, f"one of {', '.join(WORDS)}"),
            ("threshold", _is_number(said["threshold"]), f"a number within {MAX_THRESHOLD:g}"),
            ("evaluation_periods", is_count, f"a whole number from 1 to {MAX_PERIODS}"),
            ("severity", said["severity"] in SEVERITIES, f"one of {', '.join(SEVERITIES)}"),
        )


FIELDS: Final = tuple(item.name for item in fields(AlarmRule) if item.init and item.name != "name")
NEEDED: Final = ("sensor", "comparison_operator", "threshold")


def rules_from(tables: Mapping[str, Any]) -> tuple[AlarmRule, ...]:
    """Return the rules that the tables of a TOML file say, in their order.

    Raises:
        RuleInvalid: a rule makes no sense, or there are too many.
    """
    if len(tables) > MAX_RULES:
        raise RuleInvalid(f"There are {len(tables)} rules; {MAX_RULES} are the most.")
    return tuple(_rule(name, table) for name, table in tables.items())


def _rule(name: str, table: object) -> AlarmRule:
    if not isinstance(table, Mapping):
        raise RuleInvalid(f"{name}: a rule is a table. Write [{name}] on a line of its own.")
    if NAME_FORM.fullmatch(name) is None:
        raise RuleInvalid(f"{name!r}: a rule's name is of letters, digits, - and _, at most 64.")
    given = cast("Mapping[str, Any]", table)
    for one in given:
        if one not in FIELDS:
            near = get_close_matches(one, FIELDS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There is: {', '.join(FIELDS)}."
            raise RuleInvalid(f"{name}.{one}: there is no such field. {hint}")
    for one in NEEDED:
        if one not in given:
            raise RuleInvalid(f"{name}.{one}: it is missing.")
    return AlarmRule(name=name, **given)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_THRESHOLD
