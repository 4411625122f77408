"""A node with power checks, and how tests let them happen and count them."""

from dataclasses import replace
from typing import Any

from castiron.actors.core.effects import CallDriver, Checked
from castiron.actors.core.messages import Recover
from castiron.actors.settings import Settings
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import (
    CheckResult,
    EventType,
    PowerState,
    PowerTarget,
)
from tests.support.node_settings import SETTINGS
from tests.support.node_world import World
from tests.support.store_records import plain_node
from tests.support.weather import Fate, Gust, Machine, weather

EVERY_S = 25.0
CHECKED = replace(SETTINGS, sync_power_state_interval_s=EVERY_S, power_check_start_spread_s=10.0)
FORCING = replace(CHECKED, force_power_state_during_sync=True)
SILENT = Gust(fate=Fate.LOST, takes_s=4.0)
START = 10_000.0
ON, OFF = PowerState.ON, PowerState.OFF


POWER_OFF = NodePowerSet(node="n1", target=PowerTarget.OFF)


def begun(settings: Settings = CHECKED, *, power: PowerState = ON, **record: Any) -> World:
    """A node that has been started, its machine in the state on record."""
    node = World(
        record=replace(plain_node(), **{"power_state": power, **record}),
        machine=Machine(power=power),
        settings=settings,
    )
    node.tell(Recover())
    return node


def counted(node: World) -> list[CheckResult]:
    """Let a check happen, and return what the decisions since then have counted."""
    results: list[CheckResult] = []
    while not results:
        assert node.advance()
        results = [effect.result for effect in node.effects if isinstance(effect, Checked)]
    return results


def checks(node: World, until: float) -> list[float]:
    """Return when the checks up to then began."""
    times: list[float] = []
    while True:
        due = [*node.timers.values(), *(at for at, _ in node.calls.values())]
        if not due or min(due) > until:
            return times
        node.advance()
        times += [node.now for effect in node.effects if isinstance(effect, CallDriver) and effect.gives_way]


def kinds(node: World) -> list[EventType]:
    return [event.type for event in node.events]


def fail(node: World, times: int) -> list[CheckResult]:
    node.gusts = weather([], afterwards=SILENT)
    return [counted(node)[0] for _ in range(times)]
