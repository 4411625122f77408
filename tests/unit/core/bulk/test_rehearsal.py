"""When each node of a bulk would be asked is what the pacing does, and its forecast says so."""

import pytest

from castiron.actors.core.bulk.pacing import Terms
from castiron.actors.core.bulk.rehearsal import paced, sent_after_s
from castiron.transport.replies import Forecast
from castiron.transport.vocabulary import Would

STARTS = Forecast(would=Would.START, text="It would start at once.")


@pytest.mark.parametrize(
    ("terms", "after_s"),
    [
        (Terms(), [0, 0, 0, 0]),
        (Terms(stagger_s=2.5), [0, 2.5, 5.0, 7.5]),
        (Terms(batch=2), [0, 0, None, None]),
        (Terms(batch=3, stagger_s=1.0), [0, 1.0, 2.0, None]),
        (Terms(per_limit=1), [0, None, 0, None]),
        (Terms(per_limit=1, stagger_s=1.0), [0, None, 1.0, None]),
    ],
)
def test_a_node_would_be_asked_when_the_pacing_lets_it(terms: Terms, after_s: list[float | None]) -> None:
    assert sent_after_s(["a", "a", "b", "b"], terms) == after_s


@pytest.mark.parametrize(
    ("after_s", "text", "would"),
    [
        (0.0, "It would start at once.", Would.START),
        (90.0, "After 90 s at the earliest: it would start at once.", Would.QUEUE),
        (None, "Once others of the bulk have ended: it would start at once.", Would.QUEUE),
    ],
)
def test_a_forecast_tells_when_it_would_be_asked(after_s: float | None, text: str, would: Would) -> None:
    told = paced(STARTS, after_s)

    assert (told.text, told.would) == (text, would)


def test_what_would_be_merged_is_merged_later_too() -> None:
    assert paced(Forecast(would=Would.MERGE, text="It would be taken for another."), None).would is Would.MERGE
