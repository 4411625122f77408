"""Drivers that are short of patience, and ways to BMCs through a relay."""

from collections.abc import Callable
from typing import Any

from castiron.actors.drivers.base import SetPower
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.transport.vocabulary import PowerControl
from tests.support.driver_calls import Caller
from tests.support.relay import Relay

ON, OFF = SetPower(PowerControl.ON), SetPower(PowerControl.OFF)
HASTY = Timing(waits_s=(0.1, 0.1, 0.2), control_wait_s=0.3, close_waits_s=(0.1,))


Start = Callable[..., Caller]


def through(relay: Relay, info: dict[str, Any]) -> dict[str, Any]:
    host, port = relay.address
    return {**info, "ipmi_address": host, "ipmi_port": port}
