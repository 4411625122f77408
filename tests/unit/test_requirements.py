"""Each requirement names tests, and each of them exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "requirements.md"
IDS = (
    *("A1a", "A1b", "A2a", "A2b", "A2c", "A2d", "A2e", "A2f", "A2g", "A3a", "A3b", "A3c", "A3d", "A3e", "A4a", "A4b"),
    *("A5a", "A5b", "A5c", "A5d", "A6a", "A6a'", "A6b", "A6c", "A6c'"),
    *("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8"),
    *("R3-1", "R3-2", "R3-3", "R3-4", "R3-5"),
    *(f"I{number}" for number in range(1, 13)),
)
NOT_YET = "not yet"


def rows() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {cells[0]: cells for line in lines[1:] if (cells := [cell.strip() for cell in line.strip("|").split("|")])}


ROWS = rows()
NAMED = [(row, name) for row, cells in ROWS.items() for name in re.findall(r"`(tests/[^`]*)`", cells[3])]


def test_every_requirement_has_a_row_once_and_in_order() -> None:
    assert tuple(ROWS) == IDS
    assert all(len(cells) == 4 and all(cells) for cells in ROWS.values())


@pytest.mark.parametrize("row", IDS)
def test_a_requirement_names_a_test_or_says_that_there_is_none_yet(row: str) -> None:
    tests = ROWS[row][3]

    assert NOT_YET in tests or any(named == row for named, _ in NAMED)
    left = re.sub(r"`tests/[^`]*`", "", tests).replace(NOT_YET, "").strip(" ,;")
    assert left in {"", "webhooks:"}, f"{left!r} is neither a test nor {NOT_YET!r}"


@pytest.mark.parametrize(("row", "name"), NAMED)
def test_a_named_test_exists(row: str, name: str) -> None:
    path, *within = name.split("::")
    body: list[ast.stmt] = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for part in within:
        found = [one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == part]
        assert len(found) == 1, f"{row}: {name}"
        body = found[0].body
    assert within[-1].startswith("test_")


def test_what_waits_for_a_second_conductor_says_so() -> None:
    assert ROWS["T5"][3] == NOT_YET
