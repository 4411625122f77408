"""An engine is for lists at which something is done: one that waits, or is held, lends its own, and takes it again."""

from pathlib import Path

import pytest

from castiron.transport.clients.provisioning.moves import AnyStep
from castiron.transport.replies import Gauge
from castiron.transport.vocabulary import EventType, TaskExecutor
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.moving import NOTHING, PATIENCE_S, Story
from tests.support.step_plugin import notes

pytestmark = pytest.mark.parametrize("executor", [TaskExecutor.TASKFLOW], indirect=True)
WAITS = {"wait": "wait call-back", "agent": "wait call-back", "hold": "deploy hold", "pause": "deploying"}


def queue(story: Story, name: str) -> Gauge:
    return story.client.status().queues[name]


def resting(story: Story, name: str, tmp_path: Path, kind: str) -> None:
    """Have a node wait; its second step has not begun."""
    steps: dict[str, AnyStep] = {
        "wait": "wait",
        "agent": {"interface": "test", "step": "agent", "args": {"path": str(tmp_path / f"token-{name}")}},
        "hold": "hold",
        "pause": {"step": "wait", "args": {"seconds": 600}},
    }
    after: AnyStep = {"interface": "test", "step": "twice", "args": {"path": str(tmp_path / "notes")}}
    story.move(name, "deploy", [steps[kind], after])
    story.at(name, WAITS[kind])


def busy(story: Story, name: str, tmp_path: Path) -> Path:
    """Have a node hold an engine until a file is gone; return the file."""
    gate = tmp_path / f"gate-{name}"
    gate.touch()
    args = {"path": str(tmp_path / f"notes-{name}"), "gate": str(gate)}
    story.move(name, "deploy", [{"interface": "test", "step": "blind", "args": args}])
    until(lambda: bool(notes(tmp_path / f"notes-{name}")), timeout_s=PATIENCE_S)
    return gate


@pytest.mark.parametrize("kind", WAITS)
def test_what_waits_lends_its_engine_and_others_are_deployed_with_it(begin: Begin, tmp_path: Path, kind: str) -> None:
    story = begin(max_engines=1)
    for name in ("n1", "n2", "n3"):
        story.node(name)

    resting(story, "n1", tmp_path, kind)
    resting(story, "n2", tmp_path, kind)

    until(lambda: queue(story, "engines").used == 0, timeout_s=PATIENCE_S)
    assert queue(story, "actions").used == 2, "they run"
    story.ended(story.move("n3", "deploy", ["power_on"]))


def test_who_goes_on_waits_for_an_engine_in_the_order_of_all_and_shows_it(begin: Begin, tmp_path: Path) -> None:
    story = begin(max_engines=1)
    for name in ("n1", "n2", "n3", "n4"):
        story.node(name)
    resting(story, "n1", tmp_path, "wait")
    resting(story, "n2", tmp_path, "wait")
    gate = busy(story, "n3", tmp_path)

    story.client.provision.step_done("n2", story.token("n2"))
    newcomer = story.move("n4", "deploy", NOTHING)
    story.client.provision.step_done("n1", story.token("n1"))

    until(lambda: queue(story, "engines_waiting").used == 2, timeout_s=PATIENCE_S)
    assert (queue(story, "engines").used, queue(story, "actions_waiting").used) == (1, 1)
    assert story.show("n1").provision_state == "wait call-back", "nothing is done to it yet"
    assert "waits for an engine" in story.client.nodes.explain("n1").findings[0].text
    assert notes(tmp_path / "notes") == []

    gate.unlink()
    for name in ("n1", "n2", "n3", "n4"):
        story.at(name, "active")
    ends = [event.node for event in story.told(types=[EventType.PROVISION_SET_END]) if event.request is not None][-4:]
    assert ends == ["n3", "n2", "n4", "n1"]
    assert newcomer.wait(timeout_s=PATIENCE_S).state == "succeeded"
    until(lambda: (queue(story, "engines").used, queue(story, "engines_waiting").used) == (0, 0))


@pytest.mark.parametrize("how", ["abort", "fails", "late", "times out"])
def test_what_is_given_up_waits_for_no_engine(begin: Begin, tmp_path: Path, how: str) -> None:
    story = begin(max_engines=1, deploy_callback_timeout_s=0.5 if how == "late" else 600.0)
    for name in ("n1", "n2"):
        story.node(name)
    undone = {"interface": "test", "step": "back", "args": {"path": str(tmp_path / "undone")}}
    timeout_s = 3.0 if how == "times out" else None
    request = story.move("n1", "deploy", [undone, "wait", "power_on"], timeout_s=timeout_s)
    token = story.token("n1")
    gate = busy(story, "n2", tmp_path)
    if how in ("abort", "times out"):
        story.client.provision.step_done("n1", token)
        until(lambda: queue(story, "engines_waiting").used == 1, timeout_s=PATIENCE_S)
    if how == "abort":
        story.client.provision.abort("n1")
    elif how == "fails":
        story.client.provision.step_done("n1", token, error="no disk")

    error = story.ended(request, "failed").view.error or {}

    codes = {
        "abort": "request.aborted",
        "fails": "step.failed",
        "late": "step.timeout",
        "times out": "deadline.exceeded",
    }
    assert error["code"] == codes[how]
    assert notes(tmp_path / "undone") == ["do-1", "undo"]
    assert (queue(story, "engines").used, queue(story, "engines_waiting").used) == (1, 0), "the other's"
    gate.unlink()
    story.at("n2", "active")


def test_a_list_that_waits_for_an_engine_is_held_at_once_and_goes_on_later(begin: Begin, tmp_path: Path) -> None:
    story = begin(max_engines=1)
    for name in ("n1", "n2"):
        story.node(name)
    resting(story, "n1", tmp_path, "wait")
    gate = busy(story, "n2", tmp_path)
    story.client.provision.step_done("n1", story.token("n1"))
    until(lambda: queue(story, "engines_waiting").used == 1, timeout_s=PATIENCE_S)

    assert story.client.provision.hold("n1").provision_state == "deploy hold"

    until(lambda: queue(story, "engines_waiting").used == 0, timeout_s=PATIENCE_S)
    gate.unlink()
    story.at("n2", "active")
    assert notes(tmp_path / "notes") == []
    story.client.provision.unhold("n1")
    story.at("n1", "active")
    assert notes(tmp_path / "notes") == ["twice"]
