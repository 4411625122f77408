"""The pages that are made from tables are in step with them."""

from dataclasses import fields
from pathlib import Path

import pytest

from castiron.actors.core.machines.legs import LEGS, TRANSITIONS, Do, Happening, Phase
from castiron.actors.document import HAPPENINGS, ORDERS, PAGES, PHASES, TABLES, main, rewritten
from castiron.actors.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "power.md"


@pytest.mark.parametrize("path", ["power.md", "guides/settings.md"])
def test_a_page_is_in_step_with_the_code(path: str) -> None:
    page = (DOCS / path).read_text(encoding="utf-8")

    assert rewritten(page, PAGES[Path(path).name]) == page, f"run: python -m castiron.actors.document docs/{path}"


def test_every_setting_has_a_row() -> None:
    assert all(f"| `{item.name}` |" in TABLES["settings"]() for item in fields(Settings))


def test_every_word_of_the_tables_has_its_words_for_people() -> None:
    assert set(PHASES) == set(Phase)
    assert set(HAPPENINGS) == set(Happening)
    assert set(ORDERS) == set(Do)


def test_every_rule_and_every_target_has_a_row() -> None:
    assert len(TABLES["rules"]().splitlines()) == 2 + len(TRANSITIONS)
    assert len(TABLES["controls"]().splitlines()) == 2 + len(LEGS)


def test_a_page_is_rewritten_in_place(tmp_path: Path) -> None:
    page = tmp_path / "power.md"
    right = PAGE.read_text(encoding="utf-8")
    page.write_text(right.replace("already there", "somewhere else"), encoding="utf-8")

    main([str(page)])

    assert page.read_text(encoding="utf-8").count("somewhere else") == 1  # in the prose, which is left alone
    assert "already there: nothing is sent" in page.read_text(encoding="utf-8")


def test_a_page_without_a_tables_marks_is_told() -> None:
    with pytest.raises(ValueError, match="the page lacks the lines <!-- controls: from the code -->"):
        rewritten("# nothing here\n", PAGES["power.md"])
