"""Settings as they are given: by name, from a file, the environment or a flag. Pure; nothing is read here."""

import difflib
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, cast

from castiron.actors.settings.table import Settings
from castiron.actors.settings.values import KINDS, SettingInvalid, check_value, kind_of


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Make settings from names and values, all others at their defaults.

    Raises:
        SettingInvalid: a name is unknown (the nearest right one is named), or a value is wrong.
    """
    for name in values:
        setting_called(name)
    given: dict[str, Any] = dict(values)
    for name, value in values.items():
        if kind_of(setting_called(name)) is KINDS[tuple] and isinstance(value, list):
            given[name] = tuple(cast("list[str]", value))
    return Settings(**given)


def check_setting(name: str, value: object) -> None:
    """Check one value by itself, whatever the other settings are.

    Raises:
        SettingInvalid: the name is unknown, or the value is of the wrong type or out of bounds.
    """
    check_value(setting_called(name), value)


def setting_from_text(name: str, text: str) -> Any:
    """Convert a setting's value from the text of an environment variable or a flag. Bounds are not checked here.

    Raises:
        SettingInvalid: the name is unknown, or the text is not a value of the right kind.
    """
    kind = kind_of(setting_called(name))
    try:
        return kind.read(text)
    except (KeyError, ValueError):
        raise SettingInvalid(f"{name}: {text!r} is not {kind.words}.") from None


def setting_called(name: str) -> "Field[Any]":
    """Return a setting's field.

    Raises:
        SettingInvalid: there is none of this name; the nearest right one is named.
    """
    known = {item.name: item for item in fields(Settings)}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else "`castiron serve --help` lists them."
    raise SettingInvalid(f"{name}: there is no such setting. {hint}")
