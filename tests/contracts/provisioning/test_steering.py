"""Work that is steered while it goes on: aborted in every state in which there is any, held, let go on."""

from pathlib import Path

import pytest

from castiron.transport.errors import NodeStateInvalid
from castiron.transport.vocabulary import EventType
from tests.contracts.provisioning.conftest import IN_EACH_MANNER, Begin
from tests.support.deadline import until
from tests.support.moving import NOTHING, Story, standing
from tests.support.step_plugin import notes

WORK = {
    "verifying": ("enroll", "manage", "enroll"),
    "inspecting": ("manageable", "inspect", "inspect failed"),
    "cleaning": ("manageable", "provide", "clean failed"),
    "adopting": ("manageable", "adopt", "adopt failed"),
    "deploying": ("available", "deploy", "deploy failed"),
    "deleting": ("active", "undeploy", "error"),
    "rescuing": ("active", "rescue", "rescue failed"),
    "unrescuing": ("rescue", "unrescue", "unrescue failed"),
    "servicing": ("active", "service", "service failed"),
}
"""State with work → how to get there, and where an abort leads."""
WAITS = {
    "inspecting": "inspect wait",
    "cleaning": "clean wait",
    "deploying": "wait call-back",
    "rescuing": "rescue wait",
    "servicing": "service wait",
}
HOLDS = {"cleaning": "clean hold", "deploying": "deploy hold", "servicing": "service hold"}


@pytest.fixture
def story(begin: Begin) -> Story:
    """A step that is asked to stop does so at once; whoever waited for a command's time would wait for too long."""
    return begin(command_timeout_s=60.0)


def abort_there(story: Story, at: str, step: str, where: str) -> None:
    """Bring a node there, abort what goes on, and see where it leads."""
    state, target, failed = WORK[at]
    story.node("n1", state)
    request = story.move("n1", target, [step, *NOTHING])
    story.at("n1", where)

    story.client.provision.abort("n1")

    ended = story.ended(request, "failed")
    assert (ended.view.error or {})["code"] == "request.aborted"
    node = story.show("n1")
    assert node.provision_state == failed
    assert node.active_request is None
    assert node.last_error == (ended.view.error or {})["message"]
    assert story.kinds(request)[-1] == EventType.PROVISION_SET_ERROR
    assert story.client.provision.steps("n1").steps == []


@IN_EACH_MANNER
@pytest.mark.parametrize("at", WORK)
def test_work_is_aborted_in_every_state_in_which_there_is_any(story: Story, at: str) -> None:
    abort_there(story, at, "test.long_nap", at)


@pytest.mark.parametrize("at", WAITS)
def test_what_waits_for_somebody_is_aborted(story: Story, at: str) -> None:
    abort_there(story, at, "wait", WAITS[at])


@pytest.mark.parametrize("at", HOLDS)
def test_what_is_held_is_aborted(story: Story, at: str) -> None:
    abort_there(story, at, "hold", HOLDS[at])


@IN_EACH_MANNER
def test_a_step_that_does_not_heed_its_abort_is_left_behind_within_the_time_of_a_command(begin: Begin) -> None:
    story = begin(command_timeout_s=0.3)
    story.node("n1")
    request = story.move("n1", "deploy", ["test.hangs"])
    story.at("n1", "deploying")

    story.client.provision.abort("n1")

    assert (story.ended(request, "failed").view.error or {})["code"] == "request.aborted"
    assert story.show("n1").provision_state == "deploy failed"


def test_a_step_that_must_not_be_interrupted_ends_first(story: Story) -> None:
    story.node("n1")
    wait = {"step": "wait", "args": {"seconds": 1.0}, "abortable": False}
    request = story.move("n1", "deploy", [wait, "power_on"])
    until(lambda: [one.state for one in story.client.provision.steps("n1").steps[:1]] == ["running"])

    story.client.provision.abort("n1")

    view = story.ended(request, "failed").view
    steps = {one["name"]: one["state"] for one in (view.error or {})["details"]["steps"]}
    assert steps == {"wait": "success", "power_on": "pending"}


@IN_EACH_MANNER
def test_an_abort_of_the_request_is_an_abort_of_the_work(story: Story, tmp_path: Path) -> None:
    story.node("n1")
    trace = tmp_path / "trace"
    request = story.move("n1", "deploy", [{"interface": "test", "step": "back", "args": {"path": str(trace)}}, "wait"])
    story.at("n1", "wait call-back")

    aborted = request.abort()

    assert (aborted.state, aborted.view.aborted_by is not None) == ("failed", True)
    assert notes(trace) == ["do-1", "undo"]
    assert standing(story.show("n1")) == ("deploy failed", "active")


def test_where_nothing_goes_on_there_is_nothing_to_steer(story: Story) -> None:
    before, told = story.node("n1"), story.told("n1")

    for order in (story.client.provision.abort, story.client.provision.hold, story.client.provision.unhold):
        with pytest.raises(NodeStateInvalid):
            order("n1")

    assert story.show("n1") == before
    assert story.told("n1") == told


@pytest.mark.parametrize("at", HOLDS)
def test_work_is_held_between_two_steps_and_goes_on(story: Story, at: str) -> None:
    state, target, _ = WORK[at]
    story.node("n1", state)
    request = story.move("n1", target, ["wait", "power_on"])
    token = story.token("n1")
    story.client.provision.hold("n1")
    story.client.provision.hold("n1")
    assert story.show("n1").provision_state == WAITS[at], "a step is under way"

    story.client.provision.step_done("n1", token)

    story.at("n1", HOLDS[at])
    assert [one.state for one in story.client.provision.steps("n1").steps] == ["success", "pending"]
    assert story.show("n1").power_state in (None, "power off")
    story.client.provision.unhold("n1")
    story.ended(request)
    assert story.show("n1").power_state == "power on"


def test_a_hold_that_is_taken_back_in_time_holds_nothing(story: Story) -> None:
    story.node("n1")
    request = story.move("n1", "deploy", ["wait", "power_on"])
    token = story.token("n1")

    story.client.provision.hold("n1")
    story.client.provision.unhold("n1")
    story.client.provision.step_done("n1", token)

    story.ended(request)
    states = [event.payload["provision_state"] for event in story.told("n1", types=["node.provision_set.*"])]
    assert "deploy hold" not in states


def test_a_state_that_cannot_be_held_says_so(story: Story) -> None:
    story.node("n1", "manageable")
    request = story.move("n1", "inspect", ["test.long_nap"])
    story.at("n1", "inspecting")

    with pytest.raises(NodeStateInvalid):
        story.client.provision.hold("n1")

    story.client.provision.abort("n1")
    story.ended(request, "failed")


def test_what_is_aborted_is_tried_again(story: Story) -> None:
    story.node("n1")
    first = story.move("n1", "deploy", ["wait"])
    story.at("n1", "wait call-back")
    story.client.provision.abort("n1")
    story.ended(first, "failed")

    story.ended(story.move("n1", "deploy", NOTHING))

    node = story.show("n1")
    assert (standing(node), node.last_error) == (("active", None), None)
