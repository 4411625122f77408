"""Reads the sensors of nodes, one after another in each node's own time; a periodic task that runs for each node.

A reading goes to the node's driver and takes no place among requests: it steps aside for whatever else is asked of the
BMC. So many are under way at once; further ones wait for one to end, in the order in which they were due. A BMC that
does not answer its power checks is not asked at all, one whose sensors cannot be read is asked less and less often.
What follows from a reading is decided by the node's actor.
"""

from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from pykka import ActorDeadError

from castiron.actors.core.messages import Sensed
from castiron.actors.core.sensors.rules import AlarmRule
from castiron.actors.drivers.base import Call, Done, NotDone, Outcome, Target
from castiron.actors.drivers.findings import Sensors
from castiron.actors.drivers.operations import ReadSensors
from castiron.actors.periodics.context import NodeContext
from castiron.actors.periodics.declaring import NODE, Terms
from castiron.actors.periodics.runner import PASSED
from castiron.actors.periodics.task import Work
from castiron.actors.published.board import Published
from castiron.actors.services import Services
from castiron.actors.settings import Settings
from castiron.transport.errors import BMCFault, BMCUnsupported, CastironError
from castiron.transport.vocabulary import Applied, Fault, Instant, NodeUUID

TASK: Final = "castiron.send_sensor_data"
"""As `castiron periodics` names it, after Ironic's."""

MAX_PASSED: Final = 15
"""Intervals that are passed over at the most after readings that failed: 2.5 h at the default."""


class Sensing:
    """Reads sensors. Any thread."""

    def __init__(self, services: Services, rules: tuple[AlarmRule, ...]) -> None:
        self._services = services
        self._rules = rules
        self._to_pass: dict[NodeUUID, int] = {}
        """Node whose sensors could not be read → intervals that are yet to be passed over."""

    def enrol(self) -> None:
        """Have it done from now on, for each node that is shown."""
        settings, services = self._services.settings, self._services
        terms = Terms(spacing_s=settings.sensor_data_interval_s, per=NODE, blocking=False)
        services.periodics.take(Work(TASK, self.read), terms, partial(spacing_s, settings))
        services.board.attend(self._attend)

    def read(self, node: NodeContext) -> Any:
        """Begin to read a node's sensors; what is returned ends with it. Never blocks."""
        uuid = node.node_uuid
        why = passed_over(maintenance=node.maintenance, fault=node.fault, failed_checks=node.failed_checks)
        if why == MAINTENANCE:
            return PASSED
        if why is not None or self._is_to_pass(uuid):
            self._tell(uuid, None)
            return PASSED
        future: Future[None] = Future()
        self._services.sensor_places.acquire(future, partial(self._granted, uuid, future))
        return future

    def _granted(self, uuid: NodeUUID, future: "Future[None]") -> None:
        """Begin on the clock's thread: a driver that stops answers at once, and the next in line would begin within."""
        self._services.clock.call_at(self._services.clock.now(), partial(self._begin, uuid, future))

    def _is_to_pass(self, uuid: NodeUUID) -> bool:
        left = self._to_pass.get(uuid, 0)
        if left > 1:
            self._to_pass[uuid] = left - 1
        else:
            self._to_pass.pop(uuid, None)
        return left > 0

    def _begin(self, uuid: NodeUUID, future: "Future[None]") -> None:
        services, published = self._services, self._services.board.node(uuid)
        heard = partial(self._heard, uuid, future)
        driver = None if published is None else services.drivers.get(published.state.record.driver)
        if published is None or driver is None:
            return heard(NotDone(error=BMCUnsupported("The node, or its driver, is gone."), applied=Applied.NO))
        target = Target(node=uuid, generation=published.generation, info=published.state.record.driver_info)
        deadline = Instant(services.clock.now() + services.settings.sensor_data_wait_timeout_s)
        return driver.submit(
            Call(target=target, operation=ReadSensors(), deadline=deadline, gives_way=True, steps_aside=True), heard
        )

    def _heard(self, uuid: NodeUUID, future: "Future[None]", outcome: Outcome) -> None:
        """Keep what was read, on whatever thread of the driver's."""
        now, readings = self._services.clock.now(), self._services.readings
        error: CastironError | None = None
        if isinstance(outcome, Done) and isinstance(outcome.value, Sensors):
            readings.read(uuid, outcome.value, now)
            self._to_pass.pop(uuid, None)
            self._tell(uuid, outcome.value)
        else:
            error = outcome.error if isinstance(outcome, NotDone) else BMCFault("The driver gave no sensors.")
            self._put_off(uuid, error, now)
            self._tell(uuid, None)
        if self._services.board.node(uuid) is None:
            self._leave(uuid)
        self._services.sensor_places.release(future)
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    def _put_off(self, uuid: NodeUUID, error: CastironError, now: Instant) -> None:
        readings = self._services.readings
        readings.failed(uuid, error, now)
        reading = readings.of(uuid)
        failures = 1 if reading is None else reading.failures
        self._to_pass[uuid] = MAX_PASSED if isinstance(error, BMCUnsupported) else to_pass(failures)

    def _tell(self, uuid: NodeUUID, sensors: Sensors | None) -> None:
        """Let the node's actor decide about alarms, if there are rules, or were."""
        published = self._services.board.node(uuid)
        owner = self._services.directory.owner(uuid)
        if published is None or owner is None or owner.ref is None:
            return
        if self._rules or published.state.record.alarms:
            with suppress(ActorDeadError):  # its successor hears of the next reading
                owner.ref.tell(Sensed(rules=self._rules, sensors=sensors))

    def _attend(self, uuid: NodeUUID, published: Published | None) -> None:
        if published is None:
            self._services.readings.forget(uuid)
            self._to_pass.pop(uuid, None)

    def _leave(self, uuid: NodeUUID) -> None:
        """Forget a node that went while it was read: nobody is left to log out of its BMC."""
        self._services.readings.forget(uuid)
        self._to_pass.pop(uuid, None)
        for driver in self._services.drivers.values():
            driver.forget(uuid)


MAINTENANCE: Final = "maintenance"
SILENT: Final = "silent"
FAILING: Final = "failing"
OFF: Final = "off"


LEAST_S: Final = 1.0
"""From one reading of a node to the next, whatever the node says: each is some hundreds of exchanges."""


def spacing_s(settings: Settings, published: Published) -> float:
    """Return the seconds from one reading of a node's sensors to the next; 0.0: they are not read. Pure."""
    own_s = published.state.record.sensor_data_interval_s
    if own_s is not None:
        return max(own_s, LEAST_S) if own_s else 0.0
    return settings.sensor_data_interval_s if settings.send_sensor_data else 0.0


def passed_over(*, maintenance: bool, fault: Fault | None, failed_checks: int) -> str | None:
    """Return why a node's sensors are not read at present; None: they are. Pure.

    A node in maintenance by hand is somebody's who works on it: what its sensors say is no news. One whose BMC does not
    answer is known to be silent, and would hold a place for nothing.
    """
    if maintenance and fault is None:
        return MAINTENANCE
    return SILENT if fault is not None or failed_checks else None


def to_pass(failures: int) -> int:
    """Return how many intervals are passed over after so many failures in a row: 0, 1, 3, 7, 15. Pure."""
    return min((1 << min(failures - 1, 8)) - 1, MAX_PASSED)
