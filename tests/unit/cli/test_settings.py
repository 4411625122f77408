"""`castiron settings` tells what `castiron serve` would go by, and writes files that give the same."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.settings import Settings
from castiron.cli.conductor.settings import CONDUCTOR, as_file, read_settings, rows_of
from castiron.cli.configuration import PLACES, Configuration, Given
from castiron.cli.output.faults import Stop
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run

ALL = [item.name for item in fields(Settings)]
FILE = '[conductor]\nstore = "/from/file"\n[settings]\nmax_waiters = 5\nhung_turn_s = 20\ncommand_timeout_s = 1\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "castiron.toml"
    path.write_text(FILE)
    monkeypatch.setenv("CASTIRON_HUNG_TURN_S", "30")
    monkeypatch.setenv("CASTIRON_KEY_FILE", "/from/environment")
    return str(path)


def test_each_setting_is_told_with_its_source_and_meaning(run: Run, file: str) -> None:
    result = run("settings", "--config", file, "--set", "command_timeout_s=7", "--format", "json")

    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert list(rows) == [*CONDUCTOR, *ALL]
    told = {name: (rows[name]["value"], rows[name]["source"]) for name in rows}
    assert told["store"] == ("/from/file", f"file {file}")
    assert told["key_file"] == ("/from/environment", "environment CASTIRON_KEY_FILE")
    assert told["log_level"] == ("info", "default")
    assert told["max_waiters"] == (5, f"file {file}")
    assert told["hung_turn_s"] == (30.0, "environment CASTIRON_HUNG_TURN_S")
    assert told["command_timeout_s"] == (7.0, "option --set")
    assert told["slow_turn_s"] == (Settings().slow_turn_s, "default")
    assert rows["slow_turn_s"]["unit"] == "seconds"
    assert rows["max_waiters"]["least"] == 1
    assert all(row["meaning"] for row in rows.values())


def test_those_named_are_shown_alone(run: Run) -> None:
    lines = run("settings", "slow_turn_s", "log_format").stdout.splitlines()

    assert [line.split()[:4] for line in lines[1:]] == [
        ["log_format", "text", "text", "default"],
        ["slow_turn_s", "0.5", "0.5", "default"],
    ]


def test_a_name_that_means_nothing_is_told_with_the_nearest(run: Run) -> None:
    result = run("settings", "slow_turns_s")

    assert result.exit_code == 64
    assert "slow_turns_s: there is no such setting. Did you mean slow_turn_s?" in result.stderr


def test_a_wrong_value_is_told_with_its_source_as_by_serve(run: Run, file: str) -> None:
    told = run("settings", "--config", file, "--set", "max_waiters=0")

    assert (told.exit_code, told.stderr) == (
        78,
        "castiron: --set max_waiters: 0 is out of bounds; it takes 1 to 1,000,000.\n",
    )


def test_two_settings_that_go_together_are_taken_though_one_alone_would_not_be(run: Run) -> None:
    both = run("settings", "--set", "power_poll_initial_s=3", "--set", "power_poll_max_s=5")
    one = run("settings", "--set", "power_poll_initial_s=3")

    assert both.exit_code == 0
    assert (one.exit_code, one.stderr.split(";")[0]) == (
        78,
        "castiron: power_poll_initial_s: 3.0 is more than power_poll_max_s, 2.0",
    )


def test_the_running_conductors_settings_are_told(run: Run, conductor: MemoryConductor) -> None:
    assert conductor
    rows = json.loads(run("settings", "--running", "--format", "json").stdout)

    assert {row["source"] for row in rows} == {"running conductor"}


def test_every_place_has_a_variable_and_a_meaning() -> None:
    assert list(CONDUCTOR) == list(PLACES)


def test_the_file_of_the_defaults_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "castiron.toml"
    path.write_text(run("settings", "--as-toml").stdout)

    taken = Configuration()
    taken.add_file(path)

    assert (taken.settings, set(taken.places)) == ({}, {"listen"})  # the test's own environment has it
    assert all(f"\n# {name} = " in path.read_text() for name in ALL)


numbers: dict[type[object], Callable[[Any, Any], st.SearchStrategy[Any]]] = {int: st.integers, float: st.floats}
values = st.fixed_dictionaries(
    {},
    optional={
        item.name: st.booleans()
        if isinstance(item.default, bool)
        else numbers[type(item.default)](item.metadata["least"], item.metadata["most"])
        for item in fields(Settings)
        if isinstance(item.default, bool | int | float)
    },
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(values, st.fixed_dictionaries({}, optional=dict.fromkeys(PLACES, texts)))
def test_a_file_gives_back_the_settings_that_it_was_made_from(
    tmp_path_factory: pytest.TempPathFactory, settings: dict[str, float], places: dict[str, str]
) -> None:
    given_ones = Configuration()
    given_ones.add_flags(places, [f"{name}={value!r}" for name, value in settings.items()])
    try:
        wanted = read_settings(given_ones.settings)
    except Stop:  # two of them contradict each other
        return
    path = tmp_path_factory.mktemp("round") / "castiron.toml"
    path.write_text(as_file(rows_of(given_ones)), encoding="utf-8")

    again = Configuration()
    again.add_file(path)

    assert read_settings(again.settings) == wanted
    assert again.places == places
    assert all(isinstance(one, Given) for one in again.settings.values())
