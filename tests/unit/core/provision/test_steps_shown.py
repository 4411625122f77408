"""How the steps of a request are shown: before it begins, while it runs, and afterwards."""

from dataclasses import replace
from typing import Any

from castiron.actors.core.provision.catalogue import OWN
from castiron.actors.core.provision.planning import plan
from castiron.actors.core.provision.run import Progress, Run
from castiron.actors.core.provision.steps import Step
from castiron.actors.core.telling.steps import steps_of, summaries
from castiron.actors.core.views import request_view
from castiron.store.records import RequestRecord
from castiron.transport.errors import StepFailed
from castiron.transport.verbs import NodeProvisionSet, StepWish, arguments_of, tag_of
from castiron.transport.vocabulary import Instant, ProvisionState, ProvisionTarget, RequestState, StepState
from tests.support.store_records import plain_request

VERB = NodeProvisionSet(
    node="n1",
    target=ProvisionTarget.UNDEPLOY,
    steps=[StepWish(step="power_off"), StepWish(step="wait", args={"seconds": 1.0})],
)
PLAN = {**plan(VERB, OWN, 600.0), "clean": [Step(name="erase", interface="deploy", step="erase").to_map()]}
OFF, WAIT = (Step.from_map(one) for one in PLAN["undeploy"])
FAILED: dict[str, Any] = {
    "state": StepState.FAILURE,
    "attempts": 1,
    "started_at": Instant(5.0),
    "ended_at": Instant(7.0),
}
DONE: dict[str, Any] = {"state": StepState.SUCCESS, "attempts": 1, "started_at": Instant(5.0), "ended_at": Instant(7.0)}


def request(**fields: Any) -> RequestRecord:
    asked = plain_request(verb=tag_of(VERB), arguments=arguments_of(VERB))
    return replace(asked, **{"progress": {"plan": PLAN}, **fields})


def shown(record: RequestRecord) -> list[tuple[str, str]]:
    return [(step.name, step.state.value) for step in steps_of(record)]


def test_before_it_begins_all_steps_of_all_its_lists_are_to_come() -> None:
    assert shown(request()) == [("power_off", "pending"), ("wait", "pending"), ("erase", "pending")]


def test_while_it_runs_each_step_stands_where_it_stands_and_the_next_list_is_to_come() -> None:
    run = Run(
        stage=ProvisionState.DELETING,
        steps=(
            Progress(step=OFF, **DONE, result={"power_state": "power off"}),
            Progress(step=WAIT, state=StepState.RUNNING, attempts=2, started_at=Instant(7.0)),
        ),
    )
    record = request(state=RequestState.RUNNING, progress={**run.progress(), "plan": PLAN})

    assert shown(record) == [("power_off", "success"), ("wait", "running"), ("erase", "pending")]
    off, wait, _ = request_view(record).steps
    assert (off.attempts, off.started_at, off.ended_at, off.result) == (1, 5.0, 7.0, {"power_state": "power off"})
    assert (wait.attempts, wait.started_at, wait.ended_at, wait.error) == (2, 7.0, None, None)


def test_in_its_second_list_those_of_the_first_are_still_shown() -> None:
    first = Run(stage=ProvisionState.DELETING, steps=(Progress(step=OFF, **DONE), Progress(step=WAIT, **DONE)))
    erase = Step.from_map(PLAN["clean"][0])
    second = Run(stage=ProvisionState.CLEANING, steps=(Progress(step=erase, state=StepState.RUNNING, attempts=1),))
    record = request(result={"steps": summaries(first)}, progress={**second.progress(), "plan": PLAN})

    assert shown(record) == [("power_off", "success"), ("wait", "success"), ("erase", "running")]


def test_of_one_that_has_ended_its_result_and_its_error_tell() -> None:
    error = StepFailed("It did not.").to_wire()
    run = Run(
        stage=ProvisionState.DELETING,
        steps=(
            Progress(step=OFF, **DONE),
            Progress(step=WAIT, **FAILED, error=error),
        ),
    )
    well = request(state=RequestState.SUCCEEDED, progress={}, result={"steps": summaries(run)[:1]})
    failed = StepFailed("It did not.", details={"steps": summaries(run)})
    ill = request(state=RequestState.FAILED, progress={}, error=failed.to_wire())

    assert shown(well) == [("power_off", "success")]
    assert shown(ill) == [("power_off", "success"), ("wait", "failure")]
    assert (steps_of(ill)[1].error or {})["code"] == "step.failed"


def test_what_a_later_castiron_tells_of_a_step_is_left_out() -> None:
    told = {"name": "power_off", "state": "success", "attempts": 1, "colour": "red"}

    assert shown(request(progress={}, result={"steps": [told]})) == [("power_off", "success")]


def test_other_requests_have_no_steps() -> None:
    assert steps_of(plain_request(result={"steps": [{"name": "x", "state": "success"}]})) == []
