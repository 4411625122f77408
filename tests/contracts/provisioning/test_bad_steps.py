"""Steps of plug-ins that misbehave: their node fails with the reason, and nobody else notices."""

from typing import Any

import pytest

from castiron.actors.steps.results import MAX_REPORTS
from castiron.transport.errors import StepInvalid
from castiron.transport.vocabulary import EventType
from tests.contracts.provisioning.conftest import IN_EACH_MANNER, Begin
from tests.support.moving import NOTHING, Story

pytestmark = IN_EACH_MANNER

BAD = {
    "raises": ("step.failed", "ValueError: not on n1"),
    "exits": ("step.failed", "SystemExit"),
    "rubbish": ("step.failed", "returned str"),
    "unstorable": ("step.failed", "cannot be stored"),
    "immense": ("step.failed", "bytes"),
    "unsayable": ("step.failed", "Unsayable: what cannot be put into words"),
    "lacks_key": ("step.failed", "raised KeyError: 'n1'"),
    "trapdoor": ("step.failed", "cannot be stored: 5"),
    "tells_rubbish": ("step.failed", "What is reported cannot be stored"),
    "tells_number": ("step.failed", "What is reported is int; it takes a map."),
    "hangs": ("step.timeout", "had not ended by its time"),
}
"""Step → the failure of its node."""


@pytest.mark.parametrize("step", BAD)
def test_a_step_that_misbehaves_fails_its_node_and_nobody_else_notices(begin: Begin, step: str) -> None:
    story = begin(max_workers=2)
    story.node("n1")
    story.node("n2")
    bad = story.move("n1", "deploy", [{"interface": "test", "step": step, "timeout_s": 0.5}, "power_on"])
    good = story.move("n2", "deploy", ["test.nap", "power_on"])

    error = story.ended(bad, "failed").view.error or {}

    code, said = BAD[step]
    assert error["code"] == code, error
    assert said in error["message"]
    assert error["details"]["step"] == f"test.{step}"
    node = story.show("n1")
    assert (node.provision_state, node.last_error, node.power_state) == ("deploy failed", error["message"], None)
    story.ended(good)
    story.ended(story.move("n1", "deploy", NOTHING))
    assert (story.client.status().actors["restarts"], story.client.status().actors["crashes"]) == (0, 0)


def test_a_step_that_tells_of_its_progress_without_end_is_heard_so_often(begin: Begin) -> None:
    story = begin()
    story.node("n1")

    request = story.ended(story.move("n1", "deploy", ["test.tells_all"]))

    assert story.kinds(request).count(EventType.STEP_PROGRESS) == MAX_REPORTS


def test_steps_that_hang_leave_their_places_to_others(begin: Begin) -> None:
    story = begin(max_workers=1, max_coroutines=1)
    story.node("n1")
    story.node("n2")
    hangs = story.move("n1", "deploy", [{"interface": "test", "step": "hangs", "timeout_s": 0.3}])
    story.at("n1", "deploying")

    story.ended(story.move("n2", "deploy", ["test.nap"]))

    story.ended(hangs, "failed")
    shares = story.client.status().shares
    share = next(shares[name] for name in ("steps", "coroutine_steps") if shares[name].left_behind)
    assert (share.busy, share.left_behind, share.oldest) == (0, 1, "n1 test.hangs")
    assert (shares["steps"].limit, shares["coroutine_steps"].limit) == (1, 1)


def test_what_a_step_did_after_it_was_left_behind_is_heard_by_nobody(begin: Begin) -> None:
    story = begin()
    story.node("n1")
    late = {"interface": "test", "step": "long_nap", "timeout_s": 0.2, "name": "late"}
    story.ended(story.move("n1", "deploy", [late]), "failed")

    story.ended(story.move("n1", "deploy", NOTHING))

    assert story.show("n1").provision_state == "active"


WRONG: dict[str, tuple[list[Any], str]] = {
    "an unknown step": (["power_on", "bios.apply"], "$.steps[1]"),
    "an unknown interface": (["test.power_on"], "$.steps[0]"),
    "an unknown argument": ([{"step": "power_on", "args": {"x": 1}}], "$.steps[0].args.x"),
    "an argument that is missing": ([{"interface": "test", "step": "agent"}], "$.steps[0].args.path"),
    "an argument of another type": ([{"step": "wait", "args": {"seconds": "1"}}], "$.steps[0].args.seconds"),
    "an argument that is too large": ([{"step": "wait", "args": {"seconds": 1e9}}], "$.steps[0].args.seconds"),
    "a step after one that is not there": ([{"step": "power_on", "after": ["x"]}], "$.steps[0].after"),
    "steps that wait for each other": (
        [{"step": "power_on", "name": "a", "after": ["b"]}, {"step": "power_off", "name": "b", "after": ["a"]}],
        "$.steps",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_list_that_is_wrong_is_refused_whole_with_its_path(story: Story, what: str) -> None:
    steps, path = WRONG[what]
    before, told = story.node("n1"), story.told("n1")

    with pytest.raises(StepInvalid) as refusal:
        story.move("n1", "deploy", steps)

    assert refusal.value.details["path"] == path
    assert story.show("n1") == before
    assert story.told("n1") == told
