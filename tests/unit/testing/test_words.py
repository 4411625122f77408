"""Faults can be typed, and what is shown can be typed again."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.testing.bmc import CommandKind, Faults, Forgery, LongTail, Refusal
from castiron.testing.bmc.faults import MAX_FLOOD
from castiron.testing.words import FAULT_WORDS, read_faults, say_faults

GUIDE: Final = Path(__file__).resolve().parents[3] / "docs" / "guides" / "farm.md"
SECONDS = st.floats(0, 1e6)
PERCENT = st.floats(0, 100)
FAULTS = st.builds(
    Faults,
    silent=st.booleans(),
    slow_s=SECONDS
    | st.tuples(SECONDS, SECONDS).map(lambda both: (min(both), max(both)))
    | st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)).map(lambda both: LongTail(min(both), max(both))),
    loss_percent=PERCENT,
    duplicate_percent=PERCENT,
    reorder_percent=PERCENT,
    wrong_password=st.booleans(),
    table_full=st.booleans(),
    ignores_logins=st.booleans(),
    ignores_power=st.booleans(),
    late_power_s=SECONDS,
    wrong_power_count=st.integers(0, 1000),
    refusal=st.none()
    | st.builds(Refusal, code=st.integers(1, 255), count=st.integers(1, 99), kind=st.sampled_from(CommandKind)),
    flood_count=st.integers(0, MAX_FLOOD),
    forgeries=st.lists(st.sampled_from(Forgery), max_size=6).map(tuple),
)


@given(FAULTS)
def test_what_is_said_is_read_as_the_same(faults: Faults) -> None:
    assert Faults(**read_faults(say_faults(faults))) == faults


def test_a_healthy_bmc_has_nothing_to_say() -> None:
    assert say_faults(Faults()) == {}


def test_every_fault_can_be_said() -> None:
    """A fault that somebody adds and forgets here would be shown as health."""
    odd: dict[str, Any] = {
        "silent": True,
        "slow_s": 1.0,
        "wrong_password": True,
        "table_full": True,
        "ignores_logins": True,
        "ignores_power": True,
        "late_power_s": 1.0,
        "wrong_power_count": 1,
        "refusal": Refusal(),
        "flood_count": 1,
        "forgeries": (Forgery.LATE,),
        "loss_percent": 1.0,
        "duplicate_percent": 1.0,
        "reorder_percent": 1.0,
    }
    assert {each.name for each in fields(Faults)} - odd.keys() == {
        "forge_percent",  # said with forgeries
        "is_smooth",
    }
    for name, value in odd.items():
        assert len(say_faults(Faults(**{name: value}))) == 1
    assert len(FAULT_WORDS) == len(odd)


@pytest.mark.parametrize(
    ("word", "text", "read"),
    [
        ("silent", "true", {"silent": True}),
        ("silent", "No", {"silent": False}),
        ("slow", "0.1", {"slow_s": 0.1}),
        ("slow", "0.1,0.5", {"slow_s": (0.1, 0.5)}),
        ("slow", "tail:0.05,3", {"slow_s": LongTail(0.05, 3.0)}),
        ("loss", " 5 ", {"loss_percent": 5.0}),
        ("refuse", "0xc0", {"refusal": Refusal()}),
        ("refuse", "193,3", {"refusal": Refusal(code=0xC1, count=3)}),
        ("refuse", "0xd2,2,control", {"refusal": Refusal(code=0xD2, count=2, kind=CommandKind.CONTROL)}),
        ("refuse", "none", {"refusal": None}),
        ("forge", "none", {"forgeries": (), "forge_percent": 100.0}),
        ("forge", "session,late@12.5", {"forgeries": (Forgery.SESSION, Forgery.LATE), "forge_percent": 12.5}),
        ("flood", "300", {"flood_count": 300}),
    ],
)
def test_words_are_read(word: str, text: str, read: dict[str, Any]) -> None:
    assert read_faults({word: text}) == read


@pytest.mark.parametrize(
    ("word", "text", "said"),
    [
        ("silnt", "true", r"There is no fault 'silnt'\. Did you mean silent\?"),
        ("xyz", "true", r"There is no fault 'xyz'\. There are silent, slow, "),
        ("silent", "maybe", r"silent is true or false, not 'maybe'\."),
        ("slow", "soon", r"slow is SECONDS, MIN,MAX or tail:MEDIAN,P99, not 'soon'\."),
        ("slow", "1,2,3", "slow is SECONDS"),
        ("slow", "2,1", r"slow=2,1 cannot be: slow_s must be seconds, or \(least, most\)"),
        ("slow", "tail:1", "slow is SECONDS"),
        ("slow", "tail:2,1", "slow is SECONDS"),
        ("loss", "101", "loss=101 cannot be: loss_percent must be within 0 and 100"),
        ("loss", "nan", "loss=nan cannot be"),
        ("refuse", "0", "refuse is CODE"),
        ("refuse", "0xc0,0", "refuse is CODE"),
        ("refuse", "0xc0,1,any,1", "refuse is CODE"),
        ("refuse", "0xc0,1,nonsense", "refuse is CODE"),
        ("flood", "1.5", "flood is COUNT, not '1.5'"),
        ("flood", "1001", "flood=1001 cannot be: flood_count must be within 0 and 1000"),
        ("forge", "", "forge is KIND"),
        ("forge", "session@", "forge is KIND"),
        ("forge", "session@200", "forge=session@200 cannot be"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(word: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_faults({word: text})


class TestTheGuide:
    """docs/guides/farm.md has a row for each fault, and what it says in two languages is the same."""

    ROWS: Final = re.findall(r"^\| `(\w+)=([^`]+)` \| `([^`]+)` \|", GUIDE.read_text(), re.MULTILINE)
    NAMES: Final = {"CommandKind": CommandKind, "Forgery": Forgery, "LongTail": LongTail, "Refusal": Refusal}

    def test_it_has_every_fault(self) -> None:
        assert {word for word, _, _ in self.ROWS} == set(FAULT_WORDS)

    @pytest.mark.parametrize(("word", "text", "python"), ROWS)
    def test_what_is_typed_is_what_is_programmed(self, word: str, text: str, python: str) -> None:
        assert Faults(**read_faults({word: text})) == eval(f"Faults({python})", {"Faults": Faults, **self.NAMES})
