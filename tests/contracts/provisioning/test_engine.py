"""How the steps of a list run: again after a failure, side by side, and taken back in reverse order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from castiron.transport.clients.blocking.requests import Request
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventType
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.moving import PATIENCE_S, Story, standing
from tests.support.step_plugin import notes

NAPS: Sequence[dict[str, Any]] = [
    {"interface": "test", "step": "nap", "name": f"nap-{number}", "after": []} for number in range(8)
]


def back(path: Path, name: str, **terms: Any) -> dict[str, Any]:
    """Return a step that can be taken back."""
    return {"interface": "test", "step": "back", "name": name, "args": {"path": str(path)}, **terms}


def step_events(story: Story, request: Request) -> list[EventView]:
    """Return what was told of the steps of a request."""
    return [event for event in story.told(types=["node.step.*"]) if event.request == request.id]


def most_at_once(events: Sequence[EventView]) -> int:
    """Return how many steps were under way at once, as their events say."""
    under_way = most = 0
    for event in events:
        under_way += 1 if event.type == EventType.STEP_START else -1
        most = max(most, under_way)
    return most


def test_independent_steps_run_side_by_side(begin: Begin) -> None:
    story = begin(engine_mode="parallel")
    story.node("n1")

    request = story.ended(story.move("n1", "deploy", NAPS))

    assert most_at_once(step_events(story, request)) == 8


def test_no_more_of_them_than_there_are_workers_take_the_time_of_a_worker(begin: Begin) -> None:
    story = begin(engine_mode="parallel", max_workers=2)
    story.node("n1")

    request = story.ended(story.move("n1", "deploy", NAPS))

    events = step_events(story, request)
    lasted = max(event.at for event in events) - min(event.at for event in events)
    assert lasted >= 0.4, "eight tenths of a second of work for two"


def test_in_the_serial_mode_one_step_runs_after_the_other(story: Story) -> None:
    story.node("n1")

    request = story.ended(story.move("n1", "deploy", NAPS))

    events = step_events(story, request)
    assert most_at_once(events) == 1
    assert [one.payload["name"] for one in events if one.type == EventType.STEP_START] == [one["name"] for one in NAPS]


def test_a_step_that_is_after_others_begins_when_they_have_ended(story: Story) -> None:
    story.node("n1")
    steps: list[Any] = [
        {"interface": "test", "step": "nap", "name": "a", "after": []},
        {"interface": "test", "step": "nap", "name": "b", "after": []},
        {"interface": "test", "step": "nap", "name": "c", "after": ["a", "b"]},
        {"interface": "test", "step": "nap", "name": "d", "after": ["c"]},
    ]

    request = story.ended(story.move("n1", "deploy", steps, engine_mode="parallel"))

    events = [(one.payload["name"], one.type) for one in step_events(story, request)]
    end, start = EventType.STEP_END, EventType.STEP_START
    assert events.index(("b", start)) < min(events.index(("a", end)), events.index(("b", end)))
    assert events.index(("c", start)) > max(events.index(("a", end)), events.index(("b", end)))
    assert events.index(("d", start)) > events.index(("c", end))


def test_a_step_that_fails_is_tried_again_after_its_delay(story: Story, tmp_path: Path) -> None:
    story.node("n1")
    trace = tmp_path / "trace"
    flaky = {"interface": "test", "step": "flaky", "args": {"path": str(trace), "times": 2}}

    request = story.ended(story.move("n1", "deploy", [{**flaky, "retries": 2, "retry_delay_s": 0.2}]))

    assert notes(trace) == ["try-1", "try-2", "try-3"]
    events = step_events(story, request)
    start, error, end = EventType.STEP_START, EventType.STEP_ERROR, EventType.STEP_END
    assert [one.type for one in events] == [start, error, start, error, start, end]
    for failed, again in ((1, 2), (3, 4)):
        assert events[again].at - events[failed].at >= 0.2
        assert events[failed].payload["retry_at"] <= events[again].at
    assert (request.result or {})["steps"][0]["attempts"] == 3


def test_a_step_that_fails_once_too_often_fails_the_list(story: Story, tmp_path: Path) -> None:
    story.node("n1")
    trace = tmp_path / "trace"
    flaky = {"interface": "test", "step": "flaky", "args": {"path": str(trace), "times": 2}, "retries": 1}

    error = story.ended(story.move("n1", "deploy", [flaky, "power_on"]), "failed").view.error or {}

    assert notes(trace) == ["try-1", "try-2"]
    assert error["code"] == "step.failed"
    assert "not yet" in error["message"]
    assert [(one["state"], one["attempts"]) for one in error["details"]["steps"]] == [("failure", 2), ("pending", 0)]


def test_what_was_done_is_taken_back_the_latest_first(story: Story, tmp_path: Path) -> None:
    story.node("n1")
    steps: list[Any] = [
        back(tmp_path / "a", "a"),
        back(tmp_path / "b", "b"),
        back(tmp_path / "c", "c"),
        "test.raises",
        "power_on",
    ]

    request = story.ended(story.move("n1", "deploy", steps), "failed")

    reverts = [one for one in step_events(story, request) if one.payload.get("revert")]
    assert [one.payload["name"] for one in reverts if one.type == EventType.STEP_END] == ["c", "b", "a"]
    assert most_at_once(reverts) == 1
    assert [notes(tmp_path / name) for name in "abc"] == [["do-1", "undo"]] * 3
    told = (request.view.error or {})["details"]["steps"]
    assert [one["state"] for one in told] == ["reverted"] * 3 + ["failure", "pending"]
    assert standing(story.show("n1")) == ("deploy failed", "active")


def test_what_runs_beside_a_step_that_fails_ends_before_anything_is_taken_back(story: Story, tmp_path: Path) -> None:
    story.node("n1")
    steps: list[Any] = [
        back(tmp_path / "a", "a", after=[]),
        {"interface": "test", "step": "nap", "after": []},
        {"interface": "test", "step": "raises", "after": []},
    ]

    request = story.ended(story.move("n1", "deploy", steps, engine_mode="parallel"), "failed")

    events = [(one.payload["name"], one.type, bool(one.payload.get("revert"))) for one in step_events(story, request)]
    assert events.index(("test.nap", EventType.STEP_END, False)) < events.index(("a", EventType.STEP_START, True))
    assert notes(tmp_path / "a") == ["do-1", "undo"]


def test_what_an_owner_gives_back_is_cleaned_in_the_same_request(story: Story) -> None:
    story.node("n1", "active")

    request = story.ended(story.move("n1", "undeploy"))

    states = [one.payload["provision_state"] for one in story.told("n1") if one.type.startswith("node.provision_set")]
    assert states[-3:] == ["deleting", "cleaning", "available"]
    assert [one["name"] for one in (request.result or {})["steps"]] == ["power_off"]


def test_an_inspection_puts_what_it_found_into_the_properties(story: Story) -> None:
    story.node("n1", "manageable")

    story.ended(story.move("n1", "inspect"))

    assert "device_id" in story.show("n1").properties


def test_a_step_that_waits_to_be_tried_again_is_taken_back_and_told_once_when_it_is_aborted(
    story: Story, tmp_path: Path
) -> None:
    story.node("n1")
    trace = tmp_path / "trace"
    again = {
        "interface": "test",
        "step": "half_done",
        "args": {"path": str(trace)},
        "retries": 1,
        "retry_delay_s": 60.0,
    }
    request = story.move("n1", "deploy", [again])
    until(lambda: any(one.type == EventType.STEP_ERROR for one in story.told("n1")), timeout_s=PATIENCE_S)

    story.client.provision.abort("n1")

    told = (story.ended(request, "failed").view.error or {})["details"]["steps"]
    assert [(one["state"], one["attempts"]) for one in told] == [("reverted", 1)]
    assert notes(trace) == ["half", "undo"]
    kinds = [(one.type, bool(one.payload.get("revert"))) for one in step_events(story, request)]
    start, error, end = EventType.STEP_START, EventType.STEP_ERROR, EventType.STEP_END
    assert kinds == [(start, False), (error, False), (start, True), (end, True)]


def test_a_step_that_waits_to_be_tried_again_is_taken_back_when_another_fails(story: Story, tmp_path: Path) -> None:
    story.node("n1")
    trace = tmp_path / "trace"
    again = {
        "interface": "test",
        "step": "half_done",
        "args": {"path": str(trace)},
        "retries": 1,
        "retry_delay_s": 60.0,
    }
    steps: list[Any] = [again, {"step": "wait", "after": []}]
    request = story.move("n1", "deploy", steps, engine_mode="parallel")
    token = story.token("n1")
    until(lambda: any(one.type == EventType.STEP_ERROR for one in story.told("n1")), timeout_s=PATIENCE_S)

    story.client.provision.step_done("n1", token, error="no disk")

    story.ended(request, "failed")
    assert notes(trace) == ["half", "undo"]


def test_of_steps_that_are_to_begin_at_once_none_begins_after_a_hold(begin: Begin, tmp_path: Path) -> None:
    story = begin(engine_mode="parallel")
    story.node("n1")
    steps: list[dict[str, Any]] = [
        back(tmp_path / "before", "before", after=[]),
        {"step": "hold", "after": []},
        back(tmp_path / "after", "after", after=[]),
    ]

    request = story.move("n1", "deploy", steps)

    story.at("n1", "deploy hold")
    assert (notes(tmp_path / "before"), notes(tmp_path / "after")) == (["do-1"], [])
    story.client.provision.unhold("n1")
    story.ended(request)
    assert notes(tmp_path / "after") == ["do-1"]
