"""A conductor whose steps are castiron's own and those of a plug-in; whatever a test does, the events must add up."""

import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.vocabulary import TaskExecutor
from tests.support.moving import Story
from tests.support.step_plugin import installed

Begin = Callable[..., Story]

BLOCKING = "tests.support.step_plugin:STEPS"
IN_EACH_MANNER = pytest.mark.parametrize(
    ("executor", "steps"),
    [
        pytest.param(TaskExecutor.BUILTIN, BLOCKING, id="builtin-def"),
        pytest.param(TaskExecutor.TASKFLOW, BLOCKING, id="taskflow-def"),
        pytest.param(TaskExecutor.BUILTIN, "tests.support.awaiting_steps:ALL", id="builtin-async"),
        pytest.param(TaskExecutor.TASKFLOW, "tests.support.awaiting_steps:MIXED", id="taskflow-mixed"),
    ],
)
"""Each executor with steps that block; the one with steps that await, the other with both kinds."""


@pytest.fixture(params=list(TaskExecutor))
def executor(request: pytest.FixtureRequest) -> TaskExecutor:
    """Say who decides which step is next: whatever holds of the one must hold of the other."""
    return TaskExecutor(request.param)


@pytest.fixture
def steps() -> str:
    """Say which steps the plug-in has: written to block, to await, or both. A module asks for others by a parameter."""
    return BLOCKING


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: TaskExecutor, steps: str) -> Generator[Begin]:
    """Start a conductor with settings; what was told is checked at the end."""
    monkeypatch.setattr(sys, "path", [str(installed(tmp_path, steps)), *sys.path])
    with ExitStack() as open_until_the_end:

        def start(**settings: Any) -> Story:
            chosen = replace(Settings(sync_power_state_interval_s=0.0, task_executor=executor), **settings)
            conductor = open_until_the_end.enter_context(running_conductor(settings=chosen))
            story = Story(open_until_the_end.enter_context(conductor.client(timeout_s=20)))
            open_until_the_end.callback(story.check)
            return story

        yield start


@pytest.fixture
def story(begin: Begin) -> Story:
    return begin()
