"""What people see is aligned, harmless, and says how old it is."""

import json
from datetime import datetime

import pytest

from castiron.cli.output.render import age, length, moment, plain_columns, power_word, show_json, visible, word
from castiron.transport.replies import NodeDeleted, NodeListed


def test_columns_stand_below_each_other_and_lines_have_no_blanks_at_their_end() -> None:
    assert plain_columns([["NAME", "POWER", "X"], ["n1", "power on", ""]]) == ["NAME  POWER     X", "n1    power on"]


@pytest.mark.parametrize(
    ("apart_s", "words"),
    [(0, "0 s ago"), (12.4, "12 s ago"), (61, "1 min ago"), (7_300, "2 h ago"), (200_000, "2 d ago"), (-30, "in 30 s")],
)
def test_ages_are_told_in_their_largest_unit(apart_s: float, words: str) -> None:
    assert age(1_000_000.0, 1_000_000.0 + apart_s) == words


def test_nothing_has_no_age() -> None:
    assert age(None, 5.0) == "-"
    assert moment(None, 5.0) == "-"


def test_a_moment_is_local_iso_time_that_reads_back() -> None:
    text, _, told = moment(1_795_233_610.0, 1_795_233_622.0).partition(" (")

    assert datetime.fromisoformat(text).timestamp() == 1_795_233_610.0
    assert told == "12 s ago)"


def test_a_length_below_a_minute_is_rounded() -> None:
    assert length(59.4) == "59 s"


def test_control_characters_cannot_reach_a_terminal() -> None:
    assert visible("a\x1b[2Jb\nc\u202ed") == "a\\x1b[2Jb\\nc\\u202ed"
    assert visible("Grüße → n1") == "Grüße → n1"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), ("", "-"), ({}, "-"), (True, "yes"), (False, "no"), (0, "0"), ([1], "[1]")]
)
def test_cells_are_words(value: object, text: str) -> None:
    assert word(value) == text


def test_an_unknown_power_state_is_called_unknown() -> None:
    assert power_word(None) == "unknown"


def test_json_has_the_fields_of_what_was_answered(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"page": NodeListed(nodes=[]), "gone": [NodeDeleted(uuid="u", name="n")]})

    assert json.loads(capsys.readouterr().out) == {
        "page": {"nodes": [], "next_marker": None},
        "gone": [{"uuid": "u", "name": "n"}],
    }
