"""Failures in words: a sentence, whose paths stay as they are."""

import pytest

from castiron.cli.output.faults import sentence
from castiron.store.errors import StoreUnusable


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("there is no store at b.db", "There is no store at b.db."),
        ("another backup to b.db is going on. Wait for it", "Another backup to b.db is going on. Wait for it."),
        ("b.db exists. Name another file", "b.db exists. Name another file."),
        ("/var/b.db exists.", "/var/b.db exists."),
    ],
)
def test_what_the_store_says_becomes_a_sentence_and_no_path_another_one(said: str, told: str) -> None:
    assert sentence(StoreUnusable(said)) == told
