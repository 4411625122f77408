"""Free maps come back as they were."""

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.store.errors import UnstorableValue
from castiron.store.records import Fragment
from castiron.store.sql import values
from castiron.transport.vocabulary import PowerState

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
)
KEYS = st.sampled_from(["$bytes", "$map", "$", "a"]) | SCALARS
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)


def exactly(value: Any) -> str:
    """A text that tells 1 from 1.0 from True, which == does not."""
    return repr(value)


@settings(deadline=None)
@given(whole=st.dictionaries(KEYS, ANYTHING))
def test_whatever_the_wire_can_carry_comes_back(whole: dict[Any, Any]) -> None:
    text = values.dump(whole)
    back = values.load(text)

    assert text.isascii()
    assert json.loads(text) is not None
    assert back == whole
    assert values.dump(Fragment(whole)) == text
    assert exactly(dict(back)) == exactly(whole)


@settings(deadline=None)
@given(
    whole=st.dictionaries(
        st.sampled_from(["$bytes", "a", "é"]) | st.text(max_size=2) | st.integers(),
        st.none()
        | st.booleans()
        | st.integers(-(2**80), 2**80)
        | st.text(st.characters(exclude_categories=()))
        | st.floats(),
        max_size=4,
    )
)
def test_the_text_that_is_kept_of_a_map_is_that_of_any_equal_map(whole: dict[Any, Any]) -> None:
    kept = values.dump(Fragment(whole))

    assert kept == values.dump(whole)
    assert exactly(dict(values.load(kept))) == exactly(whole)


def test_an_ordinary_map_is_kept_as_anybody_would_write_it() -> None:
    assert values.dump({"b": [1, "x"], "a": {"c": None}}) == '{"b":[1,"x"],"a":{"c":null}}'


def test_words_and_read_only_maps_and_tuples_become_plain_ones() -> None:
    whole = {"state": PowerState.ON, "inner": MappingProxyType({"at": (1, 2)}), "raw": bytearray(b"x")}

    assert values.load(values.dump(whole)) == {"state": "power on", "inner": {"at": [1, 2]}, "raw": b"x"}


@pytest.mark.parametrize(
    "secret", [{"hunter2"}, {"k": {("hunter2",): 1}}, {"k": [{"hunter2"}]}], ids=["set", "key", "deep"]
)
def test_what_cannot_be_kept_is_told_by_its_type_never_by_its_value(secret: object) -> None:
    with pytest.raises(UnstorableValue) as refusal:
        values.dump({"password": secret})

    assert "hunter2" not in str(refusal.value)
    assert "set" in str(refusal.value) or "tuple" in str(refusal.value)


def test_an_empty_map_costs_nothing() -> None:
    assert values.load(values.dump({})) is values.load("{}")


@pytest.mark.parametrize("text", ["", "{", '{"a":}', "nonsense"])
def test_a_damaged_text_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.load(text)
