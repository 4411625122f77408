"""PROTOCOL.md and the tables it is made from."""

import pytest

from castiron.transport.document import PROTOCOL, refreshed
from castiron.transport.errors import WIRE_ERRORS
from castiron.transport.frames import SPEAKS
from castiron.transport.verbs import VERBS


def test_the_document_is_in_step_with_the_tables() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")

    assert refreshed(text) == text, "run: python -m castiron.transport.document"


def test_the_document_names_every_verb_and_every_code() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")

    assert all(f"#### `{tag}`" in text for tag in VERBS)
    assert all(f"| `{code}` |" in text for code in WIRE_ERRORS)
    assert text.startswith(f"# {SPEAKS[0]}")


def test_a_part_that_was_changed_by_hand_is_made_anew() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")

    assert refreshed(text.replace("| `node.locked` |", "| `node.blocked` |")) == text


def test_a_marker_that_is_missing_is_told() -> None:
    with pytest.raises(ValueError, match="begin limits"):
        refreshed("# castiron/1")
