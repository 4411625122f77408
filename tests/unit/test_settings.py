"""Settings: defaults, bounds, and errors that say what would be right."""

import re
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from castiron.actors.settings import ORDERED, SettingInvalid, Settings, setting_from_text, settings_from

ALL = [item.name for item in fields(Settings)]


def test_the_defaults_are_ironics_where_it_has_them() -> None:
    settings = Settings()

    assert settings.power_state_change_timeout_s == 60.0
    assert settings.soft_power_off_timeout_s == 600.0


@pytest.mark.parametrize("name", ALL)
def test_a_setting_says_what_it_means(name: str) -> None:
    item = next(item for item in fields(Settings) if item.name == name)

    assert item.metadata["meaning"]


@pytest.mark.parametrize("name", [name for name in ALL if type(getattr(Settings(), name)) in {int, float}])
def test_a_setting_holds_its_own_bounds(name: str) -> None:
    item = next(item for item in fields(Settings) if item.name == name)

    assert item.metadata["least"] <= item.default <= item.metadata["most"]
    for bound in ("least", "most"):
        beyond = item.metadata[bound] + (-1 if bound == "least" else 1)
        with pytest.raises(SettingInvalid, match=f"^{name}: .* is out of bounds; it takes "):
            settings_from({name: beyond})


@pytest.mark.parametrize("name", [name for name in ALL if type(getattr(Settings(), name)) is float])
@pytest.mark.parametrize("value", [5e-324, 1e-320, 1e-9, -0.1, 1e10, 1e308, -1e308])
def test_no_time_and_no_rate_may_be_next_to_nothing_or_without_end(name: str, value: float) -> None:
    with pytest.raises(SettingInvalid, match=f"^{name}: .* is out of bounds; it takes "):
        settings_from({name: value})


@pytest.mark.parametrize("name", [name for name in ALL if type(getattr(Settings(), name)) is float])
def test_a_time_or_a_rate_takes_each_of_its_bounds(name: str) -> None:
    item = next(item for item in fields(Settings) if item.name == name)
    at_its_ends = {item.metadata[bound] for bound in ("least", "most", "above_zero")} - {None}

    for value in at_its_ends:
        assert getattr(settings_from({**dict.fromkeys(_fellows(name, value), value), name: value}), name) == value


def _fellows(name: str, value: float) -> list[str]:
    """Return the settings that must move along, where one is not to be more than another."""
    return [a if b == name else b for a, b in ORDERED if name in {a, b} and not _fits(a, b, name, value)]


def _fits(smaller: str, larger: str, name: str, value: float) -> bool:
    values = {smaller: getattr(Settings(), smaller), larger: getattr(Settings(), larger), name: value}
    return bool(values[smaller] <= values[larger])


@pytest.mark.parametrize("name", ALL)
def test_a_settings_unit_is_in_its_name_if_it_is_a_time(name: str) -> None:
    item = next(item for item in fields(Settings) if item.name == name)

    assert isinstance(item.default, float) == name.endswith("_s")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max_waiters", 0, "max_waiters: 0 is out of bounds; it takes 1 to 1,000,000."),
        ("max_waiters", 2.0, "max_waiters: 2.0 is not a whole number."),
        ("max_waiters", True, "max_waiters: True is not a whole number."),
        ("hung_turn_s", "10", "hung_turn_s: '10' is not a number."),
        ("hung_turn_s", None, "hung_turn_s: None is not a number."),
        ("power_check_in_maintenance", 1, "power_check_in_maintenance: 1 is not true or false."),
        ("power_check_in_maintenance", "true", "power_check_in_maintenance: 'true' is not true or false."),
        ("hung_turn_s", float("nan"), "hung_turn_s: nan is out of bounds; it takes 0.1 to 600."),
        ("work_rate_per_s", 1e-320, "work_rate_per_s: 1e-320 is out of bounds; it takes 0, or 0.001 to 1,000,000."),
        ("hung_turn_s", float("inf"), "hung_turn_s: inf is out of bounds; it takes 0.1 to 600."),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(name: str, value: Any, told: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{re.escape(told)}$"):
        settings_from({name: value})


@pytest.mark.parametrize(("smaller", "larger"), ORDERED)
def test_a_first_wait_is_not_longer_than_the_longest(smaller: str, larger: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{smaller}: 2.5 is more than {larger}, 1.0; lower the one or raise"):
        settings_from({smaller: 2.5, larger: 1.0})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("power_pol_max_s", "power_pol_max_s: there is no such setting. Did you mean power_poll_max_s?"),
        ("zzz", "zzz: there is no such setting. `castiron serve --help` lists them."),
    ],
)
def test_an_unknown_setting_is_told_with_the_nearest_right_one(name: str, told: str) -> None:
    for wrong in (lambda: settings_from({name: 1}), lambda: setting_from_text(name, "1")):
        with pytest.raises(SettingInvalid, match=f"^{re.escape(told)}$"):
            wrong()


def test_settings_given_are_kept_and_the_others_have_their_defaults() -> None:
    settings = settings_from({"max_waiters": 5, "hung_turn_s": 2})

    assert (settings.max_waiters, settings.hung_turn_s) == (5, 2)
    assert settings.dispatcher_threads == Settings().dispatcher_threads
    with pytest.raises(FrozenInstanceError):
        settings.max_waiters = 6  # type: ignore[misc]  # wrong on purpose


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_waiters", "12", 12),
        ("hung_turn_s", "2.5", 2.5),
        ("force_power_state_during_sync", "yes", True),
        ("force_power_state_during_sync", "False", False),
    ],
)
def test_text_becomes_a_value_of_the_settings_kind(name: str, text: str, value: float) -> None:
    converted = setting_from_text(name, text)

    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("max_waiters", "2.5", "max_waiters: '2.5' is not a whole number."),
        ("hung_turn_s", "soon", "hung_turn_s: 'soon' is not a number."),
        ("force_power_state_during_sync", "maybe", "force_power_state_during_sync: 'maybe' is not true or false."),
    ],
)
def test_text_that_is_no_number_is_told(name: str, text: str, told: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{re.escape(told)}$"):
        setting_from_text(name, text)
