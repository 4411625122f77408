"""Nodes deployed with ten steps each, all at once: what a durable step costs; and steps side by side against in turn.

The machines are the fake driver's. A durable step is one that is on disk before it begins and after it has ended. The
conductor is a process of its own, on a file, with its settings as they are; CPU is its own, whole.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench import load
from bench.apart import Apart, apart
from bench.load import Burst, Wave
from bench.scene import conductor, endpoint_of, fill, imagined, names
from castiron.actors.settings import Settings
from castiron.actors.steps import StepContext, step
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.codec import encode_verb
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import EngineMode, ProvisionState, ProvisionTarget, ReplyWish

STEPS: Final = 10
FULL_NODES: Final = 10_000
NAPS: Final = 8
PATIENCE_S: Final = 60.0
SUCCEEDED: Final = b"\xa5state\xa9succeeded"
"""In the last reply of a request that did what it was to do."""

LISTS: Final = {
    "wait": (ProvisionTarget.DEPLOY, StepWish(step="wait", args={"seconds": 0.0})),
    "check_bmc": (ProvisionTarget.REBUILD, StepWish(step="check_bmc")),
}
"""Name of a figure → how nodes get to `active`, and what they do ten times on the way: nothing, or ask the BMC."""


@step(interface="bench")
def nap(context: StepContext) -> None:
    """Take a tenth of a second of a worker."""
    context.cancelled.wait(0.1)


def measure(*, nodes: int, is_full: bool) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: how many are deployed at once.
        is_full: the same with FULL_NODES as well.
    """
    figures = _deployed("", nodes)
    if is_full:
        figures |= _deployed(f"at_{FULL_NODES}_", FULL_NODES)
    return figures | _engines()


def _deployed(prefix: str, nodes: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder, apart(load.serve) as clients:
        store = Path(folder) / "castiron.db"
        offered: dict[str, Any] = {
            "driver": "fake",
            "driver_info": {},
            "secret_keys": frozenset[str](),
            "bmc_address": None,
        }
        fill(store, imagined(nodes), **offered, provision_state=ProvisionState.AVAILABLE)
        with conductor(store) as server:
            for name, course in LISTS.items():
                wave = drive(server, clients, store, nodes, course)
                figures |= {f"{prefix}{name}_{figure}": value for figure, value in wave.items()}
    return figures


def drive(
    server: Apart, clients: Apart, store: Path, nodes: int, course: tuple[ProvisionTarget, StepWish]
) -> dict[str, float]:
    """Have all nodes do a step so many times on their way; return what that took."""
    target, wish = course
    steps = [wish] * STEPS
    verbs = (NodeProvisionSet(node=node, target=target, steps=steps, replies=ReplyWish.BOTH) for node in names(nodes))
    bodies = tuple(encode_verb(verb) for verb in verbs)
    before, before_s = _written(store), server.cpu_s()
    wave: Wave = clients.ask(Burst(endpoint_of(store), bodies, SUCCEEDED))
    after, spent_s = _written(store), server.cpu_s() - before_s
    commits, changes = (after[word] - before[word] for word in ("commits", "changes"))
    return {
        "wall_s": wave.wall_s,
        "deployed_per_s": nodes / wave.wall_s,
        "steps_per_s": nodes * STEPS / wave.wall_s,
        "step_cpu_us": spent_s / nodes / STEPS * 1e6,
        "changes_per_step": changes / nodes / STEPS,
        "changes_per_commit": changes / max(1.0, commits),
    }


def _written(store: Path) -> dict[str, float]:
    with Client(endpoint_of(store), timeout_s=PATIENCE_S) as client:
        told = client.status().store
        return {"commits": float(told.commits), "changes": float(told.changes)}


def _engines() -> dict[str, float]:
    """Return how long eight independent steps of 100 ms take, from the start of the request to its end."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        described = Path(folder) / "bench_steps-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: bench_steps\nVersion: 1.0\n")
        (described / "entry_points.txt").write_text("[castiron.steps]\nnap = bench.provisioning:nap\n")
        sys.path.insert(0, folder)
        try:
            for mode in EngineMode:
                figures[f"naps_{mode}_ms"] = _napped(mode) * 1e3
        finally:
            sys.path.remove(folder)
    return figures | {"naps_serial_to_parallel_ratio": figures["naps_serial_ms"] / figures["naps_parallel_ms"]}


def _napped(mode: EngineMode) -> float:
    naps: list[dict[str, Any]] = [{"interface": "bench", "step": "nap", "after": list[str]()} for _ in range(NAPS)]
    nothing: Sequence[dict[str, Any]] = [{"step": "wait", "args": {"seconds": 0.0}}]
    with running_conductor(settings=Settings(sync_power_state_interval_s=0.0)) as running, running.client() as client:
        client.nodes.create("n1", driver="fake")
        for target in ("manage", "provide"):
            client.provision.set("n1", target, steps=nothing).wait(timeout_s=PATIENCE_S).raise_for_error()
        request = client.provision.set("n1", "deploy", steps=naps, engine_mode=mode).wait(timeout_s=PATIENCE_S)
        request.raise_for_error()
        return (request.view.ended_at or 0.0) - (request.view.started_at or 0.0)
