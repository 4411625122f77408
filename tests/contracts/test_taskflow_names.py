"""What castiron leans on of TaskFlow: its names are there, and ours is a backend by its own tests of one."""

import re
import threading
import unittest
from pathlib import Path
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


def test_every_name_that_has_a_type_of_ours_is_there() -> None:
    stub = Path(library.__file__).with_suffix(".pyi").read_text()
    named = set(re.findall(r"^(?:class|def) (\w+)|^(\w+): Final", stub, re.MULTILINE))

    missing = {one or other for one, other in named} - vars(library).keys() - {"Notifier", "Storage"}  # met by value

    assert missing == set()


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
