"""The pages that are made from tables are in step with them."""

from dataclasses import fields
from pathlib import Path

import pytest

from castiron.actors.core.machines.legs import LEGS, TRANSITIONS, Do, Happening, Phase
from castiron.actors.core.provision.catalogue import BUILT_IN
from castiron.actors.core.provision.states import ABORTS
from castiron.actors.core.provision.states import TRANSITIONS as PROVISIONS
from castiron.actors.core.requests.compatibility import HINDRANCES, MEETINGS, POLICIES, Condition
from castiron.actors.document import HAPPENINGS, ORDERS, PHASES, RESULTS, TABLES, main, rewritten
from castiron.actors.settings import Settings
from castiron.transport.vocabulary import CheckResult, ProvisionState, ProvisionTarget, StepState

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "power.md"
PAGES = (
    "power.md",
    "checks.md",
    "compatibility.md",
    "limits.md",
    "provisioning.md",
    "guides/settings.md",
    "guides/steps.md",
    "guides/observe.md",
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_in_step_with_the_code(name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")

    assert rewritten(page) == page, f"run: python -m castiron.actors.document docs/{name}"


def test_every_table_is_on_one_of_the_pages() -> None:
    pages = [(DOCS / name).read_text(encoding="utf-8") for name in PAGES]

    assert {name for name in TABLES if sum(f"<!-- {name}: from the code -->" in page for page in pages) == 1} == set(
        TABLES
    )


def test_every_word_of_the_tables_has_its_words_for_people() -> None:
    assert set(PHASES) == set(Phase)
    assert set(HAPPENINGS) == set(Happening)
    assert set(ORDERS) == set(Do)
    assert set(RESULTS) == set(CheckResult)


def test_every_setting_has_a_row() -> None:
    assert all(f"| `{item.name}` |" in TABLES["settings"]() for item in fields(Settings))


def test_every_pair_of_requests_and_every_policy_has_a_row() -> None:
    assert len(TABLES["meetings"]().splitlines()) == 2 + len(MEETINGS)
    assert len(TABLES["policies"]().splitlines()) == 2 + len(POLICIES)
    assert len(TABLES["hindrances"]().splitlines()) == 2 + len(HINDRANCES)
    assert all(condition.value in TABLES["admittance"]() for condition in Condition)


def test_every_state_transition_target_and_step_has_a_row() -> None:
    assert len(TABLES["states"]().splitlines()) == 2 + len(ProvisionState)
    assert len(TABLES["moves"]().splitlines()) == 2 + len(PROVISIONS) + len(ABORTS)
    assert len(TABLES["courses"]().splitlines()) == 2 + len(ProvisionTarget)
    assert len(TABLES["steps"]().splitlines()) == 2 + len(BUILT_IN)
    assert all(f"| `{state}` |" in TABLES["takeovers"]() for state in StepState)


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


def test_a_page_without_a_table_or_without_its_end_is_told() -> None:
    with pytest.raises(ValueError, match="the page has none of the tables controls, "):
        rewritten("# nothing here\n")
    with pytest.raises(ValueError, match="the page lacks the line <!-- end of controls -->"):
        rewritten("<!-- controls: from the code -->\n")
