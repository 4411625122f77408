"""Whoever carries a step out that was left to them has the time that was said, also over a restart."""

from castiron.transport.vocabulary import ProvisionState, ProvisionTarget
from tests.support.step_work import Luck
from tests.unit.core.provision.test_lives import ask, moves, node

SILENCE_S = 20.0
"""What a deferred step of the bench says how long its agent may be silent."""


def test_a_restart_leaves_an_agent_the_time_that_is_left() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.DEFERRED)
    ask(made, ProvisionTarget.DEPLOY, "twice")
    made.run_until(made.now + 1.0)

    made.crash(down_s=SILENCE_S / 2)
    made.run_until(made.now + SILENCE_S / 4)
    assert moves(made)[-1] == "wait call-back"
    made.run_until(made.now + SILENCE_S / 2)

    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED


def test_an_agent_whose_time_ended_while_there_was_no_conductor_is_not_waited_for() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.DEFERRED)
    request = ask(made, ProvisionTarget.DEPLOY, "twice")
    made.run_until(made.now + 1.0)

    made.crash(down_s=SILENCE_S + 1.0)
    made.run_until(made.now + 1.0)

    assert (made.requests[request].error or {})["code"] == "step.timeout"


def test_a_sign_of_life_allows_as_much_silence_as_before_also_over_a_restart() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.DEFERRED)
    ask(made, ProvisionTarget.DEPLOY, "twice")
    for _ in range(3):
        made.run_until(made.now + SILENCE_S - 5.0)
        assert made.answer(None)
        made.crash()
        made.run_until(made.now + 0.1)
    assert moves(made)[-1] == "wait call-back"

    made.run_until(made.now + SILENCE_S + 1.0)

    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED
