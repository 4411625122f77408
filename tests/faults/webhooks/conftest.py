"""A real conductor that calls a real HTTP server."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from castiron.actors.settings import Settings, settings_from
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from tests.support.receiver import Receiver, key_file, receiving

FAST: dict[str, Any] = {
    "sync_power_state_interval_s": 0.0,
    "webhook_timeout_s": 1.0,
    "webhook_retry_initial_s": 0.05,
    "webhook_retry_max_s": 0.2,
}

House = Callable[..., AbstractContextManager[Client]]


def house_settings(folder: Path, *prefixes: str, **changes: Any) -> Settings:
    path = changes.pop("webhook_key_file", None) or str(key_file(folder))
    return settings_from({**FAST, "webhook_allowed_prefixes": prefixes, "webhook_key_file": path, **changes})


@pytest.fixture
def receiver() -> Generator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Start a conductor with one node n1 that may call below some prefixes."""

    @contextmanager
    def start(*prefixes: str, **changes: Any) -> Generator[Client]:
        settings = house_settings(tmp_path, *prefixes, **changes)
        with (
            running_conductor(settings=settings, store=tmp_path / "castiron.db") as conductor,
            conductor.client() as one,
        ):
            if not one.nodes.list():
                one.nodes.create("n1", driver="fake", driver_info={})
            yield one

    return start
