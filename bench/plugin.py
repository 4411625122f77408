"""What the pytest plug-in's fixtures cost a test: 100 nodes with BMCs over UDP, and in virtual time, ready and closed.

In one process, as tests are: the first of them loads castiron, which is told apart.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from castiron.testing import BMCFarm, Simulation, impatient_drivers, running_conductor
from castiron.testing.plugin.wanted import Wanted
from castiron.testing.simulation.plan import Plan
from castiron.transport.verbs import NodeCreate

NODES: Final = 100
ROUNDS: Final = 7
PATIENCE_S: Final = 30.0
ROOT: Final = Path(__file__).parents[1]
LOADS: Final = "import time; t = time.process_time(); {}; print(time.process_time() - t)"
REAL: Final = "import castiron.testing.farm, castiron.testing.running"
VIRTUAL: Final = "import castiron.testing.simulation.simulation"

Mark = Callable[[str], None]


def measure() -> dict[str, float]:
    """Return figures by name: milliseconds of the least of several rounds, by the clock and of the CPU."""
    figures = {"load_real_cpu_ms": _load_ms(REAL), "load_virtual_cpu_ms": _load_ms(VIRTUAL)}
    for name, round_ in (("real", _real), ("virtual", _virtual)):
        for _ in range(ROUNDS):
            for what, ms in _timed(round_).items():
                figures[f"{name}_{what}"] = min(figures.get(f"{name}_{what}", ms), ms)
    return figures


def _timed(round_: Callable[[Mark], None]) -> dict[str, float]:
    figures: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()

    def mark(what: str) -> None:
        figures[f"{what}_ms"] = (time.perf_counter() - wall) * 1e3
        figures[f"{what}_cpu_ms"] = (time.process_time() - cpu) * 1e3

    round_(mark)
    mark("closed")
    return figures


def _real(mark: Mark) -> None:
    with (
        BMCFarm(NODES) as farm,
        running_conductor(settings=Wanted().chosen(), drivers=impatient_drivers) as conductor,
        conductor.client() as client,
    ):
        verbs = [NodeCreate(name=f"n{number}", driver_info=bmc.driver_info) for number, bmc in enumerate(farm, 1)]
        assert not [answer for _, answer in client.send_many(verbs) if isinstance(answer, Exception)]
        mark("ready")
        with client.watch(timeout_s=PATIENCE_S) as fleet:
            while any(node.power_state is None for node in fleet.nodes.values()):
                next(fleet)
        mark("all_seen")


def _virtual(mark: Mark) -> None:
    plan = Plan(nodes=NODES, ipmi_nodes=0, dead_percent=0.0)
    with Simulation(plan, settings=Wanted().chosen(asdict(plan.settings()))) as simulation:
        simulation.enrol()
        mark("ready")
        simulation.live(60.0)
        assert all(node.power_state is not None for node in simulation.gather().nodes)
        mark("minute_later")


def _load_ms(what: str) -> float:
    program = [sys.executable, "-c", LOADS.format(what)]
    texts = [subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True).stdout for _ in range(3)]
    return min(map(float, texts)) * 1e3
