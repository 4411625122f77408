"""kill -9 in the middle of a list of steps: the next conductor goes on at the first step that has not ended."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from castiron.transport.errors import StoreUnavailable
from tests.support.conductor_process import ROOT, ConductorProcess, opened
from tests.support.deadline import until
from tests.support.moving import Story, check_starts, standing
from tests.support.step_plugin import installed, notes, path_with


class PluginProcess(ConductorProcess):
    """A conductor that finds the plug-in."""

    def wrapped(self, command: list[str], store: Path) -> list[str]:
        return ["env", f"PYTHONPATH={path_with(store.parent / 'plugins', ROOT)}", *command]


class World:
    """A store, a file of notes, a gate that steps wait at, and one conductor after the other."""

    def __init__(self, folder: Path, executors: tuple[str, str]) -> None:
        installed(folder)
        self._executors = iter((*executors, executors[1]))
        self._folder = folder
        self.trace = folder / "trace"
        self.gate = folder / "gate"
        self.gate.touch()

    def conductor(self, **settings: float) -> PluginProcess:
        """Return the next conductor, with the next executor."""
        values: dict[str, Any] = {
            "sync_power_state_interval_s": 0.0,
            "task_executor": next(self._executors),
            **settings,
        }
        return PluginProcess(self._folder / "castiron.db", f"ipc://{self._folder}/c.ipc", **values)

    def step(self, name: str, *, gated: bool = False) -> dict[str, Any]:
        args = {"path": str(self.trace), **({"gate": str(self.gate)} if gated else {})}
        return {"interface": "test", "step": name, "name": f"{name}-{gated}", "args": args}

    def killed_in(self, name: str, *, after: str = "blind", before: str = "twice") -> str:
        """Deploy n1, kill the conductor while a step is under way, and open the gate; return the request's id."""
        steps = [self.step(after), self.step(name, gated=True), self.step(before)]
        with self.conductor() as conductor, conductor.client() as client:
            story = Story(client)
            story.node("n1")
            request = story.move("n1", "deploy", steps)
            until(lambda: notes(self.trace) == [after, name])
            conductor.kill()
        self.gate.unlink()
        return request.id


@pytest.fixture(
    params=[("builtin", "builtin"), ("taskflow", "taskflow"), ("taskflow", "builtin")],
    ids=" then ".join,
)
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[World]:
    """The one that is killed has the first executor, its successor the second: what either leaves, both take up."""
    world = World(tmp_path, request.param)
    yield world
    with opened(tmp_path / "castiron.db"):
        pass  # it is whole


def finish(world: World, request_id: str, state: str) -> dict[str, Any]:
    """Let the next conductor go on; return the attempts of each step, or the error."""
    with world.conductor() as conductor, conductor.client() as client:
        story = Story(client)
        ended = client.requests.wait(request_id, 30)
        assert ended.state == state, ended.view
        told = story.told()
        check_starts(told, set())
        story.check()
        result: dict[str, Any] = ended.result or (ended.view.error or {})["details"]
        assert standing(story.show("n1")) == (("active", None) if state == "succeeded" else ("deploy failed", "active"))
        conductor.stop()
    return {one["name"]: (one["state"], one["attempts"]) for one in result["steps"]}


def test_a_list_goes_on_at_its_first_step_that_has_not_ended(world: World) -> None:
    request = world.killed_in("twice")

    steps = finish(world, request, "succeeded")

    assert notes(world.trace) == ["blind", "twice", "twice", "twice"]
    assert steps == {"blind-False": ("success", 1), "twice-True": ("success", 2), "twice-False": ("success", 1)}


def test_a_step_of_which_nobody_can_say_whether_it_was_done_fails_and_is_not_done_twice(world: World) -> None:
    request = world.killed_in("blind", after="twice", before="seen")

    steps = finish(world, request, "failed")

    assert notes(world.trace) == ["twice", "blind"]
    assert steps == {"twice-False": ("success", 1), "blind-True": ("failure", 1), "seen-False": ("pending", 0)}


def test_a_step_that_can_be_seen_to_be_done_is_looked_at_and_not_done_twice(world: World) -> None:
    request = world.killed_in("seen")

    steps = finish(world, request, "succeeded")

    assert notes(world.trace) == ["blind", "seen", "looked", "twice"]
    assert steps["seen-True"][0] == "success"


def test_a_wait_goes_on_for_the_time_that_is_left(world: World) -> None:
    with world.conductor(deploy_callback_timeout_s=600.0) as conductor, conductor.client() as client:
        story = Story(client)
        story.node("n1")
        request = story.move("n1", "deploy", ["wait", "power_on"])
        token = story.token("n1")
        until_at = client.provision.steps("n1").steps[0].until
        conductor.kill()

    with world.conductor(deploy_callback_timeout_s=600.0) as conductor, conductor.client() as client:
        story = Story(client)
        assert story.show("n1").provision_state == "wait call-back"
        until(lambda: client.provision.steps("n1").steps != [])
        assert client.provision.steps("n1").steps[0].until == until_at
        client.provision.step_done("n1", token)
        assert client.requests.wait(request.id, 30).state == "succeeded"
        story.check()
        conductor.stop()


def test_what_was_held_is_held_after_a_kill(world: World) -> None:
    with world.conductor() as conductor, conductor.client() as client:
        story = Story(client)
        story.node("n1")
        request = story.move("n1", "deploy", ["hold", "power_on"])
        story.at("n1", "deploy hold")
        conductor.kill()

    with world.conductor() as conductor, conductor.client() as client:
        story = Story(client)
        assert story.show("n1").provision_state == "deploy hold"
        until(lambda: client.provision.steps("n1").steps != [])
        client.provision.unhold("n1")
        assert client.requests.wait(request.id, 30).state == "succeeded"
        story.check()
        conductor.stop()


def test_a_step_that_is_begun_again_after_a_failed_commit_waits_for_its_thread_of_before(world: World) -> None:
    with world.conductor() as conductor, conductor.client() as client:
        story = Story(client)
        for name in ("n1", "n2"):
            story.node(name)
        request = story.move("n1", "deploy", [world.step("twice", gated=True)])
        until(lambda: notes(world.trace) == ["twice"])
        conductor.limit_files(1)
        with pytest.raises(StoreUnavailable):
            client.provision.hold("n1")
        conductor.limit_files(None)
        until(lambda: client.requests.show(request.id).view.attempts == 2)

        story.ended(story.move("n2", "deploy", [world.step("blind")]))
        assert notes(world.trace) == ["twice", "blind"], "two do the same at once"
        world.gate.unlink()
        story.ended(request)
        assert notes(world.trace) == ["twice", "blind", "twice"]
        conductor.stop()
