"""Every place in which a step can be found has a row, and judging reads it."""

from itertools import product

import pytest

from castiron.actors.core.provision.run import UNDER_WAY
from castiron.actors.core.provision.steps import Step
from castiron.actors.core.provision.takeover import TAKEOVER, Do, Nature, nature_of, takeover
from castiron.transport.vocabulary import StepState


def test_every_pair_has_a_row_with_a_reason() -> None:
    assert set(TAKEOVER) == set(product(StepState, Nature))
    assert all(len(row.why) > 8 for row in TAKEOVER.values())


def test_what_was_not_under_way_is_left_and_what_was_is_not() -> None:
    for (state, _), row in TAKEOVER.items():
        assert (row.do is Do.LEAVE) == (state not in UNDER_WAY)


def test_nothing_is_done_twice_that_may_do_harm() -> None:
    assert {do for (state, nature), (do, _) in TAKEOVER.items() if nature is Nature.BLIND and state in UNDER_WAY} == {
        Do.FAIL,
        Do.WAIT,
    }


@pytest.mark.parametrize(
    ("idempotent", "has_verify", "is_placed", "nature"),
    [
        (False, False, False, Nature.BLIND),
        (False, True, False, Nature.VERIFIABLE),
        (True, True, False, Nature.IDEMPOTENT),
        (False, False, True, Nature.PLACED),
    ],
)
def test_the_nature_of_a_step(idempotent: bool, has_verify: bool, is_placed: bool, nature: Nature) -> None:
    step = Step(name="a", interface="test", step="a", idempotent=idempotent, has_verify=has_verify)

    assert nature_of(step, is_placed=is_placed) is nature
    assert takeover(StepState.RUNNING, step, is_placed=is_placed) is TAKEOVER[StepState.RUNNING, nature].do
