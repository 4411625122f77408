"""What a fake BMC can be told to do: its driver_info, its faults, and the errors that those are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from castiron.actors.drivers.fields import Field, number, one_of, text, whole_number
from castiron.transport.errors import BMCBusy, BMCCertificate, BMCCredentials, BMCError, BMCFault, BMCUnsupported

MAX_SECONDS: Final = 3600.0


class FakeFault(StrEnum):
    """What can be wrong with a BMC."""

    UNREACHABLE = "unreachable"
    """It never answers."""
    CREDENTIALS = "credentials"
    """It refuses the password."""
    CERTIFICATE = "certificate"
    """It shows a certificate that is not to be trusted."""
    BUSY = "busy"
    """It is busy."""
    UNSUPPORTED = "unsupported"
    """It does not know the command."""
    BROKEN = "broken"
    """It answers with nonsense."""
    DEAF = "deaf"
    """It acknowledges and does not act."""
    LOST_ANSWER = "lost answer"
    """It acts, and its answer is lost."""


ERRORS: Final[Mapping[FakeFault, type[BMCError]]] = {
    FakeFault.CREDENTIALS: BMCCredentials,
    FakeFault.CERTIFICATE: BMCCertificate,
    FakeFault.BUSY: BMCBusy,
    FakeFault.UNSUPPORTED: BMCUnsupported,
    FakeFault.BROKEN: BMCFault,
}
"""Faults that are an answer."""

_seconds = number(0, MAX_SECONDS)


def _latency(value: Any) -> str:
    """Read one number of seconds or two with a comma, the lower first."""
    try:
        low, high = _bounds(str(value))
    except ValueError:
        low, high = 1.0, 0.0
    if low > high:
        raise ValueError("seconds, or two numbers of seconds with a comma between, the lower first")
    return str(value)


def _bounds(value: str) -> tuple[float, float]:
    low, _, high = value.partition(",")
    return _seconds(low), _seconds(high or low)


FIELDS: Final[Mapping[str, Field]] = {
    "fake_latency_s": Field(_latency),
    "fake_power_delay_s": Field(_seconds),
    "fake_fault": Field(one_of(*FakeFault)),
    "fake_fault_count": Field(whole_number(1, 1_000_000)),
    "fake_reset_s": Field(_seconds),
    "fake_username": Field(text(16)),
    "fake_password": Field(text(20), secret=True),
}


@dataclass(slots=True)
class Script:
    """How a machine and its BMC behave; tests may change it at any time."""

    latency_s: tuple[float, float] = (0.0, 0.0)
    power_delay_s: float = 0.0
    reset_s: float = 0.0
    fault: FakeFault | None = None
    fault_count: int | None = None
    """Calls that will still meet the fault; None for all."""

    def take_fault(self) -> FakeFault | None:
        """Return the fault that the next call meets."""
        if self.fault_count is None:
            return self.fault
        self.fault_count = max(0, self.fault_count - 1)
        fault = self.fault
        if self.fault_count == 0:
            self.fault = self.fault_count = None
        return fault


def read_script(info: Mapping[str, Any]) -> Script:
    """Return the script that a checked driver_info is."""
    fault = info.get("fake_fault")
    return Script(
        latency_s=_bounds(info.get("fake_latency_s", "0")),
        power_delay_s=info.get("fake_power_delay_s", 0.0),
        reset_s=info.get("fake_reset_s", 0.0),
        fault=None if fault is None else FakeFault(fault),
        fault_count=info.get("fake_fault_count"),
    )
