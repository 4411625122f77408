"""When an action's time is over: who has the last word, and what is still heard."""

import pytest

from castiron.actors.core.messages import Heard, TimerDue
from castiron.actors.core.timing import LAST_WORD_S
from castiron.actors.drivers.base import Done
from castiron.transport.vocabulary import (
    Applied,
    Instant,
    PowerState,
    RequestState,
)
from tests.support.node_settings import DRIVER_TICK_S
from tests.support.weather import FAIR, Fate, Gust
from tests.unit.core.node.messages import DEAD, bounded, ended_after, world


def test_the_driver_has_the_last_word_about_why_there_was_no_answer() -> None:
    ended, after_s = ended_after(world(PowerState.OFF, afterwards=DEAD), bounded(2.0))

    assert ended.error is not None
    assert ended.error["code"] == "bmc.unreachable"
    assert after_s == pytest.approx(2.0 + DRIVER_TICK_S)


def test_a_driver_that_never_answers_is_not_waited_for() -> None:
    ended, after_s = ended_after(world(PowerState.OFF, FAIR, afterwards=Gust(Fate.NEVER)), bounded(2.0))

    assert ended.error is not None
    assert (ended.error["code"], ended.applied) == ("power.unconfirmed", Applied.UNKNOWN)
    assert after_s == pytest.approx(2.0 + LAST_WORD_S)


def test_a_wait_ends_with_the_actions_time() -> None:
    stuck = Gust(effect_after_s=None)

    ended, after_s = ended_after(world(PowerState.OFF, afterwards=stuck), bounded(2.0))

    assert (ended.state, ended.applied) == (RequestState.FAILED, Applied.YES)
    assert after_s == pytest.approx(2.0)


def test_a_time_that_is_over_during_a_wait_ends_the_wait_too() -> None:
    node = world(PowerState.OFF, afterwards=Gust(Fate.BUSY))
    node.submit(bounded(9.0))
    node.grant()
    node.advance()
    waiting = node.state.active
    assert waiting is not None
    assert waiting.limit is not None
    del node.timers[waiting.limit]

    node.tell(TimerDue(ticket=waiting.limit))

    node.check_ended()


def test_nothing_is_sent_on_an_answer_that_comes_after_the_time() -> None:
    node = world(PowerState.OFF)
    request = node.submit(bounded(2.0))
    node.grant()
    asked = node.state.active
    assert asked is not None
    assert asked.call is not None
    node.now = Instant(asked.action.until + DRIVER_TICK_S)

    node.tell(Heard(ticket=asked.call, outcome=Done(value=PowerState.OFF)))

    assert node.machine.arrived == []
    assert node.requests[request].applied is Applied.NO


def test_a_confirmation_that_comes_with_the_last_word_counts() -> None:
    node = world(PowerState.OFF)
    request = node.submit(bounded(2.0))
    node.grant()
    asked = node.state.active
    assert asked is not None
    assert asked.call is not None
    node.now = Instant(asked.action.until + DRIVER_TICK_S)

    node.tell(Heard(ticket=asked.call, outcome=Done(value=PowerState.ON)))

    assert node.requests[request].state is RequestState.SUCCEEDED
