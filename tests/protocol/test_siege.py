"""Twenty thousand random and mutated messages at a conductor of its own: the short form of `make fuzz`."""

from pathlib import Path

import pytest

from castiron.transport.verbs import VERBS
from tests.fuzz import corpus
from tests.fuzz.mutations import message
from tests.fuzz.siege import lay_siege

MESSAGES = 10_000
"""Of each of two."""


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "transport"), [(1, "ipc"), (2, "tcp")])
def test_a_conductor_stands_ten_thousand_messages_and_is_the_same_as_before(
    tmp_path: Path, seed: int, transport: str
) -> None:
    endpoint = f"ipc://{tmp_path}/c.ipc" if transport == "ipc" else "tcp://127.0.0.1:0"

    siege = lay_siege(tmp_path, endpoint, seed=seed, messages=MESSAGES, warm_up=MESSAGES // 2, batch=MESSAGES // 4)

    assert siege.warm is not None
    assert siege.fired == MESSAGES
    assert sum(siege.answers.values()) >= MESSAGES
    assert siege.answers["result"] > MESSAGES / 20, "most of what fits was refused: the corpus is stale"
    assert {"frame.malformed", "frame.too_large", "version.unsupported", "verb.unknown"} <= {*siege.answers}


def test_a_message_is_the_same_whenever_it_is_made() -> None:
    assert [message(7, number) for number in range(500)] == [message(7, number) for number in reversed(range(500))][
        ::-1
    ]


def test_every_verb_is_in_the_corpus() -> None:
    dice = corpus.Dice(1)

    assert {corpus.fields(dice, 1)["verb"] for _ in range(2_000)} == {*VERBS}
