"""What castiron leans on of TaskFlow: its names are there, and ours is a backend by its own tests of one."""

import threading
import unittest
from typing import Any

import pytest
from taskflow.tests.unit.persistence.base import (  # pyright: ignore[reportMissingTypeStubs] - it ships none
    PersistenceTestMixin,
)

from castiron.actors.core.provision.run import Begin, Progress, Run
from castiron.actors.core.provision.steps import Step
from castiron.actors.executors.taskflow import library
from castiron.actors.executors.taskflow.engine import FlowEngine
from castiron.actors.executors.taskflow.pages import Pages
from castiron.transport.vocabulary import EngineMode, ProvisionState


@pytest.mark.parametrize("name", library.__all__)
def test_the_name_is_there(name: str) -> None:
    assert getattr(library, name) is not None


class TestPages(PersistenceTestMixin, unittest.TestCase):  # type: ignore[misc]  # TaskFlow ships no types
    """TaskFlow's tests of what a backend must do."""

    def setUp(self) -> None:
        self.pages = Pages()

    def _get_connection(self) -> Any:
        return self.pages.get_connection()


@pytest.mark.parametrize("mode", EngineMode)
def test_an_engine_that_waits_for_its_steps_holds_no_thread(mode: EngineMode) -> None:
    steps = tuple(Progress(step=Step(name=name, interface="test", step=name, after=())) for name in "abc")
    run = Run(stage=ProvisionState.CLEANING, mode=mode, steps=steps)
    before = threading.active_count()

    engine = FlowEngine("k", run)

    assert engine.moves(run).moves[0] == Begin(0)
    assert threading.active_count() == before
    engine.close()
