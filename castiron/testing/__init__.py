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
        Event,
        Faults,
        Forgery,
        LongTail,
        Refusal,
        Sensor,
    )
    from castiron.testing.control import FarmControl
    from castiron.testing.farm import BMCFarm
    from castiron.testing.running import impatient_drivers, running_conductor
    from castiron.testing.simulated import SimulatedBMC
    from castiron.testing.simulation.evidence import Evidence
    from castiron.testing.simulation.invariants import INVARIANTS, Verdict, judge
    from castiron.testing.simulation.plan import Plan
    from castiron.testing.simulation.report import Report, Trial, log_lines, simulate, try_plan
    from castiron.testing.simulation.simulation import Simulation
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
    "Sensor": "castiron.testing.bmc",
    "SimulatedBMC": "castiron.testing.simulated",
    "Event": "castiron.testing.bmc",
    "Evidence": "castiron.testing.simulation.evidence",
    "INVARIANTS": "castiron.testing.simulation.invariants",
    "Plan": "castiron.testing.simulation.plan",
    "Report": "castiron.testing.simulation.report",
    "Simulation": "castiron.testing.simulation.simulation",
    "Verdict": "castiron.testing.simulation.invariants",
    "judge": "castiron.testing.simulation.invariants",
    "log_lines": "castiron.testing.simulation.report",
    "simulate": "castiron.testing.simulation.report",
    "Trial": "castiron.testing.simulation.report",
    "try_plan": "castiron.testing.simulation.report",
    "Stumbling": "castiron.testing.stumbling",
    "FAULT_WORDS": "castiron.testing.words",
    "impatient_drivers": "castiron.testing.running",
    "read_faults": "castiron.testing.words",
    "running_conductor": "castiron.testing.running",
}

__all__ = [
    "BMC",
    "FAULT_WORDS",
    "INVARIANTS",
    "BMCFarm",
    "BMCSettings",
    "ChassisAction",
    "CommandKind",
    "Control",
    "Event",
    "Evidence",
    "FarmControl",
    "Faults",
    "Forgery",
    "LongTail",
    "Plan",
    "Refusal",
    "Report",
    "Sensor",
    "SimulatedBMC",
    "Simulation",
    "Stumbling",
    "Trial",
    "Verdict",
    "impatient_drivers",
    "judge",
    "log_lines",
    "read_faults",
    "running_conductor",
    "simulate",
    "try_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'castiron.testing' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
