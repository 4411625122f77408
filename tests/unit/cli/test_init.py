"""`castiron init` writes a file that changes nothing and explains everything, and overwrites nothing unasked."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from castiron.actors.settings import Settings
from castiron.cli.configuration import PLACES, Configuration
from tests.unit.cli.conftest import Run


def test_the_file_names_and_explains_every_setting_and_changes_none(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "castiron.toml"

    made = run("init", str(path))

    assert (made.exit_code, made.stderr) == (0, "")
    assert str(path) in made.stdout
    text = path.read_text()
    for name in (*PLACES, *(item.name for item in fields(Settings))):
        above, found, _ = text.partition(f"\n# {name} =")
        assert found, name
        assert above.splitlines()[-1].startswith("# "), "a comment says what it is for"
    taken = Configuration()
    taken.add_file(path)
    assert (taken.places, taken.settings) == ({}, {})


def test_the_environment_of_whoever_types_does_not_get_into_the_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASTIRON_HUNG_TURN_S", "30")

    assert run("init", str(tmp_path / "made.toml")).exit_code == 0

    assert tomllib.loads((tmp_path / "made.toml").read_text()) == {"conductor": {}, "settings": {}}


def test_a_file_that_is_there_is_replaced_only_if_told_so(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "castiron.toml"
    path.write_text("mine")

    refused = run("init", str(path))
    kept = path.read_text()
    forced = run("init", str(path), "--force")

    assert (refused.exit_code, kept) == (73, "mine")
    assert refused.stderr == f"castiron: {path} is there already. Name another file, or replace it with --force.\n"
    assert forced.exit_code == 0
    assert "[settings]" in path.read_text()
    assert [one.name for one in tmp_path.iterdir()] == ["castiron.toml"]


def test_it_can_be_printed_instead(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    printed = run("init", "--print")

    assert printed.exit_code == 0
    assert tomllib.loads(printed.stdout) == {"conductor": {}, "settings": {}}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    missing = run("init", str(tmp_path / "none" / "castiron.toml"))

    assert (missing.exit_code, missing.stdout) == (73, "")
    assert "No such file or directory" in missing.stderr
