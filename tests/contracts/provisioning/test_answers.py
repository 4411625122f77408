"""Steps that somebody else carries out: whoever has the token says how they ended, once, also after a restart."""

import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.errors import StepNotWaiting, StepTokenInvalid
from castiron.transport.vocabulary import EventType
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.moving import Story
from tests.support.step_plugin import installed, notes


def test_whoever_has_the_token_says_that_a_step_is_done(story: Story) -> None:
    story.node("n1")
    request = story.move("n1", "deploy", ["wait", "power_on"])

    view = story.client.provision.step_done("n1", story.token("n1"), result={"image": "fedora"})

    assert view.name == "n1"
    steps = (story.ended(request).result or {})["steps"]
    assert [(one["name"], one["state"]) for one in steps] == [("wait", "success"), ("power_on", "success")]
    assert steps[0]["result"] == {"image": "fedora"}
    moves = story.told("n1", types=["node.provision_set.*"])
    assert [one.payload["provision_state"] for one in moves if one.request == request.id] == [
        "deploying",
        "wait call-back",
        "deploying",
        "active",
    ]


def test_whoever_has_the_token_says_that_a_step_has_failed(story: Story) -> None:
    story.node("n1")
    request = story.move("n1", "deploy", ["wait", "power_on"])

    story.client.provision.step_done("n1", story.token("n1"), error="no disk", result={"disks": 0})

    error = story.ended(request, "failed").view.error or {}
    assert (error["code"], error["message"], error["details"]["result"]) == ("step.failed", "no disk", {"disks": 0})
    node = story.show("n1")
    assert (node.provision_state, node.last_error, node.power_state) == ("deploy failed", "no disk", node.power_state)


def test_a_step_of_a_plug_in_hands_its_token_to_whoever_answers(story: Story, tmp_path: Path) -> None:
    mailbox = tmp_path / "mailbox"
    story.node("n1")
    request = story.move("n1", "deploy", [{"interface": "test", "step": "agent", "args": {"path": str(mailbox)}}])
    story.at("n1", "wait call-back")
    (token,) = notes(mailbox)
    assert story.client.provision.steps("n1").steps[0].token is not None

    story.client.provision.step_progress("n1", token, {"percent": 50})
    story.client.provision.step_done("n1", token)

    story.ended(request)
    (progress,) = story.told("n1", types=[EventType.STEP_PROGRESS])
    assert progress.payload["progress"] == {"percent": 50}


def test_a_token_that_is_made_up_or_is_another_nodes_is_refused_and_nothing_moves(story: Story) -> None:
    story.node("n1")
    story.node("n2")
    requests = [story.move(name, "deploy", ["wait"]) for name in ("n1", "n2")]
    mine, others = story.token("n1"), story.token("n2")
    before, told = story.show("n1"), story.told()

    for token in ("x", "Zm9v" * 20, others, mine[:-4] + "AAA=", mine.swapcase()):
        with pytest.raises(StepTokenInvalid) as refusal:
            story.client.provision.step_done("n1", token)
        assert token not in str(refusal.value) + repr(refusal.value.details) or token == "x"
        with pytest.raises(StepTokenInvalid):
            story.client.provision.step_progress("n1", token)

    assert structs.replace(story.show("n1"), refuses={}) == structs.replace(before, refuses={}), "it tells the time"
    assert story.told() == told
    story.client.provision.step_done("n1", mine)
    story.client.provision.step_done("n2", others)
    for request in requests:
        story.ended(request)


def test_a_token_is_good_for_one_answer(story: Story) -> None:
    story.node("n1")
    request = story.move("n1", "deploy", ["wait", {"step": "wait", "name": "second"}])
    used = story.token("n1")
    story.client.provision.step_done("n1", used)
    until(lambda: story.client.provision.steps("n1").steps[1].state == "waiting")

    for answer in (story.client.provision.step_done, story.client.provision.step_progress):
        with pytest.raises(StepNotWaiting) as refusal:
            answer("n1", used)
        assert refusal.value.details["step"] == "wait"

    story.client.provision.step_done("n1", story.token("n1"))
    story.ended(request)
    with pytest.raises(StepNotWaiting):
        story.client.provision.step_done("n1", used)


def test_the_token_of_an_attempt_that_is_over_is_no_good_for_the_next(story: Story) -> None:
    story.node("n1")
    request = story.move("n1", "deploy", [{"step": "wait", "retries": 1}])
    first = story.token("n1")
    story.client.provision.step_done("n1", first, error="not yet")
    until(lambda: story.client.provision.steps("n1").steps[0].attempts == 2)

    with pytest.raises(StepNotWaiting):
        story.client.provision.step_done("n1", first)

    story.client.provision.step_done("n1", story.token("n1"))
    story.ended(request)


def test_a_token_outlives_the_conductor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(installed(tmp_path)), *sys.path])
    mailbox = tmp_path / "mailbox"
    where: dict[str, Any] = {
        "store": tmp_path / "castiron.db",
        "settings": Settings(sync_power_state_interval_s=0.0),
    }
    agent = {"interface": "test", "step": "agent", "args": {"path": str(mailbox)}}
    with running_conductor(**where) as conductor, conductor.client() as client:
        story = Story(client)
        story.node("n1")
        story.node("n2")
        requests = [story.move("n1", "deploy", ["wait", "power_on"]), story.move("n2", "deploy", [agent, "power_on"])]
        tokens = [story.token("n1"), story.token("n2")]
        assert notes(mailbox) != []

    with running_conductor(**where) as conductor, conductor.client() as client:
        story = Story(client)
        story.at("n1", "wait call-back")
        story.at("n2", "wait call-back")
        story.client.provision.step_done("n1", tokens[0])
        story.client.provision.step_done("n2", notes(mailbox)[0])
        for request in requests:
            ended = client.requests.wait(request.id, 20)
            assert ended.state == "succeeded"
            assert [one["attempts"] for one in (ended.result or {})["steps"]] == [1, 1], "nothing was done twice"
        assert len(notes(mailbox)) == 1
        story.check()


def test_whoever_is_silent_for_too_long_is_not_waited_for(begin: Begin) -> None:
    story = begin(deploy_callback_timeout_s=0.4)
    story.node("n1")
    request = story.move("n1", "deploy", ["wait"])
    token = story.token("n1")

    error = story.ended(request, "failed").view.error or {}

    assert error["code"] == "step.timeout"
    assert story.show("n1").provision_state == "deploy failed"
    with pytest.raises(StepNotWaiting):
        story.client.provision.step_done("n1", token)


def test_a_sign_of_life_gives_the_time_anew(begin: Begin) -> None:
    story = begin(deploy_callback_timeout_s=20.0)
    story.node("n1")
    request = story.move("n1", "deploy", ["wait"])
    token = story.token("n1")
    first = story.client.provision.steps("n1").steps[0].until or 0.0

    story.client.provision.step_progress("n1", token)

    until(lambda: (story.client.provision.steps("n1").steps[0].until or 0.0) > first)
    assert story.told("n1", types=[EventType.STEP_PROGRESS]) == [], "there was nothing to tell"
    story.client.provision.step_done("n1", token)
    story.ended(request)


def test_nobody_is_waited_for_where_nothing_goes_on(story: Story) -> None:
    story.node("n1")

    listed = story.client.provision.steps("n1")

    assert (listed.request, listed.steps) == (None, [])
