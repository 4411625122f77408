"""Profiles: which program takes them, and what is said where there is none."""

import sys
from pathlib import Path

import pytest

from bench.profiles import __main__ as profiles
from bench.profiles.stage import WORKS


def test_each_kind_of_work_can_be_named() -> None:
    assert set(profiles.WORKS) == set(WORKS)


@pytest.mark.parametrize(("is_text", "ending"), [(True, ".txt"), (False, ".svg")])
def test_py_spy_goes_before_perf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_text: bool, ending: str
) -> None:
    (tmp_path / "py-spy").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    command, file = profiles.sampler(42, 3.0, tmp_path / "profile-api", is_text=is_text)

    assert command[:4] == [str(tmp_path / "py-spy"), "record", "--pid", "42"]
    assert file == tmp_path / f"profile-api{ending}"
    assert command[-1] == str(file)


def test_perf_serves_where_py_spy_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    perf = tmp_path / "perf"
    perf.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    command, file = profiles.sampler(42, 3.0, tmp_path / "profile-api", is_text=False)

    assert command[0] == str(perf)
    assert file.suffix == ".data"


def test_without_any_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(profiles.Refused, match="pip install py-spy"):
        profiles.sampler(42, 3.0, tmp_path / "profile-api", is_text=False)
