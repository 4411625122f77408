"""A periodic task for each node in a whole conductor: nodes made, changed and forgotten while it runs."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

import castiron
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.testing.running import impatient_drivers
from castiron.transport.clients.blocking.client import Client
from castiron.transport.replies import PeriodicView
from tests.support.deadline import until

pytestmark = pytest.mark.castiron(nodes=0, timeout_s=20)


class Meters:
    """A plug-in's object: one task for the nodes of each driver, one for those that are on."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.found_on: Counter[str] = Counter()

    @castiron.periodic(spacing_s=0.05, per="node", drivers=["fake"])
    def read_meter(self, node: castiron.NodeContext) -> None:
        """Read."""
        self.read[node.node] += 1

    @castiron.periodic(spacing_s=0.05, per="node", when=lambda node: node.power_state == "power on")
    def look_at_lamp(self, node: castiron.NodeContext) -> None:
        """Look."""
        self.found_on[node.node] += 1


@pytest.fixture
def meters() -> Meters:
    return Meters()


@pytest.fixture
def castiron_periodics(meters: Meters) -> Iterable[object]:
    return [meters]


def view_of(client: Client, method: str) -> PeriodicView:
    return next(view for view in client.periodics.list() if view.name.endswith(method))


def test_nodes_join_and_leave_while_it_runs(meters: Meters, castiron_client: Client) -> None:
    for name in ("n1", "n2", "n3"):
        castiron_client.nodes.create(name, driver="fake")
    until(lambda: all(meters.read[name] >= 2 for name in ("n1", "n2", "n3")))
    view = view_of(castiron_client, "read_meter")
    assert (view.nodes, view.failures) == (3, 0)
    assert view.runs >= 6

    castiron_client.nodes.delete("n2")
    until(lambda: view_of(castiron_client, "read_meter").nodes == 2)
    castiron_client.nodes.set("n3", driver="ipmi", driver_info={"ipmi_address": "127.0.0.1", "ipmi_port": 9})
    until(lambda: view_of(castiron_client, "read_meter").nodes == 1)
    assert view_of(castiron_client, "look_at_lamp").nodes == 2
    was = meters.read["n1"]
    until(lambda: meters.read["n1"] >= was + 2)


def test_only_those_are_run_for_that_are_chosen(meters: Meters, castiron_client: Client) -> None:
    castiron_client.nodes.create("n1", driver="fake")
    castiron_client.nodes.create("n2", driver="fake")
    assert castiron_client.nodes.power("n1", "power on").wait(timeout_s=30.0).state == "succeeded"
    until(lambda: meters.found_on["n1"] >= 2)
    assert set(meters.found_on) == {"n1"}


def test_all_of_them_stop_and_start(meters: Meters, castiron_client: Client) -> None:
    castiron_client.nodes.create("n1", driver="fake")
    until(lambda: meters.read["n1"] >= 1)
    name = view_of(castiron_client, "read_meter").name
    castiron_client.periodics.stop(name)
    until(lambda: view_of(castiron_client, "read_meter").state == "stopped")
    castiron_client.periodics.start(name)
    was = meters.read["n1"]
    until(lambda: meters.read["n1"] >= was + 2)


class Metered(FakeDriver):
    """A driver with a task for its own nodes, which hangs at one of them until it is let go."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.read: Counter[str] = Counter()
        self.gate = threading.Event()

    @castiron.periodic(spacing_s=0.05, per="node", timeout_s=60.0)
    def read_meter(self, node: castiron.NodeContext) -> None:
        """Read."""
        self.read[node.node] += 1
        if node.node == "dark":
            self.gate.wait(60.0)


def test_a_drivers_own_is_for_its_own_nodes_and_one_that_hangs_holds_up_no_other() -> None:
    made: list[Metered] = []

    def drivers(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        made.append(Metered(clock))
        return {**impatient_drivers(clock, settings, shares), "fake": made[0]}

    with (
        running_conductor(drivers=drivers, settings=Settings(periodic_max_workers=1)) as conductor,
        conductor.client(timeout_s=20.0) as client,
    ):
        (driver,) = made
        client.nodes.create("other", driver="ipmi", driver_info={"ipmi_address": "127.0.0.1", "ipmi_port": 9})
        for name in ("dark", "n1", "n2"):
            client.nodes.create(name, driver="fake")
        until(lambda: driver.read["dark"] == 1)
        was = dict(driver.read)
        until(lambda: all(driver.read[name] >= was.get(name, 0) + 5 for name in ("n1", "n2")))
        assert driver.read["dark"] == 1
        assert driver.read["other"] == 0
        assert view_of(client, "read_meter").nodes == 3
        driver.gate.set()
        until(lambda: driver.read["dark"] >= 3)
