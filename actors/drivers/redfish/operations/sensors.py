"""The sensors of a machine, found and read by pyghmi, over our session: its knowledge of vendors, our bounds.

pyghmi's own way to a BMC is not used: it opens a connection for each request, waits 60 s at each step, knows no file of
authorities, keeps answers of any size, and leaves its sessions open for ever.
"""

from collections.abc import Mapping
from typing import Any, Final

from pyghmi.constants import Health as PyghmiHealth
from pyghmi.redfish import command

from castiron.actors.drivers.findings import Health, SensorReading, Sensors
from castiron.actors.drivers.redfish.operations.system import system_path
from castiron.actors.drivers.redfish.resources import inside, items, number, text
from castiron.actors.drivers.redfish.wire.session import Session
from castiron.transport.errors import BMCFault

PYGHMI: Final[Any] = command
"""It has no types."""

MAX_SENSORS: Final = 512
"""Read at once; a large server has 200."""

HEALTHS: Final[Mapping[int, Health]] = {
    PyghmiHealth.Ok: Health.OK,
    PyghmiHealth.Warning: Health.WARNING,
    PyghmiHealth.Critical: Health.CRITICAL,
    PyghmiHealth.Failed: Health.FAILED,
}

TOLD: Final[Mapping[str, Health]] = {"OK": Health.OK, "Warning": Health.WARNING, "Critical": Health.CRITICAL}

LISTS: Final[Mapping[str, str]] = {"Fan": "Fans", "Temperature": "Temperatures", "Voltage": "Voltages"}
"""Where the sensors of a kind stand in the resources that Redfish had before it had sensors."""


class Web:
    """What pyghmi takes for its web client: our session."""

    def __init__(self, session: Session) -> None:
        self.stdheaders: dict[str, str] = {}
        self._session = session

    def dupe(self, timeout: float | None = None) -> "Web":
        """Return itself: one connection is enough."""
        del timeout
        return self

    def set_basic_credentials(self, username: str, password: str) -> None:
        """Do nothing: the session has them."""

    def grab_json_response(self, url: str, data: Any = None, referer: Any = None, headers: Any = None) -> Any:
        """Read a resource."""
        return self.grab_json_response_with_status(url, data, referer, headers)[0]

    def grab_json_response_with_status(
        self, url: str, data: Any = None, referer: Any = None, headers: Any = None, method: str | None = None
    ) -> tuple[Any, int]:
        """Read a resource; nothing is ever changed this way."""
        del referer, headers
        if data is not None or method not in {None, "GET"}:
            raise BMCFault("pyghmi wanted to change something while it read sensors.")
        return self._session.get(url), 200


class Machine(command.Command):  # type: ignore[misc] # pyghmi has no types
    """pyghmi's view of a machine, over a session that is open. For one call: what it reads it keeps."""

    def __init__(self, session: Session) -> None:  # pyright: ignore[reportMissingSuperCall] - it would connect by itself
        self.wc = Web(session)
        self.username = self.password = ""
        self.xauthtoken = None
        self.sysurl = system_path(session)
        self._initsysurl = self.sysurl
        self._urlcache: dict[str, Any] = {}
        self._varsensormap: dict[str, dict[str, Any]] = {}
        self._varbmcurl = None
        self._oem = None
        self._gpool = None

    def readings(self) -> Sensors:
        """Find and read the sensors."""
        stock: Any = self  # what is inherited has no types
        names: list[str] = PYGHMI.natural_sort(stock._sensormap)  # noqa: SLF001 - inherited
        found = tuple(self._read(place, name) for place, name in enumerate(names[:MAX_SENSORS], start=1))
        return Sensors(readings=found, left_out_count=len(names) - len(found))

    def _read(self, place: int, name: str) -> SensorReading:
        stock: Any = self
        sensor: Mapping[str, Any] = stock._sensormap[name]  # noqa: SLF001 - inherited
        resource: Any = stock._do_web_request(sensor["url"])  # noqa: SLF001 - inherited
        read: Any = stock._extract_reading(sensor, resource)  # noqa: SLF001 - inherited
        value = number(vars(read), "value")
        health = HEALTHS.get(getattr(read, "health", None) or PyghmiHealth.Ok, Health.WARNING)
        health = health if sensor.get("generic") else _health_of(sensor, resource)
        return SensorReading(
            number=place,
            name=text(sensor, "name") or "",
            kind=text(sensor, "type") or "",
            value=value,
            units=(text({"units": read.units}, "units") or "") if value is not None else "",
            states=() if health is Health.OK else (health.value,),
            health=health,
            is_available=value is not None,
        )


def _health_of(sensor: Mapping[str, Any], resource: Any) -> Health:
    """Return the health of one of many sensors in a resource, which pyghmi leaves out."""
    for each in items(inside(resource, LISTS.get(sensor["type"], ""))):
        if inside(each, "Name") == sensor["name"]:
            return TOLD.get(text(each, "Status", "Health") or "OK", Health.WARNING)
    return Health.OK


def read_sensors(session: Session, _: object) -> Sensors:
    """Read every sensor of the machine's chassis.

    Raises:
        BMCFault: what the BMC tells of them makes no sense to pyghmi.
    """
    try:
        return Machine(session).readings()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BMCFault(f"The BMC's sensors make no sense: {type(error).__name__}.", details=session.where) from None
