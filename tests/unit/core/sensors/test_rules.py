"""Alarm rules: what TOML makes of them, what is refused, and what they ask of a reading."""

import tomllib
from pathlib import Path

import pytest

from castiron.actors.core.sensors.rules import COMPARISONS, MAX_RULES, AlarmRule, RuleInvalid, rules_from
from castiron.actors.sensors.rulefile import read_rules
from castiron.actors.settings import SettingInvalid

GOOD = """
[hot]
sensor = "Inlet*"
comparison_operator = "gt"
threshold = 40
evaluation_periods = 3
severity = "critical"

[fan]
sensor = "fan ?"
comparison_operator = "le"
threshold = 500.5
"""


def rule(**changes: object) -> AlarmRule:
    fields = {"name": "hot", "sensor": "CPU*", "comparison_operator": "gt", "threshold": 80.0}
    return AlarmRule(**{**fields, **changes})  # type: ignore[arg-type]  # what is wrong is to be refused


def test_a_file_is_read_in_its_order() -> None:
    hot, fan = rules_from(tomllib.loads(GOOD))
    assert hot == AlarmRule(
        name="hot",
        sensor="Inlet*",
        comparison_operator="gt",
        threshold=40,
        evaluation_periods=3,
        severity="critical",
    )
    assert (fan.name, fan.evaluation_periods, fan.severity) == ("fan", 1, "low")


@pytest.mark.parametrize(
    ("operator", "below", "same", "above"),
    [
        ("gt", False, False, True),
        ("ge", False, True, True),
        ("lt", True, False, False),
        ("le", True, True, False),
        ("eq", False, True, False),
        ("ne", True, False, True),
    ],
)
def test_what_is_beyond_a_threshold(operator: str, *, below: bool, same: bool, above: bool) -> None:
    asked = rule(comparison_operator=operator)
    assert [asked.is_beyond(value) for value in (79.9, 80.0, 80.1)] == [below, same, above]
    assert operator in COMPARISONS


@pytest.mark.parametrize(
    ("pattern", "name", "is_meant"),
    [
        ("CPU*", "CPU1 Temp", True),
        ("cpu*", "CPU1 Temp", True),
        ("CPU", "CPU1 Temp", False),
        ("*Temp", "Inlet Temp", True),
        ("Fan ?", "Fan 12", False),
        ("P[12]", "P2", True),
        ("a.c", "abc", False),
    ],
)
def test_which_sensors_a_pattern_means(pattern: str, name: str, *, is_meant: bool) -> None:
    assert rule(sensor=pattern).is_about(name) is is_meant


@pytest.mark.parametrize(
    ("operator", "worst"),
    [("gt", "c"), ("ge", "c"), ("lt", "a"), ("le", "a"), ("eq", "b"), ("ne", "a")],
)
def test_the_worst_of_several(operator: str, worst: str) -> None:
    assert rule(comparison_operator=operator).worst({"a": 70.0, "b": 80.0, "c": 90.0})[0] == worst


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hot = 3", "hot: a rule is a table"),
        ("['not so']\nsensor = 'x'", "a rule's name is of letters"),
        ("[hot]\nsensor = 'x'\ncomparison_operator = 'gt'", r"hot\.threshold: it is missing"),
        ("[hot]\nsensors = 'x'", r"hot\.sensors: there is no such field. Did you mean sensor\?"),
        ("[hot]\nname = 'x'", r"hot\.name: there is no such field"),
        ("[hot]\nsensor = ''\ncomparison_operator = 'gt'\nthreshold = 1", r"hot\.sensor: '' is not a pattern"),
        ("[hot]\nsensor = 7\ncomparison_operator = 'gt'\nthreshold = 1", r"hot\.sensor: 7 is not a pattern"),
        ("[hot]\nsensor = 'x'\ncomparison_operator = '>'\nthreshold = 1", r"hot\.comparison_operator: '>' is not one"),
        (
            "[hot]\nsensor = 'x'\ncomparison_operator = [1]\nthreshold = 1",
            r"hot\.comparison_operator: \[1\] is not one",
        ),
        (
            "[hot]\nsensor = 'x'\ncomparison_operator = 'gt'\nthreshold = 'hot'",
            r"hot\.threshold: 'hot' is not a number",
        ),
        (f"[hot]\nsensor = 'x'\ncomparison_operator = 'gt'\nthreshold = 1{'0' * 400}", "is not a number within"),
        ("[hot]\nsensor = 'x'\ncomparison_operator = 'gt'\nthreshold = true", r"hot\.threshold: True is not a number"),
        ("[hot]\nsensor = 'x'\ncomparison_operator = 'gt'\nthreshold = nan", r"hot\.threshold: nan is not a number"),
        (
            "[hot]\nsensor = 'x'\ncomparison_operator = 'gt'\nthreshold = 1\nevaluation_periods = 0",
            r"hot\.evaluation_periods: 0 is not a whole number from 1",
        ),
        (
            "[hot]\nsensor = 'x'\ncomparison_operator = 'gt'\nthreshold = 1\nseverity = 'awful'",
            r"hot\.severity: 'awful' is not one of low",
        ),
        ("\n".join(f"[r{number}]" for number in range(MAX_RULES + 1)), "are the most"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_name(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(RuleInvalid, match=told):
        rules_from(tomllib.loads(text))
    path = tmp_path / "alarms.toml"
    path.write_text(text)
    with pytest.raises(SettingInvalid, match=f"alarm_rules_file: {path}: .*{told}"):
        read_rules(str(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=r"alarm_rules_file: .*none\.toml cannot be read: No such file"):
        read_rules(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("[hot")
    with pytest.raises(SettingInvalid, match=r"bad\.toml is not TOML"):
        read_rules(str(tmp_path / "bad.toml"))
    assert read_rules("") == ()
