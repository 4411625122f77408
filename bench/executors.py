"""The built-in executor against TaskFlow, and TaskFlow here against TaskFlow alone, both engines, in one run.

Ten no-op steps a node: in conductors of their own, on a file (`…_step_cpu_us` is all of a conductor's CPU); and without
a store or a conductor: TaskFlow as its manual runs it, and our engine with nobody around it. Ratios of the same run.
"""

import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from taskflow import engines, task  # pyright: ignore[reportMissingTypeStubs] - it ships none
from taskflow.patterns import linear_flow, unordered_flow  # pyright: ignore[reportMissingTypeStubs] - as above

from bench import load
from bench.apart import apart
from bench.provisioning import STEPS, drive
from bench.scene import UNCHECKED, conductor, fill, imagined
from castiron.actors.core.provision.run import Begin, Finish, Progress, Run
from castiron.actors.core.provision.steps import Step
from castiron.actors.executors.taskflow.engine import FlowEngine
from castiron.transport.verbs import StepWish
from castiron.transport.vocabulary import (
    EngineMode,
    Instant,
    ProvisionState,
    ProvisionTarget,
    StepState,
    TaskExecutor,
)

LISTS: Final = 200
"""Flows for each figure without a conductor."""

THREADS: Final = 4


class Nothing(task.Task):  # type: ignore[misc]  # TaskFlow ships no types
    """Do nothing."""

    def execute(self) -> None:
        """Do nothing."""


def measure(*, nodes: int) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: how many are deployed at once.
    """
    figures: dict[str, float] = {}
    for mode in EngineMode:
        for executor in TaskExecutor:
            figures[f"{executor}_{mode}_step_cpu_us"] = _conducted(nodes, executor, mode)
        figures[f"engine_{mode}_step_cpu_us"] = _cpu_us(partial(_stepped, mode))
    figures |= _alone()
    for mode in EngineMode:
        here, alone = figures[f"taskflow_{mode}_step_cpu_us"], figures[f"alone_{mode}_task_cpu_us"]
        figures[f"taskflow_{mode}_to_builtin_ratio"] = here / figures[f"builtin_{mode}_step_cpu_us"]
        figures[f"taskflow_{mode}_to_alone_ratio"] = here / alone
        figures[f"engine_{mode}_to_alone_ratio"] = figures[f"engine_{mode}_step_cpu_us"] / alone
    return figures


def _conducted(nodes: int, executor: TaskExecutor, mode: EngineMode) -> float:
    offered: dict[str, Any] = {
        "driver": "fake",
        "driver_info": {},
        "secret_keys": frozenset[str](),
        "bmc_address": None,
    }
    settings: dict[str, Any] = {**UNCHECKED, "task_executor": executor.value, "engine_mode": mode.value}
    wish = StepWish(step="wait", args={"seconds": 0.0}, after=[])
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder, apart(load.serve) as clients:
        store = Path(folder) / "castiron.db"
        fill(store, imagined(nodes), **offered, provision_state=ProvisionState.AVAILABLE)
        with conductor(store, **settings) as server:
            return drive(server, clients, store, nodes, (ProvisionTarget.DEPLOY, wish))["step_cpu_us"]


def _alone() -> dict[str, float]:
    with ThreadPoolExecutor(THREADS) as pool:
        figures = {
            "alone_serial_task_cpu_us": _cpu_us(lambda: _ran(linear_flow.Flow, engine="serial")),
            "alone_parallel_task_cpu_us": _cpu_us(lambda: _ran(unordered_flow.Flow, engine="parallel", executor=pool)),
        }
        with _watch(figures, "alone_parallel_own_pool_ms"):
            _ran(unordered_flow.Flow, engine="parallel", executor=pool)
    with _watch(figures, "alone_parallel_as_it_comes_ms"):
        _ran(unordered_flow.Flow, engine="parallel", max_workers=THREADS)
    return figures


def _ran(pattern: Callable[[str], Any], **how: Any) -> None:
    engines.run(pattern("bench").add(*(Nothing(f"t{number}") for number in range(STEPS))), **how)  # pyright: ignore[reportUnknownMemberType]


def _stepped(mode: EngineMode) -> None:
    steps = tuple(
        Progress(step=Step(name=f"s{place}", interface="bench", step="s", after=())) for place in range(STEPS)
    )
    run = Run(stage=ProvisionState.DEPLOYING, mode=mode, steps=steps)
    engine = FlowEngine("bench", run)
    moves = engine.moves(run).moves
    while moves != (Finish(),):
        for move in moves:
            assert isinstance(move, Begin)
            run = run.having(move.place, state=StepState.SUCCESS, started_at=Instant(1.0))
        moves = engine.moves(run).moves
    engine.close()


def _cpu_us(run: Callable[[], None]) -> float:
    """Return the CPU for a step, all threads."""
    run()
    before = time.process_time()
    for _ in range(LISTS):
        run()
    return (time.process_time() - before) / LISTS / STEPS * 1e6


@contextmanager
def _watch(figures: dict[str, float], name: str) -> Generator[None]:
    before = time.monotonic()
    yield
    figures[name] = (time.monotonic() - before) * 1e3
