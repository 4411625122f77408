"""KEY=VALUE, from the command line, files and prompts, without ever repeating a value."""

import io
from pathlib import Path

import click
import pytest

from castiron.cli.output.faults import Stop
from castiron.cli.pairs import MAX_FILE_BYTES, json_pairs, text_pairs

SECRET = "correct horse"


def test_values_are_text_and_may_hold_equals_signs() -> None:
    assert text_pairs("--x", ["a=1", "b=c=d", "e="]) == {"a": "1", "b": "c=d", "e": ""}


def test_attributes_are_json_where_they_read_as_json() -> None:
    assert json_pairs("--x", ["a=1", 'b={"c": [true]}', "d=plain", "e=null"]) == {
        "a": 1,
        "b": {"c": [True]},
        "d": "plain",
        "e": None,
    }


def test_an_attribute_that_nests_too_deeply_to_be_read_is_text() -> None:
    deep = "[" * 100_000

    assert json_pairs("--x", [f"a={deep}"]) == {"a": deep}


def test_a_file_gives_its_text_without_the_last_line_feed(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")

    assert text_pairs("--x", [f"p=@{tmp_path}/password"]) == {"p": SECRET}


def test_standard_input_gives_a_line_for_each_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\nsecond\n"))

    assert text_pairs("--x", ["p=-", "q=-"]) == {"p": SECRET, "q": "second"}


@pytest.mark.parametrize("given", [[SECRET], [f"={SECRET}"], [f"p={SECRET}", f"p={SECRET}2"], ["p=-"]])
def test_what_is_wrong_is_told_without_the_value(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    with pytest.raises(click.UsageError) as wrong:
        text_pairs("--x", given)

    assert SECRET not in wrong.value.format_message()


def test_files_that_cannot_be_a_value_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_text("x" * (MAX_FILE_BYTES + 1))

    for name, exit_code in (("missing", 66), ("binary", 65), ("large", 65)):
        with pytest.raises(Stop, match=name) as wrong:
            text_pairs("--x", [f"p=@{tmp_path / name}"])
        assert wrong.value.code == exit_code
