"""The registry: built-in drivers, plug-ins, and plug-ins that do not load."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import Target
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.drivers.generations import Generations
from castiron.actors.drivers.registry import GROUP, Registry
from castiron.transport.errors import ArgumentInvalid
from castiron.transport.vocabulary import NodeUUID


def plugin(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


@pytest.fixture
def clock() -> Iterator[SystemClock]:
    made = SystemClock()
    yield made
    made.stop(5)


def test_the_built_in_drivers_are_there_and_made_once(clock: SystemClock) -> None:
    registry = Registry(clock)

    assert {"fake", "ipmi", "redfish"} <= set(registry.names())
    assert registry.made() == {}
    assert registry.get("fake") is registry.get("fake")
    assert registry.get("ipmi").name == "ipmi"
    assert set(registry.made()) == {"fake", "ipmi"}
    registry.stop(5)
    assert not any(driver.is_alive() for driver in registry.made().values())


def test_knowing_the_drivers_does_not_load_them() -> None:
    script = (
        "import sys, castiron.actors.drivers.registry as registry;"
        "sys.exit('pyghmi' in sys.modules or 'castiron.actors.drivers.fake' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0


def test_an_unknown_driver_is_refused_with_the_nearest_one(clock: SystemClock) -> None:
    with pytest.raises(ArgumentInvalid, match="There are fake, ipmi") as raised:
        Registry(clock, plugins=tuple[EntryPoint, ...]).get("impi")

    assert raised.value.details == {"path": "$.driver", "nearest": "ipmi"}


def test_a_plugin_is_loaded_at_its_first_use(clock: SystemClock) -> None:
    other = plugin("other", "castiron.actors.drivers.fake:FakeDriver")
    registry = Registry(clock, plugins=lambda: [other])

    assert registry.names() == ["fake", "ipmi", "other", "redfish"]
    assert isinstance(registry.get("other"), FakeDriver)


@pytest.mark.parametrize("value", ["no.such.module:Driver", "castiron.actors.drivers.fake:Nothing", "json:loads"])
def test_a_broken_plugin_is_one_line_in_the_log_and_unknown(
    clock: SystemClock, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    registry = Registry(clock, plugins=lambda: [plugin("broken", value)])

    for _ in range(2):
        with pytest.raises(ArgumentInvalid, match="does not load"):
            registry.get("broken")

    assert len(caplog.records) == 1
    assert "\n" not in caplog.text.strip()
    assert registry.names() == ["fake", "ipmi", "redfish"]
    assert registry.get("fake").is_alive()


def test_a_built_in_driver_is_not_to_be_replaced_by_a_plugin(clock: SystemClock) -> None:
    registry = Registry(clock, plugins=lambda: [plugin("fake", "no.such.module:Driver")])

    assert isinstance(registry.get("fake"), FakeDriver)


def test_generations_are_remembered_up_to_a_limit() -> None:
    generations = Generations(limit=2)

    def admit(node: str, generation: int) -> bool:
        return generations.admit(Target(node=NodeUUID(node), generation=generation, info={}))

    assert admit("a", 2)
    assert not admit("a", 1)
    assert admit("a", 2)
    assert admit("b", 1)
    assert admit("c", 1)
    assert admit("a", 1)  # the oldest was dropped
