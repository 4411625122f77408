"""What Pykka's own tests are given in place of its threading actors: dispatched ones, on a pool of four threads.

Runs inside of Pykka's unpacked source distribution, whose conftest imports these fixtures last.
"""

import time
from collections.abc import Generator
from importlib import import_module
from threading import Event
from typing import Any
from unittest import mock

import pytest

from castiron.actors.dispatch.future import DispatchedFuture
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.dispatch.pooled import DispatchedActor


class Mocker:
    """The four names of pytest-mock that Pykka's tests use, without pytest-mock."""

    Mock = mock.Mock
    MagicMock = mock.MagicMock
    NonCallableMock = mock.NonCallableMock

    def __init__(self) -> None:
        self.patch = self
        self._patches: list[Any] = []

    def object(self, *args: Any, **kwargs: Any) -> Any:
        self._patches.append(mock.patch.object(*args, **kwargs))
        return self._patches[-1].start()

    def undo(self) -> None:
        while self._patches:
            self._patches.pop().stop()


@pytest.fixture
def mocker() -> Generator[Mocker]:
    mocker = Mocker()
    yield mocker
    mocker.undo()


@pytest.fixture(scope="session")
def runtime() -> Generator[Any]:
    pool = PoolDispatcher(4)

    class Dispatched(DispatchedActor):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, dispatcher=pool, **kwargs)

    yield import_module("tests.types").Runtime(
        name="dispatched",
        actor_class=Dispatched,
        event_class=Event,
        future_class=DispatchedFuture,
        sleep_func=time.sleep,  # noqa: TID251 - handed to Pykka's tests, which ask for it
    )
    assert pool.counters()["turns"] > 100, "the tests ran on something else"
    assert pool.stop(5) == []
