"""A turn that is slow on purpose, in a real conductor: the log names the node, the message and the request, once."""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.conductor import Conductor
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Call, Driver, Outcome, SetPower
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.settings import Settings
from tests.support.deadline import until

SLOW_S = 0.05


class Blocking(FakeDriver):
    """A driver with a bug: it blocks the actor that hands it a control."""

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        if isinstance(call.operation, SetPower):
            threading.Event().wait(SLOW_S * 1.5)
        super().submit(call, done)


def blocking_drivers(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
    del settings, shares
    return {"fake": Blocking(clock)}


def test_node_message_and_request_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(slow_turn_s=SLOW_S)
    endpoint = f"ipc://{tmp_path}/door"
    with (
        Conductor(endpoint=endpoint, settings=settings, drivers=blocking_drivers) as conductor,
        conductor.client(timeout_s=20) as client,
    ):
        client.nodes.create("n1", driver="fake", driver_info={"fake_password": "a-secret-value"})
        ids: list[str] = []
        for target in ("power on", "power off", "power on"):
            request = client.nodes.power("n1", target)
            ids.append(request.id)
            request.wait(timeout_s=20)
        until(lambda: client.status().slow_turns.count >= 3)
        told = client.status().slow_turns

    said = [record for record in caplog.records if record.name.endswith("slowness")]
    (line,) = [record for record in said if ids[0] in record.message]
    assert line.levelno == logging.WARNING
    assert line.message.startswith("node n1 was slow: 0.")
    assert f" of request {ids[0]}" in line.message
    assert line.__dict__["request"] == ids[0]
    first = line.message.partition(" s in ")[2].partition(" ")[0]
    assert sum(f" s in {first}" in record.message for record in said) == 1, "of one actor and message a line a minute"
    assert (told.actor, told.request) == ("node n1", ids[2])
    assert told.lasted_s is not None
    assert told.lasted_s >= SLOW_S
    assert "a-secret-value" not in caplog.text
