"""What a BMC of a running farm keeps beside its machine, as tests hold it: inventory, sensors, event log, users.

Any thread; each change takes effect with the next datagram, and takes the lock that the farm's thread takes.
"""

from collections.abc import Callable, Sequence
from math import inf
from threading import Condition

from castiron.actors.drivers.findings import FRU
from castiron.testing.bmc import Device, Event, Privilege, Sensor, User
from castiron.testing.bmc.contents.inventory import build_fru


class Keeping:
    """The contents of one BMC. `farm[i].keeps` is one."""

    def __init__(self, device: Device, changed: Condition, now: Callable[[], float]) -> None:
        self._device = device
        self._changed = changed
        self._now = now

    @property
    def fru(self) -> bytes:
        """FRU device 0, as it is kept."""
        with self._changed:
            return self._device.repository.fru

    def set_fru(self, fru: FRU | bytes) -> None:
        """Replace FRU device 0: by what consoles are to read, or byte for byte, however broken.

        Raises:
            ValueError: it does not fit into an inventory.
        """
        data = fru if isinstance(fru, bytes) else build_fru(fru)
        with self._changed:
            self._device.repository.fru = data

    @property
    def sensors(self) -> Sequence[Sensor]:
        """Its sensors, in the order of their records."""
        with self._changed:
            return self._device.repository.sensors

    def set_sensors(self, *sensors: Sensor) -> None:
        """Replace its sensors. Their records' reservation is lost."""
        with self._changed:
            self._device.repository.sensors = sensors

    def set_max_bytes(self, count: int) -> None:
        """Let it give no more than so many bytes of an inventory or a record at once (255 at most)."""
        with self._changed:
            self._device.repository.max_bytes = count

    def log(self, *events: Event) -> None:
        """Log events, now."""
        with self._changed:
            for event in events:
                self._device.log.add(event, self._now())

    @property
    def event_count(self) -> int:
        """How many entries its event log has."""
        with self._changed:
            return len(self._device.log)

    def set_erase_s(self, seconds: float) -> None:
        """Let an erasure of the event log take so long."""
        with self._changed:
            self._device.log.erase_s = seconds

    def add_user(self, name: str, password: str, privilege: Privilege = Privilege.ADMINISTRATOR) -> int:
        """Let somebody else log in; return the user's id.

        Raises:
            ValueError: it has no room for another user.
        """
        with self._changed:
            return self._device.users.add(User(name.encode(), password.encode(), privilege))

    def password_of(self, name: str) -> str | None:
        """Return a user's password; None if there is no such user."""
        with self._changed:
            user = self._device.users.find(name.encode())
            return None if user is None else user.password.decode()

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password behind everybody's back.

        Raises:
            ValueError: there is no such user.
        """
        with self._changed:
            user = self._device.users.find(name.encode())
            if user is None:
                raise ValueError(f"there is no user {name!r}")
            user.password = password.encode()

    def set_reset_s(self, seconds: float) -> None:
        """Let a Cold Reset over IPMI take so long.

        Raises:
            ValueError: it is no length of time.
        """
        if not 0 <= seconds < inf:
            raise ValueError(f"a restart takes seconds: {seconds!r}")
        with self._changed:
            self._device.reset_s = seconds

    @property
    def reset_count(self) -> int:
        """How often it was restarted."""
        with self._changed:
            return self._device.reset_count

    @property
    def is_lit(self) -> bool:
        """Whether the machine's lamp is lit, by Chassis Identify."""
        with self._changed:
            return self._device.chassis.is_lit(self._now())
