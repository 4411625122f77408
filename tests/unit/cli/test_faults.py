"""Failures in words: a sentence, whose paths stay as they are."""

import pytest

from castiron.cli.output.faults import error_text, sentence
from castiron.store.errors import StoreUnusable
from castiron.transport.errors import StepFailed
from castiron.transport.vocabulary import Applied


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


@pytest.mark.parametrize("said", ["no disk is large enough", "no disk is large enough."])
def test_what_somebody_else_said_ends_before_it_is_said_whether_it_was_done(said: str) -> None:
    told = error_text(StepFailed(said, applied=Applied.UNKNOWN))

    assert told == "no disk is large enough. Whether it was done is not known."
