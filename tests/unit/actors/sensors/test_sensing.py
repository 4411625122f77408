"""Sensors read in the background, in virtual time: who is asked when, how many at once, and what failures change."""

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from castiron.actors.core.sensors.rules import AlarmRule
from castiron.actors.drivers.findings import SensorReading, Sensors
from castiron.actors.drivers.operations import ReadSensors
from castiron.actors.nodes.permits import Permits
from castiron.actors.periodics.roll import context_of
from castiron.actors.periodics.runner import PASSED
from castiron.actors.sensors.sensing import MAX_PASSED, SILENT, Sensing, passed_over, to_pass
from castiron.transport.errors import BMCUnreachable
from castiron.transport.vocabulary import EventType, Fault, NodeUUID, Seconds
from tests.support.conductor_sim import Simulation

HOT = AlarmRule(name="hot", sensor="*", comparison_operator="gt", threshold=80.0)


class Scene:
    """A simulated conductor with nodes, and somebody who reads their sensors when a test says so."""

    def __init__(self, nodes: int, *, places: int = 64) -> None:
        self.sim = Simulation(1)
        for number in range(nodes):
            self.sim.create(f"n{number}")
        self.sim.live(Seconds(2.0))
        object.__setattr__(self.sim.services, "sensor_places", Permits(places))
        self.sensing = Sensing(self.sim.services, (HOT,))

    def uuid(self, name: str) -> str:
        published = self.sim.services.board.node(name)
        assert published is not None
        return published.state.record.uuid

    def due(self, name: str) -> Any:
        """Do what is done when a node's time has come."""
        published = self.sim.services.board.node(name)
        assert published is not None
        return self.sensing.read(context_of(published))

    def readings(self) -> list[str]:
        return [call.target.node for call in self.sim.driver.calls if isinstance(call.operation, ReadSensors)]

    def live(self, seconds: float = 1.0) -> None:
        self.sim.live(Seconds(seconds))


def test_a_reading_steps_aside_is_kept_and_ends_what_was_begun() -> None:
    scene = Scene(1)
    future = scene.due("n0")
    assert isinstance(future, Future)
    scene.live()
    assert future.done()
    (call,) = [call for call in scene.sim.driver.calls if isinstance(call.operation, ReadSensors)]
    assert (call.gives_way, call.steps_aside) == (True, True)
    kept = scene.sim.services.readings.of(scene.sim.services.board.nodes()[0].state.record.uuid)
    assert kept is not None
    assert kept.sensors() == scene.sim.driver.bmc(scene.uuid("n0")).sensors
    assert scene.sim.services.permits.in_use == 0


def test_so_many_are_read_at_once_and_the_others_in_their_order() -> None:
    scene = Scene(5, places=2)
    scene.sim.set("n0", driver_info={"fake_latency_s": "5"})
    scene.sim.set("n1", driver_info={"fake_latency_s": "3"})
    scene.live()
    futures = [scene.due(f"n{number}") for number in range(5)]
    scene.live(0.5)
    places = scene.sim.services.sensor_places
    assert (places.in_use, places.waiting, len(scene.readings())) == (2, 3, 2)
    scene.live(10.0)
    assert scene.readings() == [scene.uuid(f"n{number}") for number in range(5)]
    assert [future.done() for future in futures] == [True] * 5
    assert (places.in_use, places.waiting) == (0, 0)


def test_one_that_cannot_be_read_is_asked_less_and_less_often() -> None:
    scene = Scene(1)
    scene.sim.set("n0", driver_info={"fake_fault": "credentials"})
    scene.live()
    asked: list[int] = []
    for turn in range(12):
        if scene.due("n0") is not PASSED:
            asked.append(turn)
        scene.live()
    assert asked == [0, 1, 3, 7]
    scene.sim.set("n0", driver_info={"fake_fault": None})
    scene.live()
    while scene.due("n0") is PASSED:
        scene.live()
    scene.live()
    assert scene.due("n0") is not PASSED, "once it has been read, it is asked each time again"


@pytest.mark.parametrize(("failures", "passed"), [(1, 0), (2, 1), (3, 3), (4, 7), (5, 15), (6, 15), (10_000, 15)])
def test_how_many_intervals_are_passed_over(failures: int, passed: int) -> None:
    assert to_pass(failures) == passed <= MAX_PASSED


@pytest.mark.parametrize(
    ("maintenance", "fault", "failed_checks", "why"),
    [
        (False, None, 0, None),
        (False, None, 1, SILENT),
        (True, None, 0, "maintenance"),
        (True, Fault.POWER_FAILURE, 0, SILENT),
        (True, Fault.ACTOR_FAILURE, 0, SILENT),
        (True, None, 2, "maintenance"),
    ],
)
def test_who_is_passed_over(maintenance: bool, fault: Fault | None, failed_checks: int, why: str | None) -> None:
    assert passed_over(maintenance=maintenance, fault=fault, failed_checks=failed_checks) == why


def test_a_node_that_goes_while_it_is_read_leaves_nothing_behind() -> None:
    scene = Scene(1)
    uuid = scene.uuid("n0")
    scene.sim.set("n0", driver_info={"fake_latency_s": "5"})
    scene.live()
    future = scene.due("n0")
    scene.live(0.5)
    scene.sim.delete("n0")
    scene.live(10.0)
    assert future.done()
    services = scene.sim.services
    assert (len(services.readings), services.sensor_places.in_use) == (0, 0)
    assert scene.sim.driver.counters()["machines"] == 0, uuid


def test_a_bmc_that_is_asked_just_after_its_node_has_gone_is_let_go() -> None:
    scene = Scene(1)
    uuid, sim = scene.uuid("n0"), scene.sim

    def leave(_: object) -> None:
        """The node goes between the look at it and the call."""
        sim.driver.bugs.clear()
        sim.services.board.remove(NodeUUID(uuid), sim.services.board.seq)
        sim.driver.forget(NodeUUID(uuid))

    sim.driver.bugs[uuid] = leave
    future = scene.due("n0")
    scene.live(10.0)
    assert future.done()
    assert sim.driver.counters()["machines"] == 0


def test_what_was_read_reaches_the_nodes_actor_and_is_told_once() -> None:
    scene = Scene(1)
    bmc = scene.sim.driver.bmc(scene.uuid("n0"))
    for value in (20.0, 90.0, 91.0, 30.0):
        bmc.sensors = Sensors(readings=tuple(_reads(one, value) for one in bmc.sensors.readings))
        scene.due("n0")
        scene.live()
    scene.sim.crash()
    told = [event.draft for event in scene.sim.store.events(since=0, limit=1000)]  # type: ignore[arg-type]  # from the first
    assert [event.type for event in told if event.type.value.startswith("sensor.")] == [
        EventType.SENSOR_ALARM_ALARM,
        EventType.SENSOR_ALARM_OK,
    ]
    scene.sim.settle()
    scene.sim.check()


def _reads(one: SensorReading, value: float) -> SensorReading:
    return replace(one, value=value)


def test_a_failure_is_the_tasks_failure() -> None:
    scene = Scene(1)
    scene.sim.set("n0", driver_info={"fake_fault": "unreachable"})
    scene.live()
    future = scene.due("n0")
    scene.live(200.0)
    assert isinstance(future.exception(), BMCUnreachable)
    kept = scene.sim.services.readings.of(scene.sim.services.board.nodes()[0].state.record.uuid)
    assert kept is not None
    assert (kept.failures, kept.read_at) == (1, None)
