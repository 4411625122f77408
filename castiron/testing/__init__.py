"""What test harnesses use: simulated BMCs over real UDP, a conductor that runs for a `with`, virtual time.

Names are loaded at their first use, so that who wants a BMC does not load a conductor.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from castiron.testing.bmc import (
        BMC,
        BMCSettings,
        ChassisAction,
        CommandKind,
        Control,
        Faults,
        Forgery,
        LongTail,
        Refusal,
    )
    from castiron.testing.control import FarmControl
    from castiron.testing.farm import BMCFarm
    from castiron.testing.running import impatient_drivers, running_conductor
    from castiron.testing.simulated import SimulatedBMC
    from castiron.testing.stumbling import Stumbling
    from castiron.testing.words import FAULT_WORDS, read_faults

_HOME: Final = {
    "BMC": "castiron.testing.bmc",
    "BMCFarm": "castiron.testing.farm",
    "BMCSettings": "castiron.testing.bmc",
    "ChassisAction": "castiron.testing.bmc",
    "CommandKind": "castiron.testing.bmc",
    "Control": "castiron.testing.bmc",
    "Faults": "castiron.testing.bmc",
    "FarmControl": "castiron.testing.control",
    "Forgery": "castiron.testing.bmc",
    "LongTail": "castiron.testing.bmc",
    "Refusal": "castiron.testing.bmc",
    "SimulatedBMC": "castiron.testing.simulated",
    "Stumbling": "castiron.testing.stumbling",
    "FAULT_WORDS": "castiron.testing.words",
    "impatient_drivers": "castiron.testing.running",
    "read_faults": "castiron.testing.words",
    "running_conductor": "castiron.testing.running",
}

__all__ = [
    "BMC",
    "FAULT_WORDS",
    "BMCFarm",
    "BMCSettings",
    "ChassisAction",
    "CommandKind",
    "Control",
    "FarmControl",
    "Faults",
    "Forgery",
    "LongTail",
    "Refusal",
    "SimulatedBMC",
    "Stumbling",
    "impatient_drivers",
    "read_faults",
    "running_conductor",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'castiron.testing' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
