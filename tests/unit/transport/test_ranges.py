"""Host ranges."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.ranges import MAX_NAMES, expand, fold
from castiron.transport.selection.natural import natural_order
from castiron.transport.verbs import NAME_PATTERN

names = st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) <= 40)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("n1", ["n1"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n[01-03,33]", ["n01", "n02", "n03", "n33"]),
        ("n[1-10/4]", ["n1", "n5", "n9"]),
        (" a, n10 ,n2,a ", ["a", "n2", "n10"]),
        ("n[1-4]!n[2-3]", ["n1", "n4"]),
        ("n[1-4],-n2", ["n1", "n3", "n4"]),
        ("n[1-9], -n[2-8] ,n5", ["n1", "n5", "n9"]),
        ("r-1n[1-3],-r-1n2", ["r-1n1", "r-1n3"]),
        ("n[1-4]&n[3-9]", ["n3", "n4"]),
        ("n[1-3]^n[2-4]", ["n1", "n4"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("n[1-3]!n[1-3]", []),
        ("550e8400-e29b-41d4-a716-446655440000", ["550e8400-e29b-41d4-a716-446655440000"]),
        ("sn123456789012345678901234567890", ["sn123456789012345678901234567890"]),
    ],
)
def test_a_range_stands_for_names(text: str, expanded: list[str]) -> None:
    assert expand(text) == expanded


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "\n",
        "n[1",
        "n1]",
        "n[]",
        "n[3-1]",
        "n[a-b]",
        "n[1-5/0]",
        "n[1-2],",
        "!n1",
        "-n1",
        "n1,--n1",
        "n1,-",
        "n[001-2]",
        "a b",
        "é",
    ],
)
def test_what_is_no_range_is_an_argument_that_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(ArgumentInvalid, match=r"n\[1-20\]"):
        expand(text)


@pytest.mark.parametrize("text", ["@rack1", "@*", "n1,@rack1", "@source:group"])
def test_groups_are_not_resolved(text: str) -> None:
    with pytest.raises(ArgumentInvalid, match="is not a name"):
        expand(text)


@pytest.mark.parametrize(
    "text",
    [
        f"n[0-{MAX_NAMES}]",
        "n[1-999999999]",
        "n[1-1000]r[1-1000]",
        "n1!n[1-999999999]",
        "n[1-60000],m[1-60000]",
        f"n[1-{'9' * 5000}]",
    ],
)
def test_a_slip_does_not_fill_the_memory(text: str) -> None:
    with pytest.raises(ArgumentInvalid):
        expand(text)


def test_the_limit_is_exact() -> None:
    assert len(expand("n[1-10]", limit=10)) == 10
    with pytest.raises(ArgumentInvalid, match="11 names"):
        expand("n[0-10]", limit=10)


def test_a_long_text_is_not_repeated_in_full() -> None:
    with pytest.raises(ArgumentInvalid) as caught:
        expand("é" * 5000)

    assert len(caught.value.message) < 6000


def test_names_are_sorted_as_people_count() -> None:
    assert natural_order(["n10", "n2", "n02", "b1", "10", "9", "a"]) == ["9", "10", "a", "b1", "n02", "n2", "n10"]


@settings(max_examples=150, deadline=None)
@given(st.sets(names, min_size=1, max_size=8))
def test_folding_and_expanding_gives_the_names_back(some: set[str]) -> None:
    assert expand(fold(some)) == natural_order(some)
    assert expand(",".join(some)) == natural_order(some)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="n0159[]-,/!&^@ %", max_size=20))
@example("0[-1]")
def test_any_text_is_names_or_an_argument(text: str) -> None:
    try:
        found = expand(text, limit=1000)
    except ArgumentInvalid:
        return
    assert len(found) <= 1000
