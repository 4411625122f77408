"""Steps that are flows of TaskFlow's, and what TaskFlow as executor has of its own: slots, and where they stand."""

from pathlib import Path
from typing import Any

import pytest

from castiron.actors.settings import SettingInvalid, Settings
from castiron.transport.errors import StepInvalid
from castiron.transport.vocabulary import EventType, TaskExecutor
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.moving import PATIENCE_S, standing
from tests.support.step_plugin import notes

TASKFLOW = pytest.mark.parametrize("executor", [TaskExecutor.TASKFLOW], indirect=True)
BUILTIN = pytest.mark.parametrize("executor", [TaskExecutor.BUILTIN], indirect=True)


def flow(name: str, path: Path | None = None, **terms: Any) -> dict[str, Any]:
    return {"interface": "test", "step": name, "args": {} if path is None else {"path": str(path)}, **terms}


def gated(gate: Path) -> dict[str, str]:
    return {"path": str(gate.parent / "notes"), "gate": str(gate)}


@TASKFLOW
def test_a_flow_is_a_step_its_tasks_are_its_progress_and_what_they_provide_is_its_result(
    begin: Begin, tmp_path: Path
) -> None:
    story = begin()
    story.node("n1")

    request = story.ended(story.move("n1", "deploy", [flow("two_tasks", tmp_path / "a"), "power_on"]))

    assert notes(tmp_path / "a") == ["first", "second-n1"]
    assert (request.result or {})["steps"][0]["result"] == {"name": "n1", "loud": "N1"}
    told = [one.payload["progress"] for one in story.told("n1", types=[EventType.STEP_PROGRESS])]
    assert [(one["task"], one["state"]) for one in told] == [
        ("first", "RUNNING"),
        ("first", "SUCCESS"),
        ("second", "RUNNING"),
        ("second", "SUCCESS"),
    ]


@TASKFLOW
def test_a_flow_that_fails_takes_back_what_it_did_and_fails_its_step(begin: Begin, tmp_path: Path) -> None:
    story = begin()
    story.node("n1")

    error = story.ended(story.move("n1", "deploy", [flow("fails_halfway", tmp_path / "a")]), "failed").view.error or {}

    assert notes(tmp_path / "a") == ["done", "undone"]
    assert (error["code"], "no disk in n1" in error["message"]) == ("step.failed", True)


@TASKFLOW
def test_what_is_no_flow_fails_its_step(begin: Begin) -> None:
    story = begin()
    story.node("n1")

    error = story.ended(story.move("n1", "deploy", [flow("no_flow")]), "failed").view.error or {}

    assert "returned dict" in error["message"]


@TASKFLOW
def test_an_abort_ends_a_flow_between_two_tasks(begin: Begin) -> None:
    story = begin()
    story.node("n1")
    request = story.move("n1", "deploy", [flow("long_flow")])
    until(lambda: bool(story.told("n1", types=[EventType.STEP_PROGRESS])), timeout_s=PATIENCE_S)

    story.client.provision.abort("n1")

    assert (story.ended(request, "failed").view.error or {})["code"] == "request.aborted"
    until(lambda: story.client.status().queues["steps"].used == 0, timeout_s=PATIENCE_S)


@BUILTIN
def test_without_taskflow_a_flow_is_refused_with_its_path_before_anything_is_stored(begin: Begin) -> None:
    story = begin()
    story.node("n1")
    before = story.told()

    with pytest.raises(StepInvalid) as refusal:
        story.move("n1", "deploy", ["power_on", flow("no_flow")])

    assert refusal.value.details["path"] == "$.steps[1]"
    assert "pip install castiron[taskflow]" in str(refusal.value)
    assert story.told() == before


@TASKFLOW
def test_what_waits_for_an_engine_leaves_its_node_untouched_and_can_be_cancelled(begin: Begin, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    story = begin(max_engines=1)
    for name in ("n1", "n2", "n3"):
        story.node(name)
    holder = story.move("n1", "deploy", [{"interface": "test", "step": "blind", "args": gated(gate)}])
    until(lambda: bool(notes(tmp_path / "notes")), timeout_s=PATIENCE_S)
    before = standing(story.show("n2"))
    waits, cancelled = story.move("n2", "deploy", ["power_on"]), story.move("n3", "deploy", ["power_on"])

    queues = story.client.status().queues
    assert (queues["engines"].used, queues["engines"].limit, queues["actions_waiting"].used) == (1, 1, 2)
    assert standing(story.show("n2")) == before
    assert cancelled.cancel().state == "cancelled"
    story.client.nodes.power("n3", "power on").wait(timeout_s=PATIENCE_S).raise_for_error()  # it needs no engine

    gate.unlink()
    story.ended(holder)
    story.ended(waits)
    until(lambda: story.client.status().queues["engines"].used == 0, timeout_s=PATIENCE_S)


def test_a_node_is_told_to_wait_and_to_go_on_as_often_with_either_executor(begin: Begin) -> None:
    story = begin()
    story.node("n1")
    request = story.move("n1", "deploy", ["wait", {"step": "wait", "name": "second"}])
    story.client.provision.step_done("n1", story.token("n1"))
    until(lambda: story.client.provision.steps("n1").steps[1].state == "waiting", timeout_s=PATIENCE_S)
    story.client.provision.step_done("n1", story.token("n1"))
    story.ended(request)

    told = [one for one in story.told("n1") if one.request == request.id]
    moves = [one.payload["provision_state"] for one in told if one.type.startswith("node.provision_set")]
    assert moves == ["deploying", "wait call-back", "deploying", "wait call-back", "deploying", "active"]


def test_an_executor_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(SettingInvalid, match="task_executor: 'celery' is none"):
        Settings(task_executor="celery")


def test_without_its_extra_taskflow_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "taskflow", None)

    with pytest.raises(SettingInvalid, match=r"pip install castiron\[taskflow\]"):
        Settings(task_executor="taskflow")
