"""What can change while a conductor runs, and that nobody keeps a copy of it."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from castiron.actors.settings import FROM_NOTHING, LIVE, Settings, reloaded, settings_from

ROOT = Path(__file__).resolve().parents[2]
USE = re.compile(r"([\w.]*settings)\.(\w+)")


def other(name: str) -> Settings:
    """Return settings of which one has another value."""
    value = getattr(Settings(), name)
    return settings_from({name: not value if isinstance(value, bool) else value + 1})


def test_what_is_live_is_a_setting() -> None:
    names = {item.name for item in fields(Settings)}

    assert names >= LIVE >= FROM_NOTHING


@pytest.mark.parametrize("name", sorted(LIVE - {"power_check_in_maintenance"}))
def test_a_live_setting_holds_from_now_on(name: str) -> None:
    outcome = reloaded(Settings(), other(name))

    assert (outcome.changed, outcome.restart) == ((name,), ())
    assert outcome.settings == other(name)


def test_any_other_waits_for_a_restart_and_keeps_nothing_else_from_changing() -> None:
    wanted = replace(Settings(), command_timeout_s=3.0, max_workers=99, dispatcher_threads=9)

    outcome = reloaded(Settings(), wanted)

    assert (outcome.changed, outcome.restart) == (("command_timeout_s",), ("max_workers", "dispatcher_threads"))
    assert outcome.settings == replace(Settings(), command_timeout_s=3.0)


@pytest.mark.parametrize("name", sorted(FROM_NOTHING))
def test_what_is_off_is_not_switched_on(name: str) -> None:
    nothing, something = (False, True) if isinstance(getattr(Settings(), name), bool) else (0.0, 1.0)
    off, on = settings_from({name: nothing}), settings_from({name: something})

    assert reloaded(off, on).restart == (name,)
    assert reloaded(on, off).changed == (name,)


def test_nothing_that_can_change_is_read_from_a_copy() -> None:
    """Outside the core, which is handed the settings with each message, it is read from the services' each time."""
    rooms = [ROOT / "actors" / "core", ROOT / "actors" / "settings"]
    copies = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "actors").rglob("*.py")
        if not any(path.is_relative_to(room) for room in rooms)
        for use in USE.finditer(path.read_text())
        if use[2] in LIVE and not use[1].endswith("services.settings")
    }

    bulletin, home = "actors/published/bulletin.py", "actors/services.py"
    assert copies == {bulletin, home}, "the one gathers what it tells anew each time, the other is where they are"
