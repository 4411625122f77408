"""Moves and their times: one for the whole of it, one for each pause, over restarts, too."""

import pytest

from castiron.transport.verbs import StepWish
from castiron.transport.vocabulary import Applied, ProvisionState, ProvisionTarget, RequestState
from tests.support.step_work import Luck
from tests.unit.core.provision.test_lives import go, node


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("waiting", ["wait", "hold", StepWish(step="wait", args={"seconds": 600})])
def test_a_move_that_has_not_ended_by_its_time_goes_back_and_fails(waiting: str | StepWish, crash: bool) -> None:
    made = node(ProvisionState.AVAILABLE)
    at = made.now
    request = go(made, ProvisionTarget.DEPLOY, "back", waiting, "twice", timeout_s=100.0)
    assert made.requests[request].state is RequestState.RUNNING
    if crash:
        made.crash(200.0)

    made.run_until(max(at + 100.0, made.now) + 2.0)

    ended = made.requests[request]
    assert (ended.state, (ended.error or {})["code"]) == (RequestState.FAILED, "deadline.exceeded")
    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED
    assert made.bench.done == [("execute", "test.back"), ("revert", "test.back")]
    assert "100 s" in str(made.record.last_error)
    made.check_ended()


def test_a_step_that_runs_when_the_time_of_the_move_is_over_is_asked_to_stop() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.HANGS)

    request = go(made, ProvisionTarget.DEPLOY, "twice", "back", timeout_s=5.0)

    ended = made.requests[request]
    assert (ended.state, ended.applied) == (RequestState.FAILED, Applied.UNKNOWN)
    assert ("execute", "test.back") not in made.bench.done
    made.run_until(made.now + 100.0)
    made.check_ended()


def test_a_move_that_ends_in_time_leaves_no_timer_behind() -> None:
    made = node(ProvisionState.ACTIVE)

    request = go(made, ProvisionTarget.UNDEPLOY, timeout_s=1000.0)

    assert made.requests[request].state is RequestState.SUCCEEDED
    made.check_ended()


def test_a_pause_goes_on_after_a_restart_for_the_time_that_is_left() -> None:
    made = node(ProvisionState.AVAILABLE)
    at = made.now
    pause = StepWish(step="wait", args={"seconds": 600}, timeout_s=1000.0)
    request = go(made, ProvisionTarget.DEPLOY, pause)

    made.crash(200.0)
    made.run_until(at + 599.0)
    assert made.requests[request].state is RequestState.RUNNING
    made.run_until(at + 602.0)

    assert made.requests[request].state is RequestState.SUCCEEDED
